/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's symbols, sorted: payload_symbol() reads the whole table, which is too slow for each block. */
#ifndef PERF_MAP_SYMBOLS_H
#define PERF_MAP_SYMBOLS_H

#include <stdint.h>

#include <husk/payload.h>

struct perf_symbol {
	uint64_t value;
	const char *name;
};

struct perf_symbols {
	struct perf_symbol *list; /**< sorted by value */
	uint32_t count;
};

/** Reads and sorts the symbols of the payload's kernel. Returns 0, also if there are none, or -ENOMEM. */
int perf_symbols_load(struct perf_symbols *s, const struct payload *p);

/** Nearest symbol at or below `address`, or NULL. Addresses below the first and above the last have none. */
const struct perf_symbol *perf_symbols_find(const struct perf_symbols *s, uint64_t address);

#endif
