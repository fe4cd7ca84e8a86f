/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/smp.c core/timer.c features/timer-on-demand/on_demand.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c */
/* sources: arch/mips64/guest/atomic_up.c arch/mips64/translate/front.c arch/mips64/translate/emit.c arch/mips64/translate/emit_alu.c */
/* sources: arch/mips64/translate/emit_memory.c arch/mips64/translate/emit_pairs.c arch/mips64/translate/emit_system.c */
/* The MIPS64 front end: which guest instructions a block is made of, and where it leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/mips64/translate/front.h"
#include "tests/unit/mips_fixture.h"

#define PC                0xffffffff80104000ull
#define AT(n)             (PC + 4 * (n))
#define J(target)         (0x08000000u | ((uint32_t)(target) >> 2 & 0x3ffffff))
#define JAL(target)       (0x0c000000u | ((uint32_t)(target) >> 2 & 0x3ffffff))
#define BNEL(rs, rt, off) I_TYPE(0x15, rs, rt, off)
#define BAL(off)          I_TYPE(0x01, 0, 0x11, off)
#define JALR(rd, rs)      SPECIAL(0x09, rd, rs, 0)
#define MAX_PATH          8

static uint32_t page[1024];
static struct ir_block ir;
static struct fixture *fixture;
/* Words where other blocks begin; 0: none. */
static unsigned others[2];

static int setup(void **state)
{
	(void)state;
	fixture = fixture_new();
	memset(page, 0, sizeof(page));
	memset(others, 0, sizeof(others));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_free(fixture);
	return 0;
}

static bool begins(const void *ctx, uint64_t pc)
{
	const unsigned *words = ctx;

	return (words[0] != 0 && pc == AT(words[0])) || (words[1] != 0 && pc == AT(words[1]));
}

/* Translates from word `start` of the page, along a path of word numbers that ends with -1. */
static void translate(unsigned start, const int *path)
{
	static struct mips_insn insns[MIPS_BLOCK_INSNS];
	uint64_t at[MAX_PATH];
	struct mips_breakpoints none = { 0 };
	struct mips_source source = { .cpu = fixture->cpu,
				      .pc = AT(start),
				      .page = (const uint8_t *)page,
				      .fixed_mapping = true,
				      .through_branches = true,
				      .path = at,
				      .begins = begins,
				      .begins_ctx = others,
				      .breakpoints = &none,
				      .insns = insns };

	for (; path[source.nr_path] >= 0; source.nr_path++)
		at[source.nr_path] = AT((unsigned)path[source.nr_path]);
	mips_translate_block(&source, &ir);
}

/* The n-th operation that leaves, or NULL. */
static const struct ir_op *leaving(unsigned n)
{
	for (unsigned k = 0; k < ir.count; k++)
		if (ir_leaves(&ir.ops[k]) && ir.ops[k].op != IR_ATTEND && n-- == 0)
			return &ir.ops[k];
	return NULL;
}

static void assert_leaves(unsigned n, enum ir_opcode op, unsigned word, bool loops)
{
	const struct ir_op *o = leaving(n);

	assert_non_null(o);
	assert_int_equal(o->op, op);
	assert_int_equal(o->imm, AT(word));
	assert_int_equal(o->loops, loops);
}

static void assert_made_of(unsigned first, unsigned words, unsigned insns)
{
	assert_int_equal(ir.first, AT(first));
	assert_int_equal(ir.guest_bytes, 4 * words);
	assert_int_equal(ir.nr_insns, insns);
}

/* if (r2 == r3) goto 6; ...; 6: r5++; goto 20, in another part of the page */
static void put_forward_branch(void)
{
	page[0] = BEQ(2, 3, 5);
	page[2] = ADDIU(4, 4, 1);
	page[3] = J(AT(40));
	page[6] = ADDIU(5, 5, 1);
	page[7] = J(AT(20));
}

