/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic, logic, shifts, bit fields and conditional moves (MD00087, volume II). */
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/isa.h"
#include "arch/mips64/guest/operands.h"

#define OP(name, ...)                                                                      \
	static const struct mips_insn *name(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                  \
		__VA_ARGS__;                                                               \
		return i + 1;                                                              \
	}

#define UIMM ((uint64_t)(uint16_t)i->imm)

/* Three registers */
OP(op_addu, D = SEXT32(A + B))
OP(op_subu, D = SEXT32(A - B))
OP(op_daddu, D = A + B)
OP(op_dsubu, D = A - B)
OP(op_and, D = A & B)
OP(op_or, D = A | B)
OP(op_xor, D = A ^ B)
OP(op_nor, D = ~(A | B))
OP(op_slt, D = (int64_t)A < (int64_t)B)
OP(op_sltu, D = A < B)
OP(op_movz, if (B == 0) D = A)
OP(op_movn, if (B != 0) D = A)

/* Immediates; imm is the destination's other operand */
OP(op_addiu, D = SEXT32(A + IMM))
OP(op_daddiu, D = A + IMM)
OP(op_slti, D = (int64_t)A < (int64_t)IMM)
OP(op_sltiu, D = A < IMM)
OP(op_andi, D = A & UIMM)
OP(op_ori, D = A | UIMM)
OP(op_xori, D = A ^ UIMM)
OP(op_lui, D = IMM << 16)

/* Common special cases of the above */
OP(op_move, D = A)
OP(op_li, D = IMM)

/* Shifts */
OP(op_sll, D = SEXT32(B << i->s))
OP(op_srl, D = SEXT32((uint32_t)B >> i->s))
OP(op_sra, D = (uint64_t)((int64_t)(int32_t)B >> i->s))
OP(op_rotr, D = SEXT32((uint32_t)B >> i->s | (uint64_t)(uint32_t)B << (32 - i->s)))
OP(op_sllv, D = SEXT32(B << (A & 31)))
OP(op_srlv, D = SEXT32((uint32_t)B >> (A & 31)))
OP(op_srav, D = (uint64_t)((int64_t)(int32_t)B >> (A & 31)))
OP(op_rotrv, D = SEXT32((uint32_t)B >> (A & 31) | (uint64_t)(uint32_t)B << (32 - (A & 31))))
OP(op_dsll, D = B << i->s)
OP(op_dsrl, D = B >> i->s)
OP(op_dsra, D = (uint64_t)((int64_t)B >> i->s))
OP(op_drotr, D = B >> (i->s & 63) | B << (-i->s & 63))
OP(op_dsllv, D = B << (A & 63))
OP(op_dsrlv, D = B >> (A & 63))
OP(op_dsrav, D = (uint64_t)((int64_t)B >> (A & 63)))
OP(op_drotrv, D = B >> (A & 63) | B << (-A & 63))

/* Bytes and bits */
OP(op_seb, D = (uint64_t)(int64_t)(int8_t)B)
OP(op_seh, D = (uint64_t)(int64_t)(int16_t)B)
OP(op_wsbh, D = SEXT32((B & 0x00ff00ff) << 8 | (B >> 8 & 0x00ff00ff)))
OP(op_dsbh, D = (B & 0x00ff00ff00ff00ffull) << 8 | (B >> 8 & 0x00ff00ff00ff00ffull))
OP(op_dshd, uint64_t v = (B & 0x0000ffff0000ffffull) << 16 | (B >> 16 & 0x0000ffff0000ffffull); D = v << 32 | v >> 32)
OP(op_clz, D = (uint32_t)A == 0 ? 32 : (uint64_t)__builtin_clz((uint32_t)A))
OP(op_clo, D = (uint32_t)~A == 0 ? 32 : (uint64_t)__builtin_clz((uint32_t)~A))
OP(op_dclz, D = A == 0 ? 64 : (uint64_t)__builtin_clzll(A))
OP(op_dclo, D = ~A == 0 ? 64 : (uint64_t)__builtin_clzll(~A))

