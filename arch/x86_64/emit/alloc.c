/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/emit/alloc.h"

#include <string.h>

/* C functions preserve these, so that calling one disturbs no block. */
static const enum x86_reg pool_regs[ALLOC_POOL] = { RBX, R12, R13, R14, R15 };

/* Who reads what next, from the last operation to the first. */
static void find_uses(struct alloc *s)
{
	const struct ir_block *ir = s->ir;
	uint16_t none = (uint16_t)ir->count;

	for (unsigned v = 0; v < IR_MAX_VARS; v++)
		s->next[v] = none;
	for (unsigned n = ir->count; n-- > 0;) {
		const struct ir_op *o = &ir->ops[n];
		const ir_var vars[4] = { o->d, o->e, o->a, o->b };
		bool reads_d = o->op == IR_MOVZ || o->op == IR_MOVN;

		for (unsigned k = 0; k < 4; k++)
			s->after[n][k] = vars[k] == IR_NONE ? none : s->next[vars[k]];
		for (unsigned k = 0; k < 2; k++)
			if (vars[k] != IR_NONE)
				s->next[vars[k]] = reads_d ? (uint16_t)n : none;
		for (unsigned k = 2; k < 4; k++)
			if (vars[k] != IR_NONE)
				s->next[vars[k]] = (uint16_t)n;
	}
}

void alloc_init(struct alloc *s, const struct x86_layout *layout, const struct ir_block *ir, struct x86_asm *a)
{
	s->layout = layout;
	s->ir = ir;
	s->a = a;
	memset(s->pinned, -1, sizeof(s->pinned));
	memset(s->where, -1, sizeof(s->where));
	for (unsigned n = 0; n < ALLOC_POOL; n++) {
		s->pool.reg[n].var = IR_NONE;
		s->pool.reg[n].dirty = s->pool.reg[n].locked = false;
	}
	for (unsigned n = 0; n < layout->nr_pins; n++)
		s->pinned[layout->pins[n].var] = (int8_t)layout->pins[n].reg;
	find_uses(s);
}

struct x86_mem alloc_memory(const struct alloc *s, ir_var v)
{
	if (v < s->layout->nr_state)
		return x86_at(RBP, s->layout->var(v));
	return x86_at(RBP, s->layout->spill + 8 * (int32_t)(v - s->layout->nr_state));
}

static bool is_state(const struct alloc *s, ir_var v)
{
	return v < s->layout->nr_state;
}

static void spill(struct alloc *s, unsigned n)
{
	ir_var v = s->pool.reg[n].var;

	if (s->pool.reg[n].dirty && (is_state(s, v) || s->next[v] < s->ir->count))
		x86_store(s->a, 8, pool_regs[n], alloc_memory(s, v));
	s->where[v] = -1;
	s->pool.reg[n].var = IR_NONE;
	s->pool.reg[n].dirty = false;
}

/* An empty place in the pool, or the one whose variable is needed last. */
static unsigned choose(struct alloc *s)
{
	unsigned best = ALLOC_POOL, best_use = 0;

	for (unsigned n = 0; n < ALLOC_POOL; n++) {
		unsigned use;

		if (s->pool.reg[n].var == IR_NONE)
			return n;
		if (s->pool.reg[n].locked)
			continue;
		/* Between equals, one that need not be stored. */
		use = 2u * s->next[s->pool.reg[n].var] + !s->pool.reg[n].dirty;
		if (best == ALLOC_POOL || use > best_use) {
			best = n;
			best_use = use;
		}
	}
	spill(s, best);
	return best;
}

static unsigned place(struct alloc *s, ir_var v)
{
	unsigned n = choose(s);

	s->pool.reg[n].var = v;
	s->pool.reg[n].dirty = false;
	s->where[v] = (int8_t)n;
	return n;
}

bool alloc_resident(const struct alloc *s, ir_var v, enum x86_reg *reg)
{
	if (s->pinned[v] >= 0)
		*reg = (enum x86_reg)s->pinned[v];
	else if (s->where[v] >= 0)
		*reg = pool_regs[s->where[v]];
	else
		return false;
	return true;
}

enum x86_reg alloc_use(struct alloc *s, ir_var v)
{
	unsigned n;

	if (s->pinned[v] >= 0)
		return (enum x86_reg)s->pinned[v];
	if (s->where[v] >= 0) {
		n = (unsigned)s->where[v];
	} else {
		n = place(s, v);
		if (v == IR_ZERO)
			x86_mov_imm(s->a, pool_regs[n], 0);
		else
			x86_load64(s->a, pool_regs[n], alloc_memory(s, v));
	}
	s->pool.reg[n].locked = true;
	return pool_regs[n];
}

enum x86_reg alloc_define(struct alloc *s, ir_var v)
{
	unsigned n;

	if (s->pinned[v] >= 0)
		return (enum x86_reg)s->pinned[v];
	n = s->where[v] >= 0 ? (unsigned)s->where[v] : place(s, v);
	s->pool.reg[n].dirty = true;
	s->pool.reg[n].locked = true;
	return pool_regs[n];
}

void alloc_end_op(struct alloc *s, unsigned n)
{
	const struct ir_op *o = &s->ir->ops[n];
	const ir_var vars[4] = { o->d, o->e, o->a, o->b };

	for (unsigned k = 0; k < 4; k++)
		if (vars[k] != IR_NONE)
			s->next[vars[k]] = s->after[n][k];
	for (unsigned r = 0; r < ALLOC_POOL; r++) {
		ir_var v = s->pool.reg[r].var;

		s->pool.reg[r].locked = false;
		if (v != IR_NONE && !is_state(s, v) && s->next[v] >= s->ir->count) {
			s->where[v] = -1;
			s->pool.reg[r].var = IR_NONE;
			s->pool.reg[r].dirty = false;
		}
	}
}

void alloc_write_back_at(const struct alloc *s, const struct alloc_pool *pool)
{
	for (unsigned n = 0; n < ALLOC_POOL; n++)
		if (pool->reg[n].var != IR_NONE && pool->reg[n].dirty && is_state(s, pool->reg[n].var))
			x86_store(s->a, 8, pool_regs[n], alloc_memory(s, pool->reg[n].var));
}

void alloc_write_back(struct alloc *s)
{
	alloc_write_back_at(s, &s->pool);
	for (unsigned n = 0; n < ALLOC_POOL; n++)
		if (s->pool.reg[n].var != IR_NONE && is_state(s, s->pool.reg[n].var))
			s->pool.reg[n].dirty = false;
}

void alloc_forget_state(struct alloc *s)
{
	for (unsigned n = 0; n < ALLOC_POOL; n++) {
		ir_var v = s->pool.reg[n].var;

		if (v == IR_NONE || !is_state(s, v) || v == IR_ZERO)
			continue;
		s->where[v] = -1;
		s->pool.reg[n].var = IR_NONE;
		s->pool.reg[n].dirty = false;
	}
}
