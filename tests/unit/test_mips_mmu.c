/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-on-demand/on_demand.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c arch/mips64/guest/octeon/octeon.c */
/* TLB, segments, refill and address exceptions, watchpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/tlb.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/mips_fixture.h"

#define MASK_4K  0u
#define MASK_16K 0x6000u
#define MASK_16M 0x1ffe000u
#define VECTORS  0xffffffff80000000ull

/* Loads a word at va; returns the ExcCode, or -1 if there was no exception. */
static int load(struct fixture *f, uint64_t va)
{
	uint64_t before = f->cpu->exceptions;

	fixture_leave_exception(f);
	f->cpu->gpr[4] = va;
	fixture_exec(f, LW(2, 0, 4));
	return f->cpu->exceptions == before ? -1 : (int)fixture_exccode(f);
}

static int store(struct fixture *f, uint64_t va)
{
	uint64_t before = f->cpu->exceptions;

	fixture_leave_exception(f);
	f->cpu->gpr[4] = va;
	fixture_exec(f, SW(2, 0, 4));
	return f->cpu->exceptions == before ? -1 : (int)fixture_exccode(f);
}

static void put32(struct fixture *f, uint64_t gpa, uint32_t value)
{
	assert_int_equal(memory_write(&f->vm.memory, gpa, &value, 4), 0);
}

static void test_tlb_translates_pairs(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	put32(f, 0x300010, 0x11);
	put32(f, 0x400010, 0x22);
	fixture_tlb(f, 5, 0x10000, 0, MASK_4K, ENTRYLO(0x300000, LO_V | LO_D), ENTRYLO(0x400000, LO_V));
	assert_int_equal(load(f, 0x10010), -1);
	assert_int_equal(f->cpu->gpr[2], 0x11);
	assert_int_equal(load(f, 0x11010), -1);
	assert_int_equal(f->cpu->gpr[2], 0x22);
	assert_int_equal(store(f, 0x10010), -1);
	assert_int_equal(store(f, 0x11010), EXC_MOD);
	assert_int_equal(f->cpu->cp0.badvaddr, 0x11010);
	assert_int_equal(load(f, 0x12010), EXC_TLBL);
	assert_int_equal(store(f, 0x12010), EXC_TLBS);
	fixture_free(f);
}

static void test_tlb_page_sizes(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	put32(f, 0x8 + 0x403000, 0x33);
	put32(f, 0x123458, 0x44);
	fixture_tlb(f, 0, 0x100000, 0, MASK_16K, ENTRYLO(0x400000, LO_V), ENTRYLO(0, 0));
	assert_int_equal(load(f, 0x103008), -1);
	assert_int_equal(f->cpu->gpr[2], 0x33);
	assert_int_equal(load(f, 0x104008), EXC_TLBL); /* odd page is invalid */
	fixture_tlb(f, 1, 0x4000000, 0, MASK_16M, ENTRYLO(0, LO_V), ENTRYLO(0, LO_V));
	assert_int_equal(load(f, 0x4123458), -1);
	assert_int_equal(f->cpu->gpr[2], 0x44);
	assert_int_equal(load(f, 0x5123458), -1);
	assert_int_equal(f->cpu->gpr[2], 0x44);
	/* Rewriting the large entry forgets what was cached of it. */
	fixture_tlb(f, 1, 0x4000000, 0, MASK_16M, ENTRYLO(0, 0), ENTRYLO(0, LO_V));
	assert_int_equal(load(f, 0x4123458), EXC_TLBL);
	fixture_free(f);
}

static void test_pagemask_holds_legal_sizes_only(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	mips_cp0_write(f->cpu, 5, 0, 0x1fffe000);
	assert_int_equal(mips_cp0_read(f->cpu, 5, 0), 0x1fffe000);
	mips_cp0_write(f->cpu, 5, 0, 0x2000);
	assert_int_equal(mips_cp0_read(f->cpu, 5, 0), 0x1fffe000);
	mips_cp0_write(f->cpu, 5, 0, 0xa000);
	assert_int_equal(mips_cp0_read(f->cpu, 5, 0), 0x1fffe000);
	fixture_free(f);
}

