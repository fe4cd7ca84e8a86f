/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine "virt": a MIPS64 Release 2 CPU, RAM, one UART and a reset register,
 * booted by the Unified Hosting Interface with a device tree. Addresses are those of
 * the MIPS Malta board, so that kernel, initrd and device tree boot there too.
 */
#include <errno.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/irq.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/mips64/guest/boot.h"
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/cpu.h"
#include "features/machine-virt/syscon.h"
#include "features/uart-ns16550/uart_ns16550.h"

#include <config/GUEST_BIG_ENDIAN.h>
#include <config/MIPS_FPU.h>
#include <config/MIPS_TLB_ENTRIES.h>

#define RAM0_MAX  0x10000000ull
#define RAM1_BASE 0x90000000ull
#define RAM1_MAX  0x70000000ull

#define UART_BASE     0x1f000900ull
#define UART_CPU_LINE 4u

/* Slots for more devices share the CPU's inputs that nothing else uses. */
#define SLOT_BASE   0x1f010000ull
#define SLOT_STRIDE 0x1000u
static const unsigned slot_cpu_lines[] = { 2, 3, 5, 6 };
#define SLOT_LINES (sizeof(slot_cpu_lines) / sizeof(slot_cpu_lines[0]))

/** The board. */
struct virt {
	struct vm *vm;
	struct irq_shared slot_irq[SLOT_LINES];
	struct uart_ns16550 uart;
	struct syscon syscon;
};

/*
 * A 5KEf (PRId 0x89 of MIPS Technologies) with a TLB of any size that can be invalidated at once (Config4.IE = 2),
 * RDHWR 29 in hardware (Config3.ULRI), and caches of 4 KiB a way, which have no aliases. FIR: S, D, W, L and 64-bit
 * registers. Fields as in PRA, chapter 9.
 */
static const struct mips_model virt_cpu = {
	.name = "5KEf",
	.features = CONFIG_MIPS_FPU ? MIPS_HAS_FPU : 0,
	.prid = 0x00018900,
	.config = {
		/* M, BE, AT = 2 (all 64-bit segments), AR = 1 (Release 2), MT = 1 (TLB), K0 = 2 */
		1u << 31 | (CONFIG_GUEST_BIG_ENDIAN ? CONFIG0_BE : 0) | 2u << 13 | 1u << 10 | 1u << 7 | 2u,
		/* M, MMUSize, IS/IL/IA and DS/DL/DA: 128 sets, 32 bytes, 2 ways; WR, FP */
		1u << 31 | CONFIG1_TLB(CONFIG_MIPS_TLB_ENTRIES) | 1u << 22 | 4u << 19 | 1u << 16 | 1u << 13 | 4u << 10 |
			1u << 7 | CONFIG1_WR | (CONFIG_MIPS_FPU ? CONFIG1_FP : 0),
		1u << 31,
		1u << 31 | CONFIG3_LPA | CONFIG3_ULRI,
		CONFIG4_TLB(CONFIG_MIPS_TLB_ENTRIES) | 2u << CONFIG4_IE_SHIFT,
	},
	.config0_rw = 7u,
	.intctl = 7u << INTCTL_IPTI_SHIFT,
	.fir = 1u << 22 | 1u << 21 | 1u << 20 | 1u << 17 | 1u << 16 | 0x8900u,
	.tlb_entries = CONFIG_MIPS_TLB_ENTRIES,
	.segbits = 42,
	.pabits = 36,
	.watches = 1,
	.big_endian = CONFIG_GUEST_BIG_ENDIAN,
};

static int virt_init_vcpu(struct vcpu *v)
{
	return mips_reset(mips_cpu(v), &virt_cpu);
}

static void on_reset_request(void *ctx)
{
	vm_request((struct vm *)ctx, VM_RESET);
}

static int virt_build(struct vm *vm)
{
	static const struct uart_ns16550_options uart = { .name = "uart0", .base = UART_BASE, .reg_shift = 3 };
	struct virt *virt = plat_pages_alloc(sizeof(*virt), 4096);

	if (virt == NULL) {
		log_error("machine virt: no memory for its devices");
		return -ENOMEM;
	}
	virt->vm = vm;
	vm->board = virt;
	int err = mips_boot_add_ram(vm, RAM0_MAX, RAM1_BASE, RAM1_MAX);

	if (err < 0)
		return err;
	err = uart_ns16550_init(&virt->uart, &uart, &vm->mmio, &vm->console);
	if (err < 0)
		return err;
	irq_connect(&virt->uart.irq, mips_irq_input, mips_cpu(vm->vcpus[0]), UART_CPU_LINE);
	for (unsigned i = 0; i < SLOT_LINES; i++)
		irq_connect(&virt->slot_irq[i].out, mips_irq_input, mips_cpu(vm->vcpus[0]), slot_cpu_lines[i]);
	return syscon_init(&virt->syscon, &vm->mmio, on_reset_request, vm);
}

/** Nothing of the payload may lie on anything else, and the device tree must be addressable in kseg0. */
static int check_layout(const struct mips_boot *boot)
{
	const struct mips_boot_range ranges[] = {
		{ "exception vectors", 0, 0x1000 },
		{ "kernel", boot->kernel.gpa_low, boot->kernel.gpa_high },
		mips_boot_part_range("device tree", boot->dtb),
		mips_boot_part_range("initrd", boot->initrd),
	};

	if (boot->dtb->gpa >= RAM0_MAX) {
		log_error("device tree at 0x%llx: must be below 256 MiB", (unsigned long long)boot->dtb->gpa);
		return -EBADMSG;
	}
	return mips_boot_check_ranges(ranges, sizeof(ranges) / sizeof(ranges[0]));
}

/* Unified Hosting Interface (MD01069, 3.1): a0 = -2 says that a1 is the address of a device tree. */
static int virt_load(struct vm *vm)
{
	struct mips_boot boot;
	int err = mips_boot_load(vm, virt_cpu.big_endian, &boot);

	if (err == 0)
		err = check_layout(&boot);
	if (err < 0)
		return err;
	for (unsigned n = 0; n < vm->nr_vcpus; n++)
		mips_reset(mips_cpu(vm->vcpus[n]), &virt_cpu);

	struct mips_cpu *c = mips_cpu(vm->vcpus[0]);

	c->gpr[4] = (uint64_t)-2;
	c->gpr[5] = mips_kseg0(boot.dtb->gpa);
	c->pc = boot.kernel.entry;
	return 0;
}

static int virt_plug(struct vm *vm, unsigned slot, struct device *dev, struct irq_line *irq)
{
	struct virt *virt = (struct virt *)vm->board;

	irq_connect(irq, irq_shared_input, &virt->slot_irq[slot % SLOT_LINES], 0);
	return bus_attach(&vm->mmio, dev, SLOT_BASE + (uint64_t)slot * SLOT_STRIDE, MACHINE_SLOT_SIZE);
}

static void virt_describe(struct vm *vm)
{
	log_text("virt: %s, %llu MiB of RAM, UART at 0x%llx, %s endian\n", virt_cpu.name,
		 (unsigned long long)vm->params->ram_bytes >> 20, UART_BASE, virt_cpu.big_endian ? "big" : "little");
}

static const struct machine virt_machine = {
	.name = "virt",
	.init_vcpu = virt_init_vcpu,
	.build = virt_build,
	.load = virt_load,
	.plug = virt_plug,
	.describe = virt_describe,
};

HUSK_FEATURE(machine_virt) = {
	.name = "machine-virt",
	.purpose = "plain MIPS64 board, booted with a device tree (UHI)",
	.level = FEATURE_MACHINE,
	.provides = &virt_machine,
};
