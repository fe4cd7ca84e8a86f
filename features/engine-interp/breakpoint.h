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

#include "arch/mips64/guest/breakpoint.h"
#include "features/engine-interp/page.h"

/** Sets or removes one, and puts traps into the decoded pages or takes them away. As engine.set_breakpoint. */
int interp_breakpoint_set(struct mips_breakpoints *b, struct page_cache *cache, uint64_t gva, bool on);

#endif
