/* SPDX-License-Identifier: BSD-2-Clause */
/* The console device: input and output of its ports. Sections are those of virtio 1.2. */
#include "features/virtio-console/virtio_console.h"

#include <errno.h>
#include <string.h>

#include <husk/log.h>

#include <linux/virtio_ids.h>

static struct virtio_console *console_of(struct virtio_device *d)
{
	return (struct virtio_console *)d;
}

static bool has_ports(const struct virtio_console *c)
{
	return virtio_has(&c->virtio, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* Queues of a port (5.3.2). */

static struct virtqueue *input_queue(struct virtio_console_port *p)
{
	return &p->device->queues[p->number == 0 ? 0 : 2 * p->number + 2];
}

static struct virtqueue *output_queue(struct virtio_console_port *p)
{
	return input_queue(p) + 1;
}

/** The port that a queue belongs to; not for the control queues. */
static struct virtio_console_port *port_of(struct virtio_console *c, unsigned n)
{
	return &c->ports[n < VIRTIO_CONSOLE_CONTROL_IN ? 0 : n / 2 - 1];
}

/* Output. */

static void send_chain(struct virtio_console_port *p, const struct virtio_chain *chain)
{
	for (unsigned i = 0; i < chain->nr_out; i++)
		console_output(&p->port, chain->vectors[i].base, chain->vectors[i].size);
}

static void take_output(struct virtio_console_port *p)
{
	struct virtqueue *q = output_queue(p);
	struct io_vector vectors[VIRTIO_CONSOLE_SEGMENTS];
	struct virtio_chain chain = { .vectors = vectors, .room = VIRTIO_CONSOLE_SEGMENTS };

	virtqueue_ignore(q);
	while (virtqueue_next(q, &chain) > 0) {
		send_chain(p, &chain);
		virtqueue_give(q, chain.head, 0);
	}
	virtqueue_flush(q);
}

/* Input. */

/** True if the guest reads the port: a driver that knows of one port only has it open always. */
static bool is_open(const struct virtio_console_port *p)
{
	return p->open || !has_ports(p->device);
}

/** Bytes of the buffer that is taken for input, or of the next one. Empty ones are given back as they are. */
static size_t port_room(struct console_port *port)
{
	struct virtio_console_port *p = (struct virtio_console_port *)port;
	struct virtqueue *q = input_queue(p);
	uint64_t size = 0;

	if (!q->ready || !virtio_is_running(&p->device->virtio) || !is_open(p))
		return 0;
	while (size == 0) {
		if (!p->has_chain && virtqueue_next(q, &p->chain) <= 0)
			return 0;
		size = io_vectors_size(p->vectors + p->chain.nr_out, p->chain.nr_in);
		p->has_chain = size != 0;
		if (size == 0) {
			virtqueue_give(q, p->chain.head, 0);
			virtqueue_flush(q);
		}
	}
	return size;
}

static void port_input(struct console_port *port, const uint8_t *data, size_t size)
{
	struct virtio_console_port *p = (struct virtio_console_port *)port;
	const struct io_vector *in = p->vectors + p->chain.nr_out;
	struct virtqueue *q = input_queue(p);

	size = io_vectors_write(in, p->chain.nr_in, 0, data, size);
	virtio_announce(&p->device->virtio, in, p->chain.nr_in);
	p->has_chain = false;
	virtqueue_give(q, p->chain.head, (uint32_t)size);
	virtqueue_flush(q);
}

void virtio_console_set_open(struct virtio_console_port *p, bool open)
{
	p->open = open;
	if (open)
		console_room(&p->port);
}

/* The device. */

static void console_notify(struct virtio_device *d, unsigned n)
{
	struct virtio_console *c = console_of(d);

	if (n == VIRTIO_CONSOLE_CONTROL_IN || n == VIRTIO_CONSOLE_CONTROL_OUT) {
		virtio_console_control(c);
	} else if (n % 2 == 0) {
		console_room(&port_of(c, n)->port);
	} else {
		take_output(port_of(c, n));
	}
}

static void console_start(struct virtio_device *d)
{
	for (unsigned n = 0; n < d->nr_queues; n++)
		virtio_notify(d, n);
}

static void console_stop_queue(struct virtio_device *d, unsigned n)
{
	struct virtio_console *c = console_of(d);

	if (n != VIRTIO_CONSOLE_CONTROL_IN && n != VIRTIO_CONSOLE_CONTROL_OUT && n % 2 == 0)
		port_of(c, n)->has_chain = false;
}

static void console_reset(struct virtio_device *d)
{
	struct virtio_console *c = console_of(d);

	for (unsigned i = 0; i < c->nr_ports; i++) {
		c->ports[i].ready = c->ports[i].open = false;
		c->ports[i].news = 0;
	}
}

static void console_describe(struct virtio_device *d)
{
	const struct virtio_console *c = console_of(d);

	for (unsigned i = 0; i < c->nr_ports; i++)
		log_text(", %s%s", c->ports[i].port.name, is_open(&c->ports[i]) ? "" : " (not open)");
}

static const struct virtio_device_ops console_ops = {
	.start = console_start,
	.notify = console_notify,
	.stop_queue = console_stop_queue,
	.reset = console_reset,
	.describe = console_describe,
};

static void port_line_changed(struct console_port *port)
{
	struct virtio_console_port *p = (struct virtio_console_port *)port;

	if (!p->ready)
		return;
	p->news |= VIRTIO_CONSOLE_NEWS_OPEN;
	virtio_console_control(p->device);
}

static int add_port(struct virtio_console *c, const struct virtio_console_options *o, struct console *console)
{
	struct virtio_console_port *p = &c->ports[c->nr_ports];
	int rc;

	if (strlen(o->name) > VIRTIO_CONSOLE_MAX_NAME) {
		log_error("console '%s': the name is longer than %u characters", o->name, VIRTIO_CONSOLE_MAX_NAME);
		return -EINVAL;
	}
	p->device = c;
	p->chain = (struct virtio_chain){ .vectors = p->vectors, .room = VIRTIO_CONSOLE_SEGMENTS };
	p->number = c->nr_ports++;
	p->port.name = o->name;
	p->port.extra = true;
	p->port.line = o->line;
	p->port.room = port_room;
	p->port.input = port_input;
	p->port.line_changed = port_line_changed;
	rc = console_attach(console, &p->port);
	if (rc != 0)
		log_error("console '%s': there are too many on the console of husk: lower VIRTIO_CONSOLE_PORTS",
			  o->name);
	return rc;
}

int virtio_console_init(struct virtio_console *c, const struct virtio_console_options *options, unsigned nr,
			struct memory *memory, struct console *console)
{
	c->config.max_nr_ports = nr;
	c->virtio.name = "console";
	c->virtio.ops = &console_ops;
	c->virtio.id = VIRTIO_ID_CONSOLE;
	c->virtio.features = VIRTIO_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT);
	c->virtio.config = &c->config;
	c->virtio.config_size = sizeof(c->config);
	c->virtio.queues = c->queues;
	c->virtio.nr_queues = 2 * nr + 2;
	virtio_init(&c->virtio, memory, VIRTIO_CONSOLE_QUEUE_SIZE);
	for (unsigned i = 0; i < nr; i++) {
		int rc = add_port(c, &options[i], console);

		if (rc != 0)
			return rc;
	}
	return 0;
}
