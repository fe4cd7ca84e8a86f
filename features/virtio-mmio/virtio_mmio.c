/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio over MMIO: registers as in virtio 1.2, 4.2.2. */
#include "features/virtio-mmio/virtio_mmio.h"

#include <errno.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/irq.h>
#include <husk/log.h>
#include <husk/vm.h>

#include <linux/virtio_mmio.h>

#define MAGIC     0x74726976u /* "virt" */
#define VERSION   2u
#define VENDOR_ID 0x6b737568u /* "husk" */

/** The registers of a device. */
struct virtio_mmio {
	struct device dev; /* first: what the bus knows */
	struct irq_line irq;
	struct virtio_device *virtio;
	uint32_t device_features_sel, driver_features_sel, queue_sel;
};

/** The interrupt line is high while the driver has a reason to look at. */
static void update_irq(void *transport)
{
	struct virtio_mmio *t = transport;

	irq_set(&t->irq, t->virtio->pending != 0);
}

/* Registers that select by another one see nothing for a number that there is none of. */

static uint32_t half_of(uint64_t value, uint32_t half)
{
	return half < 2 ? (uint32_t)(value >> 32 * half) : 0;
}

static struct virtqueue *selected_queue(struct virtio_mmio *t)
{
	return t->queue_sel < t->virtio->nr_queues ? &t->virtio->queues[t->queue_sel] : NULL;
}

static uint32_t read_register(struct virtio_mmio *t, uint64_t offset)
{
	const struct virtio_device *d = t->virtio;
	const struct virtqueue *q = selected_queue(t);

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE: return MAGIC;
	case VIRTIO_MMIO_VERSION: return VERSION;
	case VIRTIO_MMIO_DEVICE_ID: return d->id;
	case VIRTIO_MMIO_VENDOR_ID: return VENDOR_ID;
	case VIRTIO_MMIO_DEVICE_FEATURES: return half_of(d->features, t->device_features_sel);
	case VIRTIO_MMIO_QUEUE_NUM_MAX: return q != NULL ? q->max : 0;
	case VIRTIO_MMIO_QUEUE_READY: return q != NULL && q->ready;
	case VIRTIO_MMIO_INTERRUPT_STATUS: return d->pending;
	case VIRTIO_MMIO_STATUS: return d->status;
	/* There is no shared memory (4.2.2.1). */
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH: return UINT32_MAX;
	case VIRTIO_MMIO_CONFIG_GENERATION: return d->config_generation;
	default: return 0;
	}
}

static void set_low(uint64_t *value, uint32_t low)
{
	*value = (*value & ~(uint64_t)UINT32_MAX) | low;
}

static void set_high(uint64_t *value, uint32_t high)
{
	*value = (uint32_t)*value | (uint64_t)high << 32;
}

/** Registers of the selected queue; size and addresses stay as they are while it is ready (4.2.2.2). */
static void write_queue(struct virtio_mmio *t, struct virtqueue *q, uint64_t offset, uint32_t value)
{
	if (offset == VIRTIO_MMIO_QUEUE_READY) {
		virtio_set_queue_ready(t->virtio, t->queue_sel, (value & 1) != 0);
		return;
	}
	if (offset == VIRTIO_MMIO_QUEUE_RESET && value == 1) {
		virtio_reset_queue(t->virtio, t->queue_sel);
		return;
	}
	if (q->ready)
		return;
	switch (offset) {
	/* One that is too large is refused when the queue is made ready, so it need not be kept as it is. */
	case VIRTIO_MMIO_QUEUE_NUM: q->size = value <= q->max ? (uint16_t)value : 0; break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW: set_low(&q->descriptor_gpa, value); break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH: set_high(&q->descriptor_gpa, value); break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW: set_low(&q->driver_gpa, value); break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH: set_high(&q->driver_gpa, value); break;
	case VIRTIO_MMIO_QUEUE_USED_LOW: set_low(&q->device_gpa, value); break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH: set_high(&q->device_gpa, value); break;
	default: break;
	}
}

static void write_status(struct virtio_mmio *t, uint32_t value)
{
	if (value == 0)
		t->device_features_sel = t->driver_features_sel = t->queue_sel = 0;
	virtio_set_status(t->virtio, (uint8_t)value);
}

static void write_register(struct virtio_mmio *t, uint64_t offset, uint32_t value)
{
	struct virtqueue *q;

	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NOTIFY: virtio_notify(t->virtio, value); break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		t->virtio->pending &= ~value;
		update_irq(t);
		break;
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL: t->device_features_sel = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL: t->driver_features_sel = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES: virtio_set_driver_features(t->virtio, t->driver_features_sel, value); break;
	case VIRTIO_MMIO_QUEUE_SEL: t->queue_sel = value; break;
	case VIRTIO_MMIO_STATUS: write_status(t, value); break;
	default:
		q = selected_queue(t);
		if (q != NULL)
			write_queue(t, q, offset, value);
	}
}

/* The bus. Control registers have 32 bits and are accessed as such, or not at all (4.2.2.2). */

static uint64_t read_config(const struct virtio_device *d, uint64_t offset, unsigned size)
{
	uint64_t value = 0, left;

	if (offset >= d->config_size)
		return 0;
	left = d->config_size - offset;
	memcpy(&value, (const uint8_t *)d->config + offset, size < left ? size : left);
	return value;
}

static uint64_t mmio_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct virtio_mmio *t = (struct virtio_mmio *)dev;

	if (offset >= VIRTIO_MMIO_CONFIG)
		return read_config(t->virtio, offset - VIRTIO_MMIO_CONFIG, size);
	return size == 4 && offset % 4 == 0 ? read_register(t, offset) : 0;
}

static void mmio_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	/* No device here has configuration that a driver may write. */
	if (size == 4 && offset % 4 == 0 && offset < VIRTIO_MMIO_CONFIG)
		write_register((struct virtio_mmio *)dev, offset, (uint32_t)value);
}

static void mmio_reset(struct device *dev)
{
	struct virtio_mmio *t = (struct virtio_mmio *)dev;

	write_status(t, 0);
	t->virtio->complained = false;
}

static void mmio_describe(struct device *dev)
{
	virtio_describe(((struct virtio_mmio *)dev)->virtio);
}

static const struct device_ops mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
	.reset = mmio_reset,
	.describe = mmio_describe,
};

int virtio_mmio_plug(struct vm *vm, struct virtio_device *d)
{
	struct virtio_mmio *t = plat_pages_alloc(sizeof(*t), GUEST_PAGE_SIZE);

	if (t == NULL) {
		log_error("%s: no memory for its registers; give the host more", d->name);
		return -ENOMEM;
	}
	t->dev.name = d->name;
	t->dev.ops = &mmio_ops;
	t->virtio = d;
	d->interrupt = update_irq;
	d->transport = t;
	return vm_plug(vm, &t->dev, &t->irq);
}

HUSK_FEATURE(virtio_mmio) = {
	.name = "virtio-mmio",
	.purpose = "virtio devices by their registers, without a bus",
	.level = FEATURE_DEVICE,
};
