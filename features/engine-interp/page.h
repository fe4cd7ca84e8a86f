/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoded pages: arrays of instructions made from pages of guest RAM, found by physical address. */
#ifndef INTERP_PAGE_H
#define INTERP_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/mips64/guest/insn.h"

struct interp;

/**
 * One guest page, decoded as it is executed. Behind the page's instructions stand
 * two that lead on to the next page: falling off the end reaches the first, a
 * branch that is the last instruction and is not taken reaches the second.
 */
struct mips_page {
	struct mips_insn insns[MIPS_PAGE_INSNS + 2];
	uint64_t gpa;        /**< of the page; MIPS_PAGE_FREE if unused */
	const uint8_t *host; /**< its bytes */
	bool narrow;         /**< decoded with 64-bit operations disabled */
	uint32_t hash_next;  /**< next page of the same hash bucket, or PAGE_NONE */
};

#define MIPS_PAGE_FREE (~(uint64_t)0)
#define PAGE_NONE      (~(uint32_t)0)

/** All decoded pages of a vCPU: a pool reused in turn, with a hash by address. */
struct page_cache {
	struct mips_page *pages;
	uint32_t *buckets;
	uint32_t count;                       /**< pages in the pool, a power of two, as many buckets */
	uint32_t next;                        /**< next page to reuse */
	uint64_t decoded;                     /**< pages set up so far */
	uint64_t evicted;                     /**< pages given up for another */
	uint64_t rewritten;                   /**< writes that hit decoded code */
	uint64_t traps[MIPS_PAGE_INSNS / 64]; /**< bit n: instruction n of every page is page_exec_trap */
};

/** Makes an empty cache of `count` pages. Returns 0 or -ENOMEM. */
int page_cache_create(struct page_cache *cache, uint32_t count);

/** The page at gpa, or NULL. */
struct mips_page *page_cache_find(const struct page_cache *cache, uint64_t gpa, bool narrow);

/** What page_cache_add() is to make. */
struct page_request {
	uint64_t gpa;
	const uint8_t *host;            /**< the page's bytes */
	bool narrow;                    /**< decode with 64-bit operations disabled */
	const struct mips_insn *in_use; /**< insns of the page being executed, which must stay; or NULL */
};

/**
 * A page with nothing decoded yet. *evicted is the address of the one given up for it, or MIPS_PAGE_FREE.
 * The pool must have at least two pages.
 */
struct mips_page *page_cache_add(struct page_cache *cache, const struct page_request *want, uint64_t *evicted);

/** Forgets every page. */
void page_cache_clear(struct page_cache *cache);

/** Marks the instructions that [gpa, gpa + size) touches, and the one before, as not decoded. */
void page_cache_written(struct page_cache *cache, uint64_t gpa, uint64_t size);

/** Executed in place of an instruction that is not decoded yet: decodes it and executes it. */
mips_exec page_exec_undecoded;

/** Executed in place of an instruction that may have a breakpoint, defined by the engine. */
mips_exec page_exec_trap;

/** Puts a trap in place of instruction n of every page, or takes it away. */
void page_cache_trap(struct page_cache *cache, unsigned n, bool on);

/** Forgets that instruction n of a page is decoded; puts the trap there if there is to be one. */
void page_undecode(const struct page_cache *cache, struct mips_page *page, unsigned n);

/** Decodes instruction n of a page. */
void page_decode(const struct mips_cpu *c, struct mips_page *page, unsigned n);

/** Ends of a page, defined by the engine. */
mips_exec interp_exec_page_end, interp_exec_page_end_skip;

#endif
