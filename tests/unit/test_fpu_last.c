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
/*
 * FCSR after arithmetic that an engine did on the host's FPU: what the notes and MXCSR
 * say must be what the interpreter of the same instruction says.
 */
#include <string.h>

#include <husk/feature.h>

#include "tests/unit/fpu_fixture.h"

#define ONE_D     0x3ff0000000000000ull
#define MAX_D     0x7fefffffffffffffull
#define MIN_D     0x0010000000000000ull
#define ONE_S     0x3f800000ull
#define MAX_S     0x7f7fffffull
#define MIN_S     0x00800000ull
#define GARBAGE_S 0x7ff0000000000000ull /* in the upper half of a single's register: a signalling double, mostly */

/* MXCSR's flags. */
#define SSE_Z 0x04u
#define SSE_O 0x08u
#define SSE_U 0x10u
#define SSE_P 0x20u

static struct fixture *new_fixture(void)
{
	struct fixture *f = fpu_new();

	assert_int_equal(feature_attach_all(&f->vm), 0);
	assert_non_null(f->cpu->fpu.settle);
	return f;
}

/** An instruction and how the translator notes it. */
struct settle_case {
	const char *name;
	uint32_t word, note;
	uint64_t a, b, e;
};

static const struct settle_case cases[] = {
	{ "add.d exact", OPERATION(D, 0), FPU_NOTE_OF(FPU_ADD, 1), ONE_D, ONE_D, 0 },
	{ "add.d inexact", OPERATION(D, 0), FPU_NOTE_OF(FPU_ADD, 1), ONE_D, 1, 0 },
	{ "add.d overflow", OPERATION(D, 0), FPU_NOTE_OF(FPU_ADD, 1), MAX_D, MAX_D, 0 },
	{ "sub.d inexact", OPERATION(D, 1), FPU_NOTE_OF(FPU_SUB, 1), ONE_D, 1, 0 },
	{ "sub.d exact", OPERATION(D, 1), FPU_NOTE_OF(FPU_SUB, 1), ONE_D, ONE_D, 0 },
	{ "mul.d underflow", OPERATION(D, 2), FPU_NOTE_OF(FPU_MUL, 1), MIN_D, MIN_D, 0 },
	{ "mul.d exact subnormal", OPERATION(D, 2), FPU_NOTE_OF(FPU_MUL, 1), MIN_D, 0x3fe0000000000000, 0 },
	{ "mul.d overflow", OPERATION(D, 2), FPU_NOTE_OF(FPU_MUL, 1), MAX_D, MAX_D, 0 },
	{ "div.d by zero", OPERATION(D, 3), FPU_NOTE_OF(FPU_DIV, 1), ONE_D, 0, 0 },
	{ "div.d inexact", OPERATION(D, 3), FPU_NOTE_OF(FPU_DIV, 1), ONE_D, 0x4008000000000000, 0 },
	{ "sqrt.d", OPERATION(D, 4), FPU_NOTE_OF(FPU_SQRT, 1), 0x4000000000000000, 77, 0 },
	{ "add.s inexact", OPERATION(S, 0), FPU_NOTE_OF(FPU_ADD, 0), GARBAGE_S | ONE_S, GARBAGE_S | 1, 0 },
	{ "add.s exact", OPERATION(S, 0), FPU_NOTE_OF(FPU_ADD, 0), GARBAGE_S | ONE_S, ONE_S, 0 },
	{ "mul.s underflow", OPERATION(S, 2), FPU_NOTE_OF(FPU_MUL, 0), MIN_S, GARBAGE_S | MIN_S, 0 },
	{ "mul.s overflow", OPERATION(S, 2), FPU_NOTE_OF(FPU_MUL, 0), MAX_S, GARBAGE_S | MAX_S, 0 },
	{ "div.s by zero", OPERATION(S, 3), FPU_NOTE_OF(FPU_DIV, 0), GARBAGE_S | ONE_S, GARBAGE_S, 0 },
	{ "sqrt.s", OPERATION(S, 4), FPU_NOTE_OF(FPU_SQRT, 0), GARBAGE_S | 0x40000000, 0, 0 },
	{ "madd.d", MULTIPLY_ADD(32, 1), FPU_NOTE_OF(FPU_MADD, 1), ONE_D + 1, ONE_D + 1, 0 },
	{ "madd.d product overflows", MULTIPLY_ADD(32, 1), FPU_NOTE_OF(FPU_MADD, 1), MAX_D, MAX_D, ONE_D },
	{ "msub.s", MULTIPLY_ADD(40, 0), FPU_NOTE_OF(FPU_MSUB, 0), MIN_S, MIN_S, GARBAGE_S | ONE_S },
	{ "nmadd.d", MULTIPLY_ADD(48, 1), FPU_NOTE_OF(FPU_NMADD, 1), ONE_D, ONE_D, 1 },
	{ "nmsub.d exact", MULTIPLY_ADD(56, 1), FPU_NOTE_OF(FPU_NMSUB, 1), ONE_D, ONE_D, ONE_D },
	{ "c.lt.d", C_COND(D, 12, 0), FPU_NOTE_COMPARISON, ONE_D, MAX_D, 0 },
	{ "cvt.d.s", OPERATION(S, 33), FPU_NOTE_TO(FPU_S, FPU_D, FPU_NEAREST), GARBAGE_S | MAX_S, 0, 0 },
	{ "cvt.s.d inexact", OPERATION(D, 32), FPU_NOTE_TO(FPU_D, FPU_S, FPU_NEAREST), ONE_D + 1, 0, 0 },
	{ "cvt.s.d overflow", OPERATION(D, 32), FPU_NOTE_TO(FPU_D, FPU_S, FPU_NEAREST), MAX_D, 0, 0 },
	{ "cvt.s.d underflow", OPERATION(D, 32), FPU_NOTE_TO(FPU_D, FPU_S, FPU_NEAREST), MIN_D, 0, 0 },
	{ "cvt.s.w inexact", OPERATION(W, 32), FPU_NOTE_TO(FPU_W, FPU_S, FPU_NEAREST), GARBAGE_S | 0x7fffffff, 0, 0 },
	{ "cvt.d.w", OPERATION(W, 33), FPU_NOTE_TO(FPU_W, FPU_D, FPU_NEAREST), GARBAGE_S | 0x80000000, 0, 0 },
	{ "cvt.d.l inexact", OPERATION(L, 33), FPU_NOTE_TO(FPU_L, FPU_D, FPU_NEAREST), INT64_MAX, 0, 0 },
	{ "cvt.w.d", OPERATION(D, 36), FPU_NOTE_TO(FPU_D, FPU_W, FPU_NEAREST), ONE_D + 1, 0, 0 },
	{ "cvt.l.s exact", OPERATION(S, 37), FPU_NOTE_TO(FPU_S, FPU_L, FPU_NEAREST), GARBAGE_S | ONE_S, 0, 0 },
	{ "trunc.w.s", OPERATION(S, 13), FPU_NOTE_TO(FPU_S, FPU_W, FPU_ZERO), GARBAGE_S | (ONE_S + 1), 0, 0 },
	{ "trunc.l.d exact", OPERATION(D, 9), FPU_NOTE_TO(FPU_D, FPU_L, FPU_ZERO), ONE_D, 0, 0 },
};