static void test_asid_and_global(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	put32(f, 0x300000, 1);
	put32(f, 0x400000, 2);
	put32(f, 0x500000, 3);
	fixture_tlb(f, 0, 0x10000, 1, MASK_4K, ENTRYLO(0x300000, LO_V), ENTRYLO(0, 0));
	fixture_tlb(f, 1, 0x10000, 2, MASK_4K, ENTRYLO(0x400000, LO_V), ENTRYLO(0, 0));
	fixture_tlb(f, 2, 0x20000, 7, MASK_4K, ENTRYLO(0x500000, LO_V | LO_G), ENTRYLO(0, LO_G));
	for (int twice = 0; twice < 2; twice++) {
		mips_set_entryhi(f->cpu, 1);
		assert_int_equal(load(f, 0x10000), -1);
		assert_int_equal(f->cpu->gpr[2], 1);
		mips_set_entryhi(f->cpu, 2);
		assert_int_equal(load(f, 0x10000), -1);
		assert_int_equal(f->cpu->gpr[2], 2);
		assert_int_equal(load(f, 0x20000), -1);
		assert_int_equal(f->cpu->gpr[2], 3);
	}
	mips_set_entryhi(f->cpu, 3);
	assert_int_equal(load(f, 0x10000), EXC_TLBL);
	fixture_free(f);
}

/* True if the present mode has the page of an address at hand for loads. */
static bool is_cached(const struct fixture *f, uint64_t va)
{
	return mips_stlb_read(f->cpu, va)->tag == mips_stlb_key(f->cpu, va, 1);
}

/* What kernel mode has cached: pages that all address spaces share stay when the ASID changes, others go. */
static void test_kernel_mode_forgets_local_pages(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	put32(f, 0x300000, 1);
	put32(f, 0x400000, 2);
	fixture_tlb(f, 0, 0x10000, 1, MASK_4K, ENTRYLO(0x300000, LO_V | LO_D), ENTRYLO(0, 0));
	fixture_tlb(f, 1, 0x20000, 9, MASK_4K, ENTRYLO(0x500000, LO_V | LO_D | LO_G), ENTRYLO(0, LO_G));
	mips_set_entryhi(f->cpu, 1);
	assert_int_equal(store(f, 0x10004), -1);
	assert_int_equal(load(f, 0x10000), -1);
	assert_int_equal(load(f, 0x20000), -1);
	assert_int_equal(load(f, DATA), -1);
	assert_true(is_cached(f, 0x10000) && is_cached(f, 0x20000) && is_cached(f, DATA));
	mips_set_entryhi(f->cpu, 0x777000 | 1); /* no other ASID */
	assert_true(is_cached(f, 0x10000));
	mips_set_entryhi(f->cpu, 2);
	assert_false(is_cached(f, 0x10000));
	assert_true(is_cached(f, 0x20000) && is_cached(f, DATA));
	assert_int_equal(load(f, 0x10000), EXC_TLBL);
	assert_int_equal(store(f, 0x10000), EXC_TLBS);
	mips_set_entryhi(f->cpu, 1);
	assert_int_equal(load(f, 0x10000), -1);
	assert_int_equal(f->cpu->gpr[2], 1);
	fixture_free(f);
}

/* More of them than any list would hold. */
static void test_kernel_mode_forgets_many_local_pages(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_tlb(f, 0, 0x4000000, 1, MASK_16M, ENTRYLO(0, LO_V | LO_D), ENTRYLO(0, LO_V | LO_D));
	mips_set_entryhi(f->cpu, 1);
	for (uint64_t page = 0; page < 2 * MIPS_STLB_ENTRIES; page++)
		assert_int_equal(load(f, 0x4000000 + (page << 12)), -1);
	mips_set_entryhi(f->cpu, 2);
	for (uint64_t page = 0; page < 2 * MIPS_STLB_ENTRIES; page++) {
		assert_false(is_cached(f, 0x4000000 + (page << 12)));
		assert_int_equal(load(f, 0x4000000 + (page << 12)), EXC_TLBL);
	}
	fixture_free(f);
}

