/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/fuzz/virtio_guest.c tests/unit/virtio_driver.c tests/unit/fake_platform.c features/virtio/device.c */
/* sources: features/virtio/queue.c features/virtio-mmio/virtio_mmio.c features/virtio-blk/virtio_blk.c */
/* sources: core/memory.c core/io.c core/block.c core/log.c core/timer.c */
/* The disk, on a back end that ends requests in any order, some with errors. */
#include <errno.h>
#include <string.h>

#include "features/virtio-blk/virtio_blk.h"
#include "tests/fuzz/virtio_guest.h"
#include "tests/unit/virtio_driver.h"

#define WAITING 64u

static struct virtio_blk disk;
static struct block_request *waiting[WAITING];
static unsigned nr_waiting;

static void on_submit(struct block *b, struct block_request *r)
{
	fuzz_check(block_check(b, r) == 0);
	fuzz_check(nr_waiting < WAITING);
	if (r->op == BLOCK_READ || r->op == BLOCK_WRITE)
		fuzz_check_vectors(r->vectors, r->nr_vectors);
	waiting[nr_waiting++] = r;
}

/** Ends one request; the guest's memory is really read or written. */
static void end(unsigned n, int result)
{
	struct block_request *r = waiting[n];
	uint8_t byte;

	waiting[n] = waiting[--nr_waiting];
	for (unsigned i = 0; i < r->nr_vectors; i++) {
		if (r->op == BLOCK_READ)
			memset(r->vectors[i].base, 0x5a, r->vectors[i].size);
		else if (r->op == BLOCK_WRITE)
			io_vectors_read(r->vectors, r->nr_vectors, r->size - 1, &byte, 1);
	}
	r->result = result;
	r->done(r);
}

static void on_poll(struct block *b)
{
	(void)b;
}

static void on_drain(struct block *b)
{
	(void)b;
	while (nr_waiting != 0)
		end(nr_waiting - 1, 0);
}

static const struct block_ops ops = { .submit = on_submit, .commit = on_poll, .poll = on_poll, .drain = on_drain };
static struct block block = { .ops = &ops,
			      .name = "fuzz",
			      .size = 0x100000,
			      .granularity = 512,
			      .flush = true,
			      .discard = true,
			      .write_zeroes = true,
			      .serial = "fuzz" };

struct virtio_device *fuzz_make(void)
{
	static const struct virtio_blk_options options = {
		.name = "disk0", .serial = "", .queues = 2, .queue_size = 8
	};

	memset(&disk, 0, sizeof(disk));
	nr_waiting = 0;
	fuzz_check(virtio_blk_init(&disk, &options, &driver_vm.memory, &block) == 0);
	return &disk.virtio;
}

void fuzz_event(struct fuzz_input *in)
{
	static const int results[] = { 0, 0, 0, -EIO, -ENOSPC, -ENOTSUP };
	uint8_t which = fuzz_byte(in);

	if (nr_waiting != 0)
		end(which % nr_waiting, results[which / 16 % 6]);
}

void fuzz_poll(void)
{
	disk.io.poll(&disk.io);
}

void fuzz_after_reset(void)
{
	fuzz_check(nr_waiting == 0 && disk.in_flight == 0);
}
