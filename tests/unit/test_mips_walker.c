/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-on-demand/on_demand.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c arch/mips64/guest/octeon/octeon.c */
/* sources: arch/mips64/guest/walker.c */
/* The page table walker: tables as Linux makes them, what it must leave to software, and tables that make no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>
#include <husk/monitor.h>

#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/tlb.h"
#include "arch/mips64/guest/walker.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/mips_fixture.h"

extern const struct monitor_command *const __start_husk_monitor[];
extern const struct monitor_command *const __stop_husk_monitor[];

#define XKPHYS 0x9800000000000000ull
#define REFILL 0xffffffff80000080ull /* XTLB refill vector */
#define OTHERS 0xffffffff80000180ull

/* As Linux sets them for 4 KiB pages, three levels and 64-bit entries with EntryLo from bit 8 on. */
#define PWFIELD 0x1e015308ull
#define PWSIZE  0x4a009240ull
#define PWCTL   0x84000000ull

#define PGD 0x400000ull
#define PMD 0x401000ull
#define PTE 0x402000ull

#define VA (5ull << 30 | 7ull << 21 | 10ull << 12)

/* A page table entry: RI in bit 7, XI in bit 6, then EntryLo. */
#define ENTRY(gpa, flags) (ENTRYLO(gpa, flags) << 8)
#define ENTRY_RI          (1ull << 7)
#define ENTRY_XI          (1ull << 6)

static void put64(struct fixture *f, uint64_t gpa, uint64_t value)
{
	if (f->model.big_endian)
		value = __builtin_bswap64(value);
	assert_int_equal(memory_write(&f->vm.memory, gpa, &value, 8), 0);
}

static void put32(struct fixture *f, uint64_t gpa, uint32_t value)
{
	if (f->model.big_endian)
		value = __builtin_bswap32(value);
	assert_int_equal(memory_write(&f->vm.memory, gpa, &value, 4), 0);
}

static void set_walker(struct fixture *f, uint64_t base, uint64_t field, uint64_t size, uint64_t ctl)
{
	mips_cp0_write(f->cpu, 5, 5, base);
	mips_cp0_write(f->cpu, 5, 6, field);
	mips_cp0_write(f->cpu, 5, 7, size);
	mips_cp0_write32(f->cpu, 6, 6, ctl);
}

static void set_pair(struct fixture *f, uint64_t even, uint64_t odd)
{
	put64(f, PTE + 8 * 10, even);
	put64(f, PTE + 8 * 11, odd);
}

/* A VM with a walker, and one pair mapped at VA: the even page at 3 MiB, writable, the odd one at 3.5 MiB. */
static struct fixture *walker_new(bool big_endian)
{
	struct fixture *f = fixture_new_with(0, big_endian);

	assert_int_equal(feature_attach_all(&f->vm), 0);
	assert_int_equal(mips_reset(f->cpu, &f->model), 0);
	f->cpu->cp0.ebase = 0xffffffff80000000ull;
	mips_set_status(f->cpu, STATUS_KX | STATUS_SX | STATUS_UX | STATUS_CU0);
	mips_cp0_write(f->cpu, 5, 1, PAGEGRAIN_RIE | PAGEGRAIN_XIE | PAGEGRAIN_IEC);
	set_walker(f, XKPHYS | PGD, PWFIELD, PWSIZE, PWCTL);
	put64(f, PGD + 8 * 5, XKPHYS | PMD);
	put64(f, PMD + 8 * 7, 0xffffffff80000000ull | PTE); /* kseg0 will do too */
	set_pair(f, ENTRY(0x300000, LO_V | LO_D), ENTRY(0x380000, LO_V));
	put32(f, 0x300010, 0x11);
	put32(f, 0x380010, 0x22);
	return f;
}

/* Executes a load or store at va; returns the ExcCode, or -1 if there was no exception. */
static int access_at(struct fixture *f, uint64_t va, bool store)
{
	uint64_t before = f->cpu->exceptions;

	mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_EXL);
	f->cpu->gpr[4] = va;
	fixture_exec(f, store ? SW(2, 0, 4) : LW(2, 0, 4));
	return f->cpu->exceptions == before ? -1 : (int)fixture_exccode(f);
}

static void assert_refill(struct fixture *f, uint64_t va)
{
	assert_int_equal(access_at(f, va, false), EXC_TLBL);
	assert_int_equal(f->cpu->pc, REFILL);
	assert_int_equal(f->cpu->cp0.badvaddr, va);
}

