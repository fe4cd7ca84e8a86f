/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/emit/lower_alu.h"

static void move(struct x86_asm *a, enum x86_reg d, enum x86_reg s)
{
	if (d != s)
		x86_mov(a, true, d, s);
}

/* d = a op b for two-operand instructions; the right operand must survive until it is read. */
static void binary(struct alloc *s, const struct ir_op *o, enum x86_alu op, bool commutes, bool narrow)
{
	enum x86_reg a = alloc_use(s, o->a), b = alloc_use(s, o->b), d = alloc_define(s, o->d);

	if (d == b && d != a && commutes) {
		x86_alu(s->a, op, !narrow, d, a);
	} else if (d == b && d != a) {
		x86_mov(s->a, true, RAX, a);
		x86_alu(s->a, op, !narrow, RAX, b);
		move(s->a, d, RAX);
	} else {
		move(s->a, d, a);
		x86_alu(s->a, op, !narrow, d, b);
	}
	if (narrow)
		x86_movsxd(s->a, d, d);
}

static void add(struct alloc *s, const struct ir_op *o, bool narrow)
{
	enum x86_reg a = alloc_use(s, o->a), b = alloc_use(s, o->b), d = alloc_define(s, o->d);

	if (d == a)
		x86_alu(s->a, ALU_ADD, !narrow, d, b);
	else if (d == b)
		x86_alu(s->a, ALU_ADD, !narrow, d, a);
	else
		x86_lea(s->a, !narrow, d, x86_indexed(a, b, 0));
	if (narrow)
		x86_movsxd(s->a, d, d);
}

static void add_immediate(struct alloc *s, const struct ir_op *o, bool narrow)
{
	enum x86_reg a = alloc_use(s, o->a), d = alloc_define(s, o->d);

	if (d == a && s->flags_of == IR_NONE)
		x86_alu_imm(s->a, ALU_ADD, !narrow, d, (int32_t)o->imm);
	else
		x86_lea(s->a, !narrow, d, x86_at(a, (int32_t)o->imm));
	if (narrow)
		x86_movsxd(s->a, d, d);
}

static void constant(struct alloc *s, const struct ir_op *o)
{
	if (s->flags_of == IR_NONE)
		x86_mov_imm(s->a, alloc_define(s, o->d), o->imm);
	else
		x86_mov_imm_keep_flags(s->a, alloc_define(s, o->d), o->imm);
}

static void logic_immediate(struct alloc *s, const struct ir_op *o, enum x86_alu op)
{
	enum x86_reg a = alloc_use(s, o->a), d = alloc_define(s, o->d);

	move(s->a, d, a);
	x86_alu_imm(s->a, op, true, d, (int32_t)o->imm);
}

static void nor(struct alloc *s, const struct ir_op *o)
{
	binary(s, o, ALU_OR, true, false);
	x86_unary(s->a, UNARY_NOT, true, alloc_define(s, o->d));
}

/* d = condition of a compared with b or an immediate. The flags are kept for a branch that asks for d. */
static void set(struct alloc *s, const struct ir_op *o, enum x86_cc cc, bool immediate)
{
	enum x86_reg a = alloc_use(s, o->a);

	if (immediate)
		x86_alu_imm(s->a, ALU_CMP, true, a, (int32_t)o->imm);
	else if (o->b == IR_ZERO && (cc == CC_E || cc == CC_NE || cc == CC_L))
		x86_test(s->a, true, a, a), cc = cc == CC_L ? CC_S : cc;
	else
		x86_alu(s->a, ALU_CMP, true, a, alloc_use(s, o->b));
	x86_setcc8(s->a, cc, RAX);
	x86_extend(s->a, false, 1, alloc_define(s, o->d), RAX);
	s->flags_of = o->d;
	s->flags_cc = cc;
}

static void shift_immediate(struct alloc *s, const struct ir_op *o, enum x86_shift op, bool narrow)
{
	enum x86_reg a = alloc_use(s, o->a), d = alloc_define(s, o->d);

	move(s->a, d, a);
	if (o->imm != 0)
		x86_shift_imm(s->a, op, !narrow, d, (unsigned)o->imm);
	if (narrow)
		x86_movsxd(s->a, d, d);
}

