/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/emit/asm.c arch/x86_64/emit/alloc.c arch/x86_64/emit/lower.c arch/x86_64/emit/lower_alu.c */
/* sources: arch/x86_64/emit/lower_fp.c arch/x86_64/emit/lower_memory.c arch/x86_64/emit/jump_cache.c */
/* sources: arch/x86_64/emit/runtime.c core/log.c */
/* sources: tests/unit/fake_platform.c tests/unit/ir_machine.c tests/unit/ir_reference.c */
/* sources: tests/unit/ir_reference_fp.c tests/unit/lower_fixture.c tests/unit/lower_random.c */
/* The x86-64 back end: loads and stores through the soft TLB, one by one and checked together. */
#include "tests/unit/lower_fixture.h"

static void memory_blocks(unsigned pages)
{
	for (unsigned n = 0; n < 1000; n++) {
		start();
		define_temps();
		for (unsigned k = below(40); k-- > 0;)
			if (below(3) == 0)
				random_access(below(pages));
			else if (below(6) == 0)
				random_fp();
			else
				random_general();
		end();
		run();
	}
}

static void test_memory(void **state)
{
	(void)state;
	memory_blocks(PAGE_SLOW + 1);
	big_endian = true;
	memory_blocks(PAGE_SLOW + 1);
}

/* A helper that leaves finds the state in memory as it was before the operation, and it stays so. */
static void test_faults(void **state)
{
	(void)state;
	memory_blocks(PAGE_FAULTS + 1);
	big_endian = true;
	memory_blocks(PAGE_FAULTS + 1);
}

/* A load that faults keeps the old value of its destination, wherever that was. */
static void test_faulting_load_keeps_destination(void **state)
{
	static const ir_var destinations[] = { 2, 8, 9, 16 };

	(void)state;
	for (unsigned n = 0; n < 2 * sizeof(destinations); n++) {
		ir_var d = destinations[n / 2];

		start();
		op(IR_CONST, FIRST_TEMP, IR_NONE, IR_NONE, RAM_VA + PAGE_FAULTS * PAGE);
		op(IR_CONST, d, IR_NONE, IR_NONE, n % 2 == 0 ? 1234 : RAM_VA + PAGE_FAULTS * PAGE);
		op(IR_LOAD, d, n % 2 == 0 ? FIRST_TEMP : d, IR_NONE, 8)->size = 8;
		end();
		run();
		assert_int_equal(cpu.m.pc, 0xbad);
		assert_int_equal(cpu.m.vars[d], n % 2 == 0 ? 1234 : RAM_VA + PAGE_FAULTS * PAGE);
	}
}

/* Also with pages that the check must refuse: it leaves before the first access. */
static void groups(unsigned pages)
{
	for (unsigned n = 0; n < 1500; n++) {
		start();
		define_temps();
		while (ir.count < 80)
			if (below(3) == 0)
				random_group(below(pages));
			else if (below(4) == 0)
				random_access(below(PAGE_FAULTS));
			else
				random_general();
		end();
		run();
	}
}

static void test_groups(void **state)
{
	(void)state;
	groups(PAGE_FAST + 1);
	big_endian = true;
	groups(PAGE_FAULTS + 1);
}

/* What a MAP of `size` bytes at that address leads to: the block's end, or the block that checks one by one. */
static void check_map(uint64_t va, unsigned unit, uint32_t span, bool for_stores, bool fits)
{
	struct ir_op *o;

	start();
	op(IR_ADDI, 8, 8, IR_NONE, 1); /* what must be in memory then */
	op(IR_CONST, 9, IR_NONE, IR_NONE, va + 0x100);
	o = op(IR_MAP, FIRST_DELTA, 9, IR_NONE, (uint64_t)-0x100);
	o->size = (uint8_t)unit;
	o->note = span;
	o->is_signed = for_stores;
	o->insns = 2;
	end();
	lower_at(blocks_start);
	randomize();
	check();
	assert_int_equal(made.exits[0].target, o->pc);
	assert_true(made.exits[0].careful && made.exits[0].linkable);
	randomize();
	assert_int_equal(enter(made.code), fits ? FIRST_EXIT + 1 : FIRST_EXIT);
}

static void test_where_a_group_fits(void **state)
{
	const uint64_t page_end = RAM_VA + PAGE, last_fast = RAM_VA + 2 * PAGE;

	(void)state;
	check_map(RAM_VA, 8, PAGE, true, true);
	check_map(RAM_VA, 8, PAGE, false, true);
	check_map(RAM_VA + 4, 8, 12, true, true);
	check_map(RAM_VA + 4, 8, 16, true, false); /* the last unit is misaligned */
	check_map(RAM_VA + 1, 1, 1024, true, true);
	check_map(RAM_VA + 2, 4, 9, true, false);
	check_map(page_end - 8, 8, 8, true, true);
	check_map(page_end - 8, 8, 16, false, false); /* two pages, both at hand */
	check_map(page_end - 1, 1, 2, false, false);
	check_map(page_end, 8, 64, false, true);
	check_map(page_end, 8, 64, true, false); /* protected against writing */
	check_map(last_fast - 16, 8, 32, false, false);
	check_map(last_fast, 8, 8, false, false);
	check_map(RAM_VA - 8, 8, 8, false, false);
	check_map(RAM_VA - 8, 8, 16, false, false);
}

static void test_store_conditional(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 1500; n++) {
		big_endian = n & 1;
		start();
		define_temps();
		for (unsigned k = below(10); k-- > 0;) {
			random_sc(below(PAGE_FAULTS + 1));
			random_general();
			if (below(4) == 0)
				random_access(below(PAGE_FAULTS));
		}
		end();
		run();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOWER_TEST(test_memory),
		LOWER_TEST(test_faults),
		LOWER_TEST(test_faulting_load_keeps_destination),
		LOWER_TEST(test_groups),
		LOWER_TEST(test_where_a_group_fits),
		LOWER_TEST(test_store_conditional),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
