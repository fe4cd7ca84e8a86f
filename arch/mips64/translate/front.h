/* SPDX-License-Identifier: BSD-2-Clause */
/* MIPS64 front end of the translator: guest code → IR. */
#ifndef MIPS64_TRANSLATE_FRONT_H
#define MIPS64_TRANSLATE_FRONT_H

#include <stdint.h>

#include "arch/mips64/guest/breakpoint.h"
#include "arch/mips64/guest/insn.h"
#include "features/engine-dbt/ir.h"

/** Variables: the general registers by number (IR_ZERO is $0), HI, LO, the FP registers; temporaries follow. */
#define MIPS_VAR_HI    32u
#define MIPS_VAR_LO    33u
#define MIPS_VAR_FPR   34u
#define MIPS_VAR_STATE 66u

/** Most guest instructions of a block. */
#define MIPS_BLOCK_INSNS 64u

/** What a block is made from. */
struct mips_source {
	struct mips_cpu *cpu; /**< for its model and mode; not changed */
	uint64_t pc;          /**< where to start, word aligned */
	const uint8_t *page;  /**< host address of the guest page that pc is in */
	/** Host address of the page behind, and its guest physical address below 2 GiB; NULL if that is not known. */
	const uint8_t *next_page;
	uint64_t next_gpa;
	bool fixed_mapping; /**< pc is in an unmapped segment: code of other pages may be linked to */
	unsigned
		max_insns; /**< end after so many instructions, or one more if that ends with a delay slot; 0: no limit */
	bool several;      /**< there are several vCPUs: LL keeps what it loads */
	bool through_branches; /**< go on behind forward branches that are not taken */
	/** Where the guest went at each branch when it came this way: the block follows. NULL if that is not known. */
	const uint64_t *path;
	unsigned nr_path;
	/** Whether there is a block that begins at pc, in the same page. NULL: not known. */
	bool (*begins)(const void *ctx, uint64_t pc);
	const void *begins_ctx;
	bool pairs;                                 /**< use IR_MAP for pairs of LDL and LDR, LWL and LWR, and stores */
	const struct mips_breakpoints *breakpoints; /**< before which the block ends with IR_STEP */
	struct mips_insn *insns;                    /**< room for decoded instructions that helpers execute */
	unsigned nr_insns; /**< how many fit, at least MIPS_BLOCK_INSNS; set to how many were used */
};

/** Offset in struct mips_cpu of a state variable. */
int32_t mips_var_offset(ir_var v);

/** Translates a block; it always ends with an operation that leaves. */
void mips_translate_block(struct mips_source *source, struct ir_block *out);

#endif
