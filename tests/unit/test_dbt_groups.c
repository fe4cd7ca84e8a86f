/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: features/dbt-groups/groups.c features/engine-dbt/pass.c */
/* The pass that has accesses to one page checked together: which it finds, and what it must leave alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "features/engine-dbt/pass.h"

#define NR_VARS 40u
#define PC      0x1000ull
/* The most bytes that one check serves, as groups.c has it. */
#define MAX_SPAN 1024u

static struct ir_block ir;
static void *work;

static int setup(void **state)
{
	(void)state;
	ir = (struct ir_block){ .nr_vars = NR_VARS, .pc = PC };
	work = malloc(dbt_passes_work_bytes());
	return work == NULL;
}

static int teardown(void **state)
{
	(void)state;
	free(work);
	return 0;
}

static struct ir_op *op(enum ir_opcode code, ir_var d, ir_var a, uint64_t imm)
{
	struct ir_op *o = &ir.ops[ir.count++];

	*o = (struct ir_op){ .op = (uint8_t)code, .d = d, .e = IR_NONE, .a = a, .b = IR_NONE, .imm = imm };
	o->pc = PC + 4ull * ir.count;
	o->insns = (uint8_t)ir.count;
	return o;
}

static struct ir_op *load(ir_var d, ir_var a, int64_t offset, unsigned size)
{
	struct ir_op *o = op(IR_LOAD, d, a, (uint64_t)offset);

	o->size = (uint8_t)size;
	return o;
}

static struct ir_op *store(ir_var b, ir_var a, int64_t offset, unsigned size)
{
	struct ir_op *o = op(IR_STORE, IR_NONE, a, (uint64_t)offset);

	o->b = b;
	o->size = (uint8_t)size;
	return o;
}

/* Ends the block and runs the pass; the operations it began with stay in `before`. */
static struct ir_block before;

static void run(void)
{
	op(IR_EXIT, IR_NONE, IR_NONE, 0x2000);
	before = ir;
	dbt_run_passes(&ir, work);
}

static unsigned maps(void)
{
	unsigned n = 0;

	for (const struct ir_op *o = ir.ops; o < &ir.ops[ir.count]; o++)
		n += o->op == IR_MAP;
	return n;
}

/* The n-th operation that was there before. */
static const struct ir_op *old_op(unsigned n)
{
	const struct ir_op *o = ir.ops;

	for (;; o++) {
		if (o->op == IR_MAP)
			continue;
		if (n-- == 0)
			return o;
	}
}

static const struct ir_op *map_of(const struct ir_op *access)
{
	const struct ir_op *o = access;

	if (access->e == IR_NONE)
		return NULL;
	while (o >= ir.ops && (o->op != IR_MAP || o->d != access->e))
		o--;
	assert_true(o >= ir.ops);
	return o;
}

static bool together(unsigned a, unsigned b)
{
	return old_op(a)->e != IR_NONE && old_op(a)->e == old_op(b)->e;
}

static bool alone(unsigned n)
{
	return old_op(n)->e == IR_NONE;
}

/* Nothing but MAPs and their variables was added. */
static void check_rest(void)
{
	assert_int_equal(ir.count, before.count + maps());
	assert_int_equal(ir.nr_vars, before.nr_vars + maps());
	for (unsigned n = 0; n < before.count; n++) {
		struct ir_op is = *old_op(n);

		is.e = before.ops[n].e;
		assert_memory_equal(&is, &before.ops[n], sizeof(is));
	}
}

static void test_same_base(void **state)
{
	const struct ir_op *map;

	(void)state;
	load(1, 8, 16, 8);
	store(2, 8, -8, 8)->is_signed = false;
	load(3, 8, 4, 4);
	run();
	check_rest();
	assert_int_equal(maps(), 1);
	assert_true(together(0, 1) && together(0, 2));
	map = map_of(old_op(0));
	assert_ptr_equal(map, &ir.ops[0]);
	assert_int_equal(map->a, 8);
	assert_int_equal(map->imm, (uint64_t)-8);
	assert_int_equal(map->note, 32);
	assert_int_equal(map->size, 8);
	assert_true(map->is_signed); /* for stores, too */
	assert_int_equal(map->pc, before.ops[0].pc);
	assert_int_equal(map->insns, before.ops[0].insns);
}

