/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine "octeon": a Cavium CN63XX pass 2.2 with its legacy interrupt unit, both
 * UARTs and the registers a kernel meets while it boots. See README.md.
 */
#include <errno.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/irq.h>
#include <husk/log.h>
#include <husk/timer.h>
#include <husk/vm.h>

#include "arch/mips64/guest/boot.h"
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/cpu.h"
#include "features/machine-octeon/bootinfo.h"
#include "features/machine-octeon/bootmem.h"
#include "features/machine-octeon/cores.h"
#include "features/machine-octeon/ciu.h"
#include "features/machine-octeon/csr.h"
#include "features/uart-ns16550/uart_ns16550.h"

#include <config/GUEST_BIG_ENDIAN.h>
#include <config/MIPS_FPU.h>
#include <config/MIPS_TLB_ENTRIES.h>

/* RAM: the 256 MiB below the boot bus, the rest above it. */
#define RAM0_MAX  0x10000000ull
#define RAM1_BASE 0x20000000ull
#define RAM1_MAX  0x130000000ull

#define UART0_BASE 0x1180000000800ull
#define UART1_BASE 0x1180000000c00ull
#define UART_SIZE  0x400u

/* Slots for devices that are not of the chip, where it has none: on GPIO inputs, which the device tree leaves free. */
#define SLOT_BASE   0x10f0000000000ull
#define SLOT_STRIDE 0x1000u
#define SLOT_INPUT  CIU_INPUT(0u, 16u)

/* A relocatable kernel may copy itself up to this much beyond its own (rounded) length upwards. */
#define KASLR_MAX_OFFSET 0x1000000ull
#define KASLR_GRANULE    0x10000ull

/* CP0 as the boot loader leaves it: see README.md, "Entry". */
#define BOOT_CVMCTL    0x3f0ull
#define BOOT_CVMMEMCTL CVMMEMCTL_KERNEL

/** The board. */
struct octeon {
	struct vm *vm;
	struct ciu ciu;
	struct csr_set csr;
	struct uart_ns16550 uart[2];
	struct guest_counter io_counter; /**< IPD_CLK_COUNT; matches nothing */
	struct octeon_cores cores;
};

/*
 * CN63XX pass 2.2. Fields of Config as in PRA, chapter 9. A real one has a small TLB without instructions to
 * invalidate it (Config4.IE), and no FPU, which the option MIPS_FPU adds.
 */
static const struct mips_model octeon_cpu = {
	.name = "CN63XX",
	.features = MIPS_HAS_OCTEON | MIPS_HAS_UNALIGNED | (CONFIG_MIPS_FPU ? MIPS_HAS_FPU : 0),
	.prid = 0x000d900a,
	.config = {
		/* M, BE, AT = 2 (all 64-bit segments), AR = 1 (Release 2), MT = 1 (TLB), K0 = 3 */
		1u << 31 | (CONFIG_GUEST_BIG_ENDIAN ? CONFIG0_BE : 0) | 2u << 13 | 1u << 10 | 1u << 7 | 3u,
		/* M, MMUSize, IL and DL: lines of 128 bytes, 8 ways; no performance counters, no watch; FP */
		1u << 31 | CONFIG1_TLB(CONFIG_MIPS_TLB_ENTRIES) | 6u << 19 | 7u << 16 | 6u << 10 | 7u << 7 |
			(CONFIG_MIPS_FPU ? CONFIG1_FP : 0),
		1u << 31,
		1u << 31 | CONFIG3_RXI | CONFIG3_ULRI | CONFIG3_LPA,
		/* M, KScratch 2-5, MMUExtDef = 1 and MMUSizeExt; IE = 2: TLBINV, TLBINVF, EntryHi.EHINV */
		1u << 31 | 0x3cu << CONFIG4_KSCREXIST_SHIFT | CONFIG4_TLB(CONFIG_MIPS_TLB_ENTRIES) |
			2u << CONFIG4_IE_SHIFT,
	},
	.config0_rw = 7u,
	.intctl = 7u << INTCTL_IPTI_SHIFT | 6u << 26,
	.fir = 1u << 22 | 1u << 21 | 1u << 20 | 1u << 17 | 1u << 16,
	.tlb_entries = CONFIG_MIPS_TLB_ENTRIES,
	.segbits = 49,
	.pabits = 49,
	.big_endian = CONFIG_GUEST_BIG_ENDIAN,
};

static int octeon_init_vcpu(struct vcpu *v)
{
	if (v->id >= CIU_CORES) {
		log_error("machine octeon: at most %u cores (VCPUS)", CIU_CORES);
		return -EINVAL;
	}
	return mips_reset(mips_cpu(v), &octeon_cpu);
}

static void on_soft_reset(void *ctx)
{
	vm_request((struct vm *)ctx, VM_RESET);
}

/*
 * The I/O clock. All cores see one counter, no core's own: each sets its CvmCount from this at boot and they must
 * agree. The clock ratio is 1, see csr_rst_boot().
 */