static uint64_t low_bits(unsigned n)
{
	return n >= 64 ? ~0ull : (1ull << n) - 1;
}

/* Bit fields: s is the position, imm the size in bits. */
OP(op_ext, D = SEXT32((uint32_t)A >> i->s & low_bits((unsigned)i->imm)))
OP(op_dext, D = A >> i->s & low_bits((unsigned)i->imm))
OP(op_ins, uint64_t m = low_bits((unsigned)i->imm) << i->s; D = SEXT32((B & ~m) | (A << i->s & m)))
OP(op_dins, uint64_t m = low_bits((unsigned)i->imm) << i->s; D = (B & ~m) | (A << i->s & m))

/* With overflow exception */
#define OP_OVERFLOW(name, type, builtin, other)                                            \
	static const struct mips_insn *name(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                  \
		type result;                                                               \
		if (builtin((type)A, (type)(other), &result))                              \
			return mips_raise(c, i, EXC_OV);                                   \
		D = (uint64_t)(int64_t)result;                                             \
		return i + 1;                                                              \
	}

OP_OVERFLOW(op_add, int32_t, __builtin_add_overflow, B)
OP_OVERFLOW(op_sub, int32_t, __builtin_sub_overflow, B)
OP_OVERFLOW(op_dadd, int64_t, __builtin_add_overflow, B)
OP_OVERFLOW(op_dsub, int64_t, __builtin_sub_overflow, B)
OP_OVERFLOW(op_addi, int32_t, __builtin_add_overflow, IMM)
OP_OVERFLOW(op_daddi, int64_t, __builtin_add_overflow, IMM)

/* SPECIAL, by function; those with a second table entry need 64-bit operations. */
static mips_exec *const special[64] = {
	[0x00] = op_sll, [0x03] = op_sra,  [0x04] = op_sllv, [0x07] = op_srav, [0x0a] = op_movz, [0x0b] = op_movn,
	[0x20] = op_add, [0x21] = op_addu, [0x22] = op_sub,  [0x23] = op_subu, [0x24] = op_and,  [0x25] = op_or,
	[0x26] = op_xor, [0x27] = op_nor,  [0x2a] = op_slt,  [0x2b] = op_sltu,
};

static mips_exec *const special64[64] = {
	[0x14] = op_dsllv, [0x17] = op_dsrav, [0x2c] = op_dadd, [0x2d] = op_daddu, [0x2e] = op_dsub,
	[0x2f] = op_dsubu, [0x38] = op_dsll,  [0x3b] = op_dsra, [0x3c] = op_dsll,  [0x3f] = op_dsra,
};

/* Right shifts share their function codes with rotates, told apart by a bit of rs or sa (MD00087). */
static mips_exec *decode_right_shift(const struct mips_cpu *c, uint32_t w, struct mips_insn *out)
{
	bool wide = mips_64bit_operations(c), rotate = (w >> 21 & 1) != 0, rotate_v = (w >> 6 & 1) != 0;

	switch (mips_funct(w)) {
	case 0x02: return rotate ? op_rotr : op_srl;
	case 0x06: return rotate_v ? op_rotrv : op_srlv;
	case 0x16: return !wide ? NULL : rotate_v ? op_drotrv : op_dsrlv;
	case 0x3e: out->s = (uint8_t)(out->s + 32); /* fall through */
	case 0x3a: return !wide ? NULL : rotate ? op_drotr : op_dsrl;
	default: return NULL;
	}
}

