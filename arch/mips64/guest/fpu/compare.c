/* SPDX-License-Identifier: BSD-2-Clause */
/* Condition codes: c.cond.fmt sets one; bc1f, bc1t and movf, movt of general registers test one. */
#include "arch/mips64/guest/branch.h"
#include "arch/mips64/guest/fpu/fpu.h"
#include "arch/mips64/guest/fpu/host_sse.h"

/* The cond field (MD00087, C.cond.fmt): which relations make it true, and the signalling half. */
#define COND_UNORDERED  1u
#define COND_EQUAL      2u
#define COND_LESS       4u
#define COND_SIGNALLING 8u

/** Sets the condition code of c.cond.fmt i, which holds its FCSR bit in s. */
static inline const struct mips_insn *set_condition(struct mips_cpu *c, const struct mips_insn *i, bool value)
{
	c->fpu.fcsr = (c->fpu.fcsr & ~(1u << i->s)) | (uint32_t)value << i->s;
	return i + 1;
}

/** Ends a comparison of numbers. */
static inline const struct mips_insn *ordered(struct mips_cpu *c, const struct mips_insn *i, bool less, bool equal)
{
	unsigned relation = (less ? COND_LESS : 0u) | (equal ? COND_EQUAL : 0u);

	c->fpu.fcsr &= ~FCSR_CAUSE;
	return set_condition(c, i, ((unsigned)i->imm & relation) != 0);
}

/** A comparison with any setting, and of NaNs; they leave the condition alone if they trap. */
static const struct mips_insn *any_comparison(struct mips_cpu *c, const struct mips_insn *i, enum fpu_format format)
{
	struct fpu_env e = fpu_env(c);
	unsigned cond = (unsigned)i->imm;

	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (!fpu_holds(c, format, i->a | i->b))
		return mips_raise(c, i, EXC_RI);

	uint64_t a = fpu_read(c, format, i->a), b = fpu_read(c, format, i->b);

	if (fpu_unordered(&e, format == FPU_D, a, b, (cond & COND_SIGNALLING) != 0))
		return fpu_settle(c, i, &e) ? set_condition(c, i, (cond & COND_UNORDERED) != 0) : NULL;
	if (format == FPU_D)
		return ordered(c, i, sse_double(a) < sse_double(b), sse_double(a) == sse_double(b));
	return ordered(c, i, sse_float((uint32_t)a) < sse_float((uint32_t)b),
		       sse_float((uint32_t)a) == sse_float((uint32_t)b));
}

static const struct mips_insn *compare_d(struct mips_cpu *c, const struct mips_insn *i)
{
	double a = sse_double(c->fpu.fpr[i->a]), b = sse_double(c->fpu.fpr[i->b]);

	if (fpu_plain(c) && __builtin_expect(!__builtin_isunordered(a, b), 1))
		return ordered(c, i, a < b, a == b);
	return any_comparison(c, i, FPU_D);
}

static const struct mips_insn *compare_s(struct mips_cpu *c, const struct mips_insn *i)
{
	float a = sse_float((uint32_t)c->fpu.fpr[i->a]), b = sse_float((uint32_t)c->fpu.fpr[i->b]);

	if (fpu_plain(c) && __builtin_expect(!__builtin_isunordered(a, b), 1))
		return ordered(c, i, a < b, a == b);
	return any_comparison(c, i, FPU_S);
}

bool fpu_decode_compare(uint32_t word, bool is_double, struct mips_insn *out)
{
	/* Bits 7:6 are 0 here; 01 there is CABS of MIPS-3D. */
	if ((mips_funct(word) & 0x30) != 0x30 || (word & 0xc0) != 0)
		return false;
	*out = (struct mips_insn){
		.exec = is_double ? compare_d : compare_s,
		.a = mips_rd(word),
		.b = mips_rt(word),
		.s = fpu_cc_bit((word >> 8) & 7),
		.imm = (int32_t)(word & 15),
	};
	return true;
}

/** True if the condition code whose FCSR bit is in i->s has the value in i->d. */
static inline bool condition_is(const struct mips_cpu *c, const struct mips_insn *i)
{
	return (c->fpu.fcsr >> i->s & 1) == i->d;
}

static const struct mips_insn *branch(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	return mips_branch(c, i, condition_is(c, i));
}

static const struct mips_insn *branch_likely(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	return mips_branch_likely(c, i, condition_is(c, i));
}

bool fpu_decode_branch(uint32_t word, struct mips_insn *out)
{
	*out = (struct mips_insn){
		.exec = (word >> 17 & 1) != 0 ? branch_likely : branch,
		.d = word >> 16 & 1,
		.s = fpu_cc_bit(word >> 18 & 7),
		.imm = mips_simm(word) + 1,
	};
	return true;
}

/** movf and movt of general registers; the destination is in b here, as d is the wanted value. */
static const struct mips_insn *movci(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (condition_is(c, i))
		c->gpr[i->b] = c->gpr[i->a];
	return i + 1;
}

bool fpu_decode_movci(uint32_t word, struct mips_insn *out)
{
	if ((word >> 17 & 1) != 0 || mips_sa(word) != 0)
		return false;
	*out = (struct mips_insn){
		.exec = movci,
		.a = mips_rs(word),
		.b = mips_dest(mips_rd(word)),
		.d = word >> 16 & 1,
		.s = fpu_cc_bit(word >> 18 & 7),
	};
	return true;
}
