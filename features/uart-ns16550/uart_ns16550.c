/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 16550A UART. Sections cited are of the PC16550D data sheet (National
 * Semiconductor, June 1995). Characters take no time: what is written to THR is
 * sent at once, and the host's input fills the receive FIFO as far as it goes.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "features/uart-ns16550/uart_ns16550.h"

/* Register numbers (table I); several depend on the direction and on LCR.DLAB. */
enum {
	REG_DATA = 0, /* RBR, THR, DLL */
	REG_IER = 1,  /* IER, DLM */
	REG_IIR = 2,  /* IIR, FCR */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,
	/* Octeon's DesignWare UART gives write-only and banked registers a place of their own as well. */
	DW_THR = 0x08,
	DW_FCR = 0x0a,
	DW_DLL = 0x10,
	DW_DLH = 0x11,
	DW_USR = 0x27,
};

enum {
	IER_ERBFI = 1 << 0, /* received data available */
	IER_ETBEI = 1 << 1, /* THR empty */
	IER_ELSI = 1 << 2,  /* line status */
	IER_EDSSI = 1 << 3, /* modem status */
	IER_MASK = 0x0f,

	IIR_MODEM = 0x00,
	IIR_NONE = 0x01,
	IIR_THRE = 0x02,
	IIR_DATA = 0x04,
	IIR_LINE = 0x06,
	IIR_TIMEOUT = 0x0c,
	IIR_FIFOS = 0xc0,

	FCR_ENABLE = 1 << 0,
	FCR_RESET_RX = 1 << 1,
	FCR_KEPT = 0xc9, /* enable, DMA mode, trigger level */

	LCR_DLAB = 1 << 7,

	MCR_DTR = 1 << 0,
	MCR_RTS = 1 << 1,
	MCR_OUT1 = 1 << 2,
	MCR_OUT2 = 1 << 3,
	MCR_LOOP = 1 << 4,
	MCR_MASK = 0x1f,

	LSR_DR = 1 << 0,
	LSR_OE = 1 << 1,
	LSR_BI = 1 << 4,
	LSR_THRE = 1 << 5,
	LSR_TEMT = 1 << 6,
	LSR_FIFO_ERROR = 1 << 7,

	MSR_TERI = 1 << 2,
	MSR_CTS = 1 << 4,
	MSR_DSR = 1 << 5,
	MSR_RI = 1 << 6,
	MSR_DCD = 1 << 7,
};

/* How long a guest's output may be held back, when the guest does nothing else with the port. */
#define FLUSH_NS 2000000u

static struct uart_ns16550 *of_device(struct device *dev)
{
	return (struct uart_ns16550 *)dev;
}

static struct uart_ns16550 *of_port(struct console_port *port)
{
	return (struct uart_ns16550 *)((char *)port - offsetof(struct uart_ns16550, port));
}

static struct uart_ns16550 *of_timer(struct timer *t)
{
	return (struct uart_ns16550 *)((char *)t - offsetof(struct uart_ns16550, flush));
}

/* Interrupts. */

static bool fifos_enabled(const struct uart_ns16550 *u)
{
	return (u->fcr & FCR_ENABLE) != 0;
}

/* Bytes at which "received data available" is raised: 1, 1/4, 1/2 and all but 2 of the FIFO (8.5). */
static unsigned trigger_level(const struct uart_ns16550 *u)
{
	unsigned depth = u->options.depth;
	unsigned level = 1;

	switch (u->fcr >> 6) {
	case 1: level = depth / 4; break;
	case 2: level = depth / 2; break;
	case 3: level = depth > 2 ? depth - 2 : 1; break;
	default: break;
	}
	return level > 0 ? level : 1;
}

/*
 * Highest pending source, without the FIFO bits (table III). Data below the trigger level count as timed out at
 * once: the host delivers input in one go, so that nothing more is to be expected within four character times.
 */
