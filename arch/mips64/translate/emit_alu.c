/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic, logic, shifts, bit fields, multiplication and division → IR, with constants folded. */
#include "arch/mips64/translate/emit.h"

static uint64_t sext32(uint64_t v)
{
	return (uint64_t)(int64_t)(int32_t)v;
}

/* Immediate forms with constants folded: addresses are built from LUI and additions. */
static void add_immediate(struct mips_front *f, unsigned d, unsigned a, uint64_t imm, bool wide)
{
	uint64_t value;

	if (d == 0)
		return;
	if (mips_is_known(f, a, &value))
		mips_emit_const(f, (ir_var)d, wide ? value + imm : sext32(value + imm));
	else if (imm == 0 && wide)
		mips_emit_move(f, d, a);
	else
		mips_emit_imm(f, wide ? IR_ADDI : IR_ADDIW, d, a, imm);
}

static void logic_immediate(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, uint64_t imm)
{
	uint64_t value;

	if (d == 0)
		return;
	if (mips_is_known(f, a, &value))
		mips_emit_const(f, (ir_var)d, op == IR_ORI ? value | imm : op == IR_ANDI ? value & imm : value ^ imm);
	else
		mips_emit_imm(f, op, d, a, imm);
}

static void shift_immediate(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned count)
{
	uint64_t value;

	if (d == 0)
		return;
	if (op == IR_SHLI && mips_is_known(f, a, &value))
		mips_emit_const(f, (ir_var)d, value << count);
	else if (count == 0)
		mips_emit3(f, op == IR_SHLIW || op == IR_SHRIW || op == IR_SARIW || op == IR_RORIW ? IR_SEXT32 : IR_MOV,
			   d, a, IR_NONE);
	else
		mips_emit_imm(f, op, d, a, count);
}

static void add3(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned b)
{
	if (d == 0)
		return;
	if (op == IR_ADD && (a == 0 || b == 0))
		mips_emit_move(f, d, a == 0 ? b : a);
	else
		mips_emit3(f, op, d, a, b);
}

static void logic3(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned b)
{
	if (d == 0)
		return;
	if ((op == IR_OR || op == IR_XOR) && (a == 0 || b == 0))
		mips_emit_move(f, d, a == 0 ? b : a);
	else if (op == IR_AND && (a == 0 || b == 0))
		mips_emit_const(f, (ir_var)d, 0);
	else
		mips_emit3(f, op, d, a, b);
}

/* 32-bit products: their operands are extended first, so that the 64-bit product is exact. */
static void multiply32(struct mips_front *f, enum ir_opcode extend, unsigned a, unsigned b)
{
	ir_var ta = mips_temp(f), tb = mips_temp(f);

	mips_emit3(f, extend, ta, a, IR_NONE);
	mips_emit3(f, extend, tb, b, IR_NONE);
	mips_emit3(f, IR_MUL, ta, ta, tb);
	mips_emit3(f, IR_SEXT32, MIPS_VAR_LO, ta, IR_NONE);
	mips_emit_imm(f, IR_SARI, MIPS_VAR_HI, ta, 32);
}

static void multiply64(struct mips_front *f, enum ir_opcode op, unsigned a, unsigned b)
{
	struct ir_op *o = mips_emit(f, op);

	o->a = (ir_var)a;
	o->b = (ir_var)b;
	o->d = MIPS_VAR_LO;
	o->e = MIPS_VAR_HI;
}

static void divide(struct mips_front *f, enum ir_opcode op, unsigned a, unsigned b, const struct mips_insn *insn)
{
	struct ir_op *o = mips_emit(f, op);

	o->a = (ir_var)a;
	o->b = (ir_var)b;
	o->d = MIPS_VAR_LO;
	o->e = MIPS_VAR_HI;
	o->insn = mips_keep_insn(f, insn);
}