static mips_exec *decode_special(const struct mips_cpu *c, uint32_t w, struct mips_insn *out)
{
	unsigned funct = mips_funct(w);
	mips_exec *exec = special[funct];

	if (w == 0)
		return mips_exec_nop;
	if (exec == NULL && mips_64bit_operations(c))
		exec = special64[funct];
	if (funct == 0x3c || funct == 0x3f)
		out->s = (uint8_t)(out->s + 32);
	/* move is or/addu/daddu with $0 */
	if ((funct == 0x25 || funct == 0x2d) && out->b == 0 && exec != NULL)
		return op_move;
	return exec != NULL ? exec : decode_right_shift(c, w, out);
}

static mips_exec *decode_special2(const struct mips_cpu *c, uint32_t w)
{
	switch (mips_funct(w)) {
	case 0x20: return op_clz;
	case 0x21: return op_clo;
	case 0x24: return mips_64bit_operations(c) ? op_dclz : NULL;
	case 0x25: return mips_64bit_operations(c) ? op_dclo : NULL;
	default: return NULL;
	}
}

static mips_exec *decode_shuffle(const struct mips_cpu *c, uint32_t w)
{
	bool wide = mips_funct(w) == 0x24;

	if (wide && !mips_64bit_operations(c))
		return NULL;
	switch (mips_sa(w) | (wide ? 0x100 : 0)) {
	case 0x02: return op_wsbh;
	case 0x10: return op_seb;
	case 0x18: return op_seh;
	case 0x102: return op_dsbh;
	case 0x105: return op_dshd;
	default: return NULL;
	}
}

/* EXT and INS families: msb/size and lsb fields, with 32 added by the M and U forms. */
static mips_exec *decode_bit_field(const struct mips_cpu *c, uint32_t w, struct mips_insn *out)
{
	unsigned funct = mips_funct(w), msb = mips_rd(w), lsb = mips_sa(w);
	bool insert = (funct & 4) != 0, wide = (funct & 3) != 0;
	unsigned size;

	if (wide && !mips_64bit_operations(c))
		return NULL;
	if ((funct & 3) == 2) /* DEXTU, DINSU: position 32 and up */
		lsb += 32;
	if ((funct & 3) == 1 || (insert && (funct & 3) == 2)) /* DEXTM, DINSM: large size; DINSU: msb 32 and up */
		msb += 32;
	if (insert && msb < lsb)
		return NULL; /* UNPREDICTABLE */
	size = insert ? msb - lsb + 1 : msb + 1;
	if (lsb + size > (wide ? 64u : 32u))
		return NULL; /* UNPREDICTABLE */
	out->s = (uint8_t)lsb;
	out->imm = (int32_t)size;
	out->d = mips_dest(mips_rt(w));
	if (insert)
		return wide ? op_dins : op_ins;
	return wide ? op_dext : op_ext;
}

static mips_exec *decode_immediate(const struct mips_cpu *c, uint32_t w, struct mips_insn *out)
{
	bool wide = mips_64bit_operations(c);

	out->d = mips_dest(mips_rt(w));
	switch (mips_op(w)) {
	case 0x08: return op_addi;
	case 0x09: return out->a == 0 ? op_li : op_addiu;
	case 0x0a: return op_slti;
	case 0x0b: return op_sltiu;
	case 0x0c: return op_andi;
	case 0x0d: return op_ori;
	case 0x0e: return op_xori;
	case 0x0f: return op_lui;
	case 0x18: return wide ? op_daddi : NULL;
	case 0x19: return wide ? op_daddiu : NULL;
	default: return NULL;
	}
}

mips_exec *mips_decode_alu(const struct mips_cpu *c, uint32_t w, struct mips_insn *out)
{
	switch (mips_op(w)) {
	case 0x00: return decode_special(c, w, out);
	case 0x1c: return decode_special2(c, w);
	case 0x1f:
		if (mips_funct(w) < 8)
			return decode_bit_field(c, w, out);
		return mips_funct(w) == 0x20 || mips_funct(w) == 0x24 ? decode_shuffle(c, w) : NULL;
	default: return decode_immediate(c, w, out);
	}
}