static uint64_t io_clock(void *ctx)
{
	struct octeon *o = (struct octeon *)ctx;

	return o->vm->timer->read(&o->io_counter);
}

static void on_mailbox(void *ctx)
{
	octeon_cores_release(&((struct octeon *)((struct vm *)ctx)->board)->cores);
}

static int add_uarts(struct octeon *o)
{
	static const struct uart_ns16550_options options[2] = {
		{ "uart0", UART0_BASE, UART_SIZE, .reg_shift = 3, .depth = 64, .designware = true },
		{ "uart1", UART1_BASE, UART_SIZE, .reg_shift = 3, .depth = 64, .designware = true },
	};
	static const unsigned inputs[2] = { CIU_UART0, CIU_UART1 };

	for (unsigned i = 0; i < 2; i++) {
		int err = uart_ns16550_init(&o->uart[i], &options[i], &o->vm->mmio, &o->vm->console);

		if (err < 0)
			return err;
		irq_connect(&o->uart[i].irq, ciu_input, &o->ciu, inputs[i]);
	}
	return 0;
}

/** Interrupt unit with its outputs on IP2 and IP3 of every core. */
static int add_ciu(struct octeon *o)
{
	ciu_init(&o->ciu, o->vm->nr_vcpus, on_soft_reset, o->vm);
	o->ciu.mailbox_used = on_mailbox;
	for (unsigned c = 0; c < o->ciu.cores; c++)
		for (unsigned i = 0; i < CIU_OUTPUTS; i++)
			irq_connect(&o->ciu.output[c][i], mips_irq_input, mips_cpu(o->vm->vcpus[c]), 2 + i);
	return bus_attach(&o->vm->mmio, &o->ciu.dev, CIU_BASE, CIU_SIZE);
}

static int octeon_build(struct vm *vm)
{
	struct octeon *o = plat_pages_alloc(sizeof(*o), 4096);

	if (o == NULL) {
		log_error("machine octeon: no memory for its devices");
		return -ENOMEM;
	}
	o->vm = vm;
	vm->board = o;
	int err = mips_boot_add_ram(vm, RAM0_MAX, RAM1_BASE, RAM1_MAX);

	if (err == 0)
		err = add_ciu(o);
	if (err == 0)
		err = add_uarts(o);
	if (err < 0)
		return err;
	o->io_counter = (struct guest_counter){ .vcpu = vm->vcpus[0], .hz = vm->params->counter_hz };
	csr_init(&o->csr, vm->params->counter_hz, io_clock, o);
	return csr_attach(&o->csr, &vm->mmio);
}

/** Where a kernel with address space randomisation may copy itself; empty if it was told not to. */
static struct mips_boot_range kaslr_range(const struct mips_boot *boot)
{
	struct mips_boot_range range = {
		.name = "kernel after relocation (add nokaslr to the command line to avoid it)"
	};
	uint64_t length = boot->kernel.gpa_high - boot->kernel.gpa_low;
	const struct payload_part *cmdline = boot->cmdline;

	if (cmdline != NULL && bootinfo_has_word(cmdline->data, cmdline->size, "nokaslr"))
		return range;
	range.start = boot->kernel.gpa_low + (length + KASLR_GRANULE - 1) / KASLR_GRANULE * KASLR_GRANULE;
	range.end = range.start + KASLR_MAX_OFFSET + length;
	return range;
}

/** A kernel that may move itself must find RAM wherever it goes. */
static int check_kaslr(const struct vm *vm, const struct mips_boot_range *kaslr)
{
	const struct ram_region *low = &vm->memory.ram[0];

	if (kaslr->end <= low->gpa + low->size)
		return 0;
	log_error("the kernel may move itself up to 0x%llx, beyond %llu MiB of RAM: set RAM_MB to at least %llu, "
		  "or add nokaslr to the command line",
		  (unsigned long long)kaslr->end, (unsigned long long)vm->params->ram_bytes >> 20,
		  (unsigned long long)(kaslr->end + BOOTMEM_ALIGN - 1 + BOOTMEM_PIECE) >> 20);
	return -ENOMEM;
}

/**
 * The guest needs some RAM, and a kernel drops an initrd that ends above the memory it took from the list;
 * it takes whole pieces only and never below itself.
 */
static int check_usable(const struct vm *vm, const struct mips_boot *boot, const struct bootmem_usable *usable)
{
	uint64_t end = boot->initrd != NULL ? boot->initrd->gpa + boot->initrd->size : 0;

	if (usable->bytes == 0) {
		log_error("%llu MiB of RAM leave nothing for the guest beside kernel and initrd: raise RAM_MB",
			  (unsigned long long)vm->params->ram_bytes >> 20);
		return -ENOMEM;
	}
	if (end > usable->end) {
		log_error(
			"the initrd ends at 0x%llx, the kernel finds RAM up to 0x%llx: place it lower or raise RAM_MB",
			(unsigned long long)end, (unsigned long long)usable->end);
		return -EBADMSG;
	}
	return 0;
}

