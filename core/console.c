/* SPDX-License-Identifier: BSD-2-Clause */
/* The host console: escape key, input queue, time stamps; lines of ports that have their own. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <husk/chardev.h>
#include <husk/console.h>
#include <husk/log.h>
#include <husk/platform.h>
#include <husk/vm.h>

#define ESCAPE_KEY 0x01 /* Ctrl-A */

#define NS_PER_MS 1000000u
#define MS_PER_S  1000u
#define S_PER_MIN 60u
#define MIN_PER_H 60u

void console_init(struct console *c, struct vm *vm)
{
	*c = (struct console){ .vm = vm, .line_start = true };
}

/** The guest port that gets input from the host, or NULL if there is none. */
static struct console_port *guest_port(const struct console *c)
{
	return c->focus < c->nr_ports && c->ports[c->focus]->line == NULL ? c->ports[c->focus] : NULL;
}

static void poll_lines(struct io_client *io);

int console_attach(struct console *c, struct console_port *port)
{
	const struct console_port *first = guest_port(c);

	if (c->nr_ports == CONSOLE_MAX_PORTS)
		return -ENOSPC;
	c->ports[c->nr_ports] = port;
	if (first == NULL || (first->extra && !port->extra && port->line == NULL))
		c->focus = c->nr_ports;
	c->nr_ports++;
	port->console = c;
	if (port->line != NULL && c->io.poll == NULL) {
		c->io.poll = poll_lines;
		io_attach(c->vm, &c->io);
	}
	return 0;
}

void console_attach_monitor(struct console *c, struct console_port *port)
{
	c->monitor = port;
	port->console = c;
}

/* Output. */

static void write_stamp(struct console *c)
{
	uint64_t ms = (plat_time_ns() - c->vm->started_ns) / NS_PER_MS;
	uint64_t s = ms / MS_PER_S;
	char text[48];
	int n = snprintf(text, sizeof(text), "[%02" PRIu64 ":%02u:%02u.%03u] ", s / S_PER_MIN / MIN_PER_H,
			 (unsigned)(s / S_PER_MIN % MIN_PER_H), (unsigned)(s % S_PER_MIN), (unsigned)(ms % MS_PER_S));

	plat_console_write(text, (size_t)n);
}

static void write_stamped(struct console *c, const uint8_t *data, size_t size)
{
	bool line_start = c->line_start;

	while (size != 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t n = end != NULL ? (size_t)(end - data) + 1 : size;

		if (line_start)
			write_stamp(c);
		plat_console_write(data, n);
		line_start = end != NULL;
		data += n;
		size -= n;
	}
}

/** Where the cursor is after output. A carriage return after the line feed, as some firmware does, changes nothing. */
static bool ends_line(bool before, const uint8_t *data, size_t size)
{
	while (size != 0 && data[size - 1] == '\r')
		size--;
	return size != 0 ? data[size - 1] == '\n' : before;
}

static void show(struct console *c, const uint8_t *data, size_t size)
{
	if (c->stamps)
		write_stamped(c, data, size);
	else
		plat_console_write(data, size);
	c->line_start = ends_line(c->line_start, data, size);
	log_guest_output(c->line_start);
}

void console_output(struct console_port *port, const uint8_t *data, size_t size)
{
	struct console *c = port->console;

	if (size == 0)
		return;
	if (port->line != NULL)
		chardev_write(port->line, data, size);
	else
		show(c, data, size);
	c->output_bytes += size;
	c->output_ns = plat_time_ns();
}

/* Input. */

/** Gives the guest as much of the queue as it has room for. */
static void drain(struct console *c)
{
	struct console_port *port = guest_port(c);
	uint8_t chunk[CONSOLE_QUEUE];

	while (port != NULL && port->queued != 0) {
		size_t room = port->room(port);
		size_t n = room < port->queued ? room : port->queued;

		if (n == 0)
			return;
		/* Taken out first: input() may call console_room() and so come back here. */
		memcpy(chunk, port->queue, n);
		memmove(port->queue, port->queue + n, port->queued - n);
		port->queued -= n;
		port->input(port, chunk, n);
	}
}

/** One byte for whoever has the input; the monitor takes what it can at once. */
static void deliver(struct console *c, uint8_t byte)
{
	struct console_port *port = guest_port(c);

	if (!c->monitor_active) {
		if (port != NULL && port->queued < CONSOLE_QUEUE)
			port->queue[port->queued++] = byte;
		return;
	}
	if (c->monitor->room(c->monitor) != 0)
		c->monitor->input(c->monitor, &byte, 1);
}

/** How many ports the keys can go to. */
static unsigned shared_ports(const struct console *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->nr_ports; i++)
		n += c->ports[i]->line == NULL;
	return n;
}

