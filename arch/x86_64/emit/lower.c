/* SPDX-License-Identifier: BSD-2-Clause */
/* Lowers one block: operations in order, with the slow sides of memory accesses and the exits behind them. */
#include "arch/x86_64/emit/lowering.h"

#include <stddef.h>

#include "arch/x86_64/emit/lower_alu.h"

unsigned x86_insns_with(const struct ir_op *o)
{
	return o->insns + (o->in_slot ? 2u : 1u);
}

void x86_call_stub(struct x86_lowering *s, const struct ir_op *o, uint64_t stub)
{
	if (s->r->layout.counted)
		x86_store_imm(s->a, 4, (int32_t)x86_insns_with(o), x86_at(RBP, s->r->layout.partial));
	x86_call(s->a, stub);
	x86_test_al_imm(s->a, (uint8_t)x86_insns_with(o));
}

struct slow *x86_slow_side(struct x86_lowering *s, const struct ir_op *o, unsigned reg, uint8_t *from,
			   const struct alloc_pool *pool)
{
	struct slow *w = &s->slow[s->nr_slow++];

	*w = (struct slow){ .op = o, .from = { from }, .reg = reg, .back = x86_here(s->a), .pool = *pool };
	return w;
}

static void call_exec(struct x86_lowering *s, const struct ir_op *o)
{
	bool looks_at_fp = o->op == IR_EXEC && o->size != 0;

	x86_mov_imm(s->a, RAX, (uint64_t)(uintptr_t)o->insn);
	x86_mov_imm(s->a, RDX, x86_where(o));
	x86_call_stub(s, o, s->r->exec[looks_at_fp]);
}

/* What the host's instructions do not do: a division by 0, a trap, SC without a link. */
static void slow_exec(struct x86_lowering *s, const struct slow *w)
{
	alloc_save_at(&s->alloc, &w->pool);
	call_exec(s, w->op);
	alloc_restore_at(&s->alloc, &w->pool, IR_NONE);
	if (w->op->d != IR_NONE)
		x86_load64(s->a, (enum x86_reg)w->reg, alloc_memory(&s->alloc, w->op->d));
	if (w->op->e != IR_NONE)
		x86_load64(s->a, w->base, alloc_memory(&s->alloc, w->op->e));
}

static void emit_slow(struct x86_lowering *s, const struct slow *w)
{
	for (unsigned n = 0; n < 3; n++)
		if (w->from[n] != NULL)
			x86_patch(w->from[n], s->a->to_execute, x86_here(s->a));
	if (w->op->op == IR_LOAD || w->op->op == IR_STORE)
		x86_slow_memory(s, w);
	else if (w->op->op >= IR_FADD && w->op->op <= IR_FPUT)
		x86_slow_fp(s, w);
	else
		slow_exec(s, w);
	x86_jmp(s->a, w->back);
}

/* --- leaving */

/* An exit to the block's own start goes back within it, unless it is a function that calls itself. */
static bool goes_back(const struct x86_lowering *s, const struct ir_op *o)
{
	return (o->op == IR_BRANCH || o->op == IR_EXIT) && o->imm == s->b->ir->pc &&
	       (o->back == 0 || s->r->returns == NULL);
}

static bool is_loop(const struct x86_lowering *s, const struct ir_op *o)
{
	return s->head != 0 && goes_back(s, o);
}

static unsigned new_exit(struct x86_lowering *s, const struct ir_op *o)
{
	s->b->exits[s->b->nr_exits] = (struct x86_exit){
		.target = o->op == IR_STEP || o->op == IR_SAME || o->op == IR_MAP ? o->pc : o->imm,
		.linkable = (o->linkable && o->op != IR_STEP) || o->op == IR_MAP,
		.step = o->op == IR_STEP || o->op == IR_SAME,
		.careful = o->op == IR_MAP,
	};
	s->attention[s->b->nr_exits] = NULL;
	return s->b->nr_exits++;
}

