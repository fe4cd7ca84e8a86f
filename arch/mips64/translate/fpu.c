/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Coprocessor 1 → IR, in blocks for MIPS_CODE_FAST_FP: register model FR=1, rounding to nearest, no traps. Blocks for
 * other modes leave all of it to the interpreter's functions.
 */
#include <husk/feature.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/fpu/fpu.h"
#include "arch/mips64/translate/emit.h"

static unsigned fpr(unsigned n)
{
	return MIPS_VAR_FPR + n;
}

/* Fields of COP1 words (MD00087): fs, ft and fd stand where rd, rt and sa do, fr of COP1X where rs does. */
static ir_var fs(uint32_t w)
{
	return (ir_var)fpr(mips_rd(w));
}

static ir_var ft(uint32_t w)
{
	return (ir_var)fpr(mips_rt(w));
}

static ir_var fd(uint32_t w)
{
	return (ir_var)fpr(mips_sa(w));
}

/* An operation whose result is an FP register; one of 32 bits leaves its upper half. */
static struct ir_op *emit_fp(struct mips_front *f, enum ir_opcode op, ir_var d, ir_var a, unsigned size)
{
	struct ir_op *o = mips_emit(f, op);

	o->d = d;
	o->a = a;
	o->size = (uint8_t)size;
	o->keeps_high = size == 4;
	return o;
}

static void arithmetic(struct mips_front *f, enum ir_opcode code, enum fpu_op op, uint32_t w, unsigned size,
		       const struct mips_insn *insn)
{
	struct ir_op *o = emit_fp(f, code, fd(w), fs(w), size);

	if (op <= FPU_DIV)
		o->b = ft(w);
	o->note = FPU_NOTE_OF(op, size == 8);
	o->insn = mips_keep_insn(f, insn);
}

static void multiply_add(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	unsigned which = (mips_funct(w) >> 3) - 4, size = mips_funct(w) & 1 ? 8 : 4;
	struct ir_op *o = emit_fp(f, (enum ir_opcode)(IR_FMADD + which), fd(w), fs(w), size);

	o->b = ft(w);
	o->e = (ir_var)fpr(mips_rs(w));
	o->note = FPU_NOTE_OF(FPU_MADD + which, size == 8);
	o->insn = mips_keep_insn(f, insn);
}

static void compare(struct mips_front *f, uint32_t w, unsigned size, const struct mips_insn *insn)
{
	unsigned cc = w >> 8 & 7;
	struct ir_op *o = mips_emit(f, IR_FCMP);

	o->a = fs(w);
	o->b = ft(w);
	o->size = (uint8_t)size;
	o->cc = w & (IR_FP_LESS | IR_FP_EQUAL);
	o->imm = fpu_cc_bit(cc);
	o->note = FPU_NOTE_COMPARISON;
	o->insn = mips_keep_insn(f, insn);
	o->d = mips_temp(f);
	f->condition[cc] = o->d;
}

static void convert(struct mips_front *f, enum ir_conversion how, enum fpu_format from, enum fpu_format to,
		    enum fpu_rounding rounding, uint32_t w, const struct mips_insn *insn)
{
	struct ir_op *o = emit_fp(f, IR_FCVT, fd(w), fs(w), to == FPU_D || to == FPU_L ? 8 : 4);

	o->cc = (uint8_t)how;
	o->note = FPU_NOTE_TO(from, to, rounding);
	o->insn = mips_keep_insn(f, insn);
}

