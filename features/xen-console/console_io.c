/* SPDX-License-Identifier: BSD-2-Clause */
/* console_io (Xen's public xen.h): output of a guest that has not set up its console yet. */
#include "features/xen-console/xen_console.h"

#define CHUNK 256u

/* Long output is written in pieces, with a look at the attention word in between. */
static int64_t write(struct hypercall *h)
{
	struct xen_console *c = xen_caller(h)->console;
	uint32_t left = (uint32_t)h->args[1];
	uint8_t data[CHUNK];

	if (left > INT32_MAX)
		return -XEN_EINVAL;
	while (left != 0) {
		uint32_t n = left < CHUNK ? left : CHUNK;

		if (hypercall_read(h, h->args[2], data, n) != 0)
			return -XEN_EFAULT;
		console_output(&c->port, data, n);
		left -= n;
		h->args[2] += n;
		h->args[1] = left;
		h->again = left != 0 && vcpu_attention(h->vcpu) != 0;
		if (h->again)
			break;
	}
	return 0;
}
HYPERCALL(console_write) = { __HYPERVISOR_console_io, CONSOLEIO_write, write };

/* Input is the control domain's. */
static int64_t read(struct hypercall *h)
{
	(void)h;
	return -XEN_EPERM;
}
HYPERCALL(console_read) = { __HYPERVISOR_console_io, CONSOLEIO_read, read };
