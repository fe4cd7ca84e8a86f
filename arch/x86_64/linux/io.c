/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signal-driven I/O (fcntl(2), O_ASYNC): the kernel interrupts the CPU itself when something happens to a file, as a
 * real card would. SIGIO is pending once at most, so a flood of packets is no flood of signals.
 */
#include "arch/x86_64/linux/host.h"

#include <asm/fcntl.h>
#include <asm/signal.h>

#include "arch/x86_64/linux/syscall.h"

static uint32_t events;

void host_io_signal(int number, void *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
	__atomic_fetch_add(&events, 1, __ATOMIC_RELEASE);
	host_cpu_attend(ATTN_IO);
}

uint32_t host_io_events(void)
{
	return __atomic_load_n(&events, __ATOMIC_ACQUIRE);
}

long host_io_watch(int fd)
{
	const struct f_owner_ex self = { .type = F_OWNER_TID, .pid = (int)linux_call3(__NR_gettid, 0, 0, 0) };
	long flags = linux_call3(__NR_fcntl, fd, F_GETFL, 0), error;

	if (flags < 0)
		return flags;
	/* In this order: some files take the whole process as their owner when O_ASYNC is set. */
	error = linux_call3(__NR_fcntl, fd, F_SETFL, flags | FASYNC | O_NONBLOCK);
	if (error >= 0)
		error = linux_call3(__NR_fcntl, fd, F_SETOWN_EX, (long)&self);
	return error < 0 ? error : 0;
}
