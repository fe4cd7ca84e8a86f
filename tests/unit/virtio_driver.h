/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's side of a virtio device, for tests and fuzzers: registers, rings and buffers in guest memory, and the
 * interrupt line. One device at a time; the real transport is in between.
 */
#ifndef TESTS_VIRTIO_DRIVER_H
#define TESTS_VIRTIO_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/irq.h>
#include <husk/vm.h>

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "features/virtio-mmio/virtio_mmio.h"
#include "features/virtio/virtio.h"

/* Guest memory: two regions that touch, and one apart. */
#define DRIVER_RAM       0x100000u
#define DRIVER_RAM_SIZE  0x80000u
#define DRIVER_RAM_SPLIT 0x160000u /**< where the second begins */
#define DRIVER_HIGH      0x100000000u
#define DRIVER_HIGH_SIZE 0x1000u

/** Size that driver_queue() gives a queue, and where it puts queue n. */
#define DRIVER_QUEUE_SIZE 8u
#define DRIVER_RING(n)    (DRIVER_RAM + (n)*0x1000u)

/** First address of buffers. */
#define DRIVER_BUFFERS (DRIVER_RAM + 0x20000u)

/** A buffer to put into a queue. */
struct driver_buffer {
	uint64_t gpa;
	uint32_t size;
	bool write; /**< by the device */
};

/** One entry of a used ring. */
struct driver_used {
	uint32_t id, length;
};

extern struct vm driver_vm;
extern struct vcpu driver_vcpu;
extern bool driver_irq;              /**< level of the interrupt line */
extern unsigned driver_irqs;         /**< times it rose */
extern unsigned driver_code_written; /**< announced writes to guest memory that is marked as code */

/** A new guest with empty memory. */
void driver_new_guest(void);

/** Plugs a device, prepared by virtio_init() with driver_vm.memory. */
void driver_plug(struct virtio_device *d);

/** Register access of 32 bits. */
uint32_t driver_read(uint64_t offset);
void driver_write(uint64_t offset, uint32_t value);

/** Access of any size. */
uint64_t driver_read_any(uint64_t offset, unsigned size);
void driver_write_any(uint64_t offset, unsigned size, uint64_t value);

/** Resets the device and agrees on these features and VERSION_1. Returns true if the device did. */
bool driver_negotiate(uint64_t features);

/** Gives queue n to the device, at DRIVER_RING(n), empty. */
void driver_queue(unsigned n);

/** The driver is ready. */
void driver_ok(void);

/** All of it: features, queues, ready. */
void driver_start(uint64_t features, unsigned queues);

/** The rings of queue n, in guest memory. */
struct vring driver_ring(unsigned n);

/** Host address of guest memory. */
void *driver_memory(uint64_t gpa);

/** Puts a chain into queue n, from descriptor `head` on. */
void driver_add(unsigned n, uint16_t head, const struct driver_buffer *b, unsigned nr);

/** Tells the device. */
void driver_notify(unsigned n);

/** Takes the next entry of the used ring of queue n; false if there is none. */
bool driver_take_used(unsigned n, struct driver_used *used);

#endif