void x86_count(struct x86_lowering *s, unsigned insns)
{
	if (insns != 0)
		x86_paddq_load(s->a, X86_COUNTER, x86_at(RBP, s->r->layout.counts + 16 * (int32_t)insns));
}

/* Leaves by exit n's unlinked side if attention is pending. */
static void attend(struct x86_lowering *s, unsigned n)
{
	x86_alu_store_imm(s->a, ALU_CMP, false, 0, x86_at(RBP, s->r->layout.attention));
	s->attention[n] = x86_jcc(s->a, CC_NE, 0);
}

/*
 * An exit, its state in memory. One that can be linked starts out jumping to its
 * unlinked side; one that cannot goes by the jump cache.
 */
static void emit_exit(struct x86_lowering *s, unsigned n, unsigned insns, bool loops)
{
	struct x86_exit *e = &s->b->exits[n];

	x86_count(s, insns);
	if (!e->linkable && !e->step) {
		x86_emit_jump_to(s->r, s->a, e->target, loops);
		return;
	}
	if (loops)
		attend(s, n);
	x86_align_link(s->r, s->a);
	e->displacement = x86_jmp(s->a, 0);
}

static bool is_call(const struct x86_lowering *s, const struct ir_op *o)
{
	return o->back != 0 && s->r->returns != NULL;
}

/* Calls what the caller will say by the displacement returned; what comes back takes an exit of its own. */
static uint8_t *emit_call(struct x86_lowering *s, const struct ir_op *o)
{
	uint8_t *call = s->r->returns->call(s->r, s->a, o->back);

	emit_exit(s, new_exit(s, &(struct ir_op){ .op = IR_EXIT, .imm = o->back, .linkable = true }), 0, false);
	return call;
}

static void emit_exit_by_call(struct x86_lowering *s, const struct ir_op *o, unsigned n)
{
	struct x86_exit *e = &s->b->exits[n];
	uint8_t *call;

	x86_count(s, o->insns);
	if (e->linkable) {
		if (o->loops)
			attend(s, n);
		e->displacement = emit_call(s, o);
		return;
	}
	call = emit_call(s, o);
	x86_patch(call, s->a->to_execute, x86_here(s->a));
	emit_exit(s, n, 0, o->loops);
}

static void emit_unlinked(struct x86_lowering *s, unsigned n)
{
	struct x86_exit *e = &s->b->exits[n];

	if (e->displacement == NULL && s->attention[n] == NULL)
		return;
	e->unlinked = x86_here(s->a);
	if (e->displacement != NULL)
		x86_patch(e->displacement, s->a->to_execute, e->unlinked);
	if (s->attention[n] != NULL)
		x86_patch(s->attention[n], s->a->to_execute, e->unlinked);
	if (e->displacement == NULL)
		alloc_write_back_at(&s->alloc, &s->fixed[n]);
	x86_mov_imm(s->a, RAX, (s->b->first_exit + n) | (e->step ? X86_STEP_FLAG : 0));
	x86_jmp(s->a, s->r->exit);
}

/* Back to the head of the loop, where the registers that are not fixed are empty. */
static void emit_loop(struct x86_lowering *s, const struct ir_op *o)
{
	unsigned n = new_exit(s, o);

	s->b->exits[n].linkable = false;
	s->fixed[n] = s->alloc.pool;
	alloc_write_back_loop(&s->alloc, &s->alloc.pool);
	x86_count(s, o->insns);
	attend(s, n);
	x86_jmp(s->a, s->head);
}

static void emit_branch(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_cc cc = x86_compare(&s->alloc, o);
	struct side *side;

	if (is_loop(s, o)) {
		uint8_t *out = x86_jcc(s->a, cc ^ 1, 0);

		emit_loop(s, o);
		x86_patch(out, s->a->to_execute, x86_here(s->a));
		return;
	}
	side = &s->side[s->nr_side++];

	side->exit = new_exit(s, o);
	side->from = x86_jcc(s->a, cc, 0);
	side->pool = s->alloc.pool;
	side->loops = o->loops;
	side->insns = o->insns;
}