/** Writes the boot loader's structures around what the payload occupies. */
static int write_boot_data(struct vm *vm, const struct mips_boot *boot)
{
	const struct mips_boot_range kaslr = kaslr_range(boot);
	const struct mips_boot_range reserved[] = {
		{ "exception vectors and boot descriptors", 0, BOOT_END },
		{ "kernel", boot->kernel.gpa_low, boot->kernel.gpa_high },
		mips_boot_part_range("device tree", boot->dtb),
		mips_boot_part_range("initrd", boot->initrd),
		kaslr,
	};
	const size_t nr_reserved = sizeof(reserved) / sizeof(reserved[0]);
	struct bootmem_block blocks[BOOTMEM_MAX_BLOCKS];
	int err = mips_boot_check_ranges(reserved, nr_reserved);

	if (err < 0)
		return err;
	size_t count = bootmem_free_blocks(&vm->memory, reserved, nr_reserved, blocks, BOOTMEM_MAX_BLOCKS);
	const struct bootmem_usable usable =
		bootmem_usable(blocks, count, kaslr.end > kaslr.start ? kaslr.end : boot->kernel.gpa_high);

	err = check_kaslr(vm, &kaslr);
	if (err == 0)
		err = check_usable(vm, boot, &usable);
	if (err == 0)
		err = bootmem_write_list(&vm->memory, blocks, count, octeon_cpu.big_endian);
	if (err < 0)
		return err;
	const struct bootinfo info = {
		.big_endian = octeon_cpu.big_endian,
		.cores = vm->nr_vcpus,
		.ram_bytes = vm->params->ram_bytes,
		.eclock_hz = vm->params->counter_hz,
		.fdt = boot->dtb->gpa,
		.free_head = blocks[0].start,
		.cmdline = boot->cmdline != NULL ? boot->cmdline->data : NULL,
		.cmdline_size = boot->cmdline != NULL ? boot->cmdline->size : 0,
	};
	return bootinfo_write(&vm->memory, &info);
}

/** A core as the boot loader hands it over: a2 says whether it is the boot core, a3 is the boot descriptor. */
static void start_core(struct mips_cpu *c, uint64_t entry)
{
	mips_reset(c, &octeon_cpu);
	c->cp0.cvmctl = BOOT_CVMCTL;
	c->cp0.cvmmemctl = BOOT_CVMMEMCTL;
	c->gpr[6] = c->vcpu.id == 0;
	c->gpr[7] = mips_kseg0(BOOT_DESCRIPTOR);
	c->pc = entry;
}

static int octeon_load(struct vm *vm)
{
	struct octeon *o = (struct octeon *)vm->board;
	struct mips_boot boot;
	int err = mips_boot_load(vm, octeon_cpu.big_endian, &boot);

	if (err == 0)
		err = write_boot_data(vm, &boot);
	if (err < 0)
		return err;
	vm->timer->start(&o->io_counter);
	for (unsigned n = 0; n < vm->nr_vcpus; n++)
		start_core(mips_cpu(vm->vcpus[n]), boot.kernel.entry);
	octeon_cores_hold(&o->cores, o->vm);
	return 0;
}

static int octeon_plug(struct vm *vm, unsigned slot, struct device *dev, struct irq_line *irq)
{
	struct octeon *o = (struct octeon *)vm->board;

	irq_connect(irq, ciu_input, &o->ciu, SLOT_INPUT + slot);
	return bus_attach(&vm->mmio, dev, SLOT_BASE + (uint64_t)slot * SLOT_STRIDE, MACHINE_SLOT_SIZE);
}

static void octeon_describe(struct vm *vm)
{
	const struct octeon *o = (const struct octeon *)vm->board;

	log_text("octeon: %s, %u core%s, %llu MiB of RAM, %s endian; unmodelled registers: %llu CSR, %llu CIU "
		 "accesses\n",
		 octeon_cpu.name, vm->nr_vcpus, vm->nr_vcpus == 1 ? "" : "s",
		 (unsigned long long)vm->params->ram_bytes >> 20, octeon_cpu.big_endian ? "big" : "little",
		 (unsigned long long)o->csr.unknown, (unsigned long long)o->ciu.unknown);
}

static const struct machine octeon_machine = {
	.name = "octeon",
	.init_vcpu = octeon_init_vcpu,
	.build = octeon_build,
	.load = octeon_load,
	.plug = octeon_plug,
	.describe = octeon_describe,
};

HUSK_FEATURE(machine_octeon) = {
	.name = "machine-octeon",
	.purpose = "Cavium Octeon CN63XX board: CIU, CSRs, boot loader protocol",
	.level = FEATURE_MACHINE,
	.provides = &octeon_machine,
};
