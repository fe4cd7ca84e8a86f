/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-on-demand/on_demand.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c arch/mips64/guest/octeon/octeon.c */
/* Arithmetic, logic, shifts, bit fields, multiply and divide, and Octeon's additions: words against expected results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/mips_fixture.h"

/* rs is $4, rt is $5, the destination $2 in every word below. */
struct result {
	const char *name;
	uint32_t word;
	uint64_t rs, rt, rd;
};

#define S(funct)       SPECIAL(funct, 2, 4, 5)
#define SHIFT(f, sa)   R_TYPE(0, 0, 5, 2, sa, f)
#define IMM(op, imm)   I_TYPE(op, 4, 2, imm)
#define FIELD(f, a, b) R_TYPE(0x1f, 4, 2, a, b, f)
#define BSHFL(f, sa)   R_TYPE(0x1f, 0, 5, 2, sa, f)
#define MIN32          0xffffffff80000000ull
#define ONES           0xffffffffffffffffull

static const struct result results[] = {
	{ "addu wraps and extends", S(0x21), 0x7fffffff, 1, MIN32 },
	{ "subu", S(0x23), 0, 1, ONES },
	{ "daddu", S(0x2d), 0x7fffffff, 1, 0x80000000 },
	{ "dsubu", S(0x2f), 0, 1, ONES },
	{ "add", S(0x20), 5, (uint64_t)-7, (uint64_t)-2 },
	{ "dadd", S(0x2c), 1ull << 40, 1, (1ull << 40) + 1 },
	{ "dsub", S(0x2e), 1, 2, ONES },
	{ "and", S(0x24), 0xff00ff00ff00ff00ull, 0x0ff00ff00ff00ff0ull, 0x0f000f000f000f00ull },
	{ "or", S(0x25), 0xf0, 0x0f, 0xff },
	{ "xor", S(0x26), 0xff, 0x0f, 0xf0 },
	{ "nor", S(0x27), 0, 0, ONES },
	{ "slt signed", S(0x2a), ONES, 0, 1 },
	{ "sltu", S(0x2b), ONES, 0, 0 },
	{ "movz moves", S(0x0a), 7, 0, 7 },
	{ "movn moves", S(0x0b), 7, 1, 7 },
	{ "addiu", IMM(0x09, -1), 0, 0, ONES },
	{ "addiu wraps", IMM(0x09, 1), 0x7fffffff, 0, MIN32 },
	{ "daddiu", IMM(0x19, 1), 0x7fffffff, 0, 0x80000000 },
	{ "addi", IMM(0x08, -2), 1, 0, ONES },
	{ "slti", IMM(0x0a, -1), (uint64_t)-2, 0, 1 },
	{ "sltiu compares with the extended immediate", IMM(0x0b, -1), 5, 0, 1 },
	{ "andi zero-extends", IMM(0x0c, 0xffff), ONES, 0, 0xffff },
	{ "ori", IMM(0x0d, 0x8000), 1, 0, 0x8001 },
	{ "xori", IMM(0x0e, 0xffff), ONES, 0, 0xffffffffffff0000ull },
	{ "lui extends", LUI(2, 0x8000), 0, 0, MIN32 },
	{ "sll", SHIFT(0x00, 31), 0, 1, MIN32 },
	{ "srl takes 32 bits", SHIFT(0x02, 4), 0, 0xfffffffff0000000ull, 0x0f000000 },
	{ "srl 0 extends", SHIFT(0x02, 0), 0, 0x80000000, MIN32 },
	{ "sra", SHIFT(0x03, 4), 0, MIN32, 0xfffffffff8000000ull },
	{ "rotr", R_TYPE(0, 1, 5, 2, 8, 0x02), 0, 0x12345678, 0x78123456 },
	{ "rotr 0", R_TYPE(0, 1, 5, 2, 0, 0x02), 0, 0x82345678, 0xffffffff82345678ull },
	{ "sllv masks", S(0x04), 33, 1, 2 },
	{ "srlv", S(0x06), 4, 0x80000000, 0x08000000 },
	{ "srav", S(0x07), 4, MIN32, 0xfffffffff8000000ull },
	{ "rotrv", R_TYPE(0, 4, 5, 2, 1, 0x06), 16, 0x12345678, 0x56781234 },
	{ "dsll", SHIFT(0x38, 31), 0, 1, 0x80000000 },
	{ "dsll32", SHIFT(0x3c, 31), 0, 1, 1ull << 63 },
	{ "dsrl", SHIFT(0x3a, 4), 0, ONES, 0x0fffffffffffffffull },
	{ "dsrl32", SHIFT(0x3e, 0), 0, ONES, 0xffffffff },
	{ "dsra", SHIFT(0x3b, 4), 0, 1ull << 63, 0xf800000000000000ull },
	{ "dsra32", SHIFT(0x3f, 31), 0, 1ull << 63, ONES },
	{ "drotr", R_TYPE(0, 1, 5, 2, 4, 0x3a), 0, 0x1, 0x1000000000000000ull },
	{ "drotr 0", R_TYPE(0, 1, 5, 2, 0, 0x3a), 0, 0x5, 0x5 },
	{ "drotr32", R_TYPE(0, 1, 5, 2, 4, 0x3e), 0, 0x1, 0x10000000 },
	{ "dsllv", S(0x14), 65, 1, 2 },
	{ "dsrlv", S(0x16), 60, ONES, 15 },
	{ "dsrav", S(0x17), 60, 1ull << 63, 0xfffffffffffffff8ull },
	{ "drotrv", R_TYPE(0, 4, 5, 2, 1, 0x16), 8, 0xff, 0xff00000000000000ull },
	{ "seb", BSHFL(0x20, 0x10), 0, 0x80, 0xffffffffffffff80ull },
	{ "seh", BSHFL(0x20, 0x18), 0, 0x8000, 0xffffffffffff8000ull },
	{ "wsbh", BSHFL(0x20, 0x02), 0, 0x11223344, 0x22114433 },
	{ "dsbh", BSHFL(0x24, 0x02), 0, 0x1122334455667788ull, 0x2211443366558877ull },
	{ "dshd", BSHFL(0x24, 0x05), 0, 0x1122334455667788ull, 0x7788556633441122ull },
	{ "clz", R_TYPE(0x1c, 4, 2, 2, 0, 0x20), 1, 0, 31 },
	{ "clz of 0", R_TYPE(0x1c, 4, 2, 2, 0, 0x20), 0xffffffff00000000ull, 0, 32 },
	{ "clo", R_TYPE(0x1c, 4, 2, 2, 0, 0x21), 0xf0000000, 0, 4 },
	{ "clo of ones", R_TYPE(0x1c, 4, 2, 2, 0, 0x21), ONES, 0, 32 },
	{ "dclz", R_TYPE(0x1c, 4, 2, 2, 0, 0x24), 1, 0, 63 },
	{ "dclz of 0", R_TYPE(0x1c, 4, 2, 2, 0, 0x24), 0, 0, 64 },
	{ "dclo", R_TYPE(0x1c, 4, 2, 2, 0, 0x25), ONES, 0, 64 },
	{ "ext", FIELD(0x00, 7, 8), 0x12345678, 0, 0x56 },
	{ "ext of 32 bits extends", FIELD(0x00, 31, 0), 0x80000000, 0, MIN32 },
	{ "dext", FIELD(0x03, 31, 16), 0x123456789abcdef0ull, 0, 0x56789abc },
	{ "dextm", FIELD(0x01, 15, 4), 0x123456789abcdef0ull, 0, 0x456789abcdefull },
	{ "dextu", FIELD(0x02, 7, 8), 0x123456789abcdef0ull, 0, 0x56 },
	{ "mul", SPECIAL2(0x02, 2, 4, 5), 0x10000, 0x8000, MIN32 },
	{ NULL, 0, 0, 0, 0 },
};

