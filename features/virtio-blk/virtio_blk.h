/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio disk (virtio 1.2, 5.2) on any back end of husk/block.h. */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include <stdint.h>

#include <husk/block.h>
#include <husk/io.h>

#include <linux/virtio_blk.h>

#include "features/virtio/virtio.h"

/** Most queues of a disk. */
#define VIRTIO_BLK_MAX_QUEUES 16u

/** Pieces of guest memory that a request may have its data in. */
#define VIRTIO_BLK_SEGMENTS 126u

struct virtio_blk;
struct virtio_blk_request;

/** How a disk is to be. */
struct virtio_blk_options {
	const char *name;    /**< such as "disk0" */
	const char *serial;  /**< at most BLOCK_SERIAL_SIZE characters; "" is the back end's */
	unsigned queues;     /**< 1 to VIRTIO_BLK_MAX_QUEUES */
	uint16_t queue_size; /**< buffers of each, a power of two up to VIRTQUEUE_MAX */
};

/** A disk. Zeroed memory, then virtio_blk_init(). */
struct virtio_blk {
	struct virtio_device virtio; /* first */
	struct io_client io;
	struct block *block;
	struct virtqueue queues[VIRTIO_BLK_MAX_QUEUES];
	struct virtio_blk_request
		*requests[VIRTIO_BLK_MAX_QUEUES]; /**< of each queue, by number of their first descriptor */
	struct virtio_blk_config config;
	char serial[BLOCK_SERIAL_SIZE];
	unsigned in_flight;                      /**< requests that the back end has */
	uint64_t reads, writes, flushes, errors; /**< requests so far */
};

/**
 * Prepares a disk on an open back end; the caller then plugs it and attaches its `io`. Returns 0, or -ENOMEM or -EINVAL
 * after logging one line.
 */
int virtio_blk_init(struct virtio_blk *disk, const struct virtio_blk_options *options, struct memory *memory,
		    struct block *block);

#endif
