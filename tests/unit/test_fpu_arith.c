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
/* FPU arithmetic: results, rounding, FCSR, traps, NaNs of both encodings, both register models. */
#include "tests/unit/fpu_fixture.h"

#define ONE_D   0x3ff0000000000000ull
#define TWO_D   0x4000000000000000ull
#define THREE_D 0x4008000000000000ull
#define INF_D   0x7ff0000000000000ull
#define MAX_D   0x7fefffffffffffffull
#define MIN_D   0x0010000000000000ull /* least normal */
#define NEG     0x8000000000000000ull
#define NAN_D   0x7ff7ffffffffffffull /* the default of 1985 */
#define SNAN_D  0x7ff8000000000000ull /* signalling in 1985 */
#define THIRD_D 0x3fd5555555555555ull

#define ONE_S  0x3f800000ull
#define INF_S  0x7f800000ull
#define MAX_S  0x7f7fffffull
#define MIN_S  0x00800000ull
#define NAN_S  0x7fbfffffull
#define SNAN_S 0x7fc00000ull

static const struct fpu_case doubles[] = {
	{ "add.d exact", OPERATION(D, 0), ONE_D, TWO_D, 0, CAUSE(31), THREE_D, 0 },
	{ "add.d keeps flags", OPERATION(D, 0), ONE_D, ONE_D, 0, RAISED(O) | FLAG(V), TWO_D, FLAG(O | V) },
	{ "add.d inexact", OPERATION(D, 0), ONE_D, 1, 0, RN, ONE_D, RAISED(I) },
	{ "add.d up", OPERATION(D, 0), ONE_D, 1, 0, RP, ONE_D + 1, RAISED(I) | RP },
	{ "add.d down", OPERATION(D, 0), ONE_D | NEG, NEG | 1, 0, RM, (ONE_D + 1) | NEG, RAISED(I) | RM },
	{ "add.d to zero", OPERATION(D, 0), ONE_D, NEG | 1, 0, RZ, ONE_D - 1, RAISED(I) | RZ },
	{ "add.d x - x", OPERATION(D, 0), ONE_D, ONE_D | NEG, 0, RN, 0, 0 },
	{ "add.d x - x down", OPERATION(D, 0), ONE_D, ONE_D | NEG, 0, RM, NEG, RM },
	{ "sub.d", OPERATION(D, 1), THREE_D, ONE_D, 0, RN, TWO_D, 0 },
	{ "sub.d inf - inf", OPERATION(D, 1), INF_D, INF_D, 0, RN, NAN_D, RAISED(V) },
	{ "mul.d", OPERATION(D, 2), TWO_D, THREE_D, 0, RN, 0x4018000000000000ull, 0 },
	{ "mul.d overflow", OPERATION(D, 2), MAX_D, TWO_D, 0, RN, INF_D, RAISED(O | I) },
	{ "mul.d overflow to zero", OPERATION(D, 2), MAX_D, TWO_D, 0, RZ, MAX_D, RAISED(O | I) | RZ },
	{ "mul.d overflow down", OPERATION(D, 2), MAX_D | NEG, TWO_D, 0, RM, INF_D | NEG, RAISED(O | I) | RM },
	{ "mul.d underflow", OPERATION(D, 2), MIN_D, MIN_D, 0, RN, 0, RAISED(U | I) },
	{ "mul.d underflow up", OPERATION(D, 2), MIN_D, MIN_D, 0, RP, 1, RAISED(U | I) | RP },
	{ "mul.d exact denormal", OPERATION(D, 2), MIN_D, 0x3fe0000000000000ull, 0, RN, MIN_D / 2, 0 },
	{ "mul.d rounds up to normal", OPERATION(D, 2), MIN_D, ONE_D - 1, 0, RN, MIN_D, RAISED(U | I) },
	{ "mul.d 0 * inf", OPERATION(D, 2), 0, INF_D, 0, RN, NAN_D, RAISED(V) },
	{ "mul.d flushes", OPERATION(D, 2), MIN_D | NEG, 0x3fe0000000000000ull, 0, FLUSH, NEG, FLUSH },
	{ "mul.d flushes before rounding", OPERATION(D, 2), MIN_D, ONE_D - 1, 0, FLUSH, 0, FLUSH },
	{ "mul.d takes denormals with FS", OPERATION(D, 2), 1, INF_D - 1, 0, FLUSH, 0x3ccfffffffffffffull, FLUSH },
	{ "div.d", OPERATION(D, 3), ONE_D, THREE_D, 0, RN, THIRD_D, RAISED(I) },
	{ "div.d up", OPERATION(D, 3), ONE_D, THREE_D, 0, RP, THIRD_D + 1, RAISED(I) | RP },
	{ "div.d by zero", OPERATION(D, 3), ONE_D, NEG, 0, RN, INF_D | NEG, RAISED(Z) },
	{ "div.d 0 / 0", OPERATION(D, 3), 0, 0, 0, RN, NAN_D, RAISED(V) },
	{ "sqrt.d", OPERATION(D, 4), 0x4010000000000000ull, 0, 0, RN, TWO_D, 0 },
	{ "sqrt.d inexact", OPERATION(D, 4), TWO_D, 0, 0, RN, 0x3ff6a09e667f3bcdull, RAISED(I) },
	{ "sqrt.d -0", OPERATION(D, 4), NEG, 0, 0, RN, NEG, 0 },
	{ "sqrt.d -1", OPERATION(D, 4), ONE_D | NEG, 0, 0, RN, NAN_D, RAISED(V) },
	{ "recip.d", OPERATION(D, 21), THREE_D, SNAN_D, 0, RN, THIRD_D, RAISED(I) },
	{ "recip.d 0", OPERATION(D, 21), 0, 0, 0, RN, INF_D, RAISED(Z) },
	{ "rsqrt.d", OPERATION(D, 22), 0x4010000000000000ull, 0, 0, RN, 0x3fe0000000000000ull, 0 },
	{ "rsqrt.d -1", OPERATION(D, 22), ONE_D | NEG, 0, 0, RN, NAN_D, RAISED(V) },
	{ "madd.d", MULTIPLY_ADD(32, 1), TWO_D, ONE_D, ONE_D, RN, THREE_D, 0 },
	{ "madd.d rounds twice", MULTIPLY_ADD(32, 1), ONE_D + 1, ONE_D - 2, ONE_D | NEG, RN, 0, RAISED(I) },
	{ "msub.d", MULTIPLY_ADD(40, 1), TWO_D, TWO_D, ONE_D, RN, THREE_D, 0 },
	{ "nmadd.d", MULTIPLY_ADD(48, 1), TWO_D, ONE_D, ONE_D, RN, THREE_D | NEG, 0 },
	{ "nmadd.d negates NaN", MULTIPLY_ADD(48, 1), NAN_D, ONE_D, ONE_D, RN, NAN_D | NEG, 0 },
	{ "nmsub.d", MULTIPLY_ADD(56, 1), TWO_D, TWO_D, ONE_D, RN, THREE_D | NEG, 0 },
	{ "msub.d both raise", MULTIPLY_ADD(40, 1), ONE_D + 1, ONE_D + 1, INF_D, RN, INF_D | NEG, RAISED(I) },
	{ "madd.d inf - inf", MULTIPLY_ADD(32, 1), INF_D, ONE_D, INF_D | NEG, RN, NAN_D, RAISED(V) },
	{ "abs.d", OPERATION(D, 5), ONE_D | NEG, 0, 0, CAUSE(I), ONE_D, CAUSE(I) },
	{ "abs.d quiet NaN", OPERATION(D, 5), NAN_D | NEG, 0, 0, RN, NAN_D, 0 },
	{ "abs.d signalling", OPERATION(D, 5), SNAN_D | NEG, 0, 0, RN, NAN_D, RAISED(V) },
	{ "neg.d", OPERATION(D, 7), ONE_D, 0, 0, RN, ONE_D | NEG, 0 },
	{ "neg.d 0", OPERATION(D, 7), 0, 0, 0, RN, NEG, 0 },
	{ "neg.d signalling", OPERATION(D, 7), SNAN_D, 0, 0, RN, NAN_D, RAISED(V) },
};

