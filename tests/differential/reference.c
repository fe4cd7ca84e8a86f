/* SPDX-License-Identifier: BSD-2-Clause */
/* The reference: QEMU's user mode emulation, as a child process with its files in memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/differential/outcome.h"

#define SECONDS 60u /* a program that takes longer hangs */

static void give_up(const char *what)
{
	fprintf(stderr, "differential: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int memory_file(const char *name, unsigned flags)
{
	int fd = memfd_create(name, flags);

	if (fd < 0)
		give_up("memfd_create");
	return fd;
}

static void write_all(int fd, const uint8_t *bytes, uint64_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n <= 0)
			give_up("writing a program");
		bytes += n;
		size -= (uint64_t)n;
	}
}

_Noreturn static void child(const struct variant *v, int program, int out)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", program);
	dup2(out, STDOUT_FILENO);
	alarm(SECONDS);
	execlp(v->qemu, v->qemu, "-cpu", v->cpu, path, (char *)NULL);
	fprintf(stderr, "%s: %s (package qemu-user)\n", v->qemu, strerror(errno));
	_exit(127);
}

static void take_states(struct outcome *o, const struct image *image, int out)
{
	uint64_t size = (uint64_t)lseek(out, 0, SEEK_END);

	o->nr_states = (unsigned)(size / sizeof(struct state));
	if (o->nr_states > image->nr_runs)
		o->nr_states = image->nr_runs;
	size = o->nr_states * sizeof(struct state);
	o->states = malloc(size + 1);
	if (o->states == NULL || pread(out, o->states, size, 0) != (ssize_t)size)
		give_up("reading states");
	swap_words(image->variant, (uint64_t *)(void *)o->states, o->nr_states * STATE_WORDS);
}

struct outcome reference_run(const struct image *image)
{
	int program = memory_file("program", 0), out = memory_file("states", MFD_CLOEXEC), status;
	struct outcome o = { 0 };
	pid_t pid;

	write_all(program, image->file, image->size);
	fchmod(program, 0700);
	pid = fork();
	if (pid < 0)
		give_up("fork");
	if (pid == 0)
		child(image->variant, program, out);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			give_up("waitpid");
	if (WIFSIGNALED(status))
		snprintf(o.failure, sizeof(o.failure), "ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		snprintf(o.failure, sizeof(o.failure), "ended with status %d", WEXITSTATUS(status));
	take_states(&o, image, out);
	close(program);
	close(out);
	return o;
}