static void test_registers(void **state)
{
	struct fixture *f = walker_new(false);

	(void)state;
	assert_true((mips_cp0_read(f->cpu, 16, 3) & CONFIG3_PW) != 0);
	assert_int_equal(mips_cp0_read(f->cpu, 5, 5), XKPHYS | PGD);
	assert_int_equal(mips_cp0_read(f->cpu, 5, 6), PWFIELD);
	assert_int_equal(mips_cp0_read(f->cpu, 5, 7), PWSIZE);
	assert_int_equal(mips_cp0_read32(f->cpu, 6, 6), 0xffffffff84000000ull);
	set_walker(f, ~0ull, ~0ull, ~0ull, ~0ull);
	assert_int_equal(mips_cp0_read(f->cpu, 5, 5), ~0ull);
	assert_int_equal(mips_cp0_read(f->cpu, 5, 6), 0x3f3fffffffull);
	assert_int_equal(mips_cp0_read(f->cpu, 5, 7), 0x3f7fffffffull);
	assert_int_equal(mips_cp0_read(f->cpu, 6, 6), 0xdc000000ull); /* no DPH, HugePg, Psn */
	assert_int_equal(f->cpu->unknown_cp0, 0);
	mips_cp0_write(f->cpu, 6, 7, 1); /* still nobody's */
	assert_int_equal(f->cpu->unknown_cp0, 1);
	fixture_free(f);
}

static void test_no_walker_no_trace(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	assert_null(f->cpu->walker);
	assert_int_equal(mips_cp0_read(f->cpu, 16, 3) & CONFIG3_PW, 0);
	mips_cp0_write(f->cpu, 6, 6, PWCTL);
	assert_int_equal(mips_cp0_read(f->cpu, 6, 6), 0);
	assert_int_equal(f->cpu->unknown_cp0, 2);
	fixture_free(f);
}

static void check_pair(bool big_endian)
{
	struct fixture *f = walker_new(big_endian);

	mips_set_entryhi(f->cpu, 0x5a);
	mips_cp0_write(f->cpu, 5, 0, 0x6000);
	assert_int_equal(access_at(f, VA + 0x10, false), -1);
	assert_int_equal(f->cpu->gpr[2], 0x11);
	assert_int_equal(access_at(f, VA + 0x1010, false), -1);
	assert_int_equal(f->cpu->gpr[2], 0x22);
	assert_int_equal(f->cpu->walks, 1);
	assert_int_equal(f->cpu->refills, 0);
	/* Nothing that software sees has changed. */
	assert_int_equal(f->cpu->cp0.entryhi, 0x5a);
	assert_int_equal(f->cpu->cp0.pagemask, 0x6000);
	assert_int_equal(f->cpu->cp0.entrylo[0] | f->cpu->cp0.entrylo[1], 0);
	assert_int_equal(access_at(f, VA + 0x14, true), -1);
	assert_int_equal(access_at(f, VA + 0x1014, true), EXC_MOD);
	mips_set_entryhi(f->cpu, VA | 0x5a);
	mips_tlbp(f->cpu);
	mips_tlbr(f->cpu);
	assert_int_equal(f->cpu->cp0.entryhi, VA | 0x5a);
	assert_int_equal(f->cpu->cp0.pagemask, 0);
	assert_int_equal(f->cpu->cp0.entrylo[0], ENTRYLO(0x300000, LO_V | LO_D));
	assert_int_equal(f->cpu->cp0.entrylo[1], ENTRYLO(0x380000, LO_V));
	/* Another address space walks anew, a global page does not. */
	mips_set_entryhi(f->cpu, 1);
	assert_int_equal(access_at(f, VA + 0x10, false), -1);
	assert_int_equal(f->cpu->walks, 2);
	fixture_free(f);
}

static void test_pair(void **state)
{
	(void)state;
	check_pair(false);
	check_pair(true);
}

static void test_global_pages(void **state)
{
	struct fixture *f = walker_new(false);

	(void)state;
	set_pair(f, ENTRY(0x300000, LO_V | LO_G), ENTRY(0x380000, LO_V | LO_G));
	assert_int_equal(access_at(f, VA, false), -1);
	mips_set_entryhi(f->cpu, 9);
	assert_int_equal(access_at(f, VA + 0x1000, false), -1);
	assert_int_equal(f->cpu->walks, 1);
	fixture_free(f);
}

