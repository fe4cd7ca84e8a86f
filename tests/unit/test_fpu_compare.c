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
/* FPU comparisons and what tests their result: bc1, movf, movt. */
#include "tests/unit/fpu_fixture.h"

#define ONE_D  0x3ff0000000000000ull
#define TWO_D  0x4000000000000000ull
#define NEG    0x8000000000000000ull
#define QNAN_D 0x7ff7ffffffffffffull
#define SNAN_D 0x7ff8000000000000ull
#define ONE_S  0x3f800000ull
#define TWO_S  0x40000000ull
#define QNAN_S 0x7fbfffffull
#define SNAN_S 0x7fc00000ull
#define CC0    (1u << 23)

/* Relations of two operands, with the bit of the cond field that is true for them. */
static const struct {
	uint64_t d[2], s[2];
	unsigned true_if;
	bool nan, signalling;
} relations[] = {
	{ { ONE_D, TWO_D }, { ONE_S, TWO_S }, 4, false, false },
	{ { TWO_D, ONE_D }, { TWO_S, ONE_S }, 0, false, false },
	{ { ONE_D, ONE_D }, { ONE_S, ONE_S }, 2, false, false },
	{ { 0, NEG }, { 0, 0x80000000 }, 2, false, false },
	{ { ONE_D, QNAN_D }, { ONE_S, QNAN_S }, 1, true, false },
	{ { SNAN_D, ONE_D }, { SNAN_S, ONE_S }, 1, true, true },
	{ { QNAN_D, SNAN_D }, { QNAN_S, SNAN_S }, 1, true, true },
};

static void compare_all(struct fixture *f, unsigned fmt, const uint64_t *operands, size_t n)
{
	struct mips_cpu *c = f->cpu;

	for (unsigned cond = 0; cond < 16; cond++) {
		bool invalid = relations[n].signalling || (relations[n].nan && cond >= 8);
		uint32_t expected = ((cond & relations[n].true_if) != 0 ? CC0 : 0) | (invalid ? RAISED(V) : 0);

		c->fpu.fpr[FS] = operands[0];
		c->fpu.fpr[FT] = operands[1];
		c->fpu.fcsr = CAUSE(31) | (expected & CC0 ? 0 : CC0);
		fpu_exec(f, C_COND(fmt, cond, 0));
		assert_int_equal(c->fpu.fcsr, expected);
	}
}

static void all_relations(uint32_t status)
{
	struct fixture *f = fpu_new_with(status, 0);

	for (size_t n = 0; n < sizeof(relations) / sizeof(relations[0]); n++) {
		compare_all(f, D, relations[n].d, n);
		compare_all(f, S, relations[n].s, n);
	}
	fixture_free(f);
}

static void test_relations(void **state)
{
	(void)state;
	all_relations(STATUS_CU1 | STATUS_FR);
	all_relations(STATUS_CU1);
}

/* Each of the eight codes has its bit, and a comparison touches no other. */
static void test_codes(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	for (unsigned cc = 0; cc < 8; cc++) {
		f->cpu->fpu.fcsr = 0;
		fpu_exec(f, C_COND(D, 2, cc));
		assert_int_equal(f->cpu->fpu.fcsr, cc == 0 ? CC0 : 1u << (24 + cc));
		f->cpu->fpu.fcsr = ~CAUSE(63);
		fpu_exec(f, C_COND(D, 4, cc));
		assert_int_equal(f->cpu->fpu.fcsr, ~CAUSE(63) & ~(cc == 0 ? CC0 : 1u << (24 + cc)));
	}
	fixture_free(f);
}

static void test_trap_keeps_code(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	f->cpu->fpu.fpr[FS] = QNAN_D;
	f->cpu->fpu.fcsr = ENABLE(V) | CC0;
	fpu_expect(f, C_COND(D, 12, 0), EXC_FPE);
	assert_int_equal(f->cpu->fpu.fcsr, ENABLE(V) | CC0 | CAUSE(V));
	fixture_free(f);
}

/* c.eq.d treats 0x7ff8... as quiet in the 2008 encoding. */
static void test_2008(void **state)
{
	struct fixture *f = fpu_new_with(STATUS_CU1 | STATUS_FR, MIPS_HAS_NAN2008);

	(void)state;
	f->cpu->fpu.fpr[FS] = SNAN_D;
	fpu_exec(f, C_COND(D, 1, 0));
	assert_int_equal(f->cpu->fpu.fcsr, CC0);
	f->cpu->fpu.fpr[FS] = QNAN_D;
	fpu_exec(f, C_COND(D, 1, 0));
	assert_int_equal(f->cpu->fpu.fcsr, CC0 | RAISED(V));
	fixture_free(f);
}

