/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-icount/icount.c features/engine-dbt/blocks.c features/engine-dbt/code.c features/engine-dbt/create.c */
/* sources: features/engine-dbt/dbt.c features/engine-dbt/helpers.c features/engine-dbt/observer.c features/engine-dbt/part.c */
/* sources: features/engine-dbt/pass.c features/engine-dbt/step.c features/engine-dbt/translate.c features/dbt-groups/groups.c */
/* sources: features/dbt-jumps/jumps.c features/dbt-linking/linking.c features/dbt-superblocks/superblocks.c */
/* sources: arch/mips64/translate/emit.c arch/mips64/translate/emit_alu.c arch/mips64/translate/emit_memory.c */
/* sources: arch/mips64/translate/emit_pairs.c arch/mips64/translate/emit_system.c arch/mips64/translate/front.c arch/x86_64/emit/alloc.c arch/x86_64/emit/asm.c */
/* sources: arch/x86_64/emit/jump_cache.c arch/x86_64/emit/lower.c arch/x86_64/emit/lower_alu.c arch/x86_64/emit/lower_fp.c */
/* sources: arch/x86_64/emit/lower_memory.c arch/x86_64/emit/runtime.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c */
/* sources: arch/mips64/guest/walker.c arch/mips64/guest/octeon/octeon.c */
/* Engine `dbt` while instructions are counted. */
#include "features/engine-dbt/dbt.h"
#include "tests/unit/counted_tests.h"

/*
 * Two accesses that are looked up together lie in two pages, so that the block is always left for one without MAPs. If
 * a block that was cut for a stop jumped there by itself, that one would exceed the limit and lead back to it for ever.
 */
static void test_cut_block_is_not_linked(void **state)
{
	const struct blocks *b = &dbt(f->cpu)->code->blocks;
	unsigned cut = 0;

	(void)state;
	PUT(CODE_GPA, LD(2, 0, 4), LD(3, 8, 4), NOP, NOP, NOP, WAIT);
	f->cpu->gpr[4] = DATA + 0xff8;
	f->cpu->pc = CODE;
	run(3);
	assert_int_equal(f->cpu->pc, CODE + 12);
	for (uint32_t n = 0; n < b->nr_blocks; n++) {
		const struct block *block = &b->blocks[n];

		cut += block->key.max != 0;
		for (unsigned k = 0; k < block->nr_exits && block->key.max != 0; k++)
			assert_false(b->exits[block->first_exit + k].linkable);
	}
	assert_true(cut >= 2);
	f->cpu->pc = CODE;
	run(3);
	assert_int_equal(f->cpu->pc, CODE + 12);
}

/* The same while a watch waits for the end of an exception handler, for which blocks let run() look. */
static void test_group_while_watch_waits(void **state)
{
	(void)state;
	PUT(CODE_GPA, LD(2, 0, 4), LD(3, 8, 4), NOP, NOP, NOP, WAIT);
	f->cpu->gpr[4] = DATA + 0xff8;
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_EXL);
	f->cpu->cp0.cause |= CAUSE_WP;
	f->cpu->pc = CODE;
	run(3);
	assert_int_equal(f->cpu->pc, CODE + 12);
	run(100);
	assert_true(f->cpu->waiting);
}

/* A delay slot changes code behind its branch, in the same block: what it was before is not executed. */
static void test_slot_changes_code(void **state)
{
	(void)state;
	PUT(CODE_GPA, BNE(0, 0, 4), SW(7, 8, 8), ADDIU(2, 0, 1), WAIT, NOP, NOP);
	f->cpu->gpr[7] = ADDIU(2, 0, 2);
	f->cpu->gpr[8] = CODE;
	f->cpu->pc = CODE;
	run(100);
	assert_int_equal(f->cpu->gpr[2], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = { COUNTED_TESTS, COUNTED_TEST(test_cut_block_is_not_linked),
					    COUNTED_TEST(test_group_while_watch_waits),
					    COUNTED_TEST(test_slot_changes_code) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
