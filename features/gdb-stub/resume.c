/* SPDX-License-Identifier: BSD-2-Clause */
/* Running, stepping and stopping the guest. */
#include <stddef.h>

#include "features/gdb-stub/server.h"

/* Others may run when the guest is to stop: they see to it when they come out of guest code. */
static void hold_time(struct gdb *g, bool hold)
{
	struct vm *vm = g->vm;

	smp_lock(&vm->memory.code_lock);
	smp_stop_others(vm);
	for (unsigned i = 0; i < g->vm->nr_vcpus; i++) {
		struct vcpu *v = g->vm->vcpus[i];

		if (g->vm->engine->hold_time != NULL)
			g->vm->engine->hold_time(v, hold);
		/* Timers that came meanwhile have waited. */
		vcpu_kick(v, hold ? ATTN_DEBUG : ATTN_TIMER);
	}
	smp_resume_others(vm);
	smp_unlock(&vm->memory.code_lock);
}

void gdb_go(struct gdb *g, bool step)
{
	hold_time(g, false);
	g->stopped = g->vm->stopped = false;
	g->resuming = true;
	g->step = step;
}

/* Returns false if it was stopped already. */
static bool halt(struct gdb *g, enum gdb_signal signal)
{
	if (g->stopped)
		return false;
	g->stopped = g->vm->stopped = true;
	hold_time(g, true);
	console_flush(&g->vm->console);
	g->step = g->resuming = g->at_watchpoint = false;
	g->signal = signal;
	return true;
}

static void tell(struct gdb *g)
{
	if (!g->waiting)
		return;
	g->waiting = false;
	gdb_put_stop(g);
	gdb_send_packet(g);
}

void gdb_stop(struct gdb *g, enum gdb_signal signal)
{
	if (halt(g, signal))
		tell(g);
}

static void stop_at_watchpoint(struct gdb *g, uint64_t address)
{
	const struct gdb_point *p = gdb_watchpoint_at(g, address);

	if (!halt(g, GDB_SIGNAL_TRAP))
		return;
	if (p != NULL) {
		g->at_watchpoint = true;
		g->kind = p->kind;
		g->address = address;
	}
	tell(g);
}

/* Commands. The debugger hears of them again when the guest stops. */

static void resume(struct gdb *g, bool step)
{
	g->waiting = true;
	gdb_go(g, step);
}

void gdb_resume(struct gdb *g, struct gdb_scan *s, bool step, bool has_signal)
{
	uint64_t signal, pc;

	/* There are no signals to give to a guest. */
	if (has_signal && (!gdb_scan_number(s, &signal) || (gdb_scan_left(s) != 0 && !gdb_scan_text(s, ";")))) {
		gdb_put_text(&g->out, GDB_EINVAL);
		return;
	}
	if (gdb_scan_left(s) != 0) {
		if (!gdb_scan_number(s, &pc) || gdb_scan_left(s) != 0) {
			gdb_put_text(&g->out, GDB_EINVAL);
			return;
		}
		g->vm->engine->set_register(gdb_vcpu(g), 0, pc);
	}
	resume(g, step);
}

/* One action of vCont: a letter, a signal perhaps, and a thread perhaps. Returns false if it is malformed. */
static bool scan_action(const struct gdb *g, struct gdb_scan *s, bool *step)
{
	bool has_signal = false;
	uint64_t signal;
	unsigned vcpu;

	*step = false;
	if (gdb_scan_text(s, "s"))
		*step = true;
	else if (gdb_scan_text(s, "S"))
		*step = has_signal = true;
	else if (gdb_scan_text(s, "C"))
		has_signal = true;
	else if (!gdb_scan_text(s, "c"))
		return false;
	if (has_signal && !gdb_scan_number(s, &signal))
		return false;
	if (gdb_scan_text(s, ":") && !gdb_scan_thread(g, s, &vcpu))
		return false;
	return gdb_scan_left(s) == 0 || gdb_scan_text(s, ";");
}

