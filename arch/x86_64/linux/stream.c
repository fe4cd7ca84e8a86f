/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream of platform.h: a TCP socket that listens at the loopback address, and one
 * connection. As with the console, a thread only waits and raises the attention bits;
 * sockets are read, accepted and closed by the CPU whose turn it then is.
 */
#include "arch/x86_64/linux/host.h"

#include <asm/poll.h>
#include <linux/in.h>
#include <linux/net.h>
#include <stdio.h>

#include <husk/log.h>

#include "arch/x86_64/linux/syscall.h"

/* How long a peer may take nothing before it is given up, in ms. */
#define PATIENCE_MS 10000

#define LOOPBACK 0x7f000001u

/* From the kernel's asm-generic/socket.h and linux/tcp.h, whose headers want a C library. */
#define AF_INET_      2
#define SOCK_STREAM_  1
#define SOCK_CLOEXEC_ 02000000
#define SOL_SOCKET_   1
#define SO_REUSEADDR_ 2
#define TCP_NODELAY_  1
#define MSG_DONTWAIT_ 0x40
#define MSG_NOSIGNAL_ 0x4000
#define SHUT_RDWR_    2
#define NO_SOCKET     (-1)

/* Whose turn the sockets are. */
enum turn {
	TURN_WATCH, /* the thread waits for something to happen */
	TURN_READ,  /* it did: the CPU looks */
};

struct plat_stream {
	uint32_t turn; /* enum turn, also a futex */
	int listener, peer;
	uint32_t *attention, bits;
	char name[24];
};

static struct plat_stream stream = { .listener = NO_SOCKET, .peer = NO_SOCKET };

static bool poll_socket(int fd, short events, int timeout)
{
	struct pollfd p = { .fd = fd, .events = events };

	return linux_call3(__NR_poll, (long)&p, 1, timeout) > 0;
}

static void stream_thread(void *argument)
{
	struct plat_stream *s = argument;

	for (;;) {
		while (!poll_socket(s->peer != NO_SOCKET ? s->peer : s->listener, POLLIN, -1))
			;
		__atomic_store_n(&s->turn, TURN_READ, __ATOMIC_RELEASE);
		plat_kick(s->attention, s->bits);
		while (__atomic_load_n(&s->turn, __ATOMIC_ACQUIRE) == TURN_READ)
			host_futex_wait(&s->turn, TURN_READ);
	}
}

/* A socket that listens; its port is set in *port. Returns a negative kernel error otherwise. */
static long listen_at(unsigned *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET_,
		.sin_port = __builtin_bswap16((uint16_t)*port),
		.sin_addr.s_addr = __builtin_bswap32(LOOPBACK),
	};
	int size = sizeof(address);
	const int on = 1;
	long fd = linux_call3(__NR_socket, AF_INET_, SOCK_STREAM_ | SOCK_CLOEXEC_, 0), error;

	if (fd < 0)
		return fd;
	linux_call6(__NR_setsockopt, fd, SOL_SOCKET_, SO_REUSEADDR_, (long)&on, sizeof(on), 0);
	error = linux_call3(__NR_bind, fd, (long)&address, sizeof(address));
	if (error >= 0)
		error = linux_call3(__NR_listen, fd, 1, 0);
	if (error >= 0)
		error = linux_call3(__NR_getsockname, fd, (long)&address, (long)&size);
	if (error < 0) {
		linux_call3(__NR_close, fd, 0, 0);
		return error;
	}
	*port = __builtin_bswap16(address.sin_port);
	return fd;
}

struct plat_stream *plat_stream_open(unsigned port, uint32_t *attention, uint32_t bits)
{
	struct plat_stream *s = &stream;
	long fd;

	if (s->listener != NO_SOCKET || port > UINT16_MAX)
		return NULL;
	fd = listen_at(&port);
	if (fd < 0) {
		log_error("cannot listen at TCP port %u of 127.0.0.1 (kernel error %ld): choose another", port, -fd);
		return NULL;
	}
	s->listener = (int)fd;
	s->attention = attention;
	s->bits = bits;
	snprintf(s->name, sizeof(s->name), "127.0.0.1:%u", port);
	return host_thread_start(s->name, stream_thread, s) < 0 ? NULL : s;
}

const char *plat_stream_name(const struct plat_stream *s)
{
	return s->name;
}

bool plat_stream_connected(const struct plat_stream *s)
{
	return s->peer != NO_SOCKET;
}

static void take_peer(struct plat_stream *s)
{
	const int on = 1;
	long fd = linux_call4(__NR_accept4, s->listener, 0, 0, SOCK_CLOEXEC_);

	if (fd < 0)
		return;
	/* Packets are small and answered one by one. */
	linux_call6(__NR_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY_, (long)&on, sizeof(on), 0);
	s->peer = (int)fd;
}

static void drop_peer(struct plat_stream *s)
{
	linux_call3(__NR_close, s->peer, 0, 0);
	s->peer = NO_SOCKET;
}

static size_t receive(struct plat_stream *s, void *buf, size_t size)
{
	long got = linux_call6(__NR_recvfrom, s->peer, (long)buf, (long)size, MSG_DONTWAIT_, 0, 0);

	if (got > 0)
		return (size_t)got;
	if (got != -LINUX_EAGAIN && got != -LINUX_EINTR)
		drop_peer(s);
	return 0;
}

size_t plat_stream_read(struct plat_stream *s, void *buf, size_t size)
{
	size_t got = 0;

	if (size == 0 || __atomic_load_n(&s->turn, __ATOMIC_ACQUIRE) != TURN_READ)
		return 0;
	if (s->peer == NO_SOCKET)
		take_peer(s);
	else
		got = receive(s, buf, size);
	/* The thread watches again even if there is more: it will see it at once. */
	__atomic_store_n(&s->turn, TURN_WATCH, __ATOMIC_RELEASE);
	host_futex_wake(&s->turn);
	return got;
}

void plat_stream_write(struct plat_stream *s, const void *buf, size_t size)
{
	const char *p = buf;

	while (size > 0 && s->peer != NO_SOCKET) {
		long done = linux_call6(__NR_sendto, s->peer, (long)p, (long)size, MSG_NOSIGNAL_ | MSG_DONTWAIT_, 0, 0);

		if (done == -LINUX_EINTR || (done == -LINUX_EAGAIN && poll_socket(s->peer, POLLOUT, PATIENCE_MS)))
			continue;
		if (done <= 0) {
			/* The thread notices, and the next read closes it. */
			linux_call3(__NR_shutdown, s->peer, SHUT_RDWR_, 0);
			return;
		}
		p += done;
		size -= (size_t)done;
	}
}