static void test_without_a_path_it_goes_straight_on(void **state)
{
	(void)state;
	put_forward_branch();
	translate(0, (const int[]){ -1 });
	assert_leaves(0, IR_BRANCH, 6, false);
	assert_int_equal(leaving(0)->cc, IR_EQ);
	assert_leaves(1, IR_EXIT, 40, false);
	assert_null(leaving(2));
	assert_made_of(0, 5, 5);
}

/* Straight code goes on in the block that begins on the way, but for one that is near; what branches has its own. */
static void test_straight_code_joins_another_block(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 100; n++)
		page[n] = ADDIU(4, 4, 1);
	others[0] = 10;
	others[1] = 30;
	translate(0, (const int[]){ -1 });
	assert_leaves(0, IR_EXIT, 30, true);
	assert_made_of(0, 30, 30);
	translate(15, (const int[]){ -1 });
	assert_true(ir.nr_insns > 50);
	page[20] = BEQ(2, 3, 60);
	translate(0, (const int[]){ -1 });
	assert_true(ir.nr_insns > 50);
}

static void test_follows_a_branch_that_is_taken(void **state)
{
	(void)state;
	put_forward_branch();
	translate(0, (const int[]){ 6, -1 });
	assert_leaves(0, IR_BRANCH, 2, false);
	assert_int_equal(leaving(0)->cc, IR_NE);
	assert_leaves(1, IR_EXIT, 20, false);
	assert_null(leaving(2));
	assert_made_of(0, 9, 5);
}

static void test_a_path_that_never_came_here_changes_nothing(void **state)
{
	(void)state;
	put_forward_branch();
	translate(0, (const int[]){ 99, -1 });
	assert_leaves(0, IR_BRANCH, 6, false);
	assert_leaves(1, IR_EXIT, 40, false);
}

/* 0: while (r2 != r3) { if (r4 == 0) goto 6 }; 6: goto 0 */
static void test_a_loop_over_a_jump_backward_ends_at_its_start(void **state)
{
	(void)state;
	page[10] = BEQ(4, 0, 5);
	page[16] = ADDIU(5, 5, 1);
	page[17] = BNE(2, 3, -8);
	translate(10, (const int[]){ 16, 10, -1 });
	assert_leaves(0, IR_BRANCH, 12, false);
	assert_leaves(1, IR_BRANCH, 19, false);
	assert_int_equal(leaving(1)->cc, IR_EQ);
	assert_leaves(2, IR_EXIT, 10, true);
	assert_made_of(10, 9, 5);
}

/* Behind a jump backward every way out may close a loop of several blocks, whatever its direction. */
static void test_ways_out_behind_a_jump_backward_look_for_attention(void **state)
{
	(void)state;
	page[30] = J(AT(4));
	page[4] = BEQ(2, 3, 9);
	page[6] = J(AT(50));
	translate(30, (const int[]){ 4, 6, -1 });
	assert_leaves(0, IR_BRANCH, 14, true);
	assert_leaves(1, IR_EXIT, 50, true);
	assert_made_of(4, 28, 6);
}

static void test_running_into_its_own_code_ends_it(void **state)
{
	(void)state;
	page[8] = ADDIU(2, 2, 1);
	page[9] = J(AT(6));
	translate(8, (const int[]){ 6, -1 });
	assert_leaves(0, IR_EXIT, 8, true);
	assert_null(leaving(1));
	assert_made_of(6, 5, 5);
}

static void test_goes_through_a_call_and_its_return(void **state)
{
	(void)state;
	page[0] = JAL(AT(100));
	page[100] = ADDIU(2, 2, 1);
	page[101] = JR(31);
	page[2] = J(AT(60));
	translate(0, (const int[]){ 100, 2, -1 });
	assert_leaves(0, IR_EXIT, 60, true);
	assert_null(leaving(1));
	assert_made_of(0, 103, 7);
}

