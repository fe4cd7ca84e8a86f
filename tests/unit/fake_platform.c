/* SPDX-License-Identifier: BSD-2-Clause */
/* A host for unit tests, see fake_platform.h. */
#define _GNU_SOURCE /* memfd_create, MAP_32BIT */
#include "tests/unit/fake_platform.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int fake_entropy_error;
uint64_t fake_now;
uint64_t fake_now_step;
uint64_t fake_deadline = UINT64_MAX;
unsigned fake_deadlines;
uint64_t fake_wallclock;
struct plat_time_scale fake_time_scale;
char fake_log[FAKE_TEXT_SIZE];
size_t fake_log_size;
char fake_console[FAKE_TEXT_SIZE];
size_t fake_console_size;
bool fake_eof;
const char *fake_command_line = "";
uint64_t fake_pages_left = UINT64_MAX;
int fake_code_error;
unsigned fake_waits;
unsigned fake_kicks;
void (*fake_on_wait)(void);
const uint32_t *fake_attention;
jmp_buf fake_exit_jmp;
bool fake_exit_armed;
enum husk_exit fake_exit_status;

const char plat_name[] = "fake";

/** One allocation, listed so that fake_reset() can free it and leak checkers can reach it. */
struct allocation {
	struct allocation *next;
	void *memory;
};

/** One plat_code_alloc(), both views. */
struct code {
	struct code *next;
	void *write, *execute;
	size_t size;
};

static struct allocation *allocations;
static struct code *codes;
static uint8_t input[FAKE_INPUT_SIZE];
static size_t input_size;
static uint32_t *bound;

void fake_clear_text(void)
{
	memset(fake_log, 0, sizeof(fake_log));
	memset(fake_console, 0, sizeof(fake_console));
	fake_log_size = 0;
	fake_console_size = 0;
}

static void unmap_code(struct code *c)
{
	if (c->write != MAP_FAILED)
		munmap(c->write, c->size);
	if (c->execute != MAP_FAILED)
		munmap(c->execute, c->size);
	free(c);
}

static void free_code(void)
{
	while (codes != NULL) {
		struct code *c = codes;

		codes = c->next;
		unmap_code(c);
	}
}

void fake_reset(void)
{
	while (allocations != NULL) {
		struct allocation *a = allocations;

		allocations = a->next;
		free(a->memory);
		free(a);
	}
	free_code();
	fake_clear_text();
	fake_now = fake_now_step = 0;
	fake_deadline = UINT64_MAX;
	fake_deadlines = 0;
	fake_wallclock = 0;
	fake_time_scale = (struct plat_time_scale){ 0 };
	fake_eof = false;
	fake_command_line = "";
	fake_pages_left = UINT64_MAX;
	fake_code_error = 0;
	fake_entropy_error = 0;
	fake_waits = 0;
	fake_kicks = 0;
	fake_on_wait = NULL;
	fake_exit_armed = false;
	fake_exit_status = HUSK_EXIT_OK;
	fake_attention = NULL;
	bound = NULL;
	input_size = 0;
}

void fake_input(const void *data, size_t size)
{
	if (size > sizeof(input) - input_size) {
		fprintf(stderr, "fake platform: too much input\n");
		abort();
	}
	if (size != 0)
		memcpy(input + input_size, data, size);
	input_size += size;
	if (bound != NULL)
		plat_kick(bound, ATTN_CONSOLE);
}

size_t fake_input_left(void)
{
	return input_size;
}

static void fire_if_due(void)
{
	if (fake_deadline > fake_now)
		return;
	fake_deadline = UINT64_MAX;
	if (bound != NULL)
		__atomic_fetch_or(bound, ATTN_TIMER, __ATOMIC_RELEASE);
}

void fake_advance(uint64_t ns)
{
	fake_now += ns;
	fire_if_due();
}

static void *allocate(size_t bytes, size_t align)
{
	struct allocation *a = malloc(sizeof(*a));
	size_t rounded = (bytes + align - 1) & ~(align - 1);

	if (a == NULL)
		return NULL;
	a->memory = aligned_alloc(align, rounded);
	if (a->memory == NULL) {
		free(a);
		return NULL;
	}
	memset(a->memory, 0, rounded);
	a->next = allocations;
	allocations = a;
	return a->memory;
}

void *plat_pages_alloc(size_t bytes, size_t align)
{
	if (align < 4096)
		align = 4096;
	if (bytes > fake_pages_left || bytes > SIZE_MAX - align)
		return NULL;
	if (fake_pages_left != UINT64_MAX)
		fake_pages_left -= bytes;
	return allocate(bytes, align);
}

