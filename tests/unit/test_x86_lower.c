/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/emit/asm.c arch/x86_64/emit/alloc.c arch/x86_64/emit/lower.c arch/x86_64/emit/lower_alu.c */
/* sources: arch/x86_64/emit/lower_fp.c arch/x86_64/emit/lower_memory.c arch/x86_64/emit/jump_cache.c */
/* sources: arch/x86_64/emit/runtime.c core/log.c */
/* sources: tests/unit/fake_platform.c tests/unit/ir_machine.c tests/unit/ir_reference.c */
/* sources: tests/unit/ir_reference_fp.c tests/unit/lower_fixture.c tests/unit/lower_random.c */
/*
 * The x86-64 back end: blocks of IR are lowered and run, and an interpreter of the
 * IR in C says what they have to leave behind. The vCPU is a small made-up one.
 */
#include "tests/unit/lower_fixture.h"

#include <string.h>

/* --- arithmetic */

/* Unpinned variables, more than there are registers for. */
static void change_many(void)
{
	for (ir_var v = 8; v < 16; v++)
		op(IR_ADDI, v, v, IR_NONE, 1);
}

static void one_operation(enum ir_opcode code, const ir_var v[3], bool pressure)
{
	start();
	op(IR_CONST, FIRST_TEMP, IR_NONE, IR_NONE, operand());
	if (pressure)
		change_many();
	alu(code, v[0], v[1], v[2]);
	if (pressure)
		change_many();
	op(IR_MOV, 16, FIRST_TEMP, IR_NONE, 0);
	end();
	lower_at(blocks_start);
	for (unsigned n = 0; n < 3; n++) {
		randomize();
		if (n == 2)
			cpu.m.vars[v[2] < NR_STATE && v[2] != 0 ? v[2] : 1] = 0;
		check();
	}
}

/* Every operation with operands of every kind in every place, the same one in several included. */
static void test_operands(void **state)
{
	static const ir_var vars[] = { FIRST_TEMP, 2, 3, 8, 9, IR_ZERO };

	(void)state;
	for (unsigned code = 0; code < IR_NR_OPS; code++)
		for (unsigned n = 0; is_alu((enum ir_opcode)code) && n < 5 * 6 * 6; n++) {
			const ir_var v[3] = { vars[n / 36], vars[n / 6 % 6], vars[n % 6] };

			one_operation((enum ir_opcode)code, v, false);
			one_operation((enum ir_opcode)code, v, true);
		}
}

static void test_long_blocks(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		start();
		define_temps();
		for (unsigned k = below(100); k-- > 0;)
			random_general();
		end();
		run();
	}
}

/* Quotients at the edges: dividends and divisors of each sign, and those that only the helper can divide by. */
static void test_divisions(void **state)
{
	static const uint64_t values[] = { 0,
					   1,
					   2,
					   ~0ull,
					   INT64_MAX,
					   (uint64_t)INT64_MIN,
					   0x7fffffff,
					   0xffffffff,
					   0x80000000,
					   0xffffffff80000000,
					   0x123456789abcdef };

	(void)state;
	for (enum ir_opcode code = IR_DIV; code <= IR_DIVUW; code++)
		for (unsigned n = 0; n < 11 * 11; n++) {
			start();
			alu(code, 8, 10, 11);
			end();
			lower_at(blocks_start);
			randomize();
			cpu.m.vars[10] = values[n / 11];
			cpu.m.vars[11] = values[n % 11];
			check();
		}
}

/* --- the front end's helper */

static void test_exec(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		start();
		define_temps();
		for (unsigned k = 0; k < 30; k++)
			if (below(5) == 0)
				random_exec(true);
			else if (below(8) == 0)
				random_trap();
			else
				random_general();
		end();
		run();
	}
}

/* Blocks of all that there is. */
static void test_mixed_blocks(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		unsigned most = 10 + below(90);

		big_endian = n & 1;
		start();
		define_temps();
		while (ir.count < most)
			random_any();
		end();
		run();
	}
}

/* --- leaving */

