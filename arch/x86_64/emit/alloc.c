/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/emit/alloc.h"

#include <string.h>

/* C functions preserve the first PRESERVED of these (System V ABI, 3.2.1), so that calling one disturbs them not. */
static const enum x86_reg general[ALLOC_GENERAL] = { RBX, R12, R13, R14, R15, R9, R10 };
#define PRESERVED 5u

/* SSE registers from here on are the pool's; those before are scratch, the last one counts instructions. */
#define FIRST_SSE XMM2

static enum x86_xmm sse(unsigned n)
{
	return (enum x86_xmm)(FIRST_SSE + (n - ALLOC_GENERAL));
}

static bool is_sse(unsigned n)
{
	return n >= ALLOC_GENERAL;
}

bool alloc_is_fp(const struct alloc *s, ir_var v)
{
	return v >= s->layout->first_fp && v < s->layout->nr_state;
}

/* Who reads what next, from the last operation to the first. */
static void find_uses(struct alloc *s)
{
	const struct ir_block *ir = s->ir;
	uint16_t none = (uint16_t)ir->count;

	for (unsigned v = 0; v < ir->nr_vars; v++)
		s->next[v] = none;
	for (unsigned n = ir->count; n-- > 0;) {
		const struct ir_op *o = &ir->ops[n];
		const ir_var vars[4] = { o->d, o->e, o->a, o->b };

		for (unsigned k = 0; k < 4; k++)
			s->after[n][k] = vars[k] == IR_NONE ? none : s->next[vars[k]];
		if (o->d != IR_NONE)
			s->next[o->d] = ir_reads_d(o) ? (uint16_t)n : none;
		if (o->e != IR_NONE)
			s->next[o->e] = ir_reads_e(o) ? (uint16_t)n : none;
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
	memset(s->pinned, -1, ir->nr_vars);
	memset(s->where, -1, ir->nr_vars);
	memset(&s->pool, 0, sizeof(s->pool));
	for (unsigned n = 0; n < ALLOC_POOL; n++)
		s->pool.reg[n].var = IR_NONE;
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

static void store(const struct alloc *s, unsigned n, ir_var v)
{
	if (is_sse(n))
		x86_store_xmm(s->a, true, sse(n), alloc_memory(s, v));
	else
		x86_store(s->a, 8, general[n], alloc_memory(s, v));
}

static void load(const struct alloc *s, unsigned n, ir_var v)
{
	if (is_sse(n))
		x86_load_xmm(s->a, true, sse(n), alloc_memory(s, v));
	else if (v == IR_ZERO)
		x86_mov_imm_keep_flags(s->a, general[n], 0);
	else
		x86_load64(s->a, general[n], alloc_memory(s, v));
}

static void empty(struct alloc *s, unsigned n)
{
	s->where[s->pool.reg[n].var] = -1;
	s->pool.reg[n].var = IR_NONE;
	s->pool.reg[n].dirty = false;
}

static void spill(struct alloc *s, unsigned n)
{
	ir_var v = s->pool.reg[n].var;

	if (s->pool.reg[n].dirty && (is_state(s, v) || s->next[v] < s->ir->count))
		store(s, n, v);
	empty(s, n);
}

/* An empty place in [first, end) of the pool, or the one whose variable is needed last. */
static unsigned choose(struct alloc *s, unsigned first, unsigned end)
{
	unsigned best = end, best_use = 0;

	for (unsigned n = first; n < end; n++) {
		unsigned use;

		if (s->pool.reg[n].var == IR_NONE)
			return n;
		if (s->pool.reg[n].locked || s->pool.reg[n].fixed)
			continue;
		/* Between equals, one that need not be stored. */
		use = 2u * s->next[s->pool.reg[n].var] + !s->pool.reg[n].dirty;
		if (best == end || use > best_use) {
			best = n;
			best_use = use;
		}
	}
	spill(s, best);
	return best;
}

static unsigned place(struct alloc *s, ir_var v)
{
	unsigned n = alloc_is_fp(s, v) ? choose(s, ALLOC_GENERAL, ALLOC_POOL) : choose(s, 0, ALLOC_GENERAL);

	s->pool.reg[n].var = v;
	s->pool.reg[n].dirty = false;
	s->where[v] = (int8_t)n;
	return n;
}

static unsigned use(struct alloc *s, ir_var v)
{
	unsigned n;

	if (s->where[v] >= 0) {
		n = (unsigned)s->where[v];
	} else {
		n = place(s, v);
		load(s, n, v);
	}
	s->pool.reg[n].locked = true;
	return n;
}

static unsigned define(struct alloc *s, ir_var v)
{
	unsigned n = s->where[v] >= 0 ? (unsigned)s->where[v] : place(s, v);

	s->pool.reg[n].dirty = true;
	s->pool.reg[n].locked = true;
	return n;
}

enum x86_reg alloc_use(struct alloc *s, ir_var v)
{
	return s->pinned[v] >= 0 ? (enum x86_reg)s->pinned[v] : general[use(s, v)];
}

enum x86_reg alloc_define(struct alloc *s, ir_var v)
{
	return s->pinned[v] >= 0 ? (enum x86_reg)s->pinned[v] : general[define(s, v)];
}

enum x86_xmm alloc_use_fp(struct alloc *s, ir_var v)
{
	return sse(use(s, v));
}

enum x86_xmm alloc_define_fp(struct alloc *s, ir_var v)
{
	return sse(define(s, v));
}

void alloc_unlock(struct alloc *s)
{
	for (unsigned n = 0; n < ALLOC_POOL; n++)
		s->pool.reg[n].locked = false;
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
		if (v != IR_NONE && !is_state(s, v) && s->next[v] >= s->ir->count)
			empty(s, r);
	}
}

/* --- loops */

/** How often variables stand in a block, and which it writes. */
struct uses {
	unsigned count[IR_MAX_VARS];
	bool written[IR_MAX_VARS];
};

static void add_use(struct uses *u, ir_var v, bool written)
{
	if (v == IR_NONE)
		return;
	u->count[v]++;
	u->written[v] |= written;
}

static void count_uses(const struct alloc *s, struct uses *u)
{
	memset(u, 0, sizeof(*u));
	for (unsigned n = 0; n < s->ir->count; n++) {
		const struct ir_op *o = &s->ir->ops[n];

		add_use(u, o->a, false);
		add_use(u, o->b, false);
		add_use(u, o->d, true);
		add_use(u, o->e, !ir_reads_e(o));
	}
	u->count[IR_ZERO] = 0;
}

/* The variables in [first, end) with most uses, at most `most`; those used once gain nothing. */
static void fix_best(struct alloc *s, struct uses *u, unsigned first, unsigned end, unsigned most)
{
	while (most-- > 0) {
		unsigned best = first, n;

		for (unsigned v = first; v < end; v++)
			if (s->pinned[v] < 0 && u->count[v] > u->count[best])
				best = v;
		if (u->count[best] < 2 || s->pinned[best] >= 0)
			return;
		u->count[best] = 0;
		n = use(s, (ir_var)best);
		s->pool.reg[n].fixed = true;
		/* Control that comes back has it newer than memory does. */
		s->pool.reg[n].dirty = u->written[best];
	}
}

void alloc_fix_loop(struct alloc *s)
{
	struct uses u;

	count_uses(s, &u);
	fix_best(s, &u, 0, s->layout->first_fp, ALLOC_LOOP_GENERAL);
	fix_best(s, &u, s->layout->first_fp, s->layout->nr_state, ALLOC_LOOP_SSE);
	alloc_unlock(s);
}

/* --- memory and registers */

void alloc_write_back_at(const struct alloc *s, const struct alloc_pool *pool)
{
	for (unsigned n = 0; n < ALLOC_POOL; n++)
		if (pool->reg[n].var != IR_NONE && pool->reg[n].dirty && is_state(s, pool->reg[n].var))
			store(s, n, pool->reg[n].var);
}

void alloc_write_back_loop(const struct alloc *s, const struct alloc_pool *pool)
{
	struct alloc_pool others = *pool;

	for (unsigned n = 0; n < ALLOC_POOL; n++)
		if (others.reg[n].fixed)
			others.reg[n].var = IR_NONE;
	alloc_write_back_at(s, &others);
}

static bool survives_calls(unsigned n)
{
	return n < PRESERVED;
}

void alloc_save_at(const struct alloc *s, const struct alloc_pool *pool)
{
	alloc_write_back_at(s, pool);
	for (unsigned n = PRESERVED; n < ALLOC_POOL; n++)
		if (pool->reg[n].var != IR_NONE && pool->reg[n].dirty && !is_state(s, pool->reg[n].var))
			store(s, n, pool->reg[n].var);
}

void alloc_restore_at(const struct alloc *s, const struct alloc_pool *pool, ir_var except)
{
	for (unsigned n = PRESERVED; n < ALLOC_POOL; n++)
		if (pool->reg[n].var != IR_NONE && pool->reg[n].var != except)
			load(s, n, pool->reg[n].var);
}

static void clean(struct alloc *s)
{
	for (unsigned n = 0; n < ALLOC_POOL; n++)
		if (s->pool.reg[n].var != IR_NONE && is_state(s, s->pool.reg[n].var))
			s->pool.reg[n].dirty = false;
}

void alloc_write_back(struct alloc *s)
{
	alloc_write_back_at(s, &s->pool);
	clean(s);
}

void alloc_save(struct alloc *s)
{
	alloc_save_at(s, &s->pool);
	clean(s);
	for (unsigned n = PRESERVED; n < ALLOC_POOL; n++)
		s->pool.reg[n].dirty = false;
}

void alloc_forget(struct alloc *s)
{
	for (unsigned n = 0; n < ALLOC_POOL; n++) {
		ir_var v = s->pool.reg[n].var;

		if (v == IR_NONE || (survives_calls(n) && (!is_state(s, v) || v == IR_ZERO)))
			continue;
		if (s->pool.reg[n].fixed)
			load(s, n, v);
		else
			empty(s, n);
	}
}