void *plat_ram_alloc(size_t bytes, size_t align)
{
	return plat_pages_alloc(bytes, align);
}

/* Maps both views, below 2 GiB as the contract has it; false if the system does not want to. */
static bool map_code(struct code *c)
{
	int fd = memfd_create("fake-code", MFD_CLOEXEC);

	c->write = c->execute = MAP_FAILED;
	if (fd >= 0 && ftruncate(fd, (off_t)c->size) == 0) {
		c->write = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_32BIT, fd, 0);
		c->execute = mmap(NULL, c->size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_32BIT, fd, 0);
	}
	if (fd >= 0)
		close(fd);
	return c->write != MAP_FAILED && c->execute != MAP_FAILED;
}

int plat_code_alloc(size_t bytes, struct plat_code *out)
{
	struct code *c;

	if (fake_code_error != 0)
		return fake_code_error;
	if (bytes == 0 || bytes > fake_pages_left || bytes > SIZE_MAX / 2)
		return -ENOMEM;
	c = malloc(sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->size = (bytes + 4095) & ~(size_t)4095;
	if (!map_code(c)) {
		unmap_code(c);
		return -ENOMEM;
	}
	if (fake_pages_left != UINT64_MAX)
		fake_pages_left -= bytes;
	c->next = codes;
	codes = c;
	*out = (struct plat_code){ .write = c->write, .execute = c->execute, .size = c->size };
	return 0;
}

uint64_t plat_pages_free(void)
{
	return fake_pages_left;
}

uint64_t plat_time_ns(void)
{
	fake_now += fake_now_step;
	return fake_now;
}

bool plat_time_scale(struct plat_time_scale *out)
{
	if (fake_time_scale.ns_per_tick == 0)
		return false;
	*out = fake_time_scale;
	return true;
}

uint64_t plat_counter(void)
{
	if (fake_time_scale.ns_per_tick == 0)
		return 0;
	return fake_time_scale.zero + (uint64_t)(((unsigned __int128)fake_now << 32) / fake_time_scale.ns_per_tick);
}

uint64_t plat_wallclock_ns(void)
{
	return fake_wallclock;
}

int plat_entropy(void *buf, size_t size)
{
	uint8_t *bytes = buf;

	if (fake_entropy_error != 0)
		return fake_entropy_error;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	return 0;
}

void plat_cpu_bind(uint32_t *attention)
{
	bound = attention;
	fake_attention = attention;
	if (input_size != 0)
		__atomic_fetch_or(bound, ATTN_CONSOLE, __ATOMIC_RELEASE);
}

void plat_deadline_set(uint64_t deadline_ns)
{
	fake_deadlines++;
	fake_deadline = deadline_ns;
	fire_if_due();
}

static _Noreturn void wait_forever(void)
{
	fprintf(stderr, "fake platform: waits with nothing that could end it\n%s", fake_log);
	abort();
}

void plat_wait(const uint32_t *attention)
{
	if (__atomic_load_n(attention, __ATOMIC_ACQUIRE) != 0)
		return;
	fake_waits++;
	if (fake_on_wait != NULL)
		fake_on_wait();
	else if (fake_deadline != UINT64_MAX)
		fake_advance(fake_deadline - fake_now);
	else
		wait_forever();
}

void plat_kick(uint32_t *attention, uint32_t bits)
{
	fake_kicks++;
	__atomic_fetch_or(attention, bits, __ATOMIC_RELEASE);
}

size_t plat_console_read(void *buf, size_t size)
{
	size_t n = size < input_size ? size : input_size;

	memcpy(buf, input, n);
	memmove(input, input + n, input_size - n);
	input_size -= n;
	return n;
}

bool plat_console_eof(void)
{
	return fake_eof && input_size == 0;
}

static void append(char *text, size_t *used, const void *buf, size_t size)
{
	size_t left = FAKE_TEXT_SIZE - 1 - *used;
	size_t n = size < left ? size : left;

	memcpy(text + *used, buf, n);
	*used += n;
	text[*used] = '\0';
}

void plat_console_write(const void *buf, size_t size)
{
	append(fake_console, &fake_console_size, buf, size);
}

void plat_log_write(const void *buf, size_t size)
{
	append(fake_log, &fake_log_size, buf, size);
}

const char *plat_command_line(void)
{
	return fake_command_line;
}

void plat_exit(enum husk_exit status)
{
	fake_exit_status = status;
	if (fake_exit_armed) {
		fake_exit_armed = false;
		longjmp(fake_exit_jmp, 1);
	}
	fprintf(stderr, "fake platform: plat_exit(%d)\n%s", (int)status, fake_log);
	exit(99);
}
