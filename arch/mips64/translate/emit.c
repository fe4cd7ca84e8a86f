/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single instructions → IR. What is frequent gets operations of its own; the rest
 * is executed by the interpreter's function for it.
 */
#include "arch/mips64/translate/emit.h"

#include <string.h>

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
			     .insns = (uint8_t)(f->in_slot ? f->insns - 1 : f->insns),
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

struct ir_op *mips_emit3(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned b)
{
	struct ir_op *o = mips_emit(f, op);

	o->a = (ir_var)a;
	o->b = (ir_var)b;
	o->d = destination(f, d);
	return o;
}

struct ir_op *mips_emit_imm(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, uint64_t imm)
{
	struct ir_op *o = mips_emit(f, op);

	o->a = (ir_var)a;
	o->imm = imm;
	o->d = destination(f, d);
	return o;
}

static void move(struct mips_front *f, unsigned d, unsigned a)
{
	uint64_t value;

	if (d == 0)
		return;
	if (is_known(f, a, &value))
		mips_emit_const(f, (ir_var)d, value);
	else
		mips_emit3(f, IR_MOV, d, a, IR_NONE);
}

const struct mips_insn *mips_keep_insn(struct mips_front *f, const struct mips_insn *insn)
{
	struct mips_insn *copy = &f->source->insns[f->source->nr_insns++];

	*copy = *insn;
	return copy;
}

/* Words of coprocessor 1, and MOVCI: they see, or set, FP state. */
static bool concerns_fp(uint32_t w)
{
	switch (mips_op(w)) {
	case 0x00: return mips_funct(w) == 0x01;
	case 0x11:
	case 0x13:
	case 0x31:
	case 0x35:
	case 0x39:
	case 0x3d: return true;
	default: return false;
	}
}

/* The interpreter's function executes the instruction; it may change any register. */
static void exec(struct mips_front *f, uint32_t word, const struct mips_insn *insn)
{
	struct ir_op *o = mips_emit(f, IR_EXEC);

	o->insn = mips_keep_insn(f, insn);
	o->size = concerns_fp(word);
	f->known = 0;
	memset(f->condition, IR_NONE, sizeof(f->condition));
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
		mips_emit_imm(f, wide ? IR_ADDI : IR_ADDIW, d, a, imm);
}

static void logic_immediate(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, uint64_t imm)
{
	uint64_t value;

	if (d == 0)
		return;
	if (is_known(f, a, &value))
		mips_emit_const(f, (ir_var)d, op == IR_ORI ? value | imm : op == IR_ANDI ? value & imm : value ^ imm);
	else
		mips_emit_imm(f, op, d, a, imm);
}

static void shift_immediate(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned count)
{
	uint64_t value;

	if (d == 0)
		return;
	if (op == IR_SHLI && is_known(f, a, &value))
		mips_emit_const(f, (ir_var)d, value << count);
	else if (count == 0)
		mips_emit3(f, op == IR_SHLIW || op == IR_SHRIW || op == IR_SARIW || op == IR_RORIW ? IR_SEXT32 : IR_MOV, d, a,
		    IR_NONE);
	else
		mips_emit_imm(f, op, d, a, count);
}

