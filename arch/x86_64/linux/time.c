/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks, read through the vDSO: tens of nanoseconds and no trap where the kernel's clock source is the TSC. */
#include "arch/x86_64/linux/host.h"

#include <linux/time.h>
#include <linux/time_types.h>

#include "arch/x86_64/linux/syscall.h"
#include "arch/x86_64/linux/vdso.h"

#define NS_PER_S 1000000000u

typedef int clock_function(int clock, struct __kernel_timespec *out);

static int clock_by_call(int clock, struct __kernel_timespec *out)
{
	return (int)linux_call3(__NR_clock_gettime, clock, (long)out, 0);
}

static clock_function *read_clock = clock_by_call;

void host_time_init(const void *vdso)
{
	const void *found = vdso_find(vdso, "__vdso_clock_gettime");

	if (found != NULL)
		read_clock = (clock_function *)(uintptr_t)found;
}

uint64_t plat_time_ns(void)
{
	struct __kernel_timespec now = { 0 };

	read_clock(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* The kernel adjusts the rate of its clock as it runs. */
bool plat_time_scale(struct plat_time_scale *out)
{
	(void)out;
	return false;
}

uint64_t plat_counter(void)
{
	return 0;
}

uint64_t plat_wallclock_ns(void)
{
	struct __kernel_timespec now = { 0 };

	if (read_clock(CLOCK_REALTIME, &now) != 0 || now.tv_sec < 0)
		return 0;
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}
