/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point on scalar SSE2. Results that are NaNs, comparisons of such, and integers that do not fit go to the
 * helper, which knows the guest's rules for them: so the host's Invalid flag means nothing.
 */
#include "arch/x86_64/emit/lowering.h"

#include <stddef.h>

static bool is_wide(const struct ir_op *o)
{
	return o->size == 8;
}

/* A changed sign may be the helper's, and leaves the status as it is. */
static bool may_be_seen_at(const struct ir_op *o)
{
	return o->op == IR_FNEG || o->op == IR_FABS || ir_may_leave(o);
}

/* Nobody can ask what this operation raised if another follows before anything that may leave. */
static bool is_last(const struct x86_lowering *s)
{
	const struct ir_block *ir = s->b->ir;

	for (unsigned n = s->next_op; n < ir->count; n++) {
		if (ir_is_fp_arithmetic(&ir->ops[n]))
			return false;
		if (may_be_seen_at(&ir->ops[n]))
			return true;
	}
	return true;
}

static struct x86_mem last(const struct x86_lowering *s, size_t offset)
{
	return x86_at(RBP, s->r->layout.fp_last + (int32_t)offset);
}

/* Keeps what is needed to find out later what the operation raised. */
static void keep_operands(struct x86_lowering *s, const struct ir_op *o)
{
	struct alloc *al = &s->alloc;

	if (!ir_is_fp_arithmetic(o) || !is_last(s))
		return;
	x86_store_imm(s->a, 4, (int32_t)o->note, last(s, offsetof(struct x86_fp_last, note)));
	if (o->op == IR_FCMP)
		return;
	x86_store_xmm(s->a, true, alloc_use_fp(al, o->a), last(s, offsetof(struct x86_fp_last, a)));
	if (o->b != IR_NONE)
		x86_store_xmm(s->a, true, alloc_use_fp(al, o->b), last(s, offsetof(struct x86_fp_last, b)));
	if (ir_reads_e(o))
		x86_store_xmm(s->a, true, alloc_use_fp(al, o->e), last(s, offsetof(struct x86_fp_last, e)));
}

static enum x86_sse sse_of(enum ir_opcode op)
{
	switch (op) {
	case IR_FADD: return SSE_ADD;
	case IR_FSUB: return SSE_SUB;
	case IR_FMUL: return SSE_MUL;
	case IR_FDIV: return SSE_DIV;
	default: return SSE_SQRT;
	}
}

static void change_sign(struct x86_lowering *s, bool wide, enum x86_xmm d)
{
	int32_t at = s->r->layout.fp_masks + (int32_t)offsetof(struct x86_fp_masks, sign) + (wide ? 16 : 0);

	x86_sse_logic_load(s->a, SSE_XOR, d, x86_at(RBP, at));
}

static void clear_sign(struct x86_lowering *s, bool wide, enum x86_xmm d)
{
	int32_t at = s->r->layout.fp_masks + (int32_t)offsetof(struct x86_fp_masks, magnitude) + (wide ? 16 : 0);

	x86_sse_logic_load(s->a, SSE_AND, d, x86_at(RBP, at));
}

/* XMM0 := x OP y. */
static void operate(struct x86_lowering *s, enum x86_sse op, bool wide, enum x86_xmm x, enum x86_xmm y)
{
	if (s->r->avx) {
		x86_avx_op(s->a, op, wide, XMM0, x, y);
		return;
	}
	if (op == SSE_SQRT)
		x86_sse_logic_op(s->a, SSE_XOR, XMM0, XMM0); /* else it would wait for the old value */
	else if (x != XMM0)
		x86_movaps(s->a, XMM0, x);
	x86_sse_op(s->a, op, wide, XMM0, y);
}

/* XMM0 := the result. Returns the jump taken if it is a NaN. */
static uint8_t *compute(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_xmm x = alloc_use_fp(&s->alloc, o->a), y = o->op == IR_FSQRT ? x : alloc_use_fp(&s->alloc, o->b);
	bool wide = is_wide(o), sum = o->op == IR_FMADD || o->op == IR_FNMADD;
	uint8_t *nan;

	if (ir_reads_e(o)) {
		operate(s, SSE_MUL, wide, x, y);
		operate(s, sum ? SSE_ADD : SSE_SUB, wide, XMM0, alloc_use_fp(&s->alloc, o->e));
	} else {
		operate(s, sse_of((enum ir_opcode)o->op), wide, x, y);
	}
	x86_ucomis(s->a, wide, XMM0, XMM0);
	nan = x86_jcc(s->a, CC_P, 0);
	if (o->op == IR_FNMADD || o->op == IR_FNMSUB)
		change_sign(s, wide, XMM0);
	return nan;
}

