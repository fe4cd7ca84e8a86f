/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/emit/asm.c arch/x86_64/emit/alloc.c arch/x86_64/emit/lower.c */
/* sources: arch/x86_64/emit/lower_alu.c arch/x86_64/emit/runtime.c core/log.c tests/unit/fake_platform.c */
/*
 * The x86-64 back end: blocks of IR are lowered and run, and an interpreter of the
 * IR in C says what they have to leave behind. The vCPU is a small made-up one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/emit/lower.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/ir_reference.h"

/* --- set-up */

static int32_t place_of_var(ir_var v)
{
	return (int32_t)(offsetof(struct cpu, m.vars) + 8 * (size_t)v);
}

static void make_runtime(void)
{
	struct x86_asm a = { .write = arena.write,
			     .end = arena.write + arena.size,
			     .to_execute = arena.execute - arena.write };

	runtime.layout = (struct x86_layout){
		.attention = offsetof(struct cpu, attention),
		.pc = offsetof(struct cpu, m.pc),
		.instructions = offsetof(struct cpu, m.instructions),
		.tag_key = offsetof(struct cpu, tag_key),
		.spill = offsetof(struct cpu, spill),
		.fetch_key = offsetof(struct cpu, fetch_key),
		.jump_cache = offsetof(struct cpu, jumps),
		.var = place_of_var,
		.nr_state = NR_STATE,
		.tlb_bits = TLB_BITS,
		.pins = pins,
		.nr_pins = sizeof(pins) / sizeof(pins[0]),
	};
	runtime.helpers = (struct x86_helpers){ .load = load, .store = store, .exec = exec };
	x86_emit_runtime(&runtime, &a);
	blocks_start = a.write;
}

static void map_page(struct entry *tlb, unsigned page)
{
	uint64_t va = RAM_VA + page * PAGE;

	tlb[va / PAGE % (1u << TLB_BITS)] = (struct entry){
		.tag = va | TAG_KEY,
		.to_host = (uint64_t)(uintptr_t)&cpu.m.ram[page * PAGE] - va,
	};
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	seed = 0x123456789abcdef;
	big_endian = false;
	memset(&cpu, 0, sizeof(cpu));
	cpu.tag_key = TAG_KEY;
	cpu.fetch_key = FETCH_KEY;
	memset(cpu.read, 0xff, sizeof(cpu.read));
	memset(cpu.write, 0xff, sizeof(cpu.write));
	memset(cpu.jumps, 0xff, sizeof(cpu.jumps));
	map_page(cpu.read, PAGE_FAST);
	map_page(cpu.read, PAGE_READ_ONLY);
	map_page(cpu.write, PAGE_FAST);
	assert_int_equal(plat_code_alloc(ARENA_BYTES, &arena), 0);
	lowering = malloc(x86_lowering_size());
	make_runtime();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(lowering);
	fake_reset();
	return 0;
}

/* --- building and running blocks */

static void start(void)
{
	ir.count = 0;
}

static struct ir_op *op(enum ir_opcode code, ir_var d, ir_var a, ir_var b, uint64_t imm)
{
	struct ir_op *o = &ir.ops[ir.count++];

	*o = (struct ir_op){ .op = (uint8_t)code, .d = d, .e = IR_NONE, .a = a, .b = b, .imm = imm };
	o->pc = INTERPRETER + 4ull * ir.count;
	return o;
}

static void end(void)
{
	struct ir_op *o = op(IR_EXIT, IR_NONE, IR_NONE, IR_NONE, 0x4000);

	o->linkable = true;
	o->insns = 3;
}

/* Puts the block at `at`. */
static void lower_at(uint8_t *at)
{
	struct x86_asm a = { .write = at, .end = arena.write + arena.size, .to_execute = arena.execute - arena.write };

	memset(&made, 0, sizeof(made));
	made.ir = &ir;
	made.tlb_read = offsetof(struct cpu, read);
	made.tlb_write = offsetof(struct cpu, write);
	made.big_endian = big_endian;
	made.first_exit = FIRST_EXIT;
	assert_true(x86_lower(&runtime, lowering, &a, &made));
}

static uint32_t enter(uint64_t code)
{
	return runtime.enter(&cpu, (const void *)(uintptr_t)code);
}

static void randomize(void)
{
	for (unsigned v = 1; v < NR_STATE; v++)
		cpu.m.vars[v] = operand();
	for (size_t n = 0; n < sizeof(cpu.m.ram); n += 8)
		memcpy(&cpu.m.ram[n], &(uint64_t){ random64() }, 8);
	cpu.field = (uint32_t)random64();
	cpu.m.pc = 1;
}