/* For each thread the first action counts that names it or none. All vCPUs run together, so the first one is it. */
void gdb_resume_by_thread(struct gdb *g, struct gdb_scan *s)
{
	bool step = false, another, first = true;

	do {
		if (!scan_action(g, s, &another)) {
			gdb_put_text(&g->out, GDB_EINVAL);
			return;
		}
		step = first ? another : step;
		first = false;
	} while (gdb_scan_left(s) != 0);
	resume(g, step);
}

/* Running. */

/* Looks at what the engine reached. Returns true if the guest was stopped for it, or by another vCPU before. */
static bool take_event(struct gdb *g, struct vcpu *v)
{
	enum debug_event event = v->debug.event;

	v->debug.event = DEBUG_NOTHING;
	if (event == DEBUG_NOTHING)
		return false;
	vm_lock(g->vm);
	if (g->stopped) {
		/* It stands where it hits it again. */
	} else if (event == DEBUG_WATCHPOINT) {
		g->vcpu = v->id;
		stop_at_watchpoint(g, v->debug.address);
	} else {
		g->vcpu = v->id;
		gdb_stop(g, GDB_SIGNAL_TRAP);
	}
	vm_unlock(g->vm);
	return true;
}

/*
 * The instruction at which the guest was stopped: the breakpoint there has been seen, so has the watchpoint that it
 * hits, and no interrupt may come in between, or one that is always due would keep it from ever being executed.
 */
static enum engine_exit run_one(struct gdb *g, struct vcpu *v)
{
	enum engine_exit why;

	v->debug.hold_interrupts = true;
	v->debug.ignore_watchpoints = g->at_watchpoint;
	why = g->vm->engine->step(v);
	v->debug.hold_interrupts = v->debug.ignore_watchpoints = false;
	g->at_watchpoint = false;
	return why;
}

/* For engines that cannot stop at breakpoints: look at every instruction. */
static enum engine_exit run_comparing(struct gdb *g, struct vcpu *v)
{
	const struct engine *e = g->vm->engine;
	enum engine_exit why;

	do {
		if (gdb_is_breakpoint(g, e->get_register(v, 0))) {
			v->debug.event = DEBUG_BREAKPOINT;
			return ENGINE_ATTENTION;
		}
		why = e->step(v);
	} while (why == ENGINE_ATTENTION && vcpu_attention(v) == 0 && v->debug.event == DEBUG_NOTHING);
	return why;
}

/* What the debugger wants of this vCPU first. It is told when the guest stops again. */
enum first { NOTHING_FIRST, ONE_FIRST, ONE_ONLY };

static enum first take_first(struct gdb *g, const struct vcpu *v)
{
	enum first first;

	if (!g->resuming || v->id != g->vcpu)
		return NOTHING_FIRST;
	first = g->step ? ONE_ONLY : ONE_FIRST;
	g->resuming = g->step = false;
	return first;
}

static void end_step(struct gdb *g, const struct vcpu *v)
{
	vm_lock(g->vm);
	if (!g->stopped)
		g->vcpu = v->id;
	gdb_stop(g, GDB_SIGNAL_TRAP);
	vm_unlock(g->vm);
}

enum engine_exit gdb_run(struct gdb *g, struct vcpu *v)
{
	enum first first = NOTHING_FIRST;
	enum engine_exit why;
	bool stopped;

	vm_lock(g->vm);
	stopped = g->stopped;
	if (!stopped)
		first = take_first(g, v);
	vm_unlock(g->vm);
	if (stopped)
		return ENGINE_ATTENTION;
	if (first != NOTHING_FIRST) {
		why = run_one(g, v);
		if (take_event(g, v))
			return ENGINE_ATTENTION;
		if (first == ONE_ONLY) {
			end_step(g, v);
			return ENGINE_ATTENTION;
		}
		if (why != ENGINE_ATTENTION || vcpu_attention(v) != 0)
			return why;
	}
	why = gdb_has_to_compare(g) ? run_comparing(g, v) : g->vm->engine->run(v);
	return take_event(g, v) ? ENGINE_ATTENTION : why;
}
