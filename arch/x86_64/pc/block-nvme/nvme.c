/* SPDX-License-Identifier: BSD-2-Clause */
/* NVMe disks: NVM Express Base Specification 1.4, whose section numbers these are. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/x86_64/pc/block-nvme/queue.h"
#include "arch/x86_64/pc/disk/disk.h"
#include "arch/x86_64/pc/x86.h"

#define CLASS_NVME 0x010802u

/* 3.1 */
#define REG_CAP       0x00u
#define REG_CC        0x14u
#define REG_CSTS      0x1cu
#define REG_AQA       0x24u
#define REG_ASQ       0x28u
#define REG_ACQ       0x30u
#define REG_DOORBELLS 0x1000u
#define REG_SIZE      0x2000u

#define CAP_MQES(v)   (((v)&0xffff) + 1)
#define CAP_TO(v)     ((v) >> 24 & 0xff) /* 500 ms */
#define CAP_DSTRD(v)  ((v) >> 32 & 0xf)
#define CAP_MPSMIN(v) ((v) >> 48 & 0xf)
#define CC_ENABLE     (1u << 0)
#define CC_SIZES      (4u << 20 | 6u << 16) /* entries of 16 and 64 bytes */
#define CSTS_READY    (1u << 0)
#define CSTS_FATAL    (1u << 1)

/* Admin commands, 5 */
#define ADMIN_CREATE_SQ     0x01u
#define ADMIN_CREATE_CQ     0x05u
#define ADMIN_IDENTIFY      0x06u
#define IDENTIFY_NAMESPACE  0u
#define IDENTIFY_CONTROLLER 1u
#define QUEUE_CONTIGUOUS    (1u << 0)
#define QUEUE_INTERRUPT     (1u << 1)

/* I/O commands, 6 */
#define IO_FLUSH           0x00u
#define IO_WRITE           0x01u
#define IO_READ            0x02u
#define IO_WRITE_ZEROES    0x08u
#define IO_DATASET         0x09u
#define ZEROES_DEALLOCATE  (1u << 25)
#define DATASET_DEALLOCATE (1u << 2)
#define MAX_BLOCKS         65536u

#define NSID         1u
#define IO_QUEUE     1u
#define ADMIN_SIZE   16u
#define MS           1000000ull
#define MAX_TRANSFER ((uint64_t)1 << 20)

/** A range of Dataset Management (6.7). */
struct dataset_range {
	uint32_t attributes, blocks;
	uint64_t lba;
};

/** Memory of a slot: pointers to pages, or a range. */
union slot_page {
	uint64_t prps[NVME_PAGE / sizeof(uint64_t)];
	struct dataset_range range;
};

struct nvme {
	struct disk disk;
	uint64_t registers, cap;
	struct nvme_queue admin, io;
	union slot_page *pages; /* one for each slot */
	bool zeroes, volatile_cache;
};

static bool is_nvme(pci_address a, uint32_t vendor_device, uint32_t class_code)
{
	(void)a;
	(void)vendor_device;
	return class_code == CLASS_NVME;
}

static uint64_t read64(const struct nvme *n, unsigned reg)
{
	return mmio_read32(n->registers + reg) | (uint64_t)mmio_read32(n->registers + reg + 4) << 32;
}

static void write64(const struct nvme *n, unsigned reg, uint64_t value)
{
	mmio_write32(n->registers + reg, (uint32_t)value);
	mmio_write32(n->registers + reg + 4, (uint32_t)(value >> 32));
}

/* --- commands of the disk */

static uint32_t blocks_of(const struct disk *d, uint64_t bytes)
{
	return (uint32_t)(bytes / d->block.granularity);
}

static bool fill(struct nvme *n, unsigned slot, struct nvme_command *c)
{
	const struct disk *d = &n->disk;
	const struct disk_slot *s = &d->slots[slot];
	const struct block_request *r = s->request;
	union slot_page *page = &n->pages[slot];
	uint64_t lba = (d->start + r->offset + s->at) / d->block.granularity;

	if (r->op == BLOCK_FLUSH) {
		c->opcode = IO_FLUSH;
		return true;
	}
	if (r->op == BLOCK_DISCARD) {
		page->range = (struct dataset_range){ .blocks = blocks_of(d, s->size), .lba = lba };
		c->opcode = IO_DATASET;
		c->prp1 = (uintptr_t)page;
		c->dw11 = DATASET_DEALLOCATE;
		return true;
	}
	c->dw10 = (uint32_t)lba;
	c->dw11 = (uint32_t)(lba >> 32);
	c->dw12 = blocks_of(d, s->size) - 1;
	if (r->op == BLOCK_WRITE_ZEROES) {
		c->opcode = IO_WRITE_ZEROES;
		c->dw12 |= r->may_unmap ? ZEROES_DEALLOCATE : 0;
		return true;
	}
	c->opcode = r->op == BLOCK_READ ? IO_READ : IO_WRITE;
	return nvme_set_prps(c, s->segments, s->nr_segments, page->prps);
}