/* x86 takes the count from CL, modulo 32 or 64, as MIPS does. */
static void shift(struct alloc *s, const struct ir_op *o, enum x86_shift op, bool narrow)
{
	enum x86_reg a = alloc_use(s, o->a), b = alloc_use(s, o->b), d = alloc_define(s, o->d);

	if (s->bmi2 && op != SHIFT_ROR) {
		x86_shiftx(s->a, op, !narrow, d, a, b);
	} else {
		x86_mov(s->a, false, RCX, b);
		move(s->a, d, a);
		x86_shift_cl(s->a, op, !narrow, d);
	}
	if (narrow)
		x86_movsxd(s->a, d, d);
}

static void multiply(struct alloc *s, const struct ir_op *o, bool narrow)
{
	enum x86_reg a = alloc_use(s, o->a), b = alloc_use(s, o->b), d = alloc_define(s, o->d);

	if (d == b) {
		x86_imul(s->a, !narrow, d, a);
	} else {
		move(s->a, d, a);
		x86_imul(s->a, !narrow, d, b);
	}
	if (narrow)
		x86_movsxd(s->a, d, d);
}

/* RDX:RAX = a * b */
static void multiply_wide(struct alloc *s, const struct ir_op *o, enum x86_unary op)
{
	x86_mov(s->a, true, RAX, alloc_use(s, o->a));
	x86_unary(s->a, op, true, alloc_use(s, o->b));
	alloc_unlock(s);
	move(s->a, alloc_define(s, o->d), RAX);
	move(s->a, alloc_define(s, o->e), RDX);
}

static void extend(struct alloc *s, const struct ir_op *o)
{
	enum x86_reg a = alloc_use(s, o->a), d = alloc_define(s, o->d);

	switch (o->op) {
	case IR_SEXT8: x86_extend(s->a, true, 1, d, a); break;
	case IR_SEXT16: x86_extend(s->a, true, 2, d, a); break;
	case IR_SEXT32: x86_movsxd(s->a, d, a); break;
	default: x86_mov(s->a, false, d, a); break;
	}
}

/* d = a if b is (not) zero: the old d is an operand. */
static void conditional_move(struct alloc *s, const struct ir_op *o, enum x86_cc cc)
{
	enum x86_reg a = alloc_use(s, o->a), b = alloc_use(s, o->b);

	alloc_use(s, o->d);
	x86_test(s->a, true, b, b);
	x86_cmov(s->a, cc, alloc_define(s, o->d), a);
}

/* BSR leaves its destination alone, or undefined, if there is no bit: 2 * bits - 1 becomes the number of bits. */
static void leading_zeros(struct alloc *s, const struct ir_op *o, bool wide)
{
	unsigned bits = wide ? 64 : 32;
	enum x86_reg a = alloc_use(s, o->a);

	x86_mov_imm(s->a, RCX, 2 * bits - 1);
	x86_bsr(s->a, wide, RAX, a);
	x86_cmov(s->a, CC_E, RAX, RCX);
	x86_alu_imm(s->a, ALU_XOR, false, RAX, (int32_t)bits - 1);
	x86_mov(s->a, false, alloc_define(s, o->d), RAX);
}

enum x86_cc x86_compare(struct alloc *s, const struct ir_op *o)
{
	static const enum x86_cc table[] = {
		[IR_EQ] = CC_E, [IR_NE] = CC_NE, [IR_LT] = CC_L, [IR_GE] = CC_GE, [IR_LE] = CC_LE, [IR_GT] = CC_G
	};
	ir_var left = o->a, right = o->b;
	enum x86_reg a;

	if (right == IR_ZERO && left == s->flags_of && (o->cc == IR_EQ || o->cc == IR_NE))
		return o->cc == IR_NE ? s->flags_cc : s->flags_cc ^ 1;
	s->flags_of = IR_NONE;

	/* Equality with zero on the left is the same from the other side. */
	if (left == IR_ZERO && (o->cc == IR_EQ || o->cc == IR_NE)) {
		left = o->b;
		right = IR_ZERO;
	}
	a = alloc_use(s, left);
	if (right == IR_ZERO)
		x86_test(s->a, true, a, a); /* clears OF and CF, so that every condition holds against 0 */
	else
		x86_alu(s->a, ALU_CMP, true, a, alloc_use(s, right));
	return table[o->cc];
}

