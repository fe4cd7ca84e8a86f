/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM: regions, bounds, copies and code marks. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <husk/log.h>
#include <husk/memory.h>
#include <husk/platform.h>

/** Large RAM is aligned for huge pages of the host. */
#define HUGE_PAGE ((size_t)2 << 20)
#define MIB       ((uint64_t)1 << 20)

static uint64_t page_count(uint64_t size)
{
	return size >> GUEST_PAGE_SHIFT;
}

static int allocate(struct ram_region *r)
{
	r->hva = plat_ram_alloc(r->size, r->size >= HUGE_PAGE ? HUGE_PAGE : GUEST_PAGE_SIZE);
	if (r->hva != NULL)
		r->is_code = plat_pages_alloc(page_count(r->size), GUEST_PAGE_SIZE);
	if (r->hva != NULL && r->is_code != NULL)
		return 0;
	log_error("the guest needs %" PRIu64 " MiB of RAM but the host has %" PRIu64
		  " MiB free: give the host more memory or lower RAM_MB",
		  (r->size + MIB - 1) / MIB, plat_pages_free() / MIB);
	return -ENOMEM;
}

static bool overlaps(const struct ram_region *r, uint64_t gpa, uint64_t size)
{
	return gpa < r->gpa + r->size && r->gpa < gpa + size;
}

int memory_add_ram(struct memory *m, uint64_t gpa, uint64_t size)
{
	struct ram_region r = { .gpa = gpa, .size = size };
	unsigned at = m->nr_ram;

	if (((gpa | size) & ~GUEST_PAGE_MASK) != 0 || size == 0 || gpa > UINT64_MAX - size)
		return -EINVAL;
	for (unsigned i = 0; i < m->nr_ram; i++) {
		if (overlaps(&m->ram[i], gpa, size))
			return -EEXIST;
	}
	if (m->nr_ram == MEMORY_MAX_RAM)
		return -ENOSPC;
	if (allocate(&r) != 0)
		return -ENOMEM;
	for (; at > 0 && m->ram[at - 1].gpa > gpa; at--)
		m->ram[at] = m->ram[at - 1];
	m->ram[at] = r;
	m->nr_ram++;
	return 0;
}

const struct ram_region *memory_region(const struct memory *m, uint64_t gpa)
{
	for (unsigned i = 0; i < m->nr_ram; i++) {
		/* gpa below the region wraps to a huge offset. */
		if (gpa - m->ram[i].gpa < m->ram[i].size)
			return &m->ram[i];
	}
	return NULL;
}

int memory_limit(struct memory *m, uint64_t gpa, uint64_t size, unsigned what)
{
	if (((gpa | size) & ~GUEST_PAGE_MASK) != 0 || size == 0 || gpa > UINT64_MAX - size)
		return -EINVAL;
	if (m->nr_limits == MEMORY_MAX_LIMITS)
		return -ENOSPC;
	m->limits[m->nr_limits++] = (struct memory_limit){ gpa, size, what };
	return 0;
}

unsigned memory_limits(const struct memory *m, uint64_t gpa, uint64_t *size)
{
	unsigned what = 0;

	for (unsigned i = 0; i < m->nr_limits; i++) {
		const struct memory_limit *l = &m->limits[i];
		uint64_t left = gpa < l->gpa ? l->gpa - gpa : l->gpa + l->size - gpa;

		if (gpa >= l->gpa + l->size)
			continue;
		if (gpa >= l->gpa)
			what = l->what;
		if (*size > left)
			*size = left;
	}
	return what;
}

/** Bytes from gpa to the end of its region, at most `size`; 0 outside RAM. */
static uint64_t piece(const struct memory *m, uint64_t gpa, uint64_t size)
{
	const struct ram_region *r = memory_region(m, gpa);
	uint64_t left;

	if (r == NULL)
		return 0;
	left = r->size - (gpa - r->gpa);
	return size < left ? size : left;
}

/** Host address of a byte of RAM. */
static uint8_t *host(const struct memory *m, uint64_t gpa)
{
	const struct ram_region *r = memory_region(m, gpa);

	return r->hva + (gpa - r->gpa);
}

/** True if all bytes are RAM, be it of several regions that touch. */
static bool is_ram(const struct memory *m, uint64_t gpa, uint64_t size)
{
	while (size != 0) {
		uint64_t n = piece(m, gpa, size);

		if (n == 0)
			return false;
		gpa += n;
		size -= n;
	}
	return true;
}

void *memory_borrow(const struct memory *m, uint64_t gpa, uint64_t size)
{
	const struct ram_region *r = memory_region(m, gpa);

	if (r == NULL || size > r->size - (gpa - r->gpa))
		return NULL;
	return r->hva + (gpa - r->gpa);
}

int memory_read(const struct memory *m, uint64_t gpa, void *buf, uint64_t size)
{
	uint8_t *to = buf;

	if (!is_ram(m, gpa, size))
		return -EFAULT;
	while (size != 0) {
		uint64_t n = piece(m, gpa, size);

		memcpy(to, host(m, gpa), n);
		to += n;
		gpa += n;
		size -= n;
	}
	return 0;
}

int memory_write(struct memory *m, uint64_t gpa, const void *buf, uint64_t size)
{
	const uint8_t *from = buf;

	if (!is_ram(m, gpa, size))
		return -EFAULT;
	for (uint64_t done = 0, n; done < size; done += n) {
		n = piece(m, gpa + done, size - done);
		memcpy(host(m, gpa + done), from + done, n);
	}
	memory_announce_write(m, gpa, size);
	return 0;
}

int memory_zero(struct memory *m, uint64_t gpa, uint64_t size)
{
	if (!is_ram(m, gpa, size))
		return -EFAULT;
	for (uint64_t done = 0, n; done < size; done += n) {
		n = piece(m, gpa + done, size - done);
		memset(host(m, gpa + done), 0, n);
	}
	memory_announce_write(m, gpa, size);
	return 0;
}

static bool is_marked(const struct ram_region *r, uint64_t gpa)
{
	return __atomic_load_n(&r->is_code[page_count(gpa - r->gpa)], __ATOMIC_RELAXED) != 0;
}

/** Announces a write that lies in one region, page by page. */
static void announce_in_region(struct memory *m, const struct ram_region *r, uint64_t gpa, uint64_t size)
{
	while (size != 0) {
		uint64_t left = GUEST_PAGE_SIZE - (gpa & ~GUEST_PAGE_MASK);
		uint64_t n = size < left ? size : left;

		if (is_marked(r, gpa))
			m->code_written(m->code_ctx, gpa, n);
		gpa += n;
		size -= n;
	}
}

void memory_announce_write(struct memory *m, uint64_t gpa, uint64_t size)
{
	if (m->code_written == NULL)
		return;
	smp_fence(); /* who marks a page sees the write, or this sees the mark */
	while (size != 0) {
		uint64_t n = piece(m, gpa, size);

		if (n == 0)
			return;
		announce_in_region(m, memory_region(m, gpa), gpa, n);
		gpa += n;
		size -= n;
	}
}

void memory_mark_code(struct memory *m, uint64_t gpa, bool is_code)
{
	const struct ram_region *r = memory_region(m, gpa);

	if (r != NULL)
		__atomic_store_n(&r->is_code[page_count(gpa - r->gpa)], is_code, __ATOMIC_RELAXED);
}

bool memory_is_code(const struct memory *m, uint64_t gpa)
{
	const struct ram_region *r = memory_region(m, gpa);

	return r != NULL && is_marked(r, gpa);
}