/* The ASID changes by TLBR, too. */
static void test_reading_an_entry_changes_the_address_space(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	put32(f, 0x300000, 1);
	put32(f, 0x400000, 2);
	fixture_tlb(f, 0, 0x10000, 1, MASK_4K, ENTRYLO(0x300000, LO_V), ENTRYLO(0, 0));
	fixture_tlb(f, 1, 0x10000, 2, MASK_4K, ENTRYLO(0x400000, LO_V), ENTRYLO(0, 0));
	mips_set_entryhi(f->cpu, 1);
	assert_int_equal(load(f, 0x10000), -1);
	assert_int_equal(f->cpu->gpr[2], 1);
	mips_cp0_write(f->cpu, 0, 0, 1);
	fixture_exec(f, TLBR);
	assert_int_equal(load(f, 0x10000), -1);
	assert_int_equal(f->cpu->gpr[2], 2);
	fixture_free(f);
}

/* Rewriting an entry forgets what kernel mode cached from it, whatever its ASID was. */
static void test_kernel_mode_forgets_a_rewritten_entry(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	put32(f, 0x300000, 1);
	put32(f, 0x400000, 2);
	for (unsigned global = 0; global < 2; global++) {
		uint64_t g = global ? LO_G : 0;

		fixture_tlb(f, 0, 0x10000, 5, MASK_4K, ENTRYLO(0x300000, LO_V | g), ENTRYLO(0, g));
		mips_set_entryhi(f->cpu, 5);
		assert_int_equal(load(f, 0x10000), -1);
		assert_int_equal(f->cpu->gpr[2], 1);
		fixture_tlb(f, 0, 0x10000, 5, MASK_4K, ENTRYLO(0x400000, LO_V | g), ENTRYLO(0, g));
		assert_int_equal(load(f, 0x10000), -1);
		assert_int_equal(f->cpu->gpr[2], 2);
	}
	fixture_free(f);
}

/* Kernel mode executes code of a user's page, in one address space and another. */
static void test_kernel_mode_fetches_from_local_pages(void **state)
{
	const uint32_t first[] = { ORI(2, 0, 1), NOP }, second[] = { ORI(2, 0, 2), NOP };
	struct fixture *f = fixture_new();

	(void)state;
	fixture_put(f, 0x300000, first, 2);
	fixture_put(f, 0x400000, second, 2);
	fixture_tlb(f, 0, 0x10000, 1, MASK_4K, ENTRYLO(0x300000, LO_V), ENTRYLO(0, 0));
	fixture_tlb(f, 1, 0x10000, 2, MASK_4K, ENTRYLO(0x400000, LO_V), ENTRYLO(0, 0));
	for (uint64_t n = 0; n < 6; n++) {
		mips_set_entryhi(f->cpu, 1 + n % 2);
		f->cpu->pc = 0x10000;
		fixture_step(f, 1);
		assert_int_equal(f->cpu->gpr[2], 1 + n % 2);
	}
	fixture_free(f);
}

/* User mode's tags carry the ASID: nothing is forgotten, and nothing found that is another's. */
static void test_user_mode_keeps_each_address_space(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_tlb(f, 0, 0x10000, 1, MASK_4K, ENTRYLO(0x300000, LO_V), ENTRYLO(0, 0));
	mips_set_entryhi(f->cpu, 1);
	fixture_put(f, 0x300000, (const uint32_t[]){ LW(2, 0, 4), NOP }, 2);
	f->cpu->gpr[4] = 0x10000;
	fixture_user_mode(f, 0x10000);
	fixture_step(f, 1);
	assert_int_equal((uint32_t)f->cpu->gpr[2], LW(2, 0, 4));
	assert_true(is_cached(f, 0x10000));
	mips_set_entryhi(f->cpu, 2);
	assert_false(is_cached(f, 0x10000));
	mips_set_entryhi(f->cpu, 1);
	assert_true(is_cached(f, 0x10000));
	fixture_free(f);
}