static void add3(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned b)
{
	if (d == 0)
		return;
	if (op == IR_ADD && (a == 0 || b == 0))
		move(f, d, a == 0 ? b : a);
	else
		mips_emit3(f, op, d, a, b);
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

static void trap(struct mips_front *f, enum ir_condition cc, unsigned a, unsigned b, const struct mips_insn *insn)
{
	struct ir_op *o = mips_emit(f, IR_TRAP);

	o->cc = (uint8_t)cc;
	o->a = (ir_var)a;
	o->b = (ir_var)b;
	o->insn = mips_keep_insn(f, insn);
}

static struct ir_op *read_field(struct mips_front *f, unsigned size, uint64_t offset)
{
	struct ir_op *o = mips_emit(f, IR_STATE);

	o->size = (uint8_t)size;
	o->is_signed = true;
	o->imm = offset;
	return o;
}

static bool in_kernel_mode(const struct mips_front *f)
{
	return (f->source->cpu->code_mode & MIPS_CODE_MODE) == MIPS_KERNEL;
}

/* EI: it is the helper's if an interrupt waits. */
static bool emit_enable_interrupts(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	ir_var old = mips_temp(f), new = mips_temp(f), pending = mips_temp(f);
	struct ir_op *o;

	if (!in_kernel_mode(f) || mips_rs(w) != 0x0b || (w & 0xffff) != 0x6020)
		return false;
	read_field(f, 4, MIPS_STATE(cp0.status))->d = old;
	read_field(f, 4, MIPS_STATE(cp0.cause))->d = pending;
	mips_emit_imm(f, IR_ORI, new, old, STATUS_IE);
	mips_emit3(f, IR_AND, pending, pending, old);
	mips_emit_imm(f, IR_ANDI, pending, pending, CAUSE_IP);
	trap(f, IR_NE, pending, IR_ZERO, insn);
	o = mips_emit(f, IR_PUT);
	o->a = new;
	o->size = 4;
	o->imm = MIPS_STATE(cp0.status);
	if (mips_rt(w) != 0)
		move(f, mips_rt(w), old);
	return true;
}

static void store_conditional(struct mips_front *f, uint32_t w, unsigned size, const struct mips_insn *insn);

/* Instructions that may become the helper's. */
static bool emit_partial(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	unsigned a = mips_rs(w), b = mips_rt(w);

	switch (mips_op(w)) {
	case 0x00: break;
	case 0x10: return emit_enable_interrupts(f, w, insn);
	case 0x38: store_conditional(f, w, 4, insn); return true;
	case 0x3c: store_conditional(f, w, 8, insn); return true;
	default: return false;
	}
	switch (mips_funct(w)) {
	case 0x1a: divide(f, IR_DIVW, a, b, insn); return true;
	case 0x1b: divide(f, IR_DIVUW, a, b, insn); return true;
	case 0x1e: divide(f, IR_DIV, a, b, insn); return true;
	case 0x1f: divide(f, IR_DIVU, a, b, insn); return true;
	case 0x30: trap(f, IR_GE, a, b, insn); return true;
	case 0x32: trap(f, IR_LT, a, b, insn); return true;
	case 0x34: trap(f, IR_EQ, a, b, insn); return true;
	case 0x36: trap(f, IR_NE, a, b, insn); return true;
	default: return false;
	}
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
	case 0x10: move(f, d, MIPS_VAR_HI); return true;
	case 0x11: mips_emit3(f, IR_MOV, MIPS_VAR_HI, a, IR_NONE); return true;
	case 0x12: move(f, d, MIPS_VAR_LO); return true;
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

static void read_state(struct mips_front *f, unsigned d, unsigned size, uint64_t offset);

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
	case 0x3b: /* RDHWR */
		if (msb != 29 || (w & 0x7c0) != 0 || !(f->source->cpu->code_mode & MIPS_CODE_TLS))
			return false;
		read_state(f, d, 8, MIPS_STATE(cp0.userlocal));
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

/* Constant in a temporary. */
static ir_var constant(struct mips_front *f, uint64_t value)
{
	struct ir_op *o = mips_emit(f, IR_CONST);

	o->imm = value;
	return o->d = mips_temp(f);
}

/*
 * LDL, LDR, LWL, LWR: the aligned unit, shifted, and what remains of the register. The byte addressed is read first,
 * so that a fault names its address.
 */
static void load_part(struct mips_front *f, uint32_t w, unsigned size, bool left)
{
	ir_var va = mips_temp(f), unit = mips_temp(f), count = mips_temp(f), keep;
	unsigned d = mips_rt(w);
	bool from_top = left != f->source->cpu->big_endian;
	struct ir_op *o;

	mips_emit_imm(f, IR_ADDI, va, mips_rs(w), (uint64_t)(int64_t)mips_simm(w));
	o = mips_emit_imm(f, IR_LOAD, mips_temp(f), va, 0);
	o->size = 1;
	mips_emit_imm(f, IR_ANDI, count, va, size - 1);
	if (from_top)
		mips_emit_imm(f, IR_XORI, count, count, size - 1);
	mips_emit_imm(f, IR_SHLI, count, count, 3);
	mips_emit3(f, IR_AND, va, va, constant(f, ~(uint64_t)(size - 1)));
	o = mips_emit_imm(f, IR_LOAD, unit, va, 0);
	o->size = (uint8_t)size;
	if (d == 0)
		return;
	keep = constant(f, left ? ~0ull : size == 8 ? ~0ull : 0xffffffffull);
	mips_emit3(f, left ? IR_SHL : IR_SHR, keep, keep, count);
	mips_emit3(f, left ? IR_SHL : IR_SHR, unit, unit, count);
	mips_emit3(f, IR_NOR, keep, keep, IR_ZERO);
	mips_emit3(f, IR_AND, keep, keep, d);
	mips_emit3(f, IR_OR, size == 8 ? d : keep, keep, unit);
	if (size == 4)
		mips_emit3(f, IR_SEXT32, d, keep, IR_NONE);
}

static void store_conditional(struct mips_front *f, uint32_t w, unsigned size, const struct mips_insn *insn)
{
	struct ir_op *o = mips_emit(f, IR_SC);

	o->a = mips_rs(w);
	o->b = mips_rt(w);
	o->imm = (uint64_t)(int64_t)mips_simm(w);
	o->size = (uint8_t)size;
	o->insn = mips_keep_insn(f, insn);
	o->d = destination(f, mips_rt(w));
}

/* LL and LLD. */
static void load_linked(struct mips_front *f, uint32_t w, unsigned size)
{
	ir_var va = mips_temp(f), one;
	struct ir_op *o;

	mips_emit_imm(f, IR_ADDI, va, mips_rs(w), (uint64_t)(int64_t)mips_simm(w));
	o = mips_emit_imm(f, IR_LOAD, mips_rt(w), va, 0);
	o->size = (uint8_t)size;
	o->is_signed = o->aligned = true;
	one = constant(f, 1);
	o = mips_emit(f, IR_PUT);
	o->a = va;
	o->size = 8;
	o->imm = MIPS_STATE(ll_address);
	o = mips_emit(f, IR_PUT);
	o->a = one;
	o->size = 1;
	o->imm = MIPS_STATE(ll_valid);
}

static void read_state(struct mips_front *f, unsigned d, unsigned size, uint64_t offset)
{
	if (d != 0)
		read_field(f, size, offset)->d = destination(f, d);
}

/* Where the value of a CP0 register is that can be read as it stands: 8 bytes, or 4 that are sign-extended. */
static unsigned plain_cp0(const struct mips_front *f, unsigned reg, unsigned sel, uint64_t *offset)
{
	const struct mips_cpu *c = f->source->cpu;

	switch (reg * 8 + sel) {
	case 4 * 8: *offset = MIPS_STATE(cp0.context); return 8;
	case 8 * 8: *offset = MIPS_STATE(cp0.badvaddr); return 8;
	case 10 * 8: *offset = MIPS_STATE(cp0.entryhi); return 8;
	case 12 * 8: *offset = MIPS_STATE(cp0.status); return 4;
	case 14 * 8: *offset = MIPS_STATE(cp0.epc); return 8;
	case 20 * 8: *offset = MIPS_STATE(cp0.xcontext); return 8;
	default: break;
	}
	if (reg != 31 || sel < 2 || (c->cp0.config[4] >> (CONFIG4_KSCREXIST_SHIFT + sel) & 1) == 0)
		return 0;
	*offset = MIPS_STATE(cp0.kscratch) + sel * sizeof(c->cp0.kscratch[0]);
	return 8;
}

/* DI: interrupts that wait need no look at, as after EI. */
static void disable_interrupts(struct mips_front *f, unsigned d)
{
	ir_var status = mips_temp(f);
	struct ir_op *o;

	read_field(f, 4, MIPS_STATE(cp0.status))->d = status;
	if (d != 0)
		move(f, d, status);
	mips_emit_imm(f, IR_ORI, status, status, STATUS_IE);
	mips_emit_imm(f, IR_XORI, status, status, STATUS_IE);
	o = mips_emit(f, IR_PUT);
	o->a = status;
	o->size = 4;
	o->imm = MIPS_STATE(cp0.status);
}

/* Moves from and to coprocessor 0 that are no more than that. In kernel mode it is always usable. */
static bool emit_cp0(struct mips_front *f, uint32_t w)
{
	unsigned reg = mips_rd(w), sel = w & 7, size;
	struct ir_op *o;
	uint64_t offset;

	if (!in_kernel_mode(f) || (w >> 25 & 1) != 0)
		return false;
	if (mips_rs(w) == 0x0b && (w & 0xffff) == 0x6000) {
		disable_interrupts(f, mips_rt(w));
		return true;
	}
	if ((w & 0x7f8) != 0)
		return false;
	size = plain_cp0(f, reg, sel, &offset);
	if (size == 0)
		return false;
	switch (mips_rs(w)) {
	case 0x00: read_state(f, mips_rt(w), 4, offset); return true; /* little-endian host: the low half */
	case 0x01: read_state(f, mips_rt(w), size, offset); return true;
	case 0x05:
		if (reg != 14 && reg != 31)
			return false;
		o = mips_emit(f, IR_PUT);
		o->a = mips_rt(w);
		o->size = 8;
		o->imm = offset;
		return true;
	default: return false;
	}
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
	case 0x10: return emit_cp0(f, w);
	case 0x2f: return in_kernel_mode(f) && (d & 0x1c) != 0x04; /* CACHE: all but loading a tag does nothing */
	case 0x1a: load_part(f, w, 8, true); return true;
	case 0x1b: load_part(f, w, 8, false); return true;
	case 0x22: load_part(f, w, 4, true); return true;
	case 0x26: load_part(f, w, 4, false); return true;
	case 0x30: load_linked(f, w, 4); return true;
	case 0x34: load_linked(f, w, 8); return true;
	case 0x1c: return emit_special2(f, w);
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

extern const struct mips_translator *const __start_mips_translators[] __attribute__((weak));
extern const struct mips_translator *const __stop_mips_translators[] __attribute__((weak));

static bool ask_translators(struct mips_front *f, uint32_t word, const struct mips_insn *insn)
{
	for (const struct mips_translator *const *t = __start_mips_translators; t < __stop_mips_translators; t++)
		if (mips_has(f->source->cpu, (*t)->needs) && (*t)->emit(f, word, insn))
			return true;
	return false;
}

bool mips_ask_branch(struct mips_front *f, uint32_t word, struct mips_branch *br)
{
	for (const struct mips_translator *const *t = __start_mips_translators; t < __stop_mips_translators; t++)
		if (mips_has(f->source->cpu, (*t)->needs) && (*t)->branch != NULL && (*t)->branch(f, word, br))
			return true;
	return false;
}

void mips_emit_insn(struct mips_front *f, uint32_t word)
{
	struct mips_insn insn;

	mips_decode(f->source->cpu, word, &insn);
	if (insn.exec == mips_exec_nop)
		return;
	if (insn.exec != mips_exec_reserved &&
	    (ask_translators(f, word, &insn) || emit_octeon(f, word) || emit_partial(f, word, &insn) || emit_word(f, word)))
		return;
	exec(f, word, &insn);
}
