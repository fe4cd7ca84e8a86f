/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine's vCPU, and what its files call of each other. */
#ifndef DBT_DBT_H
#define DBT_DBT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/mips64/guest/breakpoint.h"
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/cpu.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/insn.h"
#include "arch/x86_64/emit/jump_cache.h"
#include "arch/x86_64/emit/lower.h"
#include "features/engine-dbt/blocks.h"
#include "features/engine-dbt/ir.h"
#include "features/engine-dbt/part.h"

/** Counters of entries of blocks; blocks whose numbers are so far apart share one. */
#define DBT_HEAT 4096u

/** What the vCPUs of a VM share: translated code, and what it is made with. Under memory.code_lock; see blocks.h. */
struct dbt_code {
	struct blocks blocks;
	struct x86_runtime runtime; /**< stays as it was made */
	struct x86_lowering *lowering;
	uint8_t *draft; /**< X86_BLOCK_MAX_BYTES, where the code of a block is made */
	struct ir_block *ir;
	void *pass_work;
	struct mips_insn *insns; /**< pool of instructions that helpers execute */
	uint32_t next_insn, max_insns;
};

/** Counters for people, of a vCPU. All are of one type. */
struct dbt_counts {
	uint64_t entries, lookups, misses;                /**< of blocks by the engine */
	uint64_t jumps, exits, careful, cuts, steps, hot; /**< why blocks came back */
	uint64_t helper_loads, helper_stores, execs;      /**< calls of helpers */
};

/** A vCPU of this engine. */
struct dbt {
	struct mips_cpu cpu;                   /* first: the architecture's view */
	_Alignas(16) uint64_t addends[256][2]; /**< addends for the count of instructions */
	_Alignas(16) struct x86_fp_masks fp_masks;
	uint64_t spill[IR_MAX_VARS];
	struct x86_jump_cache jumps; /**< here, so that code reaches it; of use with jump_ops only */
	struct x86_return_stack returns;
	const struct dbt_linking *linking;
	const struct dbt_jumps *jump_ops;
	const struct dbt_returns *return_ops;
	const struct dbt_shape *shape;
	uint32_t heat[DBT_HEAT]; /**< by number of block: entries left until it is hot */
	bool code_changed;       /**< a store dropped a block */
	uint64_t walks;          /**< of the page table walker, when the last helper began */
	bool counted;            /**< the timer model counts instructions */
	uint32_t partial; /**< `counted`: instructions of the running block up to the one that a helper executes */
	uint64_t limit;   /**< `counted`: blocks that might exceed it leave when they are entered */
	struct mips_breakpoints breakpoints;
	struct dbt_code *code; /**< all vCPUs' */
	bool in_code;          /**< between two instructions of a block: it may not go away */
	struct dbt_counts counts;
};

/** The engine's view of a vCPU. */
static inline struct dbt *dbt(struct mips_cpu *c)
{
	return (struct dbt *)c;
}

/* dbt.c */

/** Executes the instruction at c->pc, with its delay slot. */
void dbt_single(struct dbt *d);

/** True if nobody wants the vCPU to leave guest code. */
bool dbt_is_free(const struct mips_cpu *c);

/** True if somebody waits for run(), which looks before guest code is entered: an interrupt, WAIT, a watch register. */
static inline bool dbt_must_look(const struct mips_cpu *c)
{
	return c->waiting || c->watch_fetch || mips_interrupt_pending(c) || (c->cp0.cause & CAUSE_WP) != 0;
}

/* create.c */

/** A vCPU's own part; with the first one code cache, tables and runtime for all. Returns 0 or -ENOMEM, logged. For engine.create. */
int dbt_create(struct vcpu *v);

/* helpers.c */

/** Tells exception code where it is: instruction i at `where`, with X86_IN_SLOT in a delay slot. */
void dbt_set_place(struct mips_cpu *c, const struct mips_insn *i, uint64_t where);

/** An instruction for dbt_set_place() where none is decoded: the second one, so that there is one before it. */
extern const struct mips_insn dbt_somewhere[2];

/** C functions that generated code calls. */
extern const struct x86_helpers dbt_helpers;

/* translate.c */

/** Physical address of the code at va; false if the fetch took an exception. Remembered by page. */
bool dbt_fetch_address(struct mips_cpu *c, uint64_t va, uint64_t *gpa);

/**
 * The block at c->pc, without MAPs if `careful`, cut to `max` instructions if that is not 0; BLOCK_NONE after an
 * exception. `link` is the exit that led there and may be linked to it, or EXIT_NONE. The block is there until the vCPU
 * waits for something.
 */
uint32_t dbt_block_at_pc(struct mips_cpu *c, bool careful, uint32_t max, uint32_t link);

/** Makes the block at c->pc anew, along the way that the guest takes, which it goes meanwhile. It was hot. */
void dbt_follow_path(struct mips_cpu *c);

/** Forgets the jumps into the page of va; ~0: all. */
void dbt_forget_jumps(struct dbt *d, uint64_t va);

/* code.c */

/** vCPU n of a VM whose engine this is. */
struct dbt *dbt_of(const struct vm *vm, unsigned n);

/** Room for one more block, for which all may have been dropped. Under memory.code_lock, given back meanwhile. */
void dbt_make_room(struct vm *vm);

/** True if there is. Under memory.code_lock. */
bool dbt_has_room(const struct dbt_code *code);

/** Drops all blocks. */
void dbt_flush_blocks(struct vm *vm);

/** blocks.dropped: nobody may jump to it any more. The context is the VM. Also for a block that is retired. */
void dbt_dropped(void *vm, struct block *b);

/** Lets the engine hear of stores to code, and of changed mappings. */
void dbt_watch_code(struct dbt *d);

#endif
