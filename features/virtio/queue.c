/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueues. Sections are those of virtio 1.2. */
#include "features/virtio/queue.h"

#include <linux/virtio_config.h>

#include "features/virtio/virtio.h"

/* Descriptor flags that mean anything (2.7.5). */
#define DESCRIPTOR_FLAGS (VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT)

static unsigned number_of(const struct virtqueue *q)
{
	return (unsigned)(q - q->device->queues);
}

static int fail(struct virtqueue *q, const char *what)
{
	return virtio_fail(q->device, number_of(q), what);
}

static bool has_event_index(const struct virtqueue *q)
{
	return virtio_has(q->device, VIRTIO_RING_F_EVENT_IDX);
}

/* Memory that the guest may change at any time is read and written once, in one piece. */

static uint16_t load(const __virtio16 *from)
{
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

/** Writes 16 bits of the device area, where `field` is. */
static void store(struct virtqueue *q, __virtio16 *field, uint16_t value)
{
	uint64_t offset = (uint64_t)((uint8_t *)field - (uint8_t *)q->used);

	__atomic_store_n(field, value, __ATOMIC_RELEASE);
	memory_announce_write(q->device->memory, q->device_gpa + offset, sizeof(value));
}

/** Where the driver says after which used buffer it wants an interrupt (2.7.10): behind the ring. */
static const __virtio16 *used_event(const struct virtqueue *q)
{
	return &q->avail->ring[q->size];
}

/** Where the device says after which available buffer it wants a notification (2.7.10): behind the ring. */
static __virtio16 *avail_event(struct virtqueue *q)
{
	return (__virtio16 *)&q->used->ring[q->size];
}

/* Start and end. */

/** Host address of an area of the queue, or NULL if it is misaligned or not in RAM. */
static void *area(const struct virtqueue *q, uint64_t gpa, uint64_t size, uint64_t align)
{
	return gpa % align == 0 ? memory_borrow(q->device->memory, gpa, size) : NULL;
}

int virtqueue_start(struct virtqueue *q)
{
	uint64_t n = q->size, event = has_event_index(q) ? sizeof(__virtio16) : 0;

	if (n == 0 || n > q->max || (n & (n - 1)) != 0)
		return fail(q, "its size is no power of two within the limit");
	/* Sizes and alignments as in 2.7. */
	q->descriptors = area(q, q->descriptor_gpa, n * sizeof(struct vring_desc), 16);
	q->avail = area(q, q->driver_gpa, sizeof(struct vring_avail) + n * sizeof(__virtio16) + event, 2);
	q->used = area(q, q->device_gpa, sizeof(struct vring_used) + n * sizeof(struct vring_used_elem) + event, 4);
	if (q->descriptors == NULL || q->avail == NULL || q->used == NULL)
		return fail(q, "it is misaligned or not in RAM");
	q->next_avail = q->next_used = q->published = 0;
	q->ready = true;
	return 0;
}

void virtqueue_reset(struct virtqueue *q)
{
	*q = (struct virtqueue){ .device = q->device, .max = q->max, .size = q->max };
}

/* Chains. */

/** One descriptor, read once. */
static struct vring_desc read_descriptor(const struct vring_desc *from)
{
	uint64_t rest = __atomic_load_n((const uint64_t *)from + 1, __ATOMIC_RELAXED);

	return (struct vring_desc){
		.addr = __atomic_load_n(&from->addr, __ATOMIC_RELAXED),
		.len = (uint32_t)rest,
		.flags = (uint16_t)(rest >> 32),
		.next = (uint16_t)(rest >> 48),
	};
}

/** The way along a chain: the table it is in, which changes once at most. */
struct walk {
	const struct vring_desc *table;
	uint32_t entries;
	bool indirect;
};

/** Goes on in the table that a descriptor points to, which has to be the last of its chain (2.7.5.3). */
static int enter_table(struct virtqueue *q, struct walk *w, const struct vring_desc *d)
{
	if (w->indirect || (d->flags & VRING_DESC_F_NEXT) != 0 || !virtio_has(q->device, VIRTIO_RING_F_INDIRECT_DESC))
		return fail(q, "an indirect descriptor is where none may be");
	if (d->len == 0 || d->len % sizeof(*w->table) != 0 || d->addr % sizeof(uint64_t) != 0)
		return fail(q, "a table of descriptors has a wrong size or address");
	w->table = memory_borrow(q->device->memory, d->addr, d->len);
	w->entries = d->len / (uint32_t)sizeof(*w->table);
	w->indirect = true;
	return w->table != NULL ? 0 : fail(q, "a table of descriptors is not in RAM");
}

/** Adds a piece of guest memory to the chain, in parts if it spans regions of RAM. */
static int add_vectors(struct virtqueue *q, struct virtio_chain *chain, uint64_t gpa, uint64_t size, bool in)
{
	if (!in && chain->nr_in != 0)
		return fail(q, "a buffer to read follows one to write");
	while (size != 0) {
		const struct ram_region *r = memory_region(q->device->memory, gpa);
		uint64_t n = r != NULL ? r->size - (gpa - r->gpa) : 0;

		if (n == 0)
			return fail(q, "a buffer is not in RAM");
		if (chain->nr_out + chain->nr_in == chain->room)
			return fail(q, "a chain has more buffers than the device takes");
		n = n < size ? n : size;
		chain->vectors[chain->nr_out + chain->nr_in] =
			(struct io_vector){ .base = r->hva + (gpa - r->gpa), .size = n };
		*(in ? &chain->nr_in : &chain->nr_out) += 1;
		gpa += n;
		size -= n;
	}
	return 0;
}

static int follow(struct virtqueue *q, struct virtio_chain *chain)
{
	struct walk w = { .table = q->descriptors, .entries = q->size };
	uint32_t at = chain->head;

	/* A chain that is longer than any may be is a loop. */
	for (unsigned n = 0; n < VIRTQUEUE_MAX; n++) {
		if (at >= w.entries)
			return fail(q, "a descriptor has a number that there is none of");
		struct vring_desc d = read_descriptor(&w.table[at]);
		int rc;

		if ((d.flags & ~DESCRIPTOR_FLAGS) != 0)
			return fail(q, "a descriptor has unknown flags");
		at = d.next;
		if ((d.flags & VRING_DESC_F_INDIRECT) != 0) {
			rc = enter_table(q, &w, &d);
			at = 0;
		} else {
			rc = add_vectors(q, chain, d.addr, d.len, (d.flags & VRING_DESC_F_WRITE) != 0);
			if (rc == 0 && (d.flags & VRING_DESC_F_NEXT) == 0)
				return 1;
		}
		if (rc != 0)
			return rc;
	}
	return fail(q, "a chain of descriptors does not end");
}

int virtqueue_take(struct virtqueue *q, struct virtio_chain *chain)
{
	uint16_t waiting;
	int rc;

	if (!q->ready || !virtio_is_running(q->device))
		return 0;
	waiting = (uint16_t)(load(&q->avail->idx) - q->next_avail);
	if (waiting == 0)
		return 0;
	if (waiting > q->size)
		return fail(q, "it has more buffers available than it can hold");
	chain->head = load(&q->avail->ring[q->next_avail & (q->size - 1u)]);
	chain->nr_out = chain->nr_in = 0;
	rc = follow(q, chain);
	if (rc > 0)
		q->next_avail++;
	return rc;
}

void virtqueue_untake(struct virtqueue *q, unsigned n)
{
	q->next_avail = (uint16_t)(q->next_avail - n);
}

/* Giving back. */

void virtqueue_give(struct virtqueue *q, uint16_t head, uint32_t written)
{
	unsigned at = q->next_used & (q->size - 1u);

	if (!q->ready)
		return;
	q->used->ring[at] = (struct vring_used_elem){ .id = head, .len = written };
	memory_announce_write(q->device->memory,
			      q->device_gpa + sizeof(struct vring_used) + at * sizeof(struct vring_used_elem),
			      sizeof(struct vring_used_elem));
	q->next_used++;
}

/** True if the driver wants an interrupt for what goes from `published` to `next_used` (2.7.7, 2.7.10). */
static bool wants_interrupt(const struct virtqueue *q)
{
	if (has_event_index(q))
		return vring_need_event(load(used_event(q)), q->next_used, q->published);
	return (load(&q->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT) == 0;
}

void virtqueue_flush(struct virtqueue *q)
{
	bool wanted;

	if (!q->ready || q->published == q->next_used)
		return;
	store(q, &q->used->idx, q->next_used);
	/* The driver writes its wish and then looks at the index: one of both sees the other's (2.7.7.2). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wanted = wants_interrupt(q);
	q->published = q->next_used;
	if (wanted)
		virtio_interrupt(q->device, VIRTIO_INTERRUPT_QUEUE);
}

/* Notifications. */

void virtqueue_ignore(struct virtqueue *q)
{
	/* With an event index, the driver stops by itself after the event. */
	if (q->ready && !has_event_index(q))
		store(q, &q->used->flags, VRING_USED_F_NO_NOTIFY);
}

/** Asks the driver to notify the device of the next chain. Returns true if there is one already. */
static bool listen(struct virtqueue *q)
{
	if (!q->ready || !virtio_is_running(q->device))
		return false;
	if (has_event_index(q))
		store(q, avail_event(q), q->next_avail);
	else
		store(q, &q->used->flags, 0);
	/* The driver adds a buffer and then looks at our wish: one of both sees the other's (2.7.10.1). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load(&q->avail->idx) != q->next_avail;
}

int virtqueue_next(struct virtqueue *q, struct virtio_chain *chain)
{
	int rc;

	do
		rc = virtqueue_take(q, chain);
	while (rc == 0 && listen(q));
	return rc;
}

/* Memory. */

size_t virtio_take_front(struct io_vector **v, unsigned *nr, void *buf, size_t size)
{
	size_t taken = io_vectors_read(*v, *nr, 0, buf, size), left = taken;

	while (left != 0) {
		size_t n = left < (*v)->size ? left : (*v)->size;

		(*v)->base = (uint8_t *)(*v)->base + n;
		(*v)->size -= n;
		left -= n;
		if ((*v)->size == 0) {
			(*v)++;
			(*nr)--;
		}
	}
	return taken;
}

void virtio_announce(struct virtio_device *d, const struct io_vector *v, unsigned nr)
{
	struct memory *m = d->memory;

	for (unsigned i = 0; i < nr; i++) {
		const uint8_t *at = v[i].base;

		for (unsigned r = 0; r < m->nr_ram; r++) {
			uint64_t offset = (uint64_t)((uintptr_t)at - (uintptr_t)m->ram[r].hva);

			if (offset < m->ram[r].size)
				memory_announce_write(m, m->ram[r].gpa + offset, v[i].size);
		}
	}
}