void x86_lower_alu(struct alloc *s, const struct ir_op *o)
{
	switch ((enum ir_opcode)o->op) {
	case IR_CONST: constant(s, o); break;
	case IR_MOV: {
		enum x86_reg a = alloc_use(s, o->a);

		move(s->a, alloc_define(s, o->d), a);
		break;
	}
	case IR_ADD: add(s, o, false); break;
	case IR_ADDW: add(s, o, true); break;
	case IR_SUB: binary(s, o, ALU_SUB, false, false); break;
	case IR_SUBW: binary(s, o, ALU_SUB, false, true); break;
	case IR_AND: binary(s, o, ALU_AND, true, false); break;
	case IR_OR: binary(s, o, ALU_OR, true, false); break;
	case IR_XOR: binary(s, o, ALU_XOR, true, false); break;
	case IR_NOR: nor(s, o); break;
	case IR_ADDI: add_immediate(s, o, false); break;
	case IR_ADDIW: add_immediate(s, o, true); break;
	case IR_ANDI: logic_immediate(s, o, ALU_AND); break;
	case IR_ORI: logic_immediate(s, o, ALU_OR); break;
	case IR_XORI: logic_immediate(s, o, ALU_XOR); break;
	case IR_SLT: set(s, o, CC_L, false); break;
	case IR_SLTU: set(s, o, CC_B, false); break;
	case IR_SLTI: set(s, o, CC_L, true); break;
	case IR_SLTIU: set(s, o, CC_B, true); break;
	case IR_SEQ: set(s, o, CC_E, false); break;
	case IR_SNE: set(s, o, CC_NE, false); break;
	case IR_SHL: shift(s, o, SHIFT_SHL, false); break;
	case IR_SHLW: shift(s, o, SHIFT_SHL, true); break;
	case IR_SHR: shift(s, o, SHIFT_SHR, false); break;
	case IR_SHRW: shift(s, o, SHIFT_SHR, true); break;
	case IR_SAR: shift(s, o, SHIFT_SAR, false); break;
	case IR_SARW: shift(s, o, SHIFT_SAR, true); break;
	case IR_ROR: shift(s, o, SHIFT_ROR, false); break;
	case IR_RORW: shift(s, o, SHIFT_ROR, true); break;
	case IR_SHLI: shift_immediate(s, o, SHIFT_SHL, false); break;
	case IR_SHLIW: shift_immediate(s, o, SHIFT_SHL, true); break;
	case IR_SHRI: shift_immediate(s, o, SHIFT_SHR, false); break;
	case IR_SHRIW: shift_immediate(s, o, SHIFT_SHR, true); break;
	case IR_SARI: shift_immediate(s, o, SHIFT_SAR, false); break;
	case IR_SARIW: shift_immediate(s, o, SHIFT_SAR, true); break;
	case IR_RORI: shift_immediate(s, o, SHIFT_ROR, false); break;
	case IR_RORIW: shift_immediate(s, o, SHIFT_ROR, true); break;
	case IR_SEXT8:
	case IR_SEXT16:
	case IR_SEXT32:
	case IR_ZEXT32: extend(s, o); break;
	case IR_MUL: multiply(s, o, false); break;
	case IR_MULW: multiply(s, o, true); break;
	case IR_MULH: multiply_wide(s, o, UNARY_IMUL); break;
	case IR_MULHU: multiply_wide(s, o, UNARY_MUL); break;
	case IR_CLZ: leading_zeros(s, o, true); break;
	case IR_CLZW: leading_zeros(s, o, false); break;
	case IR_MOVZ: conditional_move(s, o, CC_E); break;
	case IR_MOVN: conditional_move(s, o, CC_NE); break;
	case IR_STATE:
		x86_load(s->a, o->is_signed, o->size, alloc_define(s, o->d), x86_at(RBP, (int32_t)o->imm));
		break;
	case IR_PUT: x86_store(s->a, o->size, alloc_use(s, o->a), x86_at(RBP, (int32_t)o->imm)); break;
	default: x86_ud2(s->a); break;
	}
}
