/* SPDX-License-Identifier: BSD-2-Clause */
/* hvm_op (Xen's public hvm/hvm_op.h, hvm/params.h): parameters, and how upcalls are taken. */
#include "features/xen-abi/xen.h"

#include <xen/hvm/hvm_op.h>

/* Lower ones are exceptions. */
#define FIRST_VECTOR 16u

/** Tells a vCPU again what it has been told before it had a way to hear it. */
static void repeat_upcall(struct xen_vcpu *v)
{
	if (xen_upcall_pending(v->vcpu))
		xen_arch.upcall(v->vcpu);
}

/** Parameters that a guest may read; Xen has the same list. */
static bool may_get(uint32_t index)
{
	switch (index) {
	case HVM_PARAM_CALLBACK_IRQ:
	case HVM_PARAM_STORE_PFN:
	case HVM_PARAM_STORE_EVTCHN:
	case HVM_PARAM_CONSOLE_PFN:
	case HVM_PARAM_CONSOLE_EVTCHN:
	case HVM_PARAM_VM86_TSS:
	case HVM_PARAM_VM86_TSS_SIZED:
	case HVM_PARAM_ACPI_IOPORTS_LOCATION:
	case HVM_PARAM_VM_GENERATION_ID_ADDR:
	case HVM_PARAM_ALTP2M:
	case HVM_PARAM_X87_FIP_WIDTH: return true;
	default: return false;
	}
}

/** Parameters that a guest may write. */
static bool may_set(uint32_t index)
{
	switch (index) {
	case HVM_PARAM_CALLBACK_IRQ:
	case HVM_PARAM_STORE_EVTCHN:
	case HVM_PARAM_CONSOLE_EVTCHN: return true;
	default: return false;
	}
}

static int set_callback(struct xen_domain *d, const struct hypercall *h, uint64_t via)
{
	int error = xen_arch.set_callback(d->vm, via);

	if (error != 0)
		return error;
	d->params[HVM_PARAM_CALLBACK_IRQ] = via;
	xen_latch_word(d, h);
	for (unsigned i = 0; i < d->vm->nr_vcpus; i++)
		repeat_upcall(&d->vcpus[i]);
	return 0;
}

static int read_param(const struct hypercall *h, struct xen_hvm_param *out)
{
	if (xen_read_arg(h, 1, out, sizeof(*out)) != 0)
		return -XEN_EFAULT;
	if (out->index >= HVM_NR_PARAMS)
		return -XEN_EINVAL;
	return xen_is_self(out->domid) ? 0 : -XEN_ESRCH;
}

static int64_t set_param(struct hypercall *h)
{
	struct xen_domain *d = xen_caller(h);
	struct xen_hvm_param param;
	int error = read_param(h, &param);

	if (error != 0)
		return error;
	if (!may_set(param.index))
		return -XEN_EPERM;
	if (param.index == HVM_PARAM_CALLBACK_IRQ)
		return set_callback(d, h, param.value);
	/* Set before, by whoever made the domain: it cannot be another value later. */
	if (d->params[param.index] != 0 && d->params[param.index] != param.value)
		return -XEN_EEXIST;
	d->params[param.index] = param.value;
	return 0;
}
HYPERCALL(hvm_set_param) = { __HYPERVISOR_hvm_op, HVMOP_set_param, set_param };

static int64_t get_param(struct hypercall *h)
{
	struct xen_hvm_param param;
	int error = read_param(h, &param);

	if (error != 0)
		return error;
	if (!may_get(param.index))
		return -XEN_EPERM;
	param.value = xen_caller(h)->params[param.index];
	return xen_write_arg(h, 1, &param, sizeof(param));
}
HYPERCALL(hvm_get_param) = { __HYPERVISOR_hvm_op, HVMOP_get_param, get_param };

static int64_t set_evtchn_upcall_vector(struct hypercall *h)
{
	struct xen_hvm_evtchn_upcall_vector arg;
	struct xen_vcpu *v;
	int error;

	if (xen_read_arg(h, 1, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	if (arg.vector < FIRST_VECTOR)
		return -XEN_EINVAL;
	v = xen_vcpu(xen_caller(h), arg.vcpu);
	if (v == NULL)
		return -XEN_ENOENT;
	error = xen_arch.set_upcall_vector(v->vcpu, arg.vector);
	if (error == 0)
		repeat_upcall(v);
	return error;
}
HYPERCALL(set_evtchn_upcall_vector) = { __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, set_evtchn_upcall_vector };

/* For guests whose page tables are shadowed; nested paging has nothing to drop, and Xen says so. */
static int64_t pagetable_dying(struct hypercall *h)
{
	struct xen_hvm_pagetable_dying arg;

	if (xen_read_arg(h, 1, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	return xen_is_self(arg.domid) ? -XEN_EINVAL : -XEN_ESRCH;
}
HYPERCALL(pagetable_dying) = { __HYPERVISOR_hvm_op, HVMOP_pagetable_dying, pagetable_dying };

static int64_t get_time(struct hypercall *h)
{
	struct xen_hvm_get_time arg = { .now = plat_time_ns() };

	return xen_write_arg(h, 1, &arg, sizeof(arg));
}
HYPERCALL(hvm_get_time) = { __HYPERVISOR_hvm_op, HVMOP_get_time, get_time };
