/* SPDX-License-Identifier: BSD-2-Clause */
/* What an engine looks at before it executes guest instructions. */
#ifndef MIPS64_PENDING_H
#define MIPS64_PENDING_H

#include <husk/engine.h>

#include "arch/mips64/guest/cpu.h"

/** What is to be done. */
enum mips_pending {
	MIPS_GO,         /**< execute from c->pc; an interrupt was taken if one was due */
	MIPS_LOOK_AGAIN, /**< a watch exception was taken */
	MIPS_WAIT,       /**< the guest waits: leave with *why */
};

/**
 * Takes what is pending at c->pc: the end of a WAIT, interrupts unless a debugger holds them, watchpoints on
 * fetches.
 */
enum mips_pending mips_take_pending(struct mips_cpu *c, enum engine_exit *why);

#endif