static void test_probe_and_read(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	mips_cp0_write(f->cpu, 5, 1, PAGEGRAIN_RIE | PAGEGRAIN_XIE);
	fixture_tlb(f, 9, 0x40000, 5, MASK_16K, ENTRYLO(0x300000, LO_V | LO_D) | ENTRYLO_RI,
		    ENTRYLO(0x304000, LO_V) | ENTRYLO_XI);
	mips_set_entryhi(f->cpu, 0x44000 | 5);
	fixture_exec(f, TLBP);
	assert_int_equal(f->cpu->cp0.index, 9);
	mips_set_entryhi(f->cpu, 0x44000 | 6);
	fixture_exec(f, TLBP);
	assert_true((f->cpu->cp0.index & INDEX_P) != 0);
	mips_cp0_write(f->cpu, 0, 0, 9);
	fixture_exec(f, TLBR);
	assert_int_equal(f->cpu->cp0.entryhi, 0x40000 | 5);
	assert_int_equal(f->cpu->cp0.pagemask, MASK_16K);
	assert_int_equal(f->cpu->cp0.entrylo[0], ENTRYLO(0x300000, LO_V | LO_D) | ENTRYLO_RI);
	assert_int_equal(f->cpu->cp0.entrylo[1], ENTRYLO(0x304000, LO_V) | ENTRYLO_XI);
	/* MFC0 shows RI and XI at the top of 32 bits. */
	assert_int_equal(mips_cp0_read32(f->cpu, 2, 0) >> 30 & 3, 2);
	fixture_free(f);
}

static void test_random_stays_above_wired(void **state)
{
	struct fixture *f = fixture_new();
	uint64_t seen = 0;

	(void)state;
	mips_cp0_write(f->cpu, 6, 0, 60);
	for (int n = 0; n < 1000; n++) {
		uint64_t r = mips_cp0_read(f->cpu, 1, 0);

		assert_in_range(r, 60, 63);
		seen |= 1ull << r;
	}
	assert_int_equal(seen, 0xfull << 60);
	mips_set_entryhi(f->cpu, 0x10000);
	mips_cp0_write(f->cpu, 2, 0, ENTRYLO(0x300000, LO_V));
	fixture_exec(f, TLBWR);
	fixture_exec(f, TLBP);
	assert_in_range(f->cpu->cp0.index, 60, 63);
	fixture_free(f);
}

static void test_read_and_execute_inhibit(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	mips_cp0_write(f->cpu, 5, 1, PAGEGRAIN_RIE | PAGEGRAIN_XIE | PAGEGRAIN_IEC);
	fixture_tlb(f, 0, 0x10000, 0, MASK_4K, ENTRYLO(0x300000, LO_V | LO_D) | ENTRYLO_RI,
		    ENTRYLO(0x301000, LO_V) | ENTRYLO_XI);
	assert_int_equal(load(f, 0x10000), EXC_TLBRI);
	assert_int_equal(store(f, 0x10000), -1);
	assert_int_equal(load(f, 0x10000), EXC_TLBRI); /* the store cached nothing that lets a load pass */
	assert_int_equal(load(f, 0x11000), -1);
	fixture_leave_exception(f);
	f->cpu->pc = 0x11000;
	fixture_step(f, 1);
	assert_int_equal(fixture_exccode(f), EXC_TLBXI);
	assert_int_equal(f->cpu->cp0.epc, 0x11000);
	/* Without IEC they are ordinary TLB load exceptions, at the general vector. */
	mips_cp0_write(f->cpu, 5, 1, PAGEGRAIN_RIE | PAGEGRAIN_XIE);
	assert_int_equal(load(f, 0x10000), EXC_TLBL);
	assert_int_equal(f->cpu->pc, VECTORS + 0x180);
	fixture_free(f);
}