/* Runs what was lowered, compares with the reference. */
static void check(void)
{
	uint32_t why, wanted;

	memcpy(&expected, &cpu.m, sizeof(expected));
	wanted = reference();
	why = enter(made.code);
	if (why != wanted || memcmp(&cpu.m, &expected, sizeof(expected)) != 0) {
		for (unsigned n = 0; n < ir.count; n++)
			print_error("%u: op %u d %u e %u a %u b %u imm %llx size %u\n", n, ir.ops[n].op, ir.ops[n].d,
				    ir.ops[n].e, ir.ops[n].a, ir.ops[n].b, (unsigned long long)ir.ops[n].imm,
				    ir.ops[n].size);
		for (unsigned v = 0; v < NR_STATE; v++)
			if (cpu.m.vars[v] != expected.vars[v])
				print_error("variable %u is %llx, not %llx\n", v, (unsigned long long)cpu.m.vars[v],
					    (unsigned long long)expected.vars[v]);
		fail_msg("left with %x, not %x; pc %llx, not %llx", why, wanted, (unsigned long long)cpu.m.pc,
			 (unsigned long long)expected.pc);
	}
}

static void run(void)
{
	lower_at(blocks_start);
	randomize();
	check();
}

/* --- arithmetic */

static bool is_alu(enum ir_opcode code)
{
	return code < IR_LOAD || code == IR_STATE;
}

static uint64_t immediate(enum ir_opcode code)
{
	switch (code) {
	case IR_CONST: return operand();
	case IR_ANDI:
	case IR_ORI:
	case IR_XORI: return (uint32_t)operand() & 0x7fffffff;
	case IR_SHLI:
	case IR_SHRI:
	case IR_SARI:
	case IR_RORI: return below(64);
	case IR_SHLIW:
	case IR_SHRIW:
	case IR_SARIW:
	case IR_RORIW: return below(32);
	case IR_STATE: return offsetof(struct cpu, field);
	default: return sext32(operand());
	}
}

static struct ir_op *alu(enum ir_opcode code, ir_var d, ir_var a, ir_var b)
{
	struct ir_op *o = op(code, d, a, b, immediate(code));

	if (code == IR_MULH || code == IR_MULHU)
		o->e = d == 9 ? 3 : 9;
	return o;
}

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

static ir_var any_operand(void)
{
	return (ir_var)below(FIRST_TEMP + 8);
}

static ir_var any_result(void)
{
	return (ir_var)(1 + below(FIRST_TEMP + 7));
}

static void random_alu(void)
{
	enum ir_opcode code;
	struct ir_op *o;

	do
		code = (enum ir_opcode)below(IR_NR_OPS);
	while (!is_alu(code));
	o = alu(code, any_result(), any_operand(), any_operand());
	if (o->e != IR_NONE)
		do
			o->e = any_result();
		while (o->e == o->d);
	/* Operands that the operation does not have. */
	if (code == IR_CONST || code == IR_STATE)
		o->a = IR_NONE;
}

/* Temporaries hold something before they are read. */
static void define_temps(void)
{
	for (ir_var v = FIRST_TEMP; v < FIRST_TEMP + 8; v++)
		op(IR_CONST, v, IR_NONE, IR_NONE, operand());
}

static void test_long_blocks(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		start();
		define_temps();
		for (unsigned k = below(100); k-- > 0;)
			random_alu();
		end();
		run();
	}
}

/* --- memory */

/* An access of the page, at any alignment now and then. Its address goes through temporary 8. */
static void random_access(unsigned page)
{
	uint8_t size = (uint8_t)(1u << below(4));
	uint64_t offset = 64 + below(PAGE - 128);
	int64_t displacement = below(3) == 0 ? 0 : (int64_t)below(60000) - 30000;
	ir_var base = below(2) == 0 ? any_result() : (ir_var)(FIRST_TEMP + 8);
	bool is_store = below(2) == 0;
	struct ir_op *o;

	if (below(8) != 0)
		offset &= ~(size - 1ull);
	op(IR_CONST, base, IR_NONE, IR_NONE, RAM_VA + page * PAGE + offset - (uint64_t)displacement);
	o = op(is_store ? IR_STORE : IR_LOAD, is_store ? IR_NONE : any_result(), base,
	       is_store ? any_operand() : IR_NONE, (uint64_t)displacement);
	o->size = size;
	o->is_signed = below(2) == 0;
	o->in_slot = below(2) == 0;
}

