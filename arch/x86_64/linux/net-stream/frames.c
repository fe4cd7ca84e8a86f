/* SPDX-License-Identifier: BSD-2-Clause */
/* See frames.h. */
#include "arch/x86_64/linux/net-stream/frames.h"

#include <errno.h>
#include <string.h>

#define PREFIX sizeof(uint32_t)

uint8_t *frames_room(struct frames *f, size_t *room)
{
	/* Moved to the front when the rest could not take the largest frame; what is moved is less than one. */
	if (f->start == f->end)
		f->start = f->end = 0;
	if (FRAMES_SIZE - f->start < PREFIX + NET_LARGE_MAX) {
		memmove(f->bytes, f->bytes + f->start, f->end - f->start);
		f->end -= f->start;
		f->start = 0;
	}
	*room = FRAMES_SIZE - f->end;
	return f->bytes + f->end;
}

int frames_take(struct frames *f, const struct io_vector *v, unsigned nr)
{
	const uint8_t *at = f->bytes + f->start;
	size_t there = f->end - f->start;
	uint32_t length;

	if (there < PREFIX)
		return -EAGAIN;
	memcpy(&length, at, PREFIX);
	length = __builtin_bswap32(length);
	if (length == 0 || length > NET_LARGE_MAX)
		return -EPROTO;
	if (there - PREFIX < length)
		return -EAGAIN;
	f->start += PREFIX + length;
	return io_vectors_write(v, nr, 0, at + PREFIX, length) == length ? (int)length : -EMSGSIZE;
}

int frames_add(struct frames *f, const struct io_vector *v, unsigned nr)
{
	uint64_t length = io_vectors_size(v, nr);
	uint32_t prefix = __builtin_bswap32((uint32_t)length);
	size_t room;
	uint8_t *to = frames_room(f, &room);

	if (length == 0 || length > NET_LARGE_MAX)
		return -EINVAL;
	if (room < PREFIX + length)
		return -EAGAIN;
	memcpy(to, &prefix, PREFIX);
	f->end += PREFIX + io_vectors_read(v, nr, 0, to + PREFIX, (size_t)length);
	return 0;
}
