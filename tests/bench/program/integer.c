/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer work: a sieve, a matrix product, hashing of words, sorting. */
#include <string.h>

#include "bench.h"

#define SIEVE_LIMIT 200000u
#define MATRIX      48u
#define WORDS       4096u
#define WORD_SLOTS  (4 * WORDS)
#define TEXT_BYTES  32768u
#define SORT_COUNT  16384u

static unsigned char composite[SIEVE_LIMIT];

/* Eratosthenes: how many primes there are below SIEVE_LIMIT. */
static uint64_t sieve(void)
{
	uint64_t primes = 0;

	memset(composite, 0, sizeof(composite));
	for (uint32_t i = 2; i < SIEVE_LIMIT; i++) {
		if (composite[i])
			continue;
		primes++;
		for (uint64_t multiple = (uint64_t)i * i; multiple < SIEVE_LIMIT; multiple += i)
			composite[multiple] = 1;
	}
	return primes;
}

static uint32_t left[MATRIX][MATRIX], right[MATRIX][MATRIX], product[MATRIX][MATRIX];

static void matrix_begin(void)
{
	uint64_t seed = 1;

	for (unsigned i = 0; i < MATRIX; i++) {
		for (unsigned j = 0; j < MATRIX; j++) {
			left[i][j] = (uint32_t)bench_random(&seed);
			right[i][j] = (uint32_t)bench_random(&seed);
		}
	}
}

static uint64_t matrix(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < MATRIX; i++) {
		for (unsigned j = 0; j < MATRIX; j++) {
			uint32_t cell = 0;

			for (unsigned k = 0; k < MATRIX; k++)
				cell += left[i][k] * right[k][j];
			product[i][j] = cell;
		}
	}
	bench_barrier();
	for (unsigned i = 0; i < MATRIX; i++)
		sum = bench_mix(sum, product[i][MATRIX - 1 - i]);
	return sum;
}

static char text[TEXT_BYTES + 1];
static struct word {
	const char *start;
	uint32_t length, count;
} words[WORD_SLOTS];

static void hash_begin(void)
{
	bench_text(text, TEXT_BYTES);
}

/* The slot of a word, by FNV-1a and the next free place. */
static struct word *find_word(const char *start, uint32_t length)
{
	uint32_t hash = 2166136261u;

	for (uint32_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)start[i]) * 16777619u;
	for (;; hash++) {
		struct word *word = &words[hash % WORD_SLOTS];

		if (word->count == 0 || (word->length == length && memcmp(word->start, start, length) == 0))
			return word;
	}
}

/* Counts how often each word occurs. */
static uint64_t string_hash(void)
{
	const char *start = text;
	uint64_t sum = 0;

	memset(words, 0, sizeof(words));
	for (const char *end = text; end < text + TEXT_BYTES; end++) {
		struct word *word;

		if (*end >= 'a' && *end <= 'z')
			continue;
		word = find_word(start, (uint32_t)(end - start));
		word->start = start;
		word->length = (uint32_t)(end - start);
		word->count++;
		sum += word->count;
		start = end + 1;
	}
	return sum;
}

static int32_t unsorted[SORT_COUNT], sorted[SORT_COUNT];

static void sort_begin(void)
{
	uint64_t seed = 2;

	for (unsigned i = 0; i < SORT_COUNT; i++)
		unsorted[i] = (int32_t)bench_random(&seed);
}

static void insertion_sort(int32_t *first, int32_t *last)
{
	for (int32_t *next = first + 1; next <= last; next++) {
		int32_t value = *next, *hole = next;

		for (; hole > first && hole[-1] > value; hole--)
			*hole = hole[-1];
		*hole = value;
	}
}

/* Hoare's quicksort with the middle as pivot. */
static void quick_sort(int32_t *first, int32_t *last)
{
	while (last - first > 12) {
		int32_t pivot = first[(last - first) / 2], *low = first, *high = last;

		while (low <= high) {
			while (*low < pivot)
				low++;
			while (*high > pivot)
				high--;
			if (low <= high) {
				int32_t value = *low;

				*low++ = *high;
				*high-- = value;
			}
		}
		quick_sort(first, high);
		first = low;
	}
	insertion_sort(first, last);
}

static uint64_t sort(void)
{
	uint64_t sum = 0;

	memcpy(sorted, unsorted, sizeof(sorted));
	quick_sort(sorted, sorted + SORT_COUNT - 1);
	for (unsigned i = 1; i < SORT_COUNT; i += 64)
		sum = bench_mix(sum, sorted[i - 1] <= sorted[i] ? (uint32_t)sorted[i] : i);
	return sum;
}

const struct bench_item bench_integer[] = {
	{ "sieve", BENCH_US, 1, NULL, sieve, NULL, 17984 },
	{ "matrix", BENCH_US, 1, matrix_begin, matrix, NULL, UINT64_C(10525158281916496711) },
	{ "string-hash", BENCH_US, 1, hash_begin, string_hash, NULL, 14103 },
	{ "sort", BENCH_US, 1, sort_begin, sort, NULL, UINT64_C(9373495004843387464) },
	{ 0 },
};
