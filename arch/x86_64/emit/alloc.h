/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of a block being lowered. A variable is in its pin, in a pool register,
 * or in memory; a pool register whose memory is behind is dirty.
 */
#ifndef X86_64_EMIT_ALLOC_H
#define X86_64_EMIT_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/emit/lower.h"

#define ALLOC_POOL 5u

/** What the pool's registers hold at some point of the code. */
struct alloc_pool {
	struct {
		ir_var var; /**< or IR_NONE */
		bool dirty, locked;
	} reg[ALLOC_POOL];
};

/** State of the allocation at some operation. */
struct alloc {
	const struct x86_layout *layout;
	const struct ir_block *ir;
	struct x86_asm *a;
	struct alloc_pool pool;
	int8_t pinned[IR_MAX_VARS];    /**< host register, or -1 */
	int8_t where[IR_MAX_VARS];     /**< pool index, or -1 */
	uint16_t next[IR_MAX_VARS];    /**< operation that reads it next; ir->count if none does before it is written */
	uint16_t after[IR_MAX_OPS][4]; /**< next[] of d, e, a, b behind each operation */
};

/** Nothing in the pool. */
void alloc_init(struct alloc *s, const struct x86_layout *layout, const struct ir_block *ir, struct x86_asm *a);

/** Register that holds v now, loading it if need be. It stays until alloc_unlock(). */
enum x86_reg alloc_use(struct alloc *s, ir_var v);

/** Register to write v to; its old value need not be there. */
enum x86_reg alloc_define(struct alloc *s, ir_var v);

/** Ends operation n: lets go of what it locked, and of temporaries without further use. */
void alloc_end_op(struct alloc *s, unsigned n);

/** True if v is in a register; sets *reg. */
bool alloc_resident(const struct alloc *s, ir_var v, enum x86_reg *reg);

/** Where v is in memory. */
struct x86_mem alloc_memory(const struct alloc *s, ir_var v);

/** Writes dirty state variables to memory; they stay in registers, clean. */
void alloc_write_back(struct alloc *s);

/** The same for code off the way through, where the pool was as in `pool`. */
void alloc_write_back_at(const struct alloc *s, const struct alloc_pool *pool);

/** Forgets state variables: memory has newer values. */
void alloc_forget_state(struct alloc *s);

#endif
