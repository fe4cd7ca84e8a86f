/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/emit/asm.c arch/x86_64/emit/alloc.c arch/x86_64/emit/lower.c arch/x86_64/emit/lower_alu.c */
/* sources: arch/x86_64/emit/lower_fp.c arch/x86_64/emit/lower_memory.c arch/x86_64/emit/jump_cache.c */
/* sources: arch/x86_64/emit/runtime.c arch/x86_64/emit/return_stack.c core/log.c core/feature.c */
/* sources: features/engine-dbt/part.c features/dbt-returns/returns.c */
/* sources: tests/unit/fake_platform.c tests/unit/ir_machine.c tests/unit/ir_reference.c */
/* sources: tests/unit/ir_reference_fp.c tests/unit/lower_fixture.c tests/unit/lower_random.c */
/* The x86-64 back end: calls of the guest and the returns that belong to them, or do not. */
#include "features/engine-dbt/part.h"
#include "tests/unit/lower_fixture.h"

#define FUNCTION 0x9000ull
#define BACK     0x7010ull
#define NEAR     (blocks_start + 1 * X86_BLOCK_MAX_BYTES)
#define FAR      (blocks_start + 2 * X86_BLOCK_MAX_BYTES)
/* Variables: what has run, the address to return to, calls left, returns seen. */
#define TRACE   2
#define ADDRESS 3
#define LEFT    8
#define RETURNS 9

/* What the helper does in the function. */
static uint64_t new_key, forgotten;
static const struct dbt_returns *returns;

static uint64_t exec(void *ctx, const void *insn, uint64_t where)
{
	(void)ctx;
	(void)insn;
	(void)where;
	if (forgotten != 0)
		returns->forget(&cpu.returns, forgotten);
	cpu.fetch_key = new_key;
	return 0;
}

static int setup(void **state)
{
	struct x86_asm a;
	int err = lower_setup(state);

	a = (struct x86_asm){ .write = arena.write,
			      .end = arena.write + arena.size,
			      .to_execute = arena.execute - arena.write };
	returns = dbt_part(DBT_RETURNS);
	runtime.returns = returns->code;
	runtime.helpers.exec = exec;
	x86_emit_runtime(&runtime, &a);
	blocks_start = a.write;
	new_key = FETCH_KEY;
	forgotten = 0;
	return err;
}

static void link_to(const struct x86_exit *e, uint64_t code)
{
	x86_patch(e->displacement, arena.execute - arena.write, code);
}

static void add(ir_var v, uint64_t n)
{
	op(IR_ADDI, v, v, IR_NONE, n);
}

/* Ends a block with a call; made.exits are the way to the function and the way back, whatever their order. */
static void call(void)
{
	struct ir_op *o = op(IR_EXIT, IR_NONE, IR_NONE, IR_NONE, FUNCTION);

	o->linkable = true;
	o->back = BACK;
}

static void link_call(uint64_t function, uint64_t back)
{
	for (unsigned n = 0; n < made.nr_exits; n++)
		if (made.exits[n].target == FUNCTION)
			link_to(&made.exits[n], function);
		else if (made.exits[n].target == BACK)
			link_to(&made.exits[n], back);
}

static void jump(bool is_return)
{
	op(IR_JUMP, IR_NONE, ADDRESS, IR_NONE, 0)->returns = is_return;
}

/* A caller, a function with a helper in it, the caller's rest. Returns the caller's code. */
static uint64_t caller(bool indirect)
{
	uint64_t function, back;
	unsigned place = x86_jump_place(FUNCTION);

	start();
	add(TRACE, 0x10);
	op(IR_EXEC, IR_NONE, IR_NONE, IR_NONE, 0)->insn = "";
	jump(true);
	lower_at(FAR);
	function = made.code;
	start();
	add(TRACE, 0x100);
	end();
	lower_at(NEAR);
	back = made.code;
	start();
	add(TRACE, 1);
	if (indirect) {
		op(IR_JUMP, IR_NONE, 4, IR_NONE, 0)->back = BACK;
		cpu.m.vars[4] = FUNCTION;
		cpu.jumps.key[place] = FUNCTION ^ FETCH_KEY;
		cpu.jumps.code[place] = function;
	} else {
		call();
	}
	lower_at(blocks_start);
	link_call(function, back);
	return made.code;
}

/* Nothing is in the jump cache: who comes back to the caller was paired. */
static void assert_comes_back(uint64_t code, bool comes_back)
{
	cpu.m.vars[TRACE] = 0;
	assert_int_equal(enter(code), comes_back ? FIRST_EXIT : X86_LEFT);
	assert_int_equal(cpu.m.vars[TRACE], comes_back ? 0x111 : 0x11);
	if (!comes_back)
		assert_int_equal(cpu.m.pc, cpu.m.vars[ADDRESS]);
}

