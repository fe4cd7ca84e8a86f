/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All cores enter a kernel at the same time, and those that are not the first spin until it calls them: on a host with
 * fewer CPUs, or with other things to do, that takes most of the time away from the first one. So they are let go when
 * it makes ready for that, by clearing mailboxes, or when as much time has passed as a slow boot loader might have taken
 * to start them; and then they sleep most of the time while they go nowhere.
 *
 * Who is called has 10,000 of the first one's delays of 1 us to answer. So the first one does not run for longer than a
 * part of that while the host leaves one that wants to look without a CPU: it pauses until each has looked.
 */
#include "features/machine-octeon/cores.h"

#include <stddef.h>

#include "arch/mips64/guest/cpu.h"
#include "arch/mips64/guest/cp0.h"

#define HOLD_NS  1000000000u
#define SLEEP_NS 2000000u
#define LOOK_NS  50000u
#define WATCH_NS 3000000u
#define PAUSE_NS 500000u
/* The loop of a core that waits to be called is shorter, in bytes. */
#define LOOP 64u

/* So often in a row it may be elsewhere at the end of a look: on the way to that loop. */
#define MOVES 4u

/* --- those that are called */

static void arm(struct octeon_core *core, uint64_t ns)
{
	core->pc = mips_cpu(core->vcpu)->pc;
	timer_arm(core->vcpu, &core->timer, plat_time_ns() + ns);
}

/* The end of a look: one that waits by itself, or has gone elsewhere for good, was called. */
static void end_look(struct octeon_core *core, struct mips_cpu *c)
{
	core->looked = true;
	if (!c->waiting && c->pc - core->pc + LOOP < 2 * LOOP) {
		core->asleep = c->waiting = true; /* as behind WAIT, with interrupts off */
		core->moves = 0;
		arm(core, SLEEP_NS);
	} else if (!c->waiting && ++core->moves < MOVES) {
		arm(core, LOOK_NS);
	} else {
		core->gone = true;
	}
}

static void on_timer(struct timer *t)
{
	struct octeon_core *core = (struct octeon_core *)(void *)((char *)t - offsetof(struct octeon_core, timer));
	struct mips_cpu *c = mips_cpu(core->vcpu);

	if (!core->asleep) {
		end_look(core, c);
		return;
	}
	core->asleep = c->waiting = false;
	arm(core, LOOK_NS);
}

/* --- the one that calls */

static bool are_all_gone(const struct octeon_cores *c)
{
	for (unsigned n = 1; n < c->vm->nr_vcpus; n++)
		if (!c->cores[n].gone)
			return false;
	return true;
}

static bool have_all_looked(const struct octeon_cores *c)
{
	for (unsigned n = 1; n < c->vm->nr_vcpus; n++)
		if (!c->cores[n].gone && !c->cores[n].looked)
			return false;
	return true;
}

static void watch(struct octeon_cores *c, uint64_t ns)
{
	timer_arm(c->vm->vcpus[0], &c->watch, plat_time_ns() + ns);
}

/* As behind WAIT, but only where an interrupt would go on: the kernel has not stopped. */
static void pause(struct octeon_cores *c, struct mips_cpu *first)
{
	if (!first->waiting && (first->cp0.status & (STATUS_IE | STATUS_EXL | STATUS_ERL)) == STATUS_IE &&
	    (first->cp0.status & STATUS_IM) != 0)
		c->paused = first->waiting = true;
	watch(c, PAUSE_NS);
}

static void on_watch(struct timer *t)
{
	struct octeon_cores *c = (struct octeon_cores *)(void *)((char *)t - offsetof(struct octeon_cores, watch));
	struct mips_cpu *first = mips_cpu(c->vm->vcpus[0]);

	if (!have_all_looked(c)) {
		pause(c, first);
		return;
	}
	if (c->paused)
		c->paused = first->waiting = false;
	for (unsigned n = 1; n < c->vm->nr_vcpus; n++)
		c->cores[n].looked = false;
	if (!are_all_gone(c))
		watch(c, WATCH_NS);
}

void octeon_cores_release(struct octeon_cores *c)
{
	struct vm *vm = c->vm;

	if (!c->held)
		return;
	c->held = false;
	timer_disarm(vm->vcpus[0], &c->release);
	for (unsigned n = 1; n < vm->nr_vcpus; n++)
		arm(&c->cores[n], 0);
	watch(c, WATCH_NS);
}

static void on_release(struct timer *t)
{
	octeon_cores_release((struct octeon_cores *)(void *)((char *)t - offsetof(struct octeon_cores, release)));
}

/* Where time is instructions, the host's must not decide anything. */
void octeon_cores_hold(struct octeon_cores *c, struct vm *vm)
{
	c->vm = vm;
	c->held = vm->nr_vcpus > 1 && !vm->timer->by_instructions;
	if (!c->held)
		return;
	c->paused = false;
	c->watch.fire = on_watch;
	for (unsigned n = 1; n < vm->nr_vcpus; n++) {
		struct octeon_core *core = &c->cores[n];

		core->vcpu = vm->vcpus[n];
		core->timer.fire = on_timer;
		core->moves = 0;
		core->gone = core->looked = false;
		core->asleep = mips_cpu(core->vcpu)->waiting = true;
	}
	c->release.fire = on_release;
	timer_arm(vm->vcpus[0], &c->release, plat_time_ns() + HOLD_NS);
}