static void test_exits(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		static const enum ir_opcode last[] = { IR_EXIT, IR_JUMP, IR_STEP };
		struct ir_op *o;

		start();
		define_temps();
		for (unsigned k = below(30); k-- > 0;) {
			random_general();
			if (below(6) != 0)
				continue;
			o = op(IR_BRANCH, IR_NONE, any_operand(), any_operand(), 0x5000 + 4 * k);
			o->b = below(2) == 0 ? IR_ZERO : o->b;
			o->cc = (uint8_t)below(6);
			o->linkable = below(2) == 0;
			o->loops = below(2) == 0;
		}
		o = op(last[n % 3], IR_NONE, n % 3 == 1 ? any_operand() : IR_NONE, IR_NONE, 0x6000);
		o->linkable = n % 2 == 0;
		run();
	}
}

/* Every condition, with operands at the edges, equal ones, and zero on either side. */
static void test_branches(void **state)
{
	static const ir_var operands[][2] = { { 2, 8 },       { 8, 2 },       { 8, 8 },
					      { 8, IR_ZERO }, { IR_ZERO, 8 }, { IR_ZERO, IR_ZERO },
					      { 2, IR_ZERO }, { IR_ZERO, 2 } };

	(void)state;
	for (unsigned n = 0; n < 6 * 8; n++) {
		struct ir_op *o;

		start();
		o = op(IR_BRANCH, IR_NONE, operands[n % 8][0], operands[n % 8][1], 0x5000);
		o->cc = (uint8_t)(n / 8);
		o->linkable = true;
		end();
		for (unsigned k = 0; k < 20; k++) {
			lower_at(blocks_start);
			randomize();
			if (k == 0)
				cpu.m.vars[8] = cpu.m.vars[2] = operand();
			else if (k == 1)
				cpu.m.vars[8] = cpu.m.vars[2] = 0;
			check();
		}
	}
}

/* Lowers a block that adds to variable 2 and goes to `target`. */
static void adder(uint8_t *at, uint64_t add, uint64_t target, bool linkable, bool loops)
{
	struct ir_op *o;

	start();
	op(IR_ADDI, 2, 2, IR_NONE, add);
	o = op(IR_EXIT, IR_NONE, IR_NONE, IR_NONE, target);
	o->linkable = linkable;
	o->loops = loops;
	o->insns = 1;
	lower_at(at);
}

static void test_linking(void **state)
{
	struct x86_exit exit;
	uint64_t first, second;

	(void)state;
	adder(blocks_start, 1, 0x5000, true, true);
	first = made.code;
	exit = made.exits[0];
	assert_int_equal(made.nr_exits, 1);
	assert_true(exit.linkable);
	assert_int_equal(exit.target, 0x5000);
	start();
	op(IR_ADDI, 2, 2, IR_NONE, 16);
	*op(IR_STEP, IR_NONE, IR_NONE, IR_NONE, 0) =
		(struct ir_op){ .op = IR_STEP, .d = IR_NONE, .e = IR_NONE, .a = IR_NONE, .b = IR_NONE, .pc = 0x5004 };
	lower_at(blocks_start + X86_BLOCK_MAX_BYTES);
	second = made.code;
	assert_int_equal(made.exits[0].target, 0x5004);
	assert_true(made.exits[0].step);

	assert_int_equal(enter(first), FIRST_EXIT);
	assert_int_equal(cpu.m.vars[2], 1);
	x86_patch(exit.displacement, arena.execute - arena.write, second);
	assert_int_equal(enter(first), FIRST_EXIT | X86_STEP_FLAG);
	assert_int_equal(cpu.m.vars[2], 18);
	/* Who waits for attention gets it at once. */
	cpu.m.attention = 4;
	assert_int_equal(enter(first), FIRST_EXIT);
	assert_int_equal(cpu.m.vars[2], 19);
	cpu.m.attention = 0;
	x86_patch(exit.displacement, arena.execute - arena.write, exit.unlinked);
	assert_int_equal(enter(first), FIRST_EXIT);
	assert_int_equal(cpu.m.vars[2], 20);
	assert_int_equal(cpu.m.instructions, 4);
}

