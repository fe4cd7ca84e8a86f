/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IEEE arithmetic with every setting of FCSR, on bit patterns. The host computes
 * numbers; NaNs, and whatever MIPS does unlike SSE, are integer code here.
 */
#include "arch/mips64/guest/fpu/fpu.h"
#include "arch/mips64/guest/fpu/host_sse.h"

/** Fields of a format. */
struct layout {
	uint64_t sign, exponent, fraction, quiet; /**< quiet: the top bit of the fraction */
};

static const struct layout layouts[2] = {
	{ 0x80000000u, 0x7f800000u, 0x007fffffu, 0x00400000u },
	{ 0x8000000000000000u, 0x7ff0000000000000u, 0x000fffffffffffffu, 0x0008000000000000u },
};

static bool is_nan(const struct layout *l, uint64_t v)
{
	return (v & ~l->sign) > l->exponent;
}

static bool is_signalling(const struct fpu_env *e, const struct layout *l, uint64_t v)
{
	return is_nan(l, v) && ((v & l->quiet) == 0) == e->nan2008;
}

/** The NaN of operations without NaN operands (MD00083, values supplied for invalid operations). */
static uint64_t default_nan(const struct fpu_env *e, const struct layout *l)
{
	return e->nan2008 ? l->exponent | l->quiet : l->exponent | (l->quiet - 1);
}

/**
 * Result for operands of which at least one is a NaN. The 1985 encoding gives the default NaN; the 2008
 * encoding the first signalling operand made quiet, else the first quiet one.
 */
static uint64_t propagate(struct fpu_env *e, const struct layout *l, uint64_t a, uint64_t b)
{
	bool a_signals = is_signalling(e, l, a), b_signals = is_signalling(e, l, b);

	if (a_signals || b_signals)
		e->raised |= FPU_INVALID;
	if (!e->nan2008)
		return default_nan(e, l);
	if (a_signals || (!b_signals && is_nan(l, a)))
		return a | l->quiet;
	return b | l->quiet;
}

static double compute_double(enum fpu_op op, double a, double b, uint32_t *mxcsr)
{
	switch (op) {
	case FPU_ADD: return sse_add_d(a, b, mxcsr);
	case FPU_SUB: return sse_sub_d(a, b, mxcsr);
	case FPU_MUL: return sse_mul_d(a, b, mxcsr);
	case FPU_DIV: return sse_div_d(a, b, mxcsr);
	default: return sse_sqrt_d(a, a, mxcsr);
	}
}

static float compute_single(enum fpu_op op, float a, float b, uint32_t *mxcsr)
{
	switch (op) {
	case FPU_ADD: return sse_add_s(a, b, mxcsr);
	case FPU_SUB: return sse_sub_s(a, b, mxcsr);
	case FPU_MUL: return sse_mul_s(a, b, mxcsr);
	case FPU_DIV: return sse_div_s(a, b, mxcsr);
	default: return sse_sqrt_s(a, a, mxcsr);
	}
}

/** Runs one operation of the host on numbers; *mxcsr is the mode before, the flags after. */
static uint64_t host_compute(enum fpu_op op, bool is_double, uint64_t a, uint64_t b, uint32_t *mxcsr)
{
	if (is_double)
		return sse_double_bits(compute_double(op, sse_double(a), sse_double(b), mxcsr));
	return sse_float_bits(compute_single(op, sse_float((uint32_t)a), sse_float((uint32_t)b), mxcsr));
}

/**
 * FCSR.FS=1: true if a result, computed rounding to zero, is below the normal range. Like the peer
 * that the tests compare with, the result before rounding counts, and flushing raises nothing.
 */
static bool is_flushed(const struct layout *l, uint64_t truncated, uint32_t mxcsr)
{
	uint64_t magnitude = truncated & ~l->sign;

	return magnitude <= l->fraction && (magnitude != 0 || (mxcsr & SSE_PE) != 0);
}

/** add, sub, mul, div or sqrt. */
static uint64_t arithmetic(struct fpu_env *e, enum fpu_op op, bool is_double, uint64_t a, uint64_t b)
{
	const struct layout *l = &layouts[is_double];

	if (op == FPU_SQRT)
		b = a;
	if (is_nan(l, a) || is_nan(l, b))
		return propagate(e, l, a, b);
	if (e->flush) {
		uint32_t mxcsr = sse_control(FPU_ZERO);
		uint64_t truncated = host_compute(op, is_double, a, b, &mxcsr);

		if (is_flushed(l, truncated, mxcsr))
			return truncated & l->sign;
	}
	uint32_t mxcsr = sse_control(e->rounding);
	uint64_t result = host_compute(op, is_double, a, b, &mxcsr);

	e->raised |= sse_exceptions(mxcsr);
	return (mxcsr & SSE_IE) != 0 ? default_nan(e, l) : result;
}