/* XMM0 := a with another sign, unless it is a NaN. */
static uint8_t *compute_sign(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_xmm x = alloc_use_fp(&s->alloc, o->a);
	uint8_t *nan;

	x86_ucomis(s->a, is_wide(o), x, x);
	nan = x86_jcc(s->a, CC_P, 0);
	x86_movaps(s->a, XMM0, x);
	if (o->op == IR_FNEG)
		change_sign(s, is_wide(o), XMM0);
	else
		clear_sign(s, is_wide(o), XMM0);
	return nan;
}

/* Formats of a conversion. */
struct conversion {
	bool from_int, from_wide, to_int, to_wide, truncate;
};

static struct conversion conversion_of(const struct ir_op *o)
{
	static const struct conversion table[] = {
		[IR_S_TO_D] = { .to_wide = true },
		[IR_D_TO_S] = { .from_wide = true },
		[IR_W_TO_S] = { .from_int = true },
		[IR_W_TO_D] = { .from_int = true, .to_wide = true },
		[IR_L_TO_S] = { .from_int = true, .from_wide = true },
		[IR_L_TO_D] = { .from_int = true, .from_wide = true, .to_wide = true },
		[IR_S_TO_W] = { .to_int = true },
		[IR_D_TO_W] = { .from_wide = true, .to_int = true },
		[IR_S_TO_L] = { .to_int = true, .to_wide = true },
		[IR_D_TO_L] = { .from_wide = true, .to_int = true, .to_wide = true },
		[IR_S_TRUNC_W] = { .to_int = true, .truncate = true },
		[IR_D_TRUNC_W] = { .from_wide = true, .to_int = true, .truncate = true },
		[IR_S_TRUNC_L] = { .to_int = true, .to_wide = true, .truncate = true },
		[IR_D_TRUNC_L] = { .from_wide = true, .to_int = true, .to_wide = true, .truncate = true },
	};

	return table[o->cc];
}

/* XMM0 := the integer nearest to a. x86 answers with the least one if none fits. */
static uint8_t *convert_to_int(struct x86_asm *a, const struct conversion *c, enum x86_xmm from)
{
	uint8_t *unfit;

	x86_cvt_to_int(a, c->from_wide, c->to_wide, c->truncate, RAX, from);
	x86_mov_imm(a, RCX, c->to_wide ? 1ull << 63 : 1u << 31);
	x86_alu(a, ALU_CMP, c->to_wide, RAX, RCX);
	unfit = x86_jcc(a, CC_E, 0);
	x86_xmm_from_reg(a, c->to_wide, XMM0, RAX);
	return unfit;
}

/* XMM0 := a converted. Returns the jump taken if that is a NaN, or NULL if it cannot be. */
static uint8_t *convert(struct x86_lowering *s, const struct ir_op *o)
{
	struct conversion c = conversion_of(o);
	enum x86_xmm from = alloc_use_fp(&s->alloc, o->a);

	if (c.to_int)
		return convert_to_int(s->a, &c, from);
	x86_sse_logic_op(s->a, SSE_XOR, XMM0, XMM0);
	if (c.from_int) {
		x86_reg_from_xmm(s->a, c.from_wide, RAX, from);
		x86_cvt_from_int(s->a, c.to_wide, c.from_wide, XMM0, RAX);
		return NULL;
	}
	x86_cvt_size(s->a, c.to_wide, XMM0, from);
	x86_ucomis(s->a, c.to_wide, XMM0, XMM0);
	return x86_jcc(s->a, CC_P, 0);
}

/* An FP register becomes XMM0, or its low half does. */
static void set_result(struct x86_asm *a, const struct ir_op *o, enum x86_xmm d)
{
	if (o->keeps_high)
		x86_movss(a, d, XMM0);
	else
		x86_movaps(a, d, XMM0);
}

static void lower_arithmetic(struct x86_lowering *s, const struct ir_op *o)
{
	struct alloc_pool before;
	uint8_t *unusual;
	enum x86_xmm d;

	alloc_use_fp(&s->alloc, o->a);
	if (o->b != IR_NONE)
		alloc_use_fp(&s->alloc, o->b);
	if (ir_reads_e(o))
		alloc_use_fp(&s->alloc, o->e);
	if (o->keeps_high)
		alloc_use_fp(&s->alloc, o->d);
	before = s->alloc.pool;
	d = alloc_define_fp(&s->alloc, o->d);
	keep_operands(s, o);
	if (o->op == IR_FCVT)
		unusual = convert(s, o);
	else if (o->op == IR_FNEG || o->op == IR_FABS)
		unusual = compute_sign(s, o);
	else
		unusual = compute(s, o);
	set_result(s->a, o, d);
	if (unusual != NULL)
		x86_slow_side(s, o, d, unusual, &before);
}

