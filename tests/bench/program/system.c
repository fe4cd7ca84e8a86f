/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel does for processes: system calls, signals, processes, page tables. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define CALLS    200u
#define SIGNALS  50u
#define SWITCHES 20u
#define PAGE     4096u
#define FAULTS   32u
#define MAPS     8u
#define MAP_SIZE 1048576u

static uint64_t null_call(void)
{
	uint64_t wrong = 0;
	long parent = syscall(SYS_getppid);

	for (unsigned i = 0; i < CALLS; i++)
		wrong += syscall(SYS_getppid) != parent;
	return CALLS - wrong;
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	signals += number == SIGUSR1;
}

static void signal_begin(void)
{
	struct sigaction action = { .sa_handler = count_signal };

	if (sigaction(SIGUSR1, &action, NULL) < 0)
		bench_fail("sigaction");
}

static uint64_t signal_once(void)
{
	pid_t self = getpid();

	signals = 0;
	for (unsigned i = 0; i < SIGNALS; i++)
		kill(self, SIGUSR1);
	return (uint64_t)signals;
}

static void signal_end(void)
{
	signal(SIGUSR1, SIG_DFL);
}

/* 1 if a child, which does child(), ends with status 7. */
static uint64_t fork_child(void (*child)(void))
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		bench_fail("fork");
	if (pid == 0)
		child();
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

static void child_exit(void)
{
	_exit(7);
}

static void child_exec(void)
{
	execl(bench_self, bench_self, "-e", "7", (char *)NULL);
	_exit(1);
}

static uint64_t fork_exit(void)
{
	return fork_child(child_exit);
}

static uint64_t fork_exec(void)
{
	return fork_child(child_exec);
}

/* --- a token that two processes pass to each other */

static int token_out, token_in;
static pid_t partner;

static void switch_begin(void)
{
	int there[2], back[2];
	unsigned char token;

	if (pipe(there) < 0 || pipe(back) < 0)
		bench_fail("pipe");
	partner = fork();
	if (partner < 0)
		bench_fail("fork");
	if (partner == 0) {
		close(there[1]);
		close(back[0]);
		while (read(there[0], &token, 1) == 1) {
			token++;
			if (write(back[1], &token, 1) != 1)
				break;
		}
		_exit(0);
	}
	close(there[0]);
	close(back[1]);
	token_out = there[1];
	token_in = back[0];
}

static uint64_t switch_once(void)
{
	unsigned char token = 0;

	for (unsigned i = 0; i < SWITCHES / 2; i++) {
		if (write(token_out, &token, 1) != 1 || read(token_in, &token, 1) != 1)
			bench_fail("pipe");
	}
	return token;
}

static void switch_end(void)
{
	close(token_out);
	close(token_in);
	waitpid(partner, NULL, 0);
}

/* --- page tables */

static unsigned char *pages;

static void fault_begin(void)
{
	pages = bench_allocate(FAULTS * PAGE);
	/* On a system with larger pages a fault would bring many at once. An error says that it has none. */
	(void)madvise(pages, FAULTS * PAGE, MADV_NOHUGEPAGE);
}

static uint64_t fault(void)
{
	uint64_t sum = 0;

	if (madvise(pages, FAULTS * PAGE, MADV_DONTNEED) < 0)
		bench_fail("madvise");
	for (unsigned i = 0; i < FAULTS; i++)
		sum += ++pages[(size_t)i * PAGE];
	return sum;
}

static void fault_end(void)
{
	bench_release(pages, FAULTS * PAGE);
}

static uint64_t map_unmap(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < MAPS; i++) {
		unsigned char *map = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (map == MAP_FAILED)
			bench_fail("mmap");
		map[MAP_SIZE / 2] = 1;
		sum += map[MAP_SIZE / 2];
		munmap(map, MAP_SIZE);
	}
	return sum;
}

const struct bench_item bench_system[] = {
	{ "null-call", BENCH_NS, CALLS, NULL, null_call, NULL, CALLS },
	{ "signal", BENCH_NS, SIGNALS, signal_begin, signal_once, signal_end, SIGNALS },
	{ "fork-exit", BENCH_US, 1, NULL, fork_exit, NULL, 1 },
	{ "fork-exec", BENCH_US, 1, NULL, fork_exec, NULL, 1 },
	{ "context-switch", BENCH_NS, SWITCHES, switch_begin, switch_once, switch_end, SWITCHES / 2 },
	{ "page-fault", BENCH_NS, FAULTS, fault_begin, fault, fault_end, FAULTS },
	{ "mmap-munmap", BENCH_NS, MAPS, NULL, map_unmap, NULL, MAPS },
	{ 0 },
};
