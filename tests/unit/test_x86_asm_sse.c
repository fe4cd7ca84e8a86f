/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/emit/asm.c core/log.c tests/unit/fake_platform.c */
/*
 * The x86-64 encoder's SSE instructions: run with random values in all SSE registers,
 * compared bit for bit with what the same instruction of the compiler's does.
 */
#include "tests/unit/asm_frame.h"

/* XMM0 to XMM15 before and after the code. */
static uint64_t xmm[16][2] __attribute__((aligned(16)));
static uint64_t xmm_before[16][2], xmm_wanted[16][2];
static uint8_t data[64] __attribute__((aligned(16)));

/* --- a frame around the code that loads and stores all SSE registers, by instructions of which a byte tells the register */

static void put(const uint8_t *bytes, size_t size)
{
	memcpy(as.write, bytes, size);
	as.write += size;
}

/* MOVAPS between an SSE register and [RAX + 16 * number]. */
static void move(unsigned n, bool to_memory)
{
	const uint8_t bytes[] = { (uint8_t)(n >= 8 ? 0x44 : 0x40),
				  0x0f,
				  to_memory ? 0x29 : 0x28,
				  (uint8_t)(0x80 | (n & 7) << 3),
				  (uint8_t)(16 * n),
				  0,
				  0,
				  0 };

	put(bytes, sizeof(bytes));
}

/* PUSH RAX; MOV RAX, &xmm; ...; POP RAX */
static void move_all(bool to_memory)
{
	const uint8_t begin[] = { 0x50, 0x48, 0xb8 }, end[] = { 0x58 };
	uint64_t address = (uint64_t)(uintptr_t)xmm;

	put(begin, sizeof(begin));
	put((const uint8_t *)&address, sizeof(address));
	for (unsigned n = 0; n < 16; n++)
		move(n, to_memory);
	put(end, sizeof(end));
}

static uint64_t number(void)
{
	static const uint64_t some[] = { 0,
					 1ull << 63,
					 0x3ff0000000000000,
					 0x4000000000000000,
					 0x7ff0000000000000,
					 0x7ff8000000000000,
					 0x0010000000000000,
					 0x3f80000040000000,
					 0x7f80000000000001 };

	if ((random64() & 3) == 0)
		return some[random64() % (sizeof(some) / sizeof(some[0]))];
	return (random64() & 3) == 0 ? random64() : 0x3f80000000000000 ^ random64() >> 8;
}

static void start_sse(void)
{
	start();
	for (unsigned n = 0; n < 32; n++)
		xmm[n / 2][n % 2] = number();
	for (size_t n = 0; n < sizeof(data); n += 8)
		memcpy(&data[n], &(uint64_t){ number() }, 8);
	memcpy(xmm_before, xmm, sizeof(xmm));
	memcpy(xmm_wanted, xmm, sizeof(xmm));
	move_all(false);
}

static void run_sse(void)
{
	move_all(true);
	run();
}

static void check_sse(void)
{
	check();
	for (unsigned n = 0; n < 16; n++)
		if (memcmp(xmm[n], xmm_wanted[n], 16) != 0)
			fail_msg("XMM%u is %016llx%016llx, not %016llx%016llx", n, (unsigned long long)xmm[n][1],
				 (unsigned long long)xmm[n][0], (unsigned long long)xmm_wanted[n][1],
				 (unsigned long long)xmm_wanted[n][0]);
}

/* All pairs of SSE registers. */
#define FOR_ALL(d, s) for (unsigned d = 0, s = 0, n_ = 0; n_ < 256; n_++, d = n_ / 16, s = n_ % 16)

/* --- moves */

static void test_moves(void **state)
{
	(void)state;
	FOR_ALL(d, s)
	{
		start_sse();
		x86_movaps(&as, (enum x86_xmm)d, (enum x86_xmm)s);
		run_sse();
		memcpy(xmm_wanted[d], xmm_before[s], 16);
		check_sse();
		start_sse();
		x86_movss(&as, (enum x86_xmm)d, (enum x86_xmm)s);
		run_sse();
		memcpy(xmm_wanted[d], xmm_before[s], 4);
		check_sse();
	}
}

