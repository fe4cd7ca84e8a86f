/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports of a domain, and events on their way to the guest. */
#include <errno.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>

#include "features/event-channels/evtchn.h"

/* Events. */

/** Whoever polls looks again. */
static void wake_pollers(struct evtchn_domain *e)
{
	const struct vm *vm = e->xen->vm;

	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		if (__atomic_exchange_n(&e->polls[i], false, __ATOMIC_SEQ_CST))
			vcpu_kick(vm->vcpus[i], ATTN_IRQ);
	}
}

void evtchn_raise(struct evtchn_domain *e, unsigned port)
{
	if (e->abi == NULL) {
		e->ports[port].pending = true;
		return;
	}
	if (e->abi->set_pending(e, port))
		wake_pollers(e);
}

void evtchn_raise_virq(struct vcpu *v, unsigned virq)
{
	struct evtchn_domain *e = evtchn_domain(v->vm);
	unsigned port = e->virq_ports[v->id][virq];

	if (port != 0)
		evtchn_raise(e, port);
}

void evtchn_flush_pending(struct evtchn_domain *e, unsigned first, unsigned last)
{
	for (unsigned port = first; port <= last && port < EVTCHN_PORTS; port++) {
		if (!e->ports[port].pending)
			continue;
		e->ports[port].pending = false;
		evtchn_raise(e, port);
	}
}

void evtchn_set_abi(struct evtchn_domain *e, const struct evtchn_abi *abi)
{
	const struct evtchn_abi *old = e->abi;

	for (unsigned port = 1; port < EVTCHN_PORTS && old != NULL; port++)
		e->ports[port].pending |= old->is_pending(e, port);
	e->abi = abi;
	evtchn_flush_pending(e, 1, EVTCHN_PORTS - 1);
}

/* Ports. */

int evtchn_find_free(const struct evtchn_domain *e)
{
	for (unsigned port = 1; port < EVTCHN_PORTS; port++) {
		if (e->ports[port].state == EVTCHN_FREE)
			return (int)port;
	}
	return -XEN_ENOSPC;
}

int evtchn_bind_backend(struct evtchn_domain *e, struct evtchn_backend *b)
{
	int port = evtchn_find_free(e);

	if (port < 0)
		return port;
	e->ports[port].state = EVTCHN_INTERDOMAIN;
	e->ports[port].backend = b;
	e->ports[port].remote = (uint16_t)port;
	b->port = (unsigned)port;
	return port;
}

void evtchn_notify_guest(struct evtchn_domain *e, const struct evtchn_backend *b)
{
	if (b->port != 0)
		evtchn_raise(e, b->port);
}

/** Leaves the other end of a channel between domains. */
static void disconnect(struct evtchn_domain *e, struct evtchn *ch)
{
	struct evtchn *peer = &e->ports[ch->remote];

	if (ch->backend != NULL) {
		ch->backend->port = 0;
	} else if (peer != ch) {
		peer->state = EVTCHN_UNBOUND;
		peer->remote = XEN_DOMID;
	}
}

/** What is left when a port is free: nobody is told of it, at the priority that a new one has. */
static const struct evtchn free_port = { .state = EVTCHN_FREE, .priority = EVTCHN_FIFO_PRIORITY_DEFAULT };

void evtchn_close_port(struct evtchn_domain *e, unsigned port)
{
	struct evtchn *ch = &e->ports[port];
	uint8_t last_vcpu = ch->last_vcpu, last_priority = ch->last_priority;

	if (ch->state == EVTCHN_VIRQ)
		e->virq_ports[ch->virq_vcpu][ch->virq] = 0;
	else if (ch->state == EVTCHN_INTERDOMAIN)
		disconnect(e, ch);
	if (e->abi != NULL)
		e->abi->clear_pending(e, port);
	*ch = free_port;
	/* A closed port may still be linked. */
	ch->last_vcpu = last_vcpu;
	ch->last_priority = last_priority;
}

void evtchn_close_all(struct evtchn_domain *e)
{
	for (unsigned port = 1; port < EVTCHN_PORTS; port++) {
		if (e->ports[port].state != EVTCHN_FREE)
			evtchn_close_port(e, port);
	}
	for (unsigned port = 1; port < EVTCHN_PORTS; port++)
		e->ports[port] = free_port;
	e->abi = e->initial_abi;
}

/* The feature. */

/* The end of a poll is that the vCPU looks at its timers at all. */
static void on_poll_timeout(struct timer *t)
{
	(void)t;
}

static void reset(struct vm *vm)
{
	struct evtchn_domain *e = evtchn_domain(vm);

	e->abi = NULL;
	evtchn_close_all(e);
	e->ports[0].state = EVTCHN_RESERVED;
	memset(e->polls, 0, sizeof(e->polls));
}

static int attach(struct vm *vm)
{
	struct evtchn_domain *e = plat_pages_alloc(sizeof(*e), GUEST_PAGE_SIZE);

	if (e == NULL) {
		log_error("the host has no memory for event channels");
		return -ENOMEM;
	}
	e->xen = xen_domain(vm);
	e->xen->evtchn = e;
	for (unsigned i = 0; i < VM_MAX_VCPUS; i++)
		e->poll_timers[i].fire = on_poll_timeout;
	return 0;
}

/* The interrupt controller of the board: before the devices that use it. */
HUSK_FEATURE(event_channels) = {
	.name = "event-channels",
	.purpose = "event channels: interrupts of a Xen guest without an interrupt controller",
	.level = FEATURE_MACHINE,
	.attach = attach,
	.reset = reset,
};
