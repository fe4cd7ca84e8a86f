/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio disk. Sections are those of virtio 1.2. */
#include "features/virtio-blk/virtio_blk.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <husk/log.h>
#include <husk/platform.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

/* A request has its header and its status besides its data. */
#define VECTORS (VIRTIO_BLK_SEGMENTS + 2u)

/** Sectors that one request may discard or zero: 2 GiB. */
#define ERASE_MAX_SECTORS (1u << 22)

/** What the driver made up, on its way. */
struct virtio_blk_request {
	struct block_request block; /* first, for done() */
	struct virtio_blk *disk;
	struct virtqueue *queue;
	struct virtio_chain chain;
	struct io_vector *data; /**< the vectors of the data, either way */
	unsigned nr_data;
	uint8_t *status;    /**< where the driver wants to see how it went */
	bool busy;          /**< the driver has not got it back */
	bool write_through; /**< a write that is stable once it is done, for a driver that does not flush */
	struct io_vector vectors[VECTORS];
};

static struct virtio_blk *disk_of(struct virtio_device *d)
{
	return (struct virtio_blk *)d;
}

/** Takes the last byte off vectors, of which there is at least one. */
static uint8_t *take_last(struct io_vector *v, unsigned *nr)
{
	struct io_vector *last = &v[*nr - 1];

	last->size--;
	if (last->size == 0)
		(*nr)--;
	return (uint8_t *)last->base + last->size;
}

/** Gives a request back to the driver with its status, after `written` bytes of data. */
static void finish(struct virtio_blk_request *r, uint8_t status, uint32_t written)
{
	struct io_vector v = { .base = r->status, .size = 1 };

	if (status != VIRTIO_BLK_S_OK) {
		r->disk->errors++;
		written = 0;
	}
	*r->status = status;
	virtio_announce(&r->disk->virtio, &v, 1);
	r->busy = false;
	virtqueue_give(r->queue, r->chain.head, written + 1);
}

static uint8_t status_of(int result)
{
	if (result == 0)
		return VIRTIO_BLK_S_OK;
	return result == -ENOTSUP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
}

static void submit(struct virtio_blk_request *r);

static void on_done(struct block_request *block)
{
	struct virtio_blk_request *r = (struct virtio_blk_request *)block;
	uint32_t written = block->op == BLOCK_READ ? (uint32_t)block->size : 0;

	r->disk->in_flight--;
	if (r->write_through && block->result == 0 && block->op != BLOCK_FLUSH) {
		r->block.op = BLOCK_FLUSH;
		submit(r);
		return;
	}
	if (block->op == BLOCK_READ)
		virtio_announce(&r->disk->virtio, r->data, r->nr_data);
	finish(r, status_of(block->result), written);
}

/** Hands a request to the back end, or refuses it. */
static void submit(struct virtio_blk_request *r)
{
	int rc = block_check(r->disk->block, &r->block);

	if (rc != 0) {
		finish(r, status_of(rc), 0);
		return;
	}
	r->disk->in_flight++;
	block_submit(r->disk->block, &r->block);
}

/* Kinds of requests (5.2.6). */

static void start_transfer(struct virtio_blk_request *r, enum block_op op, uint64_t sector)
{
	r->block.op = op;
	r->block.size = io_vectors_size(r->data, r->nr_data);
	r->block.offset = sector * BLOCK_SECTOR;
	r->block.vectors = r->data;
	r->block.nr_vectors = r->nr_data;
	r->write_through =
		op == BLOCK_WRITE && r->disk->block->flush && !virtio_has(&r->disk->virtio, VIRTIO_BLK_F_FLUSH);
	if (op == BLOCK_WRITE)
		r->disk->writes++;
	else
		r->disk->reads++;
	/* Beyond any disk, so that it does not wrap to the beginning. */
	if (sector > UINT64_MAX / BLOCK_SECTOR)
		finish(r, VIRTIO_BLK_S_IOERR, 0);
	else
		submit(r);
}

static void start_flush(struct virtio_blk_request *r)
{
	r->block.op = BLOCK_FLUSH;
	r->disk->flushes++;
	submit(r);
}

/** Discards or zeroes one range, as the configuration says. */
static void start_erase(struct virtio_blk_request *r, enum block_op op)
{
	struct virtio_blk_discard_write_zeroes range;
	bool unmap;

	if (virtio_take_front(&r->data, &r->nr_data, &range, sizeof(range)) != sizeof(range) || r->nr_data != 0 ||
	    range.sector > UINT64_MAX / BLOCK_SECTOR || range.num_sectors > ERASE_MAX_SECTORS) {
		finish(r, VIRTIO_BLK_S_IOERR, 0);
		return;
	}
	unmap = (range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) != 0;
	if ((range.flags & ~(uint32_t)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) != 0 || (op == BLOCK_DISCARD && unmap)) {
		finish(r, VIRTIO_BLK_S_UNSUPP, 0);
		return;
	}
	r->block.op = op;
	r->block.may_unmap = unmap;
	r->block.offset = range.sector * BLOCK_SECTOR;
	r->block.size = (uint64_t)range.num_sectors * BLOCK_SECTOR;
	submit(r);
}

