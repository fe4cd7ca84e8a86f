/* SPDX-License-Identifier: BSD-2-Clause */
/* sched_op (Xen's public sched.h): the end of the domain, and giving up the CPU. */
#include <inttypes.h>

#include <husk/log.h>

#include "features/xen-abi/xen.h"

#include <xen/sched.h>

/* The guest's CPU is its own. */
static int64_t yield(struct hypercall *h)
{
	(void)h;
	return 0;
}
HYPERCALL(sched_yield) = { __HYPERVISOR_sched_op, SCHEDOP_yield, yield };

static int64_t block(struct hypercall *h)
{
	h->idle = !xen_upcall_pending(h->vcpu);
	return 0;
}
HYPERCALL(sched_block) = { __HYPERVISOR_sched_op, SCHEDOP_block, block };

/** What comes of it. Returns 0, or -XEN_EINVAL for what we cannot do. */
static int shut_down(struct vm *vm, uint32_t reason)
{
	switch (reason) {
	case SHUTDOWN_poweroff: vm_request(vm, VM_POWER_OFF); return 0;
	case SHUTDOWN_reboot: vm_request(vm, VM_RESET); return 0;
	case SHUTDOWN_watchdog:
		log_warn("the guest's watchdog expired: starting it again");
		vm_request(vm, VM_RESET);
		return 0;
	case SHUTDOWN_crash:
		log_error("the guest says that it has crashed");
		vm_request(vm, VM_CRASH);
		return 0;
	default: log_warn("the guest asks for shutdown %" PRIu32 ", which husk cannot do", reason); return -XEN_EINVAL;
	}
}

static int64_t shutdown(struct hypercall *h)
{
	struct xen_domain *d = xen_caller(h);
	struct sched_shutdown arg;

	if (xen_read_arg(h, 1, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	return shut_down(d->vm, d->shutdown_code_set ? d->shutdown_code : arg.reason);
}
HYPERCALL(sched_shutdown) = { __HYPERVISOR_sched_op, SCHEDOP_shutdown, shutdown };

static int64_t shutdown_code(struct hypercall *h)
{
	struct xen_domain *d = xen_caller(h);
	struct sched_shutdown arg;

	if (xen_read_arg(h, 1, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	if (arg.reason > SHUTDOWN_MAX)
		return -XEN_EINVAL;
	d->shutdown_code = arg.reason;
	d->shutdown_code_set = true;
	return 0;
}
HYPERCALL(sched_shutdown_code) = { __HYPERVISOR_sched_op, SCHEDOP_shutdown_code, shutdown_code };
