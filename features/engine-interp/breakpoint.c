/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/engine-interp/breakpoint.h"

#include <husk/memory.h>

/* A page is found by its physical address and may be mapped anywhere: traps go by the offset in the page alone. */
static unsigned place(uint64_t gva)
{
	return (unsigned)(gva % GUEST_PAGE_SIZE) / 4;
}

static bool is_wanted(const struct mips_breakpoints *b, unsigned n)
{
	for (unsigned i = 0; i < b->count; i++)
		if (place(b->gva[i]) == n)
			return true;
	return false;
}

int interp_breakpoint_set(struct mips_breakpoints *b, struct page_cache *cache, uint64_t gva, bool on)
{
	int err = mips_breakpoint_set(b, gva, on);

	if (err == 0)
		page_cache_trap(cache, place(gva), is_wanted(b, place(gva)));
	return err;
}
