/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/emit/asm.c core/log.c tests/unit/fake_platform.c */
/* The x86-64 encoder: bits, extensions of BMI2, and arithmetic on memory. */
#include "tests/unit/asm_frame.h"

static bool host_has_bmi2(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("bmi2");
}

static uint64_t rotated(bool wide, uint64_t v, unsigned n)
{
	unsigned bits = wide ? 64 : 32;

	v = width(wide, v);
	n %= bits;
	return n == 0 ? v : width(wide, v >> n | v << (bits - n));
}

/* Sets all flags that instructions of BMI2 have to leave alone. */
static void set_carry(void)
{
	x86_alu_imm(&as, ALU_CMP, true, RSP, -1);
}

static void test_rorx(void **state)
{
	(void)state;
	if (!host_has_bmi2())
		skip();
	FOR_PAIRS(d, s)
	{
		for (unsigned n = 0; n < 64; n++) {
			bool wide = random64() & 1;

			start();
			set_carry();
			x86_rorx(&as, wide, d, s, n);
			run();
			wanted.reg[d] = rotated(wide, before.reg[s], n);
			check();
			assert_true(frame.flags & FLAG_C);
		}
	}
}

static void test_shifts_by_a_register(void **state)
{
	static const enum x86_shift ops[] = { SHIFT_SHL, SHIFT_SHR, SHIFT_SAR };

	(void)state;
	if (!host_has_bmi2())
		skip();
	FOR_PAIRS(d, s)
	{
		for (enum x86_reg count = RAX; count <= R15; count++) {
			bool wide = random64() & 1;
			unsigned bits = wide ? 64 : 32, k = random64() % 3, n;
			uint64_t v;

			if (count == RSP)
				continue;
			start();
			set_carry();
			x86_shiftx(&as, ops[k], wide, d, s, count);
			run();
			n = before.reg[count] % bits;
			v = width(wide, before.reg[s]);
			if (ops[k] == SHIFT_SHL)
				v <<= n;
			else if (ops[k] == SHIFT_SHR)
				v >>= n;
			else
				v = (uint64_t)((int64_t)extended(true, bits / 8, v) >> n);
			wanted.reg[d] = width(wide, v);
			check();
			assert_true(frame.flags & FLAG_C);
		}
	}
}

static uint64_t extracted(uint32_t v, uint32_t mask)
{
	uint64_t result = 0;

	for (unsigned n = 0, to = 0; n < 32; n++)
		if ((mask >> n & 1) != 0)
			result |= (uint64_t)(v >> n & 1) << to++;
	return result;
}

/* Its operand has no index. */
static void test_pext(void **state)
{
	(void)state;
	if (!host_has_bmi2())
		skip();
	FOR_PAIRS(d, s)
	{
		for (enum x86_reg base = RAX; base <= R15; base++) {
			int32_t displacement = displacements[random64() % NR_DISPLACEMENTS];

			if (base == RSP)
				continue;
			fill();
			start();
			frame.reg[base] = (uint64_t)(uintptr_t)&memory[256] - (uint64_t)(int64_t)displacement;
			x86_pext_load(&as, d, s, x86_at(base, displacement));
			run();
			wanted.reg[d] = extracted((uint32_t)before.reg[s], (uint32_t)content(4));
			check();
		}
	}
}

static void test_bit_reset(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 16 * 64; n++) {
		enum x86_reg d = (enum x86_reg)(n / 64);
		unsigned bit = n % 64;

		if (d == RSP)
			continue;
		start();
		x86_btr(&as, d, bit);
		run();
		wanted.reg[d] = width(bit >= 32, before.reg[d] & ~(1ull << bit));
		check();
		assert_int_equal(frame.flags & FLAG_C, before.reg[d] >> bit & 1);
	}
}

static void test_bit_scan(void **state)
{
	(void)state;
	FOR_PAIRS(d, s)
	{
		for (unsigned n = 0; n < 64; n++) {
			bool wide = random64() & 1;
			uint64_t v;

			start();
			frame.reg[s] >>= n;
			v = width(wide, frame.reg[s]);
			x86_bsr(&as, wide, d, s);
			run();
			assert_int_equal((frame.flags & FLAG_Z) != 0, v == 0);
			wanted.reg[d] = v != 0 ? 63u - (unsigned)__builtin_clzll(v) : frame.reg[d];
			check();
		}
	}
}

