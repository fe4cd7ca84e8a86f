/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueues (2.7). What the device writes is checked: it may be broken. */
#include <stddef.h>

#include <linux/virtio_ring.h>

#include "arch/x86_64/pc/virtio/virtio.h"
#include "arch/x86_64/pc/x86.h"

#define PAGE 4096u

static uint32_t desc_bytes(uint16_t size)
{
	return (uint32_t)size * sizeof(struct vring_desc);
}

/* Used rings are aligned to 4 bytes at least (2.7); the two event fields are there whether used or not. */
static uint32_t used_offset(uint16_t size)
{
	return (desc_bytes(size) + 6 + 2u * size + 63) & ~63u;
}

uint32_t ring_bytes(uint16_t size)
{
	uint32_t bytes = used_offset(size) + 6 + (uint32_t)sizeof(struct vring_used_elem) * size;

	return (bytes + PAGE - 1) & ~(PAGE - 1);
}

void ring_init(struct ring *r, uint16_t size, void *memory)
{
	uint8_t *base = memory;

	*r = (struct ring){ .size = size, .nr_free = size };
	r->desc = memory;
	r->avail = (struct vring_avail *)(base + desc_bytes(size));
	r->used = (struct vring_used *)(base + used_offset(size));
	for (uint16_t i = 0; i < size; i++)
		r->desc[i].next = (uint16_t)(i + 1);
}

static struct vring_desc describe(const struct io_vector *v, uint16_t flags, uint16_t next)
{
	return (struct vring_desc){
		.addr = (uintptr_t)v->base, .len = (uint32_t)v->size, .flags = flags, .next = next
	};
}

/* The n-th piece of a chain as a descriptor. */
static struct vring_desc piece(const struct ring_chain *c, unsigned n, uint16_t next)
{
	uint16_t more = n + 1 < c->nr_out + c->nr_in ? VRING_DESC_F_NEXT : 0;

	if (n < c->nr_out)
		return describe(&c->out[n], more, next);
	return describe(&c->in[n - c->nr_out], (uint16_t)(VRING_DESC_F_WRITE | more), next);
}

/* Fills free descriptors with a chain; the first is r->free. */
static void add_direct(struct ring *r, const struct ring_chain *c, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		uint16_t i = r->free;

		r->free = r->desc[i].next;
		r->desc[i] = piece(c, n, r->free);
	}
}

static void add_indirect(struct ring *r, const struct ring_chain *c, unsigned count)
{
	const struct io_vector table = { c->table, count * sizeof(c->table[0]) };
	uint16_t i = r->free;

	for (unsigned n = 0; n < count; n++)
		c->table[n] = piece(c, n, (uint16_t)(n + 1));
	r->free = r->desc[i].next;
	r->desc[i] = describe(&table, VRING_DESC_F_INDIRECT, r->free);
}

bool ring_add(struct ring *r, const struct ring_chain *chain, uint16_t token)
{
	unsigned count = chain->nr_out + chain->nr_in;
	unsigned used = chain->table != NULL ? 1 : count;
	uint16_t head = r->free;

	if (count == 0 || used > r->nr_free)
		return false;
	if (chain->table != NULL)
		add_indirect(r, chain, count);
	else
		add_direct(r, chain, count);
	r->nr_free = (uint16_t)(r->nr_free - used);
	r->tokens[head] = token;
	r->lengths[head] = (uint16_t)used;
	r->avail->ring[r->avail_index & (r->size - 1)] = head;
	r->avail_index++;
	/* 2.7.13.3: the entry before the index. */
	__atomic_store_n(&r->avail->idx, r->avail_index, __ATOMIC_RELEASE);
	return true;
}

/* Gives the descriptors of a chain back. */
static void free_chain(struct ring *r, uint16_t head)
{
	uint16_t last = head;

	for (uint16_t i = 1; i < r->lengths[head]; i++)
		last = r->desc[last].next;
	r->desc[last].next = r->free;
	r->free = head;
	r->nr_free = (uint16_t)(r->nr_free + r->lengths[head]);
	r->lengths[head] = 0;
}

bool ring_take(struct ring *r, uint16_t *token, uint32_t *written)
{
	while (__atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) != r->used_index) {
		const volatile struct vring_used_elem *e = &r->used->ring[r->used_index & (r->size - 1)];
		uint32_t head = e->id;

		*written = e->len;
		r->used_index++;
		if (head >= r->size || r->lengths[head] == 0)
			continue; /* nothing that it was given */
		*token = r->tokens[head];
		free_chain(r, (uint16_t)head);
		return true;
	}
	return false;
}

void ring_notify(struct ring *r)
{
	/* 2.7.13.4.1: the index before the flag is looked at. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if ((__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY) == 0 && r->notify != 0)
		*(volatile uint16_t *)r->notify = r->number;
}
