/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/local-apic/local_apic.c features/local-apic/one.c features/io-apic/io_apic.c features/timer-on-demand/on_demand.c */
/* sources: tests/unit/hvm_fixture.c arch/x86_64/hvm/run.c arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c */
/* sources: arch/x86_64/hvm/cpuid.c arch/x86_64/hvm/msr.c arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c */
/* sources: arch/x86_64/hvm/walk.c arch/x86_64/hvm/print.c features/machine-pvh/acpi.c features/machine-pvh/aml.c */
/* sources: core/bus.c core/console.c core/elf.c core/feature.c core/io.c core/log.c core/memory.c core/payload.c core/timer.c */
/* sources: core/vm.c tests/unit/fake_platform.c */
/*
 * Local and I/O APIC, the policies for MSRs and CPUID, and ports, by sequences of operations of a fuzzer, four bytes or
 * so each; the run loop takes interrupts in between. What must always hold is checked: an interrupt that is delivered
 * was asked for, is above those in service, and time never stands still.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <husk/feature.h>

#include "features/io-apic/io_apic.h"
#include "features/local-apic/local_apic.h"
#include "features/machine-pvh/pvh.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/hvm_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hvm_fixture f;
static struct pvh board;

static void check(bool condition)
{
	if (!condition)
		abort();
}

/** The fuzzer's bytes. */
struct input {
	const uint8_t *data;
	size_t left;
};

static uint64_t take(struct input *in, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && in->left > 0; i++, in->left--)
		value = value << 8 | *in->data++;
	return value;
}

static void start(void)
{
	fake_reset();
	memset(&board, 0, sizeof(board));
	hvm_fixture_init(&f, 0x10000);
	board.vm = &f.vm;
	f.vm.board = &board;
	plat_cpu_bind(&f.cpu.vcpu.attention);
	check(feature_attach_all(&f.vm) == 0);
	x86_reset(&f.cpu);
	f.cpu.rflags |= X86_RFLAGS_IF;
}

static void deliver(void)
{
	const struct local_apic *a = local_apic_of(&f.cpu.vcpu);
	uint32_t asked[8];

	memcpy(asked, a->request, sizeof(asked));
	f.cpu.inject.valid = f.cpu.idle = false;
	hvm_run(&f.cpu.vcpu);
	if (!f.injected.valid || f.injected.type != X86_EVENT_INTERRUPT)
		return;
	check(f.injected.vector >= 16);
	check((asked[f.injected.vector / 32] >> f.injected.vector % 32 & 1) != 0);
	check((a->service[f.injected.vector / 32] >> f.injected.vector % 32 & 1) != 0);
	for (unsigned v = f.injected.vector + 1; v < 256; v++)
		check((a->service[v / 32] >> v % 32 & 1) == 0);
}

static void pass(uint64_t ns)
{
	fake_advance(ns);
	vcpu_take_attention(&f.cpu.vcpu);
	timer_run_due(&f.cpu.vcpu);
}

static void step(struct input *in)
{
	struct local_apic *a = local_apic_of(&f.cpu.vcpu);
	static const uint32_t msrs[] = { 0x1b, 0x6e0, 0x800, 0xc0000080, 0x3b };
	uint8_t what = (uint8_t)take(in, 1);
	uint64_t value;
	uint32_t msr;

	switch (what % 8) {
	case 0: a->dev.ops->write(&a->dev, take(in, 1) * 16, 4, take(in, 4)); break;
	case 1: a->dev.ops->read(&a->dev, take(in, 2) % (LOCAL_APIC_SIZE - 8), 1u << what / 8 % 4); break;
	case 2:
		msr = msrs[what / 8 % 5] + (what / 8 % 5 == 2 ? (uint32_t)take(in, 1) : 0);
		hvm_write_msr(&f.cpu, msr, take(in, 5));
		break;
	case 3: hvm_read_msr(&f.cpu, msrs[what / 8 % 5] + (uint32_t)take(in, 1), &value); break;
	case 4:
		bus_write(&f.vm.mmio, IO_APIC_BASE, 4, take(in, 1));
		bus_write(&f.vm.mmio, IO_APIC_BASE + 0x10, 4, take(in, 4));
		break;
	case 5: io_apic_input(board.gsi_controller, what / 8, (take(in, 1) & 1) != 0); break;
	case 6: pass(take(in, 3)); break;
	default:
		f.cpu.gpr[X86_RAX] = take(in, 4);
		f.cpu.gpr[X86_RCX] = take(in, 1);
		hvm_cpuid(&f.cpu);
		break;
	}
	deliver();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	start();
	while (in.left > 0)
		step(&in);
	return 0;
}
