/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames in a stream of bytes: each has its length before it, 32 bits, big-endian. Buffers only, no system calls. */
#ifndef LINUX_NET_STREAM_FRAMES_H
#define LINUX_NET_STREAM_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include <husk/net.h>

#define FRAMES_SIZE 262144u

/** Bytes on their way, in order. */
struct frames {
	uint8_t *bytes; /**< FRAMES_SIZE of them */
	size_t start;   /**< first byte that is in use */
	size_t end;     /**< one past the last */
};

/** Where more bytes from the peer go; sets *room. The caller adds what it put there to f->end. */
uint8_t *frames_room(struct frames *f, size_t *room);

/**
 * Takes the first frame into nr vectors. Returns its size, -EAGAIN if not all of it is there, -EMSGSIZE if the vectors
 * are too small (it is dropped), or -EPROTO if no frame has such a length: the stream is of no use any more.
 */
int frames_take(struct frames *f, const struct io_vector *v, unsigned nr);

/** Adds a frame. Returns 0, -EAGAIN if there is no room now, or -EINVAL if it is no frame. */
int frames_add(struct frames *f, const struct io_vector *v, unsigned nr);

#endif
