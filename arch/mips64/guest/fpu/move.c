/* SPDX-License-Identifier: BSD-2-Clause */
/* Moves inside the FPU, to and from the general registers, and to and from memory. Nothing here touches FCSR. */
#include "arch/mips64/guest/fpu/fpu.h"
#include "arch/mips64/guest/mmu.h"

/** When mov.fmt and its conditional forms move; in imm. */
enum when { ALWAYS, CONDITION, REGISTER_ZERO, REGISTER_NOT_ZERO };

static bool moves(const struct mips_cpu *c, const struct mips_insn *i)
{
	switch ((enum when)(i->imm >> 2)) {
	case CONDITION: return (c->fpu.fcsr >> i->s & 1) == i->b;
	case REGISTER_ZERO: return c->gpr[i->b] == 0;
	case REGISTER_NOT_ZERO: return c->gpr[i->b] != 0;
	default: return true;
	}
}

/** mov, movf, movt, movz, movn: the format in the low bits of imm, the condition above. */
static const struct mips_insn *move(struct mips_cpu *c, const struct mips_insn *i)
{
	enum fpu_format format = (enum fpu_format)(i->imm & 3);

	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (!fpu_holds(c, format, i->a | i->d))
		return mips_raise(c, i, EXC_RI);
	if (moves(c, i))
		fpu_write(c, format, i->d, fpu_read(c, format, i->a));
	return i + 1;
}

static const struct mips_insn *mov_d(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_plain(c))
		return move(c, i);
	c->fpu.fpr[i->d] = c->fpu.fpr[i->a];
	return i + 1;
}

bool fpu_decode_move(uint32_t word, bool is_double, struct mips_insn *out)
{
	enum when when;
	uint8_t b = mips_rt(word);

	switch (mips_funct(word)) {
	case 6: when = ALWAYS; break;
	case 17:
		if ((word >> 17 & 1) != 0)
			return false;
		when = CONDITION;
		b = word >> 16 & 1;
		break;
	case 18: when = REGISTER_ZERO; break;
	case 19: when = REGISTER_NOT_ZERO; break;
	default: return false;
	}
	*out = (struct mips_insn){
		.exec = is_double && when == ALWAYS ? mov_d : move,
		.a = mips_rd(word),
		.b = b,
		.d = mips_sa(word),
		.s = fpu_cc_bit(word >> 18 & 7),
		.imm = (int32_t)(when << 2 | (is_double ? FPU_D : FPU_S)),
	};
	return true;
}

static uint64_t sign_extend(uint32_t v)
{
	return (uint64_t)(int64_t)(int32_t)v;
}

static const struct mips_insn *mfc1(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	c->gpr[i->d] = sign_extend(fpu_read32(c, i->a));
	return i + 1;
}

static const struct mips_insn *mtc1(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	fpu_write32(c, i->d, (uint32_t)c->gpr[i->b]);
	return i + 1;
}

/** Register whose high half mfhc1 and mthc1 mean: with FR=0 an odd number is its pair's. */
static unsigned with_high_half(const struct mips_cpu *c, unsigned n)
{
	return (c->cp0.status & STATUS_FR) != 0 ? n : n & ~1u;
}

static const struct mips_insn *mfhc1(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	c->gpr[i->d] = sign_extend((uint32_t)(c->fpu.fpr[with_high_half(c, i->a)] >> 32));
	return i + 1;
}

static const struct mips_insn *mthc1(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	fpu_write_high(c, with_high_half(c, i->d), (uint32_t)c->gpr[i->b]);
	return i + 1;
}

static const struct mips_insn *dmfc1(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (!fpu_holds(c, FPU_D, i->a) || !mips_64bit_operations(c))
		return mips_raise(c, i, EXC_RI);
	c->gpr[i->d] = c->fpu.fpr[i->a];
	return i + 1;
}

static const struct mips_insn *dmtc1(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (!fpu_holds(c, FPU_D, i->d) || !mips_64bit_operations(c))
		return mips_raise(c, i, EXC_RI);
	c->fpu.fpr[i->d] = c->gpr[i->b];
	return i + 1;
}

bool fpu_decode_transfer(uint32_t word, struct mips_insn *out)
{
	static mips_exec *const from[] = { mfc1, dmfc1, NULL, mfhc1 };
	static mips_exec *const to[] = { mtc1, dmtc1, NULL, mthc1 };
	unsigned which = mips_rs(word) & 3;

	if ((mips_rs(word) & 4) == 0)
		*out = (struct mips_insn){ .exec = from[which], .a = mips_rd(word), .d = mips_dest(mips_rt(word)) };
	else
		*out = (struct mips_insn){ .exec = to[which], .b = mips_rt(word), .d = mips_rd(word) };
	return true;
}

