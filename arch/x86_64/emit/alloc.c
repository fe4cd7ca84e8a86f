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

#define GENERAL_MASK ((1u << ALLOC_GENERAL) - 1)
#define SSE_MASK     (((1u << ALLOC_POOL) - 1) & ~GENERAL_MASK)
#define SURVIVE_MASK ((1u << PRESERVED) - 1)

/* for each n whose bit is set in `mask`, lowest first */
#define FOR_EACH(n, mask)                                                                                \
	for (uint32_t n##_left = (mask), n; n##_left != 0 && (n = (uint32_t)__builtin_ctz(n##_left), 1); \
	     n##_left &= n##_left - 1)

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
	s->flags_of = IR_NONE;
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
	uint32_t others = ~(1u << n);

	s->where[s->pool.var[n]] = -1;
	s->pool.used &= others;
	s->pool.dirty &= others;
	s->pool.temps &= others;
}

static void spill(struct alloc *s, unsigned n)
{
	ir_var v = s->pool.var[n];

	if ((s->pool.dirty >> n & 1) != 0 && (is_state(s, v) || s->next[v] < s->ir->count))
		store(s, n, v);
	empty(s, n);
}

/* An empty place of those in `mask`, or the one whose variable is needed last. */
static unsigned choose(struct alloc *s, uint32_t mask)
{
	uint32_t empty_ones = mask & ~s->pool.used;
	unsigned best = 0, best_use = 0;

	if (empty_ones != 0)
		return (unsigned)__builtin_ctz(empty_ones);
	FOR_EACH(n, mask & ~(s->pool.locked | s->pool.fixed)) {
		/* Between equals, one that need not be stored. */
		unsigned use = 2u * s->next[s->pool.var[n]] + !(s->pool.dirty >> n & 1) + 1;

		if (use > best_use) {
			best = n;
			best_use = use;
		}
	}
	spill(s, best);
	return best;
}

static unsigned place(struct alloc *s, ir_var v)
{
	unsigned n = choose(s, alloc_is_fp(s, v) ? SSE_MASK : GENERAL_MASK);

	s->pool.var[n] = v;
	s->pool.used |= 1u << n;
	if (!is_state(s, v))
		s->pool.temps |= 1u << n;
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
	s->pool.locked |= 1u << n;
	return n;
}

static unsigned define(struct alloc *s, ir_var v)
{
	unsigned n = s->where[v] >= 0 ? (unsigned)s->where[v] : place(s, v);

	s->pool.dirty |= 1u << n;
	s->pool.locked |= 1u << n;
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
	s->pool.locked = 0;
}

void alloc_end_op(struct alloc *s, unsigned n)
{
	const struct ir_op *o = &s->ir->ops[n];
	const ir_var vars[4] = { o->d, o->e, o->a, o->b };

	for (unsigned k = 0; k < 4; k++)
		if (vars[k] != IR_NONE)
			s->next[vars[k]] = s->after[n][k];
	s->pool.locked = 0;
	FOR_EACH(r, s->pool.temps)
		if (s->next[s->pool.var[r]] >= s->ir->count)
			empty(s, r);
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
		s->pool.fixed |= 1u << n;
		/* Control that comes back has it newer than memory does. */
		if (u->written[best])
			s->pool.dirty |= 1u << n;
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

static void store_all(const struct alloc *s, const struct alloc_pool *pool, uint32_t mask)
{
	FOR_EACH(n, mask)
		store(s, n, pool->var[n]);
}

void alloc_write_back_at(const struct alloc *s, const struct alloc_pool *pool)
{
	store_all(s, pool, pool->dirty & ~pool->temps);
}

void alloc_write_back_loop(const struct alloc *s, const struct alloc_pool *pool)
{
	store_all(s, pool, pool->dirty & ~pool->temps & ~pool->fixed);
}

void alloc_save_at(const struct alloc *s, const struct alloc_pool *pool)
{
	store_all(s, pool, pool->dirty & ~(pool->temps & SURVIVE_MASK));
}

void alloc_restore_at(const struct alloc *s, const struct alloc_pool *pool, ir_var except)
{
	FOR_EACH(n, pool->used & ~SURVIVE_MASK)
		if (pool->var[n] != except)
			load(s, n, pool->var[n]);
}

void alloc_write_back(struct alloc *s)
{
	alloc_write_back_at(s, &s->pool);
	s->pool.dirty &= s->pool.temps;
}

void alloc_save(struct alloc *s)
{
	alloc_save_at(s, &s->pool);
	s->pool.dirty &= s->pool.temps & SURVIVE_MASK;
}

void alloc_forget(struct alloc *s)
{
	FOR_EACH(n, s->pool.used & ~(s->pool.temps & SURVIVE_MASK)) {
		if ((s->pool.fixed >> n & 1) != 0)
			load(s, n, s->pool.var[n]);
		else if (s->pool.var[n] != IR_ZERO || n >= PRESERVED)
			empty(s, n);
	}
}
