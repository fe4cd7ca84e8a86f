/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550 serial port: output by polling, input by interrupt where one arrives. */
#ifndef PC_SERIAL_H
#define PC_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIAL_COM1 0x3f8u
#define SERIAL_COM2 0x2f8u

#define SERIAL_ISA_IRQ  4u /**< COM1 */
#define SERIAL2_ISA_IRQ 3u /**< COM2 */

#define SERIAL_RING 1024u

/** A serial port. Zeroed, then serial_init(). */
struct serial {
	uint16_t base;          /**< first I/O port */
	void (*received)(void); /**< something arrived; called with interrupts masked */

	bool present, stuck;
	bool by_interrupt; /**< receive interrupts are in use */
	unsigned fifo;     /**< bytes that fit once THRE is set */
	uint64_t overruns;
	volatile bool seen; /**< an interrupt arrived */
	/* Filled by the interrupt, emptied by serial_read(); free running, head - tail bytes are in it. */
	volatile uint32_t head, tail;
	uint8_t ring[SERIAL_RING];
};

/** The console's. */
extern struct serial serial_com1;

/**
 * Finds and programs the UART at the I/O port `base`: 115200 baud, 8N1, FIFOs. Without one, output is dropped and there
 * is no input. received() is called, with interrupts masked, when something has arrived.
 */
void serial_init(struct serial *s, uint16_t base, void (*received)(void));

/** Whether there is a UART. */
bool serial_present(const struct serial *s);

/** Writes all of it; gives up on a transmitter that never gets ready. */
void serial_write(struct serial *s, const uint8_t *data, size_t size);

/** The same, with the carriage return before each line feed that terminals want. */
void serial_write_lines(struct serial *s, const uint8_t *data, size_t size);

/** Takes up to `size` received bytes. */
size_t serial_read(struct serial *s, uint8_t *data, size_t size);

/** Waits until the last byte has left the transmitter. */
void serial_drain(struct serial *s);

/** Takes what arrived into the ring and tells received(); called by the interrupt, or by the clock if none. */
void serial_interrupt(struct serial *s);

/**
 * Switches interrupts on and has the UART raise one. Returns true if it arrived, with receive interrupts left on;
 * false: all off. Called with the CPU's interrupts enabled.
 */
bool serial_try_interrupt(struct serial *s);

/** Bytes that the UART lost because nobody took them in time. */
uint64_t serial_overruns(const struct serial *s);

#endif
