/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that Cavium's cnMIPS cores (Octeon to Octeon II) add to MIPS64
 * Release 2; encodings as GNU binutils knows them, meaning as in the "cnMIPS cores"
 * chapter of the CN63XX hardware reference manual.
 */
#include <husk/feature.h>

#include "arch/mips64/guest/branch.h"
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/isa.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/operands.h"

HUSK_FEATURE(mips_octeon) = {
	.name = "mips-octeon",
	.purpose = "Cavium Octeon II instructions for the MIPS64 guest CPU",
	.level = FEATURE_CPU,
};

#define OP(name) static const struct mips_insn *name(struct mips_cpu *c, const struct mips_insn *i)

#define OP_SET(name, value)   \
	OP(name)              \
	{                     \
		D = (value);  \
		return i + 1; \
	}

/* Arithmetic and logic */
OP_SET(op_baddu, (A + B) & 0xff)
OP_SET(op_dmul, A *B)
OP_SET(op_seq, A == B)
OP_SET(op_sne, A != B)
OP_SET(op_seqi, A == IMM)
OP_SET(op_snei, A != IMM)
OP_SET(op_pop, (uint64_t)__builtin_popcountll((uint32_t)A))
OP_SET(op_dpop, (uint64_t)__builtin_popcountll(A))
/* Bit fields: s is the position, b the length minus one. */
OP_SET(op_exts, (uint64_t)((int64_t)(A << (63 - i->b - i->s)) >> (63 - i->b)))
OP_SET(op_cins, (A & (~0ull >> (63 - i->b))) << i->s)

/* Branches on one bit: s is its number */
OP(op_bbit0)
{
	return mips_branch(c, i, (A >> i->s & 1) == 0);
}
OP(op_bbit1)
{
	return mips_branch(c, i, (A >> i->s & 1) != 0);
}

/*
 * The multiplier unit: MPL0-2 is the multiplicand, P0-2 an accumulator that
 * keeps the high part of each product for the next step.
 */
static void load_multiplier(struct mips_cpu *c, unsigned n, uint64_t value)
{
	c->octeon.mpl[n] = value;
	c->octeon.p[0] = c->octeon.p[1] = c->octeon.p[2] = 0;
}

#define OP_MTM(name, n)                   \
	OP(name)                          \
	{                                 \
		load_multiplier(c, n, A); \
		return i + 1;             \
	}
#define OP_MTP(name, n)             \
	OP(name)                    \
	{                           \
		c->octeon.p[n] = A; \
		return i + 1;       \
	}

OP_MTM(op_mtm0, 0)
OP_MTM(op_mtm1, 1)
OP_MTM(op_mtm2, 2)
OP_MTP(op_mtp0, 0)
OP_MTP(op_mtp1, 1)
OP_MTP(op_mtp2, 2)

/* sum := rs * MPL (`words` of it) + P + rt; the result is its low word, P the rest. */
static uint64_t multiply_add(struct mips_cpu *c, uint64_t rs, uint64_t rt, unsigned words)
{
	uint64_t sum[4] = { 0 };
	unsigned __int128 carry = rt;

	for (unsigned n = 0; n < words; n++) {
		/* (2^64-1)^2 + 2 * (2^64-1) just fits 128 bits, and carry is below 2^64. */
		carry += (unsigned __int128)rs * c->octeon.mpl[n] + c->octeon.p[n];
		sum[n] = (uint64_t)carry;
		carry >>= 64;
	}
	sum[words] = (uint64_t)carry;
	for (unsigned n = 0; n < 3; n++)
		c->octeon.p[n] = n < words ? sum[n + 1] : 0;
	return sum[0];
}

OP_SET(op_vmulu, multiply_add(c, A, B, 1))
OP_SET(op_v3mulu, multiply_add(c, A, B, 3))

OP(op_vmm0)
{
	uint64_t result = A * c->octeon.mpl[0] + c->octeon.p[0] + B;

	load_multiplier(c, 0, result);
	D = result;
	return i + 1;
}

/* Indexed loads */
#define OP_LOADX(name, size, type)                     \
	OP(name)                                       \
	{                                              \
		uint64_t v;                            \
		if (!mips_load(c, i, A + B, size, &v)) \
			return NULL;                   \
		D = (uint64_t)(int64_t)(type)v;        \
		return i + 1;                          \
	}