static const struct result octeon_results[] = {
	{ "baddu", SPECIAL2(0x28, 2, 4, 5), 0xff, 0x02, 0x01 },
	{ "dmul", SPECIAL2(0x03, 2, 4, 5), 1ull << 33, 1ull << 30, 1ull << 63 },
	{ "seq", SPECIAL2(0x2a, 2, 4, 5), 5, 5, 1 },
	{ "sne", SPECIAL2(0x2b, 2, 4, 5), 5, 5, 0 },
	{ "seqi negative", 0x70000000 | 4u << 21 | 2u << 16 | (0x3fbu << 6) | 0x2e, (uint64_t)-5, 0, 1 },
	{ "snei", 0x70000000 | 4u << 21 | 2u << 16 | (5u << 6) | 0x2f, 5, 0, 0 },
	{ "pop counts 32 bits", SPECIAL2(0x2c, 2, 4, 0), 0xffffffff00000003ull, 0, 2 },
	{ "dpop", SPECIAL2(0x2d, 2, 4, 0), 0xffffffff00000003ull, 0, 34 },
	{ "exts", R_TYPE(0x1c, 4, 2, 7, 8, 0x3a), 0x8000, 0, 0xffffffffffffff80ull },
	{ "exts of 32 bits", R_TYPE(0x1c, 4, 2, 31, 31, 0x3a), 1ull << 62, 0, 0xffffffff80000000ull },
	{ "exts32", R_TYPE(0x1c, 4, 2, 3, 4, 0x3b), 0x9ull << 36, 0, 0xfffffffffffffff9ull },
	{ "cins", R_TYPE(0x1c, 4, 2, 7, 8, 0x32), 0x1ff, 0, 0xff00 },
	{ "cins32", R_TYPE(0x1c, 4, 2, 7, 0, 0x33), 0x1ff, 0, 0xff00000000ull },
	{ NULL, 0, 0, 0, 0 },
};

