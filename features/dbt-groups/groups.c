/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses that lie close together are checked together: one MAP finds the page of all, and each of them is a plain
 * host instruction then. Close are those whose addresses differ by a constant: the same base register, or one made
 * from it by adding a constant. Where the page is not at hand, or they lie in two, MAP leaves to a block that begins
 * at the same instruction and checks one by one.
 */
#include <string.h>

#include <husk/feature.h>

#include "features/engine-dbt/pass.h"

/* Accesses further apart than this are too often in two pages. */
#define MAX_SPAN   1024
#define MAX_GROUPS 24u
/* Groups that are under way at a time: each takes a register. */
#define MAX_OPEN 3u
#define NONE     255u

/** A value known as an unknown one plus a constant. */
struct value {
	uint16_t origin;
	int32_t offset;
};

/** Accesses to be checked by one MAP. Offsets are from the same origin. */
struct group {
	uint16_t leader; /**< operation before which MAP stands */
	uint16_t last;   /**< its last member so far */
	uint16_t origin;
	int32_t base;      /**< offset of the leader's base register */
	int32_t low, high; /**< of the bytes accessed */
	int32_t anchor;    /**< offset of an access of the largest size */
	uint8_t size;      /**< the largest */
	bool writes;
	uint8_t members;
	ir_var delta;
};

/** What is known at a point of the list. */
struct scan {
	struct value value[IR_MAX_VARS];
	uint16_t next_origin;
	struct group group[MAX_GROUPS];
	unsigned nr_groups;
	uint8_t open[MAX_OPEN];
	uint8_t group_of[IR_MAX_OPS];
};

static bool is_access(const struct ir_op *o)
{
	/* The front end may have looked its page up already. */
	return o->e == IR_NONE && ((o->op == IR_LOAD && !o->aligned) || o->op == IR_STORE);
}

static void define(struct scan *s, ir_var v)
{
	if (v != IR_NONE)
		s->value[v] = (struct value){ .origin = s->next_origin++ };
}

static void follow(struct scan *s, const struct ir_op *o)
{
	struct value a;

	if (o->op == IR_STORE || o->d == IR_NONE)
		return;
	if (o->op == IR_ADDI || o->op == IR_MOV) {
		a = s->value[o->a];
		a.offset += o->op == IR_ADDI ? (int32_t)o->imm : 0;
		if (a.offset > -(1 << 20) && a.offset < 1 << 20) {
			s->value[o->d] = a;
			return;
		}
	}
	define(s, o->d);
	if (!ir_reads_e(o))
		define(s, o->e);
}

