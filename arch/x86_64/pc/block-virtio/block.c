/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks of the computer by virtio-blk (virtio 1.2, 5.2). */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/x86_64/pc/disk/disk.h"
#include "arch/x86_64/pc/virtio/virtio.h"

#define VENDOR_DEVICE 0x10421af4u /* 4.1.2: 0x1040 + 2 */
#define TRANSITIONAL  0x10011af4u

#define BIT(n)      ((uint64_t)1 << (n))
#define CONFIG(f)   offsetof(struct virtio_blk_config, f)
#define MAX_SECTORS 2048u /* of one command */

/** What a command needs beside its data; the device reads the first two and writes the last. */
struct command {
	struct virtio_blk_outhdr header;
	struct virtio_blk_discard_write_zeroes range;
	uint8_t status;
	struct vring_desc table[DISK_SEGMENTS + 3] __attribute__((aligned(16)));
};

struct virtio_disk {
	struct disk disk;
	struct vpci virtio;
	struct ring ring;
	struct command *commands; /* one for each slot */
};

static bool is_disk(pci_address a, uint32_t vendor_device, uint32_t class_code)
{
	(void)a;
	(void)class_code;
	return vendor_device == VENDOR_DEVICE || vendor_device == TRANSITIONAL;
}

static uint32_t type_of(enum block_op op)
{
	switch (op) {
	case BLOCK_READ: return VIRTIO_BLK_T_IN;
	case BLOCK_WRITE: return VIRTIO_BLK_T_OUT;
	case BLOCK_FLUSH: return VIRTIO_BLK_T_FLUSH;
	case BLOCK_DISCARD: return VIRTIO_BLK_T_DISCARD;
	case BLOCK_WRITE_ZEROES: return VIRTIO_BLK_T_WRITE_ZEROES;
	}
	return VIRTIO_BLK_T_IN;
}

static void issue(struct disk *d, unsigned slot)
{
	struct virtio_disk *v = (struct virtio_disk *)d;
	const struct disk_slot *s = &d->slots[slot];
	const struct block_request *r = s->request;
	struct command *c = &v->commands[slot];
	uint64_t sector = (d->start + r->offset + s->at) / BLOCK_SECTOR;
	struct io_vector out[DISK_SEGMENTS + 1], in[DISK_SEGMENTS + 1];
	unsigned nr_out = 0, nr_in = 0;
	struct ring_chain chain = { .out = out, .in = in };

	c->header = (struct virtio_blk_outhdr){ .type = type_of(r->op), .sector = sector };
	c->status = UINT8_MAX;
	out[nr_out++] = (struct io_vector){ &c->header, sizeof(c->header) };
	if (r->op == BLOCK_DISCARD || r->op == BLOCK_WRITE_ZEROES) {
		/* 5.2.6.2: the header's sector is not used, and DISCARD has no flags. */
		c->header.sector = 0;
		c->range = (struct virtio_blk_discard_write_zeroes){
			.sector = sector,
			.num_sectors = (uint32_t)(s->size / BLOCK_SECTOR),
			.flags = r->op == BLOCK_WRITE_ZEROES && r->may_unmap ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0,
		};
		out[nr_out++] = (struct io_vector){ &c->range, sizeof(c->range) };
	} else if (r->op == BLOCK_READ) {
		memcpy(in, s->segments, s->nr_segments * sizeof(in[0]));
		nr_in = s->nr_segments;
	} else if (r->op == BLOCK_WRITE) {
		memcpy(out + 1, s->segments, s->nr_segments * sizeof(out[0]));
		nr_out += s->nr_segments;
	}
	if (r->op == BLOCK_FLUSH)
		c->header.sector = 0;
	in[nr_in++] = (struct io_vector){ &c->status, 1 };
	chain.nr_out = nr_out;
	chain.nr_in = nr_in;
	if (vpci_has(&v->virtio, VIRTIO_RING_F_INDIRECT_DESC))
		chain.table = c->table;
	/* There are descriptors for all slots: see limits(). */
	if (!ring_add(&v->ring, &chain, (uint16_t)slot))
		disk_ended(d, slot, true);
}

static void ring(struct disk *d)
{
	ring_notify(&((struct virtio_disk *)d)->ring);
}

static void reap(struct disk *d)
{
	struct virtio_disk *v = (struct virtio_disk *)d;
	uint16_t slot;
	uint32_t written;

	while (ring_take(&v->ring, &slot, &written))
		disk_ended(d, slot, *(volatile uint8_t *)&v->commands[slot].status != VIRTIO_BLK_S_OK);
}

static const struct disk_ops ops = { .issue = issue, .ring = ring, .reap = reap };