static void test_a_return_to_an_address_from_elsewhere_is_an_indirect_jump(void **state)
{
	(void)state;
	page[0] = JR(31);
	translate(0, (const int[]){ 70, -1 });
	assert_int_equal(leaving(0)->op, IR_JUMP);
	assert_null(leaving(1));
}

static void test_follows_a_likely_branch(void **state)
{
	(void)state;
	page[0] = BNEL(2, 3, 7);
	page[1] = ADDIU(4, 4, 1);
	page[8] = J(AT(60));
	translate(0, (const int[]){ 8, -1 });
	assert_leaves(0, IR_BRANCH, 2, false);
	assert_int_equal(leaving(0)->cc, IR_EQ);
	assert_int_equal(leaving(0)->insns, 1);
	assert_leaves(1, IR_EXIT, 60, false);
}

static void test_a_branch_that_is_not_taken_backward_is_gone_through(void **state)
{
	(void)state;
	page[10] = BNE(2, 3, -5);
	page[12] = J(AT(60));
	translate(10, (const int[]){ 12, -1 });
	assert_leaves(0, IR_BRANCH, 6, true);
	assert_leaves(1, IR_EXIT, 60, false);
}

static void test_does_not_follow_into_another_page(void **state)
{
	(void)state;
	page[0] = J(AT(1024));
	translate(0, (const int[]){ 1024, -1 });
	assert_leaves(0, IR_EXIT, 1024, false);
	assert_made_of(0, 2, 2);
}

static void test_ends_at_its_greatest_length(void **state)
{
	(void)state;
	page[0] = J(AT(100));
	translate(0, (const int[]){ 100, -1 });
	assert_in_range(ir.nr_insns, MIPS_BLOCK_INSNS - 2, MIPS_BLOCK_INSNS);
	assert_leaves(0, IR_EXIT, 100 + ir.nr_insns - 2, true);
}

static void test_calls_a_function_with_branches(void **state)
{
	(void)state;
	page[0] = JAL(AT(100));
	page[100] = BEQ(2, 3, 7);
	page[102] = JR(31);
	translate(0, (const int[]){ 100, 102, 2, -1 });
	assert_leaves(0, IR_EXIT, 100, false);
	assert_int_equal(leaving(0)->back, AT(2));
	assert_made_of(0, 2, 2);
}

/* Whether a jump to an address in a register, to one that is known, or one that only learns the pc, is a call or a return. */
static void test_calls_and_returns(void **state)
{
	static const struct {
		uint32_t word;
		bool calls, returns;
	} cases[] = { { J(AT(9)), false, false }, { JAL(AT(9)), true, false },   { BAL(8), true, false },
		      { BAL(1), false, false },   { JALR(31, 25), true, false }, { JALR(4, 25), false, false },
		      { JR(25), false, false },   { JR(31), false, true } };

	(void)state;
	for (unsigned n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		page[0] = cases[n].word;
		translate(0, (const int[]){ -1 });
		assert_int_equal(leaving(0)->back, cases[n].calls ? AT(2) : 0);
		assert_int_equal(leaving(0)->returns, cases[n].returns);
		assert_null(leaving(1));
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_a_path_it_goes_straight_on),
		TEST(test_straight_code_joins_another_block),
		TEST(test_follows_a_branch_that_is_taken),
		TEST(test_a_path_that_never_came_here_changes_nothing),
		TEST(test_a_loop_over_a_jump_backward_ends_at_its_start),
		TEST(test_ways_out_behind_a_jump_backward_look_for_attention),
		TEST(test_running_into_its_own_code_ends_it),
		TEST(test_goes_through_a_call_and_its_return),
		TEST(test_a_return_to_an_address_from_elsewhere_is_an_indirect_jump),
		TEST(test_follows_a_likely_branch),
		TEST(test_a_branch_that_is_not_taken_backward_is_gone_through),
		TEST(test_does_not_follow_into_another_page),
		TEST(test_ends_at_its_greatest_length),
		TEST(test_calls_a_function_with_branches),
		TEST(test_calls_and_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
