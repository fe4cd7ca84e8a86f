/* SPDX-License-Identifier: BSD-2-Clause */
/* Filter by destination. */
#include "features/virtio-net/filter.h"

#include <string.h>

void net_filter_reset(struct net_filter *f, const uint8_t own[MAC_SIZE])
{
	*f = (struct net_filter){ .everything = true };
	memcpy(f->own, own, MAC_SIZE);
}

static bool is_listed(const struct net_filter_list *list, const uint8_t *address)
{
	for (unsigned i = 0; i < list->count; i++) {
		if (memcmp(list->address[i], address, MAC_SIZE) == 0)
			return true;
	}
	return list->overflow;
}

bool net_filter_accepts(const struct net_filter *f, const uint8_t destination[MAC_SIZE])
{
	static const uint8_t broadcast[MAC_SIZE] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (f->everything)
		return true;
	if (memcmp(destination, broadcast, MAC_SIZE) == 0)
		return !f->no_broadcast;
	/* The group bit (IEEE 802.3, 3.2.3). */
	if ((destination[0] & 1) != 0)
		return !f->no_multicast && (f->all_multicast || is_listed(&f->multicast, destination));
	return !f->no_unicast &&
	       (f->all_unicast || memcmp(destination, f->own, MAC_SIZE) == 0 || is_listed(&f->unicast, destination));
}