static void check(struct fixture *f, const struct result *r)
{
	for (; r->name != NULL; r++) {
		f->cpu->gpr[2] = 0x1234;
		f->cpu->gpr[4] = r->rs;
		f->cpu->gpr[5] = r->rt;
		fixture_exec(f, r->word);
		if (f->cpu->gpr[2] != r->rd || f->cpu->pc != CODE + 4)
			fail_msg("%s: %08x gives %016llx at pc %llx, not %016llx", r->name, r->word,
				 (unsigned long long)f->cpu->gpr[2], (unsigned long long)f->cpu->pc,
				 (unsigned long long)r->rd);
		assert_int_equal(f->cpu->gpr[0], 0);
	}
}

static void test_results(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	check(f, results);
	fixture_free(f);
}

static void test_octeon_results(void **state)
{
	struct fixture *f = fixture_new_with(MIPS_HAS_OCTEON, false);

	(void)state;
	check(f, results);
	check(f, octeon_results);
	fixture_free(f);
}

static void test_octeon_words_need_an_octeon(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	for (const struct result *r = octeon_results; r->name != NULL; r++) {
		mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_EXL);
		fixture_exec(f, r->word);
		assert_int_equal(fixture_exccode(f), EXC_RI);
		assert_int_equal(f->cpu->cp0.epc, CODE);
	}
	fixture_free(f);
}

static void test_conditional_moves_keep(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->cpu->gpr[2] = 9;
	f->cpu->gpr[5] = 1;
	fixture_exec(f, S(0x0a));
	assert_int_equal(f->cpu->gpr[2], 9);
	f->cpu->gpr[5] = 0;
	fixture_exec(f, S(0x0b));
	assert_int_equal(f->cpu->gpr[2], 9);
	fixture_free(f);
}

static void test_inserts(void **state)
{
	static const struct result inserts[] = {
		{ "ins", R_TYPE(0x1f, 4, 2, 15, 8, 0x04), 0xab, 0x11111111, 0x1111ab11 },
		{ "ins extends", R_TYPE(0x1f, 4, 2, 31, 31, 0x04), 1, 0, MIN32 },
		{ "dins", R_TYPE(0x1f, 4, 2, 15, 8, 0x07), 0xab, ONES, 0xffffffffffffabffull },
		{ "dinsm", R_TYPE(0x1f, 4, 2, 7, 24, 0x05), 0, ONES, 0xffffff0000ffffffull },
		{ "dinsu", R_TYPE(0x1f, 4, 2, 15, 8, 0x06), 0xab, 0, 0xab0000000000ull },
	};
	struct fixture *f = fixture_new();

	(void)state;
	for (size_t n = 0; n < sizeof(inserts) / sizeof(inserts[0]); n++) {
		f->cpu->gpr[4] = inserts[n].rs;
		f->cpu->gpr[2] = inserts[n].rt;
		fixture_exec(f, inserts[n].word);
		if (f->cpu->gpr[2] != inserts[n].rd)
			fail_msg("%s gives %016llx", inserts[n].name, (unsigned long long)f->cpu->gpr[2]);
	}
	fixture_free(f);
}

static void test_overflow_leaves_the_destination(void **state)
{
	static const struct result overflows[] = {
		{ "add", S(0x20), 0x7fffffff, 1, 0 },       { "sub", S(0x22), MIN32, 1, 0 },
		{ "dadd", S(0x2c), 1ull << 63, ONES, 0 },   { "dsub", S(0x2e), 1ull << 63, 1, 0 },
		{ "addi", IMM(0x08, 1), 0x7fffffff, 0, 0 }, { "daddi", IMM(0x18, -1), 1ull << 63, 0, 0 },
	};
	struct fixture *f = fixture_new();

	(void)state;
	for (size_t n = 0; n < sizeof(overflows) / sizeof(overflows[0]); n++) {
		mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_EXL);
		f->cpu->gpr[2] = 0x55;
		f->cpu->gpr[4] = overflows[n].rs;
		f->cpu->gpr[5] = overflows[n].rt;
		fixture_exec(f, overflows[n].word);
		if (fixture_exccode(f) != EXC_OV || f->cpu->gpr[2] != 0x55)
			fail_msg("%s does not trap", overflows[n].name);
	}
	fixture_free(f);
}