static const struct fpu_case singles[] = {
	{ "add.s exact", OPERATION(S, 0), ONE_S, ONE_S, 0, RN, 0x40000000, 0 },
	{ "add.s ignores high halves", OPERATION(S, 0), NEG | ONE_S, SNAN_D | ONE_S, 0, RN, 0x40000000, 0 },
	{ "add.s inexact", OPERATION(S, 0), ONE_S, 1, 0, RN, ONE_S, RAISED(I) },
	{ "add.s up", OPERATION(S, 0), ONE_S, 1, 0, RP, ONE_S + 1, RAISED(I) | RP },
	{ "sub.s", OPERATION(S, 1), 0x40400000, ONE_S, 0, RN, 0x40000000, 0 },
	{ "sub.s inf - inf", OPERATION(S, 1), INF_S, INF_S, 0, RN, NAN_S, RAISED(V) },
	{ "mul.s overflow", OPERATION(S, 2), MAX_S, MAX_S, 0, RN, INF_S, RAISED(O | I) },
	{ "mul.s underflow", OPERATION(S, 2), MIN_S, MIN_S, 0, RN, 0, RAISED(U | I) },
	{ "mul.s flushes", OPERATION(S, 2), MIN_S, 0x3f7fffff, 0, FLUSH, 0, FLUSH },
	{ "div.s", OPERATION(S, 3), ONE_S, 0x40400000, 0, RN, 0x3eaaaaab, RAISED(I) },
	{ "div.s to zero", OPERATION(S, 3), ONE_S, 0x40400000, 0, RZ, 0x3eaaaaaa, RAISED(I) | RZ },
	{ "div.s by zero", OPERATION(S, 3), ONE_S, 0, 0, RN, INF_S, RAISED(Z) },
	{ "sqrt.s", OPERATION(S, 4), 0x40800000, 0, 0, RN, 0x40000000, 0 },
	{ "sqrt.s -1", OPERATION(S, 4), 0xbf800000, 0, 0, RN, NAN_S, RAISED(V) },
	{ "recip.s", OPERATION(S, 21), 0x40800000, 0, 0, RN, 0x3e800000, 0 },
	{ "rsqrt.s", OPERATION(S, 22), 0x40800000, 0, 0, RN, 0x3f000000, 0 },
	{ "rsqrt.s 0", OPERATION(S, 22), 0, 0, 0, RN, INF_S, RAISED(Z) },
	{ "madd.s", MULTIPLY_ADD(32, 0), 0x40000000, ONE_S, ONE_S, RN, 0x40400000, 0 },
	{ "msub.s", MULTIPLY_ADD(40, 0), 0x40000000, 0x40000000, ONE_S, RN, 0x40400000, 0 },
	{ "nmadd.s", MULTIPLY_ADD(48, 0), 0x40000000, ONE_S, ONE_S, RN, 0xc0400000, 0 },
	{ "nmsub.s", MULTIPLY_ADD(56, 0), 0x40000000, 0x40000000, ONE_S, RN, 0xc0400000, 0 },
	{ "abs.s", OPERATION(S, 5), 0xbf800000, 0, 0, RN, ONE_S, 0 },
	{ "abs.s signalling", OPERATION(S, 5), SNAN_S, 0, 0, RN, NAN_S, RAISED(V) },
	{ "neg.s", OPERATION(S, 7), ONE_S, 0, 0, RN, 0xbf800000, 0 },
	{ "add.s quiet NaN", OPERATION(S, 0), 0x7f800001, ONE_S, 0, RN, NAN_S, 0 },
	{ "add.s signalling", OPERATION(S, 0), ONE_S, SNAN_S, 0, RN, NAN_S, RAISED(V) },
	{ "div.s quiet and signalling", OPERATION(S, 3), 0x7f800001, SNAN_S, 0, RN, NAN_S, RAISED(V) },
};

