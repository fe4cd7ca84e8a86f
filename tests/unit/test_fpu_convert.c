/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-on-demand/on_demand.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c */
/* sources: arch/mips64/guest/fpu/arith.c arch/mips64/guest/fpu/compare.c arch/mips64/guest/fpu/control.c */
/* sources: arch/mips64/guest/fpu/convert.c arch/mips64/guest/fpu/decode.c arch/mips64/guest/fpu/move.c */
/* sources: arch/mips64/guest/fpu/last.c arch/mips64/guest/fpu/number.c arch/mips64/guest/fpu/quick.c */
/* FPU conversions: every pair of formats, rounding modes, values out of range in both encodings. */
#include "tests/unit/fpu_fixture.h"

#define NEG    0x8000000000000000ull
#define INF_D  0x7ff0000000000000ull
#define NAN_D  0x7ff7ffffffffffffull
#define SNAN_D 0x7ff8000000000000ull
#define NAN_S  0x7fbfffffull
#define SNAN_S 0x7fc00000ull

#define D_0_5  0x3fe0000000000000ull
#define D_1    0x3ff0000000000000ull
#define D_1_5  0x3ff8000000000000ull
#define D_2_5  0x4004000000000000ull
#define D_2P31 0x41e0000000000000ull
#define D_2P63 0x43e0000000000000ull
#define S_1_5  0x3fc00000ull
#define S_2_5  0x40200000ull
#define S_2P31 0x4f000000ull
#define S_2P63 0x5f000000ull

#define MAX_W 0x7fffffffull
#define MAX_L 0x7fffffffffffffffull
#define M(n)  ((uint64_t) - (int64_t)(n))

static const struct fpu_case to_words[] = {
	{ "round.w.d ties to even", OPERATION(D, 12), D_2_5, 0, 0, RM, 2, RAISED(I) | RM },
	{ "round.w.d 1.5", OPERATION(D, 12), D_1_5, 0, 0, RN, 2, RAISED(I) },
	{ "trunc.w.d", OPERATION(D, 13), D_2_5 | NEG, 0, 0, RP, M(2), RAISED(I) | RP },
	{ "ceil.w.d", OPERATION(D, 14), D_2_5, 0, 0, RN, 3, RAISED(I) },
	{ "ceil.w.d -0.5", OPERATION(D, 14), D_0_5 | NEG, 0, 0, RN, 0, RAISED(I) },
	{ "floor.w.d", OPERATION(D, 15), D_2_5 | NEG, 0, 0, RN, M(3), RAISED(I) },
	{ "floor.w.d exact", OPERATION(D, 15), D_1 | NEG, 0, 0, CAUSE(31), M(1), 0 },
	{ "cvt.w.d nearest", OPERATION(D, 36), D_2_5, 0, 0, RN, 2, RAISED(I) },
	{ "cvt.w.d zero", OPERATION(D, 36), D_1_5, 0, 0, RZ, 1, RAISED(I) | RZ },
	{ "cvt.w.d up", OPERATION(D, 36), D_2_5, 0, 0, RP, 3, RAISED(I) | RP },
	{ "cvt.w.d down", OPERATION(D, 36), D_2_5 | NEG, 0, 0, RM, M(3), RAISED(I) | RM },
	{ "cvt.w.d greatest", OPERATION(D, 36), 0x41dfffffffc00000ull, 0, 0, RN, MAX_W, 0 },
	{ "cvt.w.d least", OPERATION(D, 36), D_2P31 | NEG, 0, 0, RN, 0x80000000, 0 },
	{ "cvt.w.d 2^31", OPERATION(D, 36), D_2P31, 0, 0, RN, MAX_W, RAISED(V) },
	{ "cvt.w.d rounds out of range", OPERATION(D, 36), 0x41dfffffffe00000ull, 0, 0, RN, MAX_W, RAISED(V) },
	{ "cvt.w.d rounds into range", OPERATION(D, 36), 0x41dfffffffe00000ull, 0, 0, RZ, MAX_W, RAISED(I) | RZ },
	{ "trunc.w.d -inf", OPERATION(D, 13), INF_D | NEG, 0, 0, RN, MAX_W, RAISED(V) },
	{ "trunc.w.d NaN", OPERATION(D, 13), NAN_D, 0, 0, RN, MAX_W, RAISED(V) },
	{ "round.w.s", OPERATION(S, 12), S_2_5, 0, 0, RN, 2, RAISED(I) },
	{ "trunc.w.s", OPERATION(S, 13), S_1_5, 0, 0, RN, 1, RAISED(I) },
	{ "ceil.w.s", OPERATION(S, 14), S_1_5, 0, 0, RN, 2, RAISED(I) },
	{ "floor.w.s", OPERATION(S, 15), S_1_5 | 0x80000000, 0, 0, RN, M(2), RAISED(I) },
	{ "cvt.w.s", OPERATION(S, 36), S_1_5, 0, 0, RN, 2, RAISED(I) },
	{ "cvt.w.s 2^31", OPERATION(S, 36), S_2P31, 0, 0, RN, MAX_W, RAISED(V) },
};

