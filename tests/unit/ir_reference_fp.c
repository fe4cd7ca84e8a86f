/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point of the IR by the compiler's arithmetic. Operands and results are
 * volatile, so that it is done between the looks at the host's flags.
 */
#include <math.h>
#include <string.h>

#include "tests/unit/ir_reference.h"

static double to_double(uint64_t v)
{
	double d;

	memcpy(&d, &v, sizeof(d));
	return d;
}

static float to_single(uint64_t v)
{
	uint32_t low = (uint32_t)v;
	float f;

	memcpy(&f, &low, sizeof(f));
	return f;
}

static uint64_t from_double(double d)
{
	uint64_t v;

	memcpy(&v, &d, sizeof(v));
	return v;
}

static uint64_t from_single(float f)
{
	uint32_t v;

	memcpy(&v, &f, sizeof(v));
	return v;
}

/* Defined for a type: result of arithmetic; false if it is a NaN. */
#define ARITHMETIC(name, type, root)                                           \
	static bool name(enum ir_opcode op, type a, type b, type e, type *out) \
	{                                                                      \
		volatile type x = a, y = b, z = e, product, r;                 \
                                                                               \
		switch (op) {                                                  \
		case IR_FADD: r = x + y; break;                                \
		case IR_FSUB: r = x - y; break;                                \
		case IR_FMUL: r = x * y; break;                                \
		case IR_FDIV: r = x / y; break;                                \
		case IR_FSQRT: r = root(x); break;                             \
		default:                                                       \
			product = x * y;                                       \
			if (op == IR_FMADD || op == IR_FNMADD)                 \
				r = product + z;                               \
			else                                                   \
				r = product - z;                               \
			break;                                                 \
		}                                                              \
		*out = op == IR_FNMADD || op == IR_FNMSUB ? -r : r;            \
		return !isnan(r);                                              \
	}

/* The C library's square root sets errno for negative numbers, by way of its own arithmetic. */
static double square_root(double d)
{
	__asm__ volatile("sqrtsd %0, %0" : "+x"(d));
	return d;
}

static float square_root_single(float f)
{
	__asm__ volatile("sqrtss %0, %0" : "+x"(f));
	return f;
}

ARITHMETIC(arithmetic_double, double, square_root)
ARITHMETIC(arithmetic_single, float, square_root_single)

static bool compare(const struct ir_op *o, uint64_t a, uint64_t b, uint64_t *result)
{
	double x = o->size == 8 ? to_double(a) : (double)to_single(a);
	double y = o->size == 8 ? to_double(b) : (double)to_single(b);

	*result = ((o->cc & IR_FP_LESS) != 0 && x < y) || ((o->cc & IR_FP_EQUAL) != 0 && x == y);
	return !isunordered(x, y);
}

/* Without a trace in the flags. */
static double rounded(double d, bool truncate)
{
	uint32_t mxcsr;
	double r;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	r = truncate ? trunc(d) : nearbyint(d);
	__asm__ volatile("ldmxcsr %0" : "+m"(mxcsr), "+x"(r));
	return r;
}

/* A number to an integer of `bits`, or false: the least one is what the host says when none fits. */
static bool to_integer(double d, bool truncate, unsigned bits, uint64_t *result)
{
	volatile double x = d;
	double limit = ldexp(1, (int)bits - 1), r = rounded(d, truncate);

	if (isnan(d) || r >= limit || r <= -limit)
		return false;
	/* The conversion itself raises what there is to raise. */
	if (truncate)
		__asm__ volatile("cvttsd2si %1, %0" : "=r"(*result) : "x"(x));
	else
		__asm__ volatile("cvtsd2si %1, %0" : "=r"(*result) : "x"(x));
	return true;
}

static bool convert(const struct ir_op *o, uint64_t a, uint64_t *result)
{
	volatile double d;
	volatile float f;

	switch ((enum ir_conversion)o->cc) {
	case IR_S_TO_D:
		f = to_single(a);
		d = f;
		*result = from_double(d);
		return !isnan(d);
	case IR_D_TO_S:
		d = to_double(a);
		f = (float)d;
		*result = from_single(f);
		return !isnan(f);
	case IR_W_TO_S:
		f = (float)(int32_t)a;
		*result = from_single(f);
		return true;
	case IR_W_TO_D:
		d = (int32_t)a;
		*result = from_double(d);
		return true;
	case IR_L_TO_S:
		f = (float)(int64_t)a;
		*result = from_single(f);
		return true;
	case IR_L_TO_D:
		d = (double)(int64_t)a;
		*result = from_double(d);
		return true;
	case IR_S_TO_W: return to_integer(to_single(a), false, 32, result);
	case IR_D_TO_W: return to_integer(to_double(a), false, 32, result);
	case IR_S_TO_L: return to_integer(to_single(a), false, 64, result);
	case IR_D_TO_L: return to_integer(to_double(a), false, 64, result);
	case IR_S_TRUNC_W: return to_integer(to_single(a), true, 32, result);
	case IR_D_TRUNC_W: return to_integer(to_double(a), true, 32, result);
	case IR_S_TRUNC_L: return to_integer(to_single(a), true, 64, result);
	default: return to_integer(to_double(a), true, 64, result);
	}
}

static bool change_sign(const struct ir_op *o, uint64_t a, uint64_t *result)
{
	uint64_t sign = o->size == 8 ? 1ull << 63 : 1ull << 31;
	bool nan = o->size == 8 ? isnan(to_double(a)) : isnan(to_single(a));

	*result = o->op == IR_FNEG ? a ^ sign : a & ~sign;
	return !nan;
}

static bool calculate(const struct ir_op *o, uint64_t a, uint64_t b, uint64_t e, uint64_t *result)
{
	double d;
	float f;
	bool usual;

	if (o->size == 8) {
		usual = arithmetic_double((enum ir_opcode)o->op, to_double(a), to_double(b), to_double(e), &d);
		*result = from_double(d);
	} else {
		usual = arithmetic_single((enum ir_opcode)o->op, to_single(a), to_single(b), to_single(e), &f);
		*result = from_single(f);
	}
	return usual;
}

bool reference_fp(const struct ir_op *o, uint64_t d, uint64_t a, uint64_t b, uint64_t e, uint64_t *result)
{
	bool usual = true;

	switch ((enum ir_opcode)o->op) {
	case IR_FCMP: return compare(o, a, b, result);
	case IR_FGET: *result = o->size == 8 ? a : (uint64_t)(int64_t)(int32_t)a; return true;
	case IR_FMOV:
	case IR_FPUT: *result = a; break;
	case IR_FNEG:
	case IR_FABS: usual = change_sign(o, a, result); break;
	case IR_FCVT: usual = convert(o, a, result); break;
	default: usual = calculate(o, a, b, e, result); break;
	}
	if (o->keeps_high)
		*result = (d & ~0xffffffffull) | (uint32_t)*result;
	return usual;
}
