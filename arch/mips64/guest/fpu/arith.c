/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic in formats S and D. Each frequent operation has a function with a quick
 * path: register model FR=1, round to nearest, no FS, numbers as result, nothing
 * raised but perhaps Inexact without a trap. Everything else is any_arithmetic().
 */
#include "arch/mips64/guest/fpu/fpu.h"
#include "arch/mips64/guest/fpu/host_sse.h"

#define IMM(op, is_double) ((op)*2 + (is_double))

bool fpu_settle(struct mips_cpu *c, const struct mips_insn *i, const struct fpu_env *e)
{
	uint32_t fcsr = (c->fpu.fcsr & ~FCSR_CAUSE) | e->raised << FCSR_CAUSE_SHIFT;

	if ((fcsr >> FCSR_ENABLES_SHIFT & e->raised) != 0) {
		c->fpu.fcsr = fcsr;
		mips_raise(c, i, EXC_FPE);
		return false;
	}
	c->fpu.fcsr = fcsr | e->raised << FCSR_FLAGS_SHIFT;
	return true;
}

/** One instruction's result; a is fs, b ft, r fr. Multiply-add rounds twice, as Release 2 does (MADD.fmt). */
static uint64_t evaluate(struct fpu_env *e, enum fpu_op op, bool is_double, uint64_t a, uint64_t b, uint64_t r)
{
	uint64_t one = is_double ? 0x3ff0000000000000u : 0x3f800000u;
	uint64_t sign = is_double ? 0x8000000000000000u : 0x80000000u;

	switch (op) {
	case FPU_RECIP: return fpu_compute(e, FPU_DIV, is_double, one, a);
	case FPU_RSQRT: return fpu_compute(e, FPU_DIV, is_double, one, fpu_compute(e, FPU_SQRT, is_double, a, a));
	case FPU_MADD: return fpu_compute(e, FPU_ADD, is_double, fpu_compute(e, FPU_MUL, is_double, a, b), r);
	case FPU_MSUB: return fpu_compute(e, FPU_SUB, is_double, fpu_compute(e, FPU_MUL, is_double, a, b), r);
	case FPU_NMADD: return evaluate(e, FPU_MADD, is_double, a, b, r) ^ sign;
	case FPU_NMSUB: return evaluate(e, FPU_MSUB, is_double, a, b, r) ^ sign;
	default: return fpu_compute(e, op, is_double, a, b);
	}
}

/** abs and neg leave FCSR alone unless they raise Invalid, as the peer that the tests compare with does. */
static bool is_sign_change(enum fpu_op op)
{
	return op == FPU_ABS || op == FPU_NEG;
}

/** Any operation with any setting: the operation and the format are in i->imm. */
static const struct mips_insn *any_arithmetic(struct mips_cpu *c, const struct mips_insn *i)
{
	enum fpu_op op = (enum fpu_op)(i->imm >> 1);
	enum fpu_format format = i->imm & 1 ? FPU_D : FPU_S;
	struct fpu_env e = fpu_env(c);

	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (!fpu_holds(c, format, i->a | i->b | i->d | i->s))
		return mips_raise(c, i, EXC_RI);

	uint64_t result = evaluate(&e, op, format == FPU_D, fpu_read(c, format, i->a), fpu_read(c, format, i->b),
				   fpu_read(c, format, i->s));

	if ((e.raised != 0 || !is_sign_change(op)) && !fpu_settle(c, i, &e))
		return NULL;
	fpu_write(c, format, i->d, result);
	return i + 1;
}

/** Takes the flags of a quick operation. False: the slow path has to do it again. */
static inline bool quick_settle(struct mips_cpu *c, uint32_t mxcsr)
{
	uint32_t inexact = FPU_INEXACT << FCSR_CAUSE_SHIFT | FPU_INEXACT << FCSR_FLAGS_SHIFT;

	if ((mxcsr & SSE_FLAGS) == 0) {
		c->fpu.fcsr &= ~FCSR_CAUSE;
		return true;
	}
	sse_idle();
	if ((mxcsr & SSE_FLAGS) != SSE_PE || (c->fpu.fcsr & FPU_INEXACT << FCSR_ENABLES_SHIFT) != 0)
		return false;
	c->fpu.fcsr = (c->fpu.fcsr & ~FCSR_CAUSE) | inexact;
	return true;
}

/** Ends a quick operation in format D. */
static inline const struct mips_insn *finish_double(struct mips_cpu *c, const struct mips_insn *i, double result,
						    uint32_t mxcsr, uint64_t flip)
{
	if (__builtin_expect(!__builtin_isnan(result), 1) && __builtin_expect(quick_settle(c, mxcsr), 1)) {
		c->fpu.fpr[i->d] = sse_double_bits(result) ^ flip;
		return i + 1;
	}
	sse_idle();
	return any_arithmetic(c, i);
}

/** Ends a quick operation in format S. */
static inline const struct mips_insn *finish_single(struct mips_cpu *c, const struct mips_insn *i, float result,
						    uint32_t mxcsr, uint32_t flip)
{
	if (__builtin_expect(!__builtin_isnan(result), 1) && __builtin_expect(quick_settle(c, mxcsr), 1)) {
		fpu_write_low(c, i->d, sse_float_bits(result) ^ flip);
		return i + 1;
	}
	sse_idle();
	return any_arithmetic(c, i);
}

