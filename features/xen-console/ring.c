/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rings. Indexes run freely and are taken modulo the size; the difference of producer and consumer is what is in a
 * ring. The guest may write anything to all of them at any time, so that each is read once and checked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/log.h>

#include "features/xen-console/xen_console.h"

#define IN_SIZE  ((uint32_t)sizeof(((struct xencons_interface *)0)->in))
#define OUT_SIZE ((uint32_t)sizeof(((struct xencons_interface *)0)->out))

static struct xen_console *of_port(struct console_port *port)
{
	return (struct xen_console *)((char *)port - offsetof(struct xen_console, port));
}

static uint32_t load(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

/** Makes what was read or written visible before the index says so. */
static void store(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/** Bytes in a ring of `size`, or 0 after saying once that it is broken. */
static uint32_t fill(struct xen_console *c, uint32_t producer, uint32_t consumer, uint32_t size)
{
	if (producer - consumer <= size)
		return producer - consumer;
	if (!c->broken)
		log_warn("the guest's console ring is broken: it has 0x%" PRIx32 " bytes of %" PRIu32,
			 producer - consumer, size);
	c->broken = true;
	return 0;
}

/* Output. */

static void take_output(struct xen_console *c)
{
	struct xencons_interface *ring = c->ring;
	uint32_t producer = load(&ring->out_prod), consumer = load(&ring->out_cons);
	uint32_t count = fill(c, producer, consumer, OUT_SIZE);

	if (count == 0)
		return;
	while (count != 0) {
		uint32_t at = MASK_XENCONS_IDX(consumer, ring->out);
		uint32_t n = count < OUT_SIZE - at ? count : OUT_SIZE - at;

		console_output(&c->port, (const uint8_t *)ring->out + at, n);
		consumer += n;
		count -= n;
	}
	store(&ring->out_cons, consumer);
	/* It may wait for room. */
	evtchn_notify_guest(c->evtchn, &c->backend);
}

/* Input. */

static size_t room(struct console_port *port)
{
	struct xen_console *c = of_port(port);
	uint32_t producer = load(&c->ring->in_prod), consumer = load(&c->ring->in_cons);

	/* Nothing is put into a broken ring, or one that nobody hears of: input waits. */
	if (c->backend.port == 0 || producer - consumer > IN_SIZE)
		return 0;
	return IN_SIZE - (producer - consumer);
}

static void input(struct console_port *port, const uint8_t *data, size_t size)
{
	struct xen_console *c = of_port(port);
	struct xencons_interface *ring = c->ring;
	uint32_t producer = load(&ring->in_prod);

	for (size_t i = 0; i < size; i++)
		ring->in[MASK_XENCONS_IDX(producer + (uint32_t)i, ring->in)] = (char)data[i];
	store(&ring->in_prod, producer + (uint32_t)size);
	evtchn_notify_guest(c->evtchn, &c->backend);
}

void xen_console_work(struct xen_console *c)
{
	take_output(c);
	console_room(&c->port);
}

static void notified(struct evtchn_backend *b)
{
	xen_console_work((struct xen_console *)((char *)b - offsetof(struct xen_console, backend)));
}

/* What a guest left in the ring without an event is printed before the run ends. */
static void flush(struct console_port *port)
{
	take_output(of_port(port));
}

/* The feature. */

static struct xen_console *console_of(const struct vm *vm)
{
	return xen_domain(vm)->console;
}

static uint64_t ring_gpa(void)
{
	return xen_arch.special_gpa + XEN_SPECIAL_CONSOLE * GUEST_PAGE_SIZE;
}

static void reset(struct vm *vm)
{
	struct xen_console *c = console_of(vm);
	struct xen_domain *d = xen_domain(vm);
	int port;

	flush(&c->port);
	memory_zero(&vm->memory, ring_gpa(), GUEST_PAGE_SIZE);
	c->broken = false;
	/* The first port of a domain that has just been reset; there is always one. */
	port = evtchn_bind_backend(c->evtchn, &c->backend);
	d->params[HVM_PARAM_CONSOLE_PFN] = ring_gpa() >> GUEST_PAGE_SHIFT;
	d->params[HVM_PARAM_CONSOLE_EVTCHN] = (uint64_t)port;
}

static int attach(struct vm *vm)
{
	struct xen_console *c = plat_pages_alloc(sizeof(*c), GUEST_PAGE_SIZE);

	if (c == NULL) {
		log_error("the host has no memory for the guest's console");
		return -ENOMEM;
	}
	c->ring = memory_borrow(&vm->memory, ring_gpa(), GUEST_PAGE_SIZE);
	if (c->ring == NULL) {
		log_error("the machine has no page for the console's ring at 0x%" PRIx64, ring_gpa());
		return -EFAULT;
	}
	c->evtchn = evtchn_domain(vm);
	c->backend = (struct evtchn_backend){ .name = "hvc0", .notified = notified };
	c->port = (struct console_port){ .name = "hvc0", .room = room, .input = input, .flush = flush };
	xen_domain(vm)->console = c;
	return console_attach(&vm->console, &c->port);
}

/* At a level after event channels, whose reset closes all ports. */
HUSK_FEATURE(xen_console) = {
	.name = "xen-console",
	.purpose = "console of a Xen guest: a ring in shared memory (hvc0), and console_io",
	.level = FEATURE_DEVICE,
	.attach = attach,
	.reset = reset,
};