/** Loads format S or D from va; the register is i->d. */
static inline const struct mips_insn *load(struct mips_cpu *c, const struct mips_insn *i, uint64_t va,
					   enum fpu_format format)
{
	uint64_t v;

	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (!fpu_holds(c, format, i->d))
		return mips_raise(c, i, EXC_RI);
	if (!mips_load(c, i, va, format == FPU_D ? 8 : 4, &v))
		return NULL;
	fpu_write(c, format, i->d, v);
	return i + 1;
}

/** Stores i->d to va. */
static inline const struct mips_insn *store(struct mips_cpu *c, const struct mips_insn *i, uint64_t va,
					    enum fpu_format format)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (!fpu_holds(c, format, i->d))
		return mips_raise(c, i, EXC_RI);
	if (!mips_store(c, i, va, format == FPU_D ? 8 : 4, fpu_read(c, format, i->d)))
		return NULL;
	return i + 1;
}

static uint64_t at_offset(const struct mips_cpu *c, const struct mips_insn *i)
{
	return c->gpr[i->a] + (uint64_t)(int64_t)i->imm;
}

static uint64_t at_index(const struct mips_cpu *c, const struct mips_insn *i)
{
	return c->gpr[i->a] + c->gpr[i->b];
}

static const struct mips_insn *lwc1(struct mips_cpu *c, const struct mips_insn *i)
{
	return load(c, i, at_offset(c, i), FPU_S);
}

static const struct mips_insn *ldc1(struct mips_cpu *c, const struct mips_insn *i)
{
	return load(c, i, at_offset(c, i), FPU_D);
}

static const struct mips_insn *swc1(struct mips_cpu *c, const struct mips_insn *i)
{
	return store(c, i, at_offset(c, i), FPU_S);
}

static const struct mips_insn *sdc1(struct mips_cpu *c, const struct mips_insn *i)
{
	return store(c, i, at_offset(c, i), FPU_D);
}

static const struct mips_insn *lwxc1(struct mips_cpu *c, const struct mips_insn *i)
{
	return load(c, i, at_index(c, i), FPU_S);
}

static const struct mips_insn *ldxc1(struct mips_cpu *c, const struct mips_insn *i)
{
	return load(c, i, at_index(c, i), FPU_D);
}

static const struct mips_insn *swxc1(struct mips_cpu *c, const struct mips_insn *i)
{
	return store(c, i, at_index(c, i), FPU_S);
}

static const struct mips_insn *sdxc1(struct mips_cpu *c, const struct mips_insn *i)
{
	return store(c, i, at_index(c, i), FPU_D);
}

/** True, and *next set to what RI gives, if luxc1 or suxc1 cannot be: they need 64-bit registers. */
static bool refuse_unaligned(struct mips_cpu *c, const struct mips_insn *i, const struct mips_insn **next)
{
	if (!fpu_usable(c) || (c->cp0.status & STATUS_FR) != 0)
		return false;
	*next = mips_raise(c, i, EXC_RI);
	return true;
}

static const struct mips_insn *luxc1(struct mips_cpu *c, const struct mips_insn *i)
{
	const struct mips_insn *next;

	return refuse_unaligned(c, i, &next) ? next : load(c, i, at_index(c, i) & ~(uint64_t)7, FPU_D);
}

static const struct mips_insn *suxc1(struct mips_cpu *c, const struct mips_insn *i)
{
	const struct mips_insn *next;

	return refuse_unaligned(c, i, &next) ? next : store(c, i, at_index(c, i) & ~(uint64_t)7, FPU_D);
}

/** A hint: nothing to do. */
static const struct mips_insn *prefx(struct mips_cpu *c, const struct mips_insn *i)
{
	return fpu_usable(c) ? i + 1 : mips_raise_cpu(c, i, 1);
}

bool fpu_decode_memory(uint32_t word, struct mips_insn *out)
{
	*out = (struct mips_insn){ .a = mips_rs(word), .d = mips_rt(word), .imm = mips_simm(word) };
	switch (mips_op(word)) {
	case 0x31: out->exec = lwc1; return true;
	case 0x35: out->exec = ldc1; return true;
	case 0x39: out->exec = swc1; return true;
	case 0x3d: out->exec = sdc1; return true;
	default: return false;
	}
}

bool fpu_decode_indexed(uint32_t word, struct mips_insn *out)
{
	/* Loads have their register in fd, stores in fs. */
	*out = (struct mips_insn){ .a = mips_rs(word), .b = mips_rt(word), .d = mips_sa(word) };
	if (mips_funct(word) >= 8)
		out->d = mips_rd(word);
	switch (mips_funct(word)) {
	case 0: out->exec = lwxc1; return true;
	case 1: out->exec = ldxc1; return true;
	case 5: out->exec = luxc1; return true;
	case 8: out->exec = swxc1; return true;
	case 9: out->exec = sdxc1; return true;
	case 13: out->exec = suxc1; return true;
	case 15: out->exec = prefx; return true;
	default: return false;
	}
}
