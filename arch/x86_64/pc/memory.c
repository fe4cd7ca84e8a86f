/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables: Intel SDM 3A, 4.5 (4-level paging). */
#include "arch/x86_64/pc/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/pc/boot.h"
#include "arch/x86_64/pc/ranges.h"
#include "arch/x86_64/pc/trap.h"
#include "arch/x86_64/pc/x86.h"

#define PTE_PRESENT  ((uint64_t)1 << 0)
#define PTE_WRITE    ((uint64_t)1 << 1)
#define PTE_WT       ((uint64_t)1 << 3)
#define PTE_UNCACHED ((uint64_t)1 << 4)
#define PTE_LARGE    ((uint64_t)1 << 7)
#define PTE_GLOBAL   ((uint64_t)1 << 8)
#define PTE_NX       ((uint64_t)1 << 63)
#define PTE_ADDRESS  0x000ffffffffff000ull

#define MAP_TEXT   PTE_PRESENT
#define MAP_RODATA (PTE_PRESENT | PTE_NX)
#define MAP_DATA   (PTE_PRESENT | PTE_WRITE | PTE_NX)
#define MAP_DEVICE (MAP_DATA | PTE_UNCACHED | PTE_WT)

#define LARGE_PAGE ((uint64_t)2 << 20)

#define CPUID_EXTENDED 0x80000001u
#define EDX_PAGES_1GIB (1u << 26)

static struct ranges free_ranges;
static uint64_t *pml4;
static bool has_1gib_pages;

const void *memory_early_view(uint64_t pa, uint64_t size)
{
	if (pa == 0 || pa >= MEMORY_EARLY_LIMIT || size > MEMORY_EARLY_LIMIT - pa)
		return NULL;
	return (const void *)pa;
}

/* The C library's memset would use vector registers; this is as fast where it matters. */
static void zero(void *p, size_t bytes)
{
	size_t words = bytes / 8;

	__asm__ volatile("rep stosq" : "+D"(p), "+c"(words) : "a"(0) : "memory");
}

/* Tables must be within reach of the temporary map, which is still in use when most are made. */
static uint64_t *new_table(void)
{
	uint64_t *table = (uint64_t *)ranges_take(&free_ranges, RANGE_PAGE, RANGE_PAGE, MEMORY_EARLY_LIMIT);

	if (table != NULL)
		zero(table, RANGE_PAGE);
	return table;
}

/* Entry for `address` at a level (3: 512 GiB, 2: 1 GiB, 1: 2 MiB, 0: 4 KiB), making tables on the way; NULL: none. */
static uint64_t *entry_at(uint64_t address, unsigned level)
{
	uint64_t *table = pml4;

	for (unsigned l = 3;; l--) {
		uint64_t *entry = &table[address >> (12 + 9 * l) & 511];

		if (l == level || (*entry & PTE_LARGE) != 0)
			return entry;
		if ((*entry & PTE_PRESENT) == 0) {
			table = new_table();
			if (table == NULL)
				return NULL;
			*entry = (uint64_t)table | PTE_PRESENT | PTE_WRITE;
		}
		table = (uint64_t *)(*entry & PTE_ADDRESS);
	}
}

/* Largest page that fits at `at` with `left` bytes to go. */
static unsigned page_level(uint64_t at, uint64_t left)
{
	for (unsigned level = has_1gib_pages ? 2 : 1; level > 0; level--) {
		uint64_t size = (uint64_t)1 << (12 + 9 * level);

		if ((at & (size - 1)) == 0 && left >= size)
			return level;
	}
	return 0;
}

static int map(uint64_t base, uint64_t end, uint64_t flags)
{
	while (base < end) {
		unsigned level = page_level(base, end - base);
		uint64_t *entry = entry_at(base, level);

		if (entry == NULL)
			return -ENOMEM;
		*entry = base | flags | (level > 0 ? PTE_LARGE : 0);
		base += (uint64_t)1 << (12 + 9 * level);
	}
	return 0;
}

/* Data and bss, all but the guard pages of the stacks, which are next to each other somewhere in bss. */
static int map_data(void)
{
	uint64_t at = (uint64_t)image_rodata_end;
	size_t count;
	const struct guarded_stack *s = trap_stacks(&count);
	int err = 0;

	for (size_t i = 0; i < count && err == 0; i++) {
		err = map(at, s[i].base - RANGE_PAGE, MAP_DATA);
		at = s[i].base;
		if (err == 0)
			err = map(at, at + s[i].size, MAP_DATA);
		at += s[i].size;
	}
	return err != 0 ? err : map(at + RANGE_PAGE, (uint64_t)image_data_end, MAP_DATA);
}

static int map_image(void)
{
	int err = map((uint64_t)image_start, (uint64_t)image_text_end, MAP_TEXT);

	if (err == 0)
		err = map((uint64_t)image_text_end, (uint64_t)image_rodata_end, MAP_RODATA);
	if (err == 0)
		err = map_data();
	return err != 0 ? err : map((uint64_t)image_data_end, (uint64_t)image_end, MAP_RODATA);
}

static int build_tables(void)
{
	/* A copy, because tables are taken from the list; they have to be mapped as well. */
	static struct ranges all;
	int err = 0;

	all = free_ranges;
	pml4 = new_table();
	if (pml4 == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < all.nr && err == 0; i++)
		err = map(all.r[i].base, all.r[i].base + all.r[i].size, MAP_DATA);
	return err != 0 ? err : map_image();
}

static _Noreturn void too_little(void)
{
	log_error("the host has too little memory: only %llu KiB are free beside the image",
		  (unsigned long long)(ranges_total(&free_ranges) >> 10));
	plat_exit(HUSK_EXIT_HOST);
}

void memory_init(const struct boot_info *info)
{
	has_1gib_pages = (cpuid(CPUID_EXTENDED, 0).edx & EDX_PAGES_1GIB) != 0;
	ranges_from_boot(&free_ranges, info);
	ranges_remove(&free_ranges, (uint64_t)image_start, (uint64_t)(image_end - image_start));
	if (build_tables() != 0)
		too_little();
	write_cr3((uint64_t)pml4);
	write_cr0(read_cr0() | CR0_WP);
}

int memory_map_device(uint64_t pa)
{
	uint64_t page = pa & ~(uint64_t)(RANGE_PAGE - 1);
	uint64_t *entry;

	if (page == 0 || pa >= RANGES_HIGHEST)
		return -EINVAL;
	entry = entry_at(page, 0);
	if (entry == NULL)
		return -ENOMEM;
	if (*entry == (page | MAP_DEVICE))
		return 0;
	if ((*entry & PTE_PRESENT) != 0)
		return -EINVAL;
	*entry = page | MAP_DEVICE;
	return 0;
}

void *plat_pages_alloc(size_t bytes, size_t align)
{
	uint64_t pa;

	if (bytes >= LARGE_PAGE && align < LARGE_PAGE)
		align = LARGE_PAGE;
	pa = ranges_take(&free_ranges, bytes, align, RANGES_HIGHEST);
	if (pa == 0)
		return NULL;
	zero((void *)pa, (bytes + RANGE_PAGE - 1) & ~(size_t)(RANGE_PAGE - 1));
	return (void *)pa;
}

uint64_t plat_pages_free(void)
{
	return ranges_total(&free_ranges);
}
