/* SPDX-License-Identifier: BSD-2-Clause */
/* event_channel_op (Xen's public event_channel.h). Errors and their order are Xen's. */
#include "features/event-channels/evtchn.h"

/** Reads an argument of type `type` into a variable `arg`, or answers -EFAULT. */
#define READ_ARG(type)                                  \
	struct type arg;                                \
	if (xen_read_arg(h, 1, &arg, sizeof(arg)) != 0) \
	return -XEN_EFAULT

static struct evtchn_domain *caller(const struct hypercall *h)
{
	return evtchn_domain(h->vcpu->vm);
}

/** The port of that number, or NULL if a domain has none such. */
static struct evtchn *find(struct evtchn_domain *e, uint32_t port)
{
	return port < EVTCHN_PORTS ? &e->ports[port] : NULL;
}

/** Takes a free port. Returns it or -XEN_ENOSPC. */
static int take(struct evtchn_domain *e, enum evtchn_state state, unsigned vcpu)
{
	int port = evtchn_find_free(e);

	if (port > 0) {
		e->ports[port].state = (uint8_t)state;
		e->ports[port].vcpu = (uint8_t)vcpu;
	}
	return port;
}

/* Making and closing. */

static int64_t alloc_unbound(struct hypercall *h)
{
	struct evtchn_domain *e = caller(h);
	int port;

	READ_ARG(evtchn_alloc_unbound);
	if (!xen_is_self(arg.dom))
		return -XEN_ESRCH;
	port = take(e, EVTCHN_UNBOUND, 0);
	if (port < 0)
		return port;
	e->ports[port].remote = arg.remote_dom == DOMID_SELF ? XEN_DOMID : arg.remote_dom;
	arg.port = (evtchn_port_t)port;
	return xen_write_arg(h, 1, &arg, sizeof(arg));
}
HYPERCALL(evtchn_alloc_unbound) = { __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, alloc_unbound };

/* Connects to a port of this domain: there is no other. What was sent before is sent again, as it may have been lost. */
static int64_t bind_interdomain(struct hypercall *h)
{
	struct evtchn_domain *e = caller(h);
	struct evtchn *remote;
	int port;

	READ_ARG(evtchn_bind_interdomain);
	if (!xen_is_self(arg.remote_dom))
		return -XEN_ESRCH;
	port = evtchn_find_free(e);
	if (port < 0)
		return port;
	remote = find(e, arg.remote_port);
	if (remote == NULL || remote->state != EVTCHN_UNBOUND || remote->remote != XEN_DOMID)
		return -XEN_EINVAL;
	e->ports[port].state = remote->state = EVTCHN_INTERDOMAIN;
	e->ports[port].remote = (uint16_t)arg.remote_port;
	remote->remote = (uint16_t)port;
	evtchn_raise(e, (unsigned)port);
	arg.local_port = (evtchn_port_t)port;
	return xen_write_arg(h, 1, &arg, sizeof(arg));
}
HYPERCALL(evtchn_bind_interdomain) = { __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, bind_interdomain };

