/* SPDX-License-Identifier: BSD-2-Clause */
/* Stream sockets, connected or listening, by Unix path or TCP address. Errors are the kernel's, negative. */
#ifndef LINUX_NET_STREAM_SOCKET_H
#define LINUX_NET_STREAM_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

/** A socket's address: struct sockaddr_un or sockaddr_in. */
struct socket_address {
	unsigned char bytes[112];
	int size;
	bool tcp;
};

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

/** Closes a socket. */
void socket_close(int fd);

#endif