static void test_conflicting_entries_are_a_machine_check(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_tlb(f, 0, 0x10000, 0, MASK_4K, ENTRYLO(0x300000, LO_V), ENTRYLO(0, 0));
	mips_set_entryhi(f->cpu, 0x10000);
	mips_cp0_write(f->cpu, 5, 0, MASK_16K);
	mips_cp0_write(f->cpu, 0, 0, 1);
	fixture_exec(f, TLBWI);
	assert_int_equal(fixture_exccode(f), EXC_MCHECK);
	assert_true((f->cpu->cp0.status & STATUS_TS) != 0);
	fixture_leave_exception(f);
	mips_cp0_write(f->cpu, 0, 0, 0); /* over itself is no conflict */
	fixture_exec(f, TLBWI);
	assert_int_equal(f->cpu->pc, CODE + 4);
	fixture_free(f);
}

static void test_entry_without_pages_hides_nothing(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_tlb(f, 5, 0x10000, 1, MASK_4K, ENTRYLO(0x300000, LO_V | LO_G), ENTRYLO(0x300000, LO_V | LO_G));
	fixture_tlb(f, 6, 0x10000, 1, MASK_4K, 0, 0);
	assert_int_equal(load(f, 0x10010), -1);
	/* Neither before it, nor under another ASID than that under which a global one was cached. */
	fixture_tlb(f, 4, 0x10000, 0, MASK_4K, 0, 0);
	assert_int_equal(load(f, 0x10010), -1);
	mips_stlb_flush(f->cpu);
	assert_int_equal(load(f, 0x10010), -1);
	mips_set_entryhi(f->cpu, 1);
	assert_int_equal(load(f, 0x10010), -1);
	fixture_tlb(f, 5, 0x20000, 1, MASK_4K, 0, 0);
	assert_int_equal(load(f, 0x10010), EXC_TLBL);
	fixture_free(f);
}

static void test_entries_can_be_invalidated(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_tlb(f, 0, 0x10000, 0, MASK_4K, ENTRYLO(0x300000, LO_V), ENTRYLO(0, 0));
	fixture_tlb(f, 1, 0x20000, 0, MASK_4K, ENTRYLO(0x300000, LO_V | LO_G), ENTRYLO(0, LO_G));
	assert_int_equal(load(f, 0x10000), -1);
	fixture_leave_exception(f);
	fixture_exec(f, 0x42000003); /* tlbinv: this ASID, not global */
	assert_int_equal(load(f, 0x10000), EXC_TLBL);
	assert_int_equal(load(f, 0x20000), -1);
	fixture_leave_exception(f);
	fixture_exec(f, 0x42000004); /* tlbinvf */
	assert_int_equal(load(f, 0x20000), EXC_TLBL);
	fixture_tlb(f, 0, 0x10000 | ENTRYHI_EHINV, 0, MASK_4K, ENTRYLO(0x300000, LO_V), ENTRYLO(0, 0));
	assert_int_equal(load(f, 0x10000), EXC_TLBL);
	mips_cp0_write(f->cpu, 0, 0, 0);
	fixture_leave_exception(f);
	fixture_exec(f, TLBR);
	assert_true((f->cpu->cp0.entryhi & ENTRYHI_EHINV) != 0);
	fixture_free(f);
}