static void issue(struct disk *d, unsigned slot)
{
	struct nvme *n = (struct nvme *)d;
	struct nvme_command c = { .id = (uint16_t)slot, .nsid = NSID };

	if (fill(n, slot, &c))
		nvme_queue_add(&n->io, &c);
	else
		disk_ended(d, slot, true); /* never: MAX_TRANSFER needs no more than a page of pointers */
}

static void ring(struct disk *d)
{
	nvme_queue_ring(&((struct nvme *)d)->io);
}

static void reap(struct disk *d)
{
	struct nvme *n = (struct nvme *)d;
	uint16_t id, status;
	bool any = false;

	while (nvme_queue_take(&n->io, &id, &status)) {
		any = true;
		if (id < d->nr_slots)
			disk_ended(d, id, status != 0);
	}
	if (any)
		nvme_queue_taken(&n->io);
}

static const struct disk_ops ops = { .issue = issue, .ring = ring, .reap = reap };

/* --- starting the controller: 7.6.1 */

static bool wait_ready(const struct nvme *n, bool ready)
{
	uint64_t start = plat_time_ns(), patience = (CAP_TO(n->cap) + 1) * 500 * MS;

	for (;;) {
		uint32_t status = mmio_read32(n->registers + REG_CSTS);

		if ((status & CSTS_READY) == (ready ? CSTS_READY : 0))
			return true;
		if ((ready && (status & CSTS_FATAL) != 0) || plat_time_ns() - start > patience)
			return false;
		cpu_relax();
	}
}

static int make_queue(const struct nvme *n, struct nvme_queue *q, unsigned number, uint16_t size)
{
	uint64_t stride = (uint64_t)4 << CAP_DSTRD(n->cap),
		 doorbells = n->registers + REG_DOORBELLS + 2 * number * stride;
	void *commands = plat_pages_alloc(size * sizeof(struct nvme_command), 0);
	void *completions = plat_pages_alloc(size * sizeof(struct nvme_completion), 0);

	if (commands == NULL || completions == NULL)
		return -ENOMEM;
	nvme_queue_init(q, size, commands, completions);
	q->tail_doorbell = (volatile uint32_t *)doorbells;
	q->head_doorbell = (volatile uint32_t *)(doorbells + stride);
	return 0;
}

static bool enable(const struct nvme *n)
{
	mmio_write32(n->registers + REG_CC, 0);
	if (!wait_ready(n, false))
		return false;
	mmio_write32(n->registers + REG_AQA, (ADMIN_SIZE - 1) << 16 | (ADMIN_SIZE - 1));
	write64(n, REG_ASQ, (uintptr_t)n->admin.commands);
	write64(n, REG_ACQ, (uintptr_t)n->admin.completions);
	mmio_write32(n->registers + REG_CC, CC_SIZES | CC_ENABLE);
	return wait_ready(n, true);
}

/* Does an admin command, waiting for it. */
static bool admin(struct nvme *n, const struct nvme_command *c)
{
	uint64_t start = plat_time_ns();
	uint16_t id, status;

	nvme_queue_add(&n->admin, c);
	nvme_queue_ring(&n->admin);
	while (!nvme_queue_take(&n->admin, &id, &status)) {
		if (plat_time_ns() - start > 10000 * MS)
			return false;
		cpu_relax();
	}
	nvme_queue_taken(&n->admin);
	return status == 0;
}

static bool identify(struct nvme *n, uint32_t what, const void *page)
{
	const struct nvme_command c = { .opcode = ADMIN_IDENTIFY,
					.nsid = what == IDENTIFY_NAMESPACE ? NSID : 0,
					.prp1 = (uintptr_t)page,
					.dw10 = what };

	return admin(n, &c);
}

static bool create_io_queue(struct nvme *n)
{
	const uint32_t size = (uint32_t)(n->io.size - 1) << 16 | IO_QUEUE;
	const struct nvme_command completions = { .opcode = ADMIN_CREATE_CQ,
						  .prp1 = (uintptr_t)n->io.completions,
						  .dw10 = size,
						  .dw11 = QUEUE_INTERRUPT | QUEUE_CONTIGUOUS };
	const struct nvme_command commands = { .opcode = ADMIN_CREATE_SQ,
					       .id = 1,
					       .prp1 = (uintptr_t)n->io.commands,
					       .dw10 = size,
					       .dw11 = IO_QUEUE << 16 | QUEUE_CONTIGUOUS };

	return admin(n, &completions) && admin(n, &commands);
}

static uint64_t get(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, p, size);
	return v;
}