static struct x86_mem status(const struct x86_lowering *s)
{
	return x86_at(RBP, s->r->layout.fp_status);
}

static void lower_compare(struct x86_lowering *s, const struct ir_op *o)
{
	static const enum x86_cc table[] = { [IR_FP_EQUAL] = CC_E, [IR_FP_LESS] = CC_B, [IR_FP_LESS_EQUAL] = CC_BE };
	enum x86_xmm x = alloc_use_fp(&s->alloc, o->a), y = alloc_use_fp(&s->alloc, o->b);
	struct alloc_pool before = s->alloc.pool;
	enum x86_reg d = alloc_define(&s->alloc, o->d);
	struct x86_asm *a = s->a;
	uint8_t *unordered;

	keep_operands(s, o);
	x86_ucomis(a, is_wide(o), x, y);
	unordered = x86_jcc(a, CC_P, 0);
	if (o->cc == IR_FP_FALSE)
		x86_mov_imm(a, d, 0);
	else
		x86_setcc(a, table[o->cc], d);
	x86_load(a, false, 4, RAX, status(s));
	x86_btr(a, RAX, (unsigned)o->imm);
	x86_mov(a, false, RCX, d);
	x86_shift_imm(a, SHIFT_SHL, false, RCX, (unsigned)o->imm);
	x86_alu(a, ALU_OR, false, RAX, RCX);
	x86_store(a, 4, RAX, status(s));
	x86_slow_side(s, o, d, unordered, &before);
}

static void lower_move(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_xmm from = alloc_use_fp(&s->alloc, o->a);

	if (o->keeps_high) {
		alloc_use_fp(&s->alloc, o->d);
		x86_movss(s->a, alloc_define_fp(&s->alloc, o->d), from);
	} else {
		x86_movaps(s->a, alloc_define_fp(&s->alloc, o->d), from);
	}
}

static void lower_get(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_xmm from = alloc_use_fp(&s->alloc, o->a);
	enum x86_reg d = alloc_define(&s->alloc, o->d);

	x86_reg_from_xmm(s->a, is_wide(o), d, from);
	if (!is_wide(o))
		x86_movsxd(s->a, d, d);
}

static void lower_put(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_reg from = alloc_use(&s->alloc, o->a);

	if (o->keeps_high) {
		alloc_use_fp(&s->alloc, o->d);
		x86_xmm_from_reg(s->a, false, XMM0, from);
		x86_movss(s->a, alloc_define_fp(&s->alloc, o->d), XMM0);
	} else {
		x86_xmm_from_reg(s->a, true, alloc_define_fp(&s->alloc, o->d), from);
	}
}

void x86_lower_fp(struct x86_lowering *s, const struct ir_op *o)
{
	switch (o->op) {
	case IR_FCMP: lower_compare(s, o); break;
	case IR_FMOV: lower_move(s, o); break;
	case IR_FGET: lower_get(s, o); break;
	case IR_FPUT: lower_put(s, o); break;
	default: lower_arithmetic(s, o); break;
	}
}

void x86_slow_fp(struct x86_lowering *s, const struct slow *w)
{
	const struct ir_op *o = w->op;

	alloc_save_at(&s->alloc, &w->pool);
	/* Of those before, only the host's flags may still be unseen; whatever note says so. */
	if (o->note != 0)
		x86_store_imm(s->a, 4, (int32_t)o->note, last(s, offsetof(struct x86_fp_last, note)));
	x86_mov_imm(s->a, RAX, (uint64_t)(uintptr_t)o->insn);
	x86_mov_imm(s->a, RDX, x86_where(o));
	x86_call_stub(s, o, s->r->exec[1]);
	alloc_restore_at(&s->alloc, &w->pool, o->d);
	if (o->op != IR_FCMP) {
		x86_load_xmm(s->a, true, (enum x86_xmm)w->reg, alloc_memory(&s->alloc, o->d));
		return;
	}
	x86_load(s->a, false, 4, (enum x86_reg)w->reg, status(s));
	x86_shift_imm(s->a, SHIFT_SHR, false, (enum x86_reg)w->reg, (unsigned)o->imm);
	x86_alu_imm(s->a, ALU_AND, false, (enum x86_reg)w->reg, 1);
}
