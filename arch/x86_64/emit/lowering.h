/* SPDX-License-Identifier: BSD-2-Clause */
/* A block being lowered: what the files of the back end share. */
#ifndef X86_64_EMIT_LOWERING_H
#define X86_64_EMIT_LOWERING_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/emit/alloc.h"
#include "arch/x86_64/emit/lower.h"

#define MAX_SLOW 144u

/** The slow side of an operation, written after the block: a helper does it. */
struct slow {
	const struct ir_op *op;
	uint8_t *from[3];       /**< displacements of jumps to it, or NULL */
	uint64_t back;          /**< where the block goes on */
	unsigned reg;           /**< general or SSE register of a load's or an FP operation's result, of a store's value */
	enum x86_reg base;      /**< of a memory access; or register of a second result */
	struct alloc_pool pool; /**< what is in registers there */
};

/** A side exit: the block's state is written back outside of the way through. */
struct side {
	uint8_t *from;
	unsigned exit;
	bool loops;
	uint8_t insns;
	struct alloc_pool pool;
};

struct x86_lowering {
	const struct x86_runtime *r;
	struct x86_block *b;
	struct x86_asm *a;
	struct alloc alloc;
	struct slow slow[MAX_SLOW];
	unsigned nr_slow;
	struct side side[X86_MAX_EXITS];
	unsigned nr_side;
	uint8_t *attention[X86_MAX_EXITS];           /**< jumps to the unlinked side of exits that loop */
	struct alloc_pool fixed[X86_MAX_EXITS];      /**< of those that loop within the block: what is to be written back */
	uint64_t head;                               /**< of the block's loop */
	unsigned next_op;                            /**< number of the operation behind the present one */
};

/** `where` of a helper. */
static inline uint64_t x86_where(const struct ir_op *o)
{
	return o->pc | (o->in_slot ? X86_IN_SLOT : 0);
}

/** Calls a stub that may leave the block. */
void x86_call_stub(struct x86_lowering *s, const struct ir_op *o, uint64_t stub);

/** Notes the slow side of an operation, jumped to by `from`; the block goes on here. */
struct slow *x86_slow_side(struct x86_lowering *s, const struct ir_op *o, unsigned reg, uint8_t *from,
			   const struct alloc_pool *pool);

/* lower_memory.c */
void x86_lower_load(struct x86_lowering *s, const struct ir_op *o);
void x86_lower_sc(struct x86_lowering *s, const struct ir_op *o);
void x86_lower_store(struct x86_lowering *s, const struct ir_op *o);
/* Returns the jump taken if the page is not at hand; *pool becomes what is in registers there. */
uint8_t *x86_lower_map(struct x86_lowering *s, const struct ir_op *o, struct alloc_pool *pool);
void x86_slow_memory(struct x86_lowering *s, const struct slow *w);

/* lower_fp.c: FADD to FPUT */
void x86_lower_fp(struct x86_lowering *s, const struct ir_op *o);
void x86_slow_fp(struct x86_lowering *s, const struct slow *w);

#endif