static bool emit_special(struct mips_front *f, uint32_t w)
{
	unsigned d = mips_rd(w), a = mips_rs(w), b = mips_rt(w), s = mips_sa(w);
	bool rotate = (w >> 21 & 1) != 0, rotate_v = (w >> 6 & 1) != 0;

	switch (mips_funct(w)) {
	case 0x00: shift_immediate(f, IR_SHLIW, d, b, s); return true;
	case 0x02: shift_immediate(f, rotate ? IR_RORIW : IR_SHRIW, d, b, s); return true;
	case 0x03: shift_immediate(f, IR_SARIW, d, b, s); return true;
	case 0x04: mips_emit3(f, IR_SHLW, d, b, a); return true;
	case 0x06: mips_emit3(f, rotate_v ? IR_RORW : IR_SHRW, d, b, a); return true;
	case 0x07: mips_emit3(f, IR_SARW, d, b, a); return true;
	case 0x0a:
		if (d != 0)
			mips_emit3(f, IR_MOVZ, d, a, b);
		return true;
	case 0x0b:
		if (d != 0)
			mips_emit3(f, IR_MOVN, d, a, b);
		return true;
	case 0x0f: return true; /* SYNC */
	case 0x10: mips_emit_move(f, d, MIPS_VAR_HI); return true;
	case 0x11: mips_emit3(f, IR_MOV, MIPS_VAR_HI, a, IR_NONE); return true;
	case 0x12: mips_emit_move(f, d, MIPS_VAR_LO); return true;
	case 0x13: mips_emit3(f, IR_MOV, MIPS_VAR_LO, a, IR_NONE); return true;
	case 0x14: mips_emit3(f, IR_SHL, d, b, a); return true;
	case 0x16: mips_emit3(f, rotate_v ? IR_ROR : IR_SHR, d, b, a); return true;
	case 0x17: mips_emit3(f, IR_SAR, d, b, a); return true;
	case 0x18: multiply32(f, IR_SEXT32, a, b); return true;
	case 0x19: multiply32(f, IR_ZEXT32, a, b); return true;
	case 0x1c: multiply64(f, IR_MULH, a, b); return true;
	case 0x1d: multiply64(f, IR_MULHU, a, b); return true;
	case 0x21: add3(f, IR_ADDW, d, a, b); return true;
	case 0x23: add3(f, IR_SUBW, d, a, b); return true;
	case 0x24: logic3(f, IR_AND, d, a, b); return true;
	case 0x25: logic3(f, IR_OR, d, a, b); return true;
	case 0x26: logic3(f, IR_XOR, d, a, b); return true;
	case 0x27: logic3(f, IR_NOR, d, a, b); return true;
	case 0x2a: mips_emit3(f, IR_SLT, d, a, b); return true;
	case 0x2b: mips_emit3(f, IR_SLTU, d, a, b); return true;
	case 0x2d: add3(f, IR_ADD, d, a, b); return true;
	case 0x2f: add3(f, IR_SUB, d, a, b); return true;
	case 0x38: shift_immediate(f, IR_SHLI, d, b, s); return true;
	case 0x3a: shift_immediate(f, rotate ? IR_RORI : IR_SHRI, d, b, s); return true;
	case 0x3b: shift_immediate(f, IR_SARI, d, b, s); return true;
	case 0x3c: shift_immediate(f, IR_SHLI, d, b, s + 32); return true;
	case 0x3e: shift_immediate(f, rotate ? IR_RORI : IR_SHRI, d, b, s + 32); return true;
	case 0x3f: shift_immediate(f, IR_SARI, d, b, s + 32); return true;
	default: return false;
	}
}

/* A field of `size` bits at `from`, to be zero-extended. */
static void extract(struct mips_front *f, unsigned d, unsigned a, unsigned from, unsigned size)
{
	ir_var t = mips_temp(f);

	if (d == 0)
		return;
	if (size < 32) {
		if (from == 0)
			t = (ir_var)a;
		else
			mips_emit_imm(f, IR_SHRI, t, a, from);
		mips_emit_imm(f, IR_ANDI, d, t, (1ull << size) - 1);
	} else {
		mips_emit_imm(f, IR_SHLI, t, a, 64 - size - from);
		mips_emit_imm(f, IR_SHRI, d, t, 64 - size);
	}
}

/* The low `size` bits of a replace those at `to` in d. */
static void insert(struct mips_front *f, unsigned d, unsigned a, unsigned to, unsigned size, bool wide)
{
	ir_var old = mips_temp(f), new = mips_temp(f), keep = mips_temp(f);
	uint64_t mask = size == 64 ? ~0ull : (1ull << size) - 1;
	struct ir_op *o;

	if (d == 0)
		return;
	mips_emit_imm(f, IR_SHLI, new, a, 64 - size);
	mips_emit_imm(f, IR_SHRI, new, new, 64 - size - to);
	o = mips_emit(f, IR_CONST);
	o->d = keep;
	o->imm = ~(mask << to);
	mips_emit3(f, IR_AND, old, d, keep);
	mips_emit3(f, IR_OR, wide ? d : old, old, new);
	if (!wide)
		mips_emit3(f, IR_SEXT32, d, old, IR_NONE);
}