/* Runs a branch; $2 becomes 1 if the delay slot was executed, $3 stays 0 if it was taken. */
static void expect_branch(struct fixture *f, uint32_t word, bool taken, bool slot)
{
	struct mips_cpu *c = f->cpu;

	c->gpr[2] = c->gpr[3] = 0;
	RUN(f, 2, word, ADDIU(2, 0, 1), ADDIU(3, 0, 1), NOP);
	assert_int_equal(c->gpr[2], slot);
	assert_int_equal(c->gpr[3], !taken);
	assert_int_equal(c->pc, CODE + (taken ? 16 : 12));
	assert_int_equal(c->exceptions, 0);
}

static void test_branches(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	for (unsigned cc = 0; cc < 8; cc++) {
		uint32_t bit = cc == 0 ? CC0 : 1u << (24 + cc);

		f->cpu->fpu.fcsr = bit;
		expect_branch(f, BC1(cc, 0, 1, 2), true, true);
		expect_branch(f, BC1(cc, 0, 0, 2), false, true);
		expect_branch(f, BC1(cc, 1, 1, 2), true, true);
		expect_branch(f, BC1(cc, 1, 0, 2), false, false);
		f->cpu->fpu.fcsr = ~bit & 0xfe800000;
		expect_branch(f, BC1(cc, 0, 0, 2), true, true);
		expect_branch(f, BC1(cc, 1, 1, 2), false, false);
	}
	fixture_free(f);
}

static void test_movci(void **state)
{
	struct fixture *f = fpu_new();
	struct mips_cpu *c = f->cpu;

	(void)state;
	c->gpr[4] = 0x123456789abcdef0ull;
	c->fpu.fcsr = 1u << 27;                         /* code 3 */
	fpu_exec(f, R_TYPE(0, 4, 3 << 2 | 1, 2, 0, 1)); /* movt $2, $4, $fcc3 */
	assert_int_equal(c->gpr[2], c->gpr[4]);
	fpu_exec(f, R_TYPE(0, 4, 3 << 2, 3, 0, 1)); /* movf does not */
	assert_int_equal(c->gpr[3], 0);
	fpu_exec(f, R_TYPE(0, 4, 0, 3, 0, 1)); /* movf $3, $4, $fcc0 */
	assert_int_equal(c->gpr[3], c->gpr[4]);
	fpu_exec(f, R_TYPE(0, 4, 0, 0, 0, 1));
	assert_int_equal(c->gpr[0], 0);
	fpu_expect(f, R_TYPE(0, 4, 2, 3, 0, 1), EXC_RI);
	fixture_free(f);
}

static void test_moves_on_condition(void **state)
{
	struct fixture *f = fpu_new();
	struct mips_cpu *c = f->cpu;

	(void)state;
	c->fpu.fpr[FS] = ONE_D;
	c->fpu.fcsr = 1u << 25 | CAUSE(V);
	fpu_exec(f, COP1(D, 1 << 2 | 1, FS, FD, 17)); /* movt.d on code 1 */
	assert_int_equal(c->fpu.fpr[FD], ONE_D);
	fpu_exec(f, COP1(D, 1 << 2, FS, FD + 1, 17)); /* movf.d */
	assert_int_equal(c->fpu.fpr[FD + 1], 0);
	c->fpu.fpr[FS] = 0x1111111122222222ull;
	c->fpu.fpr[FD] = OLD_FD;
	fpu_exec(f, COP1(S, 0, FS, FD, 17)); /* movf.s on code 0 */
	assert_int_equal(c->fpu.fpr[FD], (OLD_FD & ~0xffffffffull) | 0x22222222);
	assert_int_equal(c->fpu.fcsr, 1u << 25 | CAUSE(V));
	fpu_expect(f, COP1(D, 2, FS, FD, 17), EXC_RI);
	fpu_expect(f, C_COND(D, 2, 0) | 1 << 6, EXC_RI); /* cabs of MIPS-3D */
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relations),          cmocka_unit_test(test_codes),
		cmocka_unit_test(test_trap_keeps_code),    cmocka_unit_test(test_2008),
		cmocka_unit_test(test_branches),           cmocka_unit_test(test_movci),
		cmocka_unit_test(test_moves_on_condition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
