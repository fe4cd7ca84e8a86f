/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/emit/asm.c core/log.c tests/unit/fake_platform.c */
/*
 * The x86-64 encoder: each function's instruction is run with random values in all
 * registers, and whatever it does to any register, flag or memory is compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/emit/asm.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/asm_frame.h"

static void test_moves(void **state)
{
	(void)state;
	FOR_PAIRS(d, s)
	{
		for (unsigned n = 0; n < 2; n++) {
			start();
			x86_mov(&as, n, d, s);
			run();
			wanted.reg[d] = width(n, before.reg[s]);
			check();
		}
		start();
		x86_movsxd(&as, d, s);
		run();
		wanted.reg[d] = extended(true, 4, before.reg[s]);
		check();
		for (unsigned n = 0; n < 4; n++) {
			start();
			x86_extend(&as, n & 1, 1 + n / 2, d, s);
			run();
			wanted.reg[d] = extended(n & 1, 1 + n / 2, before.reg[s]);
			check();
		}
	}
}

static void test_immediates(void **state)
{
	static const uint64_t values[] = {
		0,           1,     0x7fffffff,         0x80000000,         0xffffffff,
		0x100000000, ~0ull, 0xffffffff80000000, 0xffffffff7fffffff, 0x123456789abcdef0
	};

	(void)state;
	for (enum x86_reg d = RAX; d <= R15; d++) {
		for (unsigned n = 0; d != RSP && n < 2 * sizeof(values) / sizeof(values[0]); n++) {
			start();
			/* Sets the carry flag, which XOR clears. */
			frame.reg[RCX] = 0;
			x86_alu_imm(&as, ALU_CMP, true, RCX, 1);
			(n & 1 ? x86_mov_imm_keep_flags : x86_mov_imm)(&as, d, values[n / 2]);
			run();
			wanted.reg[d] = values[n / 2];
			check();
			if (n & 1)
				assert_true(frame.flags & FLAG_C);
		}
	}
}

/* LEA has any memory operand, and reads none. */
static void test_addresses(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 16 * 16 * 4 * NR_DISPLACEMENTS; n++) {
		struct x86_mem m = { .base = (enum x86_reg)(n & 15),
				     .index = (enum x86_reg)(n >> 4 & 15),
				     .scale = (uint8_t)(n >> 8 & 3),
				     .disp = displacements[n >> 10] };
		enum x86_reg d = (enum x86_reg)(random64() & 15);
		bool wide = random64() & 1;
		uint64_t index;

		if (m.index == X86_NO_INDEX)
			m.scale = 0;
		d = d == RSP ? R12 : d;
		start();
		x86_lea(&as, wide, d, m);
		run();
		index = m.index == X86_NO_INDEX ? 0 : before.reg[m.index] << m.scale;
		wanted.reg[d] = width(wide, before.reg[m.base] + index + (uint64_t)(int64_t)m.disp);
		check();
	}
}

static void test_loads(void **state)
{
	(void)state;
	FOR_PAIRS(d, base)
	{
		for (unsigned n = 0; n < 9 * NR_DISPLACEMENTS; n++) {
			unsigned size = 1u << (n % 9 / 2 & 3);
			struct x86_mem m;

			fill();
			start();
			m = reach(base, base, displacements[n / 9]);
			if (n % 9 == 8)
				x86_load64(&as, d, m), size = 8;
			else
				x86_load(&as, n % 9 & 1, size, d, m);
			run();
			wanted.reg[d] = extended(n % 9 & 1, size, content(size));
			check();
		}
	}
}

static void test_stores(void **state)
{
	(void)state;
	FOR_PAIRS(s, base)
	{
		for (unsigned n = 0; n < 4 * NR_DISPLACEMENTS; n++) {
			unsigned size = 1u << n % 4;

			fill();
			start();
			x86_store(&as, size, s, reach(base, s, displacements[n / 4]));
			run();
			check();
			check_memory(size, before.reg[s]);
		}
	}
}