/* DSBH swaps the bytes of each half word, DSHD the half words: as two steps of reversing the bytes. */
static void swap_within(struct mips_front *f, unsigned d, unsigned a, unsigned distance, uint64_t low)
{
	ir_var mask = mips_temp(f), up = mips_temp(f), down = mips_temp(f);
	struct ir_op *o;

	if (d == 0)
		return;
	o = mips_emit(f, IR_CONST);
	o->d = mask;
	o->imm = low;
	mips_emit3(f, IR_AND, up, a, mask);
	mips_emit_imm(f, IR_SHLI, up, up, distance);
	mips_emit_imm(f, IR_SHRI, down, a, distance);
	mips_emit3(f, IR_AND, down, down, mask);
	mips_emit3(f, IR_OR, d, up, down);
}

static bool emit_special3(struct mips_front *f, uint32_t w)
{
	unsigned d = mips_rt(w), a = mips_rs(w), msb = mips_rd(w), lsb = mips_sa(w);

	switch (mips_funct(w)) {
	case 0x00: /* EXT, but a field of 32 bits is sign-extended */
		if (msb == 31)
			return false;
		extract(f, d, a, lsb, msb + 1);
		return true;
	case 0x01: extract(f, d, a, lsb, msb + 33); return true;
	case 0x02: extract(f, d, a, lsb + 32, msb + 1); return true;
	case 0x03: extract(f, d, a, lsb, msb + 1); return true;
	case 0x04: insert(f, d, a, lsb, msb - lsb + 1, false); return true;
	case 0x05: insert(f, d, a, lsb, msb + 32 - lsb + 1, true); return true;
	case 0x06: insert(f, d, a, lsb + 32, msb - lsb + 1, true); return true;
	case 0x07: insert(f, d, a, lsb, msb - lsb + 1, true); return true;
	case 0x24:
		if (lsb == 0x02) {
			swap_within(f, msb, d, 8, 0x00ff00ff00ff00ff);
		} else if (lsb == 0x05) {
			swap_within(f, msb, d, 16, 0x0000ffff0000ffff);
			if (msb != 0)
				mips_emit_imm(f, IR_RORI, msb, msb, 32);
		} else {
			return false;
		}
		return true;
	case 0x20:
		if (lsb == 0x02) {
			swap_within(f, msb, d, 8, 0x00ff00ff00ff00ff);
			if (msb != 0)
				mips_emit3(f, IR_SEXT32, msb, msb, IR_NONE);
		} else if (lsb == 0x10)
			mips_emit3(f, IR_SEXT8, msb, d, IR_NONE);
		else if (lsb == 0x18)
			mips_emit3(f, IR_SEXT16, msb, d, IR_NONE);
		else
			return false;
		return true;
	default: return false;
	}
}

static void compare_immediate(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, uint64_t imm)
{
	if (d != 0)
		mips_emit_imm(f, op, d, a, imm);
}

/* MADD, MADDU, MSUB, MSUBU: HI and LO hold the halves of a sum of 64 bits. */
static void multiply_add32(struct mips_front *f, enum ir_opcode extend, enum ir_opcode sum, unsigned a, unsigned b)
{
	ir_var ta = mips_temp(f), tb = mips_temp(f), acc = mips_temp(f);

	mips_emit3(f, extend, ta, a, IR_NONE);
	mips_emit3(f, extend, tb, b, IR_NONE);
	mips_emit3(f, IR_MUL, ta, ta, tb);
	mips_emit_imm(f, IR_SHLI, acc, MIPS_VAR_HI, 32);
	mips_emit3(f, IR_ZEXT32, tb, MIPS_VAR_LO, IR_NONE);
	mips_emit3(f, IR_OR, acc, acc, tb);
	mips_emit3(f, sum, acc, acc, ta);
	mips_emit3(f, IR_SEXT32, MIPS_VAR_LO, acc, IR_NONE);
	mips_emit_imm(f, IR_SARI, MIPS_VAR_HI, acc, 32);
}

