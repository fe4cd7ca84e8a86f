/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/perf-map/file.h"

#include <asm/mman.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <stdio.h>

#include <husk/log.h>

#include "arch/x86_64/linux/syscall.h"

#define MAX_ERRNO 4095ul

unsigned perf_pid(void)
{
	return (unsigned)linux_call3(__NR_getpid, 0, 0, 0);
}

int perf_create(const char *base, const char *extension)
{
	char path[64];
	long fd;

	snprintf(path, sizeof(path), "/tmp/%s-%u.%s", base, perf_pid(), extension);
	/* One that an earlier process of the same number left, or somebody else put there, is not written to. */
	linux_call3(__NR_unlink, (long)path, 0, 0);
	fd = linux_call4(__NR_openat, AT_FDCWD, (long)path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		log_warn("%s cannot be made (kernel error %ld): perf will not know translated code", path, -fd);
	return fd < 0 ? -1 : (int)fd;
}

bool perf_write(int fd, const void *data, size_t size)
{
	const char *from = data;

	while (size > 0) {
		long done = linux_call3_retry(__NR_write, fd, (long)from, (long)size);

		if (done <= 0)
			return false;
		from += done;
		size -= (size_t)done;
	}
	return true;
}

bool perf_announce(int fd)
{
	long at = linux_call6(__NR_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	return (unsigned long)at < -MAX_ERRNO;
}
