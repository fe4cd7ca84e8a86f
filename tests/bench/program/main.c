/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The benchmark program: measures items and prints a line `NAME VALUE UNIT` for each. The value is that of the
 * fastest of several batches: other load on the computer can only make a batch slower.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* In the time of an item. Many and short: on a loaded computer, some then have the CPU to themselves. */
#define BATCHES          200
#define BATCHES_AT_LEAST 5
#define DEFAULT_SECONDS  0.4
/* Repetitions of an item that is only checked. */
#define CHECKED 2

struct options {
	/* Time to measure an item; 0 to check it only, in so many repetitions. */
	double seconds;
	uint64_t repetitions;
	bool list, exact, command;
};

static const struct bench_item *const groups[] = {
	bench_integer, bench_calls, bench_float, bench_memory, bench_transfer, bench_system, bench_codegen,
};

static const struct {
	const char *name;
	bool higher_is_better;
} units[] = {
	[BENCH_NS] = { "ns", false },
	[BENCH_US] = { "us", false },
	[BENCH_MB_S] = { "MB/s", true },
	[BENCH_MFLOP_S] = { "MFLOP/s", true },
};

const char *bench_folder = "/dev/shm";
const char *bench_self;

static char program[4096];

void bench_fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* As malloc() does, with a page more: two memories of 2 MB then do not lie exactly 2 MB apart. */
static size_t with_gap(size_t size)
{
	return size + 4096;
}

