/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads and stores: a look into the soft TLB of the block's mode, and the access. */
#include "arch/x86_64/emit/lowering.h"

static void lea(struct x86_asm *a, enum x86_reg d, enum x86_reg base, int32_t offset)
{
	if (offset == 0)
		x86_mov(a, true, d, base);
	else
		x86_lea(a, true, d, x86_at(base, offset));
}

#define ENTRY_SHIFT (12 - 4) /* entries of 16 bytes, pages of 4 KiB */

/* RCX holds an address, shifted: it becomes the offset of its soft TLB entry. */
static void mask_entry(struct x86_lowering *s)
{
	x86_alu_imm(s->a, ALU_AND, false, RCX, (int32_t)(((1u << s->r->layout.tlb_bits) - 1) << 4));
}

/* RAX holds an address: it becomes what a tag must be, its page, the bits that alignment forbids, and the address space. */
static void make_tag(struct x86_lowering *s, unsigned size)
{
	x86_alu_imm(s->a, ALU_AND, true, RAX, (int32_t)(0xfffff000u | (size - 1u)));
	if (s->b->has_tag_key)
		x86_alu_load(s->a, ALU_OR, true, RAX, x86_at(RBP, s->r->layout.tag_key));
}

static void emit_lookup(struct x86_lowering *s, const struct ir_op *o, enum x86_reg base)
{
	struct x86_asm *a = s->a;

	lea(a, RAX, base, (int32_t)o->imm);
	if (s->r->bmi2) {
		x86_rorx(a, false, RCX, RAX, ENTRY_SHIFT);
	} else {
		x86_mov(a, false, RCX, RAX);
		x86_shift_imm(a, SHIFT_SHR, false, RCX, ENTRY_SHIFT);
	}
	mask_entry(s);
	make_tag(s, o->size);
}

/* Jumps out unless the entry is the right one. RCX := what to add to a guest address. */
static uint8_t *emit_check(struct x86_lowering *s, int32_t tlb)
{
	struct x86_mem entry = x86_indexed(RBP, RCX, tlb);
	uint8_t *miss;

	x86_alu_load(s->a, ALU_CMP, true, RAX, entry);
	miss = x86_jcc(s->a, CC_NE, 0);
	entry.disp += 8;
	x86_load64(s->a, RCX, entry);
	return miss;
}

/* The entry is that of the first byte, the tag that of the last unit: they agree only within a page. */
uint8_t *x86_lower_map(struct x86_lowering *s, const struct ir_op *o, struct alloc_pool *pool)
{
	int32_t tlb = o->is_signed ? s->b->tlb_write : s->b->tlb_read;
	enum x86_reg base = alloc_use(&s->alloc, o->a), d;
	uint8_t *miss;

	if (o->imm == 0 && s->r->bmi2) {
		x86_rorx(s->a, false, RCX, base, ENTRY_SHIFT);
	} else {
		lea(s->a, RCX, base, (int32_t)o->imm);
		x86_shift_imm(s->a, SHIFT_SHR, false, RCX, ENTRY_SHIFT);
	}
	mask_entry(s);
	lea(s->a, RAX, base, (int32_t)o->imm + (int32_t)o->note - o->size);
	make_tag(s, o->size);
	*pool = s->alloc.pool;
	d = alloc_define(&s->alloc, o->d);
	x86_alu_load(s->a, ALU_CMP, true, RAX, x86_indexed(RBP, RCX, tlb));
	miss = x86_jcc(s->a, CC_NE, 0);
	x86_load64(s->a, d, x86_indexed(RBP, RCX, tlb + 8));
	return miss;
}

/* Where an access goes: RCX, or the register of its MAP, holds what to add to guest addresses. */
static struct x86_mem target(const struct ir_op *o, enum x86_reg base, enum x86_reg to_host)
{
	return x86_indexed(base, to_host, (int32_t)o->imm);
}

/* Guest byte order: 16 and 32 bits end in the low bits, zero-extended. */
static void swap(struct x86_asm *a, unsigned size, enum x86_reg r)
{
	if (size == 1)
		return;
	x86_bswap(a, size == 8, r);
	if (size == 2)
		x86_shift_imm(a, SHIFT_SHR, false, r, 16);
}

static void sign_extend(struct x86_asm *a, unsigned size, enum x86_reg r)
{
	if (size == 4)
		x86_movsxd(a, r, r);
	else if (size < 4)
		x86_extend(a, true, size, r, r);
}