static unsigned pending(const struct uart_ns16550 *u)
{
	if ((u->ier & IER_ELSI) != 0 && u->lsr_errors != 0)
		return IIR_LINE;
	if ((u->ier & IER_ERBFI) != 0 && u->rx_count > 0)
		return fifos_enabled(u) && u->rx_count < trigger_level(u) ? IIR_TIMEOUT : IIR_DATA;
	if ((u->ier & IER_ETBEI) != 0 && u->thre_pending)
		return IIR_THRE;
	if ((u->ier & IER_EDSSI) != 0 && u->msr_deltas != 0)
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_irq(struct uart_ns16550 *u)
{
	irq_set(&u->irq, pending(u) != IIR_NONE);
}

/* Receiver. */

static unsigned rx_depth(const struct uart_ns16550 *u)
{
	return fifos_enabled(u) ? u->options.depth : 1;
}

/* Status belongs to the byte at the top of the FIFO and shows in LSR when it gets there (8.4). */
static void show_break(struct uart_ns16550 *u)
{
	if (u->rx_count == 0 || !u->rx_break[u->rx_first])
		return;
	u->rx_break[u->rx_first] = false;
	u->rx_breaks--;
	u->lsr_errors |= LSR_BI;
}

static void rx_push(struct uart_ns16550 *u, uint8_t byte, bool is_break)
{
	unsigned at = (u->rx_first + u->rx_count) % UART_NS16550_FIFO_MAX;

	u->rx[at] = byte;
	u->rx_break[at] = is_break;
	u->rx_breaks += is_break;
	u->rx_count++;
	u->rx_total++;
	if (u->rx_count == 1)
		show_break(u);
}

static void rx_clear(struct uart_ns16550 *u)
{
	u->rx_count = 0;
	u->rx_breaks = 0;
	u->break_waiting = false;
}

static uint8_t rx_pop(struct uart_ns16550 *u)
{
	if (u->rx_count == 0)
		return 0;
	uint8_t byte = u->rx[u->rx_first];
	u->rx_first = (u->rx_first + 1) % UART_NS16550_FIFO_MAX;
	u->rx_count--;
	show_break(u);
	if (u->break_waiting) {
		u->break_waiting = false;
		rx_push(u, 0, true);
	}
	return byte;
}

/* A byte that loops back finds no queue behind the FIFO; a full one overruns (8.4, bit 1). */
static void rx_loop_back(struct uart_ns16550 *u, uint8_t byte)
{
	if (u->rx_count < rx_depth(u)) {
		rx_push(u, byte, false);
		return;
	}
	u->lsr_errors |= LSR_OE;
	if (!fifos_enabled(u))
		u->rx[u->rx_first] = byte;
}

static uint8_t read_rbr(struct uart_ns16550 *u)
{
	uint8_t byte = rx_pop(u);

	if ((u->mcr & MCR_LOOP) == 0)
		console_room(&u->port);
	update_irq(u);
	return byte;
}

static size_t port_room(struct console_port *port)
{
	const struct uart_ns16550 *u = of_port(port);
	unsigned depth = rx_depth(u);

	/* The receiver is disconnected from its input in loopback (8.6): input waits. */
	if ((u->mcr & MCR_LOOP) != 0 || u->rx_count >= depth)
		return 0;
	return depth - u->rx_count;
}

static void port_input(struct console_port *port, const uint8_t *data, size_t size)
{
	struct uart_ns16550 *u = of_port(port);

	for (size_t i = 0; i < size && port_room(port) > 0; i++)
		rx_push(u, data[i], false);
	update_irq(u);
}

/* A break loads one zero byte (8.4, bit 4). */
static void port_break(struct console_port *port)
{
	struct uart_ns16550 *u = of_port(port);

	if (port_room(port) > 0)
		rx_push(u, 0, true);
	else
		u->break_waiting = true;
	update_irq(u);
}

/* Transmitter. */

static void tx_flush(struct uart_ns16550 *u)
{
	unsigned count = u->tx_count;

	if (count == 0)
		return;
	u->tx_count = 0;
	console_output(&u->port, u->tx, count);
}

static void port_flush(struct console_port *port)
{
	tx_flush(of_port(port));
}

static void on_flush(struct timer *t)
{
	tx_flush(of_timer(t));
}

/*
 * Output goes to the host in batches: a write to the host costs as much as hundreds of guest instructions. A
 * batch ends with a line, when it is full, when the guest touches any register but those it touches for each byte
 * (Linux restores IER after each message and handles interrupts by IIR), and after FLUSH_NS. The timer is not
 * disarmed when a batch ends early; it serves the next. It runs on the boot CPU, like the console.
 */
static void tx_send(struct uart_ns16550 *u, uint8_t byte)
{
	const struct vm *vm = u->port.console->vm;
	struct vcpu *v = vm != NULL && vm->nr_vcpus > 0 ? vm->vcpus[0] : NULL;

	u->tx[u->tx_count++] = byte;
	u->tx_total++;
	if (v == NULL || byte == '\n' || u->tx_count == UART_NS16550_BATCH)
		tx_flush(u);
	else if (!u->flush.armed)
		timer_arm(v, &u->flush, plat_time_ns() + FLUSH_NS);
}

/*
 * THR becomes empty again as soon as it is written, so that its interrupt, which writing clears, is raised anew
 * (8.7, table III). The line stays high in between: no controller sees a pulse of no length.
 */
static void write_thr(struct uart_ns16550 *u, uint8_t byte)
{
	if ((u->mcr & MCR_LOOP) != 0)
		rx_loop_back(u, byte);
	else
		tx_send(u, byte);
	u->thre_pending = true;
	update_irq(u);
}

/* Control and status. */

/* Enabling the THRE interrupt while THR is empty, as it always is here, raises it at once (8.7, table III). */
static void write_ier(struct uart_ns16550 *u, uint8_t value)
{
	uint8_t enabled = value & ~u->ier;

	u->ier = value & IER_MASK;
	if ((enabled & IER_ETBEI) != 0)
		u->thre_pending = true;
	update_irq(u);
}

/* Reading IIR clears the THRE interrupt if it is the source shown (8.7, table III). */
static uint8_t read_iir(struct uart_ns16550 *u)
{
	unsigned source = pending(u);

	if (source == IIR_THRE) {
		u->thre_pending = false;
		update_irq(u);
	}
	return (uint8_t)(source | (fifos_enabled(u) ? IIR_FIFOS : 0));
}

/* Changing the enable bit empties the FIFOs; other bits count only when it is written as 1 (8.5). */
static void write_fcr(struct uart_ns16550 *u, uint8_t value)
{
	bool changed = ((value ^ u->fcr) & FCR_ENABLE) != 0;

	u->fcr = (value & FCR_ENABLE) != 0 ? value & FCR_KEPT : 0;
	if (changed || (value & (FCR_ENABLE | FCR_RESET_RX)) == (FCR_ENABLE | FCR_RESET_RX))
		rx_clear(u);
	if ((u->mcr & MCR_LOOP) == 0)
		console_room(&u->port);
	update_irq(u);
}

/* Modem inputs: a peer that is always ready, or in loopback the modem outputs (8.6). */
static uint8_t modem_inputs(const struct uart_ns16550 *u)
{
	uint8_t msr = 0;

	if ((u->mcr & MCR_LOOP) == 0)
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if ((u->mcr & MCR_RTS) != 0)
		msr |= MSR_CTS;
	if ((u->mcr & MCR_DTR) != 0)
		msr |= MSR_DSR;
	if ((u->mcr & MCR_OUT1) != 0)
		msr |= MSR_RI;
	if ((u->mcr & MCR_OUT2) != 0)
		msr |= MSR_DCD;
	return msr;
}

/* Each changed input sets the delta bit four below it, except that RI counts its trailing edge only (8.8). */
static void write_mcr(struct uart_ns16550 *u, uint8_t value)
{
	uint8_t before = modem_inputs(u);

	u->mcr = value & MCR_MASK;
	uint8_t after = modem_inputs(u);
	uint8_t deltas = (uint8_t)((before ^ after) >> 4);
	if ((after & MSR_RI) != 0)
		deltas &= ~MSR_TERI;
	u->msr_deltas |= deltas;
	if ((u->mcr & MCR_LOOP) == 0)
		console_room(&u->port);
	update_irq(u);
}

/* Reading LSR clears its error bits (8.4). */
static uint8_t read_lsr(struct uart_ns16550 *u)
{
	uint8_t lsr = LSR_THRE | LSR_TEMT;

	if (u->rx_count > 0)
		lsr |= LSR_DR;
	if (u->lsr_errors == 0 && u->rx_breaks == 0)
		return lsr;
	lsr |= u->lsr_errors;
	if (fifos_enabled(u) && ((u->lsr_errors & LSR_BI) != 0 || u->rx_breaks > 0))
		lsr |= LSR_FIFO_ERROR;
	u->lsr_errors = 0;
	update_irq(u);
	return lsr;
}

static uint8_t read_msr(struct uart_ns16550 *u)
{
	uint8_t msr = modem_inputs(u) | u->msr_deltas;

	u->msr_deltas = 0;
	update_irq(u);
	return msr;
}

/* The bus. */

/*
 * Number of the register. As on boards that wire an 8-bit part to the upper address lines, every access within
 * a register's distance to the next is one to the register, whatever its width, with the byte in the low bits.
 * Numbers of banked and of DesignWare's extra registers become those of the register meant.
 */
static unsigned decode(const struct uart_ns16550 *u, uint64_t offset, bool write)
{
	unsigned reg = (unsigned)(offset >> u->options.reg_shift);

	if (reg <= REG_IER && (u->lcr & LCR_DLAB) != 0)
		return reg + DW_DLL;
	if (reg > REG_SCR && !u->options.designware)
		return UINT32_MAX;
	if (reg == DW_THR && write)
		return REG_DATA;
	if (reg == DW_FCR && write)
		return REG_IIR;
	return reg;
}

static uint64_t uart_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct uart_ns16550 *u = of_device(dev);
	unsigned reg = decode(u, offset, false);

	(void)size;
	if (reg == REG_LSR)
		return read_lsr(u);
	/* Linux's driver for Octeon reads LCR after each write to any register, to have the write done. */
	if (reg == REG_LCR)
		return u->lcr;
	tx_flush(u);
	switch (reg) {
	case REG_DATA: return read_rbr(u);
	case REG_IER: return u->ier;
	case REG_IIR: return read_iir(u);
	case REG_MCR: return u->mcr;
	case REG_MSR: return read_msr(u);
	case REG_SCR: return u->scr;
	case DW_DLL: return u->dll;
	case DW_DLH: return u->dlm;
	case DW_USR: return 0;
	default: log_debug("%s: read of unknown register at offset 0x%lx", dev->name, (unsigned long)offset); return 0;
	}
}

