/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single instructions → IR. What is frequent gets operations of its own; the rest
 * is executed by the interpreter's function for it.
 */
#include "arch/mips64/translate/emit.h"

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/isa.h"

struct ir_op *mips_emit(struct mips_front *f, enum ir_opcode op)
{
	struct ir_op *o = &f->out->ops[f->out->count++];

	*o = (struct ir_op){ .op = (uint8_t)op,
			     .d = IR_NONE,
			     .e = IR_NONE,
			     .a = IR_NONE,
			     .b = IR_NONE,
			     .pc = f->pc,
			     .in_slot = f->in_slot };
	return o;
}

ir_var mips_temp(struct mips_front *f)
{
	return f->next_temp++;
}

/* Where a result goes: results for $0 go to a temporary that nobody reads. */
static ir_var destination(struct mips_front *f, unsigned reg)
{
	if (reg == 0)
		return mips_temp(f);
	if (reg < 32)
		f->known &= ~(1u << reg);
	return (ir_var)reg;
}

static bool is_known(const struct mips_front *f, unsigned reg, uint64_t *value)
{
	if (reg >= 32)
		return false;
	*value = reg == 0 ? 0 : f->value[reg];
	return reg == 0 || (f->known >> reg & 1) != 0;
}

void mips_emit_const(struct mips_front *f, ir_var reg, uint64_t value)
{
	struct ir_op *o;

	if (reg == 0)
		return;
	o = mips_emit(f, IR_CONST);
	o->d = destination(f, reg);
	o->imm = value;
	f->known |= 1u << reg;
	f->value[reg] = value;
}

static void op3(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned b)
{
	struct ir_op *o = mips_emit(f, op);

	o->a = (ir_var)a;
	o->b = (ir_var)b;
	o->d = destination(f, d);
}

static void op_imm(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, uint64_t imm)
{
	struct ir_op *o = mips_emit(f, op);

	o->a = (ir_var)a;
	o->imm = imm;
	o->d = destination(f, d);
}

static void move(struct mips_front *f, unsigned d, unsigned a)
{
	uint64_t value;

	if (d == 0)
		return;
	if (is_known(f, a, &value))
		mips_emit_const(f, (ir_var)d, value);
	else
		op3(f, IR_MOV, d, a, IR_NONE);
}

/* The interpreter's function executes the instruction; it may change any register. */
static void exec(struct mips_front *f, const struct mips_insn *insn)
{
	struct mips_insn *copy = &f->source->insns[f->source->nr_insns++];

	*copy = *insn;
	mips_emit(f, IR_EXEC)->insn = copy;
	f->known = 0;
}

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
	if (is_known(f, a, &value))
		mips_emit_const(f, (ir_var)d, wide ? value + imm : sext32(value + imm));
	else if (imm == 0 && wide)
		move(f, d, a);
	else
		op_imm(f, wide ? IR_ADDI : IR_ADDIW, d, a, imm);
}

static void logic_immediate(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, uint64_t imm)
{
	uint64_t value;

	if (d == 0)
		return;
	if (is_known(f, a, &value))
		mips_emit_const(f, (ir_var)d, op == IR_ORI ? value | imm : op == IR_ANDI ? value & imm : value ^ imm);
	else
		op_imm(f, op, d, a, imm);
}

static void shift_immediate(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned count)
{
	uint64_t value;

	if (d == 0)
		return;
	if (op == IR_SHLI && is_known(f, a, &value))
		mips_emit_const(f, (ir_var)d, value << count);
	else if (count == 0)
		op3(f, op == IR_SHLIW || op == IR_SHRIW || op == IR_SARIW || op == IR_RORIW ? IR_SEXT32 : IR_MOV, d, a,
		    IR_NONE);
	else
		op_imm(f, op, d, a, count);
}

static void add3(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned b)
{
	if (d == 0)
		return;
	if (op == IR_ADD && (a == 0 || b == 0))
		move(f, d, a == 0 ? b : a);
	else
		op3(f, op, d, a, b);
}

