/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads, futexes and events of the host `linux` for unit tests: those of the build host's C library. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/x86_64/linux/host.h"
#include "tests/unit/fake_threads.h"

uint32_t fake_io_events;

struct start {
	void (*fn)(void *);
	void *argument;
};

static void *run(void *argument)
{
	struct start s = *(struct start *)argument;

	free(argument);
	s.fn(s.argument);
	return NULL;
}

long host_thread_start(const char *what, void (*fn)(void *), void *argument)
{
	struct start *s = malloc(sizeof(*s));
	pthread_t thread;

	(void)what;
	if (s == NULL)
		return -ENOMEM;
	*s = (struct start){ fn, argument };
	if (pthread_create(&thread, NULL, run, s) != 0)
		return -EAGAIN;
	pthread_detach(thread);
	return 1;
}

void host_futex_wait(const uint32_t *word, uint32_t expected)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

void host_futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* One for all locks: no test holds two. */
void host_lock(struct host_lock *lock)
{
	(void)lock;
	pthread_mutex_lock(&mutex);
}

void host_unlock(struct host_lock *lock)
{
	(void)lock;
	pthread_mutex_unlock(&mutex);
}

long host_io_watch(int fd)
{
	return fcntl(fd, F_SETFL, O_NONBLOCK);
}

uint32_t host_io_events(void)
{
	return fake_io_events;
}