static void load_general(struct x86_lowering *s, const struct ir_op *o, enum x86_reg d, struct x86_mem m)
{
	bool swapped = s->b->big_endian && o->size > 1;

	x86_load(s->a, o->is_signed && !swapped, o->size, d, m);
	if (!swapped)
		return;
	swap(s->a, o->size, d);
	if (o->is_signed)
		sign_extend(s->a, o->size, d);
}

/* The value in RAX → an FP register, of which a load of 32 bits replaces the low half. */
static void set_fp(struct x86_asm *a, const struct ir_op *o, enum x86_xmm d)
{
	if (o->size == 8) {
		x86_xmm_from_reg(a, true, d, RAX);
	} else {
		x86_xmm_from_reg(a, false, XMM0, RAX);
		x86_movss(a, d, XMM0);
	}
}

static void load_fp(struct x86_lowering *s, const struct ir_op *o, enum x86_xmm d, struct x86_mem m)
{
	if (s->b->big_endian) {
		x86_load(s->a, false, o->size, RAX, m);
		swap(s->a, o->size, RAX);
		set_fp(s->a, o, d);
	} else if (o->size == 8) {
		x86_load_xmm(s->a, true, d, m);
	} else {
		x86_load_xmm(s->a, false, XMM0, m);
		x86_movss(s->a, d, XMM0);
	}
}

static void load(struct x86_lowering *s, const struct ir_op *o, unsigned d, struct x86_mem m)
{
	if (alloc_is_fp(&s->alloc, o->d))
		load_fp(s, o, (enum x86_xmm)d, m);
	else
		load_general(s, o, (enum x86_reg)d, m);
}

static unsigned define(struct x86_lowering *s, const struct ir_op *o)
{
	if (!alloc_is_fp(&s->alloc, o->d))
		return alloc_define(&s->alloc, o->d);
	if (ir_reads_d(o))
		alloc_use_fp(&s->alloc, o->d);
	return alloc_define_fp(&s->alloc, o->d);
}

void x86_lower_load(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_reg base = alloc_use(&s->alloc, o->a);
	struct alloc_pool before;
	struct slow *w;
	uint8_t *miss;
	unsigned d;

	if (o->e != IR_NONE) {
		enum x86_reg to_host = alloc_use(&s->alloc, o->e);

		load(s, o, define(s, o), target(o, base, to_host));
		return;
	}
	if (ir_reads_d(o))
		alloc_use_fp(&s->alloc, o->d);
	emit_lookup(s, o, base);
	/* The slow side must see the destination's old value as the state that a fault leaves. */
	before = s->alloc.pool;
	d = define(s, o);
	miss = emit_check(s, s->b->tlb_read);
	load(s, o, d, target(o, base, RCX));
	w = x86_slow_side(s, o, d, miss, &before);
	w->base = base;
	w->then = s->alloc.pool;
}

/* The value to store in a register that can be stored as it is. RAX is free. */
static enum x86_reg value_to_store(struct x86_lowering *s, const struct ir_op *o, unsigned value)
{
	if (alloc_is_fp(&s->alloc, o->b))
		x86_reg_from_xmm(s->a, o->size == 8, RAX, (enum x86_xmm)value);
	else if (s->b->big_endian && o->size > 1)
		x86_mov(s->a, true, RAX, (enum x86_reg)value);
	else
		return (enum x86_reg)value;
	swap(s->a, o->size, RAX);
	return RAX;
}

static void store(struct x86_lowering *s, const struct ir_op *o, unsigned value, struct x86_mem m)
{
	if (o->b == IR_ZERO) {
		x86_store_imm(s->a, o->size, 0, m);
	} else if (alloc_is_fp(&s->alloc, o->b) && !s->b->big_endian) {
		x86_store_xmm(s->a, o->size == 8, (enum x86_xmm)value, m);
	} else {
		x86_store(s->a, o->size, value_to_store(s, o, value), m);
	}
}

void x86_lower_store(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_reg base = alloc_use(&s->alloc, o->a);
	unsigned value = RAX;
	uint8_t *miss;

	if (alloc_is_fp(&s->alloc, o->b))
		value = alloc_use_fp(&s->alloc, o->b);
	else if (o->b != IR_ZERO)
		value = alloc_use(&s->alloc, o->b);
	if (o->e != IR_NONE) {
		store(s, o, value, target(o, base, alloc_use(&s->alloc, o->e)));
		return;
	}
	emit_lookup(s, o, base);
	miss = emit_check(s, s->b->tlb_write);
	store(s, o, value, target(o, base, RCX));
	x86_slow_side(s, o, value, miss, &s->alloc.pool)->base = base;
}