static int32_t least(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

static int32_t most(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

/* Alignment of the largest access must say that of this one. */
static bool agrees(const struct group *g, int32_t offset, int32_t size)
{
	return (offset - g->anchor) % least(size, g->size) == 0;
}

static bool join(struct group *g, unsigned n, const struct ir_op *o, int32_t offset)
{
	int32_t low = least(g->low, offset), high = most(g->high, offset + o->size);

	if (high - low > MAX_SPAN || !agrees(g, offset, o->size))
		return false;
	/* Smaller ones that agreed with a smaller size agree with a larger one that agrees with it. */
	if (o->size > g->size) {
		g->size = o->size;
		g->anchor = offset;
	}
	g->low = low;
	g->high = high;
	g->writes |= o->op == IR_STORE;
	g->last = (uint16_t)n;
	g->members++;
	return true;
}

static void close_all(struct scan *s)
{
	memset(s->open, NONE, sizeof(s->open));
}

/* A place for a new group: a free one, or that of the group whose last access is longest ago. */
static unsigned oldest(const struct scan *s)
{
	unsigned best = 0;

	for (unsigned k = 0; k < MAX_OPEN; k++) {
		if (s->open[k] == NONE)
			return k;
		if (s->group[s->open[k]].last < s->group[s->open[best]].last)
			best = k;
	}
	return best;
}

static void start(struct scan *s, unsigned n, const struct ir_op *o, int32_t offset)
{
	const struct value *base = &s->value[o->a];

	/* Control cannot leave in a delay slot and come back to it. */
	if (o->in_slot || s->nr_groups == MAX_GROUPS)
		return;
	s->open[oldest(s)] = (uint8_t)s->nr_groups;
	s->group_of[n] = (uint8_t)s->nr_groups;
	s->group[s->nr_groups++] = (struct group){
		.leader = (uint16_t)n,
		.last = (uint16_t)n,
		.origin = base->origin,
		.base = base->offset,
		.low = offset,
		.high = offset + o->size,
		.anchor = offset,
		.size = o->size,
		.writes = o->op == IR_STORE,
		.members = 1,
	};
}

static void add_access(struct scan *s, unsigned n, const struct ir_op *o)
{
	const struct value *base = &s->value[o->a];
	int32_t offset = base->offset + (int32_t)o->imm;

	for (unsigned k = 0; k < MAX_OPEN; k++) {
		unsigned g = s->open[k];

		if (g == NONE || s->group[g].origin != base->origin || !join(&s->group[g], n, o, offset))
			continue;
		s->group_of[n] = (uint8_t)g;
		return;
	}
	start(s, n, o, offset);
}

static void find_groups(struct scan *s, const struct ir_block *ir)
{
	s->nr_groups = 0;
	s->next_origin = 0;
	close_all(s);
	memset(s->group_of, NONE, ir->count);
	for (unsigned v = 0; v < ir->nr_vars; v++)
		define(s, (ir_var)v);
	for (unsigned n = 0; n < ir->count; n++) {
		const struct ir_op *o = &ir->ops[n];

		if (is_access(o)) {
			add_access(s, n, o);
		} else if (o->op == IR_EXEC) {
			close_all(s);
			for (unsigned v = 0; v < ir->nr_vars; v++)
				define(s, (ir_var)v);
		}
		follow(s, o);
	}
}

/* The span from the lowest byte to the end of the last unit of the largest size, counted from the anchor. */
static uint32_t span_of(const struct group *g)
{
	int32_t units = (g->high - g->anchor + g->size - 1) / g->size;

	return (uint32_t)(g->anchor + units * g->size - g->low);
}

static struct ir_op map_for(const struct group *g, const struct ir_op *leader)
{
	return (struct ir_op){
		.op = IR_MAP,
		.d = g->delta,
		.e = IR_NONE,
		.a = leader->a,
		.b = IR_NONE,
		.size = g->size,
		.is_signed = g->writes,
		.imm = (uint64_t)(int64_t)(g->low - g->base),
		.note = span_of(g),
		.pc = leader->pc,
		.insns = leader->insns,
	};
}

/* Only groups of two and more gain anything. */
static unsigned give_variables(struct scan *s, struct ir_block *ir)
{
	unsigned maps = 0;

	for (unsigned n = 0; n < s->nr_groups; n++) {
		struct group *g = &s->group[n];

		g->delta = IR_NONE;
		if (g->members < 2 || ir->nr_vars == IR_MAX_VARS || ir->count + maps == IR_MAX_OPS)
			continue;
		g->delta = ir->nr_vars++;
		maps++;
	}
	return maps;
}

static struct group *group_at(struct scan *s, unsigned n)
{
	return s->group_of[n] == NONE || s->group[s->group_of[n]].delta == IR_NONE ? NULL : &s->group[s->group_of[n]];
}

static void group_accesses(struct ir_block *ir, void *work)
{
	struct scan *s = work;
	unsigned to;

	find_groups(s, ir);
	to = ir->count + give_variables(s, ir);
	/* From the end, so that operations move up into free room. */
	for (unsigned n = ir->count, end = to; n-- > 0;) {
		struct group *g = group_at(s, n);

		ir->ops[--end] = ir->ops[n];
		if (g == NULL)
			continue;
		ir->ops[end].e = g->delta;
		if (g->leader == n)
			ir->ops[--end] = map_for(g, &ir->ops[n]);
	}
	ir->count = to;
}

DBT_PASS(groups) = { .name = "groups", .work_bytes = sizeof(struct scan), .run = group_accesses };

HUSK_FEATURE(dbt_groups) = {
	.name = "dbt-groups",
	.purpose = "accesses to one page are looked up together",
	.level = FEATURE_ENGINE,
};
