/* SPDX-License-Identifier: BSD-2-Clause */
/* The GDB stub: its place in the run loop, its stream and its options. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/option.h>
#include <husk/vm.h>

#include "features/gdb-stub/server.h"

#include <config/GDB_PORT.h>
#include <config/GUEST_BIG_ENDIAN.h>

/* The stub of a VM. */
struct stub {
	struct gdb server; /* first, for send() */
	struct plat_stream *stream;
	bool connected;
};

/* What the command line said. */
static bool wait_for_debugger;
static unsigned port = CONFIG_GDB_PORT;

static void send(struct gdb *g, const void *data, size_t size)
{
	plat_stream_write(((struct stub *)g)->stream, data, size);
}

static void look_at_peer(struct stub *stub)
{
	bool connected = plat_stream_connected(stub->stream);

	if (connected == stub->connected)
		return;
	stub->connected = connected;
	log_info("gdb: the debugger %s", connected ? "came: guest stopped" : "left: guest goes on");
	gdb_peer(&stub->server, connected);
}

static void take_input(struct stub *stub)
{
	uint8_t data[512];
	size_t size;

	do {
		size = plat_stream_read(stub->stream, data, sizeof(data));
		look_at_peer(stub);
		gdb_input(&stub->server, data, size);
	} while (size > 0);
}

/*
 * Others are on their way out of guest code when the guest was stopped; the debugger is to find them there. Those that
 * wait for a lock in it get it meanwhile.
 */
static void wait_for_others(struct vm *vm)
{
	bool out;

	do {
		smp_lock(&vm->memory.code_lock);
		out = smp_stop_others(vm);
		smp_resume_others(vm);
		smp_unlock(&vm->memory.code_lock);
	} while (!out);
}

static bool is_stopped(struct stub *stub)
{
	bool stopped;

	vm_lock(stub->server.vm);
	stopped = stub->server.stopped;
	vm_unlock(stub->server.vm);
	return stopped;
}

/*
 * In place of engine.run(). The run loop comes by after everything that wakes the vCPU. The debugger is vCPU 0's: others
 * have nothing to do while the guest is stopped.
 */
static enum engine_exit run(struct vcpu *v)
{
	struct stub *stub = v->vm->run_ctx;

	if (v->id == 0) {
		if (is_stopped(stub))
			wait_for_others(v->vm);
		vm_lock(v->vm);
		take_input(stub);
		vm_unlock(v->vm);
	}
	if (!is_stopped(stub))
		return gdb_run(&stub->server, v);
	if (v->id != 0)
		return ENGINE_IDLE;
	if (vcpu_attention(v) == 0)
		plat_wait(&v->attention);
	return ENGINE_ATTENTION;
}

static int attach(struct vm *vm)
{
	struct stub *stub = plat_pages_alloc(sizeof(*stub), 4096);

	if (stub == NULL)
		return -ENOMEM;
	gdb_init(&stub->server, vm, &gdb_target_mips64, CONFIG_GUEST_BIG_ENDIAN != 0);
	stub->server.send = send;
	stub->stream = plat_stream_open(port, &vm->vcpus[0]->attention, ATTN_DEBUG);
	if (stub->stream == NULL)
		return wait_for_debugger ? -ENODEV : 0; /* the guest can do without */
	stub->connected = plat_stream_connected(stub->stream);
	vm->run = run;
	vm->run_ctx = stub;
	if (wait_for_debugger)
		gdb_stop(&stub->server, GDB_SIGNAL_TRAP);
	log_info("gdb: %s at %s", wait_for_debugger ? "the guest waits for a debugger" : "a debugger may come",
		 plat_stream_name(stub->stream));
	return 0;
}

HUSK_FEATURE(gdb_stub) = {
	.name = "gdb-stub",
	.purpose = "lets GDB stop, inspect and step the guest",
	.level = FEATURE_TOOL,
	.attach = attach,
};

static int given_gdb(const char *value)
{
	(void)value;
	wait_for_debugger = true;
	return 0;
}

static int given_port(const char *value)
{
	unsigned n = 0;

	for (const char *p = value; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || n > UINT16_MAX)
			return -EINVAL;
		n = 10 * n + (unsigned)(*p - '0');
	}
	if (*value == '\0' || n > UINT16_MAX)
		return -EINVAL;
	port = n;
	return 0;
}

HUSK_OPTION(gdb) = { "gdb", "", "wait for the debugger before the first instruction", given_gdb };
HUSK_OPTION(gdb_port) = { "gdb-port=", "N", "wait at TCP port N of 127.0.0.1 (host linux)", given_port };
