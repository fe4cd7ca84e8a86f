/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio devices, without what is special to a kind of device or to a transport (virtio 1.2, chapter 2): features,
 * status, queues. A device embeds a struct virtio_device, fills it in and gives it to a transport, such as that of
 * features/virtio-mmio.
 *
 * The lock rule: everything here about one device, its operations included, happens on one CPU at a time. That is so
 * by itself as long as a VM has one vCPU: registers are accessed by its CPU, and completions are polled on it outside
 * guest code (husk/io.h). With several vCPUs, one lock of the device covers both. Other devices are never involved.
 *
 * Rings and registers are little-endian, whatever the guest is (2.7, 4.2.2); so are all hosts.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/memory.h>

#include "features/virtio/queue.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtio structures are used as they are in memory");

struct virtio_device;

/** Set of features with only bit `bit`, VIRTIO_F_* or VIRTIO_<device>_F_*. */
#define VIRTIO_FEATURE(bit) ((uint64_t)1 << (bit))

/** Reasons for an interrupt (4.2.2, InterruptStatus). */
enum virtio_interrupt {
	VIRTIO_INTERRUPT_QUEUE = 1u << 0,  /**< buffers were used */
	VIRTIO_INTERRUPT_CONFIG = 1u << 1, /**< configuration or status changed */
};

/** What a kind of device does. */
struct virtio_device_ops {
	/** True if the device can work with this subset of its features. NULL: with any. */
	bool (*accept)(struct virtio_device *d, uint64_t features);
	/** The driver is ready (DRIVER_OK): queues may be used from now on. May be NULL. */
	void (*start)(struct virtio_device *d);
	/** The driver has put buffers into queue n, which works; there may be none. */
	void (*notify)(struct virtio_device *d, unsigned n);
	/**
	 * The driver takes a working queue back: all use of its buffers has ended on return. It is not ready any more,
	 * so that what is given back goes nowhere. Called for each such queue at a reset, too.
	 */
	void (*stop_queue)(struct virtio_device *d, unsigned n);
	/** Back to the state before start(), with all queues stopped. May be NULL. */
	void (*reset)(struct virtio_device *d);
	/** Adds to the line for the monitor, with log_text(). May be NULL. */
	void (*describe)(struct virtio_device *d);
};

/** A device. Zeroed memory, then the first group is set and virtio_init() called. */
struct virtio_device {
	const char *name; /**< for messages, such as "disk0" */
	const struct virtio_device_ops *ops;
	uint32_t id;        /**< kind of device, VIRTIO_ID_* (chapter 5) */
	uint64_t features;  /**< that the device has; those of every device are added */
	const void *config; /**< configuration space, little-endian; owned by the device */
	size_t config_size; /**< bytes */
	struct virtqueue *queues;
	unsigned nr_queues;

	struct memory *memory;              /**< of the guest */
	void (*interrupt)(void *transport); /**< `pending` is not 0 any more */
	void *transport;                    /**< the transport's own state */

	uint64_t driver_features;   /**< as written by the driver; agreed upon once FEATURES_OK is set */
	uint8_t status;             /**< VIRTIO_CONFIG_S_* */
	uint32_t pending;           /**< enum virtio_interrupt that the driver has not acknowledged */
	uint32_t config_generation; /**< changes with `config` */
	uint64_t interrupts;        /**< sent so far, for the monitor */
	bool complained;            /**< the host has said that the driver is broken, since the guest's start */
};

/** Prepares a device for `memory`, and its queues for up to `queue_size` buffers each, a power of two. */
void virtio_init(struct virtio_device *d, struct memory *memory, uint16_t queue_size);

/** True if feature `bit` is agreed upon. */
static inline bool virtio_has(const struct virtio_device *d, unsigned bit)
{
	return (d->driver_features & VIRTIO_FEATURE(bit)) != 0;
}

/** True while the driver may use the device and the device its queues. */
bool virtio_is_running(const struct virtio_device *d);

/** The driver writes its features, low (half 0) or high (half 1) 32 bits; ignored once they are agreed upon (2.2.1). */
void virtio_set_driver_features(struct virtio_device *d, unsigned half, uint32_t value);

/** The driver writes the status (2.1): 0 resets, other bits are added where the device can agree. */
void virtio_set_status(struct virtio_device *d, uint8_t status);

/** The driver gives queue n to the device, whose size and addresses it has set, or takes it back. */
void virtio_set_queue_ready(struct virtio_device *d, unsigned n, bool ready);

/**
 * The driver resets queue n alone, if it has agreed on VIRTIO_F_RING_RESET (2.6.1): that has come to its end on return,
 * and what the queue's buffers were used for, too.
 */
void virtio_reset_queue(struct virtio_device *d, unsigned n);

/** The driver has put buffers into queue n. */
void virtio_notify(struct virtio_device *d, unsigned n);

/** Resets the device; the transport's interrupt included. */
void virtio_reset(struct virtio_device *d);

/** The device has changed its `config`: tells the driver. */
void virtio_config_changed(struct virtio_device *d);

/** Raises an interrupt for `reason`. */
void virtio_interrupt(struct virtio_device *d, enum virtio_interrupt reason);

/**
 * The driver has broken the rules in queue n: the device stops until it is reset (DEVICE_NEEDS_RESET, 2.1.1), and the
 * host says so once. Returns -EPROTO.
 */
int virtio_fail(struct virtio_device *d, unsigned n, const char *what);

/** One line of state for the monitor. */
void virtio_describe(struct virtio_device *d);

#endif