/* An enabled cause traps: Cause is set, Flags and fd stay. Causes that are not enabled come along. */
static const struct fpu_case traps[] = {
	{ "inexact", OPERATION(D, 0), ONE_D, 1, 0, ENABLE(I), OLD_FD, ENABLE(I) | CAUSE(I) },
	{ "overflow", OPERATION(D, 2), MAX_D, TWO_D, 0, ENABLE(O), OLD_FD, ENABLE(O) | CAUSE(O | I) },
	{ "division", OPERATION(D, 3), ONE_D, 0, 0, ENABLE(Z), OLD_FD, ENABLE(Z) | CAUSE(Z) },
	{ "invalid", OPERATION(D, 1), INF_D, INF_D, 0, ENABLE(V) | FLAG(I), OLD_FD, ENABLE(V) | CAUSE(V) | FLAG(I) },
	{ "underflow", OPERATION(D, 2), MIN_D, MIN_D, 0, ENABLE(U), OLD_FD, ENABLE(U) | CAUSE(U | I) },
	{ "signalling NaN to abs.d", OPERATION(D, 5), SNAN_D, 0, 0, ENABLE(V), OLD_FD, ENABLE(V) | CAUSE(V) },
	{ "not what is enabled", OPERATION(D, 0), ONE_D, 1, 0, ENABLE(V | Z | O | U), ONE_D,
	  ENABLE(V | Z | O | U) | RAISED(I) },
	{ "madd.d inexact", MULTIPLY_ADD(32, 1), ONE_D, ONE_D, 1, ENABLE(I), OLD_FD, ENABLE(I) | CAUSE(I) },
};

#define QNAN_2008_D 0x7ff8000000000000ull

