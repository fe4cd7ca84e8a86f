/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of MIPS64 machines share: vCPUs that only keep what the machine sets, a timer
 * model that says what the test wants, and a payload made by hand.
 */
#ifndef TESTS_MIPS_MACHINE_TESTS_H
#define TESTS_MIPS_MACHINE_TESTS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>
#include <husk/irq.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/mips64/guest/boot.h"
#include "arch/mips64/guest/cpu.h"
#include "tests/unit/fake_platform.h"

#define MB(n) ((uint64_t)(n) << 20)

/* The part of the CPU that machines use. */

int mips_reset(struct mips_cpu *c, const struct mips_model *model)
{
	memset(c->gpr, 0, sizeof(c->gpr));
	memset(&c->cp0, 0, sizeof(c->cp0));
	c->model = model;
	c->pc = 0xffffffffbfc00000;
	return 0;
}

void mips_irq_input(void *cpu, unsigned n, bool level)
{
	uint32_t bit = 0x100u << n;
	struct mips_cpu *c = cpu;

	c->cp0.cause = level ? c->cp0.cause | bit : c->cp0.cause & ~bit;
}

static uint64_t timer_ticks;

static uint64_t timer_read(struct guest_counter *c)
{
	return timer_ticks + c->vcpu->id;
}

static void timer_start(struct guest_counter *c)
{
	(void)c;
}

static const struct timer_model fake_timer = { .name = "fake", .start = timer_start, .read = timer_read };

/* Payload. */

#define KERNEL_SIZE 0x2000u
static uint8_t kernel[KERNEL_SIZE];
static uint8_t dtb[64];
static uint8_t initrd[0x1800];
static struct payload_part parts[4];
static struct payload payload;

static void put_le(uint8_t *p, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

/** An ELF file of one segment at `address`: 0x1000 bytes of 0x5a from offset 0x1000 and bss up to memsz. */
static inline void make_kernel(uint16_t machine, uint64_t address, uint64_t entry, uint64_t memsz)
{
	memset(kernel, 0, sizeof(kernel));
	memcpy(kernel, "\177ELF\2\1\1", 7);
	put_le(kernel + 16, 2, 2);
	put_le(kernel + 18, 2, machine);
	put_le(kernel + 20, 4, 1);
	put_le(kernel + 24, 8, entry);
	put_le(kernel + 32, 8, 64);
	put_le(kernel + 52, 2, 64);
	put_le(kernel + 54, 2, 56);
	put_le(kernel + 56, 2, 1);
	put_le(kernel + 58, 2, 64);
	put_le(kernel + 64, 4, 1);
	put_le(kernel + 68, 4, 7);
	put_le(kernel + 72, 8, 0x1000);
	put_le(kernel + 80, 8, address);
	put_le(kernel + 88, 8, address);
	put_le(kernel + 96, 8, 0x1000);
	put_le(kernel + 104, 8, memsz);
	put_le(kernel + 112, 8, 0x1000);
	memset(kernel + 0x1000, 0x5a, 0x1000);
}

/** Kernel, device tree, initrd and command line, as a composer would place them. */
static inline void make_payload(uint64_t dtb_gpa, uint64_t initrd_gpa, const char *cmdline)
{
	memset(dtb, 0, sizeof(dtb));
	memcpy(dtb, "\xd0\x0d\xfe\xed\0\0\0\x40", 8);
	memset(initrd, 0x77, sizeof(initrd));
	parts[0] = (struct payload_part){ PAYLOAD_KERNEL, "vmlinux", kernel, sizeof(kernel), 0 };
	parts[1] = (struct payload_part){ PAYLOAD_DTB, "board.dtb", dtb, sizeof(dtb), dtb_gpa };
	parts[2] = (struct payload_part){ PAYLOAD_INITRD, "initrd.gz", initrd, sizeof(initrd), initrd_gpa };
	parts[3] = (struct payload_part){ PAYLOAD_CMDLINE, "cmdline", (const uint8_t *)cmdline, strlen(cmdline), 0 };
	payload = (struct payload){ "test", parts, 4 };
}

/* The VM. */

static struct params params;
static struct vm vm;
static struct mips_cpu cpus[VM_MAX_VCPUS];

/** A VM with vCPUs that went through init_vcpu(), not built yet. */
static inline void make_vm(uint64_t ram, unsigned nr_vcpus)
{
	fake_reset();
	timer_ticks = 0;
	params = (struct params){ .ram_bytes = ram, .vcpus = nr_vcpus, .counter_hz = 100000000 };
	memset(&vm, 0, sizeof(vm));
	vm.params = &params;
	vm.payload = &payload;
	vm.timer = &fake_timer;
	vm.machine = feature_provider(FEATURE_MACHINE);
	assert_non_null(vm.machine);
	console_init(&vm.console, &vm);
	for (unsigned i = 0; i < nr_vcpus; i++) {
		memset(&cpus[i], 0, sizeof(cpus[i]));
		cpus[i].vcpu.vm = &vm;
		cpus[i].vcpu.id = i;
		cpus[i].counter.vcpu = &cpus[i].vcpu;
		assert_int_equal(vm.machine->init_vcpu(&cpus[i].vcpu), 0);
		vm.vcpus[vm.nr_vcpus++] = &cpus[i].vcpu;
	}
}

/** A device in each slot of the machine, at `base` and every 4 KiB behind. */
static inline void plug_all(struct device dev[MACHINE_SLOTS], struct irq_line irq[MACHINE_SLOTS], uint64_t base)
{
	static const struct device_ops ops;

	for (unsigned n = 0; n < MACHINE_SLOTS; n++) {
		dev[n] = (struct device){ .name = "slot", .ops = &ops };
		assert_int_equal(vm.machine->plug(&vm, n, &dev[n], &irq[n]), 0);
		assert_int_equal(dev[n].base, base + n * 0x1000);
		assert_int_equal(dev[n].size, MACHINE_SLOT_SIZE);
	}
}

static inline uint64_t ram_get(uint64_t gpa, unsigned size)
{
	uint64_t value = 0;

	assert_int_equal(memory_read(&vm.memory, gpa, &value, size), 0);
	return value;
}

static inline uint64_t mmio_get(uint64_t address)
{
	return bus_read(&vm.mmio, address, 8);
}

static inline void mmio_put(uint64_t address, uint64_t value)
{
	bus_write(&vm.mmio, address, 8, value);
}

/** The machine refuses the payload with this error and one line that contains `text`. */
static inline void refuses(int error, const char *text)
{
	fake_clear_text();
	assert_int_equal(vm.machine->load(&vm), error);
	if (strstr(fake_log, text) == NULL)
		fail_msg("no '%s' in: %s", text, fake_log);
	assert_ptr_equal(strchr(fake_log, '\n') + 1, fake_log + fake_log_size);
}

#endif
