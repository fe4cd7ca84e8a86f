/* SPDX-License-Identifier: BSD-2-Clause */
/* vcpu_op (Xen's public vcpu.h) in an image for one vCPU: it is up. */
#include "features/xen-abi/xen.h"

#include <xen/vcpu.h>

static int64_t is_up(struct hypercall *h)
{
	return xen_vcpu(xen_caller(h), h->args[1]) != NULL ? 1 : -XEN_ENOENT;
}
HYPERCALL(vcpu_is_up) = { __HYPERVISOR_vcpu_op, VCPUOP_is_up, is_up };