static const struct fpu_case to_longs[] = {
	{ "round.l.d", OPERATION(D, 8), D_2_5, 0, 0, RN, 2, RAISED(I) },
	{ "trunc.l.d", OPERATION(D, 9), D_2_5 | NEG, 0, 0, RN, M(2), RAISED(I) },
	{ "ceil.l.d", OPERATION(D, 10), D_2_5, 0, 0, RN, 3, RAISED(I) },
	{ "floor.l.d", OPERATION(D, 11), D_2_5 | NEG, 0, 0, RN, M(3), RAISED(I) },
	{ "cvt.l.d", OPERATION(D, 37), D_1_5, 0, 0, RZ, 1, RAISED(I) | RZ },
	{ "cvt.l.d least", OPERATION(D, 37), D_2P63 | NEG, 0, 0, RN, NEG, 0 },
	{ "cvt.l.d 2^63", OPERATION(D, 37), D_2P63, 0, 0, RN, MAX_L, RAISED(V) },
	{ "cvt.l.d large", OPERATION(D, 37), 0x43dfffffffffffffull, 0, 0, RN, 0x7ffffffffffffc00ull, 0 },
	{ "cvt.l.d NaN", OPERATION(D, 37), SNAN_D, 0, 0, RN, MAX_L, RAISED(V) },
	{ "round.l.s", OPERATION(S, 8), S_1_5, 0, 0, RN, 2, RAISED(I) },
	{ "trunc.l.s", OPERATION(S, 9), S_1_5, 0, 0, RN, 1, RAISED(I) },
	{ "ceil.l.s", OPERATION(S, 10), S_1_5, 0, 0, RN, 2, RAISED(I) },
	{ "floor.l.s", OPERATION(S, 11), S_1_5, 0, 0, RN, 1, RAISED(I) },
	{ "cvt.l.s", OPERATION(S, 37), S_2_5, 0, 0, RP, 3, RAISED(I) | RP },
	{ "cvt.l.s -2^63", OPERATION(S, 37), S_2P63 | 0x80000000, 0, 0, RN, NEG, 0 },
	{ "cvt.l.s 2^63", OPERATION(S, 37), S_2P63, 0, 0, RN, MAX_L, RAISED(V) },
	{ "trap keeps fd", OPERATION(D, 37), NAN_D, 0, 0, ENABLE(V), OLD_FD, ENABLE(V) | CAUSE(V) },
	{ "inexact trap", OPERATION(D, 37), D_1_5, 0, 0, ENABLE(I), OLD_FD, ENABLE(I) | CAUSE(I) },
};

static const struct fpu_case to_doubles[] = {
	{ "cvt.d.s", OPERATION(S, 33), S_1_5, 0, 0, CAUSE(31), D_1_5, 0 },
	{ "cvt.d.s denormal", OPERATION(S, 33), 1, 0, 0, FLUSH, 0x36a0000000000000ull, FLUSH },
	{ "cvt.d.s quiet NaN", OPERATION(S, 33), 0xff800001, 0, 0, RN, NAN_D, 0 },
	{ "cvt.d.s signalling", OPERATION(S, 33), SNAN_S, 0, 0, RN, NAN_D, RAISED(V) },
	{ "cvt.d.w", OPERATION(W, 33), 0xfffffffe, 0, 0, RN, 0xc000000000000000ull, 0 },
	{ "cvt.d.w ignores the high half", OPERATION(W, 33), 0x1234567800000001ull, 0, 0, RM, D_1, RM },
	{ "cvt.d.l", OPERATION(L, 33), M(2), 0, 0, RN, 0xc000000000000000ull, 0 },
	{ "cvt.d.l inexact", OPERATION(L, 33), MAX_L, 0, 0, RN, D_2P63, RAISED(I) },
	{ "cvt.d.l to zero", OPERATION(L, 33), MAX_L, 0, 0, RZ, D_2P63 - 1, RAISED(I) | RZ },
	{ "cvt.d.l 2^53 + 1", OPERATION(L, 33), (1ull << 53) + 1, 0, 0, RN, 0x4340000000000000ull, RAISED(I) },
	{ "cvt.d.l 2^53 + 1 up", OPERATION(L, 33), (1ull << 53) + 1, 0, 0, RP, 0x4340000000000001ull, RAISED(I) | RP },
};