static void logic3(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned b)
{
	if (d == 0)
		return;
	if ((op == IR_OR || op == IR_XOR) && (a == 0 || b == 0))
		move(f, d, a == 0 ? b : a);
	else if (op == IR_AND && (a == 0 || b == 0))
		mips_emit_const(f, (ir_var)d, 0);
	else
		op3(f, op, d, a, b);
}

/* 32-bit products: their operands are extended first, so that the 64-bit product is exact. */
static void multiply32(struct mips_front *f, enum ir_opcode extend, unsigned a, unsigned b)
{
	ir_var ta = mips_temp(f), tb = mips_temp(f);

	op3(f, extend, ta, a, IR_NONE);
	op3(f, extend, tb, b, IR_NONE);
	op3(f, IR_MUL, ta, ta, tb);
	op3(f, IR_SEXT32, MIPS_VAR_LO, ta, IR_NONE);
	op_imm(f, IR_SARI, MIPS_VAR_HI, ta, 32);
}

static void multiply64(struct mips_front *f, enum ir_opcode op, unsigned a, unsigned b)
{
	struct ir_op *o = mips_emit(f, op);

	o->a = (ir_var)a;
	o->b = (ir_var)b;
	o->d = MIPS_VAR_LO;
	o->e = MIPS_VAR_HI;
}

static bool emit_special(struct mips_front *f, uint32_t w)
{
	unsigned d = mips_rd(w), a = mips_rs(w), b = mips_rt(w), s = mips_sa(w);
	bool rotate = (w >> 21 & 1) != 0, rotate_v = (w >> 6 & 1) != 0;

	switch (mips_funct(w)) {
	case 0x00: shift_immediate(f, IR_SHLIW, d, b, s); return true;
	case 0x02: shift_immediate(f, rotate ? IR_RORIW : IR_SHRIW, d, b, s); return true;
	case 0x03: shift_immediate(f, IR_SARIW, d, b, s); return true;
	case 0x04: op3(f, IR_SHLW, d, b, a); return true;
	case 0x06: op3(f, rotate_v ? IR_RORW : IR_SHRW, d, b, a); return true;
	case 0x07: op3(f, IR_SARW, d, b, a); return true;
	case 0x0a:
		if (d != 0)
			op3(f, IR_MOVZ, d, a, b);
		return true;
	case 0x0b:
		if (d != 0)
			op3(f, IR_MOVN, d, a, b);
		return true;
	case 0x0f: return true; /* SYNC */
	case 0x10: move(f, d, MIPS_VAR_HI); return true;
	case 0x11: op3(f, IR_MOV, MIPS_VAR_HI, a, IR_NONE); return true;
	case 0x12: move(f, d, MIPS_VAR_LO); return true;
	case 0x13: op3(f, IR_MOV, MIPS_VAR_LO, a, IR_NONE); return true;
	case 0x14: op3(f, IR_SHL, d, b, a); return true;
	case 0x16: op3(f, rotate_v ? IR_ROR : IR_SHR, d, b, a); return true;
	case 0x17: op3(f, IR_SAR, d, b, a); return true;
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
	case 0x2a: op3(f, IR_SLT, d, a, b); return true;
	case 0x2b: op3(f, IR_SLTU, d, a, b); return true;
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
			op_imm(f, IR_SHRI, t, a, from);
		op_imm(f, IR_ANDI, d, t, (1ull << size) - 1);
	} else {
		op_imm(f, IR_SHLI, t, a, 64 - size - from);
		op_imm(f, IR_SHRI, d, t, 64 - size);
	}
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
	case 0x20:
		if (lsb == 0x10)
			op3(f, IR_SEXT8, msb, d, IR_NONE);
		else if (lsb == 0x18)
			op3(f, IR_SEXT16, msb, d, IR_NONE);
		else
			return false;
		return true;
	default: return false;
	}
}

