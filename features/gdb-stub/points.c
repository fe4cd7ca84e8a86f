/* SPDX-License-Identifier: BSD-2-Clause */
/* Breakpoints and watchpoints: known here, and set in the engine for every vCPU. */
#include <errno.h>
#include <stddef.h>

#include "features/gdb-stub/server.h"

static bool is_breakpoint(enum gdb_point_kind kind)
{
	return kind == GDB_SOFTWARE || kind == GDB_HARDWARE;
}

static unsigned accesses(enum gdb_point_kind kind)
{
	switch (kind) {
	case GDB_WATCH_WRITE: return DEBUG_WRITE;
	case GDB_WATCH_READ: return DEBUG_READ;
	default: return DEBUG_READ | DEBUG_WRITE;
	}
}

bool gdb_has_to_compare(const struct gdb *g)
{
	for (unsigned i = 0; i < g->nr_points && g->vm->engine->set_breakpoint == NULL; i++)
		if (is_breakpoint(g->points[i].kind))
			return true;
	return false;
}

bool gdb_is_breakpoint(const struct gdb *g, uint64_t gva)
{
	for (unsigned i = 0; i < g->nr_points; i++)
		if (is_breakpoint(g->points[i].kind) && g->points[i].gva == gva)
			return true;
	return false;
}

const struct gdb_point *gdb_watchpoint_at(const struct gdb *g, uint64_t address)
{
	for (unsigned i = 0; i < g->nr_points; i++) {
		const struct gdb_point *p = &g->points[i];

		if (!is_breakpoint(p->kind) && address - p->gva < p->size)
			return p;
	}
	return NULL;
}

/* A hardware and a software breakpoint at one address are one to the engine. */
static bool has_twin(const struct gdb *g, const struct gdb_point *p)
{
	for (unsigned i = 0; i < g->nr_points; i++) {
		const struct gdb_point *other = &g->points[i];

		if (other != p && is_breakpoint(other->kind) && is_breakpoint(p->kind) && other->gva == p->gva)
			return true;
	}
	return false;
}

static int set_one(const struct engine *e, struct vcpu *v, const struct gdb_point *p, bool on)
{
	if (!is_breakpoint(p->kind))
		return e->set_watchpoint(v, p->gva, p->size, accesses(p->kind), on);
	return e->set_breakpoint != NULL ? e->set_breakpoint(v, p->gva, on) : 0;
}

static int set_in_engine(struct gdb *g, const struct gdb_point *p, bool on)
{
	const struct engine *e = g->vm->engine;

	if (has_twin(g, p))
		return 0;
	for (unsigned i = 0; i < g->vm->nr_vcpus; i++) {
		int err = set_one(e, g->vm->vcpus[i], p, on);

		if (err == 0)
			continue;
		while (on && i-- > 0)
			set_one(e, g->vm->vcpus[i], p, false);
		return err;
	}
	return 0;
}

static struct gdb_point *find(struct gdb *g, const struct gdb_point *wanted)
{
	for (unsigned i = 0; i < g->nr_points; i++) {
		struct gdb_point *p = &g->points[i];

		if (p->kind == wanted->kind && p->gva == wanted->gva && p->size == wanted->size)
			return p;
	}
	return NULL;
}

static void remove_point(struct gdb *g, struct gdb_point *p)
{
	set_in_engine(g, p, false);
	*p = g->points[--g->nr_points];
}

static const char *add_point(struct gdb *g, const struct gdb_point *p)
{
	if (g->nr_points == GDB_MAX_POINTS)
		return GDB_ENOSPC;
	switch (set_in_engine(g, p, true)) {
	case 0: break;
	case -ENOSPC: return GDB_ENOSPC;
	default: return GDB_EINVAL;
	}
	g->points[g->nr_points++] = *p;
	return "OK";
}

void gdb_forget_points(struct gdb *g)
{
	while (g->nr_points > 0)
		remove_point(g, &g->points[g->nr_points - 1]);
}

static bool scan_point(struct gdb_scan *s, struct gdb_point *p)
{
	uint64_t kind;

	if (!gdb_scan_number(s, &kind) || kind >= GDB_POINT_KINDS || !gdb_scan_text(s, ",") ||
	    !gdb_scan_number(s, &p->gva) || !gdb_scan_text(s, ",") || !gdb_scan_number(s, &p->size))
		return false;
	p->kind = (enum gdb_point_kind)kind;
	/* Behind a ; there may be a condition, which was not offered. */
	return gdb_scan_left(s) == 0 && (is_breakpoint(p->kind) || (p->size != 0 && p->gva + p->size - 1 >= p->gva));
}

/* Both are idempotent: the debugger may repeat a packet. */
void gdb_point(struct gdb *g, struct gdb_scan *s, bool on)
{
	struct gdb_point wanted = { .size = 0 }, *p;

	if (!scan_point(s, &wanted)) {
		gdb_put_text(&g->out, GDB_EINVAL);
		return;
	}
	if (!is_breakpoint(wanted.kind) && g->vm->engine->set_watchpoint == NULL)
		return; /* an empty reply: the debugger steps and compares */
	p = find(g, &wanted);
	if (on && p == NULL) {
		gdb_put_text(&g->out, add_point(g, &wanted));
		return;
	}
	if (!on && p != NULL)
		remove_point(g, p);
	gdb_put_ok(g);
}