/* The 2008 encoding: first signalling operand made quiet, else the first quiet one, signs kept. */
static const struct fpu_case doubles_2008[] = {
	{ "default", OPERATION(D, 1), INF_D, INF_D, 0, RN, QNAN_2008_D, RAISED(V) },
	{ "first quiet", OPERATION(D, 0), QNAN_2008_D | NEG | 5, QNAN_2008_D | 7, 0, RN, QNAN_2008_D | NEG | 5, 0 },
	{ "second quiet", OPERATION(D, 1), ONE_D, QNAN_2008_D | 7, 0, RN, QNAN_2008_D | 7, 0 },
	{ "first signalling", OPERATION(D, 2), INF_D | 1, INF_D | 2, 0, RN, QNAN_2008_D | 1, RAISED(V) },
	{ "signalling before quiet", OPERATION(D, 3), QNAN_2008_D | 7, INF_D | 2, 0, RN, QNAN_2008_D | 2, RAISED(V) },
	{ "sqrt.d", OPERATION(D, 4), QNAN_2008_D | 9, 0, 0, RN, QNAN_2008_D | 9, 0 },
	{ "abs.d only sign", OPERATION(D, 5), INF_D | NEG | 1, 0, 0, RN, INF_D | 1, 0 },
	{ "neg.d only sign", OPERATION(D, 7), INF_D | 1, 0, 0, RN, INF_D | NEG | 1, 0 },
	{ "madd.d addend", MULTIPLY_ADD(32, 1), ONE_D, ONE_D, QNAN_2008_D | 3, RN, QNAN_2008_D | 3, 0 },
};

static void test_doubles(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	FPU_RUN(f, doubles, 64);
	fixture_free(f);
}

static void test_singles(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	FPU_RUN(f, singles, 32);
	fixture_free(f);
}

static void test_traps(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	FPU_RUN(f, traps, 64);
	fixture_free(f);
}

static void test_nan_2008(void **state)
{
	struct fixture *f = fpu_new_with(STATUS_CU1 | STATUS_FR, MIPS_HAS_NAN2008);

	(void)state;
	FPU_RUN(f, doubles_2008, 64);
	fixture_free(f);
}

/* With FR=0 format D works in even registers and raises RI in odd ones; the odd single is the high half. */
static void test_pairs(void **state)
{
	struct fixture *f = fpu_new_with(STATUS_CU1, 0);

	(void)state;
	FPU_RUN(f, doubles, 64);
	FPU_RUN(f, traps, 64);
	for (unsigned odd = 0; odd < 3; odd++)
		fpu_expect(f, COP1(D, FT + (odd == 0), FS + (odd == 1), FD + (odd == 2), 0), EXC_RI);
	fpu_expect(f, COP1X(FR + 1, FT, FS, FD, 33), EXC_RI);
	f->cpu->fpu.fpr[FS] = ONE_S << 32 | 0x40000000;
	fpu_exec(f, COP1(S, FS + 1, FS, FD + 1, 0));
	assert_int_equal(f->cpu->fpu.fpr[FD] >> 32, 0x40400000);
	fixture_free(f);
}

/* Whatever an instruction raised, the next one must not see it, quick path or not. */
static void test_cause_is_per_instruction(void **state)
{
	struct fixture *f = fpu_new();
	struct mips_cpu *c = f->cpu;

	(void)state;
	c->fpu.fpr[FS] = ONE_D;
	c->fpu.fpr[FT] = THREE_D;
	RUN(f, 2, OPERATION(D, 3), COP1(D, FS, FS, 10, 0));
	assert_int_equal(c->fpu.fcsr, FLAG(I));
	assert_int_equal(c->fpu.fpr[10], TWO_D);
	c->fpu.fpr[FT] = SNAN_D;
	RUN(f, 2, OPERATION(D, 0), COP1(D, FS, FS, 10, 2));
	assert_int_equal(c->fpu.fcsr, FLAG(I | V));
	fixture_free(f);
}

/* A trap in a delay slot reports the branch. */
static void test_trap_in_delay_slot(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	f->cpu->fpu.fcsr = ENABLE(Z);
	f->cpu->fpu.fpr[FS] = ONE_D;
	f->cpu->fpu.fpr[FT] = 0;
	RUN(f, 1, BEQ(0, 0, 4), OPERATION(D, 3));
	assert_int_equal(fixture_exccode(f), EXC_FPE);
	assert_int_equal(f->cpu->cp0.epc, CODE);
	assert_true((f->cpu->cp0.cause & CAUSE_BD) != 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_singles),
		cmocka_unit_test(test_traps),
		cmocka_unit_test(test_nan_2008),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_cause_is_per_instruction),
		cmocka_unit_test(test_trap_in_delay_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