static void test_loads_need_no_right_to_store(void **state)
{
	(void)state;
	load(1, 8, 0, 4);
	load(2, 8, 4, 4);
	run();
	assert_int_equal(maps(), 1);
	assert_false(ir.ops[0].is_signed);
}

static void test_one_access_gains_nothing(void **state)
{
	(void)state;
	load(1, 8, 0, 4);
	load(2, 9, 0, 4);
	run();
	check_rest();
	assert_int_equal(maps(), 0);
}

/* A register made from another by adding a constant is the same base. */
static void test_aliases(void **state)
{
	(void)state;
	load(1, 8, 0, 8);
	op(IR_ADDI, 9, 8, 16);
	load(2, 9, 0, 8);
	op(IR_MOV, 10, 9, 0);
	store(2, 10, 8, 8);
	op(IR_ADDI, 8, 8, 64); /* the register itself goes on */
	load(3, 8, 0, 8);
	run();
	check_rest();
	assert_int_equal(maps(), 1);
	assert_true(together(0, 2) && together(0, 4) && together(0, 6));
	assert_int_equal(ir.ops[0].imm, 0);
	assert_int_equal(ir.ops[0].note, 72);
}

static void test_leader_with_an_offset_base(void **state)
{
	const struct ir_op *map;

	(void)state;
	op(IR_ADDI, 9, 8, 32);
	load(1, 9, 0, 8);
	load(2, 8, 0, 8);
	run();
	check_rest();
	assert_true(together(1, 2));
	map = map_of(old_op(1));
	assert_int_equal(map->a, 9);
	assert_int_equal(map->imm, (uint64_t)-32);
	assert_int_equal(map->note, 40);
}

static void test_redefined_base(void **state)
{
	static const enum ir_opcode codes[] = { IR_ADD, IR_CONST, IR_LOAD, IR_STATE, IR_SC, IR_ADDIW };

	for (unsigned n = 0; n < sizeof(codes) / sizeof(codes[0]); n++) {
		free(work);
		setup(state);
		load(1, 8, 0, 8);
		load(2, 8, 8, 8);
		op(codes[n], 8, codes[n] == IR_CONST ? IR_NONE : 11, 0)->size = 8;
		load(3, 8, 0, 8);
		load(4, 8, 8, 8);
		run();
		check_rest();
		assert_int_equal(maps(), 2);
		assert_true(together(0, 1) && together(3, 4) && !together(0, 3));
	}
}

/* Second results are written, too. */
static void test_base_that_is_a_second_result(void **state)
{
	(void)state;
	load(1, 8, 0, 8);
	op(IR_MULHU, 9, 10, 0)->e = 8;
	load(2, 8, 8, 8);
	run();
	assert_int_equal(maps(), 0);
}

/* A load into its own base: what follows has another. */
static void test_load_of_its_base(void **state)
{
	(void)state;
	load(1, 8, 0, 8);
	load(8, 8, 8, 8);
	load(2, 8, 16, 8);
	run();
	check_rest();
	assert_int_equal(maps(), 1);
	assert_true(together(0, 1) && alone(2));
}

/* A helper may change the mapping, and any register. */
static void test_exec_ends_groups(void **state)
{
	(void)state;
	load(1, 8, 0, 8);
	op(IR_EXEC, IR_NONE, IR_NONE, 0);
	load(2, 8, 8, 8);
	run();
	check_rest();
	assert_int_equal(maps(), 0);
}

static void test_exec_between_two_groups(void **state)
{
	(void)state;
	load(1, 8, 0, 8);
	load(1, 8, 8, 8);
	op(IR_EXEC, IR_NONE, IR_NONE, 0);
	load(2, 8, 16, 8);
	load(2, 8, 24, 8);
	run();
	check_rest();
	assert_int_equal(maps(), 2);
	assert_true(together(0, 1) && together(3, 4) && !together(0, 3));
}

/* Control cannot leave in a delay slot and come back to it, but may go on there with what was checked before. */
static void test_delay_slots(void **state)
{
	(void)state;
	load(1, 8, 0, 8)->in_slot = true;
	load(2, 8, 8, 8);
	load(3, 8, 16, 8)->in_slot = true;
	load(4, 9, 0, 8)->in_slot = true;
	load(5, 9, 8, 8)->in_slot = true;
	run();
	check_rest();
	assert_int_equal(maps(), 1);
	assert_true(alone(0) && together(1, 2) && alone(3) && alone(4));
}

