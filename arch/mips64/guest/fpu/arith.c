/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic in formats S and D with every setting. quick.c has faster functions for
 * the usual case of frequent operations, which fall back to fpu_any_arithmetic().
 */
#include "arch/mips64/guest/fpu/fpu.h"

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

/* Multiply-add rounds twice, as Release 2 does (MADD.fmt). */
uint64_t fpu_evaluate(struct fpu_env *e, enum fpu_op op, bool is_double, uint64_t a, uint64_t b, uint64_t r)
{
	uint64_t one = is_double ? 0x3ff0000000000000u : 0x3f800000u;
	uint64_t sign = is_double ? 0x8000000000000000u : 0x80000000u;

	switch (op) {
	case FPU_RECIP: return fpu_compute(e, FPU_DIV, is_double, one, a);
	case FPU_RSQRT: return fpu_compute(e, FPU_DIV, is_double, one, fpu_compute(e, FPU_SQRT, is_double, a, a));
	case FPU_MADD: return fpu_compute(e, FPU_ADD, is_double, fpu_compute(e, FPU_MUL, is_double, a, b), r);
	case FPU_MSUB: return fpu_compute(e, FPU_SUB, is_double, fpu_compute(e, FPU_MUL, is_double, a, b), r);
	case FPU_NMADD: return fpu_evaluate(e, FPU_MADD, is_double, a, b, r) ^ sign;
	case FPU_NMSUB: return fpu_evaluate(e, FPU_MSUB, is_double, a, b, r) ^ sign;
	default: return fpu_compute(e, op, is_double, a, b);
	}
}

/** abs and neg leave FCSR alone unless they raise Invalid, as the peer that the tests compare with does. */
static bool is_sign_change(enum fpu_op op)
{
	return op == FPU_ABS || op == FPU_NEG;
}

const struct mips_insn *fpu_any_arithmetic(struct mips_cpu *c, const struct mips_insn *i)
{
	enum fpu_op op = (enum fpu_op)(i->imm >> 1);
	enum fpu_format format = i->imm & 1 ? FPU_D : FPU_S;
	struct fpu_env e = fpu_env(c);

	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (!fpu_holds(c, format, i->a | i->b | i->d | i->s))
		return mips_raise(c, i, EXC_RI);

	uint64_t result = fpu_evaluate(&e, op, format == FPU_D, fpu_read(c, format, i->a), fpu_read(c, format, i->b),
				       fpu_read(c, format, i->s));

	if ((e.raised != 0 || !is_sign_change(op)) && !fpu_settle(c, i, &e))
		return NULL;
	fpu_write(c, format, i->d, result);
	return i + 1;
}

bool fpu_decode_arith(uint32_t word, bool is_double, struct mips_insn *out)
{
	static const struct {
		uint8_t funct, op;
	} table[] = {
		{ 0, FPU_ADD }, { 1, FPU_SUB }, { 2, FPU_MUL },    { 3, FPU_DIV },    { 4, FPU_SQRT },
		{ 5, FPU_ABS }, { 7, FPU_NEG }, { 21, FPU_RECIP }, { 22, FPU_RSQRT },
	};

	for (unsigned n = 0; n < sizeof(table) / sizeof(table[0]); n++) {
		if (table[n].funct != mips_funct(word))
			continue;
		uint8_t fs = mips_rd(word);

		*out = (struct mips_insn){
			.exec = fpu_quick_arithmetic(table[n].op, is_double),
			.a = fs,
			/* ft is read by the operations that have one only. */
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
	unsigned op = (mips_funct(word) >> 3) - 4, format = mips_funct(word) & 7;

	if (op > 3 || format > FPU_D)
		return false;
	*out = (struct mips_insn){
		.exec = fpu_quick_arithmetic((enum fpu_op)(FPU_MADD + op), format == FPU_D),
		.a = mips_rd(word),
		.b = mips_rt(word),
		.d = mips_sa(word),
		.s = mips_rs(word),
		.imm = (int32_t)IMM(FPU_MADD + op, format),
	};
	return true;
}
