/* SPDX-License-Identifier: BSD-2-Clause */
/* The entropy device. */
#include "features/virtio-rng/virtio_rng.h"

#include <errno.h>
#include <inttypes.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/platform.h>
#include <husk/vm.h>

#include <linux/virtio_ids.h>

#include "features/virtio-mmio/virtio_mmio.h"

#include <config/VIRTIO_RNG_RATE.h>

#define QUEUE_SIZE    8u
#define SEGMENTS      32u
#define NS_PER_SECOND 1000000000ull

/** What a driver that waits gets at least, so that it is not woken for every byte. */
#define PORTION 16u

static struct virtio_rng *rng_of(struct virtio_device *d)
{
	return (struct virtio_rng *)d;
}

/** Counts what has become available since the last time. */
static void count(struct virtio_rng *rng)
{
	uint64_t now = plat_time_ns(), new = timer_ns_to_ticks(now - rng->counted_ns, rng->rate);

	if (new >= rng->rate - rng->left) {
		rng->left = rng->rate;
		rng->counted_ns = now;
	} else {
		rng->left += (uint32_t) new;
		rng->counted_ns += timer_ticks_to_ns(new, rng->rate);
	}
}

/** Fills a chain as far as there is something left. Returns bytes, or what plat_entropy() says. */
static int fill(struct virtio_rng *rng, const struct virtio_chain *chain)
{
	uint32_t filled = 0;

	for (unsigned i = 0; i < chain->nr_in && rng->left != 0; i++) {
		const struct io_vector *v = &chain->vectors[chain->nr_out + i];
		uint32_t n = v->size < rng->left ? (uint32_t)v->size : rng->left;
		int rc;

		rc = plat_entropy(v->base, n);
		virtio_announce(&rng->virtio, &(struct io_vector){ .base = v->base, .size = n }, 1);
		if (rc != 0)
			return rc;
		rng->left -= n;
		filled += n;
	}
	return (int)filled;
}

/** Serves the driver until it or the device has nothing left; false: it has to wait. */
static bool serve(struct virtio_rng *rng)
{
	struct io_vector vectors[SEGMENTS];
	struct virtio_chain chain = { .vectors = vectors, .room = SEGMENTS };

	while (rng->left >= PORTION) {
		int filled;

		if (virtqueue_next(&rng->queue, &chain) <= 0)
			return true;
		filled = fill(rng, &chain);
		if (filled < 0) {
			virtqueue_untake(&rng->queue, 1);
			return false;
		}
		virtqueue_give(&rng->queue, chain.head, (uint32_t)filled);
		rng->bytes += (unsigned)filled;
	}
	return false;
}

static void rng_notify(struct virtio_device *d, unsigned n)
{
	struct virtio_rng *rng = rng_of(d);

	(void)n;
	count(rng);
	if (!serve(rng))
		timer_arm(rng->vcpu, &rng->refill, rng->counted_ns + timer_ticks_to_ns(PORTION, rng->rate));
	virtqueue_flush(&rng->queue);
}

static void on_refill(struct timer *t)
{
	struct virtio_rng *rng = (struct virtio_rng *)((char *)t - offsetof(struct virtio_rng, refill));

	virtio_notify(&rng->virtio, 0);
}

static void rng_start(struct virtio_device *d)
{
	virtio_notify(d, 0);
}

static void rng_stop_queue(struct virtio_device *d, unsigned n)
{
	(void)n;
	timer_disarm(rng_of(d)->vcpu, &rng_of(d)->refill);
}

static void rng_describe(struct virtio_device *d)
{
	log_text(", %" PRIu64 " bytes given", rng_of(d)->bytes);
}

static const struct virtio_device_ops rng_ops = {
	.start = rng_start,
	.notify = rng_notify,
	.stop_queue = rng_stop_queue,
	.describe = rng_describe,
};

int virtio_rng_init(struct virtio_rng *rng, struct memory *memory, struct vcpu *vcpu, uint32_t rate)
{
	uint8_t probe;

	if (plat_entropy(&probe, 1) != 0) {
		log_error(
			"rng: the host has no random numbers (host pc: the CPU has no RDRAND): switch off VIRTIO_RNG");
		return -ENODEV;
	}
	rng->vcpu = vcpu;
	rng->rate = rng->left = rate;
	rng->counted_ns = plat_time_ns();
	rng->refill.fire = on_refill;
	rng->virtio.name = "rng";
	rng->virtio.ops = &rng_ops;
	rng->virtio.id = VIRTIO_ID_RNG;
	rng->virtio.queues = &rng->queue;
	rng->virtio.nr_queues = 1;
	virtio_init(&rng->virtio, memory, QUEUE_SIZE);
	return 0;
}

static int attach(struct vm *vm)
{
	struct virtio_rng *rng = plat_pages_alloc(sizeof(*rng), GUEST_PAGE_SIZE);
	int rc;

	if (rng == NULL) {
		log_error("rng: the host has no memory for it; give it more");
		return -ENOMEM;
	}
	rc = virtio_rng_init(rng, &vm->memory, vm->vcpus[0], CONFIG_VIRTIO_RNG_RATE);
	return rc == 0 ? virtio_mmio_plug(vm, &rng->virtio) : rc;
}

HUSK_FEATURE(virtio_rng) = {
	.name = "virtio-rng",
	.purpose = "entropy of the host for the guest",
	.level = FEATURE_DEVICE,
	.attach = attach,
};
