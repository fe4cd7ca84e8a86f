/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the FPU share: words, FCSR fields, and running one instruction on given registers. */
#ifndef TESTS_FPU_FIXTURE_H
#define TESTS_FPU_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/mips64/guest/fpu/fpu.h"
#include "tests/unit/mips_fixture.h"

/* Operand registers of every table: fs, ft, fr and the destination fd. All even, for both register models. */
#define FS 2
#define FT 4
#define FR 6
#define FD 8

/* Values of the fmt field. */
#define S 16
#define D 17
#define W 20
#define L 21

#define COP1(fmt, ft, fs, fd, funct)  R_TYPE(0x11, fmt, ft, fs, fd, funct)
#define COP1X(fr, ft, fs, fd, funct)  R_TYPE(0x13, fr, ft, fs, fd, funct)
#define OPERATION(fmt, funct)         COP1(fmt, FT, FS, FD, funct)
#define MULTIPLY_ADD(base, is_double) COP1X(FR, FT, FS, FD, (base) + (is_double))
#define C_COND(fmt, cond, cc)         COP1(fmt, FT, FS, (cc) << 2, 0x30 + (cond))
#define TRANSFER(which, rt, fs)       COP1(which, rt, fs, 0, 0)
#define BC1(cc, likely, taken, off)   I_TYPE(0x11, 8, (cc) << 2 | (likely) << 1 | (taken), off)

enum { MFC1, DMFC1, CFC1, MFHC1, MTC1, DMTC1, CTC1, MTHC1 };

/* FCSR: fields made of V, Z, O, U, I; rounding modes. */
#define CAUSE(x)  ((uint32_t)(x) << 12)
#define ENABLE(x) ((uint32_t)(x) << 7)
#define FLAG(x)   ((uint32_t)(x) << 2)
#define RAISED(x) (CAUSE(x) | FLAG(x))
#define V         16u
#define Z         8u
#define O         4u
#define U         2u
#define I         1u
#define RN        0u
#define RZ        1u
#define RP        2u
#define RM        3u
#define FLUSH     (1u << 24)

#define FIR_TEST 0x00730000u /* F64, L, W, D, S */

/** A CPU with an FPU that is usable, with these Status bits and further features. */
static inline struct fixture *fpu_new_with(uint32_t status, uint32_t features)
{
	struct fixture *f = fixture_new_with(MIPS_HAS_FPU | features, false);

	f->model.fir = FIR_TEST;
	mips_set_status(f->cpu, f->cpu->cp0.status | status);
	return f;
}

/** FR=1, NaNs as in 1985. */
static inline struct fixture *fpu_new(void)
{
	return fpu_new_with(STATUS_CU1 | STATUS_FR, 0);
}

/** One instruction with FR=1: operands, FCSR before; result and FCSR after. */
struct fpu_case {
	const char *name;
	uint32_t word;
	uint64_t fs, ft, fr;
	uint32_t before;
	uint64_t fd;
	uint32_t after;
};

/** What fd holds before each case: traps leave it, and 32-bit results its high half. */
#define OLD_FD 0x5555aaaa5555aaaaull

/** Runs one case in format-wide registers (`bits` of the result, 32 or 64). */
static inline void fpu_run_case(struct fixture *f, const struct fpu_case *t, unsigned bits)
{
	uint64_t fd = t->fd;
	struct mips_cpu *c = f->cpu;

	c->fpu.fpr[FS] = t->fs;
	c->fpu.fpr[FT] = t->ft;
	c->fpu.fpr[FR] = t->fr;
	c->fpu.fpr[FD] = OLD_FD;
	c->fpu.fcsr = t->before;
	fixture_exec(f, t->word);
	if (bits == 32 && fd != OLD_FD)
		fd = (OLD_FD & 0xffffffff00000000ull) | (uint32_t)fd;
	if (c->fpu.fpr[FD] != fd || c->fpu.fcsr != t->after)
		fail_msg("%s: fd %016llx FCSR %08x instead of %016llx %08x", t->name,
			 (unsigned long long)c->fpu.fpr[FD], c->fpu.fcsr, (unsigned long long)fd, t->after);
	if (c->exceptions != 0) {
		/* Only a trap of an enabled cause is an exception. */
		assert_int_equal(fixture_exccode(f), EXC_FPE);
		assert_true((t->before >> 7 & t->after >> 12 & 31) != 0);
		assert_int_equal(c->cp0.epc, CODE);
		mips_set_status(c, c->cp0.status & ~STATUS_EXL);
		c->exceptions = 0;
	} else {
		assert_int_equal(t->before >> 7 & t->after >> 12 & 31, 0);
	}
}

/** Runs cases whose results have `bits`. */
static inline void fpu_run_cases(struct fixture *f, const struct fpu_case *cases, size_t count, unsigned bits)
{
	for (size_t n = 0; n < count; n++)
		fpu_run_case(f, &cases[n], bits);
}

#define FPU_RUN(f, cases, bits) fpu_run_cases(f, cases, sizeof(cases) / sizeof((cases)[0]), bits)

/** Executes a word that must take this exception; clears EXL again. */
static inline void fpu_expect(struct fixture *f, uint32_t word, unsigned code)
{
	uint64_t before = f->cpu->exceptions;

	fixture_exec(f, word);
	assert_int_equal(f->cpu->exceptions, before + 1);
	assert_int_equal(fixture_exccode(f), code);
	mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_EXL);
}

/** Executes a word that must take no exception. */
static inline void fpu_exec(struct fixture *f, uint32_t word)
{
	uint64_t before = f->cpu->exceptions;

	fixture_exec(f, word);
	assert_int_equal(f->cpu->exceptions, before);
}

#endif