/* cvt and trunc of S and D. Those that round up or down are left to the helper. */
static bool convert_float(struct mips_front *f, uint32_t w, bool wide, const struct mips_insn *insn)
{
	enum fpu_format from = wide ? FPU_D : FPU_S;
	unsigned by_width = wide ? 1 : 0; /* S and D stand side by side in enum ir_conversion */

	switch (mips_funct(w)) {
	case 9: convert(f, IR_S_TRUNC_L + by_width, from, FPU_L, FPU_ZERO, w, insn); return true;
	case 13: convert(f, IR_S_TRUNC_W + by_width, from, FPU_W, FPU_ZERO, w, insn); return true;
	case 32:
		if (!wide)
			return false;
		convert(f, IR_D_TO_S, from, FPU_S, FPU_NEAREST, w, insn);
		return true;
	case 33:
		if (wide)
			return false;
		convert(f, IR_S_TO_D, from, FPU_D, FPU_NEAREST, w, insn);
		return true;
	case 36: convert(f, IR_S_TO_W + by_width, from, FPU_W, FPU_NEAREST, w, insn); return true;
	case 37: convert(f, IR_S_TO_L + by_width, from, FPU_L, FPU_NEAREST, w, insn); return true;
	default: return false;
	}
}

static bool convert_integer(struct mips_front *f, uint32_t w, enum fpu_format from, const struct mips_insn *insn)
{
	bool to_double = mips_funct(w) == 33;
	enum ir_conversion how;

	if (mips_funct(w) != 32 && !to_double)
		return false;
	if (from == FPU_W)
		how = to_double ? IR_W_TO_D : IR_W_TO_S;
	else
		how = to_double ? IR_L_TO_D : IR_L_TO_S;
	convert(f, how, from, to_double ? FPU_D : FPU_S, FPU_NEAREST, w, insn);
	return true;
}

static bool emit_float(struct mips_front *f, uint32_t w, unsigned size, const struct mips_insn *insn)
{
	switch (mips_funct(w)) {
	case 0: arithmetic(f, IR_FADD, FPU_ADD, w, size, insn); return true;
	case 1: arithmetic(f, IR_FSUB, FPU_SUB, w, size, insn); return true;
	case 2: arithmetic(f, IR_FMUL, FPU_MUL, w, size, insn); return true;
	case 3: arithmetic(f, IR_FDIV, FPU_DIV, w, size, insn); return true;
	case 4: arithmetic(f, IR_FSQRT, FPU_SQRT, w, size, insn); return true;
	case 5: emit_fp(f, IR_FABS, fd(w), fs(w), size)->insn = mips_keep_insn(f, insn); return true;
	case 6: emit_fp(f, IR_FMOV, fd(w), fs(w), size); return true;
	case 7: emit_fp(f, IR_FNEG, fd(w), fs(w), size)->insn = mips_keep_insn(f, insn); return true;
	default: break;
	}
	if ((mips_funct(w) & 0x30) == 0x30 && (w & 0xc0) == 0) {
		compare(f, w, size, insn);
		return true;
	}
	return convert_float(f, w, size == 8, insn);
}

static void move_from(struct mips_front *f, uint32_t w, unsigned size)
{
	if (mips_rt(w) != 0)
		mips_emit3(f, IR_FGET, mips_rt(w), fs(w), IR_NONE)->size = (uint8_t)size;
}

static void move_to(struct mips_front *f, uint32_t w, unsigned size)
{
	emit_fp(f, IR_FPUT, fs(w), mips_rt(w), size);
}

static bool emit_cop1(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	bool wide_moves = (f->source->cpu->code_mode & MIPS_CODE_NARROW) == 0;

	switch (mips_rs(w)) {
	case 0: move_from(f, w, 4); return true;
	case 1:
		if (!wide_moves)
			return false;
		move_from(f, w, 8);
		return true;
	case 4: move_to(f, w, 4); return true;
	case 5:
		if (!wide_moves)
			return false;
		move_to(f, w, 8);
		return true;
	case 16: return emit_float(f, w, 4, insn);
	case 17: return emit_float(f, w, 8, insn);
	case 20: return convert_integer(f, w, FPU_W, insn);
	case 21: return convert_integer(f, w, FPU_L, insn);
	default: return false;
	}
}

static void load(struct mips_front *f, ir_var d, ir_var base, uint64_t offset, unsigned size)
{
	emit_fp(f, IR_LOAD, d, base, size)->imm = offset;
}

