/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio entropy device (virtio 1.2, 5.4) that gives so much per second and no more. */
#ifndef VIRTIO_RNG_H
#define VIRTIO_RNG_H

#include <stdint.h>

#include <husk/timer.h>

#include "features/virtio/virtio.h"

/** The device. Zeroed memory, then virtio_rng_init(). */
struct virtio_rng {
	struct virtio_device virtio; /* first */
	struct virtqueue queue;
	struct vcpu *vcpu;   /**< that the timer is on */
	struct timer refill; /**< armed while the driver waits for more */
	uint32_t rate;       /**< bytes per second; so much may be had at once, too */
	uint32_t left;       /**< bytes that may be had now */
	uint64_t counted_ns; /**< up to when `left` is counted */
	uint64_t bytes;      /**< given so far */
};

/** Prepares a device; the caller plugs it. Returns 0, or -ENODEV after a line in the log if the host has no entropy. */
int virtio_rng_init(struct virtio_rng *rng, struct memory *memory, struct vcpu *vcpu, uint32_t rate);

#endif