static void emit_map(struct x86_lowering *s, const struct ir_op *o)
{
	struct side *side = &s->side[s->nr_side++];

	*side = (struct side){ .exit = new_exit(s, o), .insns = o->insns };
	side->from = x86_lower_map(s, o, &side->pool);
}

static void emit_attend(struct x86_lowering *s, const struct ir_op *o)
{
	struct side *side;

	if (!s->r->layout.counted && !o->always)
		return;
	side = &s->side[s->nr_side++];
	x86_alu_store_imm(s->a, ALU_CMP, false, 0, x86_at(RBP, s->r->layout.attention));
	*side = (struct side){
		.exit = new_exit(s, o), .from = x86_jcc(s->a, CC_NE, 0), .pool = s->alloc.pool, .insns = o->insns
	};
}

/* Leaves by an exit of its own if the flags are those of `not equal`. */
static void leave_if_other(struct x86_lowering *s, const struct ir_op *o)
{
	s->side[s->nr_side++] = (struct side){
		.exit = new_exit(s, o), .from = x86_jcc(s->a, CC_NE, 0), .insns = o->insns, .pool = s->alloc.pool
	};
}

/* Jumps out unless the page behind is mapped as it was. */
static void emit_same_page(struct x86_lowering *s, const struct ir_op *o)
{
	uint64_t page = o->pc + 4;
	int32_t entry =
		s->b->fetch_tlb + (int32_t)(page / 4096 % s->r->layout.fetch_entries * sizeof(struct x86_fetch_entry));

	x86_mov_imm(s->a, RAX, page);
	if (s->b->has_tag_key)
		x86_alu_load(s->a, ALU_OR, true, RAX, x86_at(RBP, s->r->layout.tag_key));
	x86_alu_load(s->a, ALU_CMP, true, RAX, x86_at(RBP, entry + (int32_t)offsetof(struct x86_fetch_entry, tag)));
	leave_if_other(s, o);
	x86_alu_store_imm(s->a, ALU_CMP, true, (int32_t)o->imm,
			  x86_at(RBP, entry + (int32_t)offsetof(struct x86_fetch_entry, gpa)));
	leave_if_other(s, o);
}

static void emit_same(struct x86_lowering *s, const struct ir_op *o)
{
	if (!o->is_signed)
		emit_same_page(s, o);
	x86_mov_imm(s->a, RAX, (uint64_t)(uintptr_t)o->insn);
	x86_alu_store_imm(s->a, ALU_CMP, false, (int32_t)o->note, x86_at(RAX, 0));
	leave_if_other(s, o);
}

static void emit_side(struct x86_lowering *s, const struct side *side)
{
	x86_patch(side->from, s->a->to_execute, x86_here(s->a));
	alloc_write_back_at(&s->alloc, &side->pool);
	emit_exit(s, side->exit, side->insns, side->loops);
}

static void emit_exec(struct x86_lowering *s, const struct ir_op *o)
{
	alloc_save(&s->alloc);
	call_exec(s, o);
	alloc_forget(&s->alloc);
}

static void emit_trap(struct x86_lowering *s, const struct ir_op *o)
{
	uint8_t *trap = x86_jcc(s->a, x86_compare(&s->alloc, o), 0);

	x86_slow_side(s, o, 0, trap, &s->alloc.pool);
}

