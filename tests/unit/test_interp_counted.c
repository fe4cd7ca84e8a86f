/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-icount/icount.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c */
/* sources: arch/mips64/guest/walker.c arch/mips64/guest/octeon/octeon.c */
/* Engine `interp` while instructions are counted. */
#include <config/INTERP_PAGES.h>

#include "tests/unit/counted_tests.h"

#define OTHER_PAGES 0x600000ull
#define SLOT_VA     (CODE_VA + 0x2000)
#define SLOT_GPA    (CODE_VA_GPA + 0x2000)

/*
 * The pool of decoded pages is full, so that the delay slot in the next page takes one from it. The page of the branch,
 * which goes on, is still fetched anew when its TLB entry is replaced.
 */
static void test_full_pool(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < CONFIG_INTERP_PAGES; n++) {
		f->cpu->pc = 0xffffffff80000000ull | (OTHER_PAGES + 0x1000 * n);
		fixture_step(f, 1);
	}
	/* The pages of both are in different entries of the TLB, of which the walker takes the second one only. */
	f->cpu->tlb.count = 2;
	f->cpu->cp0.wired = 1;
	fixture_tlb(f, 0, SLOT_VA, 0, 0, ENTRYLO(SLOT_GPA, LO_V), ENTRYLO(SLOT_GPA, LO_V));
	PUT(SLOT_GPA - 24, LD(2, 0, 4), NOP, WAIT);
	PUT(SLOT_GPA - 4, BEQ(0, 0, (uint32_t)-6), NOP);
	f->cpu->pc = SLOT_VA - 4;
	run(100);
	assert_true(f->cpu->waiting);
	assert_int_equal(f->cpu->walks, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = { COUNTED_TESTS, COUNTED_TEST(test_full_pool) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
