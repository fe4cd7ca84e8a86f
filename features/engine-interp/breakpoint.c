/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/engine-interp/breakpoint.h"

#include <errno.h>

#include <husk/memory.h>

static unsigned find(const struct interp_breakpoints *b, uint64_t gva)
{
	unsigned n = 0;

	while (n < b->count && b->gva[n] != gva)
		n++;
	return n;
}

bool interp_breakpoint_at(const struct interp_breakpoints *b, uint64_t gva)
{
	return !b->ignore && find(b, gva) < b->count;
}

/* A page is found by its physical address and may be mapped anywhere: traps go by the offset in the page alone. */
static unsigned place(uint64_t gva)
{
	return (unsigned)(gva % GUEST_PAGE_SIZE) / 4;
}

static bool is_wanted(const struct interp_breakpoints *b, unsigned n)
{
	for (unsigned i = 0; i < b->count; i++)
		if (place(b->gva[i]) == n)
			return true;
	return false;
}

int interp_breakpoint_set(struct interp_breakpoints *b, struct page_cache *cache, uint64_t gva, bool on)
{
	unsigned n = find(b, gva);

	if (on && n == b->count) {
		if (n == INTERP_BREAKPOINTS)
			return -ENOSPC;
		b->gva[b->count++] = gva;
	} else if (!on) {
		if (n == b->count)
			return -ENOENT;
		b->gva[n] = b->gva[--b->count];
	}
	page_cache_trap(cache, place(gva), is_wanted(b, place(gva)));
	return 0;
}
