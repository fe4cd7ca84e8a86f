/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest physical map: RAM regions, bounds-checked copies, and pages that hold
 * translated or decoded code, whose writes an engine wants to hear of.
 */
#ifndef HUSK_MEMORY_H
#define HUSK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/smp.h>

#define GUEST_PAGE_SHIFT 12u
#define GUEST_PAGE_SIZE  ((uint64_t)1 << GUEST_PAGE_SHIFT)
#define GUEST_PAGE_MASK  (~(GUEST_PAGE_SIZE - 1))

/** Most RAM regions a machine may have. */
#define MEMORY_MAX_RAM 16u

/** A contiguous piece of guest RAM. Sorted by gpa, never overlapping. */
struct ram_region {
	uint64_t gpa;     /**< page aligned */
	uint64_t size;    /**< bytes, page aligned */
	uint8_t *hva;     /**< host memory */
	uint8_t *is_code; /**< one byte a page: non-zero if an engine caches code from it */
};

/** Most ranges of memory_limit(). */
#define MEMORY_MAX_LIMITS 8u

/** What a guest may not do with RAM. */
enum { MEMORY_READ_ONLY = 1u << 0, MEMORY_NO_EXECUTE = 1u << 1 };

/** A range of the guest physical map with limits. */
struct memory_limit {
	uint64_t gpa, size; /**< page aligned */
	unsigned what;      /**< MEMORY_READ_ONLY, MEMORY_NO_EXECUTE */
};

/**
 * Called after bytes of a page marked as code were overwritten by anybody, once for each page; may change marks. Called
 * without memory.code_lock.
 */
typedef void memory_code_written(void *ctx, uint64_t gpa, uint64_t size);

/** The map of one VM. */
struct memory {
	struct ram_region ram[MEMORY_MAX_RAM];
	unsigned nr_ram;
	struct memory_limit limits[MEMORY_MAX_LIMITS];
	unsigned nr_limits;
	struct smp_lock code_lock;         /**< of the marks, and of what the engine made of code */
	memory_code_written *code_written; /**< the engine's, or NULL */
	void *code_ctx;
};

/**
 * Adds RAM, which may hold anything. Returns 0, -EINVAL (empty, not page aligned, or reaches the last page of the address space),
 * -EEXIST (overlap), -ENOSPC, or -ENOMEM after logging one line.
 */
int memory_add_ram(struct memory *m, uint64_t gpa, uint64_t size);

/** Host address of `size` bytes at gpa if they all lie in one RAM region, else NULL. Writes must be announced. */
void *memory_borrow(const struct memory *m, uint64_t gpa, uint64_t size);

/**
 * Copies from guest RAM. Returns 0, or -EFAULT and copies nothing. This and the two below take any range, also one
 * that crosses regions that touch; an empty one always succeeds.
 */
int memory_read(const struct memory *m, uint64_t gpa, void *buf, uint64_t size);

/** Copies into guest RAM and announces the write. Returns 0, or -EFAULT and copies nothing. */
int memory_write(struct memory *m, uint64_t gpa, const void *buf, uint64_t size);

/** Zeroes guest RAM and announces the write. Returns 0, or -EFAULT and writes nothing. */
int memory_zero(struct memory *m, uint64_t gpa, uint64_t size);

/**
 * Tells the engine that [gpa, gpa+size) of RAM has changed; cheap where no page is code. Behind the write, not before
 * it: another vCPU may make code of the old bytes in between.
 */
void memory_announce_write(struct memory *m, uint64_t gpa, uint64_t size);

/** Region that holds gpa, or NULL. */
const struct ram_region *memory_region(const struct memory *m, uint64_t gpa);

/**
 * Limits what instructions of the guest may do with a range, which need not be RAM yet. An engine whose RAM is mapped
 * for the CPU heeds it; others, and copies by devices, need not. Returns 0, -EINVAL (empty or not page aligned) or
 * -ENOSPC. Ranges do not overlap.
 */
int memory_limit(struct memory *m, uint64_t gpa, uint64_t size, unsigned what);

/** Limits at gpa, 0: none. *size, the most that is of interest, becomes the number of bytes for which they hold. */
unsigned memory_limits(const struct memory *m, uint64_t gpa, uint64_t *size);

/** Marks the page of gpa as code, or as code no longer. Nothing happens outside RAM. */
void memory_mark_code(struct memory *m, uint64_t gpa, bool is_code);

/** True if the page of gpa is marked as code. */
bool memory_is_code(const struct memory *m, uint64_t gpa);

#endif
