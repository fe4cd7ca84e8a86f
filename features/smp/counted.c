/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All vCPUs in turn on one CPU, time being instructions. It is one time for all, and goes by for each of them by what any
 * of them executes: so it never goes backwards from one to the next, and a run is the same each time.
 */
#include <config/SMP_TURN.h>

#include "features/smp/smp.h"

/* Without SMP_ONE_CPU there is no SMP_TURN, and smp_start() refuses. */
#define TURN (CONFIG_SMP_TURN > 0 ? (uint64_t)CONFIG_SMP_TURN : 1000u)

static uint64_t time_of(const struct smp_vcpu *v)
{
	return v->vcpu->instructions + v->vcpu->passed;
}

/* vcpu_run_stops() takes it back; that is all there is to do. */
static void on_stop(struct vcpu_stop *stop)
{
	(void)stop;
}

static void execute(struct smp_cpu *cpu, struct smp_vcpu *v, uint64_t end)
{
	smp_switch(cpu, v);
	v->stop.reached = on_stop;
	vcpu_stop_set(v->vcpu, &v->stop, v->vcpu->instructions + (end - time_of(v)));
	v->idle = vcpu_turn(v->vcpu);
	v->vcpu->idles += v->idle;
	vcpu_stop_clear(v->vcpu, &v->stop);
}

/* Time goes by for a vCPU that has no turn, from match to match of its counters. */
static void pass(struct vcpu *v, uint64_t n)
{
	const struct timer_model *timer = v->vm->timer;

	while (n > 0) {
		uint64_t match = timer->until_match(v), part = match < n ? match : n;

		timer->pass(v, part);
		n -= part;
		if (part == match)
			vcpu_run_stops(v);
	}
}

static void take_turn(struct smp_cpu *cpu, struct smp_vcpu *v)
{
	const struct vm *vm = cpu->smp->vm;
	uint64_t start = time_of(v), end = start + TURN;

	while (smp_has_work(v) && time_of(v) < end && !vm_is_requested(vm) && !vm->stopped)
		execute(cpu, v, end);
	for (unsigned n = 0; n < cpu->nr_vcpus; n++)
		if (cpu->vcpus[n] != v)
			pass(cpu->vcpus[n]->vcpu, time_of(v) - start);
}

/* Nobody has work: goes on to the first match of a counter. Returns false if there will be none. */
static bool go_to_match(const struct smp_cpu *cpu)
{
	uint64_t left = UINT64_MAX;

	for (unsigned n = 0; n < cpu->nr_vcpus; n++) {
		uint64_t match = cpu->smp->vm->timer->until_match(cpu->vcpus[n]->vcpu);

		left = match < left ? match : left;
	}
	for (unsigned n = 0; n < cpu->nr_vcpus && left != UINT64_MAX; n++)
		pass(cpu->vcpus[n]->vcpu, left);
	return left != UINT64_MAX;
}

void smp_take_counted_turns(struct smp_cpu *cpu)
{
	const struct vm *vm = cpu->smp->vm;

	while (!vm_is_requested(vm)) {
		struct smp_vcpu *v;

		/* By vCPU 0 a debugger lets the guest go on. */
		if (vm->stopped) {
			smp_switch(cpu, cpu->vcpus[0]);
			vcpu_turn(cpu->vcpus[0]->vcpu);
			continue;
		}
		smp_raise_due(cpu); /* timers of devices, whose time is the host's */
		smp_share_deadline(cpu, false);
		v = smp_next_with_work(cpu);
		if (v != NULL)
			take_turn(cpu, v);
		else if (!go_to_match(cpu))
			plat_wait(&cpu->current->vcpu->attention);
	}
}
