/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Translated blocks: found by guest address, linked to each other, and dropped when
 * the guest code they were made of changes. All live in one arena of fixed size;
 * when it is full everything is dropped and translated anew.
 *
 * The vCPUs of a VM share them. Functions that change them are called under a lock, and those that drop some while no
 * other vCPU runs; blocks_find() needs neither.
 */
#ifndef DBT_BLOCKS_H
#define DBT_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/platform.h>

#define BLOCK_NONE (~(uint32_t)0)
#define EXIT_NONE  (~(uint32_t)0)

/** In a mode: without passes, so that no MAP leaves. */
#define BLOCK_CAREFUL (1u << 31)

/** What a translation depends on besides the code itself. */
struct block_key {
	uint64_t pc;   /**< guest virtual address */
	uint64_t gpa;  /**< guest physical address of the same */
	uint32_t mode; /**< what the front end looked at besides the code; BLOCK_CAREFUL */
	uint32_t max;  /**< instructions that it was cut to, 0 if it was not */
};

/** A translated block. */
struct block {
	struct block_key key;
	uint64_t code;      /**< where it runs */
	uint32_t insns;     /**< guest instructions on the longest way through */
	uint64_t first;     /**< guest physical address of the lowest instruction it was made of */
	uint32_t bytes;     /**< of guest code from there on; they are in one page */
	uint32_t incoming;  /**< first exit that is linked to it, or EXIT_NONE */
	uint32_t hash_next; /**< next block of its bucket */
	uint32_t page_next; /**< next block of its page's bucket */
	uint32_t first_exit, nr_exits;
	bool hot;     /**< made along the way that the guest took */
	bool retired; /**< another one took its place: not found any more */
	bool dead;    /**< its code has changed: not found any more, and nobody may go there */
};

/** A way out of a block. */
struct block_exit {
	uint8_t *displacement; /**< of its jump, in the writable view; NULL if it cannot be linked */
	uint64_t unlinked;     /**< where the jump goes while it is not linked */
	uint64_t target;       /**< guest address */
	uint32_t next;         /**< next exit linked to the same block */
	bool linkable;
	bool careful; /**< it goes to a block without MAPs */
	bool linked;  /**< it jumps to a block and stands in that block's list */
};

/** Counters for people. */
struct block_counts {
	uint64_t translated, links, unlinks, invalidated, flushes, bytes;
};

/** The blocks of a VM. */
struct blocks {
	struct plat_code arena;
	uint8_t *start; /**< of blocks in arena.write, behind the shared code */
	uint8_t *next;  /**< free from here on */
	struct block *blocks;
	struct block_exit *exits;
	uint32_t *by_address, *by_page;
	uint32_t nr_blocks, max_blocks, nr_exits, max_exits, buckets;
	struct block_counts counts;
	/** Called for each block that is dropped because its code changed. Set by the engine, or NULL. */
	void (*dropped)(void *ctx, struct block *block);
	void *dropped_ctx;
};

/** Makes the tables around an arena that is there. Returns 0 or -ENOMEM. */
int blocks_create(struct blocks *b, size_t arena_bytes);

/** The block for a key, or BLOCK_NONE. */
uint32_t blocks_find(const struct blocks *b, const struct block_key *key);

/** True if there is room for another block of at most `bytes` host bytes and `exits` exits. */
bool blocks_have_room(const struct blocks *b, size_t bytes, unsigned exits);

/** Drops every block. */
void blocks_flush(struct blocks *b);

/** Adds a block whose exits are in place from b->nr_exits on. Returns its number. */
uint32_t blocks_add(struct blocks *b, const struct block *block);

/** Has a block not found any more. Who knows where it is may go on using it until its code changes. */
void blocks_retire(struct blocks *b, uint32_t n);

/** Drops the blocks made of [gpa, gpa + size), within one page. Returns how many. */
unsigned blocks_invalidate(struct blocks *b, uint64_t gpa, uint64_t size);

/** True if some live block was made of code in the page of gpa. */
bool blocks_in_page(const struct blocks *b, uint64_t gpa);

#endif
