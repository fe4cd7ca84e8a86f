/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot loader's free memory list, from which an Octeon kernel takes its RAM. */
#ifndef MACHINE_OCTEON_BOOTMEM_H
#define MACHINE_OCTEON_BOOTMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/memory.h>

#include "arch/mips64/guest/boot.h"

/** Reserved ranges are rounded outwards to this, the granule in which kernels allocate from the list. */
#define BOOTMEM_ALIGN 0x100000ull

/** Kernels take memory in pieces of this size; smaller rests are lost to them. */
#define BOOTMEM_PIECE 0x400000ull

/** Most free blocks: more than reserved ranges and RAM regions can make. */
#define BOOTMEM_MAX_BLOCKS 32u

/** A free block; its first 16 bytes hold {next, size} in guest RAM. */
struct bootmem_block {
	uint64_t start, size;
};

/**
 * Computes what of the RAM lies outside the reserved ranges: ascending, disjoint blocks. Returns how many, at
 * most `max`.
 */
size_t bootmem_free_blocks(const struct memory *m, const struct mips_boot_range *reserved, size_t nr_reserved,
			   struct bootmem_block *blocks, size_t max);

/** What a kernel can take at or above gpa in whole pieces. */
struct bootmem_usable {
	uint64_t bytes;
	uint64_t end; /**< of the last piece; 0 if there is none */
};

struct bootmem_usable bootmem_usable(const struct bootmem_block *blocks, size_t count, uint64_t gpa);

/** Writes the list into guest RAM. Returns 0 or -EFAULT. */
int bootmem_write_list(struct memory *m, const struct bootmem_block *blocks, size_t count, bool big_endian);

#endif
