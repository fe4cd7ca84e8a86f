/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All cores enter a kernel at the same time, and those that are not the first spin until it calls them, and then have
 * 10 ms to answer: on a host with fewer CPUs, or with other things to do, spinning takes most of the time away from the
 * first one, and from those that are to answer. So they are let go when it makes ready for that, by clearing mailboxes,
 * or when as much time has passed as a slow boot loader might have taken to start them; and then they sleep most of the
 * time while they go nowhere. Hosts are quick to run a thread that has slept.
 */
#include "features/machine-octeon/cores.h"

#include <stddef.h>

#include "arch/mips64/guest/cpu.h"

#define HOLD_NS  1000000000u
#define SLEEP_NS 2000000u
#define LOOK_NS  50000u
/* The loop of a core that waits to be called is shorter, in bytes. */
#define LOOP 64u

/* So often in a row it may be elsewhere at the end of a look: on the way to that loop. */
#define MOVES 4u

static void arm(struct octeon_core *core, uint64_t ns)
{
	core->pc = mips_cpu(core->vcpu)->pc;
	timer_arm(core->vcpu, &core->timer, plat_time_ns() + ns);
}

/* It has slept, or looked around. One that waits by itself, or has gone elsewhere for good, was called. */
static void on_timer(struct timer *t)
{
	struct octeon_core *core = (struct octeon_core *)(void *)((char *)t - offsetof(struct octeon_core, timer));
	struct mips_cpu *c = mips_cpu(core->vcpu);

	if (core->asleep) {
		core->asleep = c->waiting = false;
		arm(core, LOOK_NS);
	} else if (c->waiting) {
		return;
	} else if (c->pc - core->pc + LOOP < 2 * LOOP) {
		core->asleep = c->waiting = true; /* as behind WAIT, with interrupts off */
		core->moves = 0;
		arm(core, SLEEP_NS);
	} else if (++core->moves < MOVES) {
		arm(core, LOOK_NS);
	}
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
	for (unsigned n = 1; n < vm->nr_vcpus; n++) {
		struct octeon_core *core = &c->cores[n];

		core->vcpu = vm->vcpus[n];
		core->timer.fire = on_timer;
		core->moves = 0;
		core->asleep = mips_cpu(core->vcpu)->waiting = true;
	}
	c->release.fire = on_release;
	timer_arm(vm->vcpus[0], &c->release, plat_time_ns() + HOLD_NS);
}
