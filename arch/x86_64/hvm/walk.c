/* SPDX-License-Identifier: BSD-2-Clause */
/* Section and figure numbers are of the Intel SDM, volume 3A. */
#include "arch/x86_64/hvm/walk.h"

#include <errno.h>
#include <stdbool.h>

#include "arch/x86_64/hvm/cpu.h"

#define ENTRY_PRESENT ((uint64_t)1 << 0)
#define ENTRY_LARGE   ((uint64_t)1 << 7)
#define ADDRESS_LONG  0x000ffffffffff000ull

/** How a kind of paging cuts an address. */
struct shape {
	unsigned levels, index_bits, entry_bytes, top_bits;
	bool canonical; /**< the bits above the translated ones repeat the highest of them */
};

static const struct shape two_levels = { .levels = 2, .index_bits = 10, .entry_bytes = 4, .top_bits = 10 };
static const struct shape pae = { .levels = 3, .index_bits = 9, .entry_bytes = 8, .top_bits = 2 };
static const struct shape four_levels = {
	.levels = 4, .index_bits = 9, .entry_bytes = 8, .top_bits = 9, .canonical = true
};
static const struct shape five_levels = {
	.levels = 5, .index_bits = 9, .entry_bytes = 8, .top_bits = 9, .canonical = true
};

/* 4.1.1 */
static const struct shape *shape_of(const struct x86_paging *p)
{
	if ((p->efer & X86_EFER_LMA) != 0)
		return (p->cr4 & X86_CR4_LA57) != 0 ? &five_levels : &four_levels;
	return (p->cr4 & X86_CR4_PAE) != 0 ? &pae : &two_levels;
}

static unsigned address_bits(const struct shape *s)
{
	return GUEST_PAGE_SHIFT + s->index_bits * (s->levels - 1) + s->top_bits;
}

static bool is_canonical(const struct shape *s, uint64_t gva)
{
	unsigned unused = 64 - address_bits(s);

	return !s->canonical || (uint64_t)((int64_t)(gva << unused) >> unused) == gva;
}

static int read_entry(const struct memory *m, const struct shape *s, uint64_t gpa, uint64_t *entry)
{
	const void *at = memory_borrow(m, gpa, s->entry_bytes);

	if (at == NULL)
		return -EFAULT;
	*entry = s->entry_bytes == 8 ? *(const uint64_t *)at : *(const uint32_t *)at;
	return (*entry & ENTRY_PRESENT) != 0 ? 0 : -EFAULT;
}

/* Table 4-14: PS in all tables but the top ones; with 2 levels only if CR4.PSE allows it (4.3). */
static bool is_page(const struct shape *s, const struct x86_paging *p, unsigned level, uint64_t entry)
{
	if (level == 0)
		return true;
	if ((entry & ENTRY_LARGE) == 0)
		return false;
	return s == &two_levels ? (p->cr4 & X86_CR4_PSE) != 0 : level == 1 || (level == 2 && s->levels >= 4);
}

static uint64_t page_address(const struct shape *s, unsigned level, uint64_t entry, uint64_t gva)
{
	uint64_t offset = ((uint64_t)1 << (GUEST_PAGE_SHIFT + s->index_bits * level)) - 1;
	uint64_t base = entry & ADDRESS_LONG;

	/* Figure 4-4: bits 39:32 of the address of a 4 MiB page are bits 20:13 of its entry. */
	if (s == &two_levels && level == 1)
		base = (entry & 0xffc00000u) | (entry >> 13 & 0xff) << 32;
	return (base & ~offset) | (gva & offset);
}

int x86_walk(const struct memory *m, const struct x86_paging *p, uint64_t gva, uint64_t *gpa)
{
	const struct shape *s = shape_of(p);
	uint64_t table, entry;

	if ((p->cr0 & X86_CR0_PG) == 0) {
		*gpa = (uint32_t)gva;
		return 0;
	}
	if (!is_canonical(s, gva))
		return -EFAULT;
	if (!s->canonical)
		gva = (uint32_t)gva;
	table = s == &pae ? p->cr3 & 0xffffffe0u : p->cr3 & (s->canonical ? ADDRESS_LONG : 0xfffff000u);
	for (unsigned level = s->levels - 1;; level--) {
		unsigned bits = level == s->levels - 1 ? s->top_bits : s->index_bits;
		uint64_t index = gva >> (GUEST_PAGE_SHIFT + s->index_bits * level) & (((uint64_t)1 << bits) - 1);

		if (read_entry(m, s, table + index * s->entry_bytes, &entry) != 0)
			return -EFAULT;
		if (is_page(s, p, level, entry)) {
			*gpa = page_address(s, level, entry, gva);
			return 0;
		}
		table = entry & ADDRESS_LONG;
	}
}