/* FCSR as the interpreter leaves it. */
static uint32_t interpreted(struct fixture *f, const struct settle_case *t, uint32_t before)
{
	struct mips_cpu *c = f->cpu;

	c->fpu.fpr[FS] = t->a;
	c->fpu.fpr[FT] = t->b;
	c->fpu.fpr[FR] = t->e;
	c->fpu.fcsr = before;
	c->fpu.last.note = 0;
	fpu_exec(f, t->word);
	return c->fpu.fcsr;
}

/* MXCSR's flags for those of an FCSR; the host also collects Invalid, which says nothing. */
static uint32_t sse_flags(uint32_t flags)
{
	return ((flags & I) != 0 ? SSE_P : 0) | ((flags & U) != 0 ? SSE_U : 0) | ((flags & O) != 0 ? SSE_O : 0) |
	       ((flags & Z) != 0 ? SSE_Z : 0) | 1;
}

static void set_mxcsr(uint32_t flags)
{
	uint32_t mxcsr = 0x1f80 | flags;

	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

static uint32_t mxcsr(void)
{
	uint32_t v;

	__asm__ volatile("stmxcsr %0" : "=m"(v));
	return v;
}

/* As if translated code had executed it, and others before that raised `others`. */
static uint32_t settled(struct fixture *f, const struct settle_case *t, uint32_t before, uint32_t raised,
			uint32_t others)
{
	struct mips_cpu *c = f->cpu;

	c->fpu.fcsr = before;
	c->fpu.last = (struct mips_fp_last){ .a = t->a, .b = t->b, .e = t->e, .note = t->note };
	set_mxcsr(sse_flags(raised | others));
	c->fpu.settle(c);
	return c->fpu.fcsr;
}

static void test_as_interpreted(void **state)
{
	static const uint32_t before[] = { 0, FLAG(V), CAUSE(63) | FLAG(O | Z), FLAG(31) | 1u << 25 };
	struct fixture *f = new_fixture();

	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++)
		for (size_t k = 0; k < sizeof(before) / sizeof(before[0]); k++) {
			uint32_t wanted = interpreted(f, &cases[n], before[k]), raised = wanted >> 12 & 31, is;

			/* FCMP writes its bit of the status itself. */
			wanted &= ~(cases[n].note == FPU_NOTE_COMPARISON ? 1u << 23 : 0);
			is = settled(f, &cases[n], before[k], raised, 0);
			if (is != wanted)
				fail_msg("%s: FCSR %08x, not %08x", cases[n].name, is, wanted);
		}
	fixture_free(f);
}