void x86_lower_sc(struct x86_lowering *s, const struct ir_op *o)
{
	const struct x86_layout *l = &s->r->layout;
	enum x86_reg base = alloc_use(&s->alloc, o->a);
	unsigned value = o->b == IR_ZERO ? RAX : alloc_use(&s->alloc, o->b);
	uint8_t *no_link, *other, *miss;
	struct alloc_pool before;
	struct slow *w;
	unsigned d;

	before = s->alloc.pool;
	d = alloc_define(&s->alloc, o->d);
	x86_alu_store_imm8(s->a, ALU_CMP, 0, x86_at(RBP, l->ll_valid));
	no_link = x86_jcc(s->a, CC_E, 0);
	lea(s->a, RAX, base, (int32_t)o->imm);
	x86_alu_load(s->a, ALU_CMP, true, RAX, x86_at(RBP, l->ll_address));
	other = x86_jcc(s->a, CC_NE, 0);
	emit_lookup(s, o, base);
	miss = emit_check(s, s->b->tlb_write);
	if (s->r->atomics != NULL) {
		s->r->atomics->replace(s, o, (enum x86_reg)d, (enum x86_reg)value, target(o, base, RCX));
	} else {
		store(s, o, value, target(o, base, RCX));
		x86_store_imm(s->a, 1, 0, x86_at(RBP, l->ll_valid));
		x86_mov_imm(s->a, (enum x86_reg)d, 1);
	}
	w = x86_slow_side(s, o, d, miss, &before);
	w->from[1] = no_link;
	w->from[2] = other;
}

/*
 * Counted code looks for attention behind each helper; that of a load cannot write the result. A load that is a part of
 * its instruction goes on with the rest, behind which stands an ATTEND.
 */
static void leave_for_attention(struct x86_lowering *s, const struct slow *w)
{
	const struct ir_op *o = w->op;

	if (!s->r->layout.counted || o->in_slot || o->partial)
		return;
	x86_alu_store_imm(s->a, ALU_CMP, false, 0, x86_at(RBP, s->r->layout.attention));
	x86_patch(x86_jcc(s->a, CC_E, 0), s->a->to_execute, w->back);
	alloc_write_back_at(&s->alloc, &w->then);
	x86_count(s, x86_insns_with(o));
	x86_mov_imm(s->a, RAX, o->pc + 4);
	x86_store(s->a, 8, RAX, x86_at(RBP, s->r->layout.pc));
	x86_mov_imm(s->a, RAX, X86_LEFT);
	x86_jmp(s->a, s->r->exit);
}

static void slow_load(struct x86_lowering *s, const struct slow *w)
{
	const struct ir_op *o = w->op;
	bool fp = alloc_is_fp(&s->alloc, o->d);

	x86_mov_imm(s->a, RCX, o->size | (o->is_signed ? X86_SIGNED : 0) | (o->aligned ? X86_ALIGNED : 0));
	x86_call_stub(s, o, s->r->load);
	alloc_restore_at(&s->alloc, &w->pool, ir_reads_d(o) ? IR_NONE : o->d);
	if (fp)
		set_fp(s->a, o, (enum x86_xmm)w->reg);
	else
		x86_mov(s->a, true, (enum x86_reg)w->reg, RAX);
	leave_for_attention(s, w);
}

static void slow_store(struct x86_lowering *s, const struct slow *w)
{
	const struct ir_op *o = w->op;

	if (o->b == IR_ZERO)
		x86_mov_imm(s->a, RCX, 0);
	else if (alloc_is_fp(&s->alloc, o->b))
		x86_reg_from_xmm(s->a, true, RCX, (enum x86_xmm)w->reg);
	else
		x86_mov(s->a, true, RCX, (enum x86_reg)w->reg);
	x86_call_stub(s, o, s->r->store[__builtin_ctz(o->size)]);
	alloc_restore_at(&s->alloc, &w->pool, IR_NONE);
}

void x86_slow_memory(struct x86_lowering *s, const struct slow *w)
{
	alloc_save_at(&s->alloc, &w->pool);
	x86_lea(s->a, true, RAX, x86_at(w->base, (int32_t)w->op->imm));
	x86_mov_imm(s->a, RDX, x86_where(w->op));
	if (w->op->op == IR_LOAD)
		slow_load(s, w);
	else
		slow_store(s, w);
}
