/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio console device (virtio 1.2, 5.3) with several named consoles, each of which is a port of husk's console or
 * has a line of its own. A driver that does not know of several sees the first.
 */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/chardev.h>
#include <husk/console.h>

#include <linux/virtio_console.h>

#include "features/virtio/virtio.h"

#define VIRTIO_CONSOLE_MAX_PORTS 4u

/** Longest name of a console, without the NUL. */
#define VIRTIO_CONSOLE_MAX_NAME 31u

/* Queues (5.3.2): two of the first port, two for control, then two of each further port. */
#define VIRTIO_CONSOLE_CONTROL_IN  2u /**< messages to the driver */
#define VIRTIO_CONSOLE_CONTROL_OUT 3u /**< messages from the driver */
#define VIRTIO_CONSOLE_MAX_QUEUES  (2u * VIRTIO_CONSOLE_MAX_PORTS + 2u)

/** Buffers of a queue. */
#define VIRTIO_CONSOLE_QUEUE_SIZE 64u

/** Pieces of guest memory that a buffer may be made of. */
#define VIRTIO_CONSOLE_SEGMENTS 32u

struct virtio_console;

/** What the driver is still to be told of a console: bits. They are sent in this order. */
enum virtio_console_news {
	VIRTIO_CONSOLE_NEWS_ADD = 1u << 0,     /**< that it is there */
	VIRTIO_CONSOLE_NEWS_CONSOLE = 1u << 1, /**< that it is for people */
	VIRTIO_CONSOLE_NEWS_NAME = 1u << 2,    /**< its name */
	VIRTIO_CONSOLE_NEWS_OPEN = 1u << 3,    /**< whether somebody listens */
};

/** A console. */
struct virtio_console_port {
	struct console_port port; /* first */
	struct virtio_console *device;
	unsigned number;
	bool ready;     /**< the driver has taken it */
	bool open;      /**< the guest reads and writes it */
	unsigned news;  /**< enum virtio_console_news */
	bool has_chain; /**< a buffer for input is taken: */
	struct virtio_chain chain;
	struct io_vector vectors[VIRTIO_CONSOLE_SEGMENTS];
};

/** The device. Zeroed memory, then virtio_console_init(). */
struct virtio_console {
	struct virtio_device virtio; /* first */
	struct virtqueue queues[VIRTIO_CONSOLE_MAX_QUEUES];
	struct virtio_console_config config;
	struct virtio_console_port ports[VIRTIO_CONSOLE_MAX_PORTS];
	unsigned nr_ports;
};

/** A console as it is to be. */
struct virtio_console_options {
	const char *name;     /**< lives to the end of the run */
	struct chardev *line; /**< what it is connected to; NULL: husk's console */
};

/**
 * Prepares a device with nr consoles and attaches them to husk's; the caller plugs it. Returns 0, or -EINVAL (a name is
 * too long) or -ENOSPC (no room on husk's console) after logging one line.
 */
int virtio_console_init(struct virtio_console *c, const struct virtio_console_options *options, unsigned nr,
			struct memory *memory, struct console *console);

/** Handles messages of the driver, and sends it the news. For virtio_console.c. */
void virtio_console_control(struct virtio_console *c);

/** The guest opens or closes a console: input may go to it, or waits. For control.c. */
void virtio_console_set_open(struct virtio_console_port *p, bool open);

#endif
