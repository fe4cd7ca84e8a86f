/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All vCPUs in turn on one CPU, time being instructions. It is one time for all: in each round every vCPU comes to the
 * same point of it, by executing or by waiting. So a run is the same each time.
 */
#include <config/SMP_TURN.h>

#include "features/smp/smp.h"

/* Without SMP_ONE_CPU there is no SMP_TURN, and smp_start() refuses. */
#define TURN (CONFIG_SMP_TURN > 0 ? (uint64_t)CONFIG_SMP_TURN : 1000u)

static uint64_t time_of(const struct smp_vcpu *v)
{
	return v->vcpu->instructions + v->vcpu->passed;
}

static bool has_work(const struct smp_vcpu *v)
{
	return !v->idle || vcpu_attention(v->vcpu) != 0 || vcpu_stop_at(v->vcpu) <= v->vcpu->instructions;
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

/* Brings a vCPU to a point in time. */
static void bring(struct smp_cpu *cpu, struct smp_vcpu *v, uint64_t end)
{
	const struct vm *vm = cpu->smp->vm;

	while (time_of(v) < end && !vm_is_requested(vm) && !vm->stopped) {
		uint64_t left = end - time_of(v), match = vm->timer->until_match(v->vcpu);

		if (has_work(v))
			execute(cpu, v, end);
		else
			vm->timer->pass(v->vcpu, match < left ? match : left);
	}
}

/*
 * The end of the next round; if nobody has work, of the one in which the first timer matches, UINT64_MAX if none will.
 * Rounds end at multiples of a turn, however often somebody looked whether there is work.
 */
static uint64_t end_of_round(const struct smp_cpu *cpu, uint64_t start)
{
	uint64_t left = UINT64_MAX;

	for (unsigned n = 0; n < cpu->nr_vcpus; n++) {
		struct smp_vcpu *v = cpu->vcpus[n];
		uint64_t match = cpu->smp->vm->timer->until_match(v->vcpu);

		if (has_work(v))
			match = 1;
		left = match < left ? match : left;
	}
	if (left == 0)
		left = 1;
	return left < UINT64_MAX - start - TURN ? ((start + left - 1) / TURN + 1) * TURN : UINT64_MAX;
}

/* The latest of all: one may be an instruction ahead, as a branch and its delay slot are executed together. */
static uint64_t now(const struct smp_cpu *cpu)
{
	uint64_t latest = 0;

	for (unsigned n = 0; n < cpu->nr_vcpus; n++)
		latest = time_of(cpu->vcpus[n]) > latest ? time_of(cpu->vcpus[n]) : latest;
	return latest;
}

void smp_take_counted_turns(struct smp_cpu *cpu)
{
	const struct vm *vm = cpu->smp->vm;

	while (!vm_is_requested(vm)) {
		uint64_t end;

		/* By vCPU 0 a debugger lets the guest go on. */
		if (vm->stopped) {
			smp_switch(cpu, cpu->vcpus[0]);
			vcpu_turn(cpu->vcpus[0]->vcpu);
			continue;
		}
		smp_share_deadline(cpu, false); /* of devices, whose time is the host's */
		end = end_of_round(cpu, now(cpu));
		if (end == UINT64_MAX) {
			plat_wait(&cpu->current->vcpu->attention);
			continue;
		}
		for (unsigned n = 0; n < cpu->nr_vcpus; n++)
			bring(cpu, cpu->vcpus[n], end);
	}
}