static void compare_immediate(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, uint64_t imm)
{
	if (d != 0)
		op_imm(f, op, d, a, imm);
}

static void load(struct mips_front *f, uint32_t w, unsigned size, bool is_signed)
{
	struct ir_op *o = mips_emit(f, IR_LOAD);

	o->a = mips_rs(w);
	o->imm = (uint64_t)(int64_t)mips_simm(w);
	o->size = (uint8_t)size;
	o->is_signed = is_signed;
	o->d = destination(f, mips_rt(w));
}

static void store(struct mips_front *f, uint32_t w, unsigned size)
{
	struct ir_op *o = mips_emit(f, IR_STORE);

	o->a = mips_rs(w);
	o->b = mips_rt(w);
	o->imm = (uint64_t)(int64_t)mips_simm(w);
	o->size = (uint8_t)size;
}

static bool emit_word(struct mips_front *f, uint32_t w)
{
	unsigned d = mips_rt(w), a = mips_rs(w);
	uint64_t imm = (uint64_t)(int64_t)mips_simm(w), uimm = w & 0xffff;

	switch (mips_op(w)) {
	case 0x00: return emit_special(f, w);
	case 0x09: add_immediate(f, d, a, imm, false); return true;
	case 0x0a: compare_immediate(f, IR_SLTI, d, a, imm); return true;
	case 0x0b: compare_immediate(f, IR_SLTIU, d, a, imm); return true;
	case 0x0c: logic_immediate(f, IR_ANDI, d, a, uimm); return true;
	case 0x0d: logic_immediate(f, IR_ORI, d, a, uimm); return true;
	case 0x0e: logic_immediate(f, IR_XORI, d, a, uimm); return true;
	case 0x0f: mips_emit_const(f, (ir_var)d, imm << 16); return true;
	case 0x19: add_immediate(f, d, a, imm, true); return true;
	case 0x1c:
		if (mips_funct(w) != 0x02)
			return false;
		op3(f, IR_MULW, mips_rd(w), a, d);
		return true;
	case 0x1f: return emit_special3(f, w);
	case 0x20: load(f, w, 1, true); return true;
	case 0x21: load(f, w, 2, true); return true;
	case 0x23: load(f, w, 4, true); return true;
	case 0x24: load(f, w, 1, false); return true;
	case 0x25: load(f, w, 2, false); return true;
	case 0x27: load(f, w, 4, false); return true;
	case 0x37: load(f, w, 8, true); return true;
	case 0x28: store(f, w, 1); return true;
	case 0x29: store(f, w, 2); return true;
	case 0x2b: store(f, w, 4); return true;
	case 0x3f: store(f, w, 8); return true;
	case 0x33: return true; /* PREF */
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
	case 0x03: op3(f, IR_MUL, d, a, b); return true;
	case 0x2a: op3(f, IR_SEQ, d, a, b); return true;
	case 0x2b: op3(f, IR_SNE, d, a, b); return true;
	case 0x32:
	case 0x33: /* CINS: d is the length less one */
		s += (funct & 1) * 32;
		t = mips_temp(f);
		op_imm(f, IR_SHLI, t, a, 63 - d);
		op_imm(f, IR_SHRI, b, t, 63 - d - s);
		return true;
	case 0x3a:
	case 0x3b: /* EXTS */
		s += (funct & 1) * 32;
		t = mips_temp(f);
		op_imm(f, IR_SHLI, t, a, 63 - d - s);
		op_imm(f, IR_SARI, b, t, 63 - d);
		return true;
	default: return false;
	}
}

void mips_emit_insn(struct mips_front *f, uint32_t word)
{
	struct mips_insn insn;

	mips_decode(f->source->cpu, word, &insn);
	if (insn.exec == mips_exec_nop)
		return;
	if (insn.exec != mips_exec_reserved && (emit_octeon(f, word) || emit_word(f, word)))
		return;
	exec(f, &insn);
}
