/* SPDX-License-Identifier: BSD-2-Clause */
/* The domain of a VM: shared pages and upcalls. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>

#include "features/xen-abi/layout.h"
#include "features/xen-abi/xen.h"

#include <xen/features.h>
#include <xen/memory.h>

_Static_assert(HYPERCALL_ENOSYS == XEN_ENOSYS && HYPERCALL_EFAULT == XEN_EFAULT, "the core answers with Xen's numbers");

/* Upcalls. */

void xen_upcall(struct xen_vcpu *v)
{
	if (__atomic_exchange_n(&v->info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST) == 0)
		xen_arch.upcall(v->vcpu);
}

bool xen_upcall_pending(const struct vcpu *v)
{
	const struct xen_domain *d = xen_domain(v->vm);

	return __atomic_load_n(&d->vcpus[v->id].info->evtchn_upcall_pending, __ATOMIC_ACQUIRE) != 0;
}

/* Pages. */

void *xen_guest_page(struct xen_domain *d, uint64_t gfn, uint64_t offset, uint64_t size)
{
	if (gfn > UINT64_MAX >> GUEST_PAGE_SHIFT || size > GUEST_PAGE_SIZE || offset > GUEST_PAGE_SIZE - size)
		return NULL;
	return memory_borrow(&d->vm->memory, (gfn << GUEST_PAGE_SHIFT) + offset, size);
}

/** True if a device has a register in the page. */
static bool has_device(const struct bus *bus, uint64_t gpa)
{
	for (unsigned i = 0; i < bus->nr_devices; i++) {
		const struct device *dev = bus->devices[i];

		if (dev->base < gpa + GUEST_PAGE_SIZE && gpa <= dev->base + (dev->size - 1))
			return true;
	}
	return false;
}

uint8_t *xen_place_page(struct xen_domain *d, uint64_t gfn, const uint8_t *content)
{
	struct memory *m = &d->vm->memory;
	uint64_t gpa = gfn << GUEST_PAGE_SHIFT;
	uint8_t *page;

	if (gfn > UINT64_MAX >> GUEST_PAGE_SHIFT)
		return NULL;
	/* RAM is what Linux chooses; a hole gets a page then and keeps it. */
	if (memory_region(m, gpa) == NULL && !has_device(&d->vm->mmio, gpa) &&
	    memory_add_ram(m, gpa, GUEST_PAGE_SIZE) != 0)
		return NULL;
	page = memory_borrow(m, gpa, GUEST_PAGE_SIZE);
	if (page == NULL || page == content)
		return page;
	memcpy(page, content, GUEST_PAGE_SIZE);
	memory_announce_write(m, gpa, GUEST_PAGE_SIZE);
	return page;
}

/** Points vCPUs that have not registered a structure of their own to the one in shared_info. */
static void use_shared(struct xen_domain *d, uint8_t *page)
{
	d->shared = page;
	for (unsigned i = 0; i < d->vm->nr_vcpus; i++) {
		if (!d->vcpus[i].info_registered)
			d->vcpus[i].info = (struct vcpu_info *)(page + (size_t)i * XEN_VCPU_INFO_SIZE);
	}
}

/** XENMAPSPACE_shared_info: there is one page of it. */
static int map_shared_info(struct xen_domain *d, uint64_t index, uint64_t gfn)
{
	uint8_t *page = index == 0 ? xen_place_page(d, gfn, d->shared) : NULL;

	if (page == NULL)
		return -XEN_EINVAL;
	use_shared(d, page);
	if (d->shared_moved != NULL)
		d->shared_moved(d);
	return 0;
}

void xen_latch_word(struct xen_domain *d, const struct hypercall *h)
{
	if (d->word == h->word)
		return;
	d->word = h->word;
	if (d->shared_moved != NULL)
		d->shared_moved(d);
}

/* The feature. */

static void reset(struct vm *vm)
{
	struct xen_domain *d = xen_domain(vm);

	memset(d->shared_home, 0, GUEST_PAGE_SIZE);
	memset(d->params, 0, sizeof(d->params));
	d->word = sizeof(uint64_t);
	d->assists = 0;
	d->map_entries = 0;
	d->shutdown_code_set = false;
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		d->vcpus[i] = (struct xen_vcpu){ .vcpu = vm->vcpus[i] };
	use_shared(d, d->shared_home);
}

static int attach(struct vm *vm)
{
	struct xen_domain *d = plat_pages_alloc(sizeof(*d), GUEST_PAGE_SIZE);

	if (d != NULL) {
		d->shared_home = plat_pages_alloc(GUEST_PAGE_SIZE, GUEST_PAGE_SIZE);
		d->map = plat_pages_alloc(XEN_MAX_MAP * sizeof(*d->map), GUEST_PAGE_SIZE);
	}
	if (d == NULL || d->shared_home == NULL || d->map == NULL) {
		log_error("the host has no memory for the Xen domain");
		return -ENOMEM;
	}
	d->vm = vm;
	d->features = 1u << XENFEAT_writable_page_tables | 1u << XENFEAT_auto_translated_physmap |
		      1u << XENFEAT_hvm_callback_vector | 1u << XENFEAT_memory_op_vnode_supported |
		      1u << XENFEAT_not_direct_mapped;
	d->map_page[XENMAPSPACE_shared_info] = map_shared_info;
	vm->hypercalls = d;
	reset(vm);
	return 0;
}

/* A level before all that use it. */
HUSK_FEATURE(xen_abi) = {
	.name = "xen-abi",
	.purpose = "Xen hypercalls for HVM and PVH guests: version, memory, vCPUs, shutdown",
	.level = FEATURE_CPU,
	.attach = attach,
	.reset = reset,
};