static void print_help(const struct console *c)
{
	log_text("C-a h    print this help\n"
		 "C-a x    exit husk\n");
	if (c->monitor != NULL)
		log_text("C-a c    switch between guest console and monitor\n");
	if (shared_ports(c) > 1)
		log_text("C-a n    give the keys to the next of %u consoles\n", shared_ports(c));
	log_text("C-a b    send break to the guest\n"
		 "C-a t    toggle time stamps before the lines of the guest\n"
		 "C-a C-a  send C-a to the guest (so does C-a a)\n");
}

static void switch_monitor(struct console *c)
{
	struct console_port *port = c->monitor;

	if (c->monitor == NULL) {
		log_info("this image has no monitor");
		return;
	}
	c->monitor_active = !c->monitor_active;
	if (!c->monitor_active) {
		log_text("\n");
		port = guest_port(c);
	}
	if (port != NULL && port->focused != NULL)
		port->focused(port);
}

static void next_port(struct console *c)
{
	if (shared_ports(c) < 2) {
		log_info("the guest has no other console");
		return;
	}
	/* What was typed before goes to the port it was typed for. */
	drain(c);
	do
		c->focus = (c->focus + 1) % c->nr_ports;
	while (c->ports[c->focus]->line != NULL);
	log_info("the keys go to %s", guest_port(c)->name);
	if (guest_port(c)->focused != NULL)
		guest_port(c)->focused(guest_port(c));
}

static void send_break(struct console *c)
{
	struct console_port *port = guest_port(c);

	if (port != NULL && port->send_break != NULL)
		port->send_break(port);
}

/** The key after Ctrl-A. */
static void escape_command(struct console *c, uint8_t key)
{
	switch (key) {
	case ESCAPE_KEY:
	case 'a': deliver(c, ESCAPE_KEY); break;
	case 'h':
	case '?': print_help(c); break;
	case 'x': vm_request(c->vm, VM_QUIT); break;
	case 'c': switch_monitor(c); break;
	case 'n': next_port(c); break;
	case 'b': send_break(c); break;
	case 't': c->stamps = !c->stamps; break;
	default: break;
	}
}

static void handle_byte(struct console *c, uint8_t byte)
{
	if (c->escape) {
		c->escape = false;
		escape_command(c, byte);
	} else if (byte == ESCAPE_KEY) {
		c->escape = true;
	} else {
		deliver(c, byte);
	}
}

/** Bytes to ask the host for: what the queue holds, or one by one for the monitor, which a key may end. */
static size_t wanted(const struct console *c)
{
	const struct console_port *port = guest_port(c);

	return c->monitor_active || port == NULL ? 1 : CONSOLE_QUEUE - port->queued;
}

void console_poll(struct console *c)
{
	uint8_t data[CONSOLE_QUEUE];
	size_t want, got;

	drain(c);
	while ((want = wanted(c)) != 0 && (got = plat_console_read(data, want)) != 0) {
		for (size_t i = 0; i < got; i++)
			handle_byte(c, data[i]);
		drain(c);
	}
}

/* Lines. */

/** Gives the port what has come on its line, as far as it has room. */
static void serve_line(struct console_port *port)
{
	uint8_t chunk[CONSOLE_QUEUE];
	size_t room, got;

	/* input() may call console_room() and so come back here. */
	if (port->serving)
		return;
	port->serving = true;
	while ((room = port->room(port)) != 0) {
		got = chardev_read(port->line, chunk, room < sizeof(chunk) ? room : sizeof(chunk));
		if (got == 0)
			break;
		port->input(port, chunk, got);
	}
	port->serving = false;
}

static void poll_line(struct console_port *port)
{
	chardev_poll(port->line);
	serve_line(port);
	if (port->connected == port->line->connected)
		return;
	port->connected = port->line->connected;
	if (port->line_changed != NULL)
		port->line_changed(port);
}

static void poll_lines(struct io_client *io)
{
	struct console *c = (struct console *)((char *)io - offsetof(struct console, io));

	for (unsigned i = 0; i < c->nr_ports; i++) {
		if (c->ports[i]->line != NULL)
			poll_line(c->ports[i]);
	}
}

void console_room(struct console_port *port)
{
	struct console *c = port->console;
	bool was_full = port->queued == CONSOLE_QUEUE;

	if (port->line != NULL) {
		serve_line(port);
		return;
	}
	if (port != guest_port(c))
		return;
	drain(c);
	/* While the queue was full the host was not asked for input; it may hold some. Not here: escapes act at once. */
	if (was_full && port->queued < CONSOLE_QUEUE && c->vm != NULL && c->vm->nr_vcpus != 0)
		vcpu_kick(c->vm->vcpus[0], ATTN_CONSOLE);
}
