/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c arch/x86_64/linux/net-stream/frames.c core/io.c tests/unit/fake_platform.c */
/*
 * A stream of frames from a peer that is a fuzzer: it comes in pieces, and room for frames is of any size. What is
 * added on the other side must come out as it went in.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/linux/net-stream/frames.h"

static uint8_t bytes[2][FRAMES_SIZE], frame[NET_LARGE_MAX], taken[NET_LARGE_MAX];
static struct frames in, out;

/* Takes a frame into vectors of a size that is not always enough. Returns false if the stream is of no use. */
static bool take(size_t room)
{
	const struct io_vector v[] = { { taken, room / 3 }, { taken + room / 3, room - room / 3 } };
	int rc = frames_take(&in, v, 2);

	if (rc >= 0 && (size_t)rc > room)
		abort();
	return rc != -EPROTO;
}

/* What goes in comes out. */
static void round_trip(const uint8_t *data, size_t size)
{
	const struct io_vector v = { frame, size * 53 % NET_LARGE_MAX + 1 }, w = { taken, sizeof(taken) };

	memset(frame, data[0], v.size);
	if (frames_add(&out, &v, 1) != 0)
		abort();
	if (frames_take(&out, &w, 1) != (int)v.size || memcmp(frame, taken, v.size) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = (struct frames){ .bytes = bytes[0] };
	out.bytes = bytes[1];
	while (size > 2) {
		size_t piece = data[0], room, more = data[1] & 1 ? NET_LARGE_MAX : data[1];
		uint8_t *to = frames_room(&in, &room);

		data += 2;
		size -= 2;
		piece = piece < size ? piece : size;
		if (room < piece)
			abort(); /* there is always room for a frame */
		memcpy(to, data, piece);
		in.end += piece;
		data += piece;
		size -= piece;
		if (!take(more))
			return 0;
	}
	if (size > 0)
		round_trip(data, size);
	return 0;
}
