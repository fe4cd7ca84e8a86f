/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frequent arithmetic in its usual case: register model FR=1, round to nearest, ordinary
 * numbers, nothing raised but perhaps Inexact without a trap. It is plain C arithmetic
 * then. Every other case is fpu_any_arithmetic()'s, which starts from the operands again.
 */
#include "arch/mips64/guest/fpu/exact.h"
#include "arch/mips64/guest/fpu/fpu.h"
#include "arch/mips64/guest/fpu/host_sse.h"

#define likely(x) __builtin_expect(!!(x), 1)

static inline const struct mips_insn *finish_d(struct mips_cpu *c, const struct mips_insn *i, double result, bool exact)
{
	if (!likely(fpu_settle_quick(c, exact)))
		return fpu_any_arithmetic(c, i);
	c->fpu.fpr[i->d] = sse_double_bits(result);
	return i + 1;
}

static inline const struct mips_insn *finish_s(struct mips_cpu *c, const struct mips_insn *i, float result, bool exact)
{
	if (!likely(fpu_settle_quick(c, exact)))
		return fpu_any_arithmetic(c, i);
	fpu_write_low(c, i->d, sse_float_bits(result));
	return i + 1;
}

static inline double double_of(const struct mips_cpu *c, unsigned n)
{
	return sse_double(c->fpu.fpr[n]);
}

static inline float single_of(const struct mips_cpu *c, unsigned n)
{
	return sse_float((uint32_t)c->fpu.fpr[n]);
}

/** a + b. False if it is not the usual case. A sum is 0 only if it is exact. */
static inline bool sum_d(double a, double b, double *result, bool *exact)
{
	*result = a + b;
	*exact = fpu_sum_exact_d(a, b, *result);
	return fpu_is_ordinary_d(*result) || *result == 0;
}

static inline bool sum_s(float a, float b, float *result, bool *exact)
{
	*result = a + b;
	*exact = fpu_sum_exact_s(a, b, *result);
	return fpu_is_ordinary_s(*result) || *result == 0;
}

/** a * b. The empty asm keeps compilers from fusing it with a sum. */
static inline bool product_d(double a, double b, double *result, bool *exact)
{
	double r = a * b;

	__asm__("" : "+x"(r));
	*result = r;
	if (likely(fpu_is_ordinary_d(r) && fpu_is_ordinary_d(a) && fpu_is_ordinary_d(b))) {
		*exact = fpu_product_exact_d(a, b);
		return true;
	}
	*exact = true;
	return (a == 0 && fpu_is_ordinary_d(b)) || (b == 0 && fpu_is_ordinary_d(a));
}

static inline bool product_s(float a, float b, float *result, bool *exact)
{
	float r = a * b;

	__asm__("" : "+x"(r));
	*result = r;
	*exact = fpu_equals_product_s(r, a, b);
	return fpu_is_ordinary_s(r) || (r == 0 && (a == 0 || b == 0));
}

static inline bool quotient_d(double a, double b, double *result, bool *exact)
{
	*result = a / b;
	*exact = fpu_equals_product_d(a, *result, b);
	return fpu_is_ordinary_d(*result) && fpu_is_ordinary_d(a) && fpu_is_ordinary_d(b);
}

static inline bool quotient_s(float a, float b, float *result, bool *exact)
{
	*result = a / b;
	*exact = fpu_equals_product_s(a, *result, b);
	return fpu_is_ordinary_s(*result) && b != 0 && (sse_float_bits(b) & ~(1u << 31)) < SINGLE_EXPONENT;
}

static inline bool root_d(double a, double *result, bool *exact)
{
	double root = a;

	__asm__("sqrtsd %0, %0" : "+x"(root));
	*result = root;
	*exact = fpu_equals_product_d(a, root, root);
	return a > 0 && fpu_is_ordinary_d(a);
}

static inline bool root_s(float a, float *result, bool *exact)
{
	float root = a;

	__asm__("sqrtss %0, %0" : "+x"(root));
	*result = root;
	*exact = fpu_equals_product_s(a, root, root);
	return a > 0 && fpu_is_ordinary_s(a);
}

