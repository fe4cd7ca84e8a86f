/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs are threads. Each has an attention word, a kernel timer that signals its own
 * thread, and sleeps on its word with a futex: the kernel compares the word again
 * before it sleeps, so a bit set at any moment, even by a signal handler just before
 * the system call, is never missed.
 */
#include "arch/x86_64/linux/host.h"

#include <asm/prctl.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/futex.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include <husk/log.h>

#include "arch/x86_64/linux/syscall.h"

#define NS_PER_S 1000000000u

static struct host_cpu cpus[HOST_MAX_CPUS];
static unsigned nr_cpus;

long host_cpu_init(unsigned number)
{
	struct host_cpu *cpu = &cpus[number];

	cpu->self = cpu;
	cpu->number = number;
	__atomic_store_n(&nr_cpus, number + 1, __ATOMIC_RELEASE); /* they start one after another */
	return linux_call3(__NR_arch_prctl, ARCH_SET_FS, (long)cpu, 0);
}

void host_futex_wait(const uint32_t *word, uint32_t expected)
{
	linux_call4(__NR_futex, (long)word, FUTEX_WAIT_PRIVATE, expected, 0);
}

void host_futex_wake(uint32_t *word)
{
	linux_call4(__NR_futex, (long)word, FUTEX_WAKE_PRIVATE, INT32_MAX, 0);
}

static long create_timer(struct host_cpu *cpu)
{
	struct sigevent event = {
		.sigev_value.sival_ptr = cpu,
		.sigev_signo = HOST_SIGNAL_DEADLINE,
		.sigev_notify = SIGEV_THREAD_ID,
	};

	event.sigev_notify_thread_id = (int)linux_call3(__NR_gettid, 0, 0, 0);
	return linux_call3(__NR_timer_create, CLOCK_MONOTONIC, (long)&event, (long)&cpu->timer);
}

void plat_cpu_bind(uint32_t *attention)
{
	struct host_cpu *cpu = host_cpu_self();

	__atomic_store_n(&cpu->attention, attention, __ATOMIC_RELEASE);
	if (!cpu->has_timer) {
		long error = create_timer(cpu);

		if (error < 0) {
			log_error("cannot create a timer (kernel error %ld): raise the limit 'ulimit -i'", -error);
			plat_exit(HUSK_EXIT_HOST);
		}
		cpu->has_timer = true;
	}
	if (cpu == &cpus[0])
		host_console_start(attention);
}

void plat_deadline_set(uint64_t deadline_ns)
{
	struct host_cpu *cpu = host_cpu_self();
	struct __kernel_itimerspec when = { 0 };

	if (!cpu->has_timer)
		return;
	if (deadline_ns != UINT64_MAX) {
		when.it_value.tv_sec = (int64_t)(deadline_ns / NS_PER_S);
		when.it_value.tv_nsec = (int64_t)(deadline_ns % NS_PER_S);
		if (deadline_ns == 0)
			when.it_value.tv_nsec = 1; /* all zeroes would disarm */
	}
	linux_call4(__NR_timer_settime, cpu->timer, TIMER_ABSTIME, (long)&when, 0);
}

/* CPU that a word belongs to, or NULL. */
static struct host_cpu *find_cpu(const uint32_t *attention)
{
	unsigned n = __atomic_load_n(&nr_cpus, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < n; i++)
		if (__atomic_load_n(&cpus[i].attention, __ATOMIC_ACQUIRE) == attention)
			return &cpus[i];
	return NULL;
}

void plat_wait(const uint32_t *attention)
{
	struct host_cpu *cpu = host_cpu_self();

	/* Before the kernel reads the word; plat_kick() has the two accesses in the opposite order. */
	__atomic_store_n(&cpu->sleeping, 1, __ATOMIC_SEQ_CST);
	host_futex_wait(attention, 0);
	__atomic_store_n(&cpu->sleeping, 0, __ATOMIC_RELAXED);
}

void plat_kick(uint32_t *attention, uint32_t bits)
{
	struct host_cpu *cpu;

	__atomic_fetch_or(attention, bits, __ATOMIC_SEQ_CST);
	/* A CPU that runs, above all the caller itself, needs no system call. */
	cpu = find_cpu(attention);
	if (cpu == NULL || __atomic_load_n(&cpu->sleeping, __ATOMIC_SEQ_CST) != 0)
		host_futex_wake(attention);
}

void host_cpu_attend(uint32_t bits)
{
	uint32_t *attention = __atomic_load_n(&cpus[0].attention, __ATOMIC_ACQUIRE);

	if (attention != NULL)
		__atomic_fetch_or(attention, bits, __ATOMIC_RELEASE);
}

void host_cpu_deadline(int number, void *info, void *context)
{
	const siginfo_t *si = info;
	struct host_cpu *cpu = si->si_value.sival_ptr;

	(void)number;
	(void)context;
	/* Anybody may send the signal; only the kernel's timer brings a CPU with it. It is the interrupted thread's,
	 * which sees the bit when it goes on: no need to wake it. */
	if (si->si_code == SI_TIMER)
		__atomic_fetch_or(cpu->attention, ATTN_TIMER, __ATOMIC_RELEASE);
}
