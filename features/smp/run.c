/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUs: which vCPUs they run, how they start, stop for what the VM was asked, and how vCPUs are kicked. */
#include <errno.h>

#include <config/SMP_ONE_CPU.h>
#include <husk/feature.h>
#include <husk/log.h>

#include "features/smp/smp.h"

/* As the host's: there is one of each. */
static struct smp_cpu cpus[VM_MAX_VCPUS];

struct smp_cpu *smp_cpu(void)
{
	return &cpus[plat_cpu()];
}

struct smp_cpu *smp_cpu_at(unsigned number)
{
	return &cpus[number];
}

static void run_here(struct smp_cpu *cpu)
{
	for (unsigned n = 0; n < cpu->nr_vcpus; n++)
		vcpu_kick(cpu->vcpus[n]->vcpu, ATTN_TIMER); /* what was armed elsewhere */
	if (cpu->smp->vm->timer->by_instructions)
		smp_take_counted_turns(cpu);
	else
		smp_take_turns(cpu);
}

/* All but the first CPU. */
static void run_rounds(void *argument)
{
	struct smp_cpu *cpu = argument;
	struct smp *smp = cpu->smp;

	smp_switch(cpu, cpu->vcpus[0]);
	for (uint32_t round = 0;; round++) {
		while (__atomic_load_n(&smp->round, __ATOMIC_ACQUIRE) == round)
			plat_word_wait(&smp->round, round);
		run_here(cpu);
		if (__atomic_sub_fetch(&smp->running, 1, __ATOMIC_RELEASE) == 0)
			plat_word_wake(&smp->running);
	}
}

void smp_run(struct vm *vm)
{
	struct smp *smp = vm->smp;
	uint32_t left;

	__atomic_store_n(&smp->running, smp->nr_cpus - 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&smp->round, 1, __ATOMIC_RELEASE);
	plat_word_wake(&smp->round);
	run_here(&cpus[0]);
	while ((left = __atomic_load_n(&smp->running, __ATOMIC_ACQUIRE)) != 0)
		plat_word_wait(&smp->running, left);
}

static void assign(struct smp *smp)
{
	for (unsigned n = 0; n < smp->vm->nr_vcpus; n++) {
		struct smp_cpu *cpu = &cpus[n % smp->nr_cpus];
		struct smp_vcpu *v = &smp->vcpus[n];

		*v = (struct smp_vcpu){ .vcpu = smp->vm->vcpus[n], .cpu = cpu, .deadline = TIMER_NEVER };
		cpu->smp = smp;
		cpu->number = n % smp->nr_cpus;
		cpu->armed = TIMER_NEVER;
		cpu->vcpus[cpu->nr_vcpus++] = v;
		v->vcpu->smp = v;
	}
}

static int check_timers(const struct smp *smp)
{
	if (!smp->vm->timer->by_instructions || smp->nr_cpus == 1)
		return 0;
	log_error("time that goes by instructions needs all vCPUs on one CPU: select SMP_ONE_CPU");
	return -EINVAL;
}

int smp_start(struct vm *vm)
{
	unsigned most = CONFIG_SMP_ONE_CPU ? 1 : plat_cpus();
	struct smp *smp = plat_pages_alloc(sizeof(*smp), GUEST_PAGE_SIZE);
	int err;

	if (smp == NULL) {
		log_error("the host has no memory to run several vCPUs");
		return -ENOMEM;
	}
	smp->vm = vm;
	smp->nr_cpus = vm->nr_vcpus < most ? vm->nr_vcpus : most;
	vm->smp = smp;
	assign(smp);
	smp_switch(&cpus[0], cpus[0].vcpus[0]);
	err = check_timers(smp);
	for (unsigned n = 1; n < smp->nr_cpus && err == 0; n++)
		err = plat_cpu_start(n, run_rounds, &cpus[n]);
	return err;
}

/*
 * A vCPU that has no turn now is made one that has something to do, and its CPU told. The CPU may change to another
 * vCPU in between: it looks at all words after it did.
 */
void vcpu_kick(struct vcpu *v, uint32_t bits)
{
	const struct smp_vcpu *self = v->smp;
	struct smp_vcpu *current;

	plat_kick(&v->attention, bits);
	if (self == NULL || self->cpu->nr_vcpus == 1)
		return;
	current = __atomic_load_n(&self->cpu->current, __ATOMIC_SEQ_CST);
	if (current != NULL && current != self) /* NULL: it has just been started */
		plat_kick(&current->vcpu->attention, ATTN_STOP);
}

HUSK_FEATURE(smp) = {
	.name = "smp",
	.purpose = "several vCPUs on several CPUs, or in turn",
	.level = FEATURE_HOST,
};
