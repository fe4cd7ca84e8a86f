/* SPDX-License-Identifier: BSD-2-Clause */
/* A host with several CPUs for unit tests: threads of the build host, and its clock. */
#define _GNU_SOURCE
#include "tests/unit/fake_cpus.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <husk/platform.h>

unsigned fake_cpus = 1;

struct cpu {
	uint32_t *attention;
	uint64_t deadline;
};

static struct cpu cpus[FAKE_MAX_CPUS];
static __thread unsigned self;

static void futex(const uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

unsigned plat_cpus(void)
{
	return fake_cpus;
}

unsigned plat_cpu(void)
{
	return self;
}

struct start {
	unsigned number;
	void (*fn)(void *);
	void *argument;
};

static void *run(void *argument)
{
	struct start s = *(struct start *)argument;

	free(argument);
	self = s.number;
	s.fn(s.argument);
	return NULL;
}

int plat_cpu_start(unsigned n, void (*fn)(void *), void *argument)
{
	struct start *s = malloc(sizeof(*s));
	pthread_t thread;

	if (s == NULL)
		return -ENOMEM;
	*s = (struct start){ n, fn, argument };
	if (pthread_create(&thread, NULL, run, s) != 0)
		return -EAGAIN;
	pthread_detach(thread);
	return 0;
}

void plat_word_wait(const uint32_t *word, uint32_t expected)
{
	futex(word, FUTEX_WAIT_PRIVATE, expected, NULL);
}

void plat_word_wake(uint32_t *word)
{
	futex(word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL);
}

uint64_t plat_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void plat_cpu_bind(uint32_t *attention)
{
	__atomic_store_n(&cpus[self].attention, attention, __ATOMIC_RELEASE);
}

void plat_deadline_set(uint64_t deadline_ns)
{
	cpus[self].deadline = deadline_ns == 0 ? 1 : deadline_ns;
}

/* As a timer interrupt would, but only when the test's engine looks. */
void fake_cpu_look(void)
{
	struct cpu *c = &cpus[self];

	if (c->deadline == 0 || plat_time_ns() < c->deadline)
		return;
	c->deadline = 0;
	__atomic_fetch_or(c->attention, ATTN_TIMER, __ATOMIC_RELEASE);
}

void plat_wait(const uint32_t *attention)
{
	const struct cpu *c = &cpus[self];
	uint64_t now = plat_time_ns(), left = c->deadline > now ? c->deadline - now : 0;
	struct timespec timeout = { (time_t)(left / 1000000000u), (long)(left % 1000000000u) };

	if (c->deadline == 0 || c->deadline == UINT64_MAX)
		futex(attention, FUTEX_WAIT_PRIVATE, 0, NULL);
	else if (left != 0)
		futex(attention, FUTEX_WAIT_PRIVATE, 0, &timeout);
	fake_cpu_look();
}

void plat_kick(uint32_t *attention, uint32_t bits)
{
	__atomic_fetch_or(attention, bits, __ATOMIC_SEQ_CST);
	futex(attention, FUTEX_WAKE_PRIVATE, INT_MAX, NULL);
}

void *plat_pages_alloc(size_t bytes, size_t align)
{
	void *at = NULL;

	if (posix_memalign(&at, align < 4096 ? 4096 : align, bytes) != 0)
		return NULL;
	return memset(at, 0, bytes);
}

void *plat_ram_alloc(size_t bytes, size_t align)
{
	return plat_pages_alloc(bytes, align);
}

uint64_t plat_pages_free(void)
{
	return 0;
}

void plat_log_write(const void *buf, size_t size)
{
	fwrite(buf, 1, size, stderr);
}

void plat_console_write(const void *buf, size_t size)
{
	(void)buf;
	(void)size;
}

size_t plat_console_read(void *buf, size_t size)
{
	(void)buf;
	(void)size;
	return 0;
}

bool plat_console_eof(void)
{
	return false;
}

void plat_exit(enum husk_exit status)
{
	exit((int)status);
}
