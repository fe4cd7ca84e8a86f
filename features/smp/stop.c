/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stopping vCPUs. Who enters guest code says so and then looks whether it may; who stops others says so and then looks
 * where they are: one of the two sees the other.
 */
#include "features/smp/smp.h"

#define SPINS 2000u

static uint32_t where_is(const struct smp_vcpu *v)
{
	return __atomic_load_n(&v->where, __ATOMIC_SEQ_CST);
}

static bool is_stopping(const struct smp *smp)
{
	return __atomic_load_n(&smp->stopping, __ATOMIC_SEQ_CST) != 0;
}

static struct smp *smp_of(const struct smp_vcpu *v)
{
	return v->cpu->smp;
}

static void leave_to(struct smp_vcpu *v, enum smp_where where)
{
	struct smp *smp = smp_of(v);

	__atomic_store_n(&v->where, where, __ATOMIC_SEQ_CST);
	if (is_stopping(smp)) {
		__atomic_fetch_add(&smp->changes, 1, __ATOMIC_SEQ_CST);
		plat_word_wake(&smp->changes);
	}
}

/* Goes in; while others stop it, it is `meanwhile`. */
static void go_in(struct smp_vcpu *v, enum smp_where meanwhile)
{
	struct smp *smp = smp_of(v);

	__atomic_store_n(&v->where, SMP_IN, __ATOMIC_SEQ_CST);
	while (is_stopping(smp)) {
		leave_to(v, meanwhile);
		plat_word_wait(&smp->stopping, 1);
		__atomic_store_n(&v->where, SMP_IN, __ATOMIC_SEQ_CST);
	}
}

void smp_enter(struct vcpu *v)
{
	struct smp_vcpu *self = v->smp;

	go_in(self, SMP_OUT);
	smp_recheck_deadline(self);
}

void smp_leave(struct vcpu *v)
{
	leave_to(v->smp, SMP_OUT);
}

void smp_hold(struct smp_vcpu *v)
{
	leave_to(v, SMP_HELD);
}

/* The lock that it waited for may be the one that a stop goes with: then nobody is stopped. */
void smp_come_back(struct smp_vcpu *v)
{
	go_in(v, SMP_HELD);
}

static void wait_until_out(struct smp *smp, struct smp_vcpu *v)
{
	bool kicked = false;

	for (unsigned spins = 0; where_is(v) == SMP_IN; spins++) {
		uint32_t seen = __atomic_load_n(&smp->changes, __ATOMIC_SEQ_CST);

		if (!kicked)
			vcpu_kick(v->vcpu, ATTN_STOP);
		kicked = true;
		if (spins < SPINS)
			__builtin_ia32_pause();
		else if (where_is(v) == SMP_IN)
			plat_word_wait(&smp->changes, seen);
	}
}

bool smp_stop_others(struct vm *vm)
{
	struct smp *smp = vm->smp;
	const struct smp_vcpu *self;
	bool out = true;

	if (smp == NULL)
		return true;
	self = smp_cpu()->current;
	if (smp->depth++ == 0)
		__atomic_store_n(&smp->stopping, 1, __ATOMIC_SEQ_CST);
	for (unsigned n = 0; n < vm->nr_vcpus; n++) {
		struct smp_vcpu *v = &smp->vcpus[n];

		if (v == self)
			continue;
		wait_until_out(smp, v);
		out &= where_is(v) == SMP_OUT;
	}
	return out;
}

void smp_resume_others(struct vm *vm)
{
	struct smp *smp = vm->smp;

	if (smp == NULL || --smp->depth != 0)
		return;
	__atomic_store_n(&smp->stopping, 0, __ATOMIC_SEQ_CST);
	plat_word_wake(&smp->stopping);
}

bool smp_is_own(const struct vcpu *v)
{
	return v->smp == NULL || smp_cpu()->current == v->smp;
}
