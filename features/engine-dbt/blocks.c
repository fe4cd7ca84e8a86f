/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/engine-dbt/blocks.h"

#include <errno.h>
#include <string.h>

#include <husk/memory.h>

/* A block is some 200 to 400 bytes of host code; tables are sized for small ones. */
#define BYTES_PER_BLOCK 192u
#define EXITS_PER_BLOCK 3u

static uint32_t power_of_two_below(size_t n)
{
	uint32_t p = 1;

	while (p <= n / 2)
		p *= 2;
	return p;
}

int blocks_create(struct blocks *b, size_t arena_bytes)
{
	b->max_blocks = (uint32_t)(arena_bytes / BYTES_PER_BLOCK);
	b->max_exits = b->max_blocks * EXITS_PER_BLOCK;
	b->buckets = power_of_two_below(b->max_blocks);
	b->blocks = plat_pages_alloc(b->max_blocks * sizeof(*b->blocks), 4096);
	b->exits = plat_pages_alloc(b->max_exits * sizeof(*b->exits), 4096);
	b->by_address = plat_pages_alloc(b->buckets * sizeof(uint32_t), 4096);
	b->by_page = plat_pages_alloc(b->buckets * sizeof(uint32_t), 4096);
	if (b->blocks == NULL || b->exits == NULL || b->by_address == NULL || b->by_page == NULL)
		return -ENOMEM;
	blocks_flush(b);
	b->counts.flushes = 0;
	return 0;
}

static uint32_t *address_bucket(const struct blocks *b, const struct block_key *key)
{
	uint64_t h = (key->pc >> 2) ^ (key->gpa >> 12);

	return &b->by_address[(h ^ h >> 15) & (b->buckets - 1)];
}

static uint32_t *page_bucket(const struct blocks *b, uint64_t gpa)
{
	uint64_t n = gpa >> GUEST_PAGE_SHIFT;

	return &b->by_page[(n ^ n >> 13) & (b->buckets - 1)];
}

static bool same_key(const struct block_key *a, const struct block_key *b)
{
	return a->pc == b->pc && a->gpa == b->gpa && a->mode == b->mode && a->max == b->max;
}

uint32_t blocks_find(const struct blocks *b, const struct block_key *key)
{
	uint32_t n = __atomic_load_n(address_bucket(b, key), __ATOMIC_ACQUIRE);

	while (n != BLOCK_NONE && !same_key(&b->blocks[n].key, key))
		n = __atomic_load_n(&b->blocks[n].hash_next, __ATOMIC_RELAXED);
	return n;
}

bool blocks_have_room(const struct blocks *b, size_t bytes, unsigned exits)
{
	const uint8_t *end = b->arena.write + b->arena.size;

	return (size_t)(end - b->next) >= bytes && b->nr_blocks < b->max_blocks && b->max_exits - b->nr_exits >= exits;
}

void blocks_flush(struct blocks *b)
{
	memset(b->by_address, 0xff, b->buckets * sizeof(uint32_t));
	memset(b->by_page, 0xff, b->buckets * sizeof(uint32_t));
	b->next = b->start;
	b->nr_blocks = b->nr_exits = 0;
	b->counts.flushes++;
}

uint32_t blocks_add(struct blocks *b, const struct block *block)
{
	uint32_t n = b->nr_blocks++;
	struct block *self = &b->blocks[n];
	uint32_t *bucket = address_bucket(b, &block->key), *page = page_bucket(b, block->key.gpa);

	*self = *block;
	self->incoming = EXIT_NONE;
	self->hash_next = *bucket;
	__atomic_store_n(bucket, n, __ATOMIC_RELEASE); /* the block is there before it is found */
	self->page_next = *page;
	*page = n;
	b->counts.translated++;
	return n;
}

/* Who stands at a block that is taken out finds its way on. */
static void forget_address(struct blocks *b, uint32_t n)
{
	uint32_t *link = address_bucket(b, &b->blocks[n].key);

	while (*link != n)
		link = &b->blocks[*link].hash_next;
	__atomic_store_n(link, b->blocks[n].hash_next, __ATOMIC_RELAXED);
}

/*
 * Takes a block out of all tables but its page's list. A dead block's own exits may stand in lists of living blocks:
 * they stay there, and jump on correctly if it still runs.
 */
static void kill(struct blocks *b, uint32_t n)
{
	if (!b->blocks[n].retired)
		forget_address(b, n);
	b->blocks[n].dead = true;
	if (b->dropped != NULL)
		b->dropped(b->dropped_ctx, &b->blocks[n]);
}

void blocks_retire(struct blocks *b, uint32_t n)
{
	forget_address(b, n);
	b->blocks[n].retired = true;
}

unsigned blocks_invalidate(struct blocks *b, uint64_t gpa, uint64_t size)
{
	uint32_t *link = page_bucket(b, gpa);
	unsigned killed = 0;

	while (*link != BLOCK_NONE) {
		struct block *self = &b->blocks[*link];

		if (self->first < gpa + size && gpa < self->first + self->bytes) {
			uint32_t n = *link;

			*link = self->page_next;
			kill(b, n);
			b->counts.invalidated++;
			killed++;
		} else {
			link = &self->page_next;
		}
	}
	return killed;
}

bool blocks_in_page(const struct blocks *b, uint64_t gpa)
{
	for (uint32_t n = *page_bucket(b, gpa); n != BLOCK_NONE; n = b->blocks[n].page_next)
		if (((b->blocks[n].key.gpa ^ gpa) & GUEST_PAGE_MASK) == 0)
			return true;
	return false;
}
