/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hardware page table walker (PRA, chapter "Hardware Page Table Walking", PWBase, PWField, PWSize, PWCtl). It
 * has up to five levels of directories, each left out if its width is 0. Pages at directory level are not
 * supported: PWCtl.HugePg, DPH and Psn read 0, and software finds such entries in its refill handler.
 */
#include "arch/mips64/guest/walker.h"

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/memory.h>
#include <husk/monitor.h>
#include <husk/vm.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/tlb.h"

/* PWCtl, 6.6 */
#define PWCTL_PWEN     (1u << 31)
#define PWCTL_PWDIREXT (1u << 30)
#define PWCTL_XK       (1u << 28)
#define PWCTL_XS       (1u << 27)
#define PWCTL_XU       (1u << 26)
#define PWCTL_WRITABLE (PWCTL_PWEN | PWCTL_PWDIREXT | PWCTL_XK | PWCTL_XS | PWCTL_XU)

/* PWField, 5.6, holds the lowest address bit of each index and PWSize, 5.7, its width, at the same places. */
#define FIELD_BD         32u /* base directory, with PWCtl.PWDirExt */
#define FIELD_GD         24u /* global, upper and middle directory */
#define FIELD_UD         18u
#define FIELD_MD         12u
#define FIELD_PT         6u           /* page table */
#define FIELD_PTE        0u           /* PWField: shift of an entry; PWSize: log2 of its size in pointers */
#define PWSIZE_PS        (1ull << 30) /* pointers have 64 bits */
#define PWFIELD_WRITABLE 0x3f3fffffffull
#define PWSIZE_WRITABLE  0x3f7fffffffull

#define XKPHYS_ADDRESS ((1ull << 59) - 1)
#define KSEG0          0xffffffff80000000ull
#define KSEG2          0xffffffffc0000000ull
#define KSEG_ADDRESS   0x1fffffffull

/** A walk on its way. */
struct walk {
	const struct mips_cpu *c;
	uint64_t va;
	uint64_t table;       /**< virtual address of the present table */
	unsigned pointer_log; /**< log2 of the size of a pointer, 2 or 3 */
};

static unsigned field(uint64_t reg, unsigned lowest)
{
	return (unsigned)(reg >> lowest & 0x3f);
}

/* Index of the address in the table at a place in PWField and PWSize. */
static uint64_t index_in(const struct walk *w, unsigned place)
{
	uint64_t width = field(w->c->cp0.pwsize, place);

	return w->va >> field(w->c->cp0.pwfield, place) & ((1ull << width) - 1);
}

/* Reads as kernel mode would, but from unmapped segments and RAM only; anything else ends the walk. */
static bool read_guest(const struct mips_cpu *c, uint64_t va, unsigned log, uint64_t *value)
{
	uint64_t gpa;
	const void *host;

	if (va >> 62 == 2)
		gpa = va & XKPHYS_ADDRESS;
	else if (va >= KSEG0 && va < KSEG2)
		gpa = va & KSEG_ADDRESS;
	else
		return false;
	host = memory_borrow(&c->vcpu.vm->memory, gpa, 1ull << log);
	if (host == NULL || gpa % (1u << log) != 0)
		return false;
	*value = mips_swap(c, mips_host_read(host, 1u << log), 1u << log);
	return true;
}

static bool read_directory(struct walk *w, unsigned place)
{
	if (!read_guest(w->c, w->table | index_in(w, place) << w->pointer_log, w->pointer_log, &w->table))
		return false;
	if (w->pointer_log == 2)
		w->table = (uint64_t)(int64_t)(int32_t)w->table;
	return true;
}

/* The two entries of a pair. An entry is EntryLo with RI and XI, and bits of software's, below its bit 0. */
static bool read_pair(const struct walk *w, uint64_t entrylo[2])
{
	unsigned shift = field(w->c->cp0.pwfield, FIELD_PTE), log = w->pointer_log + field(w->c->cp0.pwsize, FIELD_PTE);
	uint64_t even;

	if (shift < 2 || log > 3)
		return false;
	even = w->table | (index_in(w, FIELD_PT) & ~1ull) << log;
	for (unsigned n = 0; n < 2; n++) {
		uint64_t v;

		if (!read_guest(w->c, even | (uint64_t)n << log, log, &v))
			return false;
		v >>= shift - 2;
		entrylo[n] = (v >> 2 | v << 62) & mips_entrylo_mask(w->c);
	}
	return true;
}

/* Address bits above the highest index belong to nobody's page: software has to judge them. */
static bool is_in_reach(const struct mips_cpu *c, uint64_t va, unsigned top)
{
	unsigned limit = field(c->cp0.pwfield, top) + field(c->cp0.pwsize, top);

	return limit >= 62 || (va & ~ENTRYHI_R) >> limit == 0;
}