/* Without tables of its own, each slot may use its share of the descriptors: header or range, segments, status. */
static void limits(struct virtio_disk *v)
{
	uint32_t segments = vpci_has(&v->virtio, VIRTIO_BLK_F_SEG_MAX) ? vpci_config32(&v->virtio, CONFIG(seg_max)) : 1;
	bool indirect = vpci_has(&v->virtio, VIRTIO_RING_F_INDIRECT_DESC);
	struct disk *d = &v->disk;

	d->nr_slots = indirect ? v->ring.size : v->ring.size / 8u;
	d->nr_slots = d->nr_slots < DISK_SLOTS ? d->nr_slots : DISK_SLOTS;
	d->nr_slots = d->nr_slots == 0 ? 1 : d->nr_slots;
	d->max_segments = indirect ? DISK_SEGMENTS : v->ring.size / d->nr_slots - 2;
	if (segments != 0 && d->max_segments > segments)
		d->max_segments = segments;
	if (d->max_segments > DISK_SEGMENTS)
		d->max_segments = DISK_SEGMENTS;
	d->max_bytes = (uint64_t)MAX_SECTORS * BLOCK_SECTOR;
	if (vpci_has(&v->virtio, VIRTIO_BLK_F_SIZE_MAX)) {
		/* Of one segment: segments are not divided, so this is for a whole command. */
		uint32_t most = vpci_config32(&v->virtio, CONFIG(size_max));

		if (most >= d->block.granularity && most < d->max_bytes)
			d->max_bytes = most;
	}
	d->max_discard = (uint64_t)vpci_config32(&v->virtio, CONFIG(max_discard_sectors)) * BLOCK_SECTOR;
	d->max_zero = (uint64_t)vpci_config32(&v->virtio, CONFIG(max_write_zeroes_sectors)) * BLOCK_SECTOR;
}

static void describe(struct virtio_disk *v)
{
	uint64_t sectors = vpci_config32(&v->virtio, CONFIG(capacity)) |
			   (uint64_t)vpci_config32(&v->virtio, CONFIG(capacity) + 4) << 32;
	uint32_t block = vpci_has(&v->virtio, VIRTIO_BLK_F_BLK_SIZE) ? vpci_config32(&v->virtio, CONFIG(blk_size)) : 0;
	struct block *b = &v->disk.block;

	b->granularity = block >= BLOCK_SECTOR && block <= 4096 && (block & (block - 1)) == 0 ? block : BLOCK_SECTOR;
	b->size = (sectors * BLOCK_SECTOR) & ~(uint64_t)(b->granularity - 1);
	b->read_only = vpci_has(&v->virtio, VIRTIO_BLK_F_RO);
	b->flush = vpci_has(&v->virtio, VIRTIO_BLK_F_FLUSH);
	limits(v);
	b->discard = vpci_has(&v->virtio, VIRTIO_BLK_F_DISCARD) && v->disk.max_discard >= b->granularity;
	b->write_zeroes = vpci_has(&v->virtio, VIRTIO_BLK_F_WRITE_ZEROES) && v->disk.max_zero >= b->granularity;
	v->disk.max_discard &= ~(uint64_t)(b->granularity - 1);
	v->disk.max_zero &= ~(uint64_t)(b->granularity - 1);
}

static int start(struct virtio_disk *v, pci_address pci, struct vm *vm)
{
	const uint64_t wanted = BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_RO) |
				BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_DISCARD) |
				BIT(VIRTIO_BLK_F_WRITE_ZEROES) | BIT(VIRTIO_RING_F_INDIRECT_DESC);
	int rc = vpci_init(&v->virtio, pci, wanted, vm);

	if (rc == 0)
		rc = vpci_queue(&v->virtio, 0, RING_MAX, &v->ring);
	if (rc != 0)
		return rc;
	if (v->ring.size < 4)
		return -ENOTSUP;
	v->disk.ops = &ops;
	v->disk.vm = vm;
	describe(v);
	v->commands = plat_pages_alloc(v->disk.nr_slots * sizeof(v->commands[0]), 0);
	if (v->commands == NULL || disk_init(&v->disk) != 0)
		return -ENOMEM;
	vpci_start(&v->virtio);
	return 0;
}

static int open(struct vm *vm, const char *spec, const char *arguments, struct block **out)
{
	struct virtio_disk *v;
	struct disk_spec wish;
	pci_address pci;
	int rc = disk_parse(spec, arguments, &wish);

	if (rc == 0)
		rc = disk_find(spec, &wish, is_disk, "virtio-blk", &pci);
	if (rc != 0)
		return rc;
	v = plat_pages_alloc(sizeof(*v), 0);
	rc = v == NULL ? -ENOMEM : start(v, pci, vm);
	if (rc == -ENOMEM)
		log_error("disk '%s': the host has no memory for it", spec);
	else if (rc != 0)
		log_error("disk '%s': the device is no virtio 1.0 device with MSI-X; have it made one", spec);
	if (rc == 0)
		rc = disk_open(&v->disk, spec, &wish);
	if (rc == 0)
		*out = &v->disk.block;
	return rc;
}

HUSK_BLOCK_DRIVER(virtio_blk) = { .scheme = "virtio-blk", .usage = "N[,part=P][,readonly]", .open = open };

HUSK_FEATURE(block_virtio) = {
	.name = "block-virtio",
	.purpose = "disks on virtio-blk PCI devices of the computer",
	.level = FEATURE_DEVICE,
};
