/* SPDX-License-Identifier: BSD-2-Clause */
/* Stream sockets, connected or listening, by Unix path or TCP address: what back ends over them share. */
#ifndef LINUX_SOCKET_H
#define LINUX_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

/** A socket's address: struct sockaddr_un or sockaddr_in. */
struct socket_address {
	unsigned char bytes[112];
	int size;
	bool tcp;
};

/* open.c */

#define SOCKET_NONE  (-1)
#define SOCKET_USAGE "PATH or 127.0.0.1:PORT, then [,listen]"

/** A socket that is connected, or waits for one peer after another. */
struct socket_end {
	struct socket_address address;
	int fd;       /**< to the peer, or SOCKET_NONE */
	int listener; /**< or SOCKET_NONE */
};

/**
 * Connects or listens as "ADDRESS[,listen]" says; the kernel then tells of what happens by SIGIO, and nothing blocks.
 * `kind` and `spec` name it in messages. Returns 0 or a negative errno after logging one line.
 */
int socket_open(const char *kind, const char *spec, const char *arguments, struct socket_end *out);

/** Takes the next peer of a listener that has none. Returns true if one has come. */
bool socket_take_peer(struct socket_end *s);

/** Gives the peer up. */
void socket_drop_peer(struct socket_end *s);

/* socket.c: errors are the kernel's, negative. */

/** Reads PATH or a.b.c.d:PORT. Returns 0 or -EINVAL. */
int socket_parse(const char *text, struct socket_address *out);

/** Connects. Returns a descriptor or a negative kernel error. */
long socket_connect(const struct socket_address *a);

/** Listens; a path that is left over from a process that has ended is taken over. As socket_connect(). */
long socket_listen(const struct socket_address *a);

/** The next peer of a listener that does not block. As socket_connect(). */
long socket_accept(int listener, const struct socket_address *a);

/** Receives without waiting. Returns bytes, 0 if the peer is gone, or a negative kernel error. */
long socket_receive(int fd, void *buf, size_t size);

/** Sends without waiting and without a signal. Returns bytes or a negative kernel error. */
long socket_send(int fd, const void *buf, size_t size);

/** How much of a connection has ended. */
enum socket_state {
	SOCKET_WHOLE,
	SOCKET_HALF, /**< the peer sends nothing more; it may receive still */
	SOCKET_GONE, /**< what it has sent before can be received still */
};

/** Looks, without waiting and without receiving. */
enum socket_state socket_state(int fd);

/** Closes a socket. */
void socket_close(int fd);

#endif
