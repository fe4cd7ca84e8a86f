/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for generated code: shared memory, mapped once for writing and once for
 * execution. Nothing is ever both, and nothing becomes executable that was not, so
 * policies that forbid these leave this alone. perf takes it for generated code,
 * which it does not do with a file (memfd_create()).
 */
#include "arch/x86_64/linux/host.h"

#include <errno.h>

#include <asm/mman.h>
#include <linux/mman.h>

#include <husk/log.h>

#include "arch/x86_64/linux/syscall.h"

/* MAP_32BIT looks for room in the second GiB: the image is in the first one. */
#define CODE_LIMIT ((uintptr_t)1 << 31)
#define CODE_MAX   (CODE_LIMIT / 2)
#define LARGE_PAGE ((size_t)2 << 20)

/* Says why there can be no generated code; `error` is the kernel's, negative. Returns the error for the caller. */
static int refused(const char *what, long error)
{
	if (error == -LINUX_ENOMEM)
		return -ENOMEM;
	log_error("the system refuses memory for generated code (%s, kernel error %ld): let the process map shared "
		  "memory for execution, or choose the engine interp",
		  what, -error);
	return -ENOSYS;
}

static void prefer_large_pages(uintptr_t at, size_t bytes)
{
	if (bytes >= LARGE_PAGE)
		linux_call3(__NR_madvise, (long)at, (long)bytes, MADV_HUGEPAGE); /* only advice: may fail */
}

/*
 * Maps both views over reserved addresses: shared memory, and the same memory once more. The second one gives up
 * execution before it is writable.
 */
static int map_views(uintptr_t write, uintptr_t execute, size_t bytes)
{
	long result = linux_call6(__NR_mmap, (long)execute, (long)bytes, PROT_READ | PROT_EXEC,
				  MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (result < 0)
		return refused("mmap", result);
	/* An old size of 0 leaves the old mapping where it is (mremap(2)). */
	result = linux_call6(__NR_mremap, (long)execute, 0, (long)bytes, MREMAP_MAYMOVE | MREMAP_FIXED, (long)write, 0);
	if (result < 0)
		return refused("mremap", result);
	result = linux_call3(__NR_mprotect, (long)write, (long)bytes, PROT_READ | PROT_WRITE);
	if (result < 0)
		return refused("mprotect", result);
	prefer_large_pages(write, bytes);
	prefer_large_pages(execute, bytes);
	return 0;
}

int plat_code_alloc(size_t bytes, struct plat_code *out)
{
	size_t align = bytes >= LARGE_PAGE ? LARGE_PAGE : HOST_PAGE;
	uintptr_t write, execute;
	int error = -ENOMEM;

	if (bytes == 0 || bytes > CODE_MAX)
		return -ENOMEM;
	bytes = (bytes + HOST_PAGE - 1) & ~(size_t)(HOST_PAGE - 1);
	write = host_reserve(bytes, align, MAP_32BIT);
	execute = host_reserve(bytes, align, MAP_32BIT);
	if (write != 0 && execute != 0 && write + bytes <= CODE_LIMIT && execute + bytes <= CODE_LIMIT)
		error = map_views(write, execute, bytes);
	if (error != 0) {
		host_release(write, bytes);
		host_release(execute, bytes);
		return error;
	}
	*out = (struct plat_code){ .write = (uint8_t *)write, .execute = (const uint8_t *)execute, .size = bytes };
	return 0;
}
