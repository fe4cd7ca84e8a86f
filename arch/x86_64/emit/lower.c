/* SPDX-License-Identifier: BSD-2-Clause */
/* Lowers one block: operations in order, with the slow sides of memory accesses and the exits behind them. */
#include "arch/x86_64/emit/lower.h"

#include "arch/x86_64/emit/alloc.h"
#include "arch/x86_64/emit/lower_alu.h"

#define MAX_SLOW 128u

/* The slow side of a memory access, written after the block. */
struct slow {
	const struct ir_op *op;
	uint8_t *from;          /* displacement of the jump to it */
	uint64_t back;          /* where the block goes on */
	enum x86_reg reg;       /* result of a load, value of a store */
	struct alloc_pool pool; /* what is in registers there */
};

/* A side exit: the block's state is written back outside of the way through. */
struct side {
	uint8_t *from;
	unsigned exit;
	bool loops;
	uint8_t insns;
	struct alloc_pool pool;
};

struct x86_lowering {
	const struct x86_runtime *r;
	struct x86_block *b;
	struct x86_asm *a;
	struct alloc alloc;
	struct slow slow[MAX_SLOW];
	unsigned nr_slow;
	struct side side[X86_MAX_EXITS];
	unsigned nr_side;
	uint8_t *attention[X86_MAX_EXITS]; /* jumps to the unlinked side of exits that loop */
};

/* --- memory */

/* RAX := address. RCX := offset of its soft TLB entry. RDX := tag wanted. */
static void emit_lookup(struct x86_lowering *s, const struct ir_op *o, enum x86_reg base)
{
	struct x86_asm *a = s->a;
	unsigned entry_shift = 12 - 4; /* entries of 16 bytes, pages of 4 KiB */

	if (o->imm == 0)
		x86_mov(a, true, RAX, base);
	else
		x86_lea(a, true, RAX, x86_at(base, (int32_t)o->imm));
	x86_mov(a, false, RCX, RAX);
	x86_shift_imm(a, SHIFT_SHR, false, RCX, entry_shift);
	x86_alu_imm(a, ALU_AND, false, RCX, (int32_t)(((1u << s->r->layout.tlb_bits) - 1) << 4));
	x86_mov(a, true, RDX, RAX);
	x86_alu_imm(a, ALU_AND, true, RDX, (int32_t)(0xfffff000u | (o->size - 1u)));
	x86_alu_load(a, ALU_OR, true, RDX, x86_at(RBP, s->r->layout.tag_key));
}

static struct slow *slow_side(struct x86_lowering *s, const struct ir_op *o, enum x86_reg reg, uint8_t *from)
{
	struct slow *w = &s->slow[s->nr_slow++];

