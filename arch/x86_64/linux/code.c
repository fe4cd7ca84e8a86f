/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for generated code: one file without a name, mapped once for writing and
 * once for execution. Nothing is ever both, so policies that forbid mprotect() to
 * PROT_EXEC and mappings that are writable and executable leave this alone.
 */
#include "arch/x86_64/linux/host.h"

#include <errno.h>

#include <asm/mman.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/resource.h>

#include <husk/log.h>

#include "arch/x86_64/linux/syscall.h"

/* MAP_32BIT looks for room in the second GiB: the image is in the first one. */
#define CODE_LIMIT ((uintptr_t)1 << 31)
#define CODE_MAX   (CODE_LIMIT / 2)
#define LARGE_PAGE ((size_t)2 << 20)

/* Linux 6.3: the file itself can never be run, which says nothing about mappings. Older headers lack it. */
#define MEMFD_NOEXEC_SEAL 8u

/* Says why there can be no generated code; `error` is the kernel's, negative. Returns the error for the caller. */
static int refused(const char *what, long error)
{
	if (error == -LINUX_ENOMEM)
		return -ENOMEM;
	log_error(
		"the system refuses memory for generated code (%s, kernel error %ld): let the process use memfd_create "
		"and map it for execution, or choose the engine interp",
		what, -error);
	return -ENOSYS;
}

/* A file as large as `bytes`, in memory. Returns its descriptor or a negative kernel error. */
static long create_file(size_t bytes)
{
	static const char name[] = "husk-code";
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
	long fd, error;

	/* Growing the file beyond this would not only fail but send SIGXFSZ. */
	linux_call4(__NR_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit);
	if (limit.rlim_cur < bytes) {
		log_error("generated code needs a limit 'ulimit -f' of at least %llu KiB",
			  (unsigned long long)(bytes / 1024));
		return -LINUX_EFBIG;
	}
	fd = linux_call3(__NR_memfd_create, (long)name, MFD_CLOEXEC | MEMFD_NOEXEC_SEAL, 0);
	if (fd == -LINUX_EINVAL)
		fd = linux_call3(__NR_memfd_create, (long)name, MFD_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	error = linux_call3_retry(__NR_ftruncate, fd, (long)bytes, 0);
	if (error < 0) {
		linux_call3(__NR_close, fd, 0, 0);
		return error;
	}
	return fd;
}

/* Maps the file over reserved addresses. Returns 0 or a negative kernel error. */
static long map_view(uintptr_t at, size_t bytes, long protection, long fd)
{
	long result = linux_call6(__NR_mmap, (long)at, (long)bytes, protection, MAP_SHARED | MAP_FIXED, fd, 0);

	if (result < 0)
		return result;
	if (bytes >= LARGE_PAGE)
		linux_call3(__NR_madvise, (long)at, (long)bytes, MADV_HUGEPAGE); /* only advice: may fail */
	return 0;
}

/* Maps both views over reserved addresses. */
static int map_views(uintptr_t write, uintptr_t execute, size_t bytes)
{
	long fd = create_file(bytes);
	long error;

	if (fd < 0)
		return fd == -LINUX_EFBIG ? -ENOSYS : refused("memfd_create", fd);
	error = map_view(write, bytes, PROT_READ | PROT_WRITE, fd);
	if (error == 0)
		error = map_view(execute, bytes, PROT_READ | PROT_EXEC, fd);
	linux_call3(__NR_close, fd, 0, 0);
	return error == 0 ? 0 : refused("mmap", error);
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