/* Between the register files, of 32 and 64 bits. */
static void test_moves_of_general_registers(void **state)
{
	(void)state;
	FOR_ALL(x, r)
	{
		for (unsigned wide = 0; wide < 2; wide++) {
			if (r == RSP)
				continue;
			start_sse();
			x86_xmm_from_reg(&as, wide, (enum x86_xmm)x, (enum x86_reg)r);
			run_sse();
			xmm_wanted[x][0] = width(wide, before.reg[r]);
			xmm_wanted[x][1] = 0;
			check_sse();
			start_sse();
			x86_reg_from_xmm(&as, wide, (enum x86_reg)r, (enum x86_xmm)x);
			run_sse();
			wanted.reg[r] = width(wide, xmm_before[x][0]);
			check_sse();
		}
	}
}

/* A memory operand of data + 16. */
static struct x86_mem place(enum x86_reg base, int32_t displacement)
{
	frame.reg[base] = (uint64_t)(uintptr_t)&data[16] - (uint64_t)(int64_t)displacement;
	return x86_at(base, displacement);
}

static void test_memory(void **state)
{
	(void)state;
	FOR_ALL(x, r)
	{
		for (unsigned n = 0; n < 2 * NR_DISPLACEMENTS; n++) {
			int32_t displacement = displacements[n / 2];
			bool wide = n & 1;
			uint8_t old[sizeof(data)];

			if (r == RSP)
				continue;
			start_sse();
			x86_load_xmm(&as, wide, (enum x86_xmm)x, place((enum x86_reg)r, displacement));
			run_sse();
			memset(xmm_wanted[x], 0, 16);
			memcpy(xmm_wanted[x], &data[16], wide ? 8 : 4);
			check_sse();
			start_sse();
			memcpy(old, data, sizeof(data));
			x86_store_xmm(&as, wide, (enum x86_xmm)x, place((enum x86_reg)r, displacement));
			run_sse();
			check_sse();
			memcpy(&old[16], xmm_before[x], wide ? 8 : 4);
			assert_memory_equal(data, old, sizeof(data));
		}
	}
}

static void test_logic(void **state)
{
	(void)state;
	FOR_ALL(d, s)
	{
		for (unsigned n = 0; n < 4; n++) {
			bool is_xor = n & 1, from_memory = n & 2;
			enum x86_sse_logic logic = is_xor ? SSE_XOR : SSE_AND;
			uint64_t other[2];

			if (from_memory && s == RSP)
				continue;
			start_sse();
			if (from_memory)
				x86_sse_logic_load(&as, logic, (enum x86_xmm)d, place((enum x86_reg)s, 0));
			else
				x86_sse_logic_op(&as, logic, (enum x86_xmm)d, (enum x86_xmm)s);
			run_sse();
			memcpy(other, from_memory ? (const void *)&data[16] : xmm_before[s], 16);
			for (unsigned k = 0; k < 2; k++)
				xmm_wanted[d][k] = is_xor ? xmm_before[d][k] ^ other[k] : xmm_before[d][k] & other[k];
			check_sse();
		}
	}
}

static void test_paddq(void **state)
{
	(void)state;
	FOR_ALL(d, base)
	{
		uint64_t other[2];

		if (base == RSP)
			continue;
		start_sse();
		x86_paddq_load(&as, (enum x86_xmm)d, place((enum x86_reg)base, 0x1000));
		run_sse();
		memcpy(other, &data[16], 16);
		xmm_wanted[d][0] = xmm_before[d][0] + other[0];
		xmm_wanted[d][1] = xmm_before[d][1] + other[1];
		check_sse();
	}
}

/* --- arithmetic: the same instruction, written by the assembler, on XMM0 and XMM1 */

#define LIKE(insn)                                                                    \
	static void like_##insn(uint64_t d[2], const uint64_t s[2])                   \
	{                                                                             \
		__asm__ volatile("movups (%0), %%xmm0; movups (%1), %%xmm1\n\t" #insn \
				 " %%xmm1, %%xmm0\n\tmovups %%xmm0, (%0)"             \
				 :                                                    \
				 : "r"(d), "r"(s)                                     \
				 : "xmm0", "xmm1", "memory");                         \
	}

LIKE(addsd)
LIKE(addss)
LIKE(subsd)
LIKE(subss)
LIKE(mulsd)
LIKE(mulss)
LIKE(divsd)
LIKE(divss)
LIKE(sqrtsd)
LIKE(sqrtss)
LIKE(cvtss2sd)
LIKE(cvtsd2ss)