/** fs OP ft by sum, product, ... above; NAME, its format x as suffix, and operand b. */
#define BINARY(name, x, type, get, operation, b)                                                 \
	static const struct mips_insn *name##_##x(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                        \
		type result;                                                                     \
		bool exact;                                                                      \
		if (likely(fpu_quick(c) && operation##_##x(get(c, i->a), b, &result, &exact)))   \
			return finish_##x(c, i, result, exact);                                  \
		return fpu_any_arithmetic(c, i);                                                 \
	}

BINARY(add, d, double, double_of, sum, double_of(c, i->b))
BINARY(add, s, float, single_of, sum, single_of(c, i->b))
BINARY(sub, d, double, double_of, sum, -double_of(c, i->b))
BINARY(sub, s, float, single_of, sum, -single_of(c, i->b))
BINARY(mul, d, double, double_of, product, double_of(c, i->b))
BINARY(mul, s, float, single_of, product, single_of(c, i->b))
BINARY(div, d, double, double_of, quotient, double_of(c, i->b))
BINARY(div, s, float, single_of, quotient, single_of(c, i->b))

/** fs * ft + ADDEND, negated if SIGN is -; rounded twice. */
#define MULTIPLY_ADD(name, x, type, get, sign, addend)                                                   \
	static const struct mips_insn *name##_##x(struct mips_cpu *c, const struct mips_insn *i)         \
	{                                                                                                \
		type product, result;                                                                    \
		bool exact1, exact2;                                                                     \
		if (likely(fpu_quick(c) && product_##x(get(c, i->a), get(c, i->b), &product, &exact1) && \
			   sum_##x(product, addend, &result, &exact2)))                                  \
			return finish_##x(c, i, sign result, exact1 && exact2);                          \
		return fpu_any_arithmetic(c, i);                                                         \
	}

MULTIPLY_ADD(madd, d, double, double_of, +, double_of(c, i->s))
MULTIPLY_ADD(madd, s, float, single_of, +, single_of(c, i->s))
MULTIPLY_ADD(msub, d, double, double_of, +, -double_of(c, i->s))
MULTIPLY_ADD(msub, s, float, single_of, +, -single_of(c, i->s))
MULTIPLY_ADD(nmadd, d, double, double_of, -, double_of(c, i->s))
MULTIPLY_ADD(nmadd, s, float, single_of, -, single_of(c, i->s))
MULTIPLY_ADD(nmsub, d, double, double_of, -, -double_of(c, i->s))
MULTIPLY_ADD(nmsub, s, float, single_of, -, -single_of(c, i->s))

static const struct mips_insn *sqrt_d(struct mips_cpu *c, const struct mips_insn *i)
{
	double result;
	bool exact;

	if (likely(fpu_quick(c) && root_d(double_of(c, i->a), &result, &exact)))
		return finish_d(c, i, result, exact);
	return fpu_any_arithmetic(c, i);
}

static const struct mips_insn *sqrt_s(struct mips_cpu *c, const struct mips_insn *i)
{
	float result;
	bool exact;

	if (likely(fpu_quick(c) && root_s(single_of(c, i->a), &result, &exact)))
		return finish_s(c, i, result, exact);
	return fpu_any_arithmetic(c, i);
}

/** True for every pattern but NaNs, of which abs and neg only change the sign. */
static inline bool is_number_d(uint64_t bits)
{
	return (bits & ~(1ull << 63)) <= DOUBLE_EXPONENT;
}

static const struct mips_insn *abs_d(struct mips_cpu *c, const struct mips_insn *i)
{
	uint64_t v = c->fpu.fpr[i->a];

	if (!likely(fpu_plain(c) && is_number_d(v)))
		return fpu_any_arithmetic(c, i);
	c->fpu.fpr[i->d] = v & ~(1ull << 63);
	return i + 1;
}

static const struct mips_insn *neg_d(struct mips_cpu *c, const struct mips_insn *i)
{
	uint64_t v = c->fpu.fpr[i->a];

	if (!likely(fpu_plain(c) && is_number_d(v)))
		return fpu_any_arithmetic(c, i);
	c->fpu.fpr[i->d] = v ^ 1ull << 63;
	return i + 1;
}

mips_exec *fpu_quick_arithmetic(enum fpu_op op, bool is_double)
{
	static mips_exec *const quick[][2] = {
		[FPU_ADD] = { add_s, add_d },       [FPU_SUB] = { sub_s, sub_d },       [FPU_MUL] = { mul_s, mul_d },
		[FPU_DIV] = { div_s, div_d },       [FPU_SQRT] = { sqrt_s, sqrt_d },    [FPU_ABS] = { NULL, abs_d },
		[FPU_NEG] = { NULL, neg_d },        [FPU_MADD] = { madd_s, madd_d },    [FPU_MSUB] = { msub_s, msub_d },
		[FPU_NMADD] = { nmadd_s, nmadd_d }, [FPU_NMSUB] = { nmsub_s, nmsub_d },
	};

	return quick[op][is_double] != NULL ? quick[op][is_double] : fpu_any_arithmetic;
}
