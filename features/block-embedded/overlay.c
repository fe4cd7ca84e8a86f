/* SPDX-License-Identifier: BSD-2-Clause */
/* See overlay.h. */
#include "features/block-embedded/overlay.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <husk/platform.h>

/* Pages are taken from the host in lots, because it rounds up each. */
#define CHUNK_PAGES 256u

/* Stands in the table for a page of zeroes; never written. */
static uint8_t zero_page[OVERLAY_PAGE];

int overlay_init(struct overlay *o, const uint8_t *base, uint64_t base_size, uint64_t size)
{
	*o = (struct overlay){ .base = base, .base_size = base_size, .size = size };
	o->pages = plat_pages_alloc((size_t)(size / OVERLAY_PAGE) * sizeof(o->pages[0]), 0);
	return o->pages == NULL ? -ENOMEM : 0;
}

/** The part of a range that is in one page. */
static size_t in_page(uint64_t offset, uint64_t size)
{
	uint64_t left = OVERLAY_PAGE - offset % OVERLAY_PAGE;

	return (size_t)(left < size ? left : size);
}

/** Reads from what was there at first. */
static void read_base(const struct overlay *o, uint64_t offset, uint8_t *to, size_t size)
{
	uint64_t left = offset < o->base_size ? o->base_size - offset : 0;
	size_t there = left < size ? (size_t)left : size;

	memcpy(to, o->base + offset, there);
	memset(to + there, 0, size - there);
}

void overlay_read(const struct overlay *o, uint64_t offset, uint8_t *to, size_t size)
{
	while (size != 0) {
		size_t n = in_page(offset, size);
		const uint8_t *page = o->pages[offset / OVERLAY_PAGE];

		if (page != NULL)
			memcpy(to, page + offset % OVERLAY_PAGE, n);
		else
			read_base(o, offset, to, n);
		offset += n;
		to += n;
		size -= n;
	}
}

static uint8_t *new_page(struct overlay *o)
{
	uint8_t *page = o->unused;

	if (page != NULL) {
		memcpy(&o->unused, page, sizeof(o->unused));
		return page;
	}
	if (o->chunk_left == 0) {
		o->chunk = plat_pages_alloc(CHUNK_PAGES * OVERLAY_PAGE, 0);
		if (o->chunk == NULL)
			return NULL;
		o->chunk_left = CHUNK_PAGES;
	}
	o->chunk_left--;
	page = o->chunk;
	o->chunk += OVERLAY_PAGE;
	return page;
}

static void give_back(struct overlay *o, uint8_t *page)
{
	if (page == NULL || page == zero_page)
		return;
	memcpy(page, &o->unused, sizeof(o->unused));
	o->unused = page;
}

/** The page of its own that holds `offset`, with what it read as before unless all of it will be written. */
static uint8_t *own_page(struct overlay *o, uint64_t offset, bool all)
{
	uint8_t **entry = &o->pages[offset / OVERLAY_PAGE], *page = *entry;

	if (page != NULL && page != zero_page)
		return page;
	page = new_page(o);
	if (page == NULL)
		return NULL;
	if (!all)
		overlay_read(o, offset - offset % OVERLAY_PAGE, page, OVERLAY_PAGE);
	*entry = page;
	return page;
}

int overlay_write(struct overlay *o, uint64_t offset, const uint8_t *from, size_t size)
{
	while (size != 0) {
		size_t n = in_page(offset, size);
		uint8_t *page = own_page(o, offset, n == OVERLAY_PAGE);

		if (page == NULL)
			return -ENOSPC;
		memcpy(page + offset % OVERLAY_PAGE, from, n);
		offset += n;
		from += n;
		size -= n;
	}
	return 0;
}

int overlay_zero(struct overlay *o, uint64_t offset, uint64_t size)
{
	while (size != 0) {
		size_t n = in_page(offset, size);

		if (n == OVERLAY_PAGE) {
			give_back(o, o->pages[offset / OVERLAY_PAGE]);
			o->pages[offset / OVERLAY_PAGE] = zero_page;
		} else if (overlay_write(o, offset, zero_page, n) != 0)
			return -ENOSPC;
		offset += n;
		size -= n;
	}
	return 0;
}
