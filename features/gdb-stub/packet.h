/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of the GDB remote protocol ("Debugging with GDB", appendix "GDB Remote Serial
 * Protocol", overview): bytes in, packets out, and back. Knows nothing of what they mean.
 */
#ifndef GDB_PACKET_H
#define GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Longest packet either side sends, framing and escapes not counted. */
#define GDB_PACKET_MAX 4096u

/** What a received byte completed. */
enum gdb_event {
	GDB_NOTHING,   /**< more bytes are needed */
	GDB_PACKET,    /**< a packet with a correct sum is in data */
	GDB_BROKEN,    /**< a packet with a wrong sum, or too long */
	GDB_INTERRUPT, /**< Ctrl-C outside of a packet */
	GDB_RESEND,    /**< the peer did not understand the last packet */
};

/** State of reception. Zero-initialised is ready. */
struct gdb_receiver {
	enum { GDB_IDLE, GDB_BODY, GDB_SUM_HIGH, GDB_SUM_LOW } state;
	bool escape;
	bool too_long;
	uint8_t sum;                      /**< of the bytes so far */
	int wanted;                       /**< sum that the peer sent, negative if it is none */
	size_t length;                    /**< bytes in data */
	uint8_t data[GDB_PACKET_MAX + 1]; /**< contents with escapes undone, and a NUL behind them */
};

/** Takes one byte. */
enum gdb_event gdb_receive(struct gdb_receiver *r, uint8_t byte);

/** A packet being put together. What does not fit is dropped and remembered. Zero-initialised is empty. */
struct gdb_packet {
	size_t length;
	bool overflow;
	uint8_t data[GDB_PACKET_MAX];
};

/** Empties a packet. */
void gdb_packet_clear(struct gdb_packet *p);

/** Adds bytes as they are; they are escaped when they are sent. */
void gdb_put(struct gdb_packet *p, const void *data, size_t size);

/** Adds a string. */
void gdb_put_text(struct gdb_packet *p, const char *text);

/** Adds bytes as pairs of hexadecimal digits. */
void gdb_put_bytes(struct gdb_packet *p, const void *data, size_t size);

/** Adds a number in hexadecimal without leading zeroes. */
void gdb_put_number(struct gdb_packet *p, uint64_t value);

/** Size of a frame around the longest packet: every byte may need an escape. */
#define GDB_FRAME_MAX (2 * GDB_PACKET_MAX + 4)

/** Writes $, contents with escapes, # and the sum. Returns the size. */
size_t gdb_frame(const struct gdb_packet *p, uint8_t frame[static GDB_FRAME_MAX]);

/** Reads a packet from left to right. */
struct gdb_scan {
	const uint8_t *at, *end;
};

/** Bytes that are left. */
size_t gdb_scan_left(const struct gdb_scan *s);

/** Takes `text` if it comes next. */
bool gdb_scan_text(struct gdb_scan *s, const char *text);

/** Takes a hexadecimal number of 1 to 16 digits. */
bool gdb_scan_number(struct gdb_scan *s, uint64_t *value);

/** Takes exactly `size` bytes as pairs of hexadecimal digits. */
bool gdb_scan_bytes(struct gdb_scan *s, uint8_t *data, size_t size);

#endif
