/* SPDX-License-Identifier: BSD-2-Clause */
/* multicall and vm_assist (Xen's public xen.h). */
#include <stddef.h>
#include <string.h>

#include "features/xen-abi/xen.h"

/* An entry is eight words: number, result, six arguments. */
#define ENTRY_WORDS 8u

static int read_entry(const struct hypercall *h, uint64_t at, struct hypercall *call)
{
	uint8_t entry[ENTRY_WORDS * sizeof(uint64_t)];
	uint64_t words[ENTRY_WORDS] = { 0 };

	if (hypercall_read(h, at, entry, (uint64_t)ENTRY_WORDS * h->word) != 0)
		return -XEN_EFAULT;
	/* Little-endian: a short word is the low half. */
	for (unsigned i = 0; i < ENTRY_WORDS; i++)
		memcpy(&words[i], entry + (size_t)i * h->word, h->word);
	*call = (struct hypercall){ .vcpu = h->vcpu, .word = h->word, .nr = words[0] };
	memcpy(call->args, words + 2, sizeof(call->args));
	return 0;
}

/** Writes words `first` and on of an entry. */
static int write_entry(const struct hypercall *h, uint64_t at, unsigned first, const uint64_t *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t to = at + (uint64_t)(first + i) * h->word;

		if (hypercall_write(h, to, &words[i], h->word) != 0)
			return -XEN_EFAULT;
	}
	return 0;
}

/** One call of the list; sets h->again if it is not done. Returns 0 or -XEN_EFAULT. */
static int do_entry(struct hypercall *h, uint64_t at)
{
	struct hypercall call;
	uint64_t result;

	if (read_entry(h, at, &call) != 0)
		return -XEN_EFAULT;
	result = (uint64_t)(call.nr == __HYPERVISOR_multicall ? -XEN_EINVAL : hypercall_dispatch(&call));
	h->idle |= call.idle;
	if (call.again) {
		h->again = true;
		return write_entry(h, at, 2, call.args, HYPERCALL_ARGS);
	}
	return write_entry(h, at, 1, &result, 1);
}

static int64_t multicall(struct hypercall *h)
{
	uint32_t left = (uint32_t)h->args[1];

	for (; left != 0; left--) {
		if (do_entry(h, h->args[0]) != 0)
			return -XEN_EFAULT;
		if (!h->again)
			h->args[0] += (uint64_t)ENTRY_WORDS * h->word;
		if (h->again || (left > 1 && vcpu_attention(h->vcpu) != 0)) {
			h->args[1] = h->again ? left : left - 1;
			h->again = true;
			return 0;
		}
	}
	return 0;
}
HYPERCALL(multicall) = { __HYPERVISOR_multicall, HYPERCALL_ANY_OP, multicall };

/* vm_assist */

/** Bit of an assist that this domain can have, or 0. */
static uint32_t offered(const struct xen_domain *d, uint64_t type)
{
	return type < 32 ? d->assists_offered & (uint32_t)(1u << type) : 0;
}

static int64_t assist_enable(struct hypercall *h)
{
	struct xen_domain *d = xen_caller(h);
	uint32_t bit = offered(d, h->args[1]);

	d->assists |= bit;
	return bit != 0 ? 0 : -XEN_EINVAL;
}
HYPERCALL(assist_enable) = { __HYPERVISOR_vm_assist, VMASST_CMD_enable, assist_enable };

static int64_t assist_disable(struct hypercall *h)
{
	struct xen_domain *d = xen_caller(h);
	uint32_t bit = offered(d, h->args[1]);

	d->assists &= ~bit;
	return bit != 0 ? 0 : -XEN_EINVAL;
}
HYPERCALL(assist_disable) = { __HYPERVISOR_vm_assist, VMASST_CMD_disable, assist_disable };