static void test_linked_loads_stay_alone(void **state)
{
	(void)state;
	load(1, 8, 0, 8);
	load(2, 8, 8, 8)->aligned = true;
	load(3, 8, 16, 8);
	run();
	check_rest();
	assert_true(together(0, 2) && alone(1));
}

/* All must be aligned if the largest is: so a smaller one may stand where it fits, a larger one not askew. */
static void test_mixed_sizes(void **state)
{
	(void)state;
	load(1, 8, 3, 1);
	load(2, 8, 4, 4);
	load(3, 8, 8, 8); /* aligned alike: 8 becomes the unit */
	load(4, 8, 20, 4);
	load(5, 8, 12, 8); /* askew to the other one of 8 */
	load(6, 8, 26, 4); /* and of 4 */
	load(7, 8, 26, 2);
	run();
	check_rest();
	assert_true(together(0, 1) && together(0, 2) && together(0, 3) && together(0, 6));
	assert_false(together(0, 4));
	assert_false(together(0, 5));
	assert_int_equal(ir.ops[0].size, 8);
	assert_int_equal(ir.ops[0].imm, 3);
	/* From byte 3 to the end of the unit of 8 that has byte 27. */
	assert_int_equal(ir.ops[0].note, 32 - 3);
}

static void test_span(void **state)
{
	(void)state;
	load(1, 8, 0, 8);
	load(2, 8, MAX_SPAN - 8, 8);
	load(3, 8, MAX_SPAN, 8);
	load(4, 8, -8, 8);
	run();
	check_rest();
	assert_true(together(0, 1));
	assert_false(together(0, 2));
	assert_false(together(0, 3));
	assert_int_equal(ir.ops[0].note, MAX_SPAN);
}

/* What is far from the first origin is not taken for near by a wrap of the sum. */
static void test_large_constants(void **state)
{
	(void)state;
	load(1, 8, 0, 8);
	for (unsigned n = 0; n < 8; n++)
		op(IR_ADDI, 8, 8, 0x20000000);
	load(2, 8, 0, 8); /* 2^32 further */
	run();
	check_rest();
	assert_int_equal(maps(), 0);
}

/* More bases than groups are open at a time: the one not used for longest is given up. */
static void test_many_bases(void **state)
{
	(void)state;
	for (ir_var base = 8; base < 12; base++)
		load(1, base, 0, 8);
	for (ir_var base = 11; base >= 8; base--)
		load(2, base, 8, 8);
	run();
	check_rest();
	assert_int_equal(maps(), 3);
	assert_true(together(1, 6) && together(2, 5) && together(3, 4) && alone(0) && alone(7));
}

/* There is no room for more operations or variables: the block stays correct. */
static void test_no_room(void **state)
{
	(void)state;
	while (ir.count < IR_MAX_OPS - 1)
		load(1, 8, 8 * (ir.count % 64), 8);
	run();
	check_rest();
	assert_int_equal(ir.count, IR_MAX_OPS);
	assert_int_equal(maps(), 0);

	free(work);
	setup(state);
	ir.nr_vars = IR_MAX_VARS;
	load(1, 8, 0, 8);
	load(2, 8, 8, 8);
	run();
	check_rest();
	assert_int_equal(maps(), 0);
}

/* The front end has looked up the page of what need not be aligned. */
static void test_accesses_with_a_map_stay_with_it(void **state)
{
	(void)state;
	load(1, 8, 1, 8)->e = 20;
	load(2, 8, 9, 8)->e = 20;
	store(3, 9, 0, 8);
	store(4, 9, 8, 8);
	run();
	check_rest();
	assert_int_equal(maps(), 1);
	assert_int_equal(old_op(0)->e, 20);
	assert_int_equal(old_op(1)->e, 20);
	assert_true(together(2, 3));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_same_base),
		TEST(test_loads_need_no_right_to_store),
		TEST(test_one_access_gains_nothing),
		TEST(test_aliases),
		TEST(test_leader_with_an_offset_base),
		TEST(test_redefined_base),
		TEST(test_base_that_is_a_second_result),
		TEST(test_load_of_its_base),
		TEST(test_exec_ends_groups),
		TEST(test_exec_between_two_groups),
		TEST(test_delay_slots),
		TEST(test_linked_loads_stay_alone),
		TEST(test_mixed_sizes),
		TEST(test_span),
		TEST(test_large_constants),
		TEST(test_many_bases),
		TEST(test_no_room),
		TEST(test_accesses_with_a_map_stay_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
