/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Was a result of C arithmetic exact? FCSR.Cause tells it for every instruction, and asking
 * MXCSR needs its flags cleared each time, which takes longer than all this. The functions take
 * results that fpu_is_ordinary_*() accepts, so that nothing but Inexact can have been raised.
 */
#ifndef MIPS64_FPU_EXACT_H
#define MIPS64_FPU_EXACT_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/mips64/guest/fpu/host_sse.h"

#define DOUBLE_EXPONENT 0x7ff0000000000000ull
#define DOUBLE_FRACTION 0x000fffffffffffffull
#define DOUBLE_HIDDEN   0x0010000000000000ull /* also the pattern of the least normal number */
#define SINGLE_EXPONENT 0x7f800000u
#define SINGLE_HIDDEN   0x00800000u

__extension__ typedef unsigned __int128 fpu_uint128;

/** True for finite numbers above the least normal: they neither overflowed nor underflowed, nor does FS touch them. */
static inline bool fpu_is_ordinary_d(double v)
{
	uint64_t magnitude = sse_double_bits(v) & ~(1ull << 63);

	return magnitude - (DOUBLE_HIDDEN + 1) < DOUBLE_EXPONENT - (DOUBLE_HIDDEN + 1);
}
static inline bool fpu_is_ordinary_s(float v)
{
	uint32_t magnitude = sse_float_bits(v) & ~(1u << 31);

	return magnitude - (SINGLE_HIDDEN + 1) < SINGLE_EXPONENT - (SINGLE_HIDDEN + 1);
}

/** The fraction of a normal number as an integer of 53 bits. */
static inline uint64_t fpu_fraction(double v)
{
	return (sse_double_bits(v) & DOUBLE_FRACTION) | DOUBLE_HIDDEN;
}

/** Knuth's error of a sum, which is exact unless the sum overflowed. */
static inline bool fpu_sum_exact_d(double a, double b, double sum)
{
	double b2 = sum - a, a2 = sum - b2;

	return (a - a2) + (b - b2) == 0;
}
static inline bool fpu_sum_exact_s(float a, float b, float sum)
{
	float b2 = sum - a, a2 = sum - b2;

	return (a - a2) + (b - b2) == 0;
}

/** a and b normal: the product of the fractions has 105 or 106 bits, of which the result keeps the upper 53. */
static inline bool fpu_product_exact_d(double a, double b)
{
	fpu_uint128 product = (fpu_uint128)fpu_fraction(a) * fpu_fraction(b);
	unsigned dropped = 52 + (unsigned)(product >> 105);

	return ((uint64_t)product & ((1ull << dropped) - 1)) == 0;
}

/** All normal, and a approximately b * c: true if it is exactly. */
static inline bool fpu_equals_product_d(double a, double b, double c)
{
	fpu_uint128 product = (fpu_uint128)fpu_fraction(b) * fpu_fraction(c);

	return product == (fpu_uint128)fpu_fraction(a) << (52 + (unsigned)(product >> 105));
}

/** The same for singles of any kind, whose products doubles hold exactly. */
static inline bool fpu_equals_product_s(float a, float b, float c)
{
	return (double)a == (double)b * (double)c;
}

/** Sets Cause and Flags of an operation that raised Inexact or nothing. False: it traps. */
static inline bool fpu_settle_quick(struct mips_cpu *c, bool exact)
{
	uint32_t raised = FPU_INEXACT << FCSR_CAUSE_SHIFT | FPU_INEXACT << FCSR_FLAGS_SHIFT;
	uint32_t fcsr = c->fpu.fcsr & ~FCSR_CAUSE;

	if (!exact && (fcsr & FPU_INEXACT << FCSR_ENABLES_SHIFT) != 0)
		return false;
	c->fpu.fcsr = exact ? fcsr : fcsr | raised;
	return true;
}

#endif