static void test_immediate_stores(void **state)
{
	static const int32_t values[] = { 0, 1, -1, 127, -128, 128, -129, 0x12345678, INT32_MIN };

	(void)state;
	for (unsigned n = 0; n < 16 * 2 * 9 * NR_DISPLACEMENTS; n++) {
		enum x86_reg base = (enum x86_reg)(n & 15);
		bool wide = n >> 4 & 1;
		int32_t value = values[n / 32 % 9], displacement = displacements[n / 32 / 9];
		uint64_t old;

		if (base == RSP)
			continue;
		fill();
		start();
		x86_store_imm(&as, wide ? 8 : 4, value, reach(base, base, displacement));
		run();
		check();
		check_memory(wide ? 8 : 4, (uint64_t)(int64_t)value);

		fill();
		old = content(8);
		start();
		x86_alu_store_imm(&as, ALU_ADD, wide, value, reach(base, base, displacement));
		run();
		check();
		check_memory(wide ? 8 : 4, old + (uint64_t)(int64_t)value);

		fill();
		old = content(wide ? 8 : 4);
		start();
		x86_alu_store_imm(&as, ALU_CMP, wide, value, reach(base, base, displacement));
		run();
		check();
		assert_int_equal((frame.flags & FLAG_C) != 0, old < width(wide, (uint64_t)(int64_t)value));
		check_memory(0, 0);
	}
}

/* Without a carry to come in. */
static uint64_t alu(enum x86_alu op, bool wide, uint64_t a, uint64_t b)
{
	switch (op) {
	case ALU_ADD:
	case ALU_ADC: return width(wide, a + b);
	case ALU_OR: return width(wide, a | b);
	case ALU_SBB:
	case ALU_SUB: return width(wide, a - b);
	case ALU_AND: return width(wide, a & b);
	case ALU_XOR: return width(wide, a ^ b);
	default: return a;
	}
}

static void test_arithmetic(void **state)
{
	(void)state;
	FOR_PAIRS(d, s)
	{
		for (unsigned n = 0; n < 16; n++) {
			enum x86_alu op = (enum x86_alu)(n / 2);
			bool wide = n & 1;
			int32_t imm = random64() & 1 ? (int32_t)random64() : (int8_t)random64();

			start();
			x86_test(&as, true, RAX, RAX); /* clears carry */
			x86_alu(&as, op, wide, d, s);
			run();
			wanted.reg[d] = alu(op, wide, before.reg[d], before.reg[s]);
			check();
			if (op == ALU_CMP)
				assert_int_equal((frame.flags & FLAG_C) != 0,
						 width(wide, before.reg[d]) < width(wide, before.reg[s]));

			start();
			x86_test(&as, true, RAX, RAX);
			x86_alu_imm(&as, op, wide, d, imm);
			run();
			wanted.reg[d] = alu(op, wide, before.reg[d], (uint64_t)(int64_t)imm);
			check();

			fill();
			start();
			x86_test(&as, true, RAX, RAX);
			x86_alu_load(&as, op, wide, d, reach(s, d, displacements[n % NR_DISPLACEMENTS]));
			run();
			wanted.reg[d] = alu(op, wide, before.reg[d], content(8));
			check();
			check_memory(0, 0);
		}
		start();
		x86_imul(&as, true, d, s);
		run();
		wanted.reg[d] = before.reg[d] * before.reg[s];
		check();
		start();
		x86_imul(&as, false, d, s);
		run();
		wanted.reg[d] = (uint32_t)(before.reg[d] * before.reg[s]);
		check();
	}
}

static uint64_t shift(enum x86_shift op, bool wide, uint64_t v, unsigned n)
{
	unsigned bits = wide ? 64 : 32;

	v = width(wide, v);
	n &= bits - 1;
	switch (op) {
	case SHIFT_ROL: return n == 0 ? v : width(wide, v << n | v >> (bits - n));
	case SHIFT_ROR: return n == 0 ? v : width(wide, v >> n | v << (bits - n));
	case SHIFT_SHL: return width(wide, v << n);
	case SHIFT_SHR: return v >> n;
	default: return width(wide, (uint64_t)((int64_t)extended(true, bits / 8, v) >> n));
	}
}

static void test_shifts(void **state)
{
	static const enum x86_shift ops[] = { SHIFT_ROL, SHIFT_ROR, SHIFT_SHL, SHIFT_SHR, SHIFT_SAR };

	(void)state;
	for (unsigned n = 0; n < 16 * 2 * 5 * 64; n++) {
		enum x86_reg d = (enum x86_reg)(n & 15);
		bool wide = n >> 4 & 1;
		unsigned count = n >> 5 & 63;
		enum x86_shift op = ops[n >> 11];

		if (d == RSP)
			continue;
		start();
		x86_shift_imm(&as, op, wide, d, count);
		run();
		wanted.reg[d] = shift(op, wide, before.reg[d], count);
		check();
		start();
		x86_shift_cl(&as, op, wide, d);
		run();
		wanted.reg[d] = shift(op, wide, before.reg[d], before.reg[RCX] & 0xff);
		check();
		start();
		x86_bt(&as, d, count);
		run();
		check();
		assert_int_equal(frame.flags & FLAG_C, before.reg[d] >> count & 1);
	}
}

