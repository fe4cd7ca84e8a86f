/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's command `events`: what the guest's event channels are connected to, and what is pending. */
#include <errno.h>

#include <husk/log.h>
#include <husk/monitor.h>

#include "features/event-channels/evtchn.h"

static void print_peer(const struct evtchn *ch)
{
	switch (ch->state) {
	case EVTCHN_UNBOUND: log_text("unbound, for domain %u", ch->remote); break;
	case EVTCHN_INTERDOMAIN:
		if (ch->backend != NULL)
			log_text("%s", ch->backend->name);
		else
			log_text("port %u", ch->remote);
		break;
	case EVTCHN_VIRQ: log_text("virtual interrupt %u of vCPU %u", ch->virq, ch->virq_vcpu); break;
	case EVTCHN_IPI: log_text("inter-processor interrupt"); break;
	default: break;
	}
}

static void print_port(struct evtchn_domain *e, unsigned port)
{
	const struct evtchn *ch = &e->ports[port];
	bool pending = ch->pending || (e->abi != NULL && e->abi->is_pending(e, port));

	log_text("  %4u to vCPU %u: ", port, ch->vcpu);
	print_peer(ch);
	log_text("%s\n", pending ? ", pending" : "");
}

static int events(struct vm *vm, int argc, char **argv)
{
	struct evtchn_domain *e = evtchn_domain(vm);

	(void)argv;
	if (argc != 1)
		return -EINVAL;
	log_text("event channels, %s ABI:\n", e->abi != NULL ? e->abi->name : "no");
	for (unsigned port = 1; port < EVTCHN_PORTS; port++) {
		if (e->ports[port].state != EVTCHN_FREE)
			print_port(e, port);
	}
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		log_text("  vCPU %u: upcall %s\n", i, xen_upcall_pending(vm->vcpus[i]) ? "pending" : "taken");
	return 0;
}

MONITOR_COMMAND(events) = { "events", "", "event channels of the guest, and what is pending", events };
