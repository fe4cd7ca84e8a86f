/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for guests and stacks: anonymous mappings between guard pages. */
#include "arch/x86_64/linux/host.h"

#include <asm/mman.h>
#include <linux/mman.h>
#include <linux/sysinfo.h>

#include "arch/x86_64/linux/syscall.h"

/* From this size on an area is taken to be guest RAM: sparse use and huge pages pay. */
#define BIG_AREA  ((size_t)16 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

#define MAX_ERRNO 4095u

/* Reserves address space without access. Returns its address or 0. */
static uintptr_t reserve(size_t bytes, long flags)
{
	uintptr_t at = (uintptr_t)linux_call6(__NR_mmap, 0, (long)bytes, PROT_NONE,
					      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	return at > UINTPTR_MAX - MAX_ERRNO ? 0 : at;
}

static void release(uintptr_t start, uintptr_t end)
{
	if (end > start)
		linux_call3(__NR_munmap, (long)start, (long)(end - start), 0);
}

/* Makes reserved pages memory. Big areas are not charged in advance, small ones may fail here and now. */
static bool populate(uintptr_t at, size_t bytes)
{
	long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | (bytes >= BIG_AREA ? MAP_NORESERVE : 0);

	if (linux_call6(__NR_mmap, (long)at, (long)bytes, PROT_READ | PROT_WRITE, flags, -1, 0) != (long)at)
		return false;
	if (bytes >= BIG_AREA)
		linux_call3(__NR_madvise, (long)at, (long)bytes, MADV_HUGEPAGE); /* only advice: may fail */
	return true;
}

uintptr_t host_reserve(size_t bytes, size_t align, long flags)
{
	size_t span;
	uintptr_t base, at;

	if (__builtin_add_overflow(bytes, align, &span) || __builtin_add_overflow(span, 2 * HOST_PAGE, &span))
		return 0;
	base = reserve(span, flags);
	if (base == 0)
		return 0;
	at = (base + HOST_PAGE + align - 1) & ~(align - 1);
	release(base, at - HOST_PAGE);
	release(at + bytes + HOST_PAGE, base + span);
	return at;
}

void host_release(uintptr_t at, size_t bytes)
{
	if (at != 0)
		release(at - HOST_PAGE, at + bytes + HOST_PAGE);
}

/* Address of `bytes` aligned to `align`, one guard page on either side; 0 if there is no room. All are multiples
 * of a page. */
static uintptr_t alloc_guarded(size_t bytes, size_t align)
{
	uintptr_t at = host_reserve(bytes, align, 0);

	if (at != 0 && !populate(at, bytes)) {
		host_release(at, bytes);
		return 0;
	}
	return at;
}

/* Sizes of the computer's memory, in bytes: what is free, and what there is at all, swap included. */
static void memory_sizes(uint64_t *unused, uint64_t *total)
{
	struct sysinfo info = { 0 };

	linux_call3(__NR_sysinfo, (long)&info, 0, 0);
	*unused = ((uint64_t)info.freeram + info.bufferram + info.freeswap) * info.mem_unit;
	*total = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

void *plat_pages_alloc(size_t bytes, size_t align)
{
	uint64_t unused, total;
	size_t rounded;

	if (bytes == 0 || (align & (align - 1)) != 0 || __builtin_add_overflow(bytes, HOST_PAGE - 1, &rounded))
		return NULL;
	rounded &= ~(size_t)(HOST_PAGE - 1);
	if (align < HOST_PAGE)
		align = HOST_PAGE;
	if (rounded >= BIG_AREA && align < HUGE_PAGE)
		align = HUGE_PAGE;
	/* The kernel grants nearly any MAP_NORESERVE area and kills the process later; say no while we can. */
	memory_sizes(&unused, &total);
	if (total != 0 && rounded > total)
		return NULL;
	return (void *)alloc_guarded(rounded, align);
}

/* The kernel gives zeroed pages anyway. */
void *plat_ram_alloc(size_t bytes, size_t align)
{
	return plat_pages_alloc(bytes, align);
}

uint64_t plat_pages_free(void)
{
	uint64_t unused, total;

	memory_sizes(&unused, &total);
	return unused;
}

void *host_stack_alloc(size_t bytes)
{
	uintptr_t at = alloc_guarded(bytes, HOST_PAGE);

	return at == 0 ? NULL : (void *)(at + bytes);
}