struct hilo {
	const char *name;
	uint32_t word;
	uint64_t rs, rt, hi, lo;
};

static void test_multiply_and_divide(void **state)
{
	static const struct hilo cases[] = {
		{ "mult", S(0x18) & ~0xf800u, ONES, 2, ONES, (uint64_t)-2 },
		{ "multu", S(0x19) & ~0xf800u, 0xffffffff, 2, 1, (uint64_t)-2 },
		{ "dmult", S(0x1c) & ~0xf800u, ONES, 2, ONES, (uint64_t)-2 },
		{ "dmultu", S(0x1d) & ~0xf800u, ONES, 2, 1, (uint64_t)-2 },
		{ "div", S(0x1a) & ~0xf800u, (uint64_t)-7, 2, ONES, (uint64_t)-3 },
		{ "div overflow", S(0x1a) & ~0xf800u, MIN32, ONES, 0, MIN32 },
		{ "div by zero", S(0x1a) & ~0xf800u, 7, 0, 0, 7 },
		{ "divu", S(0x1b) & ~0xf800u, 0xffffffff, 16, 15, 0x0fffffff },
		{ "ddiv", S(0x1e) & ~0xf800u, (uint64_t)-7, 2, ONES, (uint64_t)-3 },
		{ "ddiv overflow", S(0x1e) & ~0xf800u, 1ull << 63, ONES, 0, 1ull << 63 },
		{ "ddivu by zero", S(0x1f) & ~0xf800u, 9, 0, 0, 9 },
	};
	struct fixture *f = fixture_new();

	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		f->cpu->gpr[4] = cases[n].rs;
		f->cpu->gpr[5] = cases[n].rt;
		fixture_exec(f, cases[n].word);
		if (f->cpu->hi != cases[n].hi || f->cpu->lo != cases[n].lo)
			fail_msg("%s: hi %016llx lo %016llx", cases[n].name, (unsigned long long)f->cpu->hi,
				 (unsigned long long)f->cpu->lo);
	}
	fixture_free(f);
}

static void test_multiply_accumulate(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->cpu->hi = 0;
	f->cpu->lo = 0xffffffffffffffffull; /* low half all ones */
	f->cpu->gpr[4] = 1;
	f->cpu->gpr[5] = 1;
	fixture_exec(f, SPECIAL2(0x00, 0, 4, 5)); /* madd */
	assert_int_equal(f->cpu->hi, 1);
	assert_int_equal(f->cpu->lo, 0);
	fixture_exec(f, SPECIAL2(0x04, 0, 4, 5)); /* msub */
	assert_int_equal(f->cpu->hi, 0);
	assert_int_equal(f->cpu->lo, ONES);
	f->cpu->gpr[4] = 0xffffffff;
	fixture_exec(f, SPECIAL2(0x01, 0, 4, 5)); /* maddu */
	assert_int_equal(f->cpu->hi, 1);
	assert_int_equal(f->cpu->lo, (uint64_t)-2);
	fixture_exec(f, SPECIAL2(0x05, 0, 4, 5)); /* msubu */
	assert_int_equal(f->cpu->hi, 0);
	fixture_free(f);
}

