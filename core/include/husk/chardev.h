/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Character devices: the back ends that consoles of the guest can have for themselves (a socket, a pseudo-terminal, a
 * file), behind one interface. Who may call what and when: io.h.
 */
#ifndef HUSK_CHARDEV_H
#define HUSK_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/io.h>

struct vm;
struct chardev;

/** What a back end does. */
struct chardev_ops {
	/**
	 * Takes all of the output. It keeps what the other end is too slow for; when that is much, it waits for the other
	 * end, as long as that goes on. If it does not for a second, output is lost, which is said once, until it does: a
	 * guest need not stop for a reader that has. What is printed while nobody is connected is lost.
	 */
	void (*write)(struct chardev *c, const void *data, size_t size);
	/** Takes up to `size` bytes of input that has come; returns how many. What is not taken waits at the other end. */
	size_t (*read)(struct chardev *c, void *buf, size_t size);
	/** Something may have happened: goes on with output that waits, finds who has come or gone. Cheap if nothing has. */
	void (*poll)(struct chardev *c);
};

/** An open device. Embedded in the back end's own state; lives to the end of the run. */
struct chardev {
	const struct chardev_ops *ops;
	const char *name; /**< what it is, for messages: the spec it was opened by */
	bool connected;   /**< somebody is at the other end; ATTN_IO is raised when that changes */
};

/** The three operations; see struct chardev_ops. */
static inline void chardev_write(struct chardev *c, const void *data, size_t size)
{
	c->ops->write(c, data, size);
}

static inline size_t chardev_read(struct chardev *c, void *buf, size_t size)
{
	return c->ops->read(c, buf, size);
}

static inline void chardev_poll(struct chardev *c)
{
	c->ops->poll(c);
}

/** A kind of back end. Constant for the life of the image. */
struct chardev_driver {
	const char *scheme; /**< the spec's first word, such as "pty" */
	const char *usage;  /**< what follows it, for messages, such as "PATH" */
	/** As open() of struct block_driver. */
	int (*open)(struct vm *vm, const char *spec, const char *arguments, struct chardev **out);
};

/** Adds a kind of back end to the image, used as `HUSK_CHARDEV_DRIVER(pty) = { .scheme = "pty", ... };` */
#define HUSK_CHARDEV_DRIVER(id)                                                                \
	static const struct chardev_driver chardev_driver_##id;                                \
	static const struct chardev_driver *const chardev_driver_entry_##id                    \
		__attribute__((used, retain, section("husk_chardev"))) = &chardev_driver_##id; \
	static const struct chardev_driver chardev_driver_##id

/** Opens the device that a spec describes, such as "pty" or "stream:/run/console.sock,listen". As block_open(). */
int chardev_open(struct vm *vm, const char *spec, struct chardev **out);

#endif