/* Flags are all that was raised since, Cause only what the last one raises. */
static void test_flags_of_those_before(void **state)
{
	struct fixture *f = new_fixture();

	(void)state;
	assert_int_equal(settled(f, &cases[0], FLAG(V), 0, O | I), FLAG(V | O | I));
	assert_int_equal(settled(f, &cases[1], 0, I, Z), CAUSE(I) | FLAG(I | Z));
	assert_int_equal(settled(f, &cases[5], 0, U | I, O), CAUSE(U | I) | FLAG(U | I | O));
	fixture_free(f);
}

/* Asked twice it says the same, and flags of the host that belong to nobody are left out. */
static void test_asked_twice(void **state)
{
	struct fixture *f = new_fixture();
	uint32_t once = settled(f, &cases[1], FLAG(V), I, 0);

	(void)state;
	assert_int_equal(f->cpu->fpu.last.note, 0);
	assert_int_equal(mxcsr(), 0x1f80);
	f->cpu->fpu.settle(f->cpu);
	assert_int_equal(f->cpu->fpu.fcsr, once);
	set_mxcsr(SSE_O | SSE_Z);
	f->cpu->fpu.settle(f->cpu);
	assert_int_equal(f->cpu->fpu.fcsr, once);
	set_mxcsr(0);
	fixture_free(f);
}

/* Reading FCSR as a debugger does brings it up to date; writing it keeps what was read-only. */
static void test_registers(void **state)
{
	struct fixture *f = new_fixture();
	unsigned fcsr = 0;

	(void)state;
	while (strcmp(f->vm.engine->registers[fcsr].name, "fcsr") != 0)
		fcsr++;
	f->cpu->fpu.fcsr = 0;
	f->cpu->fpu.last = (struct mips_fp_last){ .a = ONE_D, .b = 1, .note = FPU_NOTE_OF(FPU_ADD, 1) };
	set_mxcsr(SSE_P);
	assert_int_equal(f->vm.engine->get_register(f->vcpu, fcsr), RAISED(I));
	f->cpu->fpu.last.note = FPU_NOTE_OF(FPU_ADD, 1);
	set_mxcsr(SSE_P);
	f->vm.engine->set_register(f->vcpu, fcsr, FLAG(Z));
	assert_int_equal(f->vm.engine->get_register(f->vcpu, fcsr), FLAG(Z));
	fixture_free(f);
}

/* What code may do fast depends on the mode. */
static void test_when_arithmetic_is_usual(void **state)
{
	static const uint32_t unusual[] = { ENABLE(I), ENABLE(V), RZ, RP, 1u << 24 };
	struct fixture *f = new_fixture();
	struct mips_cpu *c = f->cpu;

	(void)state;
	mips_update_mode(c);
	assert_true(c->code_mode & MIPS_CODE_FAST_FP);
	for (unsigned n = 0; n < sizeof(unusual) / sizeof(unusual[0]); n++) {
		c->gpr[2] = unusual[n];
		fpu_exec(f, TRANSFER(CTC1, 2, 31));
		assert_false(c->code_mode & MIPS_CODE_FAST_FP);
		c->gpr[2] = RAISED(I) & ~CAUSE(31);
		fpu_exec(f, TRANSFER(CTC1, 2, 31));
		assert_true(c->code_mode & MIPS_CODE_FAST_FP);
	}
	mips_set_status(c, c->cp0.status & ~STATUS_FR);
	assert_false(c->code_mode & MIPS_CODE_FAST_FP);
	mips_set_status(c, (c->cp0.status | STATUS_FR) & ~STATUS_CU1);
	assert_false(c->code_mode & MIPS_CODE_FAST_FP);
	mips_set_status(c, c->cp0.status | STATUS_CU1);
	assert_true(c->code_mode & MIPS_CODE_FAST_FP);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_interpreted),
		cmocka_unit_test(test_flags_of_those_before),
		cmocka_unit_test(test_asked_twice),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_when_arithmetic_is_usual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
