/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conversions between formats. In decoded instructions b is the format of fs, s that
 * of fd, imm the rounding mode.
 */
#include "arch/mips64/guest/fpu/fpu.h"

static bool is_integer(enum fpu_format format)
{
	return format == FPU_W || format == FPU_L;
}

static uint64_t evaluate(struct fpu_env *e, const struct mips_insn *i, uint64_t v)
{
	enum fpu_format from = (enum fpu_format)i->b, to = (enum fpu_format)i->s;
	enum fpu_rounding rounding = (enum fpu_rounding)i->imm;

	if (is_integer(to))
		return fpu_to_integer(e, rounding == FPU_BY_FCSR ? e->rounding : rounding, from == FPU_D, to == FPU_L,
				      v);
	if (is_integer(from))
		return fpu_from_integer(e, to == FPU_D, from == FPU_L ? (int64_t)v : (int32_t)(uint32_t)v);
	return fpu_resize(e, to == FPU_D, v);
}

static const struct mips_insn *convert(struct mips_cpu *c, const struct mips_insn *i)
{
	enum fpu_format from = (enum fpu_format)i->b, to = (enum fpu_format)i->s;
	struct fpu_env e = fpu_env(c);

	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (!fpu_holds(c, from, i->a) || !fpu_holds(c, to, i->d))
		return mips_raise(c, i, EXC_RI);

	uint64_t result = evaluate(&e, i, fpu_read(c, from, i->a));

	if (!fpu_settle(c, i, &e))
		return NULL;
	fpu_write(c, to, i->d, result);
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
