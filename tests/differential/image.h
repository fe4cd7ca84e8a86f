/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program as a static ELF executable for Linux (MIPS n64) that needs nothing else:
 * it runs every record, then writes the states to its standard output and exits.
 * Its system calls are rt_sigaction, sigaltstack, write and exit, see user.c.
 */
#ifndef DIFFERENTIAL_IMAGE_H
#define DIFFERENTIAL_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/differential/program.h"

/** Virtual addresses; the executable is one segment that may do everything. */
#define IMAGE_VA      0x10100000ull
#define IMAGE_MAX     (12ull << 20)
#define IMAGE_RUNTIME (IMAGE_VA + 0x1000) /**< code around the blocks */
#define IMAGE_SCRATCH (IMAGE_VA + 0x3000) /**< middle of the scratch memory, a page boundary */
#define IMAGE_CONTEXT (IMAGE_SCRATCH + 0x400)
#define IMAGE_STACK   (IMAGE_VA + 0x4000) /**< where signal frames are put */
#define IMAGE_BLOCKS  (IMAGE_VA + 0x8000)
#define STACK_SIZE    0x4000u

/** Where the signal handler finds the registers in the frame's ucontext (the third argument). */
#define UCONTEXT_REGS 40u
#define UCONTEXT_PC   (UCONTEXT_REGS + 576)

/** Linux's numbers. */
enum linux_call { NR_WRITE = 5001, NR_RT_SIGACTION = 5013, NR_EXIT = 5058, NR_SIGALTSTACK = 5129 };
enum linux_signal { SIGNAL_ILL = 4, SIGNAL_TRAP = 5, SIGNAL_FPE = 8, SIGNAL_BUS = 10, SIGNAL_SEGV = 11 };

/** The executable. */
struct image {
	const struct variant *variant;
	uint8_t *file;   /**< loaded at IMAGE_VA as it is */
	uint64_t size;   /**< of the file */
	uint64_t memory; /**< bytes it takes in memory */
	uint64_t entry;
	uint64_t handler; /**< of signals */
	unsigned nr_runs;
	uint64_t overhead;  /**< instructions of the runtime executed for a record */
	uint64_t on_signal; /**< and in addition for one that ends with a signal */
};

/** Puts a program together; its blocks get their places. Ends the process if it does not fit. */
struct image image_new(struct program *p);

/** Frees it. */
void image_free(struct image *image);

/** Between guest and host byte order. */
void swap_words(const struct variant *v, uint64_t *words, size_t count);

#endif
