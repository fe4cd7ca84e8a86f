/* SPDX-License-Identifier: BSD-2-Clause */
/* The disk that is part of the payload. Requests are done where they are submitted: it is only memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <husk/block.h>
#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "features/block-embedded/overlay.h"

#define MIB     ((uint64_t)1 << 20)
#define MAX_MIB ((uint64_t)1 << 20)

struct embedded_disk {
	struct block block;
	struct vm *vm;
	struct overlay overlay;
	struct block_request *ended, **end; /* for poll(), in order */
	bool complained;
};

static int transfer(struct embedded_disk *d, const struct block_request *r)
{
	uint64_t offset = r->offset;
	int rc = 0;

	for (unsigned i = 0; i < r->nr_vectors && rc == 0; i++) {
		const struct io_vector *v = &r->vectors[i];

		if (r->op == BLOCK_READ)
			overlay_read(&d->overlay, offset, v->base, v->size);
		else
			rc = overlay_write(&d->overlay, offset, v->base, v->size);
		offset += v->size;
	}
	return rc;
}

static int perform(struct embedded_disk *d, const struct block_request *r)
{
	switch (r->op) {
	case BLOCK_READ:
	case BLOCK_WRITE: return transfer(d, r);
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES: return overlay_zero(&d->overlay, r->offset, r->size);
	case BLOCK_FLUSH: break;
	}
	return 0;
}

static void complain(struct embedded_disk *d)
{
	if (!d->complained)
		log_error("disk '%s': the host has no memory for what the guest writes; the guest is told so",
			  d->block.name);
	d->complained = true;
}

static void submit(struct block *b, struct block_request *r)
{
	struct embedded_disk *d = (struct embedded_disk *)b;

	r->result = perform(d, r);
	if (r->result != 0)
		complain(d);
	r->next = NULL;
	if (d->ended == NULL)
		d->end = &d->ended;
	*d->end = r;
	d->end = &r->next;
}

static void commit(struct block *b)
{
	const struct embedded_disk *d = (const struct embedded_disk *)b;

	if (d->ended != NULL)
		io_kick(d->vm);
}

static void poll(struct block *b)
{
	struct embedded_disk *d = (struct embedded_disk *)b;
	struct block_request *r = d->ended;

	d->ended = NULL;
	while (r != NULL) {
		struct block_request *next = r->next;

		r->done(r);
		r = next;
	}
}

static const struct block_ops ops = { .submit = submit, .commit = commit, .poll = poll, .drain = poll };

/** The wanted size of the disk in bytes. Returns 0 or -EINVAL after logging one line. */
static int parse_size(const char *spec, const char *arguments, uint64_t least, uint64_t *size)
{
	uint64_t mib;
	char *end;

	*size = (least + OVERLAY_PAGE - 1) & ~(uint64_t)(OVERLAY_PAGE - 1);
	if (*arguments == '\0')
		return 0;
	if (strncmp(arguments, "size=", 5) == 0) {
		mib = strtoul(arguments + 5, &end, 10);
		if (end != arguments + 5 && *end == '\0' && mib <= MAX_MIB && mib * MIB >= least) {
			*size = mib * MIB;
			return 0;
		}
	}
	log_error("disk '%s': write embedded, or embedded:size=MIB with %llu MiB or more", spec,
		  (unsigned long long)((least + MIB - 1) / MIB));
	return -EINVAL;
}

static int open(struct vm *vm, const char *spec, const char *arguments, struct block **out)
{
	const struct payload_part *part = payload_find(vm->payload, PAYLOAD_DISK);
	struct embedded_disk *d;
	uint64_t size;

	if (part == NULL) {
		log_error("disk '%s': no disk is embedded in this image; choose one in `make menuconfig`, Guest image",
			  spec);
		return -ENOENT;
	}
	if (parse_size(spec, arguments, part->size, &size) != 0)
		return -EINVAL;
	d = plat_pages_alloc(sizeof(*d), 0);
	if (d == NULL || overlay_init(&d->overlay, part->data, part->size, size) != 0) {
		log_error("disk '%s': the host has no memory for its table of pages: give it more", spec);
		return -ENOMEM;
	}
	d->vm = vm;
	d->block = (struct block){ .ops = &ops,
				   .name = spec,
				   .size = size,
				   .granularity = BLOCK_SECTOR,
				   .discard = true,
				   .write_zeroes = true };
	*out = &d->block;
	return 0;
}

HUSK_BLOCK_DRIVER(embedded) = { .scheme = "embedded", .usage = "size=MIB", .open = open };

HUSK_FEATURE(block_embedded) = {
	.name = "block-embedded",
	.purpose = "the disk in the image, written over in memory",
	.level = FEATURE_DEVICE,
};
