/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers: National Semiconductor PC16550D data sheet, section 8. */
#include "arch/x86_64/pc/serial.h"

#include <husk/platform.h>

#include "arch/x86_64/pc/clock.h"
#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/x86.h"

#define COM1 0x3f8u

#define REG_DATA    (COM1 + 0)
#define REG_DIVISOR (COM1 + 0) /* low, high; with LCR_DLAB */
#define REG_IER     (COM1 + 1)
#define REG_IIR     (COM1 + 2)
#define REG_FCR     (COM1 + 2)
#define REG_LCR     (COM1 + 3)
#define REG_MCR     (COM1 + 4)
#define REG_LSR     (COM1 + 5)
#define REG_MSR     (COM1 + 6)
#define REG_SCRATCH (COM1 + 7)

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
#define RING           1024u
/* Reads of LSR before a transmitter counts as stuck: seconds, however fast a port is read. */
#define PATIENCE 5000000u
#define PROBE_NS 20000000u

static struct {
	bool present, stuck;
	bool by_interrupt; /**< receive interrupts are in use */
	unsigned fifo;     /**< bytes that fit once THRE is set */
	uint64_t overruns;
	volatile bool seen; /**< an interrupt arrived */
	/* Filled by the interrupt, emptied by serial_read(); free running, head - tail bytes are in it. */
	volatile uint32_t head, tail;
	uint8_t ring[RING];
} com1;

void serial_init(void)
{
	out8(REG_SCRATCH, 0x5a);
	if (in8(REG_SCRATCH) != 0x5a)
		return;
	out8(REG_SCRATCH, 0xa5);
	if (in8(REG_SCRATCH) != 0xa5)
		return;
	out8(REG_IER, 0);
	out8(REG_LCR, LCR_DLAB | LCR_8N1);
	out8(REG_DIVISOR, DIVISOR_115200);
	out8(REG_DIVISOR + 1, DIVISOR_115200 >> 8);
	out8(REG_LCR, LCR_8N1);
	out8(REG_FCR, FCR_RESET);
	out8(REG_MCR, MCR_READY);
	com1.fifo = (in8(REG_IIR) & IIR_FIFO) == IIR_FIFO ? 16 : 1;
	com1.present = true;
}

bool serial_present(void)
{
	return com1.present;
}

static uint8_t line_status(void)
{
	uint8_t lsr = in8(REG_LSR);

	if ((lsr & LSR_OVERRUN) != 0)
		com1.overruns++;
	return lsr;
}

static bool wait_for(uint8_t bit)
{
	for (unsigned n = 0; n < (com1.stuck ? 1 : PATIENCE); n++) {
		if ((line_status() & bit) != 0) {
			com1.stuck = false;
			return true;
		}
		cpu_relax();
	}
	com1.stuck = true;
	return false;
}

void serial_write(const uint8_t *data, size_t size)
{
	while (com1.present && size > 0 && wait_for(LSR_THRE)) {
		for (unsigned n = 0; n < com1.fifo && size > 0; n++, size--)
			out8(REG_DATA, *data++);
	}
}

void serial_drain(void)
{
	if (com1.present)
		wait_for(LSR_TEMT);
}

/* Interrupts masked. With a full ring the rest stays in the UART, and so, with flow control, at the sender. */
static bool receive(void)
{
	bool any = false;

	while (com1.head - com1.tail < RING && (line_status() & LSR_DATA) != 0) {
		com1.ring[com1.head % RING] = in8(REG_DATA);
		com1.head++;
		any = true;
	}
	if (com1.by_interrupt && com1.head - com1.tail == RING)
		out8(REG_IER, 0);
	return any;
}

void serial_interrupt(void)
{
	if (!com1.present)
		return;
	com1.seen = true;
	/* The line to the controller is edge triggered: go on until nothing is pending. */
	for (unsigned n = 0; n < 64; n++) {
		uint8_t iir = in8(REG_IIR);

		in8(REG_MSR);
		if (receive())
			cpu_console_input();
		if ((iir & IIR_NONE) != 0)
			break;
	}
}

size_t serial_read(uint8_t *data, size_t size)
{
	size_t n = 0;
	uint64_t flags;

	while (n < size && com1.tail != com1.head) {
		data[n++] = com1.ring[com1.tail % RING];
		com1.tail++;
	}
	if (n == 0 || !com1.by_interrupt)
		return n;
	/* There is room again. Toggling the enable bit raises the interrupt for data that waits. */
	flags = irq_save();
	if (in8(REG_IER) != IER_RECEIVE)
		out8(REG_IER, IER_RECEIVE);
	irq_restore(flags);
	return n;
}

bool serial_try_interrupt(void)
{
	uint64_t start = plat_time_ns();

	if (!com1.present)
		return false;
	com1.seen = false;
	/* An empty transmitter raises its interrupt as soon as that is enabled (8.6.2). */
	out8(REG_IER, IER_RECEIVE | IER_TRANSMIT);
	while (!com1.seen && plat_time_ns() - start < PROBE_NS)
		cpu_relax();
	com1.by_interrupt = com1.seen;
	out8(REG_IER, com1.seen ? IER_RECEIVE : 0);
	return com1.seen;
}

uint64_t serial_overruns(void)
{
	return com1.overruns;
}
