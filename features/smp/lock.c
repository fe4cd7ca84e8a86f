/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks. The states are those of Drepper, "Futexes Are Tricky", mutex 2; who waits spins a little before it sleeps. */
#include "features/smp/smp.h"

#define SPINS 200u

static bool try(struct smp_lock *lock)
{
	uint32_t state = 0;

	return __atomic_compare_exchange_n(&lock->state, &state, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static bool spin(struct smp_lock *lock)
{
	for (unsigned n = 0; n < SPINS; n++) {
		if (__atomic_load_n(&lock->state, __ATOMIC_RELAXED) == 0 && try(lock))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

static void wait_for(struct smp_lock *lock)
{
	struct smp_vcpu *v = smp_cpu()->current;
	bool was_in = v != NULL && __atomic_load_n(&v->where, __ATOMIC_RELAXED) == SMP_IN;

	if (was_in)
		smp_hold(v);
	if (!spin(lock))
		while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE) != 0)
			plat_word_wait(&lock->state, 2);
	if (was_in)
		smp_come_back(v);
}

void smp_lock(struct smp_lock *lock)
{
	uint32_t self = plat_cpu() + 1;

	/* Only this CPU writes its own number there, and takes it away again. */
	if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == self) {
		lock->depth++;
		return;
	}
	if (!try(lock))
		wait_for(lock);
	__atomic_store_n(&lock->owner, self, __ATOMIC_RELAXED);
	lock->depth = 1;
}

void smp_unlock(struct smp_lock *lock)
{
	if (--lock->depth != 0)
		return;
	__atomic_store_n(&lock->owner, 0, __ATOMIC_RELAXED);
	if (__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2)
		plat_word_wake(&lock->state);
}

void smp_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
