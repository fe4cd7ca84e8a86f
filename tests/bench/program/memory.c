/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory: the four loops of STREAM, reading and writing, the C library's copy and clear, a walk over many pages. */
#include <string.h>

#include "bench.h"

#define MB         UINT64_C(1048576)
#define SMALL      (2 * MB)
#define LARGE      (32 * MB)
#define PAGE       4096u
#define SHORT_WALK 1024u
#define LONG_WALK  8192u

/* Checksums of the loops of STREAM, and of the words that change and copy leave. */
#define STREAM_SUM UINT64_C(17103347891278397156)
#define WORDS_SUM  UINT64_C(11532284928870968886)

/* --- STREAM: a, b and c have together the size that the item says */

static double *a, *b, *c;
static size_t elements;

static void stream_begin(size_t bytes)
{
	elements = bytes / 3 / sizeof(double) & ~(size_t)7;
	a = bench_allocate(elements * sizeof(double));
	b = bench_allocate(elements * sizeof(double));
	c = bench_allocate(elements * sizeof(double));
	for (size_t i = 0; i < elements; i++) {
		a[i] = (double)(i & 255);
		b[i] = 2;
		c[i] = 3;
	}
}

static void stream_small(void)
{
	stream_begin(SMALL);
}

static void stream_large(void)
{
	stream_begin(LARGE);
}

static void stream_end(void)
{
	bench_release(a, elements * sizeof(double));
	bench_release(b, elements * sizeof(double));
	bench_release(c, elements * sizeof(double));
}

/* Checksum of some elements, which should be `factor` times the value a began with, plus `more`. */
static uint64_t sample(const double *array, uint64_t factor, uint64_t more)
{
	uint64_t sum = 0;

	bench_barrier();
	for (size_t i = elements - 4096; i < elements; i += 123)
		sum = bench_mix(sum, 1 + (uint64_t)array[i] - (factor * (i & 255) + more));
	return sum;
}

static uint64_t stream_copy(void)
{
	for (size_t i = 0; i < elements; i++)
		c[i] = a[i];
	return sample(c, 1, 0);
}

static uint64_t stream_scale(void)
{
	for (size_t i = 0; i < elements; i++)
		b[i] = 3.0 * a[i];
	return sample(b, 3, 0);
}

static uint64_t stream_add(void)
{
	for (size_t i = 0; i < elements; i++)
		c[i] = a[i] + b[i];
	return sample(c, 1, 2);
}

static uint64_t stream_triad(void)
{
	for (size_t i = 0; i < elements; i++)
		c[i] = a[i] + 3.0 * b[i];
	return sample(c, 1, 6);
}

/* --- reading and writing SMALL bytes, word by word */

static uint32_t *from, *to;

static void words_begin(void)
{
	from = bench_allocate(SMALL);
	to = bench_allocate(SMALL);
	for (uint32_t i = 0; i < SMALL / 4; i++)
		from[i] = i;
}

static void words_end(void)
{
	bench_release(from, SMALL);
	bench_release(to, SMALL);
}

static uint64_t read_words(void)
{
	uint32_t sum = 0;

	bench_barrier();
	for (size_t i = 0; i < SMALL / 4; i += 8)
		sum += from[i] + from[i + 1] + from[i + 2] + from[i + 3] + from[i + 4] + from[i + 5] + from[i + 6] +
		       from[i + 7];
	return sum;
}

/* Checksum of some words. */
static uint64_t sample_words(const uint32_t *words)
{
	uint64_t sum = 1;

	bench_barrier();
	for (size_t i = 0; i < SMALL / 4; i += 12345)
		sum = bench_mix(sum, words[i]);
	return sum;
}

static uint64_t write_words(void)
{
	for (size_t i = 0; i < SMALL / 4; i += 8) {
		to[i] = to[i + 1] = to[i + 2] = to[i + 3] = 1;
		to[i + 4] = to[i + 5] = to[i + 6] = to[i + 7] = 1;
	}
	return sample_words(to);
}

/* Twice, so that the words are then what they were. */
static uint64_t change_words(void)
{
	for (uint32_t twice = 0; twice < 2; twice++) {
		for (size_t i = 0; i < SMALL / 4; i += 4) {
			from[i] = ~from[i];
			from[i + 1] = ~from[i + 1];
			from[i + 2] = ~from[i + 2];
			from[i + 3] = ~from[i + 3];
		}
		bench_barrier();
	}
	return sample_words(from);
}

