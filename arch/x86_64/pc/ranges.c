/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/pc/ranges.h"

#include <stdbool.h>
#include <string.h>

/* One past the last byte; saturates where the firmware's numbers wrap. */
static uint64_t end_of(uint64_t base, uint64_t size)
{
	return base + size < base ? UINT64_MAX : base + size;
}

static void delete_at(struct ranges *rs, unsigned i)
{
	rs->nr--;
	memmove(&rs->r[i], &rs->r[i + 1], (rs->nr - i) * sizeof(rs->r[0]));
}

/* In a full list the smallest range makes room, unless the new one is smaller. */
static bool make_room(struct ranges *rs, uint64_t size)
{
	unsigned smallest = 0;

	if (rs->nr < RANGES_MAX)
		return true;
	for (unsigned i = 1; i < rs->nr; i++)
		if (rs->r[i].size < rs->r[smallest].size)
			smallest = i;
	if (rs->r[smallest].size >= size) {
		rs->dropped += size;
		return false;
	}
	rs->dropped += rs->r[smallest].size;
	delete_at(rs, smallest);
	return true;
}

static void insert(struct ranges *rs, uint64_t base, uint64_t end)
{
	unsigned i = 0;

	if (end <= base || !make_room(rs, end - base))
		return;
	while (i < rs->nr && rs->r[i].base < base)
		i++;
	memmove(&rs->r[i + 1], &rs->r[i], (rs->nr - i) * sizeof(rs->r[0]));
	rs->r[i] = (struct range){ .base = base, .size = end - base };
	rs->nr++;
}

void ranges_add(struct ranges *rs, uint64_t base, uint64_t size)
{
	uint64_t end = end_of(base, size) & ~(uint64_t)(RANGE_PAGE - 1);

	if (base > UINT64_MAX - RANGE_PAGE)
		return;
	base = (base + RANGE_PAGE - 1) & ~(uint64_t)(RANGE_PAGE - 1);
	if (end <= base)
		return;
	for (unsigned i = 0; i < rs->nr;) {
		struct range r = rs->r[i];

		if (r.base > end || r.base + r.size < base) {
			i++;
			continue;
		}
		if (r.base < base)
			base = r.base;
		if (r.base + r.size > end)
			end = r.base + r.size;
		delete_at(rs, i);
	}
	insert(rs, base, end);
}

void ranges_remove(struct ranges *rs, uint64_t base, uint64_t size)
{
	uint64_t end = end_of(base, size);

	if (size == 0)
		return;
	base &= ~(uint64_t)(RANGE_PAGE - 1);
	if (end > UINT64_MAX - RANGE_PAGE)
		end = UINT64_MAX & ~(uint64_t)(RANGE_PAGE - 1);
	end = (end + RANGE_PAGE - 1) & ~(uint64_t)(RANGE_PAGE - 1);
	for (unsigned i = 0; i < rs->nr;) {
		struct range r = rs->r[i];

		if (r.base >= end || r.base + r.size <= base) {
			i++;
			continue;
		}
		delete_at(rs, i);
		if (r.base < base)
			insert(rs, r.base, base);
		if (r.base + r.size > end)
			insert(rs, end, r.base + r.size);
		/* Inserting moves the others. What is left of r lies outside [base, end), so this ends. */
		i = 0;
	}
}

uint64_t ranges_take(struct ranges *rs, uint64_t size, uint64_t align, uint64_t limit)
{
	if (align < RANGE_PAGE)
		align = RANGE_PAGE;
	if (size == 0 || size > UINT64_MAX - RANGE_PAGE)
		return 0;
	size = (size + RANGE_PAGE - 1) & ~(uint64_t)(RANGE_PAGE - 1);
	for (unsigned i = rs->nr; i-- > 0;) {
		uint64_t end = rs->r[i].base + rs->r[i].size;
		uint64_t base;

		if (end > limit)
			end = limit & ~(uint64_t)(RANGE_PAGE - 1);
		if (end < rs->r[i].base || end - rs->r[i].base < size)
			continue;
		base = (end - size) & ~(align - 1);
		if (base < rs->r[i].base)
			continue;
		ranges_remove(rs, base, size);
		return base;
	}
	return 0;
}

uint64_t ranges_total(const struct ranges *rs)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < rs->nr; i++)
		total += rs->r[i].size;
	return total;
}

void ranges_of_ram(struct ranges *rs, const struct boot_info *info)
{
	*rs = (struct ranges){ 0 };
	for (unsigned i = 0; i < info->nr_regions; i++)
		if (info->regions[i].ram)
			ranges_add(rs, info->regions[i].base, info->regions[i].size);
	for (unsigned i = 0; i < info->nr_regions; i++)
		if (!info->regions[i].ram)
			ranges_remove(rs, info->regions[i].base, info->regions[i].size);
	for (unsigned i = 0; i < info->nr_reserved; i++)
		ranges_remove(rs, info->reserved[i].base, info->reserved[i].size);
}

void ranges_from_boot(struct ranges *rs, const struct boot_info *info)
{
	ranges_of_ram(rs, info);
	ranges_remove(rs, 0, RANGES_LOWEST);
	ranges_remove(rs, RANGES_HIGHEST, UINT64_MAX - RANGES_HIGHEST);
}
