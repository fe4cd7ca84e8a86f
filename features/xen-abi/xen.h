/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Xen domain that a VM is to its guest: pages it shares with the hypervisor, parameters, and how a vCPU is told of
 * events. Other parts of the ABI are features of their own, which add hypercalls and use this.
 *
 * What guest and hypervisor share is accessed by atomic operations only. The rest belongs to whoever handles a
 * hypercall; with one vCPU that is one at a time.
 */
#ifndef XEN_ABI_XEN_H
#define XEN_ABI_XEN_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/hypercall.h>
#include <husk/vm.h>

#include "features/xen-abi/arch.h"
#include "features/xen-abi/public.h"

#include <xen/hvm/params.h>

/** Number of the guest's domain: the first one after the control domain. */
#define XEN_DOMID 1u

/** Kinds of pages that XENMEM_add_to_physmap gives: shared_info, and of feature grant-table. */
#define XEN_MAP_SPACES 2u

/** Entries of a memory map that a guest may set (Xen's E820MAX). */
#define XEN_MAX_MAP 128u

struct evtchn_domain;
struct grant_table;
struct timer_pv;
struct xen_console;

/** A vCPU's part of the domain. */
struct xen_vcpu {
	struct vcpu *vcpu;
	struct vcpu_info *info; /**< in shared_info, or where VCPUOP_register_vcpu_info put it */
	bool info_registered;
};

/** The domain of a VM, at vm->hypercalls. */
struct xen_domain {
	struct vm *vm;
	struct xen_vcpu vcpus[VM_MAX_VCPUS];
	uint8_t *shared;                /**< struct shared_info, as guest and hypervisor see it */
	uint8_t *shared_home;           /**< where that is before the guest maps it: a page of our own */
	unsigned word;                  /**< bytes of the guest's long in shared_info: 4 or 8, see layout.h */
	uint32_t features;              /**< XENFEAT_... bits of submap 0; features add theirs when they attach */
	uint32_t assists_offered;       /**< VMASST_TYPE_... bits that can be enabled; as above */
	uint32_t assists;               /**< those that are */
	uint64_t params[HVM_NR_PARAMS]; /**< HVM_PARAM_... */
	struct xen_memory_entry *map;   /**< XENMEM_set_memory_map, XEN_MAX_MAP entries */
	unsigned map_entries;           /**< 0: the guest has set none, the board's counts */
	uint32_t shutdown_code;         /**< SCHEDOP_shutdown_code: what the next shutdown is, whatever it says */
	bool shutdown_code_set;
	/** XENMEM_add_to_physmap by space (XENMAPSPACE_...); NULL: this image has none. 0 or negative XEN_E... */
	int (*map_page[XEN_MAP_SPACES])(struct xen_domain *d, uint64_t index, uint64_t gfn);
	struct grant_table *grants;                 /**< of feature grant-table */
	struct evtchn_domain *evtchn;               /**< of feature event-channels */
	struct timer_pv *time;                      /**< of feature timer-pv */
	struct xen_console *console;                /**< of feature xen-console */
	void (*shared_moved)(struct xen_domain *d); /**< the clock's: shared_info or a vcpu_info has moved, or NULL */
};

/** The domain of a VM with the Xen ABI. */
static inline struct xen_domain *xen_domain(const struct vm *vm)
{
	return vm->hypercalls;
}

/** The vCPU of that number, an unsigned int in the ABI, or NULL. */
static inline struct xen_vcpu *xen_vcpu(struct xen_domain *d, uint64_t id)
{
	return (uint32_t)id < d->vm->nr_vcpus ? &d->vcpus[(uint32_t)id] : NULL;
}

/** The caller's domain. */
static inline struct xen_domain *xen_caller(const struct hypercall *h)
{
	return xen_domain(h->vcpu->vm);
}

/** The caller. */
static inline struct xen_vcpu *xen_calling_vcpu(const struct hypercall *h)
{
	return &xen_caller(h)->vcpus[h->vcpu->id];
}

/** True if a domain number of the guest's names the guest itself; there is no other domain it may work on. */
static inline bool xen_is_self(uint64_t domid)
{
	return domid == DOMID_SELF || domid == XEN_DOMID;
}

/** Tells a vCPU that it has an event: sets evtchn_upcall_pending, and if it was 0, the CPU takes its upcall. */
void xen_upcall(struct xen_vcpu *v);

/** True while v has been told of events and has not taken notice: the level of its callback. */
bool xen_upcall_pending(const struct vcpu *v);

/**
 * Gives the guest a page of the hypervisor's at `gfn`, which is RAM or becomes it: it gets the content of the page, which
 * lives there from then on. Returns its host address, or NULL if there is a device or no room.
 */
uint8_t *xen_place_page(struct xen_domain *d, uint64_t gfn, const uint8_t *content);

/**
 * Host address of `size` bytes at a guest page and an offset in it, or NULL if that is not RAM or leaves the page. Such
 * memory is data that both sides write at any time: an engine is not told of our writes to it.
 */
void *xen_guest_page(struct xen_domain *d, uint64_t gfn, uint64_t offset, uint64_t size);

/** Says that the guest's word in shared_info is that of this caller. */
void xen_latch_word(struct xen_domain *d, const struct hypercall *h);

/** Reads the structure that argument n of a call points to. Returns 0 or -XEN_EFAULT. */
static inline int xen_read_arg(const struct hypercall *h, unsigned n, void *buf, uint64_t size)
{
	return hypercall_read(h, h->args[n], buf, size);
}

/** Writes the structure that argument n of a call points to. Returns 0 or -XEN_EFAULT. */
static inline int xen_write_arg(const struct hypercall *h, unsigned n, const void *buf, uint64_t size)
{
	return hypercall_write(h, h->args[n], buf, size);
}

#endif
