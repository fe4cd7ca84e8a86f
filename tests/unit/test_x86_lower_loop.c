/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/emit/asm.c arch/x86_64/emit/alloc.c arch/x86_64/emit/lower.c arch/x86_64/emit/lower_alu.c */
/* sources: arch/x86_64/emit/lower_fp.c arch/x86_64/emit/lower_memory.c arch/x86_64/emit/jump_cache.c */
/* sources: arch/x86_64/emit/runtime.c core/log.c */
/* sources: tests/unit/fake_platform.c tests/unit/ir_machine.c tests/unit/ir_reference.c */
/* sources: tests/unit/ir_reference_fp.c tests/unit/lower_fixture.c tests/unit/lower_random.c */
/* The x86-64 back end: loops within a block, and code for an engine that counts. */
#include "tests/unit/lower_fixture.h"

/* Back to the start while the counter is not zero. */
static void loop(bool by_branch)
{
	struct ir_op *o;

	op(IR_ADDI, COUNTER, COUNTER, IR_NONE, (uint64_t)-1);
	if (by_branch) {
		o = op(IR_BRANCH, IR_NONE, COUNTER, IR_ZERO, ENTRY_PC);
		o->cc = IR_GT;
	} else {
		o = op(IR_BRANCH, IR_NONE, COUNTER, IR_ZERO, 0x5000);
		o->cc = IR_LE;
		o->linkable = below(2) == 0;
		o = op(IR_EXIT, IR_NONE, IR_NONE, IR_NONE, ENTRY_PC);
	}
	o->loops = true;
	o->linkable = below(2) == 0;
}

/* Few variables, so that some have many uses, or many. */
static void random_body(void)
{
	unsigned most = 5 + below(70);

	while (ir.count < most) {
		if (below(12) == 0) {
			struct ir_op *o = op(IR_BRANCH, IR_NONE, any_operand(), any_operand(), 0x6000);

			o->cc = IR_EQ;
			o->linkable = below(2) == 0;
		}
		random_any();
	}
}

static void random_loops(void)
{
	for (unsigned n = 0; n < 1500; n++) {
		bool by_branch = below(2) == 0;

		big_endian = below(2) == 0;
		start();
		define_temps();
		random_body();
		loop(by_branch);
		if (by_branch) {
			random_general();
			end();
		}
		run();
	}
}

static void test_loops(void **state)
{
	(void)state;
	allow_loops = true;
	random_loops();
}

static void test_loops_by_exits(void **state)
{
	(void)state;
	random_loops();
}

/* Adds up memory and numbers, both kinds in registers. */
static void test_sum(void **state)
{
	(void)state;
	allow_loops = true;
	start();
	op(IR_ADD, 10, 10, 11, 0);
	op(IR_ADDI, 12, 12, IR_NONE, 3);
	op(IR_FADD, FIRST_FP + 5, FIRST_FP + 5, FIRST_FP + 6, 0)->size = 8;
	ir.ops[2].note = 3;
	loop(true);
	end();
	lower_at(blocks_start);
	for (unsigned n = 0; n < 100; n++) {
		randomize();
		cpu.m.attention = 0;
		cpu.m.vars[FIRST_FP + 5] = 0;
		cpu.m.vars[FIRST_FP + 6] = 0x3ff8000000000000; /* 1.5 */
		check();
	}
}

/* Attention ends a loop after one round, its state in memory and its instructions counted. */
static void test_attention_ends_a_loop(void **state)
{
	(void)state;
	allow_loops = true;
	start();
	op(IR_ADDI, 10, 10, IR_NONE, 5);
	op(IR_ADDI, 10, 10, IR_NONE, 5);
	loop(true);
	end();
	lower_at(blocks_start);
	randomize();
	cpu.m.vars[10] = 0;
	cpu.m.vars[COUNTER] = 1000000;
	cpu.m.instructions = 0;
	cpu.m.attention = 1;
	assert_int_equal(enter(made.code), FIRST_EXIT);
	assert_int_equal(made.exits[0].target, ENTRY_PC);
	assert_int_equal(cpu.m.vars[10], 10);
	assert_int_equal(cpu.m.vars[COUNTER], 999999);
	assert_int_equal(cpu.m.instructions, ir.ops[3].insns);
	cpu.m.attention = 0;
	assert_int_equal(enter(made.code), FIRST_EXIT + 1);
	assert_int_equal(cpu.m.vars[10], 10000000);
	assert_int_equal(cpu.m.vars[COUNTER], 0);
}

/* --- an engine that counts */

static void test_counted_blocks(void **state)
{
	(void)state;
	allow_loops = true;
	for (unsigned n = 0; n < 2000; n++) {
		start();
		define_temps();
		for (unsigned k = below(3); k-- > 0;) {
			random_body();
			if (below(2) == 0) {
				struct ir_op *o = op(IR_ATTEND, IR_NONE, IR_NONE, IR_NONE, 0x5550);

				o->linkable = below(2) == 0;
				o->always = below(2) == 0;
			}
		}
		end();
		run();
	}
}

static void test_limit(void **state)
{
	(void)state;
	start();
	op(IR_ADDI, 2, 2, IR_NONE, 1);
	end();
	ir.nr_insns = 7;
	lower_at(blocks_start);
	for (unsigned n = 0; n < 20; n++) {
		bool stays = n >= 7;

		cpu.m.vars[2] = 0;
		cpu.m.instructions = 100;
		cpu.limit = 100 + n;
		assert_int_equal(enter(made.code), stays ? FIRST_EXIT : X86_LIMIT);
		assert_int_equal(cpu.m.vars[2], stays);
		assert_int_equal(cpu.m.instructions, stays ? 100u + ir.ops[1].insns : 100);
		if (!stays)
			assert_int_equal(cpu.m.pc, ENTRY_PC);
	}
}

#define COUNTED_TEST(f)                                          \
	{                                                        \
#f, f, lower_setup_counted, lower_teardown, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOWER_TEST(test_loops),
		LOWER_TEST(test_loops_by_exits),
		LOWER_TEST(test_sum),
		LOWER_TEST(test_attention_ends_a_loop),
		COUNTED_TEST(test_counted_blocks),
		COUNTED_TEST(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
