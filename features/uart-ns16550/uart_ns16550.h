/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550A UART as in National Semiconductor's PC16550D data sheet, with the
 * register layout of a DesignWare APB UART as an option. Machines embed one per
 * serial port, fill in the options, connect `irq` and call uart_ns16550_init().
 */
#ifndef UART_NS16550_H
#define UART_NS16550_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/bus.h>
#include <husk/console.h>
#include <husk/device.h>
#include <husk/irq.h>
#include <husk/timer.h>

/** Deepest receive FIFO. */
#define UART_NS16550_FIFO_MAX 64u

/** Bytes of output held back at most, until a line ends or the guest does something else with the port. */
#define UART_NS16550_BATCH 64u

/** How a machine wants the port. */
struct uart_ns16550_options {
	const char *name;   /**< of the device and of the console port, such as "uart0" */
	uint64_t base;      /**< guest physical address (or port) of register 0 */
	uint64_t size;      /**< bytes of the window; 0 is eight registers */
	unsigned reg_shift; /**< log2 of the distance between two registers in bytes, 0 to 3 */
	unsigned depth;     /**< bytes of the receive FIFO, 1 to UART_NS16550_FIFO_MAX; 0 is 16 */
	/**
	 * Also decode the registers that Octeon's DesignWare UART adds to the first eight: THR (8), FCR (10),
	 * DLL (16), DLH (17) at numbers of their own and USR (0x27), which always says that the port is not busy.
	 */
	bool designware;
};

/** State of a port. Zeroed memory, then uart_ns16550_init(). */
struct uart_ns16550 {
	struct device dev; /* first: the bus's view */
	struct console_port port;
	struct irq_line irq; /**< INTR: connect it before or after the init, high while an interrupt is pending */
	struct uart_ns16550_options options;

	uint8_t ier, fcr, lcr, mcr, scr;
	uint8_t dll, dlm;   /**< divisor latches; kept, without effect */
	uint8_t lsr_errors; /**< LSR bits 4:1 not read yet */
	uint8_t msr_deltas; /**< MSR bits 3:0 not read yet */
	bool thre_pending;  /**< THR became empty and neither IIR nor THR was touched since */
	bool break_waiting; /**< a break came when the FIFO was full */
	unsigned rx_first;  /**< index of the oldest byte */
	unsigned rx_count;  /**< bytes in the FIFO */
	unsigned rx_breaks; /**< entries that are breaks and are not shown in LSR yet */
	uint64_t rx_total;  /**< bytes received since the start */
	uint64_t tx_total;  /**< bytes sent since the start */
	struct timer flush; /**< sends what is held back if the guest stops touching the port */
	unsigned tx_count;  /**< bytes held back */
	uint8_t tx[UART_NS16550_BATCH];
	uint8_t rx[UART_NS16550_FIFO_MAX];
	bool rx_break[UART_NS16550_FIFO_MAX]; /**< the entry is a break */
};

/**
 * Puts a port on a bus and on a console and resets it. The port must outlive both. Returns 0, -EINVAL for
 * options out of range, or what bus_attach() or console_attach() say, after logging one line.
 */
int uart_ns16550_init(struct uart_ns16550 *u, const struct uart_ns16550_options *options, struct bus *bus,
		      struct console *console);

#endif
