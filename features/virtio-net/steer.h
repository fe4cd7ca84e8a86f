/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pair of queues a frame belongs to: that by which the driver last sent one of the same flow, so that a connection
 * stays on one of the guest's CPUs (virtio 1.2, 5.1.6.5.6).
 */
#ifndef VIRTIO_NET_STEER_H
#define VIRTIO_NET_STEER_H

#include <stdint.h>

#include <husk/io.h>

/** Flows that are told apart; others share one of them. */
#define NET_FLOWS 256u

/** What is known. Zeroed memory knows nothing. */
struct net_steering {
	uint8_t pair[NET_FLOWS]; /**< its number plus 1; 0: unknown */
};

/** Number of a frame's flow, below NET_FLOWS: the same for both directions of a connection. */
unsigned net_flow(const struct io_vector *v, unsigned nr);

/** The driver has sent a frame of the flow by this pair. */
void net_steer(struct net_steering *s, unsigned flow, unsigned pair);

/** The pair that gets frames of the flow, below `pairs`. */
unsigned net_steered(const struct net_steering *s, unsigned flow, unsigned pairs);

#endif
