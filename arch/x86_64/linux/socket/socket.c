/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket system calls; see socket.h. */
#include "arch/x86_64/linux/socket/socket.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <asm/poll.h>

#include "arch/x86_64/linux/syscall.h"

/* From the kernel's headers asm-generic/socket.h, linux/socket.h and linux/tcp.h, which want a C library. */
#define AF_UNIX_      1
#define AF_INET_      2
#define SOCK_STREAM_  1
#define SOCK_CLOEXEC_ 02000000
#define SOL_SOCKET_   1
#define SO_REUSEADDR_ 2
#define IPPROTO_TCP_  6
#define TCP_NODELAY_  1
#define MSG_DONTWAIT_ 0x40
#define MSG_NOSIGNAL_ 0x4000

struct unix_address {
	uint16_t family;
	char path[108];
};

struct inet_address {
	uint16_t family, port; /* the latter in network order, as the next */
	uint8_t address[4];
	uint8_t zero[8];
};

/* A decimal number up to `max` that ends at the character `end`; *at moves behind that. */
static bool parse_number(const char **at, unsigned max, char end, unsigned *value)
{
	char *stop;
	unsigned long n = strtoul(*at, &stop, 10);

	if (stop == *at || **at < '0' || **at > '9' || *stop != end || n > max)
		return false;
	*at = stop + 1;
	*value = (unsigned)n;
	return true;
}

static bool parse_inet(const char *text, struct inet_address *a)
{
	unsigned value;

	for (unsigned i = 0; i < 4; i++) {
		if (!parse_number(&text, 255, i < 3 ? '.' : ':', &value))
			return false;
		a->address[i] = (uint8_t)value;
	}
	if (!parse_number(&text, UINT16_MAX, '\0', &value) || value == 0)
		return false;
	a->port = __builtin_bswap16((uint16_t)value);
	return true;
}

int socket_parse(const char *text, struct socket_address *out)
{
	struct inet_address inet = { .family = AF_INET_ };
	struct unix_address local = { .family = AF_UNIX_ };

	if (parse_inet(text, &inet)) {
		*out = (struct socket_address){ .size = sizeof(inet), .tcp = true };
		memcpy(out->bytes, &inet, sizeof(inet));
		return 0;
	}
	if (text[0] == '\0' || strlen(text) >= sizeof(local.path))
		return -EINVAL;
	strcpy(local.path, text);
	*out = (struct socket_address){ .size = sizeof(local) };
	memcpy(out->bytes, &local, sizeof(local));
	return 0;
}

static long make_socket(const struct socket_address *a)
{
	return linux_call3(__NR_socket, a->tcp ? AF_INET_ : AF_UNIX_, SOCK_STREAM_ | SOCK_CLOEXEC_, 0);
}

/* Frames are sent when there are some, not when they fill a segment. */
static void do_not_delay(long fd, const struct socket_address *a)
{
	const int on = 1;

	if (a->tcp)
		linux_call6(__NR_setsockopt, fd, IPPROTO_TCP_, TCP_NODELAY_, (long)&on, sizeof(on), 0);
}

/* The descriptor, or, after closing it, the error. */
static long keep_or_close(long fd, long error)
{
	if (error >= 0)
		return fd;
	socket_close((int)fd);
	return error;
}

long socket_connect(const struct socket_address *a)
{
	long fd = make_socket(a), error;

	if (fd < 0)
		return fd;
	error = linux_call3_retry(__NR_connect, fd, (long)a->bytes, a->size);
	do_not_delay(fd, a);
	return keep_or_close(fd, error);
}

/* Removes the file of a socket at which nobody listens. */
static bool remove_left_over(const struct socket_address *a)
{
	long fd;

	if (a->tcp)
		return false;
	fd = socket_connect(a);
	if (fd >= 0)
		socket_close((int)fd);
	if (fd != -LINUX_ECONNREFUSED)
		return false;
	return linux_call3(__NR_unlink, (long)(a->bytes + offsetof(struct unix_address, path)), 0, 0) >= 0;
}

long socket_listen(const struct socket_address *a)
{
	const int on = 1;
	long fd = make_socket(a), error;

	if (fd < 0)
		return fd;
	if (a->tcp)
		linux_call6(__NR_setsockopt, fd, SOL_SOCKET_, SO_REUSEADDR_, (long)&on, sizeof(on), 0);
	error = linux_call3(__NR_bind, fd, (long)a->bytes, a->size);
	if (error == -LINUX_EADDRINUSE && remove_left_over(a))
		error = linux_call3(__NR_bind, fd, (long)a->bytes, a->size);
	if (error >= 0)
		error = linux_call3(__NR_listen, fd, 1, 0);
	return keep_or_close(fd, error);
}

long socket_accept(int listener, const struct socket_address *a)
{
	long fd = linux_call4(__NR_accept4, listener, 0, 0, SOCK_CLOEXEC_);

	if (fd >= 0)
		do_not_delay(fd, a);
	return fd;
}

long socket_receive(int fd, void *buf, size_t size)
{
	return linux_call6(__NR_recvfrom, fd, (long)buf, (long)size, MSG_DONTWAIT_, 0, 0);
}

long socket_send(int fd, const void *buf, size_t size)
{
	return linux_call6(__NR_sendto, fd, (long)buf, (long)size, MSG_DONTWAIT_ | MSG_NOSIGNAL_, 0, 0);
}

enum socket_state socket_state(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	linux_call3_retry(__NR_poll, (long)&p, 1, 0);
	if ((p.revents & (POLLHUP | POLLERR)) != 0)
		return SOCKET_GONE;
	return (p.revents & POLLRDHUP) != 0 ? SOCKET_HALF : SOCKET_WHOLE;
}

void socket_close(int fd)
{
	linux_call3(__NR_close, fd, 0, 0);
}
