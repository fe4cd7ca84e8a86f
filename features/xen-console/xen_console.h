/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console of a Xen guest (Xen's public io/console.h): a page with a ring for each direction and an event channel,
 * which a guest finds by HVM_PARAM_CONSOLE_PFN and HVM_PARAM_CONSOLE_EVTCHN; Linux calls it hvc0. What the guest prints
 * by console_io, which needs neither, comes out at the same place.
 */
#ifndef XEN_CONSOLE_XEN_CONSOLE_H
#define XEN_CONSOLE_XEN_CONSOLE_H

#include <husk/console.h>

#include "features/event-channels/evtchn.h"

#include <xen/io/console.h>

/** The console of a domain. */
struct xen_console {
	struct console_port port;
	struct evtchn_backend backend;
	struct evtchn_domain *evtchn;
	struct xencons_interface *ring; /**< in guest memory */
	bool broken;                    /**< the guest's indexes made no sense; said once for each start of the guest */
};

/** Takes what the guest has put into the ring, and gives it the input that it has room for now. */
void xen_console_work(struct xen_console *c);

#endif
