/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw system calls of x86-64 Linux. Results are the kernel's: negative values are
 * kernel error numbers, which picolibc's <errno.h> does not share; compare them
 * with enum linux_error only.
 */
#ifndef HUSK_LINUX_SYSCALL_H
#define HUSK_LINUX_SYSCALL_H

#include <asm/unistd.h>

/** Kernel error numbers that the host looks at (asm-generic/errno-base.h, errno.h). */
enum linux_error {
	LINUX_EPERM = 1,
	LINUX_ENOENT = 2,
	LINUX_EINTR = 4,
	LINUX_EIO = 5,
	LINUX_ENXIO = 6,
	LINUX_EAGAIN = 11,
	LINUX_ENOMEM = 12,
	LINUX_EACCES = 13,
	LINUX_EFAULT = 14,
	LINUX_EBUSY = 16,
	LINUX_ENODEV = 19,
	LINUX_EINVAL = 22,
	LINUX_EFBIG = 27,
	LINUX_ENOSPC = 28,
	LINUX_EROFS = 30,
	LINUX_ENOSYS = 38,
	LINUX_EBADFD = 77,
	LINUX_EOPNOTSUPP = 95,
	LINUX_EADDRINUSE = 98,
	LINUX_ECONNREFUSED = 111,
	LINUX_EDQUOT = 122,
};

/**
 * System call with up to six arguments; unused ones are 0. Registers by the x86-64 psABI, appendix A.2.1;
 * the kernel destroys rcx and r11.
 */
static inline long linux_call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/** System call with four arguments. */
static inline long linux_call4(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

/** System call with up to three arguments; unused ones are 0. */
static inline long linux_call3(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

/** System call that a signal may interrupt: made again until it is not. */
static inline long linux_call3_retry(long number, long a, long b, long c)
{
	long result;

	do
		result = linux_call3(number, a, b, c);
	while (result == -LINUX_EINTR);
	return result;
}

#endif
