/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads beside the CPUs, and locks between them. */
#include "arch/x86_64/linux/host.h"

#include <linux/sched.h>

#include <husk/log.h>

#include "arch/x86_64/linux/syscall.h"

#define THREAD_STACK ((size_t)64 << 10)

/** What a new thread finds at the top of its stack. */
struct start {
	void (*fn)(void *);
	void *argument;
};

static void run(void *argument)
{
	const struct start *s = argument;

	host_signal_stack();
	s->fn(s->argument);
}

long host_thread_start(const char *what, void (*fn)(void *), void *argument)
{
	const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	struct start *s = host_stack_alloc(THREAD_STACK);
	host_signals before;
	long id = -LINUX_ENOMEM;

	if (s != NULL) {
		*--s = (struct start){ .fn = fn, .argument = argument };
		before = host_signals_block(host_signals_all()); /* inherited */
		id = host_clone(flags, s, run, s);
		host_signals_restore(before);
	}
	if (id < 0)
		log_error("cannot start a thread for %s (kernel error %ld): raise the limit 'ulimit -u'", what, -id);
	return id;
}

/* The states are those of Drepper, "Futexes Are Tricky", mutex 2. */
void host_lock(struct host_lock *lock)
{
	uint32_t state = 0;

	if (__atomic_compare_exchange_n(&lock->state, &state, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE) != 0)
		host_futex_wait(&lock->state, 2);
}

void host_unlock(struct host_lock *lock)
{
	if (__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2)
		host_futex_wake(&lock->state);
}
