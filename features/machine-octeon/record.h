/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Octeon boot structures in either byte order. They are made of 64-bit words that keep
 * their value in both orders, so that fields smaller than a word change places in it:
 * offsets here are those of the little-endian layout, the big-endian one follows.
 */
#ifndef MACHINE_OCTEON_RECORD_H
#define MACHINE_OCTEON_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A structure being written. */
struct record {
	uint8_t *bytes;
	size_t size;
	bool big_endian;
};

/** Writes `width` bytes (1, 2, 4 or 8) of value; offset is a multiple of the width and inside the record. */
static inline void record_put(const struct record *r, size_t offset, unsigned width, uint64_t value)
{
	if (r->big_endian)
		offset ^= 8 - width;
	for (unsigned i = 0; i < width && offset + i < r->size; i++) {
		unsigned shift = 8 * (r->big_endian ? width - 1 - i : i);

		r->bytes[offset + i] = (uint8_t)(value >> shift);
	}
}

static inline void record_put64(const struct record *r, size_t offset, uint64_t value)
{
	record_put(r, offset, 8, value);
}

static inline void record_put32(const struct record *r, size_t offset, uint32_t value)
{
	record_put(r, offset, 4, value);
}

static inline void record_put16(const struct record *r, size_t offset, uint16_t value)
{
	record_put(r, offset, 2, value);
}

/** Writes element n of an array of 32-bit words, which keeps its order in both byte orders. */
static inline void record_put_array32(const struct record *r, size_t offset, size_t n, uint32_t value)
{
	record_put(r, (offset + 4 * n) ^ (r->big_endian ? 4u : 0u), 4, value);
}

#endif
