/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers: National Semiconductor PC16550D data sheet, section 8. */
#include "arch/x86_64/pc/serial.h"

#include <husk/platform.h>

#include "arch/x86_64/pc/clock.h"
#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/x86.h"

/* Registers, from the first port on. */
#define REG_DATA    0u
#define REG_DIVISOR 0u /* low, high; with LCR_DLAB */
#define REG_IER     1u
#define REG_IIR     2u
#define REG_FCR     2u
#define REG_LCR     3u
#define REG_MCR     4u
#define REG_LSR     5u
#define REG_MSR     6u
#define REG_SCRATCH 7u

#define IER_RECEIVE  0x01u
#define IER_TRANSMIT 0x02u
#define IIR_NONE     0x01u
#define IIR_FIFO     0xc0u
#define FCR_RESET    0x87u /* enable, clear both, trigger at 8 bytes */
#define LCR_8N1      0x03u
#define LCR_DLAB     0x80u
#define MCR_READY    0x0bu /* DTR, RTS, OUT2, which gates the interrupt */
#define LSR_DATA     0x01u
#define LSR_OVERRUN  0x02u
#define LSR_THRE     0x20u
#define LSR_TEMT     0x40u

#define DIVISOR_115200 1u
/* Reads of LSR before a transmitter counts as stuck: seconds, however fast a port is read. */
#define PATIENCE 5000000u
#define PROBE_NS 20000000u

struct serial serial_com1;

static uint8_t get(const struct serial *s, unsigned reg)
{
	return in8((uint16_t)(s->base + reg));
}

static void put(const struct serial *s, unsigned reg, uint8_t value)
{
	out8((uint16_t)(s->base + reg), value);
}

void serial_init(struct serial *s, uint16_t base, void (*received)(void))
{
	s->base = base;
	s->received = received;
	put(s, REG_SCRATCH, 0x5a);
	if (get(s, REG_SCRATCH) != 0x5a)
		return;
	put(s, REG_SCRATCH, 0xa5);
	if (get(s, REG_SCRATCH) != 0xa5)
		return;
	put(s, REG_IER, 0);
	put(s, REG_LCR, LCR_DLAB | LCR_8N1);
	put(s, REG_DIVISOR, DIVISOR_115200);
	put(s, REG_DIVISOR + 1, DIVISOR_115200 >> 8);
	put(s, REG_LCR, LCR_8N1);
	put(s, REG_FCR, FCR_RESET);
	put(s, REG_MCR, MCR_READY);
	s->fifo = (get(s, REG_IIR) & IIR_FIFO) == IIR_FIFO ? 16 : 1;
	s->present = true;
}

bool serial_present(const struct serial *s)
{
	return s->present;
}

static uint8_t line_status(struct serial *s)
{
	uint8_t lsr = get(s, REG_LSR);

	if ((lsr & LSR_OVERRUN) != 0)
		s->overruns++;
	return lsr;
}

static bool wait_for(struct serial *s, uint8_t bit)
{
	for (unsigned n = 0; n < (s->stuck ? 1 : PATIENCE); n++) {
		if ((line_status(s) & bit) != 0) {
			s->stuck = false;
			return true;
		}
		cpu_relax();
	}
	s->stuck = true;
	return false;
}

void serial_write(struct serial *s, const uint8_t *data, size_t size)
{
	while (s->present && size > 0 && wait_for(s, LSR_THRE)) {
		for (unsigned n = 0; n < s->fifo && size > 0; n++, size--)
			put(s, REG_DATA, *data++);
	}
}

void serial_write_lines(struct serial *s, const uint8_t *data, size_t size)
{
	size_t from = 0;

	for (size_t i = 0; i < size; i++) {
		if (data[i] != '\n' || (i > 0 && data[i - 1] == '\r'))
			continue;
		serial_write(s, data + from, i - from);
		serial_write(s, (const uint8_t *)"\r\n", 2);
		from = i + 1;
	}
	serial_write(s, data + from, size - from);
}

void serial_drain(struct serial *s)
{
	if (s->present)
		wait_for(s, LSR_TEMT);
}

/* Interrupts masked. With a full ring the rest stays in the UART, and so, with flow control, at the sender. */
static bool receive(struct serial *s)
{
	bool any = false;

	while (s->head - s->tail < SERIAL_RING && (line_status(s) & LSR_DATA) != 0) {
		s->ring[s->head % SERIAL_RING] = get(s, REG_DATA);
		s->head++;
		any = true;
	}
	if (s->by_interrupt && s->head - s->tail == SERIAL_RING)
		put(s, REG_IER, 0);
	return any;
}

void serial_interrupt(struct serial *s)
{
	if (!s->present)
		return;
	s->seen = true;
	/* The line to the controller is edge triggered: go on until nothing is pending. */
	for (unsigned n = 0; n < 64; n++) {
		uint8_t iir = get(s, REG_IIR);

		get(s, REG_MSR);
		if (receive(s))
			s->received();
		if ((iir & IIR_NONE) != 0)
			break;
	}
}

size_t serial_read(struct serial *s, uint8_t *data, size_t size)
{
	size_t n = 0;
	uint64_t flags;

	while (n < size && s->tail != s->head) {
		data[n++] = s->ring[s->tail % SERIAL_RING];
		s->tail++;
	}
	if (n == 0 || !s->by_interrupt)
		return n;
	/* There is room again. Toggling the enable bit raises the interrupt for data that waits. */
	flags = irq_save();
	if (get(s, REG_IER) != IER_RECEIVE)
		put(s, REG_IER, IER_RECEIVE);
	irq_restore(flags);
	return n;
}

bool serial_try_interrupt(struct serial *s)
{
	uint64_t start = plat_time_ns();

	if (!s->present)
		return false;
	s->seen = false;
	/* An empty transmitter raises its interrupt as soon as that is enabled (8.6.2). */
	put(s, REG_IER, IER_RECEIVE | IER_TRANSMIT);
	while (!s->seen && plat_time_ns() - start < PROBE_NS)
		cpu_relax();
	s->by_interrupt = s->seen;
	put(s, REG_IER, s->seen ? IER_RECEIVE : 0);
	return s->seen;
}

uint64_t serial_overruns(const struct serial *s)
{
	return s->overruns;
}