static void uart_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct uart_ns16550 *u = of_device(dev);
	unsigned reg = decode(u, offset, true);
	uint8_t byte = (uint8_t)value;

	(void)size;
	if (reg == REG_DATA) {
		write_thr(u, byte);
		return;
	}
	tx_flush(u);
	switch (reg) {
	case REG_IER: write_ier(u, byte); break;
	case REG_IIR: write_fcr(u, byte); break;
	case REG_LCR: u->lcr = byte; break;
	case REG_MCR: write_mcr(u, byte); break;
	case REG_LSR: /* for factory tests only (8.4) */
	case REG_MSR: break;
	case REG_SCR: u->scr = byte; break;
	case DW_DLL: u->dll = byte; break;
	case DW_DLH: u->dlm = byte; break;
	default: log_debug("%s: write to unknown register at offset 0x%lx", dev->name, (unsigned long)offset); break;
	}
}

static void uart_reset(struct device *dev)
{
	struct uart_ns16550 *u = of_device(dev);

	tx_flush(u);
	u->ier = u->fcr = u->lcr = u->mcr = u->scr = 0;
	u->dll = u->dlm = 0;
	u->lsr_errors = u->msr_deltas = 0;
	u->thre_pending = false;
	rx_clear(u);
	update_irq(u);
}