static void wide_product(bool is_signed, uint64_t factor)
{
	unsigned __int128 u = (unsigned __int128)before.reg[RAX] * factor;
	__int128 s = (__int128)(int64_t)before.reg[RAX] * (int64_t)factor;

	wanted.reg[RAX] = (uint64_t)u;
	wanted.reg[RDX] = is_signed ? (uint64_t)(s >> 64) : (uint64_t)(u >> 64);
}

static void test_unary(void **state)
{
	(void)state;
	for (enum x86_reg d = RAX; d <= R15; d++) {
		for (unsigned n = 0; d != RSP && n < 8; n++) {
			bool wide = n & 1;

			start();
			x86_unary(&as, n < 4 ? UNARY_NOT : UNARY_NEG, wide, d);
			run();
			wanted.reg[d] = width(wide, n < 4 ? ~before.reg[d] : -before.reg[d]);
			check();
			start();
			x86_unary(&as, n < 4 ? UNARY_MUL : UNARY_IMUL, true, d);
			run();
			wide_product(n >= 4, before.reg[d]);
			check();
			start();
			x86_bswap(&as, wide, d);
			run();
			wanted.reg[d] =
				wide ? __builtin_bswap64(before.reg[d]) : __builtin_bswap32((uint32_t)before.reg[d]);
			check();
			if (d == RAX || d == RDX)
				continue;
			start();
			frame.reg[RDX] = n < 4 ? 0 : (uint64_t)((int64_t)frame.reg[RAX] >> 63);
			frame.reg[d] |= 2; /* neither 0 nor, in effect, -1 with the smallest number */
			x86_unary(&as, n < 4 ? UNARY_DIV : UNARY_IDIV, true, d);
			run();
			if (n < 4) {
				wanted.reg[RAX] = before.reg[RAX] / before.reg[d];
				wanted.reg[RDX] = before.reg[RAX] % before.reg[d];
			} else {
				wanted.reg[RAX] = (uint64_t)((int64_t)before.reg[RAX] / (int64_t)before.reg[d]);
				wanted.reg[RDX] = (uint64_t)((int64_t)before.reg[RAX] % (int64_t)before.reg[d]);
			}
			check();
		}
	}
}

/* What a comparison of a with b makes of a condition. */
static bool holds(enum x86_cc cc, uint64_t a, uint64_t b)
{
	int64_t difference;
	bool result;

	switch (cc >> 1) {
	case CC_O >> 1: result = __builtin_sub_overflow((int64_t)a, (int64_t)b, &difference); break;
	case CC_B >> 1: result = a < b; break;
	case CC_E >> 1: result = a == b; break;
	case CC_BE >> 1: result = a <= b; break;
	case CC_S >> 1: result = (a - b) >> 63; break;
	case CC_P >> 1: result = __builtin_parityll((a - b) & 0xff) == 0; break;
	case CC_L >> 1: result = (int64_t)a < (int64_t)b; break;
	default: result = (int64_t)a <= (int64_t)b; break;
	}
	return result != (cc & 1);
}

/* Sets RAX and RCX to a pair to compare. */
static void compare(unsigned n)
{
	static const uint64_t values[][2] = {
		{ 1, 1 },     { 0, 1 },     { 1, 0 }, { (uint64_t)INT64_MIN, 1 }, { INT64_MAX, ~0ull },
		{ ~0ull, 0 }, { 0, ~0ull }, { 3, 0 }
	};

	start();
	frame.reg[RAX] = values[n][0];
	frame.reg[RCX] = values[n][1];
	x86_alu(&as, ALU_CMP, true, RAX, RCX);
}

static void test_conditions(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 16 * 8; n++) {
		enum x86_cc cc = (enum x86_cc)(n & 15);
		uint8_t *jump;
		bool yes;

		FOR_PAIRS(d, s)
		{
			compare(n >> 4);
			x86_cmov(&as, cc, d, s);
			run();
			yes = holds(cc, before.reg[RAX], before.reg[RCX]);
			wanted.reg[d] = before.reg[yes ? s : d];
			check();
			if (s != RAX)
				continue;
			compare(n >> 4);
			x86_setcc(&as, cc, d);
			run();
			wanted.reg[d] = yes;
			check();
		}
		compare(n >> 4);
		jump = x86_jcc(&as, cc, 0);
		x86_mov_imm(&as, R14, 1);
		x86_ret(&as);
		x86_patch(jump, as.to_execute, x86_here(&as));
		x86_mov_imm(&as, R14, 2);
		run();
		wanted.reg[R14] = holds(cc, before.reg[RAX], before.reg[RCX]) ? 2 : 1;
		check();
	}
}