static void test_refill_registers_and_vectors(void **state)
{
	struct fixture *f = fixture_new();
	uint64_t va = 0x123456789ull & ((1ull << 40) - 4);

	(void)state;
	mips_cp0_write(f->cpu, 4, 0, 0xffffffff80800000ull);
	mips_cp0_write(f->cpu, 20, 0, 0xfffffffe00000000ull);
	mips_set_entryhi(f->cpu, 0x5a);
	assert_int_equal(load(f, va), EXC_TLBL);
	assert_int_equal(f->cpu->pc, VECTORS + 0x080);
	assert_int_equal(f->cpu->cp0.epc, CODE);
	assert_int_equal(f->cpu->cp0.badvaddr, va);
	assert_int_equal(f->cpu->cp0.entryhi, (va & ~0x1fffull) | 0x5a);
	assert_int_equal(f->cpu->cp0.context, 0xffffffff80800000ull | ((va >> 13 & 0x7ffff) << 4));
	assert_int_equal(f->cpu->cp0.xcontext, 0xfffffffe00000000ull | va >> 13 << 4);
	/* Region 3 in XContext. */
	assert_int_equal(load(f, 0xc000000000010000ull), EXC_TLBL);
	assert_int_equal(f->cpu->cp0.xcontext, 0xfffffffe00000000ull | 3ull << 31 | 0x10000 >> 13 << 4);
	/* Without UX the 32-bit vector; with EXL the general one; with BEV the ROM's. */
	mips_set_status(f->cpu, STATUS_KX);
	assert_int_equal(load(f, 0x10000), EXC_TLBL);
	assert_int_equal(f->cpu->pc, VECTORS + 0x000);
	f->cpu->cp0.epc = 0x77;
	f->cpu->gpr[4] = 0x10000;
	fixture_exec(f, LW(2, 0, 4)); /* EXL is still set */
	assert_int_equal(f->cpu->pc, VECTORS + 0x180);
	assert_int_equal(f->cpu->cp0.epc, 0x77);
	mips_set_status(f->cpu, STATUS_KX | STATUS_UX | STATUS_BEV);
	assert_int_equal(load(f, 0x10000), EXC_TLBL);
	assert_int_equal(f->cpu->pc, 0xffffffffbfc00280ull);
	/* An entry that is there but invalid is no refill. */
	mips_set_status(f->cpu, STATUS_KX | STATUS_UX);
	fixture_tlb(f, 0, 0x10000, 0x5a, MASK_4K, 0, 0);
	assert_int_equal(load(f, 0x10000), EXC_TLBL);
	assert_int_equal(f->cpu->pc, VECTORS + 0x180);
	fixture_free(f);
}

static void test_segments(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	put32(f, DATA_GPA, 0x55);
	assert_int_equal(load(f, DATA), -1);                             /* kseg0 */
	assert_int_equal(load(f, 0xffffffffa0000000ull | DATA_GPA), -1); /* kseg1 */
	assert_int_equal(load(f, 0x9800000000000000ull | DATA_GPA), -1); /* xkphys */
	assert_int_equal(f->cpu->gpr[2], 0x55);
	assert_int_equal(load(f, 0x9800010000000000ull), EXC_ADEL); /* above PABITS */
	assert_int_equal(load(f, 0x0000010000000000ull), EXC_ADEL); /* above SEGBITS */
	assert_int_equal(load(f, 0x4000010000000000ull), EXC_ADEL);
	assert_int_equal(load(f, 0xc00000ff80000000ull), EXC_ADEL); /* xkseg ends 2 GiB early */
	assert_int_equal(load(f, 0xc00000ff7ffff000ull), EXC_TLBL);
	assert_int_equal(load(f, 0x4000000000010000ull), EXC_TLBL); /* xsseg */
	assert_int_equal(load(f, 0xffffffffc0010000ull), EXC_TLBL); /* sseg */
	assert_int_equal(load(f, 0xffffffffe0010000ull), EXC_TLBL); /* kseg3 */
	mips_set_status(f->cpu, STATUS_CU0);
	assert_int_equal(load(f, 0x9800000000000000ull | DATA_GPA), EXC_ADEL); /* needs KX */
	assert_int_equal(load(f, 0x80000000ull), EXC_ADEL);                    /* needs UX */
	mips_set_status(f->cpu, STATUS_CU0 | STATUS_ERL);
	f->cpu->gpr[4] = DATA_GPA;
	fixture_exec(f, LW(3, 0, 4)); /* ERL unmaps the low 2 GiB */
	assert_int_equal(f->cpu->gpr[3], 0x55);
	fixture_free(f);
}

