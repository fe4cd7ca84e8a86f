/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio over MMIO (virtio 1.2, 4.2): a device's registers in a slot of the machine. The guest learns where slots are
 * from the device tree ("virtio,mmio"), or from a DSDT (LNRO0005); see struct machine and vm_plug().
 */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include "features/virtio/virtio.h"

struct vm;

/** Register by which a driver resets one queue (virtio 1.2, 4.2.2); headers of Linux do not have it. Reads 0: at once. */
#ifndef VIRTIO_MMIO_QUEUE_RESET
#define VIRTIO_MMIO_QUEUE_RESET 0x0c0u
#endif

/**
 * Puts a device, prepared by virtio_init(), into the next free slot. Returns 0, or a negative errno after logging one
 * line. The device must live to the end of the run.
 */
int virtio_mmio_plug(struct vm *vm, struct virtio_device *d);

#endif