static bool is_enabled(const struct mips_cpu *c, uint64_t va)
{
	static const uint32_t region[4] = { PWCTL_XU, PWCTL_XS, 0, PWCTL_XK };

	return (c->cp0.pwctl & PWCTL_PWEN) != 0 && (c->cp0.pwctl & region[va >> 62]) != 0;
}

/* Follows the directories from the base on; one of width 0 is not there, but there must be one. */
static bool read_directories(struct walk *w)
{
	static const uint8_t places[] = { FIELD_BD, FIELD_GD, FIELD_UD, FIELD_MD };
	bool found = false;

	for (unsigned n = w->c->cp0.pwctl & PWCTL_PWDIREXT ? 0 : 1; n < sizeof(places); n++) {
		if (field(w->c->cp0.pwsize, places[n]) == 0)
			continue;
		if ((!found && !is_in_reach(w->c, w->va, places[n])) || !read_directory(w, places[n]))
			return false;
		found = true;
	}
	return found;
}

static bool walk(struct mips_cpu *c, uint64_t va)
{
	unsigned page_log = field(c->cp0.pwfield, FIELD_PT);
	struct walk w = { c, va, c->cp0.pwbase, c->cp0.pwsize & PWSIZE_PS ? 3 : 2 };
	struct mips_tlb_image image = {
		.entryhi = (va & ~0x1fffull) | (c->cp0.entryhi & ENTRYHI_ASID),
	};

	if (!is_enabled(c, va) || page_log < 12 || page_log > 28 || page_log % 2 != 0)
		return false;
	if (!read_directories(&w) || !read_pair(&w, image.entrylo))
		return false;
	/* Nothing there: the fault is software's anyway, and an entry less is replaced. */
	if (((image.entrylo[0] | image.entrylo[1]) & ENTRYLO_V) == 0)
		return false;
	image.pagemask = ((2u << page_log) - 1) & ~0x1fffu;
	if (!mips_tlb_write_random(c, &image))
		return false;
	c->walks++;
	return true;
}

#define REG(reg, sel) ((reg)*8u + (sel))

static bool read_register(const struct mips_cpu *c, unsigned reg, unsigned sel, uint64_t *value)
{
	switch (REG(reg, sel)) {
	case REG(5, 5): *value = c->cp0.pwbase; return true;
	case REG(5, 6): *value = c->cp0.pwfield; return true;
	case REG(5, 7): *value = c->cp0.pwsize; return true;
	case REG(6, 6): *value = c->cp0.pwctl; return true;
	default: return false;
	}
}

/* Kernels switch the walker off and on around every change of a page table: nothing is cached, nothing to do. */
static bool write_register(struct mips_cpu *c, unsigned reg, unsigned sel, uint64_t value)
{
	switch (REG(reg, sel)) {
	case REG(5, 5): c->cp0.pwbase = value; return true;
	case REG(5, 6): c->cp0.pwfield = value & PWFIELD_WRITABLE; return true;
	case REG(5, 7): c->cp0.pwsize = value & PWSIZE_WRITABLE; return true;
	case REG(6, 6): c->cp0.pwctl = (uint32_t)value & PWCTL_WRITABLE; return true;
	default: return false;
	}
}

static const struct mips_walker walker = { walk, read_register, write_register };

static int attach(struct vm *vm)
{
	for (unsigned n = 0; n < vm->nr_vcpus; n++)
		mips_cpu(vm->vcpus[n])->walker = &walker;
	return 0;
}

HUSK_FEATURE(mips_walker) = {
	.name = "mips-walker",
	.purpose = "hardware page table walker: fills the TLB without exceptions",
	.level = FEATURE_CPU,
	.attach = attach,
};

static int command_walker(struct vm *vm, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (unsigned n = 0; n < vm->nr_vcpus; n++) {
		const struct mips_cpu *c = mips_cpu(vm->vcpus[n]);

		log_text("vCPU %u: %llu TLB misses filled by the walker, %llu left to software; PWCtl %08x PWBase "
			 "%016llx PWField %010llx PWSize %010llx\n",
			 n, (unsigned long long)c->walks, (unsigned long long)c->refills, c->cp0.pwctl,
			 (unsigned long long)c->cp0.pwbase, (unsigned long long)c->cp0.pwfield,
			 (unsigned long long)c->cp0.pwsize);
	}
	return 0;
}

MONITOR_COMMAND(walker) = { "walker", "", "counters and registers of the page table walker", command_walker };
