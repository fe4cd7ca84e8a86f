/* SPDX-License-Identifier: BSD-2-Clause */
/* Text to work on: words of a vocabulary, frequent ones more often, in lines; and passages that come again. */
#include "bench.h"

#define VOCABULARY 3000u
#define LONGEST    10u
#define RECENT     32768u /* bytes back in which passages are found again */

static char vocabulary[VOCABULARY][LONGEST + 1];

/* Words of 2 to LONGEST letters: consonant, vowel, and so on. */
static void make_vocabulary(uint64_t *seed)
{
	for (unsigned word = 0; word < VOCABULARY; word++) {
		unsigned length = 2 + (unsigned)(bench_random(seed) % (LONGEST - 1));

		for (unsigned i = 0; i < length; i++)
			vocabulary[word][i] =
				i % 2 ? "aeiou"[bench_random(seed) % 5] : "bcdfghklmnprstvw"[bench_random(seed) % 16];
		vocabulary[word][length] = 0;
	}
}

/* The next word: the product of two equal chances makes small numbers likely. */
static const char *next_word(uint64_t *seed)
{
	uint64_t a = bench_random(seed) % VOCABULARY, b = bench_random(seed) % VOCABULARY;

	return vocabulary[a * b / VOCABULARY];
}

void bench_text(char *text, size_t size)
{
	uint64_t seed = 6;
	const char *word = "";
	unsigned words = 0, repeat = 0;
	size_t distance = 1;

	make_vocabulary(&seed);
	for (size_t i = 0; i < size; i++) {
		if (repeat > 0) {
			text[i] = text[i - distance];
			repeat--;
		} else if (*word) {
			text[i] = *word++;
		} else {
			text[i] = ++words % 12 ? ' ' : '\n';
			word = next_word(&seed);
			/* As often as not a passage occurs again that was there before. */
			if (words % 24 == 0 && i > RECENT) {
				repeat = 64 + (unsigned)(bench_random(&seed) % 256);
				distance = RECENT - bench_random(&seed) % (RECENT / 2);
			}
		}
	}
}
