/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drivers of the computer's own virtio devices: Virtual I/O Device (VIRTIO) Version 1.2,
 * whose section numbers these are. Modern devices on PCI, split virtqueues.
 */
#ifndef PC_VIRTIO_H
#define PC_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/io.h>

#include "arch/x86_64/pc/pci/pci.h"

struct vm;
struct vring_desc;
struct vring_avail;
struct vring_used;

#define RING_MAX 256u

/** A virtqueue (2.7), the driver's side. */
struct ring {
	uint16_t size; /**< entries, a power of two */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t free; /**< first of the free descriptors, which are chained */
	uint16_t nr_free;
	uint16_t avail_index;       /**< next entry of the available ring */
	uint16_t used_index;        /**< next entry of the used ring */
	uint16_t tokens[RING_MAX];  /**< the caller's, by head of chain */
	uint16_t lengths[RING_MAX]; /**< descriptors, by head of chain; 0: not with the device */
	uint64_t notify;            /**< address of its doorbell, 0 before vpci_queue() */
	uint16_t number;            /**< what is written there */
};

/** Bytes of memory that a ring of `size` entries needs, page aligned. */
uint32_t ring_bytes(uint16_t size);

/** Lays out an empty ring in zeroed memory. */
void ring_init(struct ring *r, uint16_t size, void *memory);

/** What a chain is made of: pieces that the device reads, then those that it writes. */
struct ring_chain {
	const struct io_vector *out, *in;
	unsigned nr_out, nr_in;
	/** Memory for as many descriptors, which then take one of the ring only (2.7.5.3): with INDIRECT_DESC; or NULL. */
	struct vring_desc *table;
};

/**
 * Gives the device a chain. Returns false if there are not enough free descriptors. The device learns of it by
 * ring_notify().
 */
bool ring_add(struct ring *r, const struct ring_chain *chain, uint16_t token);

/** A chain that the device is done with. Returns false if there is none; else sets its token and the bytes written. */
bool ring_take(struct ring *r, uint16_t *token, uint32_t *written);

/** Tells the device of new chains, unless it does not want to know. */
void ring_notify(struct ring *r);

/** A device. */
struct vpci {
	pci_address pci;
	uint64_t common, notify, config; /**< mapped structures (4.1.4) */
	uint64_t config_size;
	uint32_t notify_multiplier;
	uint64_t features; /**< agreed on */
};

/**
 * Resets a device and agrees on features: VERSION_1, which is needed, and those of `wanted` that it has. Returns 0,
 * -ENOTSUP (no modern device, or it refuses) or -ENOMEM. Queues follow, then vpci_start().
 */
int vpci_init(struct vpci *v, pci_address pci, uint64_t wanted, struct vm *vm);

/** Sets up queue `number` with at most `most` entries. Returns 0, -ENOTSUP or -ENOMEM. */
int vpci_queue(const struct vpci *v, uint16_t number, uint16_t most, struct ring *out);

/** The device goes to work. */
void vpci_start(const struct vpci *v);

/** Reads the device's configuration; what it does not have reads as 0. */
uint8_t vpci_config8(const struct vpci *v, unsigned offset);
uint16_t vpci_config16(const struct vpci *v, unsigned offset);
uint32_t vpci_config32(const struct vpci *v, unsigned offset);

/** Whether a feature bit was agreed on. */
static inline bool vpci_has(const struct vpci *v, unsigned bit)
{
	return (v->features >> bit & 1) != 0;
}

#endif