OP_LOADX(op_lbx, 1, int8_t)
OP_LOADX(op_lbux, 1, uint8_t)
OP_LOADX(op_lhx, 2, int16_t)
OP_LOADX(op_lhux, 2, uint16_t)
OP_LOADX(op_lwx, 4, int32_t)
OP_LOADX(op_lwux, 4, uint32_t)
OP_LOADX(op_ldx, 8, int64_t)

/* Atomic read-modify-write: `replace` makes the new value. All need natural alignment. */
enum replace { ADD, SET_ONES, CLEAR, SWAP };

static uint64_t replaced(enum replace replace, uint64_t old, uint64_t operand, unsigned size)
{
	uint64_t new = operand; /* SWAP */

	if (replace == ADD)
		new = old + operand;
	else if (replace == SET_ONES)
		new = ~0ull;
	else if (replace == CLEAR)
		new = 0;
	return size == 4 ? (uint32_t) new : new;
}

static const struct mips_insn *atomic(struct mips_cpu *c, const struct mips_insn *i, unsigned size,
				      enum replace replace, uint64_t operand)
{
	uint64_t va = A, old, ignored;
	bool made;

	/* A page that may not be written must fault as a store does, before anything is read. */
	if ((va & (size - 1)) == 0 && !mips_translate(c, i, va, MIPS_WRITE, &ignored))
		return NULL;
	do {
		if (!mips_load_aligned(c, i, va, size, &old))
			return NULL;
		if (!mips_store_conditional(c, i, va, size, old, replaced(replace, old, operand, size), &made))
			return NULL;
	} while (!made);
	D = size == 4 ? SEXT32(old) : old;
	return i + 1;
}

#define OP_ATOMIC(name, size, replace, operand)              \
	OP(name)                                             \
	{                                                    \
		return atomic(c, i, size, replace, operand); \
	}

OP_ATOMIC(op_lai, 4, ADD, 1)
OP_ATOMIC(op_laid, 8, ADD, 1)
OP_ATOMIC(op_lad, 4, ADD, ~0ull)
OP_ATOMIC(op_ladd, 8, ADD, ~0ull)
OP_ATOMIC(op_laa, 4, ADD, B)
OP_ATOMIC(op_laad, 8, ADD, B)
OP_ATOMIC(op_law, 4, SWAP, B)
OP_ATOMIC(op_lawd, 8, SWAP, B)
OP_ATOMIC(op_las, 4, SET_ONES, 0)
OP_ATOMIC(op_lasd, 8, SET_ONES, 0)
OP_ATOMIC(op_lac, 4, CLEAR, 0)
OP_ATOMIC(op_lacd, 8, CLEAR, 0)
/* SAA and SAAD return nothing: the decoder makes the sink their destination. */
OP_ATOMIC(op_saa, 4, ADD, B)
OP_ATOMIC(op_saad, 8, ADD, B)

/* Zeroes the cache block of 128 bytes around an address. */
OP(op_zcb)
{
	uint64_t block = A & ~127ull, ignored;

	/* The address of a fault is the one given; a block lies in one page, so that after this nothing fails. */
	if (!mips_translate(c, i, A, MIPS_WRITE, &ignored))
		return NULL;
	for (unsigned n = 0; n < 128; n += 8)
		if (!mips_store(c, i, block + n, 8, 0))
			return NULL;
	return i + 1;
}

/*
 * Coprocessor 2 of a chip without the crypto and pattern matching units: what is left is the registers of the CRC
 * unit, which kernels save and restore for whoever switched the coprocessor on, whether he uses them or not. The
 * operations are reserved: a program gets an exception, never a wrong checksum. imm is the register.
 */
static uint64_t *crc_register(struct mips_cpu *c, unsigned n)
{
	switch (n) {
	case 0x0200: /* read */
	case 0x4200: return &c->octeon.crc_polynomial;
	case 0x0201: return &c->octeon.crc_iv;
	case 0x0202: /* read */
	case 0x1202: return &c->octeon.crc_length;
	default: return NULL;
	}
}

static const struct mips_insn *move_crc(struct mips_cpu *c, const struct mips_insn *i, bool to)
{
	uint64_t *reg = crc_register(c, (unsigned)i->imm & 0xffff);

	if ((c->cp0.status & STATUS_CU2) == 0)
		return mips_raise_cpu(c, i, 2);
	if (reg == NULL)
		return mips_raise(c, i, EXC_RI);
	if (to)
		*reg = B;
	else
		D = *reg;
	return i + 1;
}

OP(op_dmfc2)
{
	return move_crc(c, i, false);
}
OP(op_dmtc2)
{
	return move_crc(c, i, true);
}

