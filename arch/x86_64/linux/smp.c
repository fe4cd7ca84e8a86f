/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that run vCPUs, beside the first. */
#include <errno.h>

#include <config/SMP_PIN.h>
#include <husk/feature.h>
#include <husk/log.h>

#include "arch/x86_64/linux/host.h"
#include "arch/x86_64/linux/syscall.h"

#define WORD_BITS 64u
/* CPUs that the kernel may have, by the size of its set. */
#define SET_WORDS 128u

/** What a new CPU is to do. */
struct start {
	unsigned number;
	void (*fn)(void *argument);
	void *argument;
	uint32_t ready; /**< 1 when it is a CPU, 2 when it cannot be; waited for */
};

HUSK_FEATURE(host_linux_smp) = {
	.name = "host-linux-smp",
	.purpose = "a thread for each vCPU",
	.level = FEATURE_HOST,
};

unsigned plat_cpus(void)
{
	return HOST_MAX_CPUS;
}

unsigned plat_cpu(void)
{
	return host_cpu_self()->number;
}

static bool is_set(const uint64_t *set, unsigned n)
{
	return (set[n / WORD_BITS] >> n % WORD_BITS & 1) != 0;
}

/* The n-th CPU of the set, counted over and over. */
static unsigned nth(const uint64_t *set, unsigned size, unsigned n)
{
	unsigned count = 0, at = 0;

	for (unsigned i = 0; i < size; i++)
		count += is_set(set, i);
	if (count == 0)
		return 0;
	for (n %= count;; at++)
		if (is_set(set, at) && n-- == 0)
			return at;
}

/* Keeps the calling thread on the CPU of the host that is its own among those that the process may use. */
static void pin(const uint64_t *allowed, unsigned bits, unsigned number)
{
	uint64_t set[SET_WORDS] = { 0 };
	unsigned cpu = nth(allowed, bits, number);

	set[cpu / WORD_BITS] = (uint64_t)1 << cpu % WORD_BITS;
	linux_call3(__NR_sched_setaffinity, 0, sizeof(set), (long)set);
}

/* The first CPU pins itself when it starts the second: those that it starts inherit what it may use. */
static uint64_t allowed[SET_WORDS];
static unsigned allowed_bits;

static void find_allowed(void)
{
	long bytes = linux_call3(__NR_sched_getaffinity, 0, sizeof(allowed), (long)allowed);

	allowed_bits = bytes > 0 ? 8 * (unsigned)bytes : 0;
	if (allowed_bits != 0)
		pin(allowed, allowed_bits, 0);
}

static void run(void *argument)
{
	struct start *s = argument;
	void (*fn)(void *) = s->fn;
	void *own = s->argument;
	unsigned number = s->number;
	bool ok = host_cpu_init(number) >= 0;

	/* Deadlines are this thread's; all other signals stay with the first. */
	host_signals_restore(host_signals_all() & ~host_signal_bit(HOST_SIGNAL_DEADLINE));
	__atomic_store_n(&s->ready, ok ? 1 : 2, __ATOMIC_RELEASE);
	host_futex_wake(&s->ready); /* s may be gone now: a wake for nobody */
	if (!ok)
		return;
	if (CONFIG_SMP_PIN && allowed_bits != 0)
		pin(allowed, allowed_bits, number);
	fn(own);
}

int plat_cpu_start(unsigned n, void (*fn)(void *argument), void *argument)
{
	struct start s = { .number = n, .fn = fn, .argument = argument };

	if (CONFIG_SMP_PIN && n == 1)
		find_allowed();
	if (host_thread_start("a vCPU", run, &s) < 0)
		return -ENOMEM;
	while (__atomic_load_n(&s.ready, __ATOMIC_ACQUIRE) == 0)
		host_futex_wait(&s.ready, 0);
	if (s.ready == 1)
		return 0;
	log_error("the kernel refuses a thread pointer for vCPU %u", n);
	return -ENOMEM;
}

void plat_word_wait(const uint32_t *word, uint32_t expected)
{
	host_futex_wait(word, expected);
}

void plat_word_wake(uint32_t *word)
{
	host_futex_wake(word);
}