/* A block of another guest address, found in the jump cache or not; `looks` for attention. */
static void check_jump(uint64_t from, uint64_t to, uint64_t va, bool looks)
{
	unsigned place = x86_jump_place(va);

	cpu.m.vars[2] = 0;
	assert_int_equal(enter(from), X86_LEFT);
	assert_int_equal(cpu.m.pc, va);
	assert_int_equal(cpu.m.vars[2], 1);
	cpu.jumps.key[place] = va ^ FETCH_KEY;
	cpu.jumps.code[place] = to;
	assert_int_equal(enter(from), FIRST_EXIT);
	assert_int_equal(cpu.m.vars[2], 18);
	cpu.m.attention = 1;
	assert_int_equal(enter(from), looks ? X86_LEFT : FIRST_EXIT);
	assert_int_equal(cpu.m.vars[2], looks ? 19 : 35);
	cpu.m.attention = 0;
	cpu.fetch_key ^= 1ull << 50;
	cpu.m.pc = 0;
	assert_int_equal(enter(from), X86_LEFT);
	assert_int_equal(cpu.m.pc, va);
	cpu.fetch_key = FETCH_KEY;
	cpu.jumps.key[place] = ~0ull;
}

static void test_jump_cache(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 500; n++) {
		uint64_t va = operand() & ~3ull, code;
		unsigned kind = below(3); /* a known target, one behind, one in a register */

		adder(blocks_start + X86_BLOCK_MAX_BYTES, 16, 0x4000, true, false);
		code = made.code;
		adder(blocks_start, 1, va, false, kind == 1);
		if (kind == 2) {
			start();
			op(IR_ADDI, 2, 2, IR_NONE, 1);
			op(IR_JUMP, IR_NONE, n % 2 == 0 ? 3 : 8, IR_NONE, 0);
			lower_at(blocks_start);
			cpu.m.vars[n % 2 == 0 ? 3 : 8] = va;
		}
		check_jump(made.code, code, va, kind != 0);
	}
}

/* A helper that leaves goes on at once where the jump cache knows the way, unless it is the engine's. */
static void test_leaving_helper_goes_on(void **state)
{
	static struct effect effect = { .v = 2, .also = IR_NONE, .a = 2, .add = 1 };
	unsigned place;
	uint64_t code;

	(void)state;
	adder(blocks_start + X86_BLOCK_MAX_BYTES, 16, 0x4000, true, false);
	code = made.code;
	start();
	op(IR_EXEC, IR_NONE, IR_NONE, IR_NONE, 0)->insn = &effect;
	end();
	ir.ops[0].insns = 5;
	lower_at(blocks_start);
	place = x86_jump_place(ir.ops[0].pc);
	cpu.jumps.key[place] = ir.ops[0].pc ^ FETCH_KEY;
	cpu.jumps.code[place] = code;

	effect.leave = X86_LEAVE;
	assert_int_equal(enter(made.code), FIRST_EXIT);
	assert_int_equal(cpu.m.vars[2], 17);
	assert_int_equal(cpu.m.instructions, 6 + 1);
	effect.leave = X86_LEAVE | X86_OUT;
	assert_int_equal(enter(made.code), X86_LEFT);
	assert_int_equal(cpu.m.vars[2], 18);
	assert_int_equal(cpu.m.pc, ir.ops[0].pc);
	/* Who waits for attention gets it at once. */
	effect.leave = X86_LEAVE;
	cpu.m.attention = 1;
	assert_int_equal(enter(made.code), X86_LEFT);
	assert_int_equal(cpu.m.vars[2], 19);
}

#define PLAIN_TEST(f)                                                                   \
	{                                                                               \
#f "_without_jumps", f, lower_setup_without_jumps, lower_teardown, NULL \
	}

static void test_no_room(void **state)
{
	struct x86_asm a = { .write = arena.write,
			     .end = arena.write + X86_BLOCK_MAX_BYTES - 1,
			     .to_execute = arena.execute - arena.write };

	(void)state;
	start();
	end();
	made.ir = &ir;
	assert_false(x86_lower(&runtime, NULL, &a, &made));
	assert_ptr_equal(a.write, arena.write);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOWER_TEST(test_operands),     LOWER_TEST(test_long_blocks),
		LOWER_TEST(test_divisions),    LOWER_TEST(test_exec),
		LOWER_TEST(test_mixed_blocks), LOWER_TEST(test_exits),
		LOWER_TEST(test_branches),     LOWER_TEST(test_linking),
		LOWER_TEST(test_jump_cache),   LOWER_TEST(test_leaving_helper_goes_on),
		LOWER_TEST(test_no_room),      PLAIN_TEST(test_exits),
		PLAIN_TEST(test_mixed_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
