/* SPDX-License-Identifier: BSD-2-Clause */
/* Pseudo-random numbers that follow from a seed alone, and values where arithmetic has its edges. */
#ifndef DIFFERENTIAL_RANDOM_H
#define DIFFERENTIAL_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/** A generator. */
struct random {
	uint64_t state;
};

/** The generator of a seed and a number within it. */
struct random random_from(uint64_t seed, uint64_t number);

/** Next 64 bits. */
uint64_t random_bits(struct random *r);

/** A number below n, which is not 0. */
unsigned random_below(struct random *r, unsigned n);

/** True once in n. */
bool random_once_in(struct random *r, unsigned n);

/** A 64-bit integer; 0, 1, -1, powers of two and their neighbours are likely. */
uint64_t random_integer(struct random *r);

/** As random_integer(), sign-extended from 32 bits. */
uint64_t random_word(struct random *r);

/** Bits of a binary32 in the low half: zeros, denormals, infinities, NaNs of both kinds, halves and limits are likely. */
uint64_t random_single(struct random *r);

/** Bits of a binary64. */
uint64_t random_double(struct random *r);

/** Any of the above. */
uint64_t random_value(struct random *r);

#endif
