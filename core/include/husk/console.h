/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host console, shared by the guest's serial ports and the monitor, with
 * QEMU's escape key: Ctrl-A x quits, h helps, c switches to the monitor and back,
 * n gives the input to the next port, b sends a break, t switches time stamps,
 * Ctrl-A twice sends one Ctrl-A. A port may have a line of its own instead: a
 * character device, whose bytes pass unchanged both ways.
 */
#ifndef HUSK_CONSOLE_H
#define HUSK_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/io.h>

struct chardev;
struct console;
struct vm;

/** Bytes of input that wait for a port. */
#define CONSOLE_QUEUE 256u

/** One end of the console: a serial port or the monitor. Owned by its device, outlives the VM. */
struct console_port {
	const char *name; /**< such as "uart0" */
	/** How many bytes the port can take now; input waits in the console until it can. */
	size_t (*room)(struct console_port *port);
	/** Gives input to the port, at most what room() said. */
	void (*input)(struct console_port *port, const uint8_t *data, size_t size);
	/** A break condition was sent to the port. May be NULL. */
	void (*send_break)(struct console_port *port);
	/** Hands over output that the port still holds back; called at the end of the run. May be NULL. */
	void (*flush)(struct console_port *port);
	/** The console has just switched to the port: the monitor shows its prompt. May be NULL. */
	void (*focused)(struct console_port *port);
	/** Somebody has come to the port's own line, or has gone: line->connected. May be NULL. */
	void (*line_changed)(struct console_port *port);
	bool extra;           /**< not the board's own console: gets the keys at first only if there is no other */
	struct chardev *line; /**< what the port is connected to, or NULL: the host console, with others */
	/* The console's: */
	struct console *console;
	uint8_t queue[CONSOLE_QUEUE]; /**< input that the port had no room for */
	size_t queued;
	bool connected; /**< line->connected when the port was told */
	bool serving;   /**< its line is being read */
};

#define CONSOLE_MAX_PORTS 8u

/** State of the console of a VM. Zero-initialised, then console_init(). */
struct console {
	struct vm *vm;
	struct io_client io; /**< polls lines; attached when there are any */
	struct console_port *ports[CONSOLE_MAX_PORTS];
	unsigned nr_ports;
	unsigned focus;               /**< port that gets the input */
	struct console_port *monitor; /**< or NULL if the image has none */
	bool monitor_active;
	bool escape;           /**< the last byte was Ctrl-A */
	bool stamps;           /**< time stamps before each line */
	bool line_start;       /**< the last byte written ended a line */
	uint64_t output_bytes; /**< guest output so far */
	uint64_t output_ns;    /**< plat_time_ns() of the last guest output */
};

/** Prepares the console of vm. */
void console_init(struct console *c, struct vm *vm);

/** Adds a guest port; the first one that is not `extra` and has no line gets the input. Returns 0 or -ENOSPC. */
int console_attach(struct console *c, struct console_port *port);

/**
 * Makes `port` the monitor that Ctrl-A c switches to. It has to have room always: it runs inside console_poll(), and
 * input that it has no room for is dropped.
 */
void console_attach_monitor(struct console *c, struct console_port *port);

/** Output of a guest port, to its line or shown: in focus or not, while the monitor is active, too. */
void console_output(struct console_port *port, const uint8_t *data, size_t size);

/**
 * Takes input from the host, handles escapes, gives the rest to the port in focus. Called by the run loop. Nothing is
 * lost: input that the port has no room for is queued, and once its queue is full the host's is left where it is,
 * escapes included, until the port takes some. Only what is pasted right behind Ctrl-A n is, if the next port's is full.
 */
void console_poll(struct console *c);

/** A port says that it has room again; what waits, here or on its line, is given to it. May be called from input(). */
void console_room(struct console_port *port);

/** Makes the guest ports hand over what they hold back: before the run ends, and before a report. */
static inline void console_flush(struct console *c)
{
	for (unsigned i = 0; i < c->nr_ports; i++) {
		if (c->ports[i]->flush != NULL)
			c->ports[i]->flush(c->ports[i]);
	}
}

#endif
