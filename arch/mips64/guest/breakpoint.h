/* SPDX-License-Identifier: BSD-2-Clause */
/* The breakpoints of a vCPU: addresses at which a debugger wants guest code to be left. How is the engine's business. */
#ifndef MIPS64_BREAKPOINT_H
#define MIPS64_BREAKPOINT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#define MIPS_BREAKPOINTS 64u

/** A set of addresses. Zero-initialised is empty. */
struct mips_breakpoints {
	uint64_t gva[MIPS_BREAKPOINTS];
	unsigned count;
};

/** Place of an address in the set, or its count. */
static inline unsigned mips_breakpoint_find(const struct mips_breakpoints *b, uint64_t gva)
{
	unsigned n = 0;

	while (n < b->count && b->gva[n] != gva)
		n++;
	return n;
}

/** True if there is one at gva. */
static inline bool mips_breakpoint_at(const struct mips_breakpoints *b, uint64_t gva)
{
	return mips_breakpoint_find(b, gva) < b->count;
}

/** Sets or removes one. Returns 0, -ENOSPC, or -ENOENT if there is none to remove. */
static inline int mips_breakpoint_set(struct mips_breakpoints *b, uint64_t gva, bool on)
{
	unsigned n = mips_breakpoint_find(b, gva);

	if (n < b->count) {
		if (!on)
			b->gva[n] = b->gva[--b->count];
		return 0;
	}
	if (!on)
		return -ENOENT;
	if (n == MIPS_BREAKPOINTS)
		return -ENOSPC;
	b->gva[b->count++] = gva;
	return 0;
}

#endif
