/* SPDX-License-Identifier: BSD-2-Clause */
/* The vCPUs of one CPU in turn, by time: each runs until it waits or its turn is over. */
#include "features/smp/smp.h"

/* Long enough for the change to cost nothing, and no longer than a guest waits for an answer of another vCPU. */
#define TURN_NS 2000000u

void smp_switch(struct smp_cpu *cpu, struct smp_vcpu *v)
{
	if (cpu->current == v)
		return;
	__atomic_store_n(&cpu->current, v, __ATOMIC_SEQ_CST);
	plat_cpu_bind(&v->vcpu->attention);
}

bool smp_has_work(const struct smp_vcpu *v)
{
	return !v->idle || vcpu_attention(v->vcpu) != 0 || vcpu_stop_at(v->vcpu) <= v->vcpu->instructions;
}

static unsigned place_of(const struct smp_cpu *cpu, const struct smp_vcpu *v)
{
	unsigned n = 0;

	while (cpu->vcpus[n] != v)
		n++;
	return n;
}

struct smp_vcpu *smp_next_with_work(const struct smp_cpu *cpu)
{
	unsigned first = place_of(cpu, cpu->current) + 1;

	for (unsigned n = 0; n < cpu->nr_vcpus; n++) {
		struct smp_vcpu *v = cpu->vcpus[(first + n) % cpu->nr_vcpus];

		if (smp_has_work(v))
			return v;
	}
	return NULL;
}

void smp_raise_due(struct smp_cpu *cpu)
{
	uint64_t now = plat_time_ns();

	for (unsigned n = 0; n < cpu->nr_vcpus; n++) {
		struct smp_vcpu *v = cpu->vcpus[n];

		if (v->deadline > now)
			continue;
		v->deadline = TIMER_NEVER; /* until its timers were looked at */
		__atomic_fetch_or(&v->vcpu->attention, ATTN_TIMER, __ATOMIC_RELAXED);
	}
}

void smp_share_deadline(struct smp_cpu *cpu, bool others_wait)
{
	uint64_t first = others_wait ? cpu->turn_end : TIMER_NEVER;

	for (unsigned n = 0; n < cpu->nr_vcpus; n++)
		first = cpu->vcpus[n]->deadline < first ? cpu->vcpus[n]->deadline : first;
	if (first != cpu->armed || first <= plat_time_ns())
		plat_deadline_set(first);
	cpu->armed = first;
}

void smp_recheck_deadline(struct smp_vcpu *v)
{
	/* Where time is instructions, the host's is looked at between rounds only: a turn would end at each instruction. */
	if (v->cpu->nr_vcpus > 1 && !v->vcpu->vm->timer->by_instructions && v->cpu->armed <= plat_time_ns())
		__atomic_fetch_or(&v->vcpu->attention, ATTN_TIMER, __ATOMIC_RELAXED);
}

static unsigned count_with_work(const struct smp_cpu *cpu)
{
	unsigned count = 0;

	for (unsigned n = 0; n < cpu->nr_vcpus; n++)
		count += smp_has_work(cpu->vcpus[n]);
	return count;
}

/*
 * Chooses whose turn it is: the present one's as long as it has work and time. NULL: nobody has work. Whose timers are
 * due has work, too: it would wait for as long as the chosen one runs, if that was found out later.
 */
static struct smp_vcpu *choose(struct smp_cpu *cpu)
{
	struct smp_vcpu *chosen = cpu->current;
	uint64_t now;

	if (cpu->nr_vcpus == 1)
		return smp_has_work(chosen) ? chosen : NULL;
	smp_raise_due(cpu);
	now = plat_time_ns();
	if (!smp_has_work(chosen) || now >= cpu->turn_end) {
		chosen = smp_next_with_work(cpu);
		cpu->turn_end = now + TURN_NS;
	}
	smp_share_deadline(cpu, count_with_work(cpu) > 1);
	return chosen;
}

bool smp_shares_cpu(const struct vcpu *v)
{
	const struct smp_vcpu *self = v->smp;

	return self != NULL && self->cpu->nr_vcpus > 1;
}

void smp_end_turn(struct vcpu *v)
{
	struct smp_vcpu *self = v->smp;

	self->cpu->turn_end = 0;
	__atomic_fetch_or(&v->attention, ATTN_STOP, __ATOMIC_RELAXED);
}

static void give_turn(struct smp_cpu *cpu, struct smp_vcpu *v)
{
	smp_switch(cpu, v);
	if (v->idle)
		vcpu_idle_end(v->vcpu);
	v->idle = vcpu_turn(v->vcpu);
	if (v->idle && vcpu_idle_begin(v->vcpu))
		v->idle = false;
}

void smp_take_turns(struct smp_cpu *cpu)
{
	const struct vm *vm = cpu->smp->vm;

	while (!vm_is_requested(vm)) {
		struct smp_vcpu *v = choose(cpu);

		if (v != NULL)
			give_turn(cpu, v);
		else
			plat_wait(&cpu->current->vcpu->attention);
	}
}

/* One that comes later than what the host knows is found in time, by smp_share_deadline(). */
static void add_deadline(struct smp_vcpu *v, uint64_t deadline_ns)
{
	v->deadline = deadline_ns;
	if (deadline_ns >= v->cpu->armed)
		return;
	v->cpu->armed = deadline_ns;
	plat_deadline_set(deadline_ns);
}

void smp_deadline(struct vcpu *v, uint64_t deadline_ns)
{
	struct smp_vcpu *self = v->smp;

	if (self == NULL || (self->cpu == smp_cpu() && self->cpu->nr_vcpus == 1))
		plat_deadline_set(deadline_ns);
	else if (self->cpu == smp_cpu())
		add_deadline(self, deadline_ns);
	else
		vcpu_kick(v, ATTN_TIMER);
}
