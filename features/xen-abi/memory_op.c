/* SPDX-License-Identifier: BSD-2-Clause */
/* memory_op (Xen's public memory.h): where shared_info is, the memory map, sizes. */
#include <string.h>

#include "features/xen-abi/xen.h"

#include <xen/memory.h>

/* Of a caller with 32-bit words. */
struct add_to_physmap_32 {
	uint16_t domid;
	uint16_t size;
	uint32_t space;
	uint32_t idx;
	uint32_t gpfn;
};
struct memory_map_32 {
	uint32_t nr_entries;
	uint32_t buffer;
};

static int read_add_to_physmap(const struct hypercall *h, struct xen_add_to_physmap *out)
{
	struct add_to_physmap_32 narrow;

	if (h->word == sizeof(uint64_t))
		return xen_read_arg(h, 1, out, sizeof(*out));
	if (xen_read_arg(h, 1, &narrow, sizeof(narrow)) != 0)
		return -XEN_EFAULT;
	*out = (struct xen_add_to_physmap){ .domid = narrow.domid,
					    .size = narrow.size,
					    .space = narrow.space,
					    .idx = narrow.idx,
					    .gpfn = narrow.gpfn };
	return 0;
}

static int64_t add_to_physmap(struct hypercall *h)
{
	struct xen_domain *d = xen_caller(h);
	struct xen_add_to_physmap add;

	if (read_add_to_physmap(h, &add) != 0)
		return -XEN_EFAULT;
	if (!xen_is_self(add.domid))
		return -XEN_ESRCH;
	if (add.space >= XEN_MAP_SPACES || d->map_page[add.space] == NULL)
		return -XEN_EINVAL;
	if (add.space == XENMAPSPACE_shared_info)
		xen_latch_word(d, h);
	return d->map_page[add.space](d, add.idx, add.gpfn);
}
HYPERCALL(add_to_physmap) = { __HYPERVISOR_memory_op, XENMEM_add_to_physmap, add_to_physmap };

/* The memory map. */

/** Where a memory map of the caller's is: the structure has a pointer in it. */
struct map_argument {
	uint64_t at;      /**< of struct xen_memory_map */
	uint32_t entries; /**< that the buffer has room for, or has */
	uint64_t buffer;
};

static int read_map_argument(const struct hypercall *h, uint64_t at, struct map_argument *out)
{
	struct memory_map_32 narrow;
	uint64_t wide[2];

	out->at = at;
	if (h->word == sizeof(uint64_t)) {
		if (hypercall_read(h, at, wide, sizeof(wide)) != 0)
			return -XEN_EFAULT;
		out->entries = (uint32_t)wide[0];
		out->buffer = wide[1];
		return 0;
	}
	if (hypercall_read(h, at, &narrow, sizeof(narrow)) != 0)
		return -XEN_EFAULT;
	out->entries = narrow.nr_entries;
	out->buffer = narrow.buffer;
	return 0;
}

static int64_t memory_map(struct hypercall *h)
{
	struct xen_domain *d = xen_caller(h);
	const struct xen_memory_entry *map = d->map;
	unsigned count = d->map_entries;
	struct map_argument arg;

	if (read_map_argument(h, h->args[1], &arg) != 0)
		return -XEN_EFAULT;
	if (count == 0)
		map = xen_arch.memory_map(d->vm, &count);
	if (arg.entries > count)
		arg.entries = count;
	if (hypercall_write(h, arg.buffer, map, arg.entries * sizeof(*map)) != 0)
		return -XEN_EFAULT;
	return hypercall_write(h, arg.at, &arg.entries, sizeof(arg.entries));
}
HYPERCALL(memory_map) = { __HYPERVISOR_memory_op, XENMEM_memory_map, memory_map };

/* A boot loader leaves a map to the kernel it starts. struct xen_foreign_memory_map is a domain number and the map. */
static int64_t set_memory_map(struct hypercall *h)
{
	struct xen_domain *d = xen_caller(h);
	struct map_argument arg;
	uint16_t domid;

	if (xen_read_arg(h, 1, &domid, sizeof(domid)) != 0 || read_map_argument(h, h->args[1] + h->word, &arg) != 0)
		return -XEN_EFAULT;
	if (!xen_is_self(domid))
		return -XEN_ESRCH;
	if (arg.entries > XEN_MAX_MAP)
		return -XEN_EINVAL;
	d->map_entries = 0;
	if (hypercall_read(h, arg.buffer, d->map, arg.entries * sizeof(*d->map)) != 0)
		return -XEN_EFAULT;
	d->map_entries = arg.entries;
	return 0;
}
HYPERCALL(set_memory_map) = { __HYPERVISOR_memory_op, XENMEM_set_memory_map, set_memory_map };

/* Sizes. Guest memory does not change, so that what there is and what there may be is the same. */

/** Reads the domain number that the argument points to. Returns 0 or negative XEN_E... */
static int check_domain(const struct hypercall *h)
{
	uint16_t domid;

	if (xen_read_arg(h, 1, &domid, sizeof(domid)) != 0)
		return -XEN_EFAULT;
	return xen_is_self(domid) ? 0 : -XEN_ESRCH;
}

static int64_t reservation(struct hypercall *h)
{
	const struct memory *m = &h->vcpu->vm->memory;
	int error = check_domain(h);
	uint64_t pages = 0;

	if (error != 0)
		return error;
	for (unsigned i = 0; i < m->nr_ram; i++)
		pages += m->ram[i].size >> GUEST_PAGE_SHIFT;
	return (int64_t)pages;
}
HYPERCALL(current_reservation) = { __HYPERVISOR_memory_op, XENMEM_current_reservation, reservation };
HYPERCALL(maximum_reservation) = { __HYPERVISOR_memory_op, XENMEM_maximum_reservation, reservation };

static int64_t maximum_gpfn(struct hypercall *h)
{
	const struct memory *m = &h->vcpu->vm->memory;
	int error = check_domain(h);

	if (error != 0)
		return error;
	if (m->nr_ram == 0)
		return 0;
	return (int64_t)((m->ram[m->nr_ram - 1].gpa + m->ram[m->nr_ram - 1].size - 1) >> GUEST_PAGE_SHIFT);
}
HYPERCALL(maximum_gpfn) = { __HYPERVISOR_memory_op, XENMEM_maximum_gpfn, maximum_gpfn };