	*w = (struct slow){ .op = o, .from = from, .reg = reg, .back = x86_here(s->a), .pool = s->alloc.pool };
	return w;
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

static void emit_load(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_reg base = alloc_use(&s->alloc, o->a), d;
	struct x86_mem entry = x86_indexed(RBP, RCX, s->b->tlb_read);
	struct alloc_pool before;
	uint8_t *miss;

	emit_lookup(s, o, base);
	/* The slow side must see the destination's old value as the state that a fault leaves. */
	before = s->alloc.pool;
	d = alloc_define(&s->alloc, o->d);
	x86_alu_load(s->a, ALU_CMP, true, RDX, entry);
	miss = x86_jcc(s->a, CC_NE, 0);
	entry.disp += 8;
	x86_load64(s->a, RCX, entry);
	if (s->b->big_endian) {
		x86_load(s->a, false, o->size, d, x86_indexed(RAX, RCX, 0));
		swap(s->a, o->size, d);
		if (o->is_signed && o->size == 2)
			x86_extend(s->a, true, 2, d, d);
		else if (o->is_signed && o->size == 1)
			x86_extend(s->a, true, 1, d, d);
		else if (o->is_signed && o->size == 4)
			x86_movsxd(s->a, d, d);
	} else {
		x86_load(s->a, o->is_signed, o->size, d, x86_indexed(RAX, RCX, 0));
	}
	slow_side(s, o, d, miss)->pool = before;
}

static void emit_store(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_reg base = alloc_use(&s->alloc, o->a), value = RDX;
	struct x86_mem entry = x86_indexed(RBP, RCX, s->b->tlb_write), target = x86_indexed(RAX, RCX, 0);
	uint8_t *miss;

	if (o->b != IR_ZERO)
		value = alloc_use(&s->alloc, o->b);
	emit_lookup(s, o, base);
	x86_alu_load(s->a, ALU_CMP, true, RDX, entry);
	miss = x86_jcc(s->a, CC_NE, 0);
	entry.disp += 8;
	x86_load64(s->a, RCX, entry);
	if (o->b == IR_ZERO)
		x86_mov_imm(s->a, RDX, 0);
	else if (s->b->big_endian && o->size > 1) {
		x86_mov(s->a, true, RDX, value);
		x86_bswap(s->a, o->size == 8, RDX);
		if (o->size == 2)
			x86_shift_imm(s->a, SHIFT_SHR, false, RDX, 16);
	}
	x86_store(s->a, o->size, o->b == IR_ZERO || (s->b->big_endian && o->size > 1) ? RDX : value, target);
	slow_side(s, o, value, miss);
}

static uint64_t where(const struct ir_op *o)
{
	return o->pc | (o->in_slot ? X86_IN_SLOT : 0);
}

static unsigned log2_of(unsigned size)
{
	return (unsigned)__builtin_ctz(size);
}

static void emit_slow(struct x86_lowering *s, struct slow *w)
{
	x86_patch(w->from, s->a->to_execute, x86_here(s->a));
	alloc_write_back_at(&s->alloc, &w->pool);
	x86_mov_imm(s->a, RDX, where(w->op));
	if (w->op->op == IR_LOAD) {
		x86_mov_imm(s->a, RCX, w->op->size | (w->op->is_signed ? X86_SIGNED : 0));
		x86_call(s->a, s->r->load);
		x86_mov(s->a, true, w->reg, RAX);
	} else {
		if (w->op->b == IR_ZERO)
			x86_mov_imm(s->a, RCX, 0);
		else
			x86_mov(s->a, true, RCX, w->reg);
		x86_call(s->a, s->r->store[log2_of(w->op->size)]);
	}
	x86_jmp(s->a, w->back);
}

/* --- leaving */

static unsigned new_exit(struct x86_lowering *s, const struct ir_op *o)
{
	s->b->exits[s->b->nr_exits] = (struct x86_exit){
		.target = o->op == IR_STEP ? o->pc : o->imm,
		.linkable = o->linkable && o->op != IR_STEP,
		.step = o->op == IR_STEP,
	};
	s->attention[s->b->nr_exits] = NULL;
	return s->b->nr_exits++;
}

static void count(struct x86_lowering *s, unsigned insns)
{
	if (insns != 0)
		x86_alu_store_imm(s->a, ALU_ADD, true, (int32_t)insns, x86_at(RBP, s->r->layout.instructions));
}

/*
 * An exit, its state in memory. One that can be linked starts out jumping to its
 * unlinked side; one that cannot goes by the jump cache.
 */
static void emit_exit(struct x86_lowering *s, unsigned n, unsigned insns, bool loops)
{
	struct x86_exit *e = &s->b->exits[n];

	count(s, insns);
	if (!e->linkable && !e->step) {
		x86_mov_imm(s->a, RAX, e->target);
		x86_jmp(s->a, s->r->jump);
		return;
	}
	if (loops) {
		x86_alu_store_imm(s->a, ALU_CMP, false, 0, x86_at(RBP, s->r->layout.attention));
		s->attention[n] = x86_jcc(s->a, CC_NE, 0);
	}
	e->displacement = x86_jmp(s->a, 0);
}

static void emit_unlinked(struct x86_lowering *s, unsigned n)
{
	struct x86_exit *e = &s->b->exits[n];

	if (e->displacement == NULL)
		return;
	e->unlinked = x86_here(s->a);
	x86_patch(e->displacement, s->a->to_execute, e->unlinked);
	if (s->attention[n] != NULL)
		x86_patch(s->attention[n], s->a->to_execute, e->unlinked);
	x86_mov_imm(s->a, RAX, (s->b->first_exit + n) | (e->step ? X86_STEP_FLAG : 0));
	x86_jmp(s->a, s->r->exit);
}

static void emit_branch(struct x86_lowering *s, const struct ir_op *o)
{
	struct side *side = &s->side[s->nr_side++];
	enum x86_cc cc = x86_compare(&s->alloc, o);

	side->exit = new_exit(s, o);
	side->from = x86_jcc(s->a, cc, 0);
	side->pool = s->alloc.pool;
	side->loops = o->loops;
	side->insns = o->insns;
}

static void emit_side(struct x86_lowering *s, const struct side *side)
{
	x86_patch(side->from, s->a->to_execute, x86_here(s->a));
	alloc_write_back_at(&s->alloc, &side->pool);
	emit_exit(s, side->exit, side->insns, side->loops);
}

static void emit_exec(struct x86_lowering *s, const struct ir_op *o)
{
	alloc_write_back(&s->alloc);
	x86_mov_imm(s->a, RAX, (uint64_t)(uintptr_t)o->insn);
	x86_mov_imm(s->a, RDX, where(o));
	x86_call(s->a, s->r->exec);
	alloc_forget_state(&s->alloc);
}

static void emit_jump(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_reg target = alloc_use(&s->alloc, o->a);

	alloc_write_back(&s->alloc);
	count(s, o->insns);
	x86_mov(s->a, true, RAX, target);
	x86_jmp(s->a, s->r->jump);
}

static void emit_end(struct x86_lowering *s, const struct ir_op *o)
{
	unsigned n = new_exit(s, o);

	alloc_write_back(&s->alloc);
	emit_exit(s, n, o->insns, o->loops);
}

static void lower_op(struct x86_lowering *s, const struct ir_op *o)
{
	switch ((enum ir_opcode)o->op) {
	case IR_LOAD: emit_load(s, o); break;
	case IR_STORE: emit_store(s, o); break;
	case IR_EXEC: emit_exec(s, o); break;
	case IR_BRANCH: emit_branch(s, o); break;
	case IR_JUMP: emit_jump(s, o); break;
	case IR_EXIT:
	case IR_STEP: emit_end(s, o); break;
	default: x86_lower_alu(&s->alloc, o); break;
	}
}

size_t x86_lowering_size(void)
{
	return sizeof(struct x86_lowering);
}

bool x86_lower(const struct x86_runtime *r, struct x86_lowering *s, struct x86_asm *a, struct x86_block *b)
{
	if ((size_t)(a->end - a->write) < X86_BLOCK_MAX_BYTES)
		return false;
	s->r = r;
	s->b = b;
	s->a = a;
	s->nr_slow = s->nr_side = 0;
	b->code = x86_here(a);
	b->nr_exits = 0;
	alloc_init(&s->alloc, &r->layout, b->ir, a);
	for (unsigned n = 0; n < b->ir->count; n++) {
		lower_op(s, &b->ir->ops[n]);
		alloc_end_op(&s->alloc, n);
	}
	for (unsigned n = 0; n < s->nr_slow; n++)
		emit_slow(s, &s->slow[n]);
	for (unsigned n = 0; n < s->nr_side; n++)
		emit_side(s, &s->side[n]);
	for (unsigned n = 0; n < b->nr_exits; n++)
		emit_unlinked(s, n);
	return !a->overflow;
}
