/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls of vhost-net. */
#include "arch/x86_64/linux/net-vhost/vhost.h"

#include <asm/fcntl.h>

#include "arch/x86_64/linux/syscall.h"

/* Flags of eventfd2(2), which linux/ has in newer versions only. */
#define EVENT_CLOEXEC  O_CLOEXEC
#define EVENT_NONBLOCK O_NONBLOCK

long vhost_open(void)
{
	return linux_call3_retry(__NR_open, (long)"/dev/vhost-net", O_RDWR | O_CLOEXEC, 0);
}

long vhost_ioctl(int device, unsigned long request, const void *argument)
{
	return linux_call3_retry(__NR_ioctl, device, (long)request, (long)argument);
}

long vhost_event(bool waits)
{
	return linux_call3(__NR_eventfd2, 0, EVENT_CLOEXEC | (waits ? 0 : EVENT_NONBLOCK), 0);
}

long vhost_event_wait(int event)
{
	uint64_t count;
	long got = linux_call3_retry(__NR_read, event, (long)&count, sizeof(count));

	return got < 0 ? got : 0;
}

void vhost_event_raise(int event)
{
	const uint64_t one = 1;

	/* Fails only where it is raised as far as can be. */
	linux_call3_retry(__NR_write, event, (long)&one, sizeof(one));
}

void vhost_close(int fd)
{
	linux_call3(__NR_close, fd, 0, 0);
}

long vhost_tap_signals(int tap, bool on)
{
	long flags = linux_call3(__NR_fcntl, tap, F_GETFL, 0);

	if (flags < 0)
		return flags;
	flags = on ? flags | FASYNC : flags & ~(long)FASYNC;
	flags = linux_call3(__NR_fcntl, tap, F_SETFL, flags);
	return flags < 0 ? flags : 0;
}
