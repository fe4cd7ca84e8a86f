/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conversions between formats, with the same kind of quick path as quick.c. In decoded instructions b is the format of fs, s that
 * of fd, imm the rounding mode.
 */
#include "arch/mips64/guest/fpu/exact.h"
#include "arch/mips64/guest/fpu/fpu.h"
#include "arch/mips64/guest/fpu/host_sse.h"

static bool is_integer(enum fpu_format format)
{
	return format == FPU_W || format == FPU_L;
}

uint64_t fpu_convert(struct fpu_env *e, enum fpu_format from, enum fpu_format to, enum fpu_rounding rounding,
		     uint64_t v)
{
	if (is_integer(to))
		return fpu_to_integer(e, rounding == FPU_BY_FCSR ? e->rounding : rounding, from == FPU_D, to == FPU_L,
				      v);
	if (is_integer(from))
		return fpu_from_integer(e, to == FPU_D, from == FPU_L ? (int64_t)v : (int32_t)(uint32_t)v);
	return fpu_resize(e, to == FPU_D, v);
}

/** v rounded to an integer, for |v| < 2^62, where an int64_t and a double hold each other's value after rounding. */
static int64_t round_small(double v, enum fpu_rounding rounding)
{
	int64_t nearest, truncated = (int64_t)v;

	switch (rounding) {
	case FPU_ZERO: return truncated;
	case FPU_UP: return truncated + ((double)truncated < v);
	case FPU_DOWN: return truncated - ((double)truncated > v);
	default: __asm__("cvtsd2siq %1, %0" : "=r"(nearest) : "x"(v)); return nearest;
	}
}

static bool quick_to_integer(const struct mips_cpu *c, const struct mips_insn *i, double v, uint64_t *result,
			     bool *exact)
{
	enum fpu_rounding rounding = (enum fpu_rounding)i->imm;
	const double limit = 4611686018427387904.0; /* 2^62; NaNs are not below it either */

	if (!(__builtin_fabs(v) < limit))
		return false;
	int64_t n = round_small(v, rounding == FPU_BY_FCSR ? (enum fpu_rounding)(c->fpu.fcsr & FCSR_RM) : rounding);

	*exact = (double)n == v;
	*result = (uint64_t)n;
	return i->s == FPU_L || n == (int32_t)n;
}

static bool quick_from_integer(int64_t v, bool to_double, uint64_t *result, bool *exact)
{
	double d = (double)v;
	float s = (float)v;

	*result = to_double ? sse_double_bits(d) : sse_float_bits(s);
	*exact = v == (int64_t)(to_double ? d : (double)s);
	return true;
}

static bool quick_narrow(double v, uint64_t *result, bool *exact)
{
	float s = (float)v;

	*result = sse_float_bits(s);
	*exact = (double)s == v;
	return fpu_is_ordinary_s(s) || v == 0;
}

/** The usual case: FR=1, numbers in range, and where rounding is FCSR's, to nearest. False: it is not. */
static bool quick(const struct mips_cpu *c, const struct mips_insn *i, uint64_t *result, bool *exact)
{
	enum fpu_format from = (enum fpu_format)i->b, to = (enum fpu_format)i->s;
	uint64_t v = c->fpu.fpr[i->a];

	if (is_integer(to))
		return quick_to_integer(c, i, from == FPU_D ? sse_double(v) : (double)sse_float((uint32_t)v), result,
					exact);
	if ((c->fpu.fcsr & FCSR_RM) != FPU_NEAREST)
		return false;
	if (from == FPU_W)
		return quick_from_integer((int32_t)(uint32_t)v, to == FPU_D, result, exact);
	if (from == FPU_L)
		return (int64_t)v > INT64_MIN / 2 && (int64_t)v < INT64_MAX / 2 &&
		       quick_from_integer((int64_t)v, to == FPU_D, result, exact);
	if (to == FPU_S)
		return quick_narrow(sse_double(v), result, exact);
	double wide = (double)sse_float((uint32_t)v);

	*result = sse_double_bits(wide);
	*exact = true;
	return !__builtin_isnan(wide);
}

static const struct mips_insn *any_conversion(struct mips_cpu *c, const struct mips_insn *i)
{
	enum fpu_format from = (enum fpu_format)i->b, to = (enum fpu_format)i->s;
	struct fpu_env e = fpu_env(c);

	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (!fpu_holds(c, from, i->a) || !fpu_holds(c, to, i->d))
		return mips_raise(c, i, EXC_RI);

	uint64_t result = fpu_convert(&e, from, to, (enum fpu_rounding)i->imm, fpu_read(c, from, i->a));

	if (!fpu_settle(c, i, &e))
		return NULL;
	fpu_write(c, to, i->d, result);
	return i + 1;
}

static const struct mips_insn *convert(struct mips_cpu *c, const struct mips_insn *i)
{
	uint64_t result;
	bool exact;

	if (!fpu_plain(c) || !quick(c, i, &result, &exact) || !fpu_settle_quick(c, exact))
		return any_conversion(c, i);
	if (i->s == FPU_S || i->s == FPU_W)
		fpu_write_low(c, i->d, (uint32_t)result);
	else
		c->fpu.fpr[i->d] = result;
	return i + 1;
}

/** Format of the result of a conversion from S or D by function field, and its rounding mode; -1: none. */
static int target(unsigned funct, enum fpu_format from, enum fpu_rounding *rounding)
{
	*rounding = FPU_BY_FCSR;
	switch (funct) {
	case 8 ... 11: /* round, trunc, ceil, floor to L, in the order of enum fpu_rounding */
		*rounding = (enum fpu_rounding)(funct - 8);
		return FPU_L;
	case 12 ... 15: *rounding = (enum fpu_rounding)(funct - 12); return FPU_W;
	case 32: return from == FPU_S ? -1 : FPU_S;
	case 33: return from == FPU_D ? -1 : FPU_D;
	case 36: return FPU_W;
	case 37: return FPU_L;
	default: return -1;
	}
}

bool fpu_decode_convert(uint32_t word, enum fpu_format from, struct mips_insn *out)
{
	enum fpu_rounding rounding;
	int to = target(mips_funct(word), from, &rounding);

	if (to < 0 || (is_integer(from) && is_integer((enum fpu_format)to)))
		return false;
	*out = (struct mips_insn){
		.exec = convert,
		.a = mips_rd(word),
		.b = (uint8_t)from,
		.d = mips_sa(word),
		.s = (uint8_t)to,
		.imm = rounding,
	};
	return true;
}