/* The divisor is brought to RCX, extended. x86 divides RDX:RAX and raises #DE where the quotient does not fit. */
static void emit_divide(struct x86_lowering *s, const struct ir_op *o)
{
	bool is_signed = o->op == IR_DIV || o->op == IR_DIVW, wide = o->op == IR_DIV || o->op == IR_DIVU;
	enum x86_reg n = alloc_use(&s->alloc, o->a), m = alloc_use(&s->alloc, o->b), d, e;
	struct alloc_pool before = s->alloc.pool;
	struct x86_asm *a = s->a;
	uint8_t *unusual;
	struct slow *w;

	x86_mov(a, wide, RCX, m);
	x86_mov(a, wide, RAX, n);
	alloc_unlock(&s->alloc);
	d = alloc_define(&s->alloc, o->d);
	e = alloc_define(&s->alloc, o->e);
	if (is_signed) {
		/* 0 and -1 are those that become 0 or 1 by adding 1. */
		x86_lea(a, wide, RDX, x86_at(RCX, 1));
		x86_alu_imm(a, ALU_CMP, wide, RDX, 1);
		unusual = x86_jcc(a, CC_BE, 0);
		x86_cqo(a, wide);
	} else {
		x86_test(a, wide, RCX, RCX);
		unusual = x86_jcc(a, CC_E, 0);
		x86_alu(a, ALU_XOR, false, RDX, RDX);
	}
	x86_unary(a, is_signed ? UNARY_IDIV : UNARY_DIV, wide, RCX);
	if (wide) {
		x86_mov(a, true, d, RAX);
		x86_mov(a, true, e, RDX);
	} else {
		x86_movsxd(a, d, RAX);
		x86_movsxd(a, e, RDX);
	}
	w = x86_slow_side(s, o, d, unusual, &before);
	w->base = e;
}

static void emit_jump(struct x86_lowering *s, const struct ir_op *o)
{
	enum x86_reg target = alloc_use(&s->alloc, o->a);

	alloc_write_back(&s->alloc);
	x86_count(s, o->insns);
	if (is_call(s, o)) {
		uint8_t *call = emit_call(s, o);

		x86_patch(call, s->a->to_execute, x86_here(s->a));
	}
	x86_mov(s->a, true, RAX, target);
	if (o->returns && s->r->returns != NULL)
		s->r->returns->jump(s->r, s->a);
	else
		x86_emit_jump(s->r, s->a);
}

static void emit_end(struct x86_lowering *s, const struct ir_op *o)
{
	unsigned n;

	if (is_loop(s, o)) {
		emit_loop(s, o);
		return;
	}
	n = new_exit(s, o);
	alloc_write_back(&s->alloc);
	if (is_call(s, o))
		emit_exit_by_call(s, o, n);
	else
		emit_exit(s, n, o->insns, o->loops);
}

static void lower_op(struct x86_lowering *s, const struct ir_op *o)
{
	switch ((enum ir_opcode)o->op) {
	case IR_LOAD: x86_lower_load(s, o); break;
	case IR_STORE: x86_lower_store(s, o); break;
	case IR_MAP: emit_map(s, o); break;
	case IR_SAME: emit_same(s, o); break;
	case IR_SC: x86_lower_sc(s, o); break;
	case IR_FENCE: s->r->atomics->fence(s); break;
	case IR_EXEC: emit_exec(s, o); break;
	case IR_TRAP: emit_trap(s, o); break;
	case IR_DIV:
	case IR_DIVW:
	case IR_DIVU:
	case IR_DIVUW: emit_divide(s, o); break;
	case IR_ATTEND: emit_attend(s, o); break;
	case IR_BRANCH: emit_branch(s, o); break;
	case IR_JUMP: emit_jump(s, o); break;
	case IR_EXIT:
	case IR_STEP: emit_end(s, o); break;
	default:
		if (o->op >= IR_FADD && o->op <= IR_FPUT)
			x86_lower_fp(s, o);
		else
			x86_lower_alu(&s->alloc, o);
		break;
	}
}

/* True if flags that stand before the operation stand behind it, and mean the same. */
static bool keeps_flags(const struct x86_lowering *s, const struct ir_op *o)
{
	if (o->d == s->alloc.flags_of)
		return false;
	switch (o->op) {
	case IR_CONST:
	case IR_MOV:
	case IR_ADDI:
	case IR_ADDIW:
	case IR_SEXT8:
	case IR_SEXT16:
	case IR_SEXT32:
	case IR_ZEXT32: return true;
	case IR_LOAD:
	case IR_STORE: return o->e != IR_NONE && !s->b->big_endian;
	case IR_BRANCH: return !is_loop(s, o);
	default: return false;
	}
}

