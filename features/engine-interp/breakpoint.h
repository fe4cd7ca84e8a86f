/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Breakpoints of the interpreter: instead of an instruction that has one, decoded pages
 * hold a trap, which looks at the address. Pages without breakpoints, and images without
 * a debugger, never get here.
 */
#ifndef INTERP_BREAKPOINT_H
#define INTERP_BREAKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/mips64/guest/insn.h"
#include "features/engine-interp/page.h"

#define INTERP_BREAKPOINTS 64u

/** The breakpoints of a vCPU. Zero-initialised is none. */
struct interp_breakpoints {
	uint64_t gva[INTERP_BREAKPOINTS];
	unsigned count;
	bool ignore; /**< step() is at work */
};

/** Sets or removes one, and puts traps into the decoded pages. Returns 0, -ENOSPC or -ENOENT. */
int interp_breakpoint_set(struct interp_breakpoints *b, struct page_cache *cache, uint64_t gva, bool on);

/** True if there is one at gva. */
bool interp_breakpoint_at(const struct interp_breakpoints *b, uint64_t gva);

#endif