static void test_a_return_finds_its_call(void **state)
{
	(void)state;
	for (unsigned indirect = 0; indirect < 2; indirect++) {
		uint64_t code = caller(indirect);

		cpu.m.vars[ADDRESS] = BACK;
		assert_comes_back(code, true);
		assert_comes_back(code, true);
	}
}

static void test_a_return_to_elsewhere(void **state)
{
	uint64_t code = caller(false);

	(void)state;
	cpu.m.vars[ADDRESS] = BACK + 4;
	assert_comes_back(code, false);
}

static void test_a_return_without_a_call(void **state)
{
	(void)state;
	start();
	jump(true);
	lower_at(blocks_start);
	cpu.m.vars[ADDRESS] = BACK;
	assert_int_equal(enter(made.code), X86_LEFT);
	assert_int_equal(cpu.m.pc, BACK);
}

/* A jump is no return, even to where one would go. */
static void test_other_jumps(void **state)
{
	uint64_t function;

	(void)state;
	start();
	jump(false);
	lower_at(FAR);
	function = made.code;
	start();
	call();
	lower_at(blocks_start);
	link_call(function, function);
	cpu.m.vars[ADDRESS] = BACK;
	assert_int_equal(enter(made.code), X86_LEFT);
	assert_int_equal(cpu.m.pc, BACK);
}

/* Another process runs now: its code may be at the same addresses. */
static void test_another_address_space(void **state)
{
	uint64_t code = caller(false);

	(void)state;
	cpu.m.vars[ADDRESS] = BACK;
	new_key = FETCH_KEY ^ 1ull << 52;
	assert_comes_back(code, false);
	cpu.fetch_key = new_key = FETCH_KEY;
	assert_comes_back(code, true);
}

static void test_forgets_a_page(void **state)
{
	uint64_t code = caller(false);

	(void)state;
	cpu.m.vars[ADDRESS] = BACK;
	forgotten = BACK & ~0xfffull;
	assert_comes_back(code, false);
	forgotten = ~0ull;
	assert_comes_back(code, false);
	forgotten = (BACK & ~0xfffull) + 0x1000;
	assert_comes_back(code, true);
}

/* While the engine runs there is nothing to forget, and the stack is its own. */
static void test_the_engine_may_forget(void **state)
{
	(void)state;
	cpu.returns.now = 0;
	cpu.returns.base = UINT64_MAX;
	returns->forget(&cpu.returns, ~0ull);
}

/* A function that calls itself LEFT times, and counts the returns that find their call. */
static uint64_t recursion(void)
{
	uint64_t last, back;

	start();
	jump(true);
	lower_at(FAR);
	last = made.code;
	start();
	add(RETURNS, 1);
	jump(true);
	lower_at(NEAR);
	back = made.code;
	start();
	add(LEFT, ~0ull);
	op(IR_BRANCH, IR_NONE, LEFT, IR_ZERO, 0x5000)->linkable = true;
	ir.ops[ir.count - 1].cc = IR_LT;
	call();
	lower_at(blocks_start);
	link_call(made.code, back);
	for (unsigned n = 0; n < made.nr_exits; n++)
		if (made.exits[n].target == 0x5000)
			link_to(&made.exits[n], last);
	return made.code;
}

static void test_deep_recursion(void **state)
{
	static const struct {
		uint64_t calls, paired;
	} cases[] = { { 0, 0 },
		      { 1, 1 },
		      { 200, 200 },
		      { RETURN_ENTRIES, RETURN_ENTRIES },
		      { RETURN_ENTRIES + 1, 1 },
		      { 2 * RETURN_ENTRIES + 7, 7 } };
	uint64_t code = recursion();

	(void)state;
	for (unsigned n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		cpu.m.vars[LEFT] = cases[n].calls;
		cpu.m.vars[RETURNS] = 0;
		cpu.m.vars[ADDRESS] = BACK;
		assert_int_equal(enter(code), X86_LEFT);
		assert_int_equal(cpu.m.vars[RETURNS], cases[n].paired);
		assert_int_equal(cpu.m.pc, BACK);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, lower_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_return_finds_its_call), TEST(test_a_return_to_elsewhere),
		TEST(test_a_return_without_a_call), TEST(test_other_jumps),
		TEST(test_another_address_space),   TEST(test_forgets_a_page),
		TEST(test_the_engine_may_forget),   TEST(test_deep_recursion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
