/* SPDX-License-Identifier: BSD-2-Clause */
/* vcpu_op (Xen's public vcpu.h): where a vCPU's structure is. */
#include <string.h>

#include "features/xen-abi/layout.h"
#include "features/xen-abi/xen.h"

#include <xen/vcpu.h>

/** Selector of the 2-level ABI; behind the flags, at the size of a word. */
static uint8_t *selector(struct xen_domain *d, struct vcpu_info *info)
{
	return (uint8_t *)info + d->word;
}

/**
 * The structure moves. All is marked as pending, so that nothing is lost which came meanwhile; the guest finds nothing
 * where there is nothing.
 */
static void move_info(struct xen_domain *d, struct xen_vcpu *v, struct vcpu_info *info)
{
	*info = *v->info;
	v->info = info;
	v->info_registered = true;
	if (d->shared_moved != NULL)
		d->shared_moved(d);
	memset(selector(d, info), 0xff, d->word);
	__atomic_store_n(&info->evtchn_upcall_pending, 1, __ATOMIC_RELEASE);
	xen_arch.upcall(v->vcpu);
}

static int64_t register_vcpu_info(struct hypercall *h)
{
	struct xen_domain *d = xen_caller(h);
	struct xen_vcpu *v = xen_vcpu(d, h->args[1]);
	struct vcpu_register_vcpu_info arg;
	struct vcpu_info *info;

	if (v == NULL)
		return -XEN_ENOENT;
	if (xen_read_arg(h, 2, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	if (arg.offset > GUEST_PAGE_SIZE - sizeof(*info) || arg.offset % sizeof(uint64_t) != 0)
		return -XEN_ENXIO;
	if (v->info_registered)
		return -XEN_EINVAL;
	info = xen_guest_page(d, arg.mfn, arg.offset, sizeof(*info));
	if (info == NULL)
		return -XEN_EINVAL;
	move_info(d, v, info);
	memory_announce_write(&d->vm->memory, (arg.mfn << GUEST_PAGE_SHIFT) + arg.offset, sizeof(*info));
	return 0;
}
HYPERCALL(register_vcpu_info) = { __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, register_vcpu_info };
