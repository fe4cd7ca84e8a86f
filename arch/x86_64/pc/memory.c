/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables: Intel SDM 3A, 4.5 (4-level paging). No address is both writable and
 * executable:
 *  - RAM, image and devices in use are at their physical addresses. RAM that is free
 *    or given out is writable; of the image, text is executable and data writable.
 *  - Memory for generated code is RAM below 2 GiB, near the image, that became
 *    executable instead of writable. It is written through a second mapping in the
 *    highest 2 GiB of the address space, where there is nothing else.
 */
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
#define PTE_USED     ((uint64_t)3 << 5) /* accessed, dirty: set by CPUs */
#define PTE_LARGE    ((uint64_t)1 << 7)
#define PTE_GLOBAL   ((uint64_t)1 << 8)
#define PTE_NX       ((uint64_t)1 << 63)
#define PTE_ADDRESS  0x000ffffffffff000ull

#define MAP_TEXT   PTE_PRESENT
#define MAP_RODATA (PTE_PRESENT | PTE_NX)
#define MAP_DATA   (PTE_PRESENT | PTE_WRITE | PTE_NX)
#define MAP_DEVICE (MAP_DATA | PTE_UNCACHED | PTE_WT)

#define LARGE_PAGE ((uint64_t)2 << 20)

/* The image, and generated code near it, are named by 32 bits; so are views of code for writing, by sign extension. */
#define CODE_LIMIT  ((uint64_t)1 << 31)
#define WRITE_VIEWS 0xffffffff80000000ull

#define CPUID_EXTENDED 0x80000001u
#define EDX_PAGES_1GIB (1u << 26)

static struct ranges free_ranges;
static uint64_t *pml4;
static bool has_1gib_pages;

/* Where the next view for writing goes. There is a gap of at least LARGE_PAGE between any two, and around them all. */
static uint64_t next_view = WRITE_VIEWS + LARGE_PAGE;

static uint64_t page_size(unsigned level)
{
	return (uint64_t)1 << (12 + 9 * level);
}

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

/* Largest page that fits at `at`, or at two addresses that are or-ed, with `left` bytes to go. */
static unsigned page_level(uint64_t at, uint64_t left)
{
	for (unsigned level = has_1gib_pages ? 2 : 1; level > 0; level--)
		if ((at & (page_size(level) - 1)) == 0 && left >= page_size(level))
			return level;
	return 0;
}

/* Maps `size` bytes of physical memory at an address that is not mapped yet. */
static int map_at(uint64_t at, uint64_t pa, uint64_t size, uint64_t flags)
{
	for (uint64_t done = 0; done < size;) {
		unsigned level = page_level((at + done) | (pa + done), size - done);
		uint64_t *entry = entry_at(at + done, level);

		if (entry == NULL)
			return -ENOMEM;
		*entry = (pa + done) | flags | (level > 0 ? PTE_LARGE : 0);
		done += page_size(level);
	}
	return 0;
}

static int map(uint64_t base, uint64_t end, uint64_t flags)
{
	return base < end ? map_at(base, base, end - base, flags) : 0;
}

/* Entry that maps `address`, which is mapped, and its level. */
static uint64_t *leaf_at(uint64_t address, unsigned *level)
{
	uint64_t *table = pml4;

	for (unsigned l = 3;; l--) {
		uint64_t *entry = &table[address >> (12 + 9 * l) & 511];

		if (l == 0 || (*entry & PTE_LARGE) != 0) {
			*level = l;
			return entry;
		}
		table = (uint64_t *)(*entry & PTE_ADDRESS);
	}
}

/* Replaces a large page by a table that maps the same with pages of the next smaller size. */
static int split(uint64_t *entry, unsigned level)
{
	uint64_t *table = new_table();
	uint64_t first = level > 1 ? *entry : *entry & ~PTE_LARGE;

	if (table == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < 512; i++)
		table[i] = first + i * page_size(level - 1);
	*entry = (uint64_t)table | PTE_PRESENT | PTE_WRITE;
	return 0;
}

/*
 * Changes how RAM may be accessed at its own address. Nobody but this CPU has used it, and others forget what they may
 * know of it before they begin to.
 */
static int protect(uint64_t base, uint64_t end, uint64_t flags)
{
	int err = 0;

	while (base < end && err == 0) {
		unsigned level;
		uint64_t *entry = leaf_at(base, &level);
		uint64_t size = page_size(level);

		if ((base & (size - 1)) != 0 || end - base < size) {
			err = split(entry, level);
			continue;
		}
		*entry = (*entry & (PTE_ADDRESS | (level > 0 ? PTE_LARGE : 0))) | flags;
		base += size;
	}
	write_cr3(read_cr3()); /* 4.10.4.1: forgets all translations, which are not global */
	return err;
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

static int map_page(uint64_t pa, uint64_t flags)
{
	uint64_t page = pa & ~(uint64_t)(RANGE_PAGE - 1);
	uint64_t *entry;

	if (page == 0 || pa >= RANGES_HIGHEST)
		return -EINVAL;
	entry = entry_at(page, 0);
	if (entry == NULL)
		return -ENOMEM;
	if ((*entry & ~PTE_USED) == (page | flags))
		return 0;
	if ((*entry & PTE_PRESENT) != 0)
		return -EINVAL;
	*entry = page | flags;
	return 0;
}

int memory_map_device(uint64_t pa)
{
	return map_page(pa, MAP_DEVICE);
}

int memory_map_page(uint64_t pa)
{
	return map_page(pa, MAP_DATA);
}

int memory_unmap(uint64_t base, uint64_t size)
{
	return protect(base, base + size, 0);
}

void *memory_take(size_t bytes, size_t align)
{
	if (bytes >= LARGE_PAGE && align < LARGE_PAGE)
		align = LARGE_PAGE;
	return (void *)ranges_take(&free_ranges, bytes, align, RANGES_HIGHEST);
}

void *plat_pages_alloc(size_t bytes, size_t align)
{
	void *pages = plat_ram_alloc(bytes, align);

	if (pages != NULL)
		zero(pages, (bytes + RANGE_PAGE - 1) & ~(size_t)(RANGE_PAGE - 1));
	return pages;
}

int plat_code_alloc(size_t bytes, struct plat_code *out)
{
	uint64_t pa, view = next_view, size;

	if (bytes == 0 || bytes > CODE_LIMIT)
		return -ENOMEM;
	size = (bytes + RANGE_PAGE - 1) & ~(uint64_t)(RANGE_PAGE - 1);
	if (size + 2 * LARGE_PAGE > -view)
		return -ENOMEM;
	pa = ranges_take(&free_ranges, size, bytes >= LARGE_PAGE ? LARGE_PAGE : RANGE_PAGE, CODE_LIMIT);
	if (pa == 0)
		return -ENOMEM;
	zero((void *)pa, size);
	next_view = (view + size + 2 * LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
	/* What fails for want of a table stays as it is: part of the memory may have changed already. */
	if (map_at(view, pa, size, MAP_DATA) != 0 || protect(pa, pa + size, MAP_TEXT) != 0)
		return -ENOMEM;
	*out = (struct plat_code){ .write = (uint8_t *)view, .execute = (const uint8_t *)pa, .size = size };
	return 0;
}

uint64_t plat_pages_free(void)
{
	return ranges_total(&free_ranges);
}
