/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio network card (virtio 1.2, 5.1) on any back end of husk/net.h. */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/io.h>
#include <husk/net.h>

#include <linux/virtio_net.h>

#include "features/virtio-net/filter.h"
#include "features/virtio-net/steer.h"
#include "features/virtio/virtio.h"

/* Queues (5.1.2): those of pair n, and behind all pairs that the driver may use the control queue. */
#define VIRTIO_NET_RECEIVE(n)  (2 * (n))
#define VIRTIO_NET_TRANSMIT(n) (2 * (n) + 1)
#define VIRTIO_NET_MAX_PAIRS   16u
#define VIRTIO_NET_QUEUES      (2 * VIRTIO_NET_MAX_PAIRS + 1)

/** Pieces of guest memory that a buffer may be made of. */
#define VIRTIO_NET_SEGMENTS 64u

/** Pieces of guest memory that a back end takes at a time. */
#define VIRTIO_NET_VECTORS 128u

/** How a card is to be. */
struct virtio_net_options {
	const char *name;    /**< such as "net0" */
	const char *mac;     /**< "02:00:00:12:34:56", or "" for a random one; of no meaning if the network has one */
	uint16_t queue_size; /**< buffers of each queue, a power of two up to VIRTQUEUE_MAX */
	unsigned pairs;      /**< of queues, up to VIRTIO_NET_MAX_PAIRS; one if the network works on the rings itself */
};

/** A buffer that is taken for frames to come. */
struct virtio_net_buffer {
	uint16_t head;
	uint16_t nr_vectors;
	uint64_t size; /**< bytes */
};

/** Buffers for frames to come, oldest first: a frame that arrives takes as many of them as it needs. */
struct virtio_net_stock {
	struct virtio_net_buffer buffers[VIRTIO_NET_VECTORS];
	unsigned nr_buffers;
	struct io_vector vectors[VIRTIO_NET_VECTORS]; /**< of all of them */
	unsigned nr_vectors;
	uint64_t size; /**< bytes of all of them */
};

/** A frame on its way out. */
struct virtio_net_outgoing {
	bool held; /**< the back end had no room for it */
	struct virtio_chain chain;
	struct net_header header;
	struct io_vector *frame; /**< its vectors behind the header */
	unsigned nr_frame;
	struct io_vector vectors[VIRTIO_NET_SEGMENTS];
};

/** Queues of both directions, for one of the guest's CPUs. */
struct virtio_net_pair {
	struct virtqueue *receive, *transmit;
	struct virtio_net_stock stock;
	struct virtio_net_outgoing outgoing;
};

/** A frame that has arrived and belongs to one of several pairs. */
struct virtio_net_arrived {
	bool held; /**< it is here, and its pair has had no buffers for it so far */
	unsigned pair;
	uint32_t size; /**< bytes */
	struct net_header header;
	uint8_t bytes[NET_LARGE_MAX];
};

/** A card. Zeroed memory, then virtio_net_init(). */
struct virtio_net {
	struct virtio_device virtio; /* first */
	struct io_client io;
	struct net *net;
	struct virtqueue queues[VIRTIO_NET_QUEUES];
	struct virtio_net_config config;
	struct net_filter filter;
	struct virtio_net_pair *pairs;
	unsigned nr_pairs; /**< that there are */
	unsigned active;   /**< that the driver uses: those from 0 on */
	struct net_steering steering;
	struct virtio_net_arrived *arrived;         /**< NULL if there is one pair */
	bool lent;                                  /**< the back end has the rings of both directions */
	bool returned;                              /**< it has given them back, and nobody has looked at them since */
	uint64_t received, sent, filtered, dropped; /**< frames so far, without those of lent rings */
};

/**
 * Prepares a card on an open network; the caller then plugs it and attaches its `io`. Returns 0, or after logging one
 * line -EINVAL if the MAC address is none, or -ENOMEM.
 */
int virtio_net_init(struct virtio_net *card, const struct virtio_net_options *options, struct memory *memory,
		    struct net *net);

/* Parts, for virtio_net.c. */

/** Passes on what has arrived, as far as there are buffers. */
void virtio_net_receive(struct virtio_net *card);

/** Sends what the driver wants to be sent by a pair, until there is none or the back end has no room. */
void virtio_net_transmit(struct virtio_net *card, struct virtio_net_pair *pair);

/** The driver uses `pairs` of them from now on, and nothing is known about flows (5.1.6.5.6). */
void virtio_net_set_pairs(struct virtio_net *card, unsigned pairs);

/** Number of the control queue, which depends on what the driver has agreed on. */
unsigned virtio_net_control_queue(const struct virtio_net *card);

/** Lends the rings of both directions to a back end that can work on them, if they are ready. */
void virtio_net_lend(struct virtio_net *card);

/** Takes them back if they are lent. */
void virtio_net_take_back(struct virtio_net *card);

/** As the poll of a card: true if the rings are lent, so that there is nothing else to do. */
bool virtio_net_poll_lent(struct virtio_net *card);

/** Does what the driver's commands say. */
void virtio_net_control(struct virtio_net *card);

#endif