/**
 * abs and neg (MD00087, ABS.fmt, NEG.fmt). With ABS2008 they only touch the sign. Without, they are
 * arithmetic: a signalling NaN raises Invalid.
 */
static uint64_t change_sign(struct fpu_env *e, enum fpu_op op, bool is_double, uint64_t a)
{
	const struct layout *l = &layouts[is_double];

	if (!e->abs2008 && is_signalling(e, l, a))
		return propagate(e, l, a, a);
	return op == FPU_ABS ? a & ~l->sign : a ^ l->sign;
}

uint64_t fpu_compute(struct fpu_env *e, enum fpu_op op, bool is_double, uint64_t a, uint64_t b)
{
	if (op == FPU_ABS || op == FPU_NEG)
		return change_sign(e, op, is_double, a);
	return arithmetic(e, op, is_double, a, b);
}

bool fpu_unordered(struct fpu_env *e, bool is_double, uint64_t a, uint64_t b, bool always)
{
	const struct layout *l = &layouts[is_double];

	if (!is_nan(l, a) && !is_nan(l, b))
		return false;
	if (always || is_signalling(e, l, a) || is_signalling(e, l, b))
		e->raised |= FPU_INVALID;
	return true;
}

/** S or D that is not a NaN → D, exact. */
static double widen(bool is_double, uint64_t a)
{
	uint32_t mxcsr = SSE_IDLE;

	return is_double ? sse_double(a) : sse_s_to_d(sse_float((uint32_t)a), &mxcsr);
}

/** What an integer conversion gives for a NaN or a number out of range (MD00083, values for Invalid). */
static uint64_t invalid_integer(const struct fpu_env *e, bool is_nan_operand, bool negative, bool to_long)
{
	uint64_t greatest = to_long ? INT64_MAX : INT32_MAX;

	if (!e->nan2008)
		return greatest;
	if (is_nan_operand)
		return 0;
	return negative ? greatest + 1 : greatest;
}

uint64_t fpu_to_integer(struct fpu_env *e, enum fpu_rounding rounding, bool is_double, bool to_long, uint64_t a)
{
	const struct layout *l = &layouts[is_double];
	uint32_t mxcsr = sse_control(rounding);
	uint64_t result;

	if (is_nan(l, a)) {
		e->raised |= FPU_INVALID;
		return invalid_integer(e, true, false, to_long);
	}
	if (to_long)
		result = (uint64_t)sse_d_to_l(widen(is_double, a), &mxcsr);
	else
		result = (uint32_t)sse_d_to_w(widen(is_double, a), &mxcsr);
	e->raised |= sse_exceptions(mxcsr);
	if ((mxcsr & SSE_IE) != 0)
		return invalid_integer(e, false, (a & l->sign) != 0, to_long);
	return result;
}

uint64_t fpu_from_integer(struct fpu_env *e, bool to_double, int64_t v)
{
	uint32_t mxcsr = sse_control(e->rounding);
	uint64_t result = to_double ? sse_double_bits(sse_l_to_d(v, &mxcsr)) : sse_float_bits(sse_l_to_s(v, &mxcsr));

	e->raised |= sse_exceptions(mxcsr);
	return result;
}

/** A NaN from one format to the other: sign and the top of the fraction stay. */
static uint64_t resize_nan(struct fpu_env *e, bool to_double, uint64_t a)
{
	const struct layout *from = &layouts[!to_double], *to = &layouts[to_double];
	uint64_t sign = (a & from->sign) != 0 ? to->sign : 0;
	uint64_t fraction = a & from->fraction;

	if (is_signalling(e, from, a))
		e->raised |= FPU_INVALID;
	if (!e->nan2008)
		return default_nan(e, to);
	return sign | to->exponent | to->quiet | (to_double ? fraction << 29 : fraction >> 29);
}

/** D that is no NaN → S. */
static uint64_t narrow(struct fpu_env *e, uint64_t a)
{
	uint32_t mxcsr = sse_control(FPU_ZERO);

	if (e->flush) {
		uint64_t truncated = sse_float_bits(sse_d_to_s(sse_double(a), &mxcsr));

		if (is_flushed(&layouts[false], truncated, mxcsr))
			return truncated & layouts[false].sign;
	}
	mxcsr = sse_control(e->rounding);
	uint64_t result = sse_float_bits(sse_d_to_s(sse_double(a), &mxcsr));

	e->raised |= sse_exceptions(mxcsr);
	return result;
}

uint64_t fpu_resize(struct fpu_env *e, bool to_double, uint64_t a)
{
	if (is_nan(&layouts[!to_double], a))
		return resize_nan(e, to_double, a);
	return to_double ? sse_double_bits(widen(false, a)) : narrow(e, a);
}
