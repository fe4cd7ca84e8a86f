/* SPDX-License-Identifier: BSD-2-Clause */
/* APM 2, 15.25.5 and figure 5-20; Intel SDM 3C, 28.2.2: 4 levels, the formats differ in their low bits. */
#include "arch/x86_64/hvm/nested.h"

#include <errno.h>
#include <stddef.h>

#include <husk/platform.h>

#define ENTRY_ADDRESS 0x000ffffffffff000ull

static uint64_t page_size(unsigned level)
{
	return (uint64_t)1 << (GUEST_PAGE_SHIFT + 9 * level);
}

/* Entry for gpa at a level (2: 1 GiB, 1: 2 MiB, 0: 4 KiB), making tables on the way; NULL: no memory. */
static uint64_t *entry_at(const struct nested_format *f, uint64_t *table, uint64_t gpa, unsigned level)
{
	for (unsigned l = 3;; l--) {
		uint64_t *entry = &table[gpa >> (GUEST_PAGE_SHIFT + 9 * l) & 511];

		if (l == level)
			return entry;
		if ((*entry & f->table) == 0) {
			table = plat_pages_alloc(GUEST_PAGE_SIZE, GUEST_PAGE_SIZE);
			if (table == NULL)
				return NULL;
			*entry = (uint64_t)(uintptr_t)table | f->table;
		}
		table = (uint64_t *)(uintptr_t)(*entry & ENTRY_ADDRESS);
	}
}

uint64_t *nested_entry(const struct nested_format *f, uint64_t root, uint64_t gpa)
{
	return entry_at(f, (uint64_t *)(uintptr_t)root, gpa, 0);
}

/* Largest page for an address of both sides, or-ed, with `left` bytes to go. */
static unsigned page_level(uint64_t at, uint64_t left, unsigned highest)
{
	unsigned level = highest;

	while (level > 0 && ((at & (page_size(level) - 1)) != 0 || left < page_size(level)))
		level--;
	return level;
}

static uint64_t page_bits(const struct nested_format *f, unsigned level, unsigned limits)
{
	uint64_t bits = f->page | (level > 0 ? f->large : 0);

	if ((limits & MEMORY_READ_ONLY) != 0)
		bits &= ~f->write;
	if ((limits & MEMORY_NO_EXECUTE) != 0)
		bits ^= f->fetch;
	return bits;
}

/* Host physical addresses are host virtual ones on host pc. */
static int map_region(const struct nested_format *f, uint64_t *root, const struct memory *m, const struct ram_region *r)
{
	uint64_t hpa = (uint64_t)(uintptr_t)r->hva;

	for (uint64_t done = 0; done < r->size;) {
		uint64_t left = r->size - done;
		unsigned limits = memory_limits(m, r->gpa + done, &left);
		unsigned level = page_level((r->gpa + done) | (hpa + done), left, f->highest);
		uint64_t *entry = entry_at(f, root, r->gpa + done, level);

		if (entry == NULL)
			return -ENOMEM;
		*entry = (hpa + done) | page_bits(f, level, limits);
		done += page_size(level);
	}
	return 0;
}

int nested_build(const struct memory *m, const struct nested_format *f, uint64_t *root)
{
	uint64_t *top = plat_pages_alloc(GUEST_PAGE_SIZE, GUEST_PAGE_SIZE);
	int err = top != NULL ? 0 : -ENOMEM;

	for (unsigned i = 0; i < m->nr_ram && err == 0; i++)
		err = map_region(f, top, m, &m->ram[i]);
	*root = (uint64_t)(uintptr_t)top;
	return err;
}
