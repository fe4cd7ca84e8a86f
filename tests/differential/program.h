/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A random guest program: blocks of code, and records that say with which registers
 * and memory a block is to be run. Every block runs from its start to its end or to
 * its first trap, then the whole state is stored and the next record follows.
 */
#ifndef DIFFERENTIAL_PROGRAM_H
#define DIFFERENTIAL_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/differential/encodings.h"
#include "tests/differential/random.h"

/** Registers 1 to LAST_WORD hold words, sign-extended, so that 32-bit operations on them are defined. */
#define LAST_WORD 13u
/** Register that always points to the middle of the scratch memory. */
#define BASE 26u
/** Register that indexed accesses use as their index. */
#define INDEX 27u
/** FP registers below it mostly hold doubles and longs, the others singles and words. */
#define FIRST_SINGLE 16u

#define SCRATCH_WORDS 32u
#define SCRATCH_BYTES (8 * SCRATCH_WORDS)

/** State before and after a block, as it lies in guest memory: 64-bit values in guest byte order. */
struct state {
	uint64_t gpr[32], hi, lo, fpr[32], fcsr;
	uint64_t pc;     /**< before: of the block. After: of the trap, or 0 */
	uint64_t signal; /**< after: number of the signal that ended the block, or 0 */
	uint64_t scratch[SCRATCH_WORDS];
};
#define STATE_WORDS (sizeof(struct state) / 8)

/** A processor to test and to compare with. */
struct variant {
	const char *name;
	const char *qemu;  /**< the reference emulator */
	const char *cpu;   /**< its name of the CPU */
	uint32_t features; /**< enum mips_feature of husk's */
	bool big_endian;
	uint32_t without; /**< bit n: enum group n is not used */
};

/** An address that is not known while an item is made. */
struct fixup {
	unsigned word;   /**< of the branch, or of the LUI before an ORI that make the address */
	unsigned target; /**< number of the item to go to */
	enum { FIX_DISTANCE, FIX_REGION, FIX_REGISTER, FIX_CODE } how;
};

#define BLOCK_ITEMS 64u
#define BLOCK_WORDS (BLOCK_ITEMS * 12)

/** Straight items - an instruction with what it needs before it and in its delay slot - with branches forward. */
struct block {
	uint32_t words[BLOCK_WORDS];
	unsigned nr_words;
	unsigned items[BLOCK_ITEMS + 1]; /**< first word of each, and of what follows the last */
	unsigned nr_items;
	struct fixup fixups[BLOCK_ITEMS];
	unsigned nr_fixups;
	uint64_t pc; /**< where it is placed */
};

/** A block with a state to run it from. */
struct run {
	unsigned block;
	struct state before;
};

/** The program of a seed. */
struct program {
	const struct variant *variant;
	struct block *blocks;
	unsigned nr_blocks;
	struct run *runs;
	unsigned nr_runs;
};

/** What to make. */
struct plan {
	const struct variant *variant;
	uint64_t seed;
	uint64_t number;  /**< of the program within the seed */
	const char *only; /**< name of the one instruction to use besides what it needs; NULL is all */
	unsigned blocks;
	unsigned runs_per_block;
};

/** Makes the program of a plan. Never fails; ends the process if memory is short. */
struct program *program_new(const struct plan *plan);

/** A program of one run of `p` and, if `with_earlier`, those of the same block before it, which may have changed it. */
struct program *program_of_run(const struct program *p, unsigned run, bool with_earlier);

/** Frees it. */
void program_free(struct program *p);

/** Fills a block with random items (generate.c). */
void generate_block(struct block *b, struct random *r, const struct variant *v, const char *only);

/** Fills in the targets of a block's branches once it has its place. */
void block_fix(struct block *b);

#endif