static void get_id(struct virtio_blk_request *r)
{
	size_t n = io_vectors_write(r->data, r->nr_data, 0, r->disk->serial, sizeof(r->disk->serial));

	virtio_announce(&r->disk->virtio, r->data, r->nr_data);
	finish(r, VIRTIO_BLK_S_OK, (uint32_t)n);
}

/** Starts what the header asks for; `out` and `in` data are what is left beside header and status. */
static void start_request(struct virtio_blk_request *r, const struct virtio_blk_outhdr *header, struct io_vector *out,
			  unsigned nr_out, struct io_vector *in, unsigned nr_in)
{
	bool reads = header->type == VIRTIO_BLK_T_IN || header->type == VIRTIO_BLK_T_GET_ID;

	r->data = reads ? in : out;
	r->nr_data = reads ? nr_in : nr_out;
	switch (header->type) {
	case VIRTIO_BLK_T_IN: start_transfer(r, BLOCK_READ, header->sector); break;
	case VIRTIO_BLK_T_OUT: start_transfer(r, BLOCK_WRITE, header->sector); break;
	case VIRTIO_BLK_T_FLUSH: start_flush(r); break;
	case VIRTIO_BLK_T_DISCARD: start_erase(r, BLOCK_DISCARD); break;
	case VIRTIO_BLK_T_WRITE_ZEROES: start_erase(r, BLOCK_WRITE_ZEROES); break;
	case VIRTIO_BLK_T_GET_ID: get_id(r); break;
	default: finish(r, VIRTIO_BLK_S_UNSUPP, 0); break;
	}
}

/* Queues. */

/** Takes apart a chain that was taken into r. Returns 0 or what virtio_fail() says. */
static int parse(struct virtio_blk_request *r, unsigned n)
{
	struct virtio_blk_outhdr header;
	struct io_vector *out = r->vectors, *in = r->vectors + r->chain.nr_out;
	unsigned nr_out = r->chain.nr_out, nr_in = r->chain.nr_in;

	if (nr_in == 0 || virtio_take_front(&out, &nr_out, &header, sizeof(header)) != sizeof(header))
		return virtio_fail(&r->disk->virtio, n, "a request has no header or no place for its status");
	r->status = take_last(in, &nr_in);
	r->block = (struct block_request){ .done = on_done };
	r->write_through = false;
	r->busy = true;
	start_request(r, &header, out, nr_out, in, nr_in);
	return 0;
}

/**
 * Takes the next chain of queue n into the request of its first descriptor. The vectors go into a spare one first,
 * because only then is it known which that is.
 */
static int take_request(struct virtio_blk *disk, unsigned n)
{
	struct virtio_blk_request *spare = &disk->requests[n][disk->queues[n].max], *r;
	struct virtio_chain chain = { .vectors = spare->vectors, .room = VECTORS };
	int rc = virtqueue_next(&disk->queues[n], &chain);

	if (rc <= 0)
		return rc;
	r = &disk->requests[n][chain.head];
	if (r->busy)
		return virtio_fail(&disk->virtio, n, "a buffer is available again while the device has it");
	memcpy(r->vectors, spare->vectors, (chain.nr_out + chain.nr_in) * sizeof(r->vectors[0]));
	r->chain = chain;
	rc = parse(r, n);
	return rc == 0 ? 1 : rc;
}

/** Shows the driver what has ended. */
static void flush_queues(struct virtio_blk *disk)
{
	for (unsigned n = 0; n < disk->virtio.nr_queues; n++)
		virtqueue_flush(&disk->queues[n]);
}

static void blk_notify(struct virtio_device *d, unsigned n)
{
	struct virtio_blk *disk = disk_of(d);

	virtqueue_ignore(&disk->queues[n]);
	while (take_request(disk, n) > 0)
		continue;
	block_commit(disk->block);
	/* What the host had in memory is done by now, more often than not. */
	block_poll(disk->block);
	flush_queues(disk);
}

static void blk_poll(struct io_client *io)
{
	struct virtio_blk *disk = (struct virtio_blk *)((char *)io - offsetof(struct virtio_blk, io));

	if (disk->in_flight == 0)
		return;
	block_poll(disk->block);
	/* A write that has to be stable goes on as a flush. */
	block_commit(disk->block);
	flush_queues(disk);
}