/* Figure 247: the controller. */
static void take_controller(struct nvme *n, const uint8_t *page)
{
	struct disk *d = &n->disk;
	unsigned length = BLOCK_SERIAL_SIZE, mdts = page[77];
	uint64_t abilities = get(page + 520, 2);

	memcpy(d->block.serial, page + 4, length);
	while (length > 0 && d->block.serial[length - 1] == ' ')
		length--;
	d->block.serial[length] = '\0';
	d->max_bytes = MAX_TRANSFER;
	if (mdts != 0 && mdts < 8)
		d->max_bytes = (uint64_t)NVME_PAGE << mdts;
	d->block.discard = (abilities & 1u << 2) != 0;
	d->block.write_zeroes = (abilities & 1u << 3) != 0;
	n->volatile_cache = (page[525] & 1) != 0;
}

/* Figure 245: the namespace. Returns false if its blocks are of no use. */
static bool take_namespace(struct nvme *n, const uint8_t *page)
{
	struct disk *d = &n->disk;
	uint32_t format = (uint32_t)get(page + 128 + 4 * (page[26] & 0xf), 4);
	unsigned shift = format >> 16 & 0xff;
	uint64_t blocks = get(page, 8);

	/* No metadata, and sectors that guests know. */
	if (shift < 9 || shift > 12 || (format & 0xffff) != 0 || blocks > UINT64_MAX >> shift)
		return false;
	d->block.granularity = 1u << shift;
	d->block.size = blocks << shift;
	d->max_discard = d->max_zero = (uint64_t)MAX_BLOCKS << shift;
	/* 6.10: without a volatile cache, flushing is allowed and does nothing. */
	d->block.flush = n->volatile_cache;
	return true;
}

static int start(struct nvme *n, pci_address pci, struct vm *vm)
{
	uint8_t *page = plat_pages_alloc(NVME_PAGE, 0);
	uint64_t entries;
	int rc;

	n->registers = pci_map(pci, 0, 0, REG_SIZE);
	rc = n->registers == 0 ? -ENOTSUP : pci_enable(pci, vm);
	if (rc != 0 || page == NULL)
		return rc != 0 ? rc : -ENOMEM;
	n->cap = read64(n, REG_CAP);
	entries = CAP_MQES(n->cap);
	if (n->cap == UINT64_MAX || entries < 4 || CAP_DSTRD(n->cap) > 8 || CAP_MPSMIN(n->cap) != 0)
		return -ENOTSUP;
	entries = entries < NVME_QUEUE_MAX ? entries : NVME_QUEUE_MAX;
	rc = make_queue(n, &n->admin, 0, ADMIN_SIZE);
	if (rc == 0)
		rc = make_queue(n, &n->io, IO_QUEUE, (uint16_t)entries);
	if (rc != 0)
		return rc;
	if (!enable(n) || !identify(n, IDENTIFY_CONTROLLER, page))
		return -EIO;
	take_controller(n, page);
	if (!identify(n, IDENTIFY_NAMESPACE, page) || !take_namespace(n, page) || !create_io_queue(n))
		return -EIO;
	n->disk.ops = &ops;
	n->disk.vm = vm;
	n->disk.whole_pages = true;
	n->disk.max_segments = DISK_SEGMENTS;
	n->disk.nr_slots = entries - 2 < DISK_SLOTS ? (unsigned)entries - 2 : DISK_SLOTS;
	n->pages = plat_pages_alloc(n->disk.nr_slots * sizeof(n->pages[0]), NVME_PAGE);
	return n->pages == NULL ? -ENOMEM : disk_init(&n->disk);
}

static int open(struct vm *vm, const char *spec, const char *arguments, struct block **out)
{
	struct nvme *n;
	struct disk_spec wish;
	pci_address pci;
	int rc = disk_parse(spec, arguments, &wish);

	if (rc == 0)
		rc = disk_find(spec, &wish, is_nvme, "NVMe", &pci);
	if (rc != 0)
		return rc;
	n = plat_pages_alloc(sizeof(*n), 0);
	rc = n == NULL ? -ENOMEM : start(n, pci, vm);
	if (rc == -ENOMEM)
		log_error("disk '%s': the host has no memory for it", spec);
	else if (rc == -ENOTSUP)
		log_error("disk '%s': the device lacks memory registers, MSI-X or pages of 4 KiB; use another", spec);
	else if (rc != 0)
		log_error("disk '%s': the controller does not start, or has no namespace 1 with sectors of 512 to 4096 "
			  "bytes",
			  spec);
	if (rc == 0)
		rc = disk_open(&n->disk, spec, &wish);
	if (rc == 0)
		*out = &n->disk.block;
	return rc;
}

HUSK_BLOCK_DRIVER(nvme) = { .scheme = "nvme", .usage = "N[,part=P][,readonly]", .open = open };

HUSK_FEATURE(block_nvme) = {
	.name = "block-nvme",
	.purpose = "NVMe disks of the computer",
	.level = FEATURE_DEVICE,
};
