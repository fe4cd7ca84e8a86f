/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The jump cache: from a guest address, which a register holds or which lies in another page, to the block there.
 * Generated code looks into it; the engine fills it, and takes away what is true no more.
 */
#ifndef X86_64_EMIT_JUMP_CACHE_H
#define X86_64_EMIT_JUMP_CACHE_H

#include <stdint.h>

/* A place is made of address bits 17:12, for the page, and 8:2: a page has its places together. */
#define JUMP_PAGE_BITS    6u
#define JUMP_IN_PAGE_BITS 7u
#define JUMP_PAGES        (1u << JUMP_PAGE_BITS)
#define JUMPS_OF_PAGE     (1u << JUMP_IN_PAGE_BITS)
#define JUMP_ENTRIES      (JUMP_PAGES * JUMPS_OF_PAGE)

/** The bits that make the place, as PEXT takes them. */
#define JUMP_BITS ((JUMP_PAGES - 1) << 12 | (JUMPS_OF_PAGE - 1) << 2)

/** Part of a vCPU. */
struct x86_jump_cache {
	uint64_t key[JUMP_ENTRIES];  /**< guest address ^ fetch key; all ones is none, as addresses are word aligned */
	uint64_t code[JUMP_ENTRIES]; /**< where the block runs */
	uint64_t bits;               /**< JUMP_BITS */
};

/** Place of an address. */
static inline unsigned x86_jump_place(uint64_t va)
{
	return (unsigned)(va >> 12 & (JUMP_PAGES - 1)) << JUMP_IN_PAGE_BITS | (unsigned)(va >> 2 & (JUMPS_OF_PAGE - 1));
}

#endif
