/* SPDX-License-Identifier: BSD-2-Clause */
/* Data through the kernel: a pipe, a UNIX socket, a file that is read or mapped. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define CHUNK       65536u
#define STREAM_SIZE 1048576u
#define FILE_SIZE   2097152u

static unsigned char chunk[CHUNK];

static uint64_t sum_words(const void *memory, size_t size)
{
	const uint64_t *words = memory;
	uint64_t sum = 0;

	bench_barrier();
	for (size_t i = 0; i < size / sizeof(*words); i += 4)
		sum += words[i] + words[i + 1] + words[i + 2] + words[i + 3];
	return sum;
}

/* --- from another process */

static int receiving;
static pid_t sender;

/* A process that writes STREAM_SIZE bytes and begins again, for ever. */
static void start_sender(int read_end, int write_end)
{
	receiving = read_end;
	for (unsigned i = 0; i < CHUNK; i++)
		chunk[i] = (unsigned char)i;
	sender = fork();
	if (sender < 0)
		bench_fail("fork");
	if (sender == 0) {
		close(read_end);
		while (write(write_end, chunk, CHUNK) == CHUNK)
			;
		_exit(0);
	}
	close(write_end);
}

static void pipe_begin(void)
{
	int ends[2];

	if (pipe(ends) < 0)
		bench_fail("pipe");
	start_sender(ends[0], ends[1]);
}

static void socket_begin(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		bench_fail("socketpair");
	start_sender(ends[0], ends[1]);
}

static void stop_sender(void)
{
	close(receiving);
	kill(sender, SIGKILL);
	waitpid(sender, NULL, 0);
}

/* What comes is always the same, wherever it is cut: byte n is n modulo 256. */
static uint64_t receive(void)
{
	uint64_t sum = 0;

	for (size_t got = 0; got < STREAM_SIZE;) {
		size_t want = STREAM_SIZE - got < CHUNK ? STREAM_SIZE - got : CHUNK;
		ssize_t size = read(receiving, chunk, want);

		if (size <= 0)
			bench_fail("read");
		for (size_t i = 0; i < (size_t)size; i += 1024)
			sum += chunk[i] == (unsigned char)(got + i);
		got += (size_t)size;
		sum += chunk[size - 1] == (unsigned char)(got - 1) ? 0 : 1u << 20;
	}
	return sum >= STREAM_SIZE / 1024 && sum < 1u << 20;
}

/* --- a file */

static char file_name[4096];
static int file;
static unsigned char *map;

static void file_begin(void)
{
	char *text = malloc(FILE_SIZE);

	if (!text)
		bench_fail("malloc");
	bench_text(text, FILE_SIZE);
	snprintf(file_name, sizeof(file_name), "%s/bench.XXXXXX", bench_folder);
	file = mkstemp(file_name);
	if (file < 0 || write(file, text, FILE_SIZE) != FILE_SIZE)
		bench_fail(file_name);
	free(text);
}

static void file_end(void)
{
	unlink(file_name);
	close(file);
}

static uint64_t read_all(int from)
{
	uint64_t sum = 0;
	ssize_t size;

	while ((size = read(from, chunk, CHUNK)) > 0)
		sum += sum_words(chunk, (size_t)size);
	if (size < 0)
		bench_fail("read");
	return sum;
}

static uint64_t file_read(void)
{
	int opened = open(file_name, O_RDONLY);
	uint64_t sum;

	if (opened < 0)
		bench_fail(file_name);
	sum = read_all(opened);
	close(opened);
	return sum;
}

static uint64_t file_read_io(void)
{
	uint64_t sum = 0;

	if (lseek(file, 0, SEEK_SET) != 0)
		bench_fail("lseek");
	for (ssize_t size; (size = read(file, chunk, CHUNK)) > 0;)
		sum = bench_mix(sum, chunk[size / 2]);
	return sum;
}

static unsigned char *map_file(int from)
{
	void *memory = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, from, 0);

	if (memory == MAP_FAILED)
		bench_fail("mmap");
	return memory;
}

static uint64_t file_mmap(void)
{
	int opened = open(file_name, O_RDONLY);
	uint64_t sum;
	void *memory;

	if (opened < 0)
		bench_fail(file_name);
	memory = map_file(opened);
	sum = sum_words(memory, FILE_SIZE);
	munmap(memory, FILE_SIZE);
	close(opened);
	return sum;
}

static void file_map_begin(void)
{
	file_begin();
	map = map_file(file);
}

static void file_map_end(void)
{
	munmap(map, FILE_SIZE);
	file_end();
}

static uint64_t file_mmap_io(void)
{
	return sum_words(map, FILE_SIZE);
}

const struct bench_item bench_transfer[] = {
	{ "pipe", BENCH_MB_S, STREAM_SIZE, pipe_begin, receive, stop_sender, 1 },
	{ "unix-socket", BENCH_MB_S, STREAM_SIZE, socket_begin, receive, stop_sender, 1 },
	{ "file-read", BENCH_MB_S, FILE_SIZE, file_begin, file_read, file_end, UINT64_C(2259886640469218263) },
	{ "file-read-io", BENCH_MB_S, FILE_SIZE, file_begin, file_read_io, file_end, UINT64_C(11181440729932859967) },
	{ "file-mmap", BENCH_MB_S, FILE_SIZE, file_begin, file_mmap, file_end, UINT64_C(2259886640469218263) },
	{ "file-mmap-io", BENCH_MB_S, FILE_SIZE, file_map_begin, file_mmap_io, file_map_end,
	  UINT64_C(2259886640469218263) },
	{ 0 },
};