static void test_inhibit_bits(void **state)
{
	struct fixture *f = walker_new(false);

	(void)state;
	set_pair(f, ENTRY(0x300000, LO_V) | ENTRY_RI, ENTRY(0x380000, LO_V) | ENTRY_XI);
	assert_int_equal(access_at(f, VA, false), EXC_TLBRI);
	assert_int_equal(access_at(f, VA + 0x1000, false), -1);
	mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_EXL);
	f->cpu->pc = VA + 0x1000;
	fixture_step(f, 1);
	assert_int_equal(fixture_exccode(f), EXC_TLBXI);
	/* A kernel that has not enabled them keeps other things in these bits. */
	mips_cp0_write(f->cpu, 5, 1, 0);
	mips_tlbinvf(f->cpu);
	assert_int_equal(access_at(f, VA, false), -1);
	fixture_free(f);
}

static void test_fetch_walks(void **state)
{
	struct fixture *f = walker_new(false);

	(void)state;
	put32(f, 0x300000, ADDIU(2, 0, 77));
	fixture_user_mode(f, VA);
	fixture_step(f, 1);
	assert_int_equal(f->cpu->exceptions, 0);
	assert_int_equal(f->cpu->gpr[2], 77);
	assert_int_equal(f->cpu->walks, 1);
	fixture_free(f);
}

static void test_invalid_pages(void **state)
{
	struct fixture *f = walker_new(false);

	(void)state;
	set_pair(f, ENTRY(0x300000, LO_V), ENTRY(0, 0));
	assert_int_equal(access_at(f, VA + 0x1000, false), EXC_TLBL); /* its other half is valid: an invalid entry */
	assert_int_equal(f->cpu->pc, OTHERS);
	assert_int_equal(f->cpu->walks, 1);
	mips_tlbinvf(f->cpu);
	set_pair(f, ENTRY(0x300000, 0), ENTRY(0x380000, LO_D));
	assert_refill(f, VA);
	assert_int_equal(f->cpu->walks, 1);
	assert_int_equal(f->cpu->refills, 1);
	fixture_free(f);
}

static void test_what_is_enabled(void **state)
{
	static const uint64_t without[] = { 0, 0x80000000, 0x04000000, 0x98000000 };
	struct fixture *f = walker_new(false);
	uint64_t kernel = 0xc000000000000000ull | VA, supervisor = 0x4000000000000000ull | VA;

	(void)state;
	for (size_t n = 0; n < sizeof(without) / sizeof(without[0]); n++) {
		mips_cp0_write32(f->cpu, 6, 6, without[n]);
		assert_refill(f, VA);
	}
	mips_cp0_write32(f->cpu, 6, 6, PWCTL);
	assert_refill(f, kernel);
	assert_refill(f, supervisor);
	assert_refill(f, 0xffffffffc0000000ull);    /* sseg and kseg3 have no tables */
	mips_cp0_write32(f->cpu, 6, 6, 0x98000000); /* XK, XS */
	assert_int_equal(access_at(f, kernel, false), -1);
	assert_int_equal(access_at(f, supervisor, false), -1);
	assert_refill(f, 0xffffffffc0000000ull);
	assert_refill(f, VA);
	fixture_free(f);
}

/* Where software must look itself: no table there, or none that the walker may read. */
static void test_strange_pointers(void **state)
{
	static const uint64_t pointers[] = {
		0,
		PTE,                           /* useg */
		0xffffffffc0000000ull | PTE,   /* sseg */
		0xc000000000000000ull | PTE,   /* xkseg */
		0x4000000000000000ull | PTE,   /* xsseg */
		XKPHYS | FIXTURE_RAM,          /* no RAM there */
		XKPHYS | (FIXTURE_RAM - 0x40), /* ends too early */
		0x9fffffffffffffffull,
		~0ull,
		XKPHYS | PTE | 4,                           /* not aligned */
		ENTRY(0x200000, LO_V | LO_D | LO_G) | 0x40, /* a huge page of Linux */
	};
	struct fixture *f = walker_new(false);

	(void)state;
	for (size_t n = 0; n < sizeof(pointers) / sizeof(pointers[0]); n++) {
		put64(f, PMD + 8 * 7, pointers[n]);
		assert_refill(f, VA);
	}
	put64(f, PMD + 8 * 7, XKPHYS | PTE);
	for (size_t n = 0; n < sizeof(pointers) / sizeof(pointers[0]); n++) {
		mips_cp0_write(f->cpu, 5, 5, pointers[n]);
		assert_refill(f, VA);
	}
	assert_int_equal(f->cpu->walks, 0);
	fixture_free(f);
}