static void memory_blocks(unsigned pages)
{
	for (unsigned n = 0; n < 1500; n++) {
		start();
		define_temps();
		for (unsigned k = below(40); k-- > 0;)
			if (below(3) == 0)
				random_access(below(pages));
			else
				random_alu();
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

/* --- the front end's helper */

static void test_exec(void **state)
{
	static struct effect effects[64];

	(void)state;
	for (unsigned n = 0; n < 1500; n++) {
		start();
		define_temps();
		for (unsigned k = 0; k < 30; k++) {
			if (below(5) != 0) {
				random_alu();
				continue;
			}
			effects[k] = (struct effect){ .v = (ir_var)(1 + below(NR_STATE - 1)),
						      .a = (ir_var)below(NR_STATE),
						      .leave = below(30) == 0,
						      .add = random64() };
			op(IR_EXEC, IR_NONE, IR_NONE, IR_NONE, 0)->insn = &effects[k];
		}
		end();
		run();
	}
}

/* --- leaving */

static void test_exits(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3000; n++) {
		static const enum ir_opcode last[] = { IR_EXIT, IR_JUMP, IR_STEP };
		struct ir_op *o;

		start();
		define_temps();
		for (unsigned k = below(30); k-- > 0;) {
			random_alu();
			if (below(6) != 0)
				continue;
			o = op(IR_BRANCH, IR_NONE, any_operand(), any_operand(), 0x5000 + 4 * k);
			o->b = below(2) == 0 ? IR_ZERO : o->b;
			o->cc = (uint8_t)below(6);
			o->insns = (uint8_t)below(60);
			o->linkable = below(2) == 0;
			o->loops = below(2) == 0;
		}
		o = op(last[n % 3], IR_NONE, n % 3 == 1 ? any_operand() : IR_NONE, IR_NONE, 0x6000);
		o->linkable = n % 2 == 0;
		o->insns = (uint8_t)below(200);
		cpu.attention = below(2);
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
static void adder(uint8_t *at, uint64_t add, uint64_t target, bool loops)
{
	struct ir_op *o;

	start();
	op(IR_ADDI, 2, 2, IR_NONE, add);
	o = op(IR_EXIT, IR_NONE, IR_NONE, IR_NONE, target);
	o->linkable = o->loops = loops;
	o->insns = 1;
	lower_at(at);
}

static void test_linking(void **state)
{
	struct x86_exit exit;
	uint64_t first, second;

	(void)state;
	adder(blocks_start, 1, 0x5000, true);
	first = made.code;
	exit = made.exits[0];
	assert_int_equal(made.nr_exits, 1);
	assert_true(exit.linkable);
	assert_int_equal(exit.target, 0x5000);
	start();
	op(IR_ADDI, 2, 2, IR_NONE, 16);
	op(IR_STEP, IR_NONE, IR_NONE, IR_NONE, 0)->pc = 0x5004;
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
	cpu.attention = 4;
	assert_int_equal(enter(first), FIRST_EXIT);
	assert_int_equal(cpu.m.vars[2], 19);
	cpu.attention = 0;
	x86_patch(exit.displacement, arena.execute - arena.write, exit.unlinked);
	assert_int_equal(enter(first), FIRST_EXIT);
	assert_int_equal(cpu.m.vars[2], 20);
	assert_int_equal(cpu.m.instructions, 4);
}

/* The entry of the jump cache for an address, as the engine's jump_slot() has it. */
static struct entry *jump_slot(uint64_t va)
{
	return &cpu.jumps[(va >> 12 & 63) * 64 + ((va ^ va >> 6) >> 2 & 63)];
}

static void test_jump_cache(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 500; n++) {
		uint64_t va = operand() & ~3ull, code;
		struct entry *slot = jump_slot(va);

		start();
		op(IR_ADDI, 2, 2, IR_NONE, 16);
		end();
		lower_at(blocks_start + X86_BLOCK_MAX_BYTES);
		code = made.code;
		adder(blocks_start, 1, va, false);
		cpu.m.vars[2] = 0;
		assert_int_equal(enter(made.code), X86_LEFT);
		assert_int_equal(cpu.m.pc, va);
		*slot = (struct entry){ va ^ FETCH_KEY, code };
		assert_int_equal(enter(made.code), FIRST_EXIT);
		assert_int_equal(cpu.m.vars[2], 18);
		cpu.attention = 1;
		assert_int_equal(enter(made.code), X86_LEFT);
		cpu.attention = 0;
		cpu.fetch_key ^= 1ull << 50;
		assert_int_equal(enter(made.code), X86_LEFT);
		cpu.fetch_key = FETCH_KEY;
		assert_int_equal(cpu.m.vars[2], 20);
		slot->tag = ~0ull;
	}
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
	assert_false(x86_lower(&runtime, lowering, &a, &made));
	assert_ptr_equal(a.write, arena.write);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_operands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faulting_load_keeps_destination, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exec, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_branches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_linking, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jump_cache, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
