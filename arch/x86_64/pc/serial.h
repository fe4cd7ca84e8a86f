/* SPDX-License-Identifier: BSD-2-Clause */
/* COM1, a 16550: output by polling, input by interrupt where one arrives. */
#ifndef PC_SERIAL_H
#define PC_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIAL_ISA_IRQ 4u

/** Finds and programs the UART: 115200 baud, 8N1, FIFOs. Without one, output is dropped and there is no input. */
void serial_init(void);

/** Whether there is a UART. */
bool serial_present(void);

/** Writes all of it; gives up on a transmitter that never gets ready. */
void serial_write(const uint8_t *data, size_t size);

/** Takes up to `size` received bytes. */
size_t serial_read(uint8_t *data, size_t size);

/** Waits until the last byte has left the transmitter. */
void serial_drain(void);

/** Takes what arrived into the ring and tells the console's CPU; called by the interrupt, or by the clock if none. */
void serial_interrupt(void);

/**
 * Switches interrupts on and has the UART raise one. Returns true if it arrived, with receive interrupts left on;
 * false: all off. Called with the CPU's interrupts enabled.
 */
bool serial_try_interrupt(void);

/** Bytes that the UART lost because nobody took them in time. */
uint64_t serial_overruns(void);

#endif