static bool is_comparison(const struct ir_op *o)
{
	return o->op >= IR_SLT && o->op <= IR_SNE;
}

/* True if some exit goes to the block's own start. */
static bool has_loop(const struct x86_lowering *s)
{
	for (unsigned n = 0; n < s->b->ir->count; n++)
		if (goes_back(s, &s->b->ir->ops[n]))
			return true;
	return false;
}

/* Leaves before the block's first instruction: state is in memory as it is between blocks. */
static void leave_at_start(struct x86_lowering *s, uint32_t why)
{
	x86_mov_imm(s->a, RAX, s->b->ir->pc);
	x86_store(s->a, 8, RAX, x86_at(RBP, s->r->layout.pc));
	x86_mov_imm(s->a, RAX, why);
	x86_jmp(s->a, s->r->exit);
}

/* Counts entries; leaves at the one that makes the block hot. Returns the jump that leaves. */
static uint8_t *emit_heat(struct x86_lowering *s)
{
	x86_alu_store_imm(s->a, ALU_SUB, false, 1, x86_at(RBP, s->b->heat));
	return x86_jcc(s->a, CC_E, 0);
}

/* Leaves if the block's longest way would exceed the limit. */
static void emit_limit(struct x86_lowering *s)
{
	const struct x86_layout *l = &s->r->layout;
	uint8_t *stay;

	x86_reg_from_xmm(s->a, true, RAX, X86_COUNTER);
	x86_alu_imm(s->a, ALU_ADD, true, RAX, (int32_t)s->b->ir->nr_insns);
	x86_alu_load(s->a, ALU_CMP, true, RAX, x86_at(RBP, l->limit));
	stay = x86_jcc(s->a, CC_BE, 0);
	leave_at_start(s, X86_LIMIT);
	x86_patch(stay, s->a->to_execute, x86_here(s->a));
}

size_t x86_lowering_size(void)
{
	return sizeof(struct x86_lowering);
}

bool x86_lower(const struct x86_runtime *r, struct x86_lowering *s, struct x86_asm *a, struct x86_block *b)
{
	uint8_t *hot = NULL;

	if ((size_t)(a->end - a->write) < X86_BLOCK_MAX_BYTES)
		return false;
	s->r = r;
	s->b = b;
	s->a = a;
	s->nr_slow = s->nr_side = 0;
	b->code = x86_here(a);
	b->nr_exits = 0;
	if (r->layout.counted)
		emit_limit(s);
	if (b->heat != 0)
		hot = emit_heat(s);
	alloc_init(&s->alloc, &r->layout, b->ir, a);
	s->alloc.bmi2 = r->bmi2;
	s->head = 0;
	if (b->loops && !r->layout.counted && has_loop(s)) {
		alloc_fix_loop(&s->alloc);
		s->head = x86_here(a);
	}
	for (unsigned n = 0; n < b->ir->count; n++) {
		s->next_op = n + 1;
		lower_op(s, &b->ir->ops[n]);
		if (!is_comparison(&b->ir->ops[n]) && !keeps_flags(s, &b->ir->ops[n]))
			s->alloc.flags_of = IR_NONE;
		alloc_end_op(&s->alloc, n);
	}
	for (unsigned n = 0; n < s->nr_slow; n++)
		emit_slow(s, &s->slow[n]);
	for (unsigned n = 0; n < s->nr_side; n++)
		emit_side(s, &s->side[n]);
	for (unsigned n = 0; n < b->nr_exits; n++)
		emit_unlinked(s, n);
	if (hot != NULL) {
		x86_patch(hot, a->to_execute, x86_here(a));
		leave_at_start(s, X86_HOT);
	}
	return !a->overflow;
}