static void blk_start(struct virtio_device *d)
{
	for (unsigned n = 0; n < d->nr_queues; n++)
		virtio_notify(d, n);
}

/** Nobody may touch the buffers afterwards, so all that is in flight has to end, flushes of writes included. */
static void blk_stop_queue(struct virtio_device *d, unsigned n)
{
	struct virtio_blk *disk = disk_of(d);

	(void)n;
	while (disk->in_flight != 0) {
		block_commit(disk->block);
		block_drain(disk->block);
	}
	flush_queues(disk);
}

static void blk_describe(struct virtio_device *d)
{
	const struct virtio_blk *disk = disk_of(d);

	log_text(", %s: %" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64 " flushes, %" PRIu64 " errors",
		 disk->block->name, disk->reads, disk->writes, disk->flushes, disk->errors);
}

static const struct virtio_device_ops blk_ops = {
	.start = blk_start,
	.notify = blk_notify,
	.stop_queue = blk_stop_queue,
	.describe = blk_describe,
};

/* Making. */

static uint64_t features_of(const struct block *b, unsigned queues)
{
	return VIRTIO_FEATURE(VIRTIO_BLK_F_SEG_MAX) | VIRTIO_FEATURE(VIRTIO_BLK_F_BLK_SIZE) |
	       (b->read_only ? VIRTIO_FEATURE(VIRTIO_BLK_F_RO) : 0) |
	       (b->flush ? VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH) : 0) |
	       (b->discard ? VIRTIO_FEATURE(VIRTIO_BLK_F_DISCARD) : 0) |
	       (b->write_zeroes ? VIRTIO_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES) : 0) |
	       (queues > 1 ? VIRTIO_FEATURE(VIRTIO_BLK_F_MQ) : 0);
}

static void configure(struct virtio_blk *disk, unsigned queues)
{
	const struct block *b = disk->block;
	uint32_t erase = ERASE_MAX_SECTORS;

	disk->config = (struct virtio_blk_config){
		.capacity = b->size / BLOCK_SECTOR,
		.seg_max = VIRTIO_BLK_SEGMENTS,
		.blk_size = b->granularity,
		.num_queues = (uint16_t)queues,
	};
	if (b->discard) {
		disk->config.max_discard_sectors = erase;
		disk->config.max_discard_seg = 1;
		disk->config.discard_sector_alignment = b->granularity / BLOCK_SECTOR;
	}
	if (b->write_zeroes) {
		disk->config.max_write_zeroes_sectors = erase;
		disk->config.max_write_zeroes_seg = 1;
		disk->config.write_zeroes_may_unmap = 1;
	}
}

/** Requests of a queue, and a spare one. */
static int add_requests(struct virtio_blk *disk, unsigned n, unsigned size)
{
	struct virtio_blk_request *r = plat_pages_alloc((size + 1) * sizeof(*r), GUEST_PAGE_SIZE);

	if (r == NULL) {
		log_error("%s: no memory for its requests; give the host more or make its queues smaller",
			  disk->virtio.name);
		return -ENOMEM;
	}
	for (unsigned i = 0; i <= size; i++) {
		r[i].disk = disk;
		r[i].queue = &disk->queues[n];
	}
	disk->requests[n] = r;
	return 0;
}

int virtio_blk_init(struct virtio_blk *disk, const struct virtio_blk_options *options, struct memory *memory,
		    struct block *block)
{
	const char *serial = options->serial[0] != '\0' ? options->serial : block->serial;
	size_t length = strlen(serial);

	if (length > sizeof(disk->serial)) {
		log_error("%s: the serial number '%s' is longer than %zu characters", options->name, serial,
			  sizeof(disk->serial));
		return -EINVAL;
	}
	memcpy(disk->serial, serial, length);
	disk->block = block;
	disk->io.poll = blk_poll;
	disk->virtio.name = options->name;
	disk->virtio.ops = &blk_ops;
	disk->virtio.id = VIRTIO_ID_BLOCK;
	disk->virtio.features = features_of(block, options->queues);
	disk->virtio.config = &disk->config;
	disk->virtio.config_size = sizeof(disk->config);
	disk->virtio.queues = disk->queues;
	disk->virtio.nr_queues = options->queues;
	configure(disk, options->queues);
	virtio_init(&disk->virtio, memory, options->queue_size);
	for (unsigned n = 0; n < options->queues; n++) {
		int rc = add_requests(disk, n, options->queue_size);

		if (rc != 0)
			return rc;
	}
	return 0;
}