static void test_test(void **state)
{
	(void)state;
	FOR_PAIRS(d, s)
	{
		for (unsigned n = 0; n < 2; n++) {
			uint64_t both;

			start();
			frame.reg[d] = random64() & 0xffffffff00000003;
			x86_test(&as, n, d, s);
			run();
			both = width(n, before.reg[d] & before.reg[s]);
			check();
			assert_int_equal((frame.flags & FLAG_Z) != 0, both == 0);
			assert_int_equal((frame.flags & FLAG_S) != 0, both >> (n ? 63 : 31) & 1);
			assert_int_equal(frame.flags & (FLAG_C | FLAG_O), 0);
		}
	}
}

/* Where a piece of code is that puts a number into R14. */
static uint64_t landing(uint8_t *at, uint64_t number)
{
	struct x86_asm a = as;

	a.write = at;
	x86_mov_imm(&a, R14, number);
	x86_ret(&a);
	return (uint64_t)(uintptr_t)at + (uint64_t)as.to_execute;
}

static void test_jumps(void **state)
{
	uint8_t *back = arena.write + 4096, *front = arena.write + 40000, *displacement;

	(void)state;
	for (enum x86_reg r = RAX; r <= R15; r++) {
		if (r == RSP || r == R14)
			continue;
		start();
		frame.reg[r] = landing(front, 7);
		x86_jmp_reg(&as, r);
		run();
		wanted.reg[R14] = 7;
		check();
		start();
		frame.reg[r] = landing(front, 8);
		x86_call_reg(&as, r);
		x86_alu_imm(&as, ALU_ADD, true, R14, 1);
		run();
		wanted.reg[R14] = 9;
		check();
		for (unsigned n = 0; n < NR_DISPLACEMENTS; n++) {
			start();
			memcpy(&memory[256], &(uint64_t){ landing(front, 10) }, 8);
			x86_jmp_mem(&as, reach(r, R14, displacements[n]));
			run();
			wanted.reg[R14] = 10;
			check();
		}
	}
	for (unsigned n = 0; n < 2; n++) {
		start();
		as.write = arena.write + 20000;
		frame.code = x86_here(&as);
		displacement = x86_jmp(&as, landing(n ? front : back, 3));
		run();
		wanted.reg[R14] = 3;
		check();
		x86_patch(displacement, as.to_execute, landing(n ? back : front, 4));
		run();
		wanted.reg[R14] = 4;
		check();
		start();
		as.write = arena.write + 20000;
		frame.code = x86_here(&as);
		x86_call(&as, landing(n ? front : back, 5));
		x86_alu_imm(&as, ALU_ADD, true, R14, 1);
		run();
		wanted.reg[R14] = 6;
		check();
	}
}

static void test_stack(void **state)
{
	(void)state;
	FOR_PAIRS(d, s)
	{
		start();
		x86_alu_imm(&as, ALU_SUB, true, RSP, 264);
		x86_push(&as, s);
		x86_pop(&as, d);
		x86_store(&as, 8, s, x86_at(RSP, 0));
		x86_store(&as, 8, d, x86_at(RSP, 8));
		x86_load64(&as, d, x86_at(RSP, 0));
		x86_load64(&as, s, x86_at(RSP, 8));
		x86_alu_imm(&as, ALU_ADD, true, RSP, 264);
		run();
		wanted.reg[d] = before.reg[s];
		check();
	}
}

static void test_ud2(void **state)
{
	(void)state;
	start();
	x86_ud2(&as);
	assert_int_equal(as.write - arena.write, 2);
	assert_memory_equal(arena.write, "\x0f\x0b", 2);
}

/* Nothing is written behind the end of the buffer, whatever the instruction. */
static void test_overflow(void **state)
{
	(void)state;
	for (unsigned room = 0; room < 10; room++) {
		start();
		memset(arena.write, 0xee, 32);
		as.end = arena.write + room;
		x86_mov_imm(&as, R9, 0x123456789abcdef0);
		assert_true(as.overflow);
		assert_ptr_equal(as.write, as.end);
		for (unsigned n = room; n < 32; n++)
			assert_int_equal(arena.write[n], 0xee);
	}
	start();
	as.end = arena.write + 10;
	x86_mov_imm(&as, R9, 0x123456789abcdef0);
	assert_false(as.overflow);
	assert_ptr_equal(as.write, as.end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_moves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_immediates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stores, setup, teardown),
		cmocka_unit_test_setup_teardown(test_immediate_stores, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arithmetic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shifts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unary, setup, teardown),
		cmocka_unit_test_setup_teardown(test_conditions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_test, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jumps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ud2, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overflow, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