static void test_user_mode_stays_in_its_segment(void **state)
{
	static const uint64_t forbidden[] = { DATA,
					      0xffffffffc0000000ull,
					      0xffffffffe0000000ull,
					      0x9800000000000000ull,
					      0xc000000000000000ull,
					      0x4000000000000000ull };
	struct fixture *f = fixture_new();

	(void)state;
	fixture_tlb(f, 0, 0, 0, 0x1fffe000, ENTRYLO(0, LO_G | LO_V | LO_D), ENTRYLO(0, LO_G));
	fixture_put(f, CODE_GPA, (const uint32_t[]){ LW(2, 0, 4), MFC0(2, 12, 0), WAIT, 0x42000005 }, 4);
	assert_int_equal(load(f, DATA), -1); /* cached for kernel mode, which must not help user mode */
	for (size_t n = 0; n < sizeof(forbidden) / sizeof(forbidden[0]); n++) {
		fixture_user_mode(f, CODE_GPA);
		f->cpu->gpr[4] = forbidden[n];
		fixture_step(f, 1);
		assert_int_equal(fixture_exccode(f), EXC_ADEL);
		assert_int_equal(f->cpu->cp0.badvaddr, forbidden[n]);
	}
	for (unsigned n = 1; n < 4; n++) {
		fixture_user_mode(f, CODE_GPA + 4 * n);
		fixture_step(f, 1);
		assert_int_equal(fixture_exccode(f), EXC_CPU);
		assert_int_equal(f->cpu->cp0.cause & CAUSE_CE, 0);
	}
	fixture_user_mode(f, CODE);
	fixture_step(f, 1);
	assert_int_equal(fixture_exccode(f), EXC_ADEL);
	assert_true(f->cpu->user_mode_seen);
	fixture_free(f);
}

static void test_addresses_wrap_in_32_bit_user_mode(void **state)
{
	const uint64_t base = 0xffffffff80000000ull;
	struct fixture *f = fixture_new();

	(void)state;
	put32(f, 0x300ff0, 0x66);
	fixture_tlb(f, 0, 0, 0, 0x1fffe000, ENTRYLO(0, LO_G | LO_V | LO_D), ENTRYLO(0, LO_G));
	fixture_tlb(f, 1, 0x7fffe000, 0, MASK_4K, ENTRYLO(0, LO_G), ENTRYLO(0x300000, LO_G | LO_V | LO_D));
	fixture_put(f, CODE_GPA, (const uint32_t[]){ LW(2, -16, 4), SW(2, -8, 4), LW(3, -8, 4), LW(2, 0, 4) }, 4);
	f->cpu->gpr[4] = base;
	fixture_user_mode(f, CODE_GPA);
	mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_UX);
	fixture_step(f, 3);
	assert_int_equal(f->cpu->exceptions, 0);
	assert_int_equal(f->cpu->gpr[2], 0x66);
	assert_int_equal(f->cpu->gpr[3], 0x66);
	fixture_step(f, 1); /* the other half is not user mode's */
	assert_int_equal(fixture_exccode(f), EXC_ADEL);
	assert_int_equal(f->cpu->cp0.badvaddr, base);
	fixture_user_mode(f, CODE_GPA); /* with UX addresses have 64 bits */
	fixture_step(f, 1);
	assert_int_equal(fixture_exccode(f), EXC_ADEL);
	assert_int_equal(f->cpu->cp0.badvaddr, base - 16);
	fixture_free(f);
}

