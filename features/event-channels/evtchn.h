/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event channels (Xen's public event_channel.h): ports of the domain that events are sent to, and how an event becomes
 * visible to the guest, which is one of two ABIs, each a feature: bitmaps in shared_info (2-level) or linked lists in
 * pages of the guest (FIFO).
 */
#ifndef EVENT_CHANNELS_EVTCHN_H
#define EVENT_CHANNELS_EVTCHN_H

#include <stdbool.h>
#include <stdint.h>

#include "features/xen-abi/xen.h"

#include <xen/event_channel.h>

/** Ports of a domain, 0 included, which is none. As many as a 32-bit guest has in the 2-level ABI, and Xen's default. */
#define EVTCHN_PORTS 1024u

/** Virtual interrupts that a vCPU has. */
#define EVTCHN_VIRQS NR_VIRQS

/** What a port is connected to. */
enum evtchn_state {
	EVTCHN_FREE,
	EVTCHN_RESERVED,    /**< port 0 */
	EVTCHN_UNBOUND,     /**< waits for a domain to connect to it */
	EVTCHN_INTERDOMAIN, /**< to another port of this domain, or to a back end */
	EVTCHN_VIRQ,
	EVTCHN_IPI,
};

/** The hypervisor's end of an event channel: a device that the guest shares pages with. Owned by the device. */
struct evtchn_backend {
	const char *name; /**< for the monitor */
	/** The guest has sent an event. May be called at any time while bound. */
	void (*notified)(struct evtchn_backend *b);
	unsigned port; /**< the guest's, or 0: not bound, or the guest has closed it */
};

/** One port. */
struct evtchn {
	uint8_t state;                  /**< enum evtchn_state */
	bool pending;                   /**< an event came while there was no place where the guest could see it */
	uint8_t vcpu;                   /**< that is told of events */
	uint8_t priority;               /**< 0 is the highest; counts in the FIFO ABI */
	uint8_t last_vcpu;              /**< FIFO: queue that it was linked to last */
	uint8_t last_priority;          /**< likewise */
	uint16_t remote;                /**< UNBOUND: domain that may connect; INTERDOMAIN: the peer's port */
	uint16_t virq;                  /**< VIRQ */
	uint8_t virq_vcpu;              /**< VIRQ: whose it is; bind_vcpu moves only where events are told */
	struct evtchn_backend *backend; /**< INTERDOMAIN: the peer is this one, or NULL */
};

struct evtchn_domain;

/** How events become visible to the guest. */
struct evtchn_abi {
	const char *name;
	/** Makes an event visible and tells the port's vCPU, unless it is masked. Returns false if it was visible before. */
	bool (*set_pending)(struct evtchn_domain *e, unsigned port);
	/** Takes an event away: the port is closed. */
	void (*clear_pending)(struct evtchn_domain *e, unsigned port);
	/** Unmasks, and tells the vCPU if there is an event. */
	void (*unmask)(struct evtchn_domain *e, unsigned port);
	/** True if the guest sees an event, masked or not. */
	bool (*is_pending)(struct evtchn_domain *e, unsigned port);
	/** True if a port may have a priority. */
	bool has_priorities;
};

/** Event channels of a domain, at xen_domain.evtchn. */
struct evtchn_domain {
	struct xen_domain *xen;
	const struct evtchn_abi *abi;         /**< in use, or NULL: events wait in evtchn.pending */
	const struct evtchn_abi *initial_abi; /**< after a reset; the 2-level feature's, or NULL without it */
	struct evtchn ports[EVTCHN_PORTS];
	uint16_t virq_ports[VM_MAX_VCPUS][EVTCHN_VIRQS]; /**< 0: not bound */
	bool polls[VM_MAX_VCPUS];                        /**< waits in SCHEDOP_poll: any new event wakes it */
	struct timer poll_timers[VM_MAX_VCPUS];          /**< end of that wait */
	void *fifo;                                      /**< of feature event-channels-fifo */
};

/** Event channels of a VM that has them. */
static inline struct evtchn_domain *evtchn_domain(const struct vm *vm)
{
	return xen_domain(vm)->evtchn;
}

/** vCPU that a port tells. */
static inline struct xen_vcpu *evtchn_vcpu(struct evtchn_domain *e, unsigned port)
{
	return &e->xen->vcpus[e->ports[port].vcpu];
}

/** An event for the guest at a port that it uses. */
void evtchn_raise(struct evtchn_domain *e, unsigned port);

/** A virtual interrupt (VIRQ_...) for a vCPU; lost if the guest has not bound it. */
void evtchn_raise_virq(struct vcpu *v, unsigned virq);

/** Connects a back end to a new port of the guest. Returns the port, or -XEN_ENOSPC. */
int evtchn_bind_backend(struct evtchn_domain *e, struct evtchn_backend *b);

/** An event from the back end to the guest; nothing happens if it is not bound. */
void evtchn_notify_guest(struct evtchn_domain *e, const struct evtchn_backend *b);

/** Changes the ABI; events that are visible in the old one become visible in the new one. */
void evtchn_set_abi(struct evtchn_domain *e, const struct evtchn_abi *abi);

/** Makes events visible that came when ports `first` to `last` had no place for them. */
void evtchn_flush_pending(struct evtchn_domain *e, unsigned first, unsigned last);

/** Lowest free port, or -XEN_ENOSPC. */
int evtchn_find_free(const struct evtchn_domain *e);

/** Closes a port that is in use. Its peer, if it has one, becomes unbound. */
void evtchn_close_port(struct evtchn_domain *e, unsigned port);

/** Closes all ports and goes back to the first ABI. */
void evtchn_close_all(struct evtchn_domain *e);

#endif