#define DOUBLE(n) sse_double(c->fpu.fpr[n])
#define SINGLE(n) sse_float((uint32_t)c->fpu.fpr[n])

/** Quick fs OP ft in both formats, and fs * ft OP fr with the sign flipped or not. */
#define BINARY(op)                                                                           \
	static const struct mips_insn *op##_d(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                    \
		if (!fpu_fast(c))                                                            \
			return any_arithmetic(c, i);                                         \
		uint32_t mxcsr;                                                              \
		double r = sse_##op##_d_quick(DOUBLE(i->a), DOUBLE(i->b), &mxcsr);           \
		return finish_double(c, i, r, mxcsr, 0);                                     \
	}                                                                                    \
	static const struct mips_insn *op##_s(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                    \
		if (!fpu_fast(c))                                                            \
			return any_arithmetic(c, i);                                         \
		uint32_t mxcsr;                                                              \
		float r = sse_##op##_s_quick(SINGLE(i->a), SINGLE(i->b), &mxcsr);            \
		return finish_single(c, i, r, mxcsr, 0);                                     \
	}

#define MULTIPLY_ADD(name, op, flip_d, flip_s)                                                   \
	static const struct mips_insn *name##_d(struct mips_cpu *c, const struct mips_insn *i)   \
	{                                                                                        \
		if (!fpu_fast(c))                                                                \
			return any_arithmetic(c, i);                                             \
		uint32_t mxcsr;                                                                  \
		double r = sse_##op##_d_quick(DOUBLE(i->a), DOUBLE(i->b), DOUBLE(i->s), &mxcsr); \
		return finish_double(c, i, r, mxcsr, flip_d);                                    \
	}                                                                                        \
	static const struct mips_insn *name##_s(struct mips_cpu *c, const struct mips_insn *i)   \
	{                                                                                        \
		if (!fpu_fast(c))                                                                \
			return any_arithmetic(c, i);                                             \
		uint32_t mxcsr;                                                                  \
		float r = sse_##op##_s_quick(SINGLE(i->a), SINGLE(i->b), SINGLE(i->s), &mxcsr);  \
		return finish_single(c, i, r, mxcsr, flip_s);                                    \
	}

BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(sqrt)
MULTIPLY_ADD(madd, muladd, 0, 0)
MULTIPLY_ADD(msub, mulsub, 0, 0)
MULTIPLY_ADD(nmadd, muladd, 0x8000000000000000u, 0x80000000u)
MULTIPLY_ADD(nmsub, mulsub, 0x8000000000000000u, 0x80000000u)

bool fpu_decode_arith(uint32_t word, bool is_double, struct mips_insn *out)
{
	/* By the function field: 0-5 and 7, 21, 22. ft is read by the first four only. */
	static const struct {
		uint8_t funct, op;
		mips_exec *exec[2];
	} table[] = {
		{ 0, FPU_ADD, { add_s, add_d } },
		{ 1, FPU_SUB, { sub_s, sub_d } },
		{ 2, FPU_MUL, { mul_s, mul_d } },
		{ 3, FPU_DIV, { div_s, div_d } },
		{ 4, FPU_SQRT, { sqrt_s, sqrt_d } },
		{ 5, FPU_ABS, { any_arithmetic, any_arithmetic } },
		{ 7, FPU_NEG, { any_arithmetic, any_arithmetic } },
		{ 21, FPU_RECIP, { any_arithmetic, any_arithmetic } },
		{ 22, FPU_RSQRT, { any_arithmetic, any_arithmetic } },
	};

	for (unsigned n = 0; n < sizeof(table) / sizeof(table[0]); n++) {
		if (table[n].funct != mips_funct(word))
			continue;
		uint8_t fs = mips_rd(word);

		*out = (struct mips_insn){
			.exec = table[n].exec[is_double],
			.a = fs,
			.b = table[n].op <= FPU_DIV ? mips_rt(word) : fs,
			.d = mips_sa(word),
			.s = fs,
			.imm = IMM(table[n].op, is_double),
		};
		return true;
	}
	return false;
}

bool fpu_decode_multiply_add(uint32_t word, struct mips_insn *out)
{
	/* Bits 5:3 of the function field select the operation, bits 2:0 the format. */
	static mips_exec *const exec[4][2] = {
		{ madd_s, madd_d },
		{ msub_s, msub_d },
		{ nmadd_s, nmadd_d },
		{ nmsub_s, nmsub_d },
	};
	unsigned op = (mips_funct(word) >> 3) - 4, format = mips_funct(word) & 7;

	if (op > 3 || format > FPU_D)
		return false;
	*out = (struct mips_insn){
		.exec = exec[op][format],
		.a = mips_rd(word),
		.b = mips_rt(word),
		.d = mips_sa(word),
		.s = mips_rs(word),
		.imm = (int32_t)IMM(FPU_MADD + op, format),
	};
	return true;
}
