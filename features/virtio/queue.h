/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueues (virtio 1.2, 2.7), the device's side: indirect descriptors and event index included. All that the
 * guest controls is checked here, once, and read once; devices see host addresses.
 */
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/io.h>

#include <linux/virtio_ring.h>

struct virtio_device;

/** Largest size that a device may give a queue, and descriptors that one chain may have. */
#define VIRTQUEUE_MAX 1024u

/** A queue. Set up by the transport; the device uses the functions below. */
struct virtqueue {
	struct virtio_device *device;
	uint16_t max;            /**< largest size */
	uint16_t size;           /**< as set by the driver */
	bool ready;              /**< the driver has given it to the device */
	uint64_t descriptor_gpa; /**< the three areas, as set by the driver */
	uint64_t driver_gpa;
	uint64_t device_gpa;

	/* Valid while ready: */
	const struct vring_desc *descriptors;
	const struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_avail; /**< index of the next buffer to take */
	uint16_t next_used;  /**< index of the next buffer to give back */
	uint16_t published;  /**< index up to which the driver has been shown them */
};

/** A chain of descriptors that the device has taken: first what it reads, then what it writes. */
struct virtio_chain {
	uint16_t head;             /**< names it towards the driver */
	unsigned nr_out;           /**< vectors to read */
	unsigned nr_in;            /**< vectors to write, behind them */
	struct io_vector *vectors; /**< the caller's */
	unsigned room;             /**< vectors there may be */
};

/** Makes a queue ready with the size and the addresses that it has. Returns 0, or what virtio_fail() says. */
int virtqueue_start(struct virtqueue *q);

/** Takes the queue back to what it is at a reset: size, addresses and all. */
void virtqueue_reset(struct virtqueue *q);

/**
 * Takes the next chain; vectors and room are set by the caller. Returns 1, 0 if there is none, or what virtio_fail()
 * says: the device has then stopped.
 */
int virtqueue_take(struct virtqueue *q, struct virtio_chain *chain);

/** Puts the n chains that were taken last back, as if they had not been. */
void virtqueue_untake(struct virtqueue *q, unsigned n);

/** Gives a chain back, of which the first `written` bytes of what the device may write are. The driver sees it later. */
void virtqueue_give(struct virtqueue *q, uint16_t head, uint32_t written);

/** Shows the driver what was given back, and interrupts it if it wants to hear of that. */
void virtqueue_flush(struct virtqueue *q);

/** Asks the driver for no notifications until virtqueue_next() finds nothing: the device is looking at the queue anyway. */
void virtqueue_ignore(struct virtqueue *q);

/**
 * As virtqueue_take(), and if there is none, the driver is asked to notify the device of the next one. What a device
 * does for each notification is to take by this until there is none.
 */
int virtqueue_next(struct virtqueue *q, struct virtio_chain *chain);

/**
 * Takes up to `size` bytes off the front of vectors, into buf: a driver may cut what it sends into buffers as it likes
 * (2.7.4). Returns how many there were.
 */
size_t virtio_take_front(struct io_vector **v, unsigned *nr, void *buf, size_t size);

/**
 * Tells the engine of guest memory that the device writes (memory_announce_write()), by its vectors: before the driver
 * hears of it.
 */
void virtio_announce(struct virtio_device *d, const struct io_vector *v, unsigned nr);

#endif