static void test_watch(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	assert_int_equal(load(f, DATA), -1); /* in the soft TLB */
	mips_cp0_write(f->cpu, 19, 0, WATCHHI_G);
	mips_cp0_write(f->cpu, 18, 0, (DATA + 8) | WATCHLO_W);
	assert_int_equal(load(f, DATA + 8), -1);
	assert_int_equal(store(f, DATA), -1);
	assert_int_equal(store(f, DATA + 8), EXC_WATCH);
	assert_int_equal(f->cpu->cp0.epc, CODE);
	assert_int_equal(mips_cp0_read(f->cpu, 19, 0) & 7, WATCHLO_W); /* says why, until 1 is written */
	mips_cp0_write(f->cpu, 19, 0, WATCHHI_G | WATCHLO_R);
	assert_int_equal(mips_cp0_read(f->cpu, 19, 0) & 7, WATCHLO_W);
	mips_cp0_write(f->cpu, 19, 0, WATCHHI_G | 7);
	assert_int_equal(mips_cp0_read(f->cpu, 19, 0) & 7, 0);
	/* In a handler it waits until EXL is cleared. */
	f->cpu->gpr[4] = DATA + 8;
	fixture_exec(f, SW(2, 0, 4));
	assert_true((f->cpu->cp0.cause & CAUSE_WP) != 0);
	fixture_leave_exception(f);
	f->cpu->pc = CODE + 0x40;
	fixture_step(f, 1);
	assert_int_equal(fixture_exccode(f), EXC_WATCH);
	assert_true((f->cpu->cp0.cause & CAUSE_WP) != 0); /* comes again until software clears it */
	mips_cp0_write32(f->cpu, 13, 0, 0);
	assert_int_equal(f->cpu->cp0.cause & CAUSE_WP, 0);
	/* Fetch, with an address mask. */
	fixture_leave_exception(f);
	mips_cp0_write(f->cpu, 19, 0, WATCHHI_G | 0x18);
	mips_cp0_write(f->cpu, 18, 0, (CODE + 0x20) | WATCHLO_I);
	f->cpu->gpr[2] = 0;
	RUN(f, 10, ADDIU(2, 2, 1), NOP, NOP, NOP, NOP, NOP, NOP, NOP, ADDIU(2, 2, 1), NOP);
	assert_int_equal(f->cpu->cp0.epc, CODE + 0x20);
	assert_int_equal(f->cpu->gpr[2], 1);
	mips_cp0_write(f->cpu, 18, 0, 0);
	assert_int_equal(store(f, DATA + 8), -1);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tlb_translates_pairs),
		cmocka_unit_test(test_tlb_page_sizes),
		cmocka_unit_test(test_pagemask_holds_legal_sizes_only),
		cmocka_unit_test(test_asid_and_global),
		cmocka_unit_test(test_kernel_mode_forgets_local_pages),
		cmocka_unit_test(test_kernel_mode_forgets_many_local_pages),
		cmocka_unit_test(test_reading_an_entry_changes_the_address_space),
		cmocka_unit_test(test_kernel_mode_forgets_a_rewritten_entry),
		cmocka_unit_test(test_kernel_mode_fetches_from_local_pages),
		cmocka_unit_test(test_user_mode_keeps_each_address_space),
		cmocka_unit_test(test_probe_and_read),
		cmocka_unit_test(test_random_stays_above_wired),
		cmocka_unit_test(test_read_and_execute_inhibit),
		cmocka_unit_test(test_conflicting_entries_are_a_machine_check),
		cmocka_unit_test(test_entry_without_pages_hides_nothing),
		cmocka_unit_test(test_entries_can_be_invalidated),
		cmocka_unit_test(test_refill_registers_and_vectors),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_user_mode_stays_in_its_segment),
		cmocka_unit_test(test_addresses_wrap_in_32_bit_user_mode),
		cmocka_unit_test(test_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
