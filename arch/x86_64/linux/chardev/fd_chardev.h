/* SPDX-License-Identifier: BSD-2-Clause */
/* Character devices on a file descriptor: what sockets, pseudo-terminals and files share. */
#ifndef LINUX_FD_CHARDEV_H
#define LINUX_FD_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/chardev.h>

#define FD_CHARDEV_NONE (-1)

/** Bytes of output that wait for the other end, beside what the kernel keeps. */
#define FD_CHARDEV_BUFFER 65536u

/** A device. First member of a back end's own state. */
struct fd_chardev {
	struct chardev chardev;
	int fd;           /**< or FD_CHARDEV_NONE: output is lost, and there is no input */
	uint8_t *waiting; /**< FD_CHARDEV_BUFFER bytes */
	size_t nr_waiting;
	uint32_t seen;   /**< host_io_events() when there was nothing to read */
	bool empty;      /**< there was nothing then */
	bool stalled;    /**< the other end took nothing for a while; it is not waited for until it does */
	bool complained; /**< that output is lost, to this peer */
	/** Reading or writing says that the other end is gone: clears chardev.connected if it really is. */
	void (*gone)(struct fd_chardev *c);
};

/** Prepares a device that is called `spec`, without a descriptor yet. Returns 0 or -ENOMEM after logging one line. */
int fd_chardev_init(struct fd_chardev *c, const char *spec);

/** Somebody is at the other end from now on: `fd`, which does not block. */
void fd_chardev_connect(struct fd_chardev *c, int fd);

/** Writes what waits, as much as the other end takes. */
void fd_chardev_flush(struct fd_chardev *c);

/** As those of struct chardev_ops. */
void fd_chardev_write(struct chardev *chardev, const void *data, size_t size);
size_t fd_chardev_read(struct chardev *chardev, void *buf, size_t size);

#endif
