/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/gdb-stub/packet.h"

#include <string.h>

#define INTERRUPT 0x03
#define ESCAPE    '}'
#define ESCAPE_BY 0x20

static const char digits[] = "0123456789abcdef";

static int digit_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Receiving. */

static void begin(struct gdb_receiver *r)
{
	r->state = GDB_BODY;
	r->escape = r->too_long = false;
	r->sum = 0;
	r->length = 0;
}

static enum gdb_event receive_idle(struct gdb_receiver *r, uint8_t byte)
{
	switch (byte) {
	case '$': begin(r); return GDB_NOTHING;
	case INTERRUPT: return GDB_INTERRUPT;
	case '-': return GDB_RESEND;
	default: return GDB_NOTHING; /* +, or noise on the line */
	}
}

static void receive_body(struct gdb_receiver *r, uint8_t byte)
{
	if (byte == '$') { /* never inside a packet: the end of the one before was lost */
		begin(r);
		return;
	}
	if (byte == '#') {
		r->state = GDB_SUM_HIGH;
		return;
	}
	r->sum = (uint8_t)(r->sum + byte);
	if (byte == ESCAPE && !r->escape) {
		r->escape = true;
		return;
	}
	if (r->length < GDB_PACKET_MAX)
		r->data[r->length++] = r->escape ? byte ^ ESCAPE_BY : byte;
	else
		r->too_long = true;
	r->escape = false;
}

enum gdb_event gdb_receive(struct gdb_receiver *r, uint8_t byte)
{
	int digit = digit_value(byte);

	switch (r->state) {
	case GDB_IDLE: return receive_idle(r, byte);
	case GDB_BODY: receive_body(r, byte); return GDB_NOTHING;
	case GDB_SUM_HIGH:
		r->wanted = digit < 0 ? -1 : digit << 4;
		r->state = GDB_SUM_LOW;
		return GDB_NOTHING;
	case GDB_SUM_LOW: break;
	}
	r->state = GDB_IDLE;
	r->data[r->length] = '\0';
	if (digit < 0 || r->wanted < 0 || (r->wanted | digit) != r->sum || r->too_long || r->escape)
		return GDB_BROKEN;
	return GDB_PACKET;
}

/* Sending. */

void gdb_packet_clear(struct gdb_packet *p)
{
	p->length = 0;
	p->overflow = false;
}

void gdb_put(struct gdb_packet *p, const void *data, size_t size)
{
	size_t room = sizeof(p->data) - p->length, n = size < room ? size : room;

	memcpy(p->data + p->length, data, n);
	p->length += n;
	p->overflow |= n < size;
}

void gdb_put_text(struct gdb_packet *p, const char *text)
{
	gdb_put(p, text, strlen(text));
}

void gdb_put_bytes(struct gdb_packet *p, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++) {
		const char pair[2] = { digits[bytes[i] >> 4], digits[bytes[i] & 15] };

		gdb_put(p, pair, sizeof(pair));
	}
}

void gdb_put_number(struct gdb_packet *p, uint64_t value)
{
	char text[16], *at = text + sizeof(text);

	do
		*--at = digits[value & 15];
	while ((value >>= 4) != 0);
	gdb_put(p, at, (size_t)(text + sizeof(text) - at));
}

/* Those that mean something to the protocol; * would repeat the byte before it. */
static bool needs_escape(uint8_t c)
{
	return c == '#' || c == '$' || c == ESCAPE || c == '*';
}

size_t gdb_frame(const struct gdb_packet *p, uint8_t frame[static GDB_FRAME_MAX])
{
	uint8_t *at = frame, sum = 0;

	*at++ = '$';
	for (size_t i = 0; i < p->length; i++) {
		uint8_t c = p->data[i];

		if (needs_escape(c)) {
			*at++ = ESCAPE;
			sum = (uint8_t)(sum + ESCAPE);
			c ^= ESCAPE_BY;
		}
		*at++ = c;
		sum = (uint8_t)(sum + c);
	}
	*at++ = '#';
	*at++ = (uint8_t)digits[sum >> 4];
	*at++ = (uint8_t)digits[sum & 15];
	return (size_t)(at - frame);
}

/* Reading. */

size_t gdb_scan_left(const struct gdb_scan *s)
{
	return (size_t)(s->end - s->at);
}

bool gdb_scan_text(struct gdb_scan *s, const char *text)
{
	size_t size = strlen(text);

	if (gdb_scan_left(s) < size || memcmp(s->at, text, size) != 0)
		return false;
	s->at += size;
	return true;
}

bool gdb_scan_number(struct gdb_scan *s, uint64_t *value)
{
	const uint8_t *start = s->at;
	uint64_t n = 0;

	for (; s->at < s->end && digit_value(*s->at) >= 0; s->at++) {
		if (s->at - start == 16)
			return false;
		n = n << 4 | (unsigned)digit_value(*s->at);
	}
	*value = n;
	return s->at != start;
}

bool gdb_scan_bytes(struct gdb_scan *s, uint8_t *data, size_t size)
{
	if (gdb_scan_left(s) / 2 < size)
		return false;
	for (size_t i = 0; i < size; i++, s->at += 2) {
		int high = digit_value(s->at[0]), low = digit_value(s->at[1]);

		if (high < 0 || low < 0)
			return false;
		data[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
