/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames a network card takes, by their destination (virtio 1.2, 5.1.6.5.1 and 5.1.6.5.2). */
#ifndef VIRTIO_NET_FILTER_H
#define VIRTIO_NET_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#define MAC_SIZE 6u

/** Addresses of each kind that are told apart; with more, all of that kind are taken. */
#define NET_FILTER_MAX 32u

/** A list of addresses. */
struct net_filter_list {
	unsigned count;
	bool overflow; /**< there were more */
	uint8_t address[NET_FILTER_MAX][MAC_SIZE];
};

/** The wishes of the driver. Zeroed memory takes nothing but broadcasts. */
struct net_filter {
	bool everything; /**< promiscuous */
	bool all_unicast, all_multicast;
	bool no_unicast, no_multicast, no_broadcast;
	uint8_t own[MAC_SIZE];
	struct net_filter_list unicast, multicast;
};

/** As a card starts: promiscuous, because a driver need not know of filters. */
void net_filter_reset(struct net_filter *f, const uint8_t own[MAC_SIZE]);

/** True if the card takes frames to `destination`. */
bool net_filter_accepts(const struct net_filter *f, const uint8_t destination[MAC_SIZE]);

#endif