void *bench_allocate(size_t size)
{
	void *memory = mmap(NULL, with_gap(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		bench_fail("mmap");
	memset(memory, 1, size);
	return memory;
}

void bench_release(void *memory, size_t size)
{
	munmap(memory, with_gap(size));
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds of `count` repetitions; false if one has the wrong checksum. */
static bool batch(const struct bench_item *item, uint64_t count, double *seconds)
{
	double start = now();

	for (uint64_t i = 0; i < count; i++) {
		uint64_t checksum = item->once();

		if (checksum != item->checksum) {
			printf("%s WRONG: checksum %" PRIu64 ", not %" PRIu64 "\n", item->name, checksum,
			       item->checksum);
			return false;
		}
	}
	*seconds = now() - start;
	return true;
}

/* Seconds of one repetition, from the fastest of several batches, which should take `time` together. */
static bool measure(const struct bench_item *item, double time, double *best)
{
	uint64_t count = 1;
	double seconds;

	/* The first repetition brings code and data to where they are used from. */
	if (!batch(item, 1, &seconds))
		return false;
	do {
		if (!batch(item, count, &seconds))
			return false;
		if (seconds < time / BATCHES / 2)
			count *= 2;
	} while (seconds < time / BATCHES / 2);
	*best = seconds;
	for (int i = 0; i < BATCHES && ((time -= seconds) > 0 || i < BATCHES_AT_LEAST); i++) {
		if (!batch(item, count, &seconds))
			return false;
		if (seconds < *best)
			*best = seconds;
	}
	*best /= (double)count;
	return true;
}

static double value(const struct bench_item *item, double seconds)
{
	switch (item->unit) {
	case BENCH_NS: return seconds * 1e9 / item->amount;
	case BENCH_US: return seconds * 1e6 / item->amount;
	case BENCH_MB_S:
	case BENCH_MFLOP_S: break;
	}
	return item->amount / seconds / 1e6;
}

/* Measures an item, or only checks it, and prints its line; returns false if it is wrong. */
static bool run(const struct bench_item *item, const struct options *options)
{
	double time = options->seconds, seconds;
	bool right;

	if (item->begin)
		item->begin();
	right = time > 0 ? measure(item, time, &seconds) : batch(item, options->repetitions, &seconds);
	if (item->end)
		item->end();
	if (right && time > 0)
		printf("%s %.6g %s\n", item->name, value(item, seconds), units[item->unit].name);
	else if (right)
		printf("%s right\n", item->name);
	fflush(stdout);
	return right;
}

/* Whether one of the words is in the item's name, or is it if `exact`; all are chosen if there are no words. */
static bool chosen(const struct bench_item *item, char **words, bool exact)
{
	if (!*words)
		return true;
	for (; *words; words++) {
		if (exact ? strcmp(item->name, *words) == 0 : strstr(item->name, *words) != NULL)
			return true;
	}
	return false;
}

/* Runs or lists the chosen items; returns the exit status. */
static int run_all(char **words, const struct options *options)
{
	int status = 0;
	bool any = false;

	for (size_t group = 0; group < sizeof(groups) / sizeof(*groups); group++) {
		for (const struct bench_item *item = groups[group]; item->name; item++) {
			if (!chosen(item, words, options->exact))
				continue;
			any = true;
			if (options->list)
				printf("%s %s %s\n", item->name, units[item->unit].name,
				       units[item->unit].higher_is_better ? "higher" : "lower");
			else if (!run(item, options))
				status = 1;
		}
	}
	if (!any)
		fprintf(stderr, "bench: no item has such a name; -l lists them\n");
	return any ? status : 2;
}

/* Runs a command with its output in an open file; returns its status. */
static int run_command(char **argv, int output)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		bench_fail("fork");
	if (pid == 0) {
		if (ftruncate(output, 0) < 0 || dup2(output, STDOUT_FILENO) < 0)
			bench_fail("output");
		execv(*argv, argv);
		bench_fail(*argv);
	}
	if (waitpid(pid, &status, 0) != pid)
		bench_fail("waitpid");
	return status;
}

static uint64_t file_checksum(int file)
{
	uint64_t sum = 0;
	unsigned char byte[4096];

	for (ssize_t at = 0, size; (size = pread(file, byte, sizeof(byte), at)) > 0; at += size) {
		for (ssize_t i = 0; i < size; i++)
			sum = bench_mix(sum, byte[i]);
	}
	return sum;
}

/*
 * Measures a command: NAME MEGABYTES COMMAND... It runs until the time is over, at least once. Prints the line of an
 * item that handles so many megabytes, and the checksum of what the command has written.
 */
static int measure_command(char **argv, double seconds)
{
	char name[4096];
	double megabytes = strtod(argv[1], NULL), best = 0, start = now();
	int output;

	snprintf(name, sizeof(name), "%s/bench.XXXXXX", bench_folder);
	output = mkstemp(name);
	if (output < 0)
		bench_fail(name);
	unlink(name);
	do {
		double begin = now();

		if (run_command(argv + 2, output) != 0) {
			printf("%s WRONG: it failed\n", argv[0]);
			return 1;
		}
		if (best == 0 || now() - begin < best)
			best = now() - begin;
	} while (now() - start < seconds);
	printf("%s %.6g MB/s checksum %" PRIu64 "\n", argv[0], megabytes / best, file_checksum(output));
	return 0;
}

static int write_text(size_t size)
{
	char *text = malloc(size);

	if (!text)
		bench_fail("malloc");
	bench_text(text, size);
	if (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0)
		bench_fail("standard output");
	return 0;
}

static int usage(void)
{
	fputs("bench [-t SECONDS] [-d FOLDER] [WORD...]  measure the items that have a WORD in their name\n"
	      "bench -c [WORD...]                        only check their results\n"
	      "bench -r COUNT [WORD...]                  the same in COUNT repetitions, as much work everywhere\n"
	      "bench -l [WORD...]                        list them: name, unit, which is better\n"
	      "  -n                                      each WORD is a whole name\n"
	      "bench [-t SECONDS] -x NAME MEGABYTES COMMAND...  measure a command\n"
	      "bench -g BYTES                            write text to work on\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct options options = { .seconds = DEFAULT_SECONDS, .repetitions = CHECKED };

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		bench_fail("/proc/self/exe");
	bench_self = program;
	for (int option; (option = getopt(argc, argv, "+cd:e:g:lnr:t:x")) != -1;) {
		switch (option) {
		case 'c': options.seconds = 0; break;
		case 'd': bench_folder = optarg; break;
		case 'e': _exit(atoi(optarg)); /* what fork-exec executes */
		case 'g': return write_text(strtoul(optarg, NULL, 0));
		case 'l': options.list = true; break;
		case 'n': options.exact = true; break;
		case 'r':
			options.seconds = 0;
			options.repetitions = strtoull(optarg, NULL, 0);
			break;
		case 't': options.seconds = strtod(optarg, NULL); break;
		case 'x': options.command = true; break;
		default: return usage();
		}
	}
	if (options.command)
		return argc - optind >= 3 ? measure_command(argv + optind, options.seconds) : usage();
	return run_all(argv + optind, &options);
}
