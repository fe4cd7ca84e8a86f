/* SPDX-License-Identifier: BSD-2-Clause */
/* See fd_chardev.h. */
#include "arch/x86_64/linux/chardev/fd_chardev.h"

#include <errno.h>
#include <string.h>

#include <asm/poll.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/linux/host.h"
#include "arch/x86_64/linux/syscall.h"

#define NS_PER_MS   1000000u
#define PATIENCE_NS ((uint64_t)1000 * NS_PER_MS)
#define TURN_MS     50 /* a signal may cut it short */

int fd_chardev_init(struct fd_chardev *c, const char *spec)
{
	c->chardev.name = spec;
	c->fd = FD_CHARDEV_NONE;
	c->waiting = plat_pages_alloc(FD_CHARDEV_BUFFER, 0);
	if (c->waiting != NULL)
		return 0;
	log_error("console '%s': the host has no memory for it", spec);
	return -ENOMEM;
}

void fd_chardev_connect(struct fd_chardev *c, int fd)
{
	c->fd = fd;
	c->nr_waiting = 0;
	c->empty = c->stalled = c->complained = false;
	c->chardev.connected = true;
}

/* Writes what the other end takes now. Returns how much that was. */
static size_t put(struct fd_chardev *c, const uint8_t *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		long n = linux_call3_retry(__NR_write, c->fd, (long)(data + done), (long)(size - done));

		if (n == -LINUX_EAGAIN)
			return done;
		if (n <= 0) {
			c->gone(c);
			return size;
		}
		done += (size_t)n;
	}
	return done;
}

void fd_chardev_flush(struct fd_chardev *c)
{
	size_t done;

	if (!c->chardev.connected)
		c->nr_waiting = 0;
	if (c->nr_waiting == 0)
		return;
	done = put(c, c->waiting, c->nr_waiting);
	c->nr_waiting -= done;
	memmove(c->waiting, c->waiting + done, c->nr_waiting);
	if (done != 0)
		c->stalled = false;
}

/* Waits until the other end has taken some of what waits. */
static void wait_for_room(struct fd_chardev *c)
{
	uint64_t start = plat_time_ns();
	size_t before = c->nr_waiting;

	while (!c->stalled && c->chardev.connected && c->nr_waiting == before) {
		struct pollfd p = { .fd = c->fd, .events = POLLOUT };

		c->stalled = plat_time_ns() - start > PATIENCE_NS;
		linux_call3(__NR_poll, (long)&p, 1, TURN_MS);
		fd_chardev_flush(c);
	}
}

/* Keeps as much output for later as there is room for. Returns how much that was. */
static size_t keep(struct fd_chardev *c, const uint8_t *data, size_t size)
{
	size_t room = FD_CHARDEV_BUFFER - c->nr_waiting;
	size_t n = size < room ? size : room;

	memcpy(c->waiting + c->nr_waiting, data, n);
	c->nr_waiting += n;
	return n;
}

static void complain(struct fd_chardev *c)
{
	if (!c->complained)
		log_warn("console '%s': output is lost, because the other end takes none", c->chardev.name);
	c->complained = true;
}

void fd_chardev_write(struct chardev *chardev, const void *data, size_t size)
{
	struct fd_chardev *c = (struct fd_chardev *)chardev;
	const uint8_t *at = data;
	size_t done = 0;

	fd_chardev_flush(c);
	if (chardev->connected && c->nr_waiting == 0)
		done = put(c, at, size);
	while (chardev->connected && (done += keep(c, at + done, size - done)) < size) {
		if (c->stalled) {
			complain(c);
			return;
		}
		wait_for_room(c);
	}
}

size_t fd_chardev_read(struct chardev *chardev, void *buf, size_t size)
{
	struct fd_chardev *c = (struct fd_chardev *)chardev;
	uint32_t events = host_io_events();
	long n;

	if (c->fd == FD_CHARDEV_NONE || (c->empty && c->seen == events))
		return 0;
	n = linux_call3_retry(__NR_read, c->fd, (long)buf, (long)size);
	c->seen = events;
	c->empty = n <= 0;
	if (n > 0)
		return (size_t)n;
	if (n != -LINUX_EAGAIN)
		c->gone(c);
	return 0;
}

HUSK_FEATURE(chardev) = {
	.name = "chardev",
	.purpose = "what back ends of consoles share",
	.level = FEATURE_HOST,
};
