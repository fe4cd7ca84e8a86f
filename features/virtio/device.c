/* SPDX-License-Identifier: BSD-2-Clause */
/* What all virtio devices have in common: status, features, interrupts. Sections are those of virtio 1.2. */
#include "features/virtio/virtio.h"

#include <errno.h>
#include <inttypes.h>

#include <husk/feature.h>
#include <husk/log.h>

#include <linux/virtio_config.h>

#define EVERY_DEVICE                                                                        \
	(VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_FEATURE(VIRTIO_F_RING_RESET))

/** What the driver may set of the status. */
#define DRIVER_STATUS                                                                       \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK | \
	 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED)

void virtio_init(struct virtio_device *d, struct memory *memory, uint16_t queue_size)
{
	d->memory = memory;
	d->features |= EVERY_DEVICE;
	for (unsigned n = 0; n < d->nr_queues; n++)
		d->queues[n] = (struct virtqueue){ .device = d, .max = queue_size, .size = queue_size };
}

bool virtio_is_running(const struct virtio_device *d)
{
	return (d->status & (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET)) == VIRTIO_CONFIG_S_DRIVER_OK;
}

/* Interrupts. */

void virtio_interrupt(struct virtio_device *d, enum virtio_interrupt reason)
{
	d->pending |= reason;
	d->interrupts++;
	d->interrupt(d->transport);
}

void virtio_config_changed(struct virtio_device *d)
{
	d->config_generation++;
	if ((d->status & VIRTIO_CONFIG_S_DRIVER_OK) != 0)
		virtio_interrupt(d, VIRTIO_INTERRUPT_CONFIG);
}

int virtio_fail(struct virtio_device *d, unsigned n, const char *what)
{
	if ((d->status & VIRTIO_CONFIG_S_NEEDS_RESET) == 0) {
		if (!d->complained)
			log_warn("%s: the guest's driver breaks the rules in queue %u: %s; the device stops until "
				 "it is reset",
				 d->name, n, what);
		d->complained = true;
		d->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
		virtio_config_changed(d);
	}
	return -EPROTO;
}

/* Features and status. */

void virtio_set_driver_features(struct virtio_device *d, unsigned half, uint32_t value)
{
	uint64_t mask = half == 0 ? UINT32_MAX : (uint64_t)UINT32_MAX << 32;

	if (half > 1 || (d->status & VIRTIO_CONFIG_S_FEATURES_OK) != 0)
		return;
	d->driver_features = (d->driver_features & ~mask) | (half == 0 ? value : (uint64_t)value << 32);
}

/** True if the device can do what the driver asks for. There are no legacy drivers here (2.2.3, 6.1). */
static bool can_agree(struct virtio_device *d)
{
	uint64_t f = d->driver_features;

	return (f & ~d->features) == 0 && (f & VIRTIO_FEATURE(VIRTIO_F_VERSION_1)) != 0 &&
	       (d->ops->accept == NULL || d->ops->accept(d, f));
}

void virtio_set_status(struct virtio_device *d, uint8_t status)
{
	uint8_t added = status & DRIVER_STATUS & ~d->status;

	if (status == 0) {
		virtio_reset(d);
		return;
	}
	if ((added & VIRTIO_CONFIG_S_FEATURES_OK) != 0 && !can_agree(d))
		added &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	/* A driver that goes on without agreement gets no device (3.1.1). */
	if (((d->status | added) & VIRTIO_CONFIG_S_FEATURES_OK) == 0)
		added &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
	d->status |= added;
	if ((added & VIRTIO_CONFIG_S_DRIVER_OK) != 0 && virtio_is_running(d) && d->ops->start != NULL)
		d->ops->start(d);
}

/* Queues. */

void virtio_set_queue_ready(struct virtio_device *d, unsigned n, bool ready)
{
	struct virtqueue *q = &d->queues[n];

	if (q->ready == ready)
		return;
	if (!ready) {
		q->ready = false; /* so that nothing of what ends now is given back */
		d->ops->stop_queue(d, n);
	} else if ((d->status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_NEEDS_RESET)) ==
		   VIRTIO_CONFIG_S_FEATURES_OK) {
		/* The layout of a queue depends on features, so they come first (3.1.1). */
		virtqueue_start(q);
	}
}

void virtio_reset_queue(struct virtio_device *d, unsigned n)
{
	if (!virtio_has(d, VIRTIO_F_RING_RESET))
		return;
	virtio_set_queue_ready(d, n, false);
	virtqueue_reset(&d->queues[n]);
}

void virtio_notify(struct virtio_device *d, unsigned n)
{
	if (n < d->nr_queues && d->queues[n].ready && virtio_is_running(d))
		d->ops->notify(d, n);
}

void virtio_reset(struct virtio_device *d)
{
	for (unsigned n = 0; n < d->nr_queues; n++) {
		virtio_set_queue_ready(d, n, false);
		virtqueue_reset(&d->queues[n]);
	}
	d->driver_features = 0;
	d->status = 0;
	d->pending = 0;
	if (d->ops->reset != NULL)
		d->ops->reset(d);
	/* A reset changes no configuration, but what the driver has read belongs to the time before. */
	d->interrupt(d->transport);
}

void virtio_describe(struct virtio_device *d)
{
	log_text("status %02x, features 0x%" PRIx64 ", %" PRIu64 " interrupts", d->status, d->driver_features,
		 d->interrupts);
	for (unsigned n = 0; n < d->nr_queues; n++) {
		const struct virtqueue *q = &d->queues[n];

		if (q->ready)
			log_text(", queue %u: %u of %u", n, (unsigned)(uint16_t)(q->next_avail - q->next_used),
				 q->size);
	}
	if (d->ops->describe != NULL)
		d->ops->describe(d);
	log_text("\n");
}

HUSK_FEATURE(virtio) = {
	.name = "virtio",
	.purpose = "what all virtio devices share: status, features, queues",
	.level = FEATURE_DEVICE,
};