/** True for the virtual interrupts that each vCPU has its own of (xen.h). */
static bool is_per_vcpu(uint32_t virq)
{
	return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

static int64_t bind_virq(struct hypercall *h)
{
	struct evtchn_domain *e = caller(h);
	int port;

	READ_ARG(evtchn_bind_virq);
	if (arg.virq >= EVTCHN_VIRQS || (!is_per_vcpu(arg.virq) && arg.vcpu != 0))
		return -XEN_EINVAL;
	if (xen_vcpu(e->xen, arg.vcpu) == NULL)
		return -XEN_ENOENT;
	if (e->virq_ports[arg.vcpu][arg.virq] != 0)
		return -XEN_EEXIST;
	port = take(e, EVTCHN_VIRQ, arg.vcpu);
	if (port < 0)
		return port;
	e->ports[port].virq = (uint16_t)arg.virq;
	e->ports[port].virq_vcpu = (uint8_t)arg.vcpu;
	e->virq_ports[arg.vcpu][arg.virq] = (uint16_t)port;
	arg.port = (evtchn_port_t)port;
	return xen_write_arg(h, 1, &arg, sizeof(arg));
}
HYPERCALL(evtchn_bind_virq) = { __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, bind_virq };

static int64_t bind_ipi(struct hypercall *h)
{
	struct evtchn_domain *e = caller(h);
	int port;

	READ_ARG(evtchn_bind_ipi);
	if (xen_vcpu(e->xen, arg.vcpu) == NULL)
		return -XEN_ENOENT;
	port = take(e, EVTCHN_IPI, arg.vcpu);
	if (port < 0)
		return port;
	arg.port = (evtchn_port_t)port;
	return xen_write_arg(h, 1, &arg, sizeof(arg));
}
HYPERCALL(evtchn_bind_ipi) = { __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, bind_ipi };

static int64_t close(struct hypercall *h)
{
	struct evtchn_domain *e = caller(h);
	const struct evtchn *ch;

	READ_ARG(evtchn_close);
	ch = find(e, arg.port);
	if (ch == NULL || ch->state == EVTCHN_FREE || ch->state == EVTCHN_RESERVED)
		return -XEN_EINVAL;
	evtchn_close_port(e, arg.port);
	return 0;
}
HYPERCALL(evtchn_close) = { __HYPERVISOR_event_channel_op, EVTCHNOP_close, close };

static int64_t reset(struct hypercall *h)
{
	READ_ARG(evtchn_reset);
	if (!xen_is_self(arg.dom))
		return -XEN_ESRCH;
	evtchn_close_all(caller(h));
	return 0;
}
HYPERCALL(evtchn_reset) = { __HYPERVISOR_event_channel_op, EVTCHNOP_reset, reset };

/* Using. */

static int64_t send(struct hypercall *h)
{
	struct evtchn_domain *e = caller(h);
	const struct evtchn *ch;

	READ_ARG(evtchn_send);
	ch = find(e, arg.port);
	if (ch == NULL)
		return -XEN_EINVAL;
	switch (ch->state) {
	case EVTCHN_INTERDOMAIN:
		if (ch->backend != NULL)
			ch->backend->notified(ch->backend);
		else
			evtchn_raise(e, ch->remote);
		return 0;
	case EVTCHN_IPI: evtchn_raise(e, arg.port); return 0;
	case EVTCHN_UNBOUND: return 0; /* nobody hears it yet */
	default: return -XEN_EINVAL;
	}
}
HYPERCALL(evtchn_send) = { __HYPERVISOR_event_channel_op, EVTCHNOP_send, send };

static int64_t unmask(struct hypercall *h)
{
	struct evtchn_domain *e = caller(h);

	READ_ARG(evtchn_unmask);
	if (find(e, arg.port) == NULL)
		return -XEN_EINVAL;
	if (e->abi != NULL && arg.port != 0)
		e->abi->unmask(e, arg.port);
	return 0;
}
HYPERCALL(evtchn_unmask) = { __HYPERVISOR_event_channel_op, EVTCHNOP_unmask, unmask };

static int64_t bind_vcpu(struct hypercall *h)
{
	struct evtchn_domain *e = caller(h);
	struct evtchn *ch;

	READ_ARG(evtchn_bind_vcpu);
	if (xen_vcpu(e->xen, arg.vcpu) == NULL)
		return -XEN_ENOENT;
	ch = find(e, arg.port);
	if (ch == NULL)
		return -XEN_EINVAL;
	switch (ch->state) {
	case EVTCHN_VIRQ:
		if (is_per_vcpu(ch->virq))
			return -XEN_EINVAL;
		break;
	case EVTCHN_UNBOUND:
	case EVTCHN_INTERDOMAIN: break;
	default: return -XEN_EINVAL;
	}
	ch->vcpu = (uint8_t)arg.vcpu;
	return 0;
}
HYPERCALL(evtchn_bind_vcpu) = { __HYPERVISOR_event_channel_op, EVTCHNOP_bind_vcpu, bind_vcpu };

static int64_t set_priority(struct hypercall *h)
{
	struct evtchn_domain *e = caller(h);
	struct evtchn *ch;

	READ_ARG(evtchn_set_priority);
	ch = find(e, arg.port);
	if (ch == NULL)
		return -XEN_EINVAL;
	if (e->abi == NULL || !e->abi->has_priorities)
		return -XEN_ENOSYS;
	if (arg.priority > EVTCHN_FIFO_PRIORITY_MIN)
		return -XEN_EINVAL;
	ch->priority = (uint8_t)arg.priority;
	return 0;
}
HYPERCALL(evtchn_set_priority) = { __HYPERVISOR_event_channel_op, EVTCHNOP_set_priority, set_priority };

/* Asking. */

static void describe(const struct evtchn *ch, struct evtchn_status *out)
{
	out->vcpu = ch->vcpu;
	switch (ch->state) {
	case EVTCHN_UNBOUND:
		out->status = EVTCHNSTAT_unbound;
		out->u.unbound.dom = ch->remote;
		break;
	case EVTCHN_INTERDOMAIN:
		out->status = EVTCHNSTAT_interdomain;
		out->u.interdomain.dom = (domid_t)(ch->backend != NULL ? 0 : XEN_DOMID);
		out->u.interdomain.port = ch->remote;
		break;
	case EVTCHN_VIRQ:
		out->status = EVTCHNSTAT_virq;
		out->u.virq = ch->virq;
		break;
	case EVTCHN_IPI: out->status = EVTCHNSTAT_ipi; break;
	default: out->status = EVTCHNSTAT_closed; break;
	}
}

static int64_t status(struct hypercall *h)
{
	const struct evtchn *ch;

	READ_ARG(evtchn_status);
	if (!xen_is_self(arg.dom))
		return -XEN_ESRCH;
	ch = find(caller(h), arg.port);
	if (ch == NULL)
		return -XEN_EINVAL;
	describe(ch, &arg);
	return xen_write_arg(h, 1, &arg, sizeof(arg));
}
HYPERCALL(evtchn_status) = { __HYPERVISOR_event_channel_op, EVTCHNOP_status, status };