static void store(struct mips_front *f, ir_var value, ir_var base, uint64_t offset, unsigned size)
{
	struct ir_op *o = mips_emit(f, IR_STORE);

	o->a = base;
	o->b = value;
	o->imm = offset;
	o->size = (uint8_t)size;
}

/* The address of an indexed access. */
static ir_var indexed(struct mips_front *f, uint32_t w)
{
	return mips_emit3(f, IR_ADD, mips_temp(f), mips_rs(w), mips_rt(w))->d;
}

static bool emit_cop1x(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	switch (mips_funct(w)) {
	case 0: load(f, fd(w), indexed(f, w), 0, 4); return true;
	case 1: load(f, fd(w), indexed(f, w), 0, 8); return true;
	case 8: store(f, fs(w), indexed(f, w), 0, 4); return true;
	case 9: store(f, fs(w), indexed(f, w), 0, 8); return true;
	default: break;
	}
	if (mips_funct(w) < 32 || (mips_funct(w) & 7) > 1)
		return false;
	multiply_add(f, w, insn);
	return true;
}

/* Condition code cc, 0 or 1. */
static ir_var condition(struct mips_front *f, unsigned cc)
{
	struct ir_op *o;

	if (f->condition[cc] != IR_NONE)
		return f->condition[cc];
	o = mips_emit(f, IR_STATE);
	o->size = 4;
	o->imm = MIPS_STATE(fpu.fcsr);
	o->d = mips_temp(f);
	mips_emit_imm(f, IR_SHRI, o->d, o->d, fpu_cc_bit(cc));
	mips_emit_imm(f, IR_ANDI, o->d, o->d, 1);
	return f->condition[cc] = o->d;
}

static bool is_fast(const struct mips_front *f)
{
	return (f->source->cpu->code_mode & MIPS_CODE_FAST_FP) != 0;
}

/* MOVF and MOVT of general registers. */
static void move_if(struct mips_front *f, uint32_t w)
{
	ir_var cc = condition(f, w >> 18 & 7);

	if (mips_rd(w) != 0)
		mips_emit3(f, w >> 16 & 1 ? IR_MOVN : IR_MOVZ, mips_rd(w), mips_rs(w), cc);
}

static bool emit(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	uint64_t offset = (uint64_t)(int64_t)mips_simm(w);

	if (!is_fast(f))
		return false;
	switch (mips_op(w)) {
	case 0x00:
		if (mips_funct(w) != 1 || (w >> 17 & 1) != 0 || mips_sa(w) != 0)
			return false;
		move_if(f, w);
		return true;
	case 0x11: return emit_cop1(f, w, insn);
	case 0x13: return emit_cop1x(f, w, insn);
	case 0x31: load(f, ft(w), mips_rs(w), offset, 4); return true;
	case 0x35: load(f, ft(w), mips_rs(w), offset, 8); return true;
	case 0x39: store(f, ft(w), mips_rs(w), offset, 4); return true;
	case 0x3d: store(f, ft(w), mips_rs(w), offset, 8); return true;
	default: return false;
	}
}

/* BC1F, BC1T and their likely forms. */
static bool branch(struct mips_front *f, uint32_t w, struct mips_branch *br)
{
	if (mips_op(w) != 0x11 || mips_rs(w) != 8 || !is_fast(f))
		return false;
	br->kind = MIPS_CONDITIONAL;
	br->cc = w >> 16 & 1 ? IR_NE : IR_EQ;
	br->likely = (w >> 17 & 1) != 0;
	br->a = condition(f, w >> 18 & 7);
	br->b = IR_ZERO;
	return true;
}

MIPS_TRANSLATOR(fpu) = {
	.needs = MIPS_HAS_FPU,
	.emit = emit,
	.branch = branch,
};

HUSK_FEATURE(dbt_fpu) = {
	.name = "dbt-fpu",
	.purpose = "translator: usual floating point on the host's SSE",
	.level = FEATURE_CPU,
};
