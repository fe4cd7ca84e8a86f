/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/differential/random.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

uint64_t random_bits(struct random *r)
{
	/* splitmix64: every state is a good one */
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

struct random random_from(uint64_t seed, uint64_t number)
{
	struct random r = { seed };

	r.state = random_bits(&r) ^ (number + 1) * 0xd1342543de82ef95ull;
	return r;
}

unsigned random_below(struct random *r, unsigned n)
{
	return (unsigned)((random_bits(r) >> 32) * n >> 32);
}

bool random_once_in(struct random *r, unsigned n)
{
	return random_below(r, n) == 0;
}

uint64_t random_integer(struct random *r)
{
	uint64_t v = random_bits(r);

	switch (random_below(r, 6)) {
	case 0: return (uint64_t)(int64_t)((int)random_below(r, 9) - 4);
	case 1: return (1ull << (v & 63)) + (uint64_t)(int64_t)((int)random_below(r, 3) - 1);
	case 2: return v >> random_below(r, 64);
	case 3: return ~(v >> random_below(r, 64));
	case 4: return (uint64_t)(int64_t)(int32_t)v;
	default: return v;
	}
}

uint64_t random_word(struct random *r)
{
	uint64_t v = random_integer(r);

	if (random_once_in(r, 3))
		v >>= 32;
	return (uint64_t)(int64_t)(int32_t)v;
}

/* A fraction of `bits` bits: anything, only high or only low bits set, two bits. */
static uint64_t fraction(struct random *r, unsigned bits)
{
	uint64_t all = (1ull << bits) - 1, v = random_bits(r) & all;

	switch (random_below(r, 5)) {
	case 0: return v & ~(~0ull << random_below(r, bits));
	case 1: return ~0ull << random_below(r, bits) & all;
	case 2: return 1ull << random_below(r, bits) | 1;
	default: return v;
	}
}

/* An exponent: near the ends, near 1, near the ends of the integers, near the square root of the limits, any. */
static unsigned exponent(struct random *r, unsigned bias)
{
	unsigned max = 2 * bias + 1;

	switch (random_below(r, 8)) {
	case 0: return random_below(r, 4);
	case 1: return max - random_below(r, 4);
	case 2: return bias + random_below(r, 5) - 2;
	case 3: return bias + 29 + random_below(r, 36);
	case 4: return bias / 2 + random_below(r, 4) - 2;
	case 5: return bias + bias / 2 + random_below(r, 4) - 2;
	case 6: return bias - random_below(r, 60);
	default: return random_below(r, max + 1);
	}
}

uint64_t random_single(struct random *r)
{
	static const uint32_t special[] = {
		0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, /* 0, 1, infinity */
		0x7fbfffff, 0x7fffffff, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff, /* NaNs */
		0x00000001, 0x007fffff, 0x00800000, 0x80800001, 0x7f7fffff, 0xff7fffff, /* ends of the ranges */
		0x3f000000, 0x3fc00000, 0xc0200000, 0x4f000000, 0xcf000000, 0x4effffff, /* halves, integer limits */
		0x5f000000, 0xdf000000, 0x5effffff, 0x3f7fffff, 0x3f800001, 0x33800000,
	};

	if (random_once_in(r, 4))
		return special[random_below(r, COUNT(special))];
	return (random_bits(r) & 1) << 31 | (uint64_t)(exponent(r, 127) & 255) << 23 | fraction(r, 23);
}

uint64_t random_double(struct random *r)
{
	static const uint64_t special[] = {
		0x0000000000000000, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, /* 0, 1 */
		0x7ff0000000000000, 0xfff0000000000000, 0x7ff7ffffffffffff, 0x7fffffffffffffff, /* infinity, NaNs */
		0x7ff8000000000000, 0xfff8000000000000, 0x7ff0000000000001, 0xfff7ffffffffffff,
		0x0000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x8010000000000001, /* ends of the ranges */
		0x7fefffffffffffff, 0xffefffffffffffff, 0x3fe0000000000000, 0xc004000000000000, /* halves */
		0x41dfffffffc00000, 0x41e0000000000000, 0xc1e0000000000000, 0xc1e0000000100000, /* integer limits */
		0x43e0000000000000, 0x43dfffffffffffff, 0xc3e0000000000000, 0xc3e0000000000001,
		0x3810000000000000, 0x380fffffe0000000, 0x36a0000000000000, 0x369fffffffffffff, /* limits of binary32 */
		0x47efffffe0000000, 0x47efffffefffffff, 0x47effffff0000000, 0x3ca0000000000000,
	};

	if (random_once_in(r, 4))
		return special[random_below(r, COUNT(special))];
	return random_bits(r) << 63 | (uint64_t)(exponent(r, 1023) & 2047) << 52 | fraction(r, 52);
}

uint64_t random_value(struct random *r)
{
	switch (random_below(r, 4)) {
	case 0: return random_integer(r);
	case 1: return random_word(r);
	case 2: return random_bits(r) << 32 | random_single(r);
	default: return random_double(r);
	}
}
