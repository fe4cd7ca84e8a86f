/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/emit/asm.c arch/x86_64/emit/alloc.c arch/x86_64/emit/lower.c arch/x86_64/emit/lower_alu.c */
/* sources: arch/x86_64/emit/lower_fp.c arch/x86_64/emit/lower_memory.c arch/x86_64/emit/jump_cache.c */
/* sources: arch/x86_64/emit/runtime.c core/log.c */
/* sources: tests/unit/fake_platform.c tests/unit/ir_machine.c tests/unit/ir_reference.c */
/* sources: tests/unit/ir_reference_fp.c tests/unit/lower_fixture.c tests/unit/lower_random.c */
/* The x86-64 back end: floating point on SSE, and what it notes of the last operation. */
#include "tests/unit/lower_fixture.h"

static void test_fp_blocks(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2500; n++) {
		start();
		define_temps();
		for (unsigned k = below(60); k-- > 0;)
			if (below(4) != 0)
				random_fp();
			else
				random_general();
		end();
		run();
	}
}

/* Each alone with many operands: so that the flags of each are seen. */
static void test_single_operations(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3000; n++) {
		start();
		random_fp();
		end();
		lower_at(blocks_start);
		for (unsigned k = 0; k < 20; k++) {
			randomize();
			check();
		}
	}
}

/* What the last operation was is known wherever somebody may ask: at helpers and behind the block. */
static void test_notes(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2500; n++) {
		start();
		define_temps();
		for (unsigned k = below(30); k-- > 0;) {
			if (below(3) != 0)
				random_fp();
			if (below(6) == 0)
				random_access(below(PAGE_FAULTS + 1));
			if (below(10) == 0)
				random_group(below(PAGE_SLOW));
			if (below(10) == 0)
				random_exec(true);
			if (below(10) == 0)
				random_trap();
		}
		end();
		run();
	}
}

static struct ir_op *single(enum ir_opcode code, ir_var d, ir_var a)
{
	struct ir_op *o = op(code, d, a, IR_NONE, 0);

	o->size = 4;
	o->keeps_high = true;
	return o;
}

static void test_singles_keep_the_upper_half(void **state)
{
	const ir_var d = FIRST_FP + 1, a = FIRST_FP + 2;

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		start();
		if (n == 0)
			single(IR_FMOV, d, a);
		else if (n == 1)
			single(IR_FPUT, d, 8);
		else
			single(IR_FNEG, d, a);
		end();
		lower_at(blocks_start);
		randomize();
		cpu.m.vars[d] = 0x1122334400000000;
		cpu.m.vars[a] = 0x5566778840000000;
		cpu.m.vars[8] = 0x99aabbcc40000000;
		assert_int_equal(enter(made.code), FIRST_EXIT);
		assert_int_equal(cpu.m.vars[d], n == 2 ? 0x11223344c0000000 : 0x1122334440000000);
	}
}

/* An infinity is no NaN: no helper is called for it. */
static void test_only_nans_call_the_helper(void **state)
{
	static const struct {
		uint64_t a, b;
		bool nan;
	} cases[] = {
		{ 0x7ff0000000000000, 0x3ff0000000000000, false },
		{ 0x7fefffffffffffff, 0x7fefffffffffffff, false },
		{ 0x7ff0000000000000, 0xfff0000000000000, true },
		{ 0x7ff8000000000000, 0x3ff0000000000000, true },
		{ 1, 1, false },
	};

	(void)state;
	for (unsigned n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		static struct effect effect = { .v = FIRST_FP, .also = IR_NONE, .is_operation = true, .add = 77 };
		struct ir_op *o;

		start();
		o = op(IR_FADD, FIRST_FP, FIRST_FP + 1, FIRST_FP + 2, 0);
		o->size = 8;
		o->insn = &effect;
		o->note = 1;
		end();
		lower_at(blocks_start);
		randomize();
		cpu.m.vars[FIRST_FP + 1] = cases[n].a;
		cpu.m.vars[FIRST_FP + 2] = cases[n].b;
		assert_int_equal(enter(made.code), FIRST_EXIT);
		assert_int_equal(cpu.m.vars[FIRST_FP] == 77, cases[n].nan);
		assert_int_equal(cpu.m.last.note, cases[n].nan ? 0 : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOWER_TEST(test_single_operations),
		LOWER_TEST(test_fp_blocks),
		LOWER_TEST(test_notes),
		LOWER_TEST(test_singles_keep_the_upper_half),
		LOWER_TEST(test_only_nans_call_the_helper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
