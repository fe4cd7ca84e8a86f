/* SPDX-License-Identifier: BSD-2-Clause */
/* Connecting or listening as a user's words say, and saying what is in the way. */
#include <errno.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/io.h>
#include <husk/log.h>

#include "arch/x86_64/linux/host.h"
#include "arch/x86_64/linux/socket/socket.h"
#include "arch/x86_64/linux/syscall.h"

#define ADDRESS_SIZE 128u

static int bad_spec(const char *kind, const char *spec)
{
	log_error("%s '%s': write stream:PATH[,listen] or stream:127.0.0.1:PORT[,listen]", kind, spec);
	return -EINVAL;
}

static int parse(const char *arguments, struct socket_address *to, bool *listens)
{
	const char *at = arguments;
	char address[ADDRESS_SIZE], word[8];

	if (io_next_word(&at, address, sizeof(address)) <= 0 || socket_parse(address, to) != 0)
		return -EINVAL;
	*listens = *at != '\0';
	if (*listens && (io_next_word(&at, word, sizeof(word)) <= 0 || strcmp(word, "listen") != 0 || *at != '\0'))
		return -EINVAL;
	return 0;
}

static int explain(const char *kind, const char *spec, bool listens, long error)
{
	switch (-error) {
	case LINUX_ENOENT:
		log_error("%s '%s': there is no such %s", kind, spec,
			  listens ? "folder; make it" : "socket; start the program that listens there first");
		return -ENOENT;
	case LINUX_ECONNREFUSED:
		log_error("%s '%s': nobody listens there; start that program first", kind, spec);
		return -ECONNREFUSED;
	case LINUX_EACCES:
	case LINUX_EPERM:
		log_error("%s '%s': no permission; give this user the right to write there", kind, spec);
		return -EACCES;
	case LINUX_EADDRINUSE:
		log_error("%s '%s': another process listens there; choose another address", kind, spec);
		return -EADDRINUSE;
	default: log_error("%s '%s': cannot be opened (kernel error %ld)", kind, spec, -error); return -EIO;
	}
}

int socket_open(const char *kind, const char *spec, const char *arguments, struct socket_end *out)
{
	bool listens;
	long fd, error;

	if (parse(arguments, &out->address, &listens) != 0)
		return bad_spec(kind, spec);
	fd = listens ? socket_listen(&out->address) : socket_connect(&out->address);
	error = fd < 0 ? fd : host_io_watch((int)fd);
	if (fd >= 0 && error < 0)
		socket_close((int)fd);
	if (error < 0)
		return explain(kind, spec, listens, error);
	out->fd = listens ? SOCKET_NONE : (int)fd;
	out->listener = listens ? (int)fd : SOCKET_NONE;
	return 0;
}

bool socket_take_peer(struct socket_end *s)
{
	long fd;

	if (s->fd != SOCKET_NONE || s->listener == SOCKET_NONE)
		return false;
	fd = socket_accept(s->listener, &s->address);
	if (fd < 0)
		return false;
	if (host_io_watch((int)fd) < 0) {
		socket_close((int)fd);
		return false;
	}
	s->fd = (int)fd;
	return true;
}

void socket_drop_peer(struct socket_end *s)
{
	socket_close(s->fd);
	s->fd = SOCKET_NONE;
}

HUSK_FEATURE(socket) = {
	.name = "socket",
	.purpose = "stream sockets, for the back ends over them",
	.level = FEATURE_HOST,
};
