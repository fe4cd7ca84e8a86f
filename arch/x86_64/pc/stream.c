/* SPDX-License-Identifier: BSD-2-Clause */
/* The stream of platform.h: COM2. */
#include <stddef.h>

#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/pc/apic.h"
#include "arch/x86_64/pc/clock.h"
#include "arch/x86_64/pc/serial.h"
#include "arch/x86_64/pc/trap.h"

struct plat_stream {
	struct serial com2;
	uint32_t *attention, bits;
};

static struct plat_stream stream;

static void received(void)
{
	plat_kick(stream.attention, stream.bits);
}

static void interrupt(void)
{
	serial_interrupt(&stream.com2);
}

struct plat_stream *plat_stream_open(unsigned port, uint32_t *attention, uint32_t bits)
{
	(void)port;
	if (stream.attention != NULL)
		return NULL;
	stream.attention = attention;
	stream.bits = bits;
	serial_init(&stream.com2, SERIAL_COM2, received);
	if (!serial_present(&stream.com2)) {
		log_warn("there is no COM2: add a second serial port to the computer");
		return NULL;
	}
	trap_set_com2(interrupt);
	if (!apic_route_com2() || !serial_try_interrupt(&stream.com2)) {
		log_debug("pc: COM2 is polled");
		clock_poll(interrupt);
	}
	return &stream;
}

const char *plat_stream_name(const struct plat_stream *s)
{
	(void)s;
	return "COM2";
}

size_t plat_stream_read(struct plat_stream *s, void *buf, size_t size)
{
	return serial_read(&s->com2, buf, size);
}

void plat_stream_write(struct plat_stream *s, const void *buf, size_t size)
{
	serial_write(&s->com2, buf, size);
}

bool plat_stream_connected(const struct plat_stream *s)
{
	(void)s;
	return true;
}