static void test_addresses_beyond_the_tables(void **state)
{
	struct fixture *f;

	(void)state;
	f = walker_new(false);
	f->model.segbits = 49;
	assert_refill(f, VA | 1ull << 40);
	assert_refill(f, VA | 1ull << 48);
	assert_int_equal(f->cpu->walks, 0);
	fixture_free(f);
}

static void test_nonsense_settings(void **state)
{
	static const struct {
		uint64_t field, size;
	} settings[] = {
		{ PWFIELD, 0 },                              /* as while Linux sets it up */
		{ PWFIELD, 0x40000240 },                     /* no directory */
		{ (PWFIELD & ~0xfc0ull) | 11 << 6, PWSIZE }, /* pages of 2 KiB */
		{ (PWFIELD & ~0xfc0ull) | 13 << 6, PWSIZE }, /* of 8 KiB */
		{ (PWFIELD & ~0xfc0ull) | 30 << 6, PWSIZE }, /* of 1 GiB */
		{ (PWFIELD & ~0x3full) | 1, PWSIZE },        /* entries without room for RI and XI */
		{ PWFIELD, PWSIZE | 1 },                     /* entries of 16 bytes */
		{ PWFIELD, PWSIZE | 63 },
	};
	struct fixture *f = walker_new(false);

	(void)state;
	for (size_t n = 0; n < sizeof(settings) / sizeof(settings[0]); n++) {
		mips_cp0_write(f->cpu, 5, 6, settings[n].field);
		mips_cp0_write(f->cpu, 5, 7, settings[n].size);
		assert_refill(f, VA);
	}
	fixture_free(f);
}

/* Pages of 16 KiB, all five levels of one bit each, 64-bit pointers. */
static void test_five_levels(void **state)
{
	uint64_t field = 36ull << 32 | 34 << 24 | 32 << 18 | 30 << 12 | 14 << 6 | 8;
	uint64_t size = 1ull << 32 | 1ull << 30 | 1 << 24 | 1 << 18 | 1 << 12 | 2 << 6;
	uint64_t va = 1ull << 36 | 1ull << 34 | 1ull << 32 | 1ull << 30 | 3ull << 14;
	struct fixture *f = walker_new(false);

	(void)state;
	for (uint64_t n = 0; n < 4; n++)
		put64(f, 0x500008 + 0x1000 * n, XKPHYS | (0x501000 + 0x1000 * n));
	put64(f, 0x504000 + 8 * 3, ENTRY(0x300000, LO_V));
	put32(f, 0x302010, 0x55);
	set_walker(f, XKPHYS | 0x500000, field, size, PWCTL | 1u << 30);
	assert_int_equal(access_at(f, va + 0x2010, false), -1);
	assert_int_equal(f->cpu->gpr[2], 0x55);
	mips_set_entryhi(f->cpu, va);
	mips_tlbp(f->cpu);
	mips_tlbr(f->cpu);
	assert_int_equal(f->cpu->cp0.pagemask, 0x6000);
	/* Without PWDirExt the base directory is not there, and the address is out of reach. */
	mips_cp0_write32(f->cpu, 6, 6, PWCTL);
	assert_refill(f, va + (4 << 14));
	fixture_free(f);
}

/* As a 32-bit kernel would: pointers of 32 bits in kseg0, entries of 32 or 64. */
static void check_narrow(bool wide_entries, bool big_endian)
{
	struct fixture *f = walker_new(big_endian);
	uint64_t va = 3ull << 22 | 6ull << 12;

	put32(f, PGD + 4 * 3, 0x80000000u | (uint32_t)PTE);
	if (wide_entries) {
		put64(f, PTE + 8 * 6, ENTRY(0x300000, LO_V));
		put64(f, PTE + 8 * 7, ENTRY(0x380000, LO_V));
	} else {
		put32(f, PTE + 4 * 6, (uint32_t)ENTRY(0x300000, LO_V));
		put32(f, PTE + 4 * 7, (uint32_t)ENTRY(0x380000, LO_V) | (uint32_t)ENTRY_RI);
	}
	set_walker(f, 0xffffffff80000000ull | PGD, 22 << 24 | 12 << 6 | 8, 10 << 24 | 10 << 6 | wide_entries, PWCTL);
	assert_int_equal(access_at(f, va + 0x10, false), -1);
	assert_int_equal(f->cpu->gpr[2], 0x11);
	assert_int_equal(access_at(f, va + 0x1010, false), wide_entries ? -1 : EXC_TLBRI);
	fixture_free(f);
}

