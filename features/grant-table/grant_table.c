/* SPDX-License-Identifier: BSD-2-Clause */
/* The grant table of the domain: its pages, and the calls about the table as a whole. */
#include <errno.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>

#include "features/grant-table/grant_table.h"

#include <xen/memory.h>

#define ENTRIES_PER_FRAME (GRANT_TABLE_ENTRIES / GRANT_TABLE_FRAMES)

struct grant_entry_v1 *grant_table_entry(const struct xen_domain *d, uint32_t reference)
{
	if (reference >= GRANT_TABLE_ENTRIES)
		return NULL;
	return (struct grant_entry_v1 *)(void *)d->grants->frames[reference / ENTRIES_PER_FRAME] +
	       reference % ENTRIES_PER_FRAME;
}

/** XENMAPSPACE_grant_table. Pages of a version 2 table, which have a flag in the index, are not among them. */
static int map_frame(struct xen_domain *d, uint64_t index, uint64_t gfn)
{
	struct grant_table *g = d->grants;
	uint8_t *page = index < GRANT_TABLE_FRAMES ? xen_place_page(d, gfn, g->frames[index]) : NULL;

	if (page == NULL)
		return -XEN_EINVAL;
	g->frames[index] = page;
	return 0;
}

/* Calls have an array of arguments; about the table, one is enough. Errors in it are in its status. */

static int64_t query_size(struct hypercall *h)
{
	struct gnttab_query_size arg;

	if ((uint32_t)h->args[2] != 1)
		return -XEN_EINVAL;
	if (xen_read_arg(h, 1, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	arg.nr_frames = arg.max_nr_frames = GRANT_TABLE_FRAMES;
	arg.status = xen_is_self(arg.dom) ? GNTST_okay : GNTST_bad_domain;
	return xen_write_arg(h, 1, &arg, sizeof(arg));
}
HYPERCALL(grant_query_size) = { __HYPERVISOR_grant_table_op, GNTTABOP_query_size, query_size };

static int64_t get_version(struct hypercall *h)
{
	struct gnttab_get_version arg;

	if (xen_read_arg(h, 1, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	if (!xen_is_self(arg.dom))
		return -XEN_ESRCH;
	arg.version = 1;
	return xen_write_arg(h, 1, &arg, sizeof(arg));
}
HYPERCALL(grant_get_version) = { __HYPERVISOR_grant_table_op, GNTTABOP_get_version, get_version };

/* The caller learns in any case which version it has. */
static int64_t set_version(struct hypercall *h)
{
	struct gnttab_set_version arg;
	uint32_t wanted;

	if (xen_read_arg(h, 1, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	wanted = arg.version;
	arg.version = 1;
	if (xen_write_arg(h, 1, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	return wanted == 1 ? 0 : -XEN_EINVAL;
}
HYPERCALL(grant_set_version) = { __HYPERVISOR_grant_table_op, GNTTABOP_set_version, set_version };

/* The feature. */

static void reset(struct vm *vm)
{
	struct grant_table *g = xen_domain(vm)->grants;

	memset(g->home, 0, GRANT_TABLE_FRAMES * GUEST_PAGE_SIZE);
	for (unsigned i = 0; i < GRANT_TABLE_FRAMES; i++)
		g->frames[i] = g->home + i * GUEST_PAGE_SIZE;
}

static int attach(struct vm *vm)
{
	struct xen_domain *d = xen_domain(vm);
	struct grant_table *g = plat_pages_alloc(sizeof(*g), GUEST_PAGE_SIZE);

	if (g != NULL)
		g->home = plat_pages_alloc(GRANT_TABLE_FRAMES * GUEST_PAGE_SIZE, GUEST_PAGE_SIZE);
	if (g == NULL || g->home == NULL) {
		log_error("the host has no memory for a grant table");
		return -ENOMEM;
	}
	d->grants = g;
	d->map_page[XENMAPSPACE_grant_table] = map_frame;
	return 0;
}

HUSK_FEATURE(grant_table) = {
	.name = "grant-table",
	.purpose = "grant table: where a Xen guest says which of its pages others may use",
	.level = FEATURE_DEVICE,
	.attach = attach,
	.reset = reset,
};
