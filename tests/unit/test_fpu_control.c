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
/* cfc1 and ctc1. */
#include "tests/unit/fpu_fixture.h"

#define FCC(bits) (((uint32_t)(bits)&0xfe) << 24 | ((bits)&1u) << 23)
#define UFRP      (1u << 28)
#define UFR       (1u << 2)

static uint64_t read_control(struct fixture *f, unsigned reg)
{
	f->cpu->gpr[2] = 0x5555;
	fpu_exec(f, TRANSFER(CFC1, 2, reg));
	return f->cpu->gpr[2];
}

static void write_control(struct fixture *f, unsigned reg, uint64_t value)
{
	f->cpu->gpr[2] = value;
	fpu_exec(f, TRANSFER(CTC1, 2, reg));
}

static void test_reads(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	f->cpu->fpu.fcsr = FCC(0xa5) | FLUSH | CAUSE(V) | ENABLE(Z | I) | FLAG(O) | RM;
	assert_int_equal(read_control(f, 0), FIR_TEST);
	assert_int_equal(read_control(f, 25), 0xa5);
	assert_int_equal(read_control(f, 26), CAUSE(V) | FLAG(O));
	assert_int_equal(read_control(f, 28), ENABLE(Z | I) | 4 | RM);
	assert_int_equal(read_control(f, 31), (uint64_t)(int64_t)(int32_t)f->cpu->fpu.fcsr);
	assert_int_equal(read_control(f, 7), 0);
	assert_int_equal(read_control(f, 1), 0);
	fixture_free(f);
}

static void test_writes(void **state)
{
	struct fixture *f = fpu_new();
	struct mips_cpu *c = f->cpu;

	(void)state;
	write_control(f, 31, 0xffffffff00000000ull | (0xffffffffu & ~CAUSE(63)));
	assert_int_equal(c->fpu.fcsr, 0xff83ffffu & ~CAUSE(63));
	c->fpu.fcsr = 0;
	write_control(f, 25, 0xa5);
	assert_int_equal(c->fpu.fcsr, FCC(0xa5));
	write_control(f, 26, CAUSE(V) | FLAG(O) | ENABLE(31));
	assert_int_equal(c->fpu.fcsr, FCC(0xa5) | CAUSE(V) | FLAG(O));
	write_control(f, 28, ENABLE(Z) | 4 | RP | CAUSE(31));
	assert_int_equal(c->fpu.fcsr, FCC(0xa5) | CAUSE(V) | FLAG(O) | ENABLE(Z) | FLUSH | RP);
	write_control(f, 28, 0);
	assert_int_equal(c->fpu.fcsr, FCC(0xa5) | CAUSE(V) | FLAG(O));
	write_control(f, 0, 0xffffffff); /* FIR is read-only, others do not exist */
	write_control(f, 7, 0xffffffff);
	assert_int_equal(c->fpu.fcsr, FCC(0xa5) | CAUSE(V) | FLAG(O));
	fixture_free(f);
}

/* The rounding mode written takes effect in the next instruction. */
static void test_rounding_takes_effect(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	f->cpu->fpu.fpr[FS] = 0x3ff0000000000000ull;
	f->cpu->fpu.fpr[FT] = 1;
	f->cpu->gpr[2] = RP;
	RUN(f, 2, TRANSFER(CTC1, 2, 31), OPERATION(D, 0));
	assert_int_equal(f->cpu->fpu.fpr[FD], 0x3ff0000000000001ull);
	fixture_free(f);
}

/* A cause together with its enable traps at the ctc1, and so does Unimplemented alone. */
static void test_write_traps(void **state)
{
	static const uint32_t causes[] = { CAUSE(V) | ENABLE(V), CAUSE(I) | ENABLE(31), CAUSE(32) };
	struct fixture *f = fpu_new();

	(void)state;
	for (size_t n = 0; n < 3; n++) {
		f->cpu->gpr[2] = causes[n];
		fpu_expect(f, TRANSFER(CTC1, 2, 31), EXC_FPE);
		assert_int_equal(f->cpu->fpu.fcsr, causes[n]);
		assert_int_equal(f->cpu->cp0.epc, CODE);
	}
	write_control(f, 31, CAUSE(V) | ENABLE(15));
	f->cpu->gpr[2] = ENABLE(V);
	fpu_expect(f, TRANSFER(CTC1, 2, 28), EXC_FPE);
	fixture_free(f);
}

static void test_2008_bits(void **state)
{
	struct fixture *f = fpu_new_with(STATUS_CU1 | STATUS_FR, MIPS_HAS_NAN2008);

	(void)state;
	assert_int_equal(read_control(f, 31), 3u << 18);
	write_control(f, 31, 0);
	assert_int_equal(read_control(f, 31), 3u << 18);
	fixture_free(f);
	f = fpu_new();
	write_control(f, 31, 3u << 18);
	assert_int_equal(read_control(f, 31), 0);
	fixture_free(f);
}

/* UFR and UNFR: only if FIR says so, only if Config5 allows it, only from $0. */
static void test_ufr(void **state)
{
	struct fixture *f = fpu_new();
	struct mips_cpu *c = f->cpu;

	(void)state;
	fpu_exec(f, TRANSFER(CTC1, 0, 1));
	assert_true((c->cp0.status & STATUS_FR) != 0);
	f->model.fir |= UFRP;
	fpu_expect(f, TRANSFER(CTC1, 0, 1), EXC_RI);
	fpu_expect(f, TRANSFER(CFC1, 2, 1), EXC_RI);
	c->cp0.config[5] |= UFR;
	assert_int_equal(read_control(f, 1), 1);
	fpu_exec(f, TRANSFER(CTC1, 2, 1));
	assert_int_equal(read_control(f, 1), 1);
	fpu_exec(f, TRANSFER(CTC1, 0, 1));
	assert_int_equal(read_control(f, 1), 0);
	fpu_exec(f, TRANSFER(CTC1, 0, 4));
	assert_int_equal(read_control(f, 1), 1);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_rounding_takes_effect),
		cmocka_unit_test(test_write_traps),
		cmocka_unit_test(test_2008_bits),
		cmocka_unit_test(test_ufr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
