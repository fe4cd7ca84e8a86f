/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical memory for tests of host pc's parsers. Every view is a copy of exactly
 * the bytes asked for, so that the address sanitizer sees each byte read beyond.
 */
#ifndef PC_MEMORY_TEST_H
#define PC_MEMORY_TEST_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PC_MEMORY_BASE 0x1000u
#define PC_MEMORY_SIZE 0x4000u
#define PC_MAX_VIEWS   4096u

static uint8_t pc_memory[PC_MEMORY_SIZE];
static void *pc_views[PC_MAX_VIEWS];
static unsigned pc_nr_views;

static void pc_memory_reset(void)
{
	while (pc_nr_views > 0)
		free(pc_views[--pc_nr_views]);
	memset(pc_memory, 0, sizeof(pc_memory));
}

static const void *pc_view(uint64_t pa, uint64_t size)
{
	void *copy;

	if (pa < PC_MEMORY_BASE || pa - PC_MEMORY_BASE > PC_MEMORY_SIZE ||
	    size > PC_MEMORY_SIZE - (pa - PC_MEMORY_BASE) || pc_nr_views == PC_MAX_VIEWS)
		return NULL;
	copy = malloc(size);
	memcpy(copy, pc_memory + (pa - PC_MEMORY_BASE), size);
	pc_views[pc_nr_views++] = copy;
	return copy;
}

/* The byte at physical address pa, for writing. */
static inline uint8_t *pc_at(uint64_t pa)
{
	return pc_memory + (pa - PC_MEMORY_BASE);
}

static inline void pc_put(uint64_t pa, uint64_t value, unsigned size)
{
	memcpy(pc_at(pa), &value, size);
}

#endif
