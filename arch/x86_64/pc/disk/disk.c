/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests into commands, and back. */
#include "arch/x86_64/pc/disk/disk.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#define PAGE ((uint64_t)4096)

/* How long drain() waits for a disk that does nothing, in ns. */
#define PATIENCE_NS 30000000000u

/* In block_request.work: commands out, and whether all of it has been issued. */
#define WORK_ISSUED ((uint64_t)1 << 32)

static void append(struct block_request **first, struct block_request ***end, struct block_request *r)
{
	r->next = NULL;
	if (*first == NULL)
		*end = first;
	**end = r;
	*end = &r->next;
}

int disk_init(struct disk *d)
{
	d->slots = plat_pages_alloc(d->nr_slots * sizeof(d->slots[0]), 0);
	if (d->slots == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < d->nr_slots; i++) {
		d->slots[i].bounce = plat_pages_alloc(DISK_BOUNCE, 0);
		if (d->slots[i].bounce == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* --- dividing */

static bool moves_data(const struct block_request *r)
{
	return r->op == BLOCK_READ || r->op == BLOCK_WRITE;
}

/* Whether a segment may follow the one before. */
static bool may_follow(const struct disk *d, const struct disk_slot *s, const struct io_vector *next)
{
	const struct io_vector *last;

	if (s->nr_segments == d->max_segments)
		return false;
	if (!d->whole_pages)
		return true;
	if (s->nr_segments == 0)
		return ((uintptr_t)next->base & 3) == 0;
	last = &s->segments[s->nr_segments - 1];
	return (((uintptr_t)last->base + last->size) & (PAGE - 1)) == 0 && ((uintptr_t)next->base & (PAGE - 1)) == 0;
}

/* Shortens the segments to `size` bytes in all. */
static void cut(struct disk_slot *s, uint64_t size)
{
	unsigned n = 0;

	s->size = size;
	for (; size != 0; n++) {
		if (s->segments[n].size > size)
			s->segments[n].size = (size_t)size;
		size -= s->segments[n].size;
	}
	s->nr_segments = n;
}

/* Takes as much of a READ or WRITE from byte `at` on as one command can do. */
static void take_data(const struct disk *d, struct disk_slot *s, const struct block_request *r, uint64_t at)
{
	uint64_t skip = at, size = 0;

	s->nr_segments = 0;
	s->bounced = false;
	for (unsigned i = 0; i < r->nr_vectors && size < d->max_bytes; i++) {
		struct io_vector v = r->vectors[i];

		if (skip >= v.size) {
			skip -= v.size;
			continue;
		}
		v.base = (uint8_t *)v.base + skip;
		v.size -= (size_t)skip;
		skip = 0;
		if (!may_follow(d, s, &v))
			break;
		s->segments[s->nr_segments++] = v;
		size += v.size;
	}
	size = size < d->max_bytes ? size : d->max_bytes;
	size &= ~(uint64_t)(d->block.granularity - 1);
	if (size != 0) {
		cut(s, size);
		return;
	}
	s->bounced = true;
	s->size = r->size - at < DISK_BOUNCE ? r->size - at : DISK_BOUNCE;
	s->segments[0] = (struct io_vector){ s->bounce, (size_t)s->size };
	s->nr_segments = 1;
	if (r->op == BLOCK_WRITE)
		io_vectors_read(r->vectors, r->nr_vectors, at, s->bounce, (size_t)s->size);
}

static void take_range(const struct disk *d, struct disk_slot *s, const struct block_request *r, uint64_t at)
{
	uint64_t most = r->op == BLOCK_DISCARD ? d->max_discard : d->max_zero;

	s->size = r->size - at < most ? r->size - at : most;
	s->nr_segments = 0;
	s->bounced = false;
}

static bool is_free(const struct disk *d, unsigned s)
{
	return d->slots[s].request == NULL;
}

/* Issues one command of the first pending request. */
static void issue_next(struct disk *d, unsigned slot)
{
	struct block_request *r = d->pending;
	struct disk_slot *s = &d->slots[slot];

	s->request = r;
	s->at = d->at;
	if (moves_data(r))
		take_data(d, s, r, d->at);
	else
		take_range(d, s, r, d->at);
	d->at += s->size;
	r->work++;
	if (r->op == BLOCK_FLUSH || d->at >= r->size) {
		r->work |= WORK_ISSUED;
		d->pending = r->next;
		d->at = 0;
	}
	d->in_flight++;
	d->ops->issue(d, slot);
}

static void end(struct disk *d, struct block_request *r)
{
	append(&d->ended, &d->ended_end, r);
	io_kick(d->vm);
}

/* Issues what can be. */
static void pump(struct disk *d)
{
	bool any = false;

	for (unsigned s = 0; s < d->nr_slots && d->pending != NULL; s++) {
		if (!is_free(d, s))
			continue;
		issue_next(d, s);
		any = true;
	}
	if (any)
		d->ops->ring(d);
}

/* --- coming back */

static void complain(struct disk *d, const char *what)
{
	if (!d->complained)
		log_error("disk '%s': %s; the guest is told so", d->block.name, what);
	d->complained = true;
}

void disk_ended(struct disk *d, unsigned slot, bool failed)
{
	struct disk_slot *s = &d->slots[slot];
	struct block_request *r = s->request;

	if (r == NULL)
		return;
	if (failed) {
		r->result = -EIO;
		complain(d, "the device reports an error");
	} else if (s->bounced && r->op == BLOCK_READ)
		io_vectors_write(r->vectors, r->nr_vectors, s->at, s->bounce, (size_t)s->size);
	s->request = NULL;
	d->in_flight--;
	r->work--;
	if (r->work == WORK_ISSUED)
		end(d, r);
}

static void call_done(struct disk *d)
{
	struct block_request *r = d->ended;

	d->ended = NULL;
	while (r != NULL) {
		struct block_request *next = r->next;

		r->done(r);
		r = next;
	}
}

/* --- struct block_ops */

static void submit(struct block *b, struct block_request *r)
{
	struct disk *d = (struct disk *)b;

	r->result = d->dead ? -EIO : 0;
	r->work = 0;
	if (d->dead || (r->op != BLOCK_FLUSH && r->size == 0))
		end(d, r);
	else
		append(&d->pending, &d->pending_end, r);
}

static void commit(struct block *b)
{
	pump((struct disk *)b);
}

static void poll(struct block *b)
{
	struct disk *d = (struct disk *)b;

	if (d->in_flight != 0 && !d->dead) {
		d->ops->reap(d);
		pump(d);
	}
	if (d->ended != NULL)
		call_done(d);
}

/* Nothing is known of what the device still does; it gets no more work. */
static void give_up(struct disk *d)
{
	complain(d, "the device does not answer");
	d->dead = true;
	for (unsigned s = 0; s < d->nr_slots; s++)
		if (!is_free(d, s))
			disk_ended(d, s, true);
	while (d->pending != NULL) {
		struct block_request *r = d->pending;

		d->pending = r->next;
		r->result = -EIO;
		end(d, r);
	}
}

static void drain(struct block *b)
{
	struct disk *d = (struct disk *)b;
	uint64_t start = plat_time_ns();
	unsigned before = d->in_flight;

	commit(b);
	while (d->in_flight != 0 || d->pending != NULL || d->ended != NULL) {
		poll(b);
		if (d->in_flight != before)
			start = plat_time_ns();
		before = d->in_flight;
		if (plat_time_ns() - start > PATIENCE_NS)
			give_up(d);
	}
}

const struct block_ops disk_block_ops = { .submit = submit, .commit = commit, .poll = poll, .drain = drain };

static void ignore(struct block_request *r)
{
	(void)r;
}

int disk_read(struct disk *d, uint64_t offset, void *buf, uint32_t size)
{
	const struct io_vector v = { buf, size };
	struct block_request r = {
		.op = BLOCK_READ, .offset = offset, .size = size, .vectors = &v, .nr_vectors = 1, .done = ignore
	};

	if (block_check(&d->block, &r) != 0)
		return -EIO;
	submit(&d->block, &r);
	drain(&d->block);
	return r.result;
}

HUSK_FEATURE(pc_disk) = {
	.name = "pc-disk",
	.purpose = "what drivers of real disks share, and partitions",
	.level = FEATURE_HOST,
};
