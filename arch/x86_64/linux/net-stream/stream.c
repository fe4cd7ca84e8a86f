/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks over a stream socket. The peer may be anything, so what it sends is checked as what guests do is. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/net.h>
#include <husk/vm.h>

#include "arch/x86_64/linux/host.h"
#include "arch/x86_64/linux/net-stream/frames.h"
#include "arch/x86_64/linux/socket/socket.h"
#include "arch/x86_64/linux/syscall.h"

struct stream {
	struct net net;
	struct vm *vm;
	struct socket_end socket;
	struct frames in, out;
	uint32_t seen; /* host_io_events() when there was nothing to receive or to accept */
	bool empty;    /* there was nothing then */
};

/* The peer is gone, or says nonsense. A listener waits for the next one. */
static void drop_peer(struct stream *s, const char *why)
{
	socket_drop_peer(&s->socket);
	s->net.link = false;
	s->in.start = s->in.end = s->out.start = s->out.end = 0;
	s->empty = false;
	log_warn("network '%s': %s; the link is down%s", s->net.name, why,
		 s->socket.listener != SOCKET_NONE ? " until the next peer comes" : "");
	io_kick(s->vm);
}

/* Sends what waits, as much as the socket takes. */
static void commit(struct net *n)
{
	struct stream *s = (struct stream *)n;

	while (s->socket.fd != SOCKET_NONE && s->out.start != s->out.end) {
		long done = socket_send(s->socket.fd, s->out.bytes + s->out.start, s->out.end - s->out.start);

		if (done == -LINUX_EINTR)
			continue;
		if (done == -LINUX_EAGAIN)
			return;
		if (done < 0)
			drop_peer(s, "the peer is gone");
		else
			s->out.start += (size_t)done;
	}
}

static int transmit(struct net *n, const struct net_header *h, const struct io_vector *v, unsigned nr)
{
	struct stream *s = (struct stream *)n;
	int rc;

	(void)h; /* asks for nothing: there is no offload */
	if (s->socket.fd == SOCKET_NONE)
		return 0;
	rc = frames_add(&s->out, v, nr);
	if (rc == -EAGAIN) {
		commit(n);
		rc = frames_add(&s->out, v, nr);
	}
	return rc;
}

static void take_peer(struct stream *s)
{
	if (!socket_take_peer(&s->socket))
		return;
	s->net.link = true;
	log_info("network '%s': a peer has come", s->net.name);
	io_kick(s->vm);
}

/* Gets more bytes from the peer. Returns false if there are none. */
static bool fill(struct stream *s)
{
	uint32_t events = host_io_events();
	size_t room;
	uint8_t *to;
	long got;

	if (s->empty && s->seen == events)
		return false;
	if (s->socket.fd == SOCKET_NONE)
		take_peer(s);
	s->seen = events;
	s->empty = s->socket.fd == SOCKET_NONE;
	if (s->empty)
		return false;
	to = frames_room(&s->in, &room);
	got = socket_receive(s->socket.fd, to, room);
	s->empty = got == -LINUX_EAGAIN;
	if (got > 0) {
		s->in.end += (size_t)got;
		return true;
	}
	if (got != -LINUX_EAGAIN && got != -LINUX_EINTR)
		drop_peer(s, "the peer is gone");
	return false;
}

static int receive(struct net *n, struct net_header *h, const struct io_vector *v, unsigned nr)
{
	struct stream *s = (struct stream *)n;
	int rc;

	*h = (struct net_header){ .num_buffers = 1 };
	do
		rc = frames_take(&s->in, v, nr);
	while (rc == -EAGAIN && fill(s));
	if (rc == -EPROTO) {
		drop_peer(s, "the peer sends what is no frame");
		return -EAGAIN;
	}
	return rc;
}

static void accept_offload(struct net *n, uint32_t offload)
{
	(void)n;
	(void)offload;
}

static const struct net_ops ops = {
	.transmit = transmit, .commit = commit, .receive = receive, .accept_offload = accept_offload
};

static int open(struct vm *vm, const char *spec, const char *arguments, struct net **out)
{
	struct stream *s = plat_pages_alloc(sizeof(*s), 0);
	int rc;

	if (s == NULL || (s->in.bytes = plat_pages_alloc(FRAMES_SIZE, 0)) == NULL ||
	    (s->out.bytes = plat_pages_alloc(FRAMES_SIZE, 0)) == NULL) {
		log_error("network '%s': the host has no memory for it", spec);
		return -ENOMEM;
	}
	rc = socket_open("network", spec, arguments, &s->socket);
	if (rc != 0)
		return rc;
	s->vm = vm;
	s->net.ops = &ops;
	s->net.name = spec;
	s->net.link = s->socket.fd != SOCKET_NONE;
	*out = &s->net;
	return 0;
}

HUSK_NET_DRIVER(stream) = { .scheme = "stream", .usage = SOCKET_USAGE, .open = open };

HUSK_FEATURE(net_stream) = {
	.name = "net-stream",
	.purpose = "networks over a stream socket: passt, another husk",
	.level = FEATURE_DEVICE,
};
