/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/gdb_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <husk/log.h>
#include <husk/monitor.h>

#include "tests/unit/fake_platform.h"

struct vm fixture_vm;
struct gdb fixture_gdb;
uint64_t fixture_registers[FIXTURE_REGISTERS];
unsigned fixture_steps, fixture_runs, fixture_watched, fixture_quits;
bool fixture_held, fixture_ignored;
uint64_t fixture_breakpoint, fixture_watchpoint;
enum debug_event fixture_event;

#define PC 37u

static struct vcpu vcpu;
static struct engine engine;
static struct engine_register names[FIXTURE_REGISTERS];
static char sent[65536], taken[65536];
static size_t sent_size;

/* The rest of the core. */

void vm_request(struct vm *vm, enum vm_request what)
{
	(void)vm;
	(void)what;
	fixture_quits++;
}

void monitor_execute(struct vm *vm, char *line)
{
	(void)vm;
	log_text("you said %s\n", line);
}

/* The engine has the registers in another order: pc first. */
static unsigned place(unsigned n)
{
	return n == 0 ? PC : n <= PC ? n - 1 : n;
}

static uint64_t get_register(struct vcpu *v, unsigned n)
{
	(void)v;
	if (n >= FIXTURE_REGISTERS)
		abort();
	return fixture_registers[place(n)];
}

static void set_register(struct vcpu *v, unsigned n, uint64_t value)
{
	(void)v;
	if (n >= FIXTURE_REGISTERS)
		abort();
	fixture_registers[place(n)] = value;
}

static int translate(struct vcpu *v, uint64_t gva, uint64_t *gpa)
{
	(void)v;
	if (gva < 0xffffffff80000000ull || gva >= 0xffffffffa0000000ull)
		return -EFAULT;
	*gpa = gva - 0xffffffff80000000ull;
	return 0;
}

static void reach(struct vcpu *v)
{
	v->debug.event = fixture_event;
	v->debug.address = fixture_watchpoint + 1;
	fixture_event = DEBUG_NOTHING;
}

static enum engine_exit run(struct vcpu *v)
{
	fixture_runs++;
	reach(v);
	return ENGINE_IDLE;
}

static enum engine_exit step(struct vcpu *v)
{
	fixture_steps++;
	fixture_held = v->debug.hold_interrupts;
	fixture_ignored = v->debug.ignore_watchpoints;
	if (fixture_event == DEBUG_NOTHING)
		fixture_registers[PC] += 4;
	reach(v);
	return fixture_steps % 1000 == 0 ? ENGINE_IDLE : ENGINE_ATTENTION;
}

static int set_breakpoint(struct vcpu *v, uint64_t gva, bool on)
{
	(void)v;
	fixture_breakpoint = on ? gva : 0;
	return on && gva == 0xbad ? -ENOSPC : 0;
}

static int set_watchpoint(struct vcpu *v, uint64_t gva, uint64_t size, unsigned access, bool on)
{
	(void)v;
	if (size == 0)
		abort();
	fixture_watchpoint = on ? gva : 0;
	fixture_watched = on ? access : 0;
	return 0;
}

/* The server. */

static void send(struct gdb *g, const void *data, size_t size)
{
	(void)g;
	if (sent_size + size >= sizeof(sent))
		sent_size = 0;
	memcpy(sent + sent_size, data, size);
	sent_size += size;
	sent[sent_size] = '\0';
}

static void name_registers(void)
{
	for (unsigned n = 0; n < FIXTURE_REGISTERS; n++)
		names[n] = (struct engine_register){ gdb_target_mips64.registers[place(n)].engine_name, 8 };
}

void fixture_start(bool big_endian, bool hooks)
{
	fake_reset();
	name_registers();
	engine = (struct engine){
		.name = "fixture",
		.run = run,
		.step = step,
		.registers = names,
		.nr_registers = FIXTURE_REGISTERS,
		.get_register = get_register,
		.set_register = set_register,
		.translate = translate,
		.set_breakpoint = hooks ? set_breakpoint : NULL,
		.set_watchpoint = hooks ? set_watchpoint : NULL,
	};
	vcpu = (struct vcpu){ .vm = &fixture_vm };
	fixture_vm = (struct vm){ .engine = &engine, .vcpus = { &vcpu }, .nr_vcpus = 1 };
	if (memory_add_ram(&fixture_vm.memory, FIXTURE_GPA, FIXTURE_SIZE) != 0)
		abort();
	for (unsigned n = 0; n < FIXTURE_REGISTERS; n++)
		fixture_registers[n] = 0x1122334455660000ull + n;
	fixture_registers[PC] = FIXTURE_GVA;
	fixture_steps = fixture_runs = fixture_watched = fixture_quits = 0;
	fixture_held = fixture_ignored = false;
	fixture_breakpoint = fixture_watchpoint = 0;
	fixture_event = DEBUG_NOTHING;
	sent_size = 0;
	sent[0] = '\0';
	memset(&fixture_gdb, 0, sizeof(fixture_gdb));
	gdb_init(&fixture_gdb, &fixture_vm, &gdb_target_mips64, big_endian);
	fixture_gdb.send = send;
}

void fixture_end(void)
{
	fake_reset();
}

const char *fixture_sent(void)
{
	memcpy(taken, sent, sent_size + 1);
	sent_size = 0;
	sent[0] = '\0';
	return taken;
}

const char *fixture_ask_bytes(const void *packet, size_t size)
{
	static struct gdb_packet p;
	static uint8_t frame[GDB_FRAME_MAX];
	char *text, *end;

	gdb_packet_clear(&p);
	gdb_put(&p, packet, size);
	gdb_input(&fixture_gdb, frame, gdb_frame(&p, frame));
	text = (char *)(uintptr_t)fixture_sent();
	text += *text == '+';
	end = strrchr(text, '#');
	if (*text != '$' || end == NULL)
		return text;
	*end = '\0';
	return text + 1;
}

const char *fixture_ask(const char *packet)
{
	return fixture_ask_bytes(packet, strlen(packet));
}
