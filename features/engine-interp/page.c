/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/engine-interp/page.h"

#include <errno.h>
#include <string.h>

#include <husk/memory.h>
#include <husk/platform.h>

#include "arch/mips64/guest/mmu.h"

#include "arch/mips64/guest/isa.h"

int page_cache_create(struct page_cache *cache, uint32_t count)
{
	cache->count = count;
	cache->pages = plat_pages_alloc(count * sizeof(*cache->pages), GUEST_PAGE_SIZE);
	cache->buckets = plat_pages_alloc(count * sizeof(*cache->buckets), GUEST_PAGE_SIZE);
	if (cache->pages == NULL || cache->buckets == NULL)
		return -ENOMEM;
	page_cache_clear(cache);
	return 0;
}

void page_cache_clear(struct page_cache *cache)
{
	for (uint32_t n = 0; n < cache->count; n++) {
		cache->pages[n].gpa = MIPS_PAGE_FREE;
		cache->buckets[n] = PAGE_NONE;
	}
	cache->next = 0;
}

static uint32_t *bucket(const struct page_cache *cache, uint64_t gpa)
{
	uint64_t n = gpa >> GUEST_PAGE_SHIFT;

	return &cache->buckets[(n ^ n >> 11) & (cache->count - 1)];
}

struct mips_page *page_cache_find(const struct page_cache *cache, uint64_t gpa, bool narrow)
{
	for (uint32_t n = *bucket(cache, gpa); n != PAGE_NONE; n = cache->pages[n].hash_next)
		if (cache->pages[n].gpa == gpa && cache->pages[n].narrow == narrow)
			return &cache->pages[n];
	return NULL;
}

static void unlink_page(struct page_cache *cache, struct mips_page *page)
{
	uint32_t self = (uint32_t)(page - cache->pages), *link = bucket(cache, page->gpa);

	while (*link != self)
		link = &cache->pages[*link].hash_next;
	*link = page->hash_next;
	page->gpa = MIPS_PAGE_FREE;
	cache->evicted++;
}

/* The next page of the pool in turn, but never the one that is being executed. */
static struct mips_page *choose(struct page_cache *cache, const struct mips_insn *in_use)
{
	struct mips_page *page = &cache->pages[cache->next];

	if (page->insns == in_use)
		page = &cache->pages[(cache->next + 1) & (cache->count - 1)];
	cache->next = (uint32_t)(page - cache->pages + 1) & (cache->count - 1);
	return page;
}

struct mips_page *page_cache_add(struct page_cache *cache, const struct page_request *want, uint64_t *evicted)
{
	struct mips_page *page = choose(cache, want->in_use);
	uint32_t *link = bucket(cache, want->gpa);

	*evicted = page->gpa;
	if (page->gpa != MIPS_PAGE_FREE)
		unlink_page(cache, page);
	for (unsigned n = 0; n < MIPS_PAGE_INSNS; n++)
		page_undecode(cache, page, n);
	page->insns[MIPS_PAGE_INSNS].exec = interp_exec_page_end;
	page->insns[MIPS_PAGE_INSNS + 1].exec = interp_exec_page_end_skip;
	page->gpa = want->gpa;
	page->host = want->host;
	page->narrow = want->narrow;
	page->hash_next = *link;
	*link = (uint32_t)(page - cache->pages);
	cache->decoded++;
	return page;
}

void page_undecode(const struct page_cache *cache, struct mips_page *page, unsigned n)
{
	page->insns[n].exec = (cache->traps[n / 64] >> n % 64 & 1) != 0 ? page_exec_trap : page_exec_undecoded;
}

void page_cache_trap(struct page_cache *cache, unsigned n, bool on)
{
	uint64_t bit = (uint64_t)1 << n % 64;

	cache->traps[n / 64] = on ? cache->traps[n / 64] | bit : cache->traps[n / 64] & ~bit;
	for (uint32_t p = 0; p < cache->count; p++)
		page_undecode(cache, &cache->pages[p], n);
}

static void forget(const struct page_cache *cache, struct mips_page *page, uint64_t from, uint64_t to)
{
	/* A branch is decoded by looking at the word behind it. */
	unsigned first = (unsigned)(from / 4), last = (unsigned)((to - 1) / 4);

	for (unsigned n = first == 0 ? 0 : first - 1; n <= last; n++)
		page_undecode(cache, page, n);
}

void page_cache_written(struct page_cache *cache, uint64_t gpa, uint64_t size)
{
	while (size != 0) {
		uint64_t base = gpa & GUEST_PAGE_MASK, offset = gpa - base;
		uint64_t part = size < GUEST_PAGE_SIZE - offset ? size : GUEST_PAGE_SIZE - offset;

		for (int narrow = 0; narrow < 2; narrow++) {
			struct mips_page *page = page_cache_find(cache, base, narrow != 0);

			if (page != NULL) {
				forget(cache, page, offset, offset + part);
				cache->rewritten++;
			}
		}
		gpa += part;
		size -= part;
	}
}

static uint32_t word_at(const struct mips_cpu *c, const struct mips_page *page, unsigned n)
{
	uint32_t word;

	memcpy(&word, page->host + 4 * n, sizeof(word));
	return (uint32_t)mips_swap(c, word, 4);
}

void page_decode(const struct mips_cpu *c, struct mips_page *page, unsigned n)
{
	uint32_t word = word_at(c, page, n);

	mips_decode(c, word, &page->insns[n]);
	/*
	 * A branch in a delay slot is UNPREDICTABLE (MD00087, branch instructions).
	 * It raises Reserved Instruction here, which also bounds the recursion of
	 * branches into their slots. Across a page end the engine looks.
	 */
	if (n + 1 < MIPS_PAGE_INSNS && mips_is_branch(c, word) && mips_is_barred_from_slot(c, word_at(c, page, n + 1)))
		page->insns[n].exec = mips_exec_reserved;
}

const struct mips_insn *page_exec_undecoded(struct mips_cpu *c, const struct mips_insn *i)
{
	struct mips_page *page = (struct mips_page *)(uintptr_t)c->insns;
	unsigned n = (unsigned)(i - c->insns);

	page_decode(c, page, n);
	return i->exec(c, i);
}
