/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parts of the translator that an image may lack: features add them, and the engine does without those that are not
 * there. Passes over the IR have their own header, pass.h.
 */
#ifndef DBT_PART_H
#define DBT_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/emit/jump_cache.h"
#include "arch/x86_64/emit/lower.h"
#include "arch/x86_64/emit/return_stack.h"
#include "features/engine-dbt/blocks.h"

struct dbt;

/** What a part is. An image has at most one of each. */
enum dbt_part_kind {
	DBT_LINKING,     /**< ops is a struct dbt_linking */
	DBT_JUMPS,       /**< ops is a struct dbt_jumps */
	DBT_SUPERBLOCKS, /**< ops is a struct dbt_shape */
	DBT_RETURNS,     /**< ops is a struct dbt_returns */
	DBT_ATOMICS      /**< ops is a struct x86_atomics */
};

/** A part. */
struct dbt_part {
	enum dbt_part_kind kind;
	const void *ops;
};

/** Adds a part to the image, used as `DBT_PART(linking) = { DBT_LINKING, &linking };` */
#define DBT_PART(id)                                                                                                  \
	static const struct dbt_part dbt_part_##id;                                                                   \
	static const struct dbt_part *const dbt_part_entry_##id __attribute__((used, retain, section("dbt_parts"))) = \
		&dbt_part_##id;                                                                                       \
	static const struct dbt_part dbt_part_##id

/** The ops of the part, or NULL if the image has none of the kind. */
const void *dbt_part(enum dbt_part_kind kind);

/** Exits of blocks that jump to other blocks. Without it every exit goes to the engine. */
struct dbt_linking {
	/** Makes exit n jump to a block, unless it does so already. */
	void (*link)(struct blocks *b, uint32_t exit, uint32_t block);
	/** Makes all exits that jump to a block go to the engine again. */
	void (*unlink)(struct blocks *b, struct block *target);
};

/** The jump cache. Without it jumps to addresses in registers, and between pages, go to the engine. */
struct dbt_jumps {
	/** How generated code looks into it. */
	const struct x86_jump_code *code;
	/** Remembers where the code for `va ^ fetch_key` runs. */
	void (*remember)(struct x86_jump_cache *j, uint64_t va, uint64_t fetch_key, uint64_t code);
	/** Forgets the jumps into the page of va; ~0: all. */
	void (*forget)(struct x86_jump_cache *j, uint64_t va);
	/** Forgets the jump to va if it leads to `code`. */
	void (*forget_code)(struct x86_jump_cache *j, uint64_t va, uint64_t code);
};

/** The stack of returns. Without it a return is a jump as any other. */
struct dbt_returns {
	/** How generated code uses it. */
	const struct x86_return_code *code;
	/** Forgets the returns into the page of va; ~0: all. */
	void (*forget)(struct x86_return_stack *s, uint64_t va);
};

/** Most branches on the way of a block. */
#define DBT_MAX_PATH 64u

/** The shape of blocks. Without it a block ends at the first branch. */
struct dbt_shape {
	bool through_branches; /**< it goes on behind a forward branch that is not taken */
	bool loops;            /**< an exit to its own start stays within it */
	uint32_t hot_after;    /**< a block that was entered so often is made anew along the way that the guest takes */
	/**
	 * Executes guest code from c->pc on, the start of a block, as long as it may belong to the block. Returns how
	 * many branches it met, at most DBT_MAX_PATH, and in path[] where each of them went.
	 */
	unsigned (*follow)(struct dbt *d, uint64_t path[]);
};

#endif