static bool emit_special2(struct mips_front *f, uint32_t w)
{
	switch (mips_funct(w)) {
	case 0x00: multiply_add32(f, IR_SEXT32, IR_ADD, mips_rs(w), mips_rt(w)); return true;
	case 0x01: multiply_add32(f, IR_ZEXT32, IR_ADD, mips_rs(w), mips_rt(w)); return true;
	case 0x04: multiply_add32(f, IR_SEXT32, IR_SUB, mips_rs(w), mips_rt(w)); return true;
	case 0x05: multiply_add32(f, IR_ZEXT32, IR_SUB, mips_rs(w), mips_rt(w)); return true;
	case 0x02: mips_emit3(f, IR_MULW, mips_rd(w), mips_rs(w), mips_rt(w)); return true;
	case 0x20: mips_emit3(f, IR_CLZW, mips_rd(w), mips_rs(w), IR_NONE); return true;
	case 0x24: mips_emit3(f, IR_CLZ, mips_rd(w), mips_rs(w), IR_NONE); return true;
	default: return false;
	}
}

/* Octeon's frequent additions. */
static bool emit_octeon(struct mips_front *f, uint32_t w)
{
	unsigned a = mips_rs(w), b = mips_rt(w), d = mips_rd(w), s = mips_sa(w), funct = mips_funct(w);
	ir_var t;

	if (mips_op(w) != 0x1c || !mips_has(f->source->cpu, MIPS_HAS_OCTEON))
		return false;
	switch (funct) {
	case 0x03: mips_emit3(f, IR_MUL, d, a, b); return true;
	case 0x2a: mips_emit3(f, IR_SEQ, d, a, b); return true;
	case 0x2b: mips_emit3(f, IR_SNE, d, a, b); return true;
	case 0x32:
	case 0x33: /* CINS: d is the length less one */
		s += (funct & 1) * 32;
		t = mips_temp(f);
		mips_emit_imm(f, IR_SHLI, t, a, 63 - d);
		mips_emit_imm(f, IR_SHRI, b, t, 63 - d - s);
		return true;
	case 0x3a:
	case 0x3b: /* EXTS */
		s += (funct & 1) * 32;
		t = mips_temp(f);
		mips_emit_imm(f, IR_SHLI, t, a, 63 - d - s);
		mips_emit_imm(f, IR_SARI, b, t, 63 - d);
		return true;
	default: return false;
	}
}

/* What may become the helper's: divisions and traps. */
static bool emit_partial(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	unsigned a = mips_rs(w), b = mips_rt(w);

	switch (mips_funct(w)) {
	case 0x1a: divide(f, IR_DIVW, a, b, insn); return true;
	case 0x1b: divide(f, IR_DIVUW, a, b, insn); return true;
	case 0x1e: divide(f, IR_DIV, a, b, insn); return true;
	case 0x1f: divide(f, IR_DIVU, a, b, insn); return true;
	case 0x30: mips_emit_trap(f, IR_GE, a, b, insn); return true;
	case 0x32: mips_emit_trap(f, IR_LT, a, b, insn); return true;
	case 0x34: mips_emit_trap(f, IR_EQ, a, b, insn); return true;
	case 0x36: mips_emit_trap(f, IR_NE, a, b, insn); return true;
	default: return false;
	}
}

bool mips_emit_alu(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	unsigned d = mips_rt(w), a = mips_rs(w);
	uint64_t imm = (uint64_t)(int64_t)mips_simm(w), uimm = w & 0xffff;

	switch (mips_op(w)) {
	case 0x00: return emit_partial(f, w, insn) || emit_special(f, w);
	case 0x09: add_immediate(f, d, a, imm, false); return true;
	case 0x0a: compare_immediate(f, IR_SLTI, d, a, imm); return true;
	case 0x0b: compare_immediate(f, IR_SLTIU, d, a, imm); return true;
	case 0x0c: logic_immediate(f, IR_ANDI, d, a, uimm); return true;
	case 0x0d: logic_immediate(f, IR_ORI, d, a, uimm); return true;
	case 0x0e: logic_immediate(f, IR_XORI, d, a, uimm); return true;
	case 0x0f: mips_emit_const(f, (ir_var)d, imm << 16); return true;
	case 0x19: add_immediate(f, d, a, imm, true); return true;
	case 0x1c: return emit_octeon(f, w) || emit_special2(f, w);
	case 0x1f: return emit_special3(f, w);
	default: return false;
	}
}