static void test_arithmetic(void **state)
{
	static const struct {
		enum x86_sse op;
		void (*like[2])(uint64_t d[2], const uint64_t s[2]); /* single, double */
	} ops[] = {
		{ SSE_ADD, { like_addss, like_addsd } },    { SSE_SUB, { like_subss, like_subsd } },
		{ SSE_MUL, { like_mulss, like_mulsd } },    { SSE_DIV, { like_divss, like_divsd } },
		{ SSE_SQRT, { like_sqrtss, like_sqrtsd } },
	};

	(void)state;
	FOR_ALL(d, s)
	{
		for (unsigned n = 0; n < 10; n++) {
			start_sse();
			x86_sse_op(&as, ops[n / 2].op, n & 1, (enum x86_xmm)d, (enum x86_xmm)s);
			run_sse();
			ops[n / 2].like[n & 1](xmm_wanted[d], xmm_before[s]);
			check_sse();
		}
		for (unsigned wide = 0; wide < 2; wide++) {
			start_sse();
			x86_cvt_size(&as, wide, (enum x86_xmm)d, (enum x86_xmm)s);
			run_sse();
			(wide ? like_cvtss2sd : like_cvtsd2ss)(xmm_wanted[d], xmm_before[s]);
			check_sse();
		}
	}
}

static double to_double(uint64_t v)
{
	double d;

	memcpy(&d, &v, sizeof(d));
	return d;
}

static float to_single(uint64_t v)
{
	float f;

	memcpy(&f, &v, sizeof(f));
	return f;
}

static void test_comparisons(void **state)
{
	(void)state;
	FOR_ALL(d, s)
	{
		for (unsigned n = 0; n < 8; n++) {
			double x, y;
			bool unordered, wide = n & 1;

			start_sse();
			x86_ucomis(&as, wide, (enum x86_xmm)d, (enum x86_xmm)s);
			run_sse();
			check_sse();
			x = wide ? to_double(xmm_before[d][0]) : (double)to_single(xmm_before[d][0]);
			y = wide ? to_double(xmm_before[s][0]) : (double)to_single(xmm_before[s][0]);
			unordered = __builtin_isunordered(x, y);
			assert_int_equal((frame.flags & FLAG_C) != 0, unordered || x < y);
			assert_int_equal((frame.flags & FLAG_Z) != 0, unordered || x == y);
			assert_int_equal((frame.flags & 4) != 0, unordered);
		}
	}
}

/* --- conversions of integers */

static void test_from_integers(void **state)
{
	(void)state;
	FOR_ALL(x, r)
	{
		for (unsigned n = 0; n < 4; n++) {
			bool wide = n & 1, from64 = n & 2;
			int64_t v;

			if (r == RSP)
				continue;
			start_sse();
			x86_cvt_from_int(&as, wide, from64, (enum x86_xmm)x, (enum x86_reg)r);
			run_sse();
			v = from64 ? (int64_t)before.reg[r] : (int32_t)before.reg[r];
			if (wide)
				memcpy(xmm_wanted[x], &(double){ (double)v }, 8);
			else
				memcpy(xmm_wanted[x], &(float){ (float)v }, 4);
			check_sse();
		}
	}
}

/* Nearest or toward zero; what does not fit is the least integer. */
static void test_to_integers(void **state)
{
	static const struct {
		double d;
		int64_t nearest, truncated;
	} numbers[] = { { 0, 0, 0 },
			{ 1.5, 2, 1 },
			{ 2.5, 2, 2 },
			{ -1.75, -2, -1 },
			{ -0.25, 0, 0 },
			{ 1048576.5, 1048576, 1048576 },
			{ 1e30, INT64_MIN, INT64_MIN } };

	(void)state;
	FOR_ALL(x, r)
	{
		for (unsigned n = 0; n < 8 * 7; n++) {
			bool wide = n & 1, to64 = n & 2, truncate = n & 4;
			int64_t v = truncate ? numbers[n / 8].truncated : numbers[n / 8].nearest;

			if (r == RSP)
				continue;
			start_sse();
			if (wide)
				memcpy(xmm[x], &numbers[n / 8].d, 8);
			else
				memcpy(xmm[x], &(float){ (float)numbers[n / 8].d }, 4);
			memcpy(xmm_wanted[x], xmm[x], 16);
			x86_cvt_to_int(&as, wide, to64, truncate, (enum x86_reg)r, (enum x86_xmm)x);
			run_sse();
			if (v == INT64_MIN && !to64)
				v = INT32_MIN;
			wanted.reg[r] = to64 ? (uint64_t)v : (uint32_t)v;
			check_sse();
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_moves),       TEST(test_moves_of_general_registers),
		TEST(test_memory),      TEST(test_logic),
		TEST(test_paddq),       TEST(test_arithmetic),
		TEST(test_comparisons), TEST(test_from_integers),
		TEST(test_to_integers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