static void uart_describe(struct device *dev)
{
	const struct uart_ns16550 *u = of_device(dev);

	log_text("IER %02x IIR %02x LCR %02x MCR %02x, FIFO %u of %u, received %lu, sent %lu bytes\n", u->ier,
		 pending(u), u->lcr, u->mcr, u->rx_count, rx_depth(u), (unsigned long)u->rx_total,
		 (unsigned long)u->tx_total);
}

static const struct device_ops uart_ops = {
	.read = uart_read,
	.write = uart_write,
	.reset = uart_reset,
	.describe = uart_describe,
};

static int check_options(const struct uart_ns16550_options *o)
{
	if (o->reg_shift <= 3 && o->depth <= UART_NS16550_FIFO_MAX)
		return 0;
	log_error("%s: register shift %u or FIFO depth %u is out of range", o->name, o->reg_shift, o->depth);
	return -EINVAL;
}

int uart_ns16550_init(struct uart_ns16550 *u, const struct uart_ns16550_options *options, struct bus *bus,
		      struct console *console)
{
	int err = check_options(options);

	if (err < 0)
		return err;
	u->options = *options;
	if (u->options.depth == 0)
		u->options.depth = 16;
	if (u->options.size == 0)
		u->options.size = (uint64_t)(REG_SCR + 1) << options->reg_shift;
	u->dev.name = options->name;
	u->dev.ops = &uart_ops;
	u->port.name = options->name;
	u->port.room = port_room;
	u->port.input = port_input;
	u->port.send_break = port_break;
	u->port.flush = port_flush;
	u->flush.fire = on_flush;
	err = bus_attach(bus, &u->dev, options->base, u->options.size);
	if (err == 0)
		err = console_attach(console, &u->port);
	if (err < 0) {
		log_error("%s: cannot be attached at 0x%lx (error %d)", options->name, (unsigned long)options->base,
			  err);
		return err;
	}
	uart_reset(&u->dev);
	return 0;
}

HUSK_FEATURE(uart_ns16550) = {
	.name = "uart-ns16550",
	.purpose = "16550A serial port, with Octeon's DesignWare registers as an option",
	.level = FEATURE_DEVICE,
};
