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
#include "features/virtio/virtio.h"

/* Queues (5.1.2). */
#define VIRTIO_NET_RECEIVE  0u
#define VIRTIO_NET_TRANSMIT 1u
#define VIRTIO_NET_CONTROL  2u
#define VIRTIO_NET_QUEUES   3u

/** Pieces of guest memory that a buffer may be made of. */
#define VIRTIO_NET_SEGMENTS 64u

/** Pieces of guest memory that a back end takes at a time. */
#define VIRTIO_NET_VECTORS 128u

/** How a card is to be. */
struct virtio_net_options {
	const char *name;    /**< such as "net0" */
	const char *mac;     /**< "02:00:00:12:34:56", or "" for a random one; of no meaning if the network has one */
	uint16_t queue_size; /**< buffers of each queue, a power of two up to VIRTQUEUE_MAX */
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

/** A card. Zeroed memory, then virtio_net_init(). */
struct virtio_net {
	struct virtio_device virtio; /* first */
	struct io_client io;
	struct net *net;
	struct virtqueue queues[VIRTIO_NET_QUEUES];
	struct virtio_net_config config;
	struct net_filter filter;
	struct virtio_net_stock stock;
	struct virtio_net_outgoing outgoing;
	bool lent;                                  /**< the back end has the rings of both directions */
	bool returned;                              /**< it has given them back, and nobody has looked at them since */
	uint64_t received, sent, filtered, dropped; /**< frames so far, without those of lent rings */
};

/**
 * Prepares a card on an open network; the caller then plugs it and attaches its `io`. Returns 0, or -EINVAL after
 * logging one line if the MAC address is none.
 */
int virtio_net_init(struct virtio_net *card, const struct virtio_net_options *options, struct memory *memory,
		    struct net *net);

/* Parts, for virtio_net.c. */

/** Passes on what has arrived, as far as there are buffers. */
void virtio_net_receive(struct virtio_net *card);

/** Sends what the driver wants to be sent, until there is none or the back end has no room. */
void virtio_net_transmit(struct virtio_net *card);

/** Lends the rings of both directions to a back end that can work on them, if they are ready. */
void virtio_net_lend(struct virtio_net *card);

/** Takes them back if they are lent. */
void virtio_net_take_back(struct virtio_net *card);

/** As the poll of a card: true if the rings are lent, so that there is nothing else to do. */
bool virtio_net_poll_lent(struct virtio_net *card);

/** Does what the driver's commands say. */
void virtio_net_control(struct virtio_net *card);

#endif