static uint64_t copy_words(void)
{
	for (size_t i = 0; i < SMALL / 4; i += 4) {
		to[i] = from[i];
		to[i + 1] = from[i + 1];
		to[i + 2] = from[i + 2];
		to[i + 3] = from[i + 3];
	}
	return sample_words(to);
}

/* The compiler must not know it: it would make loops of its own of the library's functions. */
static volatile size_t small = SMALL;

static uint64_t bzero_bytes(void)
{
	memset(to, 0, small);
	return sample_words(to);
}

static uint64_t bcopy_bytes(void)
{
	memcpy(to, from, small);
	return sample_words(to);
}

/* --- a walk from page to page */

static char *pages;
static uint32_t page_count;

/* Every page holds the offset of the next; the way goes once through all pages, and looks random. */
static void walk_begin(uint32_t count)
{
	uint64_t seed = 4;
	uint32_t *order = bench_allocate(count * sizeof(*order));

	page_count = count;
	pages = bench_allocate((size_t)count * PAGE);
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t i = count - 1; i > 0; i--) {
		uint32_t other = (uint32_t)(bench_random(&seed) % (i + 1)), page = order[i];

		order[i] = order[other];
		order[other] = page;
	}
	/* Not all in the same cache set: at another line in each page. */
	for (uint32_t i = 0; i < count; i++) {
		uint32_t here = order[i], next = order[(i + 1) % count];

		*(uint32_t *)(pages + (size_t)here * PAGE + here % 64 * 64) = next * PAGE + next % 64 * 64;
	}
	bench_release(order, count * sizeof(*order));
}

static void short_walk_begin(void)
{
	walk_begin(SHORT_WALK);
}

static void long_walk_begin(void)
{
	walk_begin(LONG_WALK);
}

static void walk_end(void)
{
	bench_release(pages, (size_t)page_count * PAGE);
}

static uint64_t walk(void)
{
	uint32_t at = 0;
	uint64_t sum = 0;

	bench_barrier();
	for (uint32_t i = 0; i < page_count; i++) {
		at = *(const uint32_t *)(pages + at);
		sum += at / PAGE;
	}
	return sum + at;
}

const struct bench_item bench_memory[] = {
	{ "stream-copy-2m", BENCH_MB_S, 2.0 / 3 * SMALL, stream_small, stream_copy, stream_end, STREAM_SUM },
	{ "stream-scale-2m", BENCH_MB_S, 2.0 / 3 * SMALL, stream_small, stream_scale, stream_end, STREAM_SUM },
	{ "stream-add-2m", BENCH_MB_S, SMALL, stream_small, stream_add, stream_end, STREAM_SUM },
	{ "stream-triad-2m", BENCH_MB_S, SMALL, stream_small, stream_triad, stream_end, STREAM_SUM },
	{ "stream-copy-32m", BENCH_MB_S, 2.0 / 3 * LARGE, stream_large, stream_copy, stream_end, STREAM_SUM },
	{ "stream-scale-32m", BENCH_MB_S, 2.0 / 3 * LARGE, stream_large, stream_scale, stream_end, STREAM_SUM },
	{ "stream-add-32m", BENCH_MB_S, LARGE, stream_large, stream_add, stream_end, STREAM_SUM },
	{ "stream-triad-32m", BENCH_MB_S, LARGE, stream_large, stream_triad, stream_end, STREAM_SUM },
	{ "memory-rd", BENCH_MB_S, SMALL, words_begin, read_words, words_end, UINT64_C(4294705152) },
	{ "memory-wr", BENCH_MB_S, SMALL, words_begin, write_words, words_end, UINT64_C(17306610145436873268) },
	{ "memory-rdwr", BENCH_MB_S, 2 * SMALL, words_begin, change_words, words_end, WORDS_SUM },
	{ "memory-cp", BENCH_MB_S, SMALL, words_begin, copy_words, words_end, WORDS_SUM },
	{ "memory-bzero", BENCH_MB_S, SMALL, words_begin, bzero_bytes, words_end, UINT64_C(12625172033236171917) },
	{ "memory-bcopy", BENCH_MB_S, SMALL, words_begin, bcopy_bytes, words_end, WORDS_SUM },
	{ "tlb-walk-4m", BENCH_NS, SHORT_WALK, short_walk_begin, walk, walk_end, 523776 },
	{ "tlb-walk-32m", BENCH_NS, LONG_WALK, long_walk_begin, walk, walk_end, 33550336 },
	{ 0 },
};