static void test_narrow_pointers(void **state)
{
	(void)state;
	check_narrow(false, false);
	check_narrow(false, true);
	check_narrow(true, false);
	check_narrow(true, true);
}

static void test_wired_entries_stay(void **state)
{
	struct fixture *f = walker_new(false);

	(void)state;
	mips_cp0_write(f->cpu, 6, 0, 63);
	for (unsigned n = 0; n < 63; n++)
		fixture_tlb(f, n, 0x10000000 + 0x2000ull * n, 0, 0, ENTRYLO(0x300000, LO_V), 0);
	for (unsigned n = 0; n < 10; n++) {
		mips_set_entryhi(f->cpu, n + 1);
		assert_int_equal(access_at(f, VA, false), -1);
	}
	for (unsigned n = 0; n < 63; n++)
		assert_int_equal(f->cpu->tlb.entries[n].vpn2, 0x10000000 + 0x2000ull * n);
	assert_int_equal(f->cpu->tlb.entries[63].vpn2, VA);
	fixture_free(f);
}

/* A global pair over one of another address space would be a machine check: software's business. */
static void test_duplicates_are_left_to_software(void **state)
{
	struct fixture *f = walker_new(false);

	(void)state;
	fixture_tlb(f, 0, VA, 7, 0, ENTRYLO(0x300000, LO_V), 0);
	mips_cp0_write(f->cpu, 6, 0, 1);
	set_pair(f, ENTRY(0x300000, LO_V | LO_G), ENTRY(0x380000, LO_V | LO_G));
	assert_refill(f, VA);
	assert_int_equal(f->cpu->cp0.status & STATUS_TS, 0);
	assert_int_equal(f->cpu->walks, 0);
	fixture_free(f);
}

static uint64_t seed = 99;

static uint64_t any(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 33 ^ seed << 31;
}

/* Tables and settings full of anything: an exception or not, but nothing worse (the sanitizers watch). */
static void test_random_tables(void **state)
{
	struct fixture *f = walker_new(false);

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		uint64_t field = any() % 4 == 0 ? any() : PWFIELD ^ 1ull << any() % 38;
		uint64_t size = any() % 4 == 0 ? any() : PWSIZE ^ 1ull << any() % 38;

		set_walker(f, XKPHYS | (any() & 0xfffff8), field, size, PWCTL | any());
		put64(f, any() & (FIXTURE_RAM - 8), (any() % 2 ? XKPHYS : 0xffffffff80000000ull) | (any() & 0xfffff8));
		put64(f, PGD + (any() & 0x1ff8), XKPHYS | (any() & 0xfffff8));
		f->cpu->gpr[2] = 0;
		access_at(f, any() % 2 ? any() & 0xffffffffffull & ~3ull : VA, false);
	}
	fixture_free(f);
}

static void test_monitor_command(void **state)
{
	struct fixture *f = walker_new(false);
	char name[] = "walker", *argv[] = { name, NULL };
	unsigned found = 0;

	(void)state;
	assert_int_equal(access_at(f, VA, false), -1);
	for (const struct monitor_command *const *c = __start_husk_monitor; c < __stop_husk_monitor; c++)
		if (strcmp((*c)->name, name) == 0) {
			fake_clear_text();
			assert_int_equal((*c)->run(&f->vm, 1, argv), 0);
			assert_non_null(strstr(fake_log, "1 TLB misses filled by the walker, 0 left to software"));
			found++;
		}
	assert_int_equal(found, 1);
	fixture_free(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_no_walker_no_trace),
		cmocka_unit_test(test_pair),
		cmocka_unit_test(test_global_pages),
		cmocka_unit_test(test_inhibit_bits),
		cmocka_unit_test(test_fetch_walks),
		cmocka_unit_test(test_invalid_pages),
		cmocka_unit_test(test_what_is_enabled),
		cmocka_unit_test(test_strange_pointers),
		cmocka_unit_test(test_addresses_beyond_the_tables),
		cmocka_unit_test(test_nonsense_settings),
		cmocka_unit_test(test_five_levels),
		cmocka_unit_test(test_narrow_pointers),
		cmocka_unit_test(test_wired_entries_stay),
		cmocka_unit_test(test_duplicates_are_left_to_software),
		cmocka_unit_test(test_random_tables),
		cmocka_unit_test(test_monitor_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
