/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Free physical memory as a sorted list of ranges: built from the firmware's
 * memory map, whatever its order and overlaps, and handed out from the top.
 */
#ifndef PC_RANGES_H
#define PC_RANGES_H

#include <stdint.h>

#include "arch/x86_64/pc/boot_info.h"

#define RANGES_MAX     64u
#define RANGE_PAGE     4096u
#define RANGES_LOWEST  0x100000u           /* the first MiB belongs to the firmware */
#define RANGES_HIGHEST ((uint64_t)1 << 46) /* what the identity map may cover */

/** Bytes [base, base + size), both page aligned, size not 0. */
struct range {
	uint64_t base, size;
};

/** Sorted, neither overlapping nor touching. Zero-initialised is empty. */
struct ranges {
	struct range r[RANGES_MAX];
	unsigned nr;
	uint64_t dropped; /**< bytes lost because the list was full */
};

/** Adds [base, base + size), shrunk to whole pages; merges with what it touches. */
void ranges_add(struct ranges *rs, uint64_t base, uint64_t size);

/** Removes [base, base + size), grown to whole pages. */
void ranges_remove(struct ranges *rs, uint64_t base, uint64_t size);

/**
 * Takes `size` bytes below `limit`, as high as possible, aligned to `align` (a power of two, at least a page).
 * Returns the address or 0 if there is no such piece.
 */
uint64_t ranges_take(struct ranges *rs, uint64_t size, uint64_t align, uint64_t limit);

/** Free bytes in all. */
uint64_t ranges_total(const struct ranges *rs);

/** All RAM of the memory map that nothing else claims. */
void ranges_of_ram(struct ranges *rs, const struct boot_info *info);

/** Of that, what husk may use: where lines overlap, the one that is not RAM wins. */
void ranges_from_boot(struct ranges *rs, const struct boot_info *info);

#endif