static void test_sign_of_rax(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 40; n++) {
		bool wide = n & 1;

		start();
		x86_cqo(&as, wide);
		run();
		wanted.reg[RDX] = before.reg[RAX] >> (wide ? 63 : 31) & 1 ? width(wide, ~0ull) : 0;
		check();
	}
}

/* It changes flags alone, and its second byte is the value. */
static void test_test_al(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 256; n++) {
		start();
		x86_test_al_imm(&as, n);
		assert_int_equal(as.write - arena.write, 2);
		assert_int_equal(arena.write[1], n);
		run();
		check();
		assert_int_equal((frame.flags & FLAG_Z) != 0, (before.reg[RAX] & n) == 0);
	}
}

static void test_immediate_stores(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 16 * 4 * NR_DISPLACEMENTS; n++) {
		enum x86_reg base = (enum x86_reg)(n & 15);
		unsigned size = 1u << (n >> 4 & 3);
		int32_t value = random64() & 1 ? (int32_t)random64() : (int8_t)random64();

		if (base == RSP)
			continue;
		fill();
		start();
		x86_store_imm(&as, size, value, reach(base, base, displacements[n >> 6]));
		run();
		check();
		check_memory(size, (uint64_t)(int64_t)value);
	}
}

/* Without a carry to come in. */
static uint64_t result_of(enum x86_alu op, uint64_t a, uint64_t b)
{
	switch (op) {
	case ALU_ADD:
	case ALU_ADC: return a + b;
	case ALU_OR: return a | b;
	case ALU_SBB:
	case ALU_SUB: return a - b;
	case ALU_AND: return a & b;
	case ALU_XOR: return a ^ b;
	default: return a;
	}
}

static void test_arithmetic_on_memory(void **state)
{
	(void)state;
	FOR_PAIRS(s, base)
	{
		for (unsigned n = 0; n < 8 * 3; n++) {
			enum x86_alu op = (enum x86_alu)(n / 3);
			unsigned size = n % 3 == 0 ? 1 : n % 3 == 1 ? 4 : 8;
			int32_t displacement = displacements[random64() % NR_DISPLACEMENTS];
			int8_t value = (int8_t)random64();
			uint64_t old, other;

			fill();
			old = content(size);
			start();
			x86_test(&as, true, RAX, RAX); /* clears carry */
			if (size == 1)
				x86_alu_store_imm8(&as, op, value, reach(base, s, displacement));
			else
				x86_alu_store_imm(&as, op, size == 8, value, reach(base, s, displacement));
			run();
			check();
			other = size == 1 ? (uint8_t)value : (uint64_t)(int64_t)value;
			check_memory(size, result_of(op, old, other));
			if (op == ALU_CMP)
				assert_int_equal((frame.flags & FLAG_C) != 0,
						 old < (size == 4 ? (uint32_t)other : other));
		}
	}
}

/* In half of the rounds memory is what RAX says. */
static void test_compare_and_exchange(void **state)
{
	(void)state;
	FOR_PAIRS(s, base)
	{
		for (unsigned n = 0; n < 16; n++) {
			bool wide = (n & 1) != 0, equal = (n & 2) != 0;
			unsigned size = wide ? 8 : 4;
			struct x86_mem m;
			uint64_t old;

			if (s == RAX || base == RAX)
				continue;
			fill();
			old = content(size);
			start();
			frame.reg[RAX] = equal ? old : width(wide, ~old);
			m = reach(base, s, displacements[random64() % NR_DISPLACEMENTS]);
			x86_lock_cmpxchg(&as, wide, m, s);
			x86_fence(&as);
			run();
			wanted.reg[RAX] = old; /* as before, or loaded */
			check();
			check_memory(size, equal ? width(wide, before.reg[s]) : old);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rorx),
		TEST(test_shifts_by_a_register),
		TEST(test_pext),
		TEST(test_bit_reset),
		TEST(test_bit_scan),
		TEST(test_sign_of_rax),
		TEST(test_test_al),
		TEST(test_immediate_stores),
		TEST(test_arithmetic_on_memory),
		TEST(test_compare_and_exchange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
