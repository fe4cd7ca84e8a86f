/* SPDX-License-Identifier: BSD-2-Clause */
/* The control queues of the console device (virtio 1.2, 5.3.6.2). */
#include <string.h>

#include "features/virtio-console/virtio_console.h"

/** A message with the longest name. */
struct message {
	struct virtio_console_control head;
	char name[VIRTIO_CONSOLE_MAX_NAME];
};

/* From the driver. */

/** A port tells that it is ready, or the whole device does. */
static void on_message(struct virtio_console *c, const struct virtio_console_control *m)
{
	struct virtio_console_port *p = m->id < c->nr_ports ? &c->ports[m->id] : NULL;

	/* Other messages, and failures, need no answer. */
	if (m->event == VIRTIO_CONSOLE_DEVICE_READY && m->value == 1) {
		for (unsigned i = 0; i < c->nr_ports; i++)
			c->ports[i].news |= VIRTIO_CONSOLE_NEWS_ADD;
	} else if (p != NULL && m->event == VIRTIO_CONSOLE_PORT_READY && m->value == 1) {
		p->ready = true;
		p->news |= VIRTIO_CONSOLE_NEWS_CONSOLE | VIRTIO_CONSOLE_NEWS_NAME | VIRTIO_CONSOLE_NEWS_OPEN;
	} else if (p != NULL && m->event == VIRTIO_CONSOLE_PORT_OPEN) {
		virtio_console_set_open(p, m->value != 0);
	}
}

static void take_messages(struct virtio_console *c)
{
	struct virtqueue *q = &c->queues[VIRTIO_CONSOLE_CONTROL_OUT];
	struct io_vector vectors[VIRTIO_CONSOLE_SEGMENTS];
	struct virtio_chain chain = { .vectors = vectors, .room = VIRTIO_CONSOLE_SEGMENTS };
	struct virtio_console_control m;

	virtqueue_ignore(q);
	while (virtqueue_next(q, &chain) > 0) {
		if (io_vectors_read(vectors, chain.nr_out, 0, &m, sizeof(m)) == sizeof(m))
			on_message(c, &m);
		virtqueue_give(q, chain.head, 0);
	}
	virtqueue_flush(q);
}

/* To the driver. */

/** Whether somebody listens to a port: on husk's console, always. */
static bool has_listener(const struct virtio_console_port *p)
{
	return p->port.line == NULL || p->port.line->connected;
}

/** Makes the message for the first of the news of a port. Returns its size and takes the news off. */
static size_t next_message(struct virtio_console_port *p, struct message *m)
{
	static const struct {
		enum virtio_console_news news;
		uint16_t event, value;
	} events[] = {
		{ VIRTIO_CONSOLE_NEWS_ADD, VIRTIO_CONSOLE_PORT_ADD, 0 },
		{ VIRTIO_CONSOLE_NEWS_CONSOLE, VIRTIO_CONSOLE_CONSOLE_PORT, 1 },
		{ VIRTIO_CONSOLE_NEWS_NAME, VIRTIO_CONSOLE_PORT_NAME, 1 },
		{ VIRTIO_CONSOLE_NEWS_OPEN, VIRTIO_CONSOLE_PORT_OPEN, 1 },
	};
	size_t length = strlen(p->port.name), i = 0;

	while ((p->news & events[i].news) == 0)
		i++;
	p->news &= ~(unsigned)events[i].news;
	m->head.id = p->number;
	m->head.event = events[i].event;
	m->head.value = events[i].news == VIRTIO_CONSOLE_NEWS_OPEN ? has_listener(p) : events[i].value;
	if (events[i].event != VIRTIO_CONSOLE_PORT_NAME)
		return sizeof(m->head);
	memcpy(m->name, p->port.name, length);
	return sizeof(m->head) + length;
}

/** Sends the news of a port as far as the driver has put buffers there. */
static void send_news(struct virtio_console_port *p)
{
	struct virtqueue *q = &p->device->queues[VIRTIO_CONSOLE_CONTROL_IN];
	struct io_vector vectors[VIRTIO_CONSOLE_SEGMENTS];
	struct virtio_chain chain = { .vectors = vectors, .room = VIRTIO_CONSOLE_SEGMENTS };
	struct message m;

	while (p->news != 0) {
		const struct io_vector *in = vectors;
		size_t size;

		if (virtqueue_next(q, &chain) <= 0)
			return;
		in += chain.nr_out;
		size = io_vectors_write(in, chain.nr_in, 0, &m, next_message(p, &m));
		virtio_announce(&p->device->virtio, in, chain.nr_in);
		virtqueue_give(q, chain.head, (uint32_t)size);
	}
}

void virtio_console_control(struct virtio_console *c)
{
	take_messages(c);
	for (unsigned i = 0; i < c->nr_ports; i++)
		send_news(&c->ports[i]);
	virtqueue_flush(&c->queues[VIRTIO_CONSOLE_CONTROL_IN]);
}