static mips_exec *const special2[64] = {
	[0x03] = op_dmul,  [0x08] = op_mtm0,  [0x09] = op_mtp0, [0x0a] = op_mtp1,   [0x0b] = op_mtp2, [0x0c] = op_mtm1,
	[0x0d] = op_mtm2,  [0x0f] = op_vmulu, [0x10] = op_vmm0, [0x11] = op_v3mulu, [0x18] = op_saa,  [0x19] = op_saad,
	[0x28] = op_baddu, [0x2a] = op_seq,   [0x2b] = op_sne,  [0x2c] = op_pop,    [0x2d] = op_dpop, [0x2e] = op_seqi,
	[0x2f] = op_snei,  [0x32] = op_cins,  [0x33] = op_cins, [0x3a] = op_exts,   [0x3b] = op_exts,
};

/* SPECIAL2 function 0x1f, by bits 10:6, with ZCB and ZCBT, which differ in what they do to the second level cache */
static mips_exec *const atomics[32] = {
	[0x02] = op_lai,  [0x03] = op_laid, [0x06] = op_lad,  [0x07] = op_ladd, [0x0a] = op_las,
	[0x0b] = op_lasd, [0x0e] = op_lac,  [0x0f] = op_lacd, [0x12] = op_laa,  [0x13] = op_laad,
	[0x16] = op_law,  [0x17] = op_lawd, [0x1c] = op_zcb,  [0x1d] = op_zcb,
};

/* SPECIAL3 function 0x0a, by bits 10:6 */
static mips_exec *const indexed[32] = {
	[0x00] = op_lwx,  [0x04] = op_lhx,  [0x06] = op_lbux, [0x08] = op_ldx,
	[0x10] = op_lwux, [0x14] = op_lhux, [0x16] = op_lbx,
};

static mips_exec *decode_special2(uint32_t w, struct mips_insn *out)
{
	unsigned funct = mips_funct(w);

	switch (funct) {
	case 0x1f: return atomics[mips_sa(w)];
	case 0x18:
	case 0x19: out->d = MIPS_REG_SINK; break;
	case 0x2e:
	case 0x2f: /* the immediate is bits 15:6, the destination rt */
		out->imm = (int16_t)(w & 0xffc0) >> 6;
		out->d = mips_dest(mips_rt(w));
		break;
	case 0x32:
	case 0x33:
	case 0x3a:
	case 0x3b: /* the length is in rd, the destination rt; the odd functions add 32 to the position */
		out->s = (uint8_t)(out->s + (funct & 1) * 32);
		out->b = mips_rd(w);
		out->d = mips_dest(mips_rt(w));
		if (out->s + out->b > 63)
			return NULL; /* beyond the register */
		break;
	default: break;
	}
	return special2[funct];
}

/* BBIT0, BBIT032, BBIT1 and BBIT132 take the opcodes of coprocessor 2's loads and stores. */
static bool is_branch(uint32_t w)
{
	return (mips_op(w) & 0x33) == 0x32;
}

static mips_exec *decode_branch(uint32_t w, struct mips_insn *out)
{
	out->s = (uint8_t)(mips_rt(w) + (mips_op(w) & 4) * 8);
	out->imm = mips_simm(w) + 1;
	return (mips_op(w) & 8) != 0 ? op_bbit1 : op_bbit0;
}

static mips_exec *decode_cop2(uint32_t w, struct mips_insn *out)
{
	switch (mips_rs(w)) {
	case 0x01: out->d = mips_dest(mips_rt(w)); return op_dmfc2;
	case 0x05: return op_dmtc2;
	default: return NULL;
	}
}

static bool decode(const struct mips_cpu *c, uint32_t w, struct mips_insn *out)
{
	mips_exec *exec = NULL;

	(void)c;
	mips_decode_fields(w, out);
	if (mips_op(w) == 0x1c)
		exec = decode_special2(w, out);
	else if (mips_op(w) == 0x1f && mips_funct(w) == 0x0a)
		exec = indexed[mips_sa(w)];
	else if (mips_op(w) == 0x12)
		exec = decode_cop2(w, out);
	else if (is_branch(w))
		exec = decode_branch(w, out);
	if (exec == NULL)
		return false;
	out->exec = exec;
	return true;
}

MIPS_ISA(octeon) = {
	.name = "octeon2",
	.needs = MIPS_HAS_OCTEON,
	.decode = decode,
	.is_branch = is_branch,
};
