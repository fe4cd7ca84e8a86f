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
#include "arch/x86_64/linux/net-stream/socket.h"
#include "arch/x86_64/linux/syscall.h"

#define NO_SOCKET    (-1)
#define ADDRESS_SIZE 128u

struct stream {
	struct net net;
	struct vm *vm;
	struct socket_address address;
	int fd, listener; /* or NO_SOCKET */
	struct frames in, out;
	uint32_t seen; /* host_io_events() when there was nothing to receive or to accept */
	bool empty;    /* there was nothing then */
};

/* The peer is gone, or says nonsense. A listener waits for the next one. */
static void drop_peer(struct stream *s, const char *why)
{
	socket_close(s->fd);
	s->fd = NO_SOCKET;
	s->net.link = false;
	s->in.start = s->in.end = s->out.start = s->out.end = 0;
	s->empty = false;
	log_warn("network '%s': %s; the link is down%s", s->net.name, why,
		 s->listener != NO_SOCKET ? " until the next peer comes" : "");
	io_kick(s->vm);
}

/* Sends what waits, as much as the socket takes. */
static void commit(struct net *n)
{
	struct stream *s = (struct stream *)n;

	while (s->fd != NO_SOCKET && s->out.start != s->out.end) {
		long done = socket_send(s->fd, s->out.bytes + s->out.start, s->out.end - s->out.start);

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
	if (s->fd == NO_SOCKET)
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
	long fd = s->listener == NO_SOCKET ? -LINUX_EAGAIN : socket_accept(s->listener, &s->address);

	if (fd < 0)
		return;
	if (host_io_watch((int)fd) < 0) {
		socket_close((int)fd);
		return;
	}
	s->fd = (int)fd;
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
	if (s->fd == NO_SOCKET)
		take_peer(s);
	s->seen = events;
	s->empty = s->fd == NO_SOCKET;
	if (s->empty)
		return false;
	to = frames_room(&s->in, &room);
	got = socket_receive(s->fd, to, room);
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

static int bad_spec(const char *spec)
{
	log_error("network '%s': write stream:PATH[,listen] or stream:127.0.0.1:PORT[,listen]", spec);
	return -EINVAL;
}

static int parse(struct stream *s, const char *spec, const char *arguments, bool *listens)
{
	const char *at = arguments;
	char address[ADDRESS_SIZE], word[8];

	if (io_next_word(&at, address, sizeof(address)) <= 0 || socket_parse(address, &s->address) != 0)
		return bad_spec(spec);
	*listens = *at != '\0';
	if (*listens && (io_next_word(&at, word, sizeof(word)) <= 0 || strcmp(word, "listen") != 0 || *at != '\0'))
		return bad_spec(spec);
	return 0;
}

static int explain(const char *spec, bool listens, long error)
{
	switch (-error) {
	case LINUX_ENOENT:
		log_error("network '%s': there is no such %s", spec,
			  listens ? "folder; make it"
				  : "socket; start the program that listens there first, such as passt --socket");
		return -ENOENT;
	case LINUX_ECONNREFUSED:
		log_error("network '%s': nobody listens there; start that program first", spec);
		return -ECONNREFUSED;
	case LINUX_EACCES:
	case LINUX_EPERM:
		log_error("network '%s': no permission; give this user the right to write there", spec);
		return -EACCES;
	case LINUX_EADDRINUSE:
		log_error("network '%s': another process listens there; choose another address", spec);
		return -EADDRINUSE;
	default: log_error("network '%s': cannot be opened (kernel error %ld)", spec, -error); return -EIO;
	}
}

/* Connects or listens. Returns 0 or a negative kernel error. */
static long start(struct stream *s, bool listens)
{
	long fd = listens ? socket_listen(&s->address) : socket_connect(&s->address);
	long error = fd < 0 ? fd : host_io_watch((int)fd);

	if (fd >= 0 && error < 0)
		socket_close((int)fd);
	s->fd = s->listener = NO_SOCKET;
	if (error < 0)
		return error;
	if (listens)
		s->listener = (int)fd;
	else
		s->fd = (int)fd;
	s->net.link = !listens;
	return 0;
}

static int open(struct vm *vm, const char *spec, const char *arguments, struct net **out)
{
	struct stream *s = plat_pages_alloc(sizeof(*s), 0);
	bool listens;
	long error;

	if (s == NULL || (s->in.bytes = plat_pages_alloc(FRAMES_SIZE, 0)) == NULL ||
	    (s->out.bytes = plat_pages_alloc(FRAMES_SIZE, 0)) == NULL) {
		log_error("network '%s': the host has no memory for it", spec);
		return -ENOMEM;
	}
	if (parse(s, spec, arguments, &listens) != 0)
		return -EINVAL;
	error = start(s, listens);
	if (error < 0)
		return explain(spec, listens, error);
	s->vm = vm;
	s->net.ops = &ops;
	s->net.name = spec;
	*out = &s->net;
	return 0;
}

HUSK_NET_DRIVER(stream) = { .scheme = "stream", .usage = "PATH or 127.0.0.1:PORT, then [,listen]", .open = open };

HUSK_FEATURE(net_stream) = {
	.name = "net-stream",
	.purpose = "networks over a stream socket: passt, another husk",
	.level = FEATURE_DEVICE,
};
