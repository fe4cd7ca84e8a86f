/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's grant table (Xen's public grant_table.h, version 1): an array in which it says which of its pages other
 * domains may use. A back end finds an entry by its number.
 */
#ifndef GRANT_TABLE_GRANT_TABLE_H
#define GRANT_TABLE_GRANT_TABLE_H

#include "features/xen-abi/xen.h"

#include <xen/grant_table.h>

/** Pages of the table: what a guest expects that cannot ask. */
#define GRANT_TABLE_FRAMES 4u

/** Entries in all of them. */
#define GRANT_TABLE_ENTRIES (GRANT_TABLE_FRAMES * 4096u / (uint32_t)sizeof(struct grant_entry_v1))

/** The table of a domain, at xen_domain.grants. */
struct grant_table {
	uint8_t *frames[GRANT_TABLE_FRAMES]; /**< where each is: in guest memory, once the guest has mapped it */
	uint8_t *home;                       /**< where they are before, one behind the other */
};

/** Entry of that number, shared with the guest, or NULL if there is none such. */
struct grant_entry_v1 *grant_table_entry(const struct xen_domain *d, uint32_t reference);

#endif