static const struct fpu_case to_singles[] = {
	{ "cvt.s.d", OPERATION(D, 32), D_1_5, 0, 0, RN, S_1_5, 0 },
	{ "cvt.s.d inexact", OPERATION(D, 32), D_1 + 1, 0, 0, RN, 0x3f800000, RAISED(I) },
	{ "cvt.s.d up", OPERATION(D, 32), D_1 + 1, 0, 0, RP, 0x3f800001, RAISED(I) | RP },
	{ "cvt.s.d overflow", OPERATION(D, 32), INF_D - 1, 0, 0, RN, 0x7f800000, RAISED(O | I) },
	{ "cvt.s.d underflow", OPERATION(D, 32), 1, 0, 0, RN, 0, RAISED(U | I) },
	{ "cvt.s.d exact denormal", OPERATION(D, 32), 0x36a0000000000000ull, 0, 0, RN, 1, 0 },
	{ "cvt.s.d flushes", OPERATION(D, 32), 0xb6a0000000000000ull, 0, 0, FLUSH, 0x80000000, FLUSH },
	{ "cvt.s.d -0", OPERATION(D, 32), NEG, 0, 0, RN, 0x80000000, 0 },
	{ "cvt.s.d quiet NaN", OPERATION(D, 32), INF_D | 1, 0, 0, RN, NAN_S, 0 },
	{ "cvt.s.d signalling", OPERATION(D, 32), SNAN_D, 0, 0, RN, NAN_S, RAISED(V) },
	{ "cvt.s.w", OPERATION(W, 32), 3, 0, 0, RN, 0x40400000, 0 },
	{ "cvt.s.w inexact", OPERATION(W, 32), 0x01000001, 0, 0, RN, 0x4b800000, RAISED(I) },
	{ "cvt.s.w up", OPERATION(W, 32), 0x01000001, 0, 0, RP, 0x4b800001, RAISED(I) | RP },
	{ "cvt.s.l", OPERATION(L, 32), M(3), 0, 0, RN, 0xc0400000, 0 },
	{ "cvt.s.l inexact", OPERATION(L, 32), MAX_L, 0, 0, RZ, 0x5effffff, RAISED(I) | RZ },
};

/* The 2008 encoding: saturation, 0 for NaNs, payloads kept. */
static const struct fpu_case words_2008[] = {
	{ "trunc.w.d NaN", OPERATION(D, 13), INF_D | 1, 0, 0, RN, 0, RAISED(V) },
	{ "trunc.w.d -inf", OPERATION(D, 13), INF_D | NEG, 0, 0, RN, 0x80000000, RAISED(V) },
	{ "trunc.w.d 2^31", OPERATION(D, 13), D_2P31, 0, 0, RN, MAX_W, RAISED(V) },
	{ "cvt.s.d payload", OPERATION(D, 32), 0xfff8000040000000ull, 0, 0, RN, 0xffc00002, 0 },
};
static const struct fpu_case longs_2008[] = {
	{ "trunc.l.d NaN", OPERATION(D, 9), INF_D | 1, 0, 0, RN, 0, RAISED(V) },
	{ "trunc.l.d -inf", OPERATION(D, 9), INF_D | NEG, 0, 0, RN, NEG, RAISED(V) },
	{ "cvt.d.s signalling", OPERATION(S, 33), 0xff800001, 0, 0, RN, 0xfff8000020000000ull, RAISED(V) },
};

static void test_conversions(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	FPU_RUN(f, to_words, 32);
	FPU_RUN(f, to_longs, 64);
	FPU_RUN(f, to_doubles, 64);
	FPU_RUN(f, to_singles, 32);
	fixture_free(f);
}

static void test_2008(void **state)
{
	struct fixture *f = fpu_new_with(STATUS_CU1 | STATUS_FR, MIPS_HAS_NAN2008);

	(void)state;
	FPU_RUN(f, words_2008, 32);
	FPU_RUN(f, longs_2008, 64);
	fixture_free(f);
}

/* With FR=0: W and S in any register, D in even ones, L nowhere. */
static void test_pairs(void **state)
{
	struct fixture *f = fpu_new_with(STATUS_CU1, 0);

	(void)state;
	FPU_RUN(f, to_words, 32);
	fpu_expect(f, OPERATION(D, 37), EXC_RI);
	fpu_expect(f, OPERATION(S, 9), EXC_RI);
	fpu_expect(f, OPERATION(L, 33), EXC_RI);
	fpu_expect(f, COP1(S, 0, FS, FD + 1, 33), EXC_RI); /* cvt.d.s to an odd register */
	fpu_expect(f, COP1(D, 0, FS + 1, FD, 32), EXC_RI);
	f->cpu->fpu.fpr[FS] = 3ull << 32;
	fpu_exec(f, COP1(W, 0, FS + 1, FD + 1, 32));
	assert_int_equal(f->cpu->fpu.fpr[FD] >> 32, 0x40400000);
	fixture_free(f);
}

static void test_reserved(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	fpu_expect(f, OPERATION(S, 32), EXC_RI); /* cvt.s.s */
	fpu_expect(f, OPERATION(D, 33), EXC_RI); /* cvt.d.d */
	fpu_expect(f, OPERATION(W, 36), EXC_RI); /* cvt.w.w */
	fpu_expect(f, OPERATION(L, 37), EXC_RI);
	fpu_expect(f, OPERATION(W, 0), EXC_RI); /* add.w */
	fpu_expect(f, OPERATION(W, 12), EXC_RI);
	fpu_expect(f, OPERATION(S, 38), EXC_RI); /* cvt.ps.s */
	fpu_expect(f, OPERATION(22, 0), EXC_RI); /* add.ps */
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversions),
		cmocka_unit_test(test_2008),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_reserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
