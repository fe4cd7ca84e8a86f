/* SPDX-License-Identifier: BSD-2-Clause */
/* Consoles on a stream socket: bytes as they are, both ways. A listener takes one peer after another. */
#include <errno.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/linux/chardev/fd_chardev.h"
#include "arch/x86_64/linux/host.h"
#include "arch/x86_64/linux/socket/socket.h"

struct stream {
	struct fd_chardev base; /* first */
	struct socket_end socket;
};

/* Nobody gets the output any more. */
static void disconnect(struct chardev *c)
{
	if (c->connected)
		log_info("console '%s': the peer is gone", c->name);
	c->connected = false;
}

static void gone(struct fd_chardev *c)
{
	/* The end of what it sends, but it may wait for an answer. */
	if (socket_state(c->fd) == SOCKET_HALF)
		return;
	socket_drop_peer(&((struct stream *)c)->socket);
	c->fd = FD_CHARDEV_NONE;
	disconnect(&c->chardev);
}

/*
 * Takes the next peer in place of one that has ended at least its sending. Of that one the guest may not have read
 * everything, which is kept until somebody else comes.
 */
static bool take_next_peer(struct stream *s)
{
	int old = s->socket.fd;

	s->socket.fd = SOCKET_NONE;
	if (!socket_take_peer(&s->socket)) {
		s->socket.fd = old;
		return false;
	}
	if (old != SOCKET_NONE) {
		socket_close(old);
		disconnect(&s->base.chardev);
	}
	return true;
}

static void poll(struct chardev *chardev)
{
	struct stream *s = (struct stream *)chardev;
	enum socket_state state = s->socket.fd == SOCKET_NONE ? SOCKET_GONE : socket_state(s->socket.fd);

	if (state == SOCKET_GONE)
		disconnect(chardev);
	fd_chardev_flush(&s->base);
	if (state == SOCKET_WHOLE || !take_next_peer(s))
		return;
	fd_chardev_connect(&s->base, s->socket.fd);
	log_info("console '%s': a peer has come", chardev->name);
}

static const struct chardev_ops ops = { .write = fd_chardev_write, .read = fd_chardev_read, .poll = poll };

static int open(struct vm *vm, const char *spec, const char *arguments, struct chardev **out)
{
	struct stream *s = plat_pages_alloc(sizeof(*s), 0);
	int rc;

	(void)vm;
	if (s == NULL) {
		log_error("console '%s': the host has no memory for it", spec);
		return -ENOMEM;
	}
	rc = fd_chardev_init(&s->base, spec);
	if (rc == 0)
		rc = socket_open("console", spec, arguments, &s->socket);
	if (rc != 0)
		return rc;
	s->base.chardev.ops = &ops;
	s->base.gone = gone;
	if (s->socket.fd != SOCKET_NONE)
		fd_chardev_connect(&s->base, s->socket.fd);
	*out = &s->base.chardev;
	return 0;
}

HUSK_CHARDEV_DRIVER(stream) = { .scheme = "stream", .usage = SOCKET_USAGE, .open = open };

HUSK_FEATURE(chardev_stream) = {
	.name = "chardev-stream",
	.purpose = "consoles on a stream socket",
	.level = FEATURE_DEVICE,
};
