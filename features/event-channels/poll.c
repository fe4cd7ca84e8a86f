/* SPDX-License-Identifier: BSD-2-Clause */
/* SCHEDOP_poll (Xen's public sched.h): waiting for events without taking upcalls. */
#include "features/event-channels/evtchn.h"

#include <xen/sched.h>

/* Xen's own limit. */
#define MAX_POLLED 128u

/** struct sched_poll, for either word. */
struct poll_argument {
	uint64_t ports; /**< guest virtual address of their numbers */
	uint32_t nr_ports;
	uint64_t timeout; /**< system time, or 0: no end */
};

static int read_argument(const struct hypercall *h, struct poll_argument *out)
{
	struct {
		uint64_t ports;
		uint32_t nr_ports, pad;
		uint64_t timeout;
	} wide;
	struct {
		uint32_t ports, nr_ports, timeout_low, timeout_high;
	} narrow;

	if (h->word == sizeof(uint64_t)) {
		if (xen_read_arg(h, 1, &wide, sizeof(wide)) != 0)
			return -XEN_EFAULT;
		*out = (struct poll_argument){ wide.ports, wide.nr_ports, wide.timeout };
		return 0;
	}
	if (xen_read_arg(h, 1, &narrow, sizeof(narrow)) != 0)
		return -XEN_EFAULT;
	*out = (struct poll_argument){ narrow.ports, narrow.nr_ports,
				       (uint64_t)narrow.timeout_high << 32 | narrow.timeout_low };
	return 0;
}

/** Returns 1 if one of the ports has an event, 0 if none has, or negative XEN_E... */
static int look(const struct hypercall *h, const struct poll_argument *arg)
{
	struct evtchn_domain *e = evtchn_domain(h->vcpu->vm);
	evtchn_port_t ports[MAX_POLLED];

	if (hypercall_read(h, arg->ports, ports, arg->nr_ports * sizeof(ports[0])) != 0)
		return -XEN_EFAULT;
	for (unsigned i = 0; i < arg->nr_ports; i++) {
		if (ports[i] >= EVTCHN_PORTS)
			return -XEN_EINVAL;
		if (e->abi != NULL && ports[i] != 0 && e->abi->is_pending(e, ports[i]))
			return 1;
	}
	return 0;
}

static int64_t poll(struct hypercall *h)
{
	struct evtchn_domain *e = evtchn_domain(h->vcpu->vm);
	struct vcpu *v = h->vcpu;
	struct poll_argument arg;
	int found;

	if (read_argument(h, &arg) != 0)
		return -XEN_EFAULT;
	if (arg.nr_ports > MAX_POLLED)
		return -XEN_EINVAL;
	/* Told first, so that what comes between the look and the wait ends the wait. */
	__atomic_store_n(&e->polls[v->id], true, __ATOMIC_SEQ_CST);
	found = look(h, &arg);
	if (found != 0 || xen_upcall_pending(v) || (arg.timeout != 0 && arg.timeout <= plat_time_ns())) {
		__atomic_store_n(&e->polls[v->id], false, __ATOMIC_SEQ_CST);
		return found < 0 ? found : 0;
	}
	timer_arm(v, &e->poll_timers[v->id], arg.timeout != 0 ? arg.timeout : TIMER_NEVER);
	h->idle = true;
	return 0;
}
HYPERCALL(sched_poll) = { __HYPERVISOR_sched_op, SCHEDOP_poll, poll };