static void test_octeon_multiplier(void **state)
{
	struct fixture *f = fixture_new_with(MIPS_HAS_OCTEON, false);

	(void)state;
	/* (2^64-1) * (2^192-1) + 1: every word of the sum is reached through the accumulator. */
	f->cpu->gpr[4] = ONES;
	f->cpu->gpr[5] = 1;
	fixture_exec(f, 0x70000008 | 4u << 21);   /* mtm0 */
	fixture_exec(f, 0x7000000c | 4u << 21);   /* mtm1 */
	fixture_exec(f, 0x7000000d | 4u << 21);   /* mtm2 */
	fixture_exec(f, SPECIAL2(0x11, 2, 4, 5)); /* v3mulu */
	assert_int_equal(f->cpu->gpr[2], 2);
	assert_int_equal(f->cpu->octeon.p[0], ONES);
	assert_int_equal(f->cpu->octeon.p[1], ONES);
	assert_int_equal(f->cpu->octeon.p[2], ONES - 1);
	/* Saving the unit: with rs 0, v3mulu shifts P out. */
	fixture_exec(f, SPECIAL2(0x11, 2, 0, 0));
	assert_int_equal(f->cpu->gpr[2], ONES);
	f->cpu->gpr[4] = 3;
	fixture_exec(f, 0x70000008 | 4u << 21);
	assert_int_equal(f->cpu->octeon.p[1], 0);
	f->cpu->gpr[4] = 1ull << 63;
	fixture_exec(f, SPECIAL2(0x0f, 2, 4, 5)); /* vmulu */
	assert_int_equal(f->cpu->gpr[2], (1ull << 63) + 1);
	assert_int_equal(f->cpu->octeon.p[0], 1);
	fixture_exec(f, SPECIAL2(0x10, 2, 4, 5)); /* vmm0: 3 * 2^63 + 1 + 1 */
	assert_int_equal(f->cpu->gpr[2], (1ull << 63) + 2);
	assert_int_equal(f->cpu->octeon.mpl[0], (1ull << 63) + 2);
	assert_int_equal(f->cpu->octeon.p[0], 0);
	fixture_free(f);
}

static void test_narrow_user_mode_has_no_wide_operations(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_tlb(f, 0, 0, 0, 0x1fffe000, ENTRYLO(0, LO_G | LO_V | LO_D), ENTRYLO(0, LO_G));
	fixture_put(f, CODE_GPA, (const uint32_t[]){ ADDIU(2, 0, 1), S(0x2d) }, 2);
	fixture_user_mode(f, CODE_GPA);
	fixture_step(f, 2);
	assert_int_equal(f->cpu->pc, CODE_GPA + 8);
	mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_UX);
	f->cpu->pc = CODE_GPA;
	fixture_step(f, 2);
	assert_int_equal(fixture_exccode(f), EXC_RI);
	assert_int_equal(f->cpu->cp0.epc, CODE_GPA + 4);
	mips_set_status(f->cpu, (f->cpu->cp0.status & ~STATUS_EXL) | STATUS_PX);
	f->cpu->pc = CODE_GPA;
	fixture_step(f, 2);
	assert_int_equal(f->cpu->pc, CODE_GPA + 8);
	fixture_free(f);
}

static void test_octeon_coprocessor2(void **state)
{
	static const uint32_t crc_iv = 0x48a20201, read_iv = 0x48230201, crc_data = 0x48a21207, other = 0x4a000000;
	struct fixture *f = fixture_new_with(MIPS_HAS_OCTEON, false);

	(void)state;
	/* Kernels look here for what they need not save. */
	assert_true((mips_cp0_read(f->cpu, 9, 7) & CVMCTL_NOCRYPTO) != 0);
	assert_true((mips_cp0_read(f->cpu, 9, 7) & CVMCTL_NODFA_CP2) != 0);
	fixture_exec(f, crc_iv);
	assert_int_equal(fixture_exccode(f), EXC_CPU);
	assert_int_equal((f->cpu->cp0.cause & CAUSE_CE) >> CAUSE_CE_SHIFT, 2);
	fixture_leave_exception(f);
	fixture_exec(f, other);
	assert_int_equal(fixture_exccode(f), EXC_CPU);
	/* Once it is on, its registers can be saved and restored; what it cannot do is reserved. */
	mips_set_status(f->cpu, (f->cpu->cp0.status & ~STATUS_EXL) | STATUS_CU2);
	f->cpu->gpr[2] = 0x12345678;
	RUN(f, 2, crc_iv, read_iv);
	assert_int_equal(f->cpu->exceptions, 2);
	assert_int_equal(f->cpu->gpr[3], 0x12345678);
	fixture_exec(f, crc_data);
	assert_int_equal(fixture_exccode(f), EXC_RI);
	fixture_leave_exception(f);
	fixture_exec(f, other);
	assert_int_equal(fixture_exccode(f), EXC_RI);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_octeon_results),
		cmocka_unit_test(test_octeon_words_need_an_octeon),
		cmocka_unit_test(test_conditional_moves_keep),
		cmocka_unit_test(test_inserts),
		cmocka_unit_test(test_overflow_leaves_the_destination),
		cmocka_unit_test(test_multiply_and_divide),
		cmocka_unit_test(test_multiply_accumulate),
		cmocka_unit_test(test_octeon_multiplier),
		cmocka_unit_test(test_narrow_user_mode_has_no_wide_operations),
		cmocka_unit_test(test_octeon_coprocessor2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
