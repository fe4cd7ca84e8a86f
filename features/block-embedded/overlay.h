/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk in memory: constant bytes, with pages over them where they were written. */
#ifndef HUSK_BLOCK_EMBEDDED_OVERLAY_H
#define HUSK_BLOCK_EMBEDDED_OVERLAY_H

#include <stddef.h>
#include <stdint.h>

#define OVERLAY_PAGE 4096u

/** The disk. */
struct overlay {
	const uint8_t *base;
	uint64_t base_size; /**< bytes of base; what is behind them reads as zeroes */
	uint64_t size;      /**< bytes of the disk, a multiple of OVERLAY_PAGE */
	uint8_t **pages;    /**< one entry for each page of the disk: written over, zeroes, or NULL: as in base */
	void *unused;       /**< list of pages that are free again */
	uint8_t *chunk;     /**< memory for more pages, and how many it still has */
	unsigned chunk_left;
};

/** Prepares a disk of `size` bytes over `base`, which lives on. Returns 0 or -ENOMEM. */
int overlay_init(struct overlay *o, const uint8_t *base, uint64_t base_size, uint64_t size);

/** Reads a range, which is inside of the disk. */
void overlay_read(const struct overlay *o, uint64_t offset, uint8_t *to, size_t size);

/** Writes a range, which is inside of the disk. Returns 0, or -ENOSPC if the host has no memory, with a part written. */
int overlay_write(struct overlay *o, uint64_t offset, const uint8_t *from, size_t size);

/** Makes a range read as zeroes and gives back its memory. Returns 0 or -ENOSPC, as above. */
int overlay_zero(struct overlay *o, uint64_t offset, uint64_t size);

#endif
