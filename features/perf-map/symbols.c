/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/perf-map/symbols.h"

#include <errno.h>
#include <stdlib.h>

#include <husk/platform.h>

static void count_one(void *ctx, uint64_t value, const char *name)
{
	(void)value;
	(void)name;
	(*(uint32_t *)ctx)++;
}

static void add_one(void *ctx, uint64_t value, const char *name)
{
	struct perf_symbols *s = ctx;

	s->list[s->count++] = (struct perf_symbol){ value, name };
}

static int by_value(const void *a, const void *b)
{
	const struct perf_symbol *x = a, *y = b;

	return (x->value > y->value) - (x->value < y->value);
}

int perf_symbols_load(struct perf_symbols *s, const struct payload *p)
{
	uint32_t count = 0;

	s->count = 0;
	payload_visit_symbols(p, count_one, &count);
	if (count == 0)
		return 0;
	s->list = plat_pages_alloc(count * sizeof(*s->list), 4096);
	if (s->list == NULL)
		return -ENOMEM;
	payload_visit_symbols(p, add_one, s);
	qsort(s->list, s->count, sizeof(*s->list), by_value);
	return 0;
}

const struct perf_symbol *perf_symbols_find(const struct perf_symbols *s, uint64_t address)
{
	uint32_t low = 0, high = s->count;

	if (s->count == 0 || address > s->list[s->count - 1].value)
		return NULL;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (s->list[middle].value <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? NULL : &s->list[low - 1];
}
