/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of a block being lowered. A variable is in its pin, in a pool register,
 * or in memory; a pool register whose memory is behind is dirty. The pool has a part
 * for general variables and one, of SSE registers, for FP variables.
 */
#ifndef X86_64_EMIT_ALLOC_H
#define X86_64_EMIT_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/emit/lower.h"

#define ALLOC_GENERAL 7u
#define ALLOC_SSE     13u
#define ALLOC_POOL    (ALLOC_GENERAL + ALLOC_SSE)

/** Most general and FP variables that a loop keeps in registers: the rest of the pool is for all others. */
#define ALLOC_LOOP_GENERAL (ALLOC_GENERAL - 3u)
#define ALLOC_LOOP_SSE     (ALLOC_SSE - 4u)

/** What the pool's registers hold at some point of the code; in masks, bit n is register n. */
struct alloc_pool {
	uint32_t used;   /**< it holds var[n] */
	uint32_t dirty;  /**< memory is behind */
	uint32_t temps;  /**< of the used ones: a temporary, no state */
	uint32_t locked; /**< an operand of the present operation */
	uint32_t fixed;  /**< it holds var[n] in the whole block */
	ir_var var[ALLOC_POOL];
};

/** State of the allocation at some operation. */
struct alloc {
	const struct x86_layout *layout;
	const struct ir_block *ir;
	struct x86_asm *a;
	struct alloc_pool pool;
	bool bmi2;                     /**< SHLX and its like may be used */
	ir_var flags_of;               /**< variable set by a comparison whose flags still stand, or IR_NONE */
	enum x86_cc flags_cc;          /**< condition under which it is 1 */
	int8_t pinned[IR_MAX_VARS];    /**< host register, or -1 */
	int8_t where[IR_MAX_VARS];     /**< pool index, or -1 */
	uint16_t next[IR_MAX_VARS];    /**< operation that reads it next; ir->count if none does before it is written */
	uint16_t after[IR_MAX_OPS][4]; /**< next[] of d, e, a, b behind each operation */
};

/** Nothing in the pool. */
void alloc_init(struct alloc *s, const struct x86_layout *layout, const struct ir_block *ir, struct x86_asm *a);

/**
 * Gives the variables that the block uses most registers of their own, loaded here, at the head of a loop: wherever
 * control comes back to it, after alloc_write_back_loop(), they are in the same registers.
 */
void alloc_fix_loop(struct alloc *s);

/** Register that holds the general variable v now, loading it if need be. It stays until alloc_end_op(). */
enum x86_reg alloc_use(struct alloc *s, ir_var v);

/** Register to write the general variable v to; its old value need not be there. */
enum x86_reg alloc_define(struct alloc *s, ir_var v);

/** The same for FP variables. */
enum x86_xmm alloc_use_fp(struct alloc *s, ir_var v);
enum x86_xmm alloc_define_fp(struct alloc *s, ir_var v);

/** True if v is an FP variable. */
bool alloc_is_fp(const struct alloc *s, ir_var v);

/** Lets go of the operands: they have been read. */
void alloc_unlock(struct alloc *s);

/** Ends operation n: lets go of what it locked, and of temporaries without further use. */
void alloc_end_op(struct alloc *s, unsigned n);

/** Where v is in memory. */
struct x86_mem alloc_memory(const struct alloc *s, ir_var v);

/** Writes dirty state variables to memory; they stay in registers, clean. */
void alloc_write_back(struct alloc *s);

/** The same for code off the way through, where the pool was as in `pool`. */
void alloc_write_back_at(const struct alloc *s, const struct alloc_pool *pool);

/** Writes back what is not fixed, for the way back to the head of the loop. */
void alloc_write_back_loop(const struct alloc *s, const struct alloc_pool *pool);

/**
 * Around a call of a helper, off the way through: makes memory hold the state and what the helper may destroy; reads
 * back the latter, but not `except`, the variable whose register gets another value (or IR_NONE).
 */
void alloc_save_at(const struct alloc *s, const struct alloc_pool *pool);
void alloc_restore_at(const struct alloc *s, const struct alloc_pool *pool, ir_var except);

/** Before a helper that may change any state is called on the way through: memory holds all. */
void alloc_save(struct alloc *s);

/** After it: forgets state variables, as memory has newer values, and what the call has destroyed. */
void alloc_forget(struct alloc *s);

#endif
