/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The architectural TLB (PRA, chapter 4; TLB instructions in MD00087). Nothing a kernel does often looks at more
 * than a few entries, however many there are: see struct mips_tlb.
 */
#include "arch/mips64/guest/tlb.h"

#include <errno.h>
#include <string.h>

#include <husk/log.h>
#include <husk/memory.h>
#include <husk/platform.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/mmu.h"

#define NONE          0xffffu
#define GLOBAL        0x100u /* in place of an ASID */
#define GRANULE_SHIFT 21u
#define PAIR_4K       0x1fffull

/* Finding: the hash table. */

static unsigned size_of(uint64_t mask)
{
	return (unsigned)__builtin_popcountll(mask >> 13) / 2;
}

static uint64_t mask_of(unsigned size)
{
	return (0x2000ull << 2 * size) - 1;
}

static unsigned class_of(const struct mips_tlb_entry *e)
{
	return 2 * size_of(e->mask) + e->global;
}

/* Multiplicative hashing: the high bits of the product depend on every bit of the key. */
static unsigned hash(uint64_t key, unsigned bits)
{
	return (unsigned)(key * 0x9e3779b97f4a7c15ull >> (64 - bits));
}

static uint16_t *bucket(const struct mips_tlb *t, uint64_t vpn2, unsigned space)
{
	return &t->buckets[hash(vpn2 >> 13 | (uint64_t)space << 52, t->bucket_log)];
}

static unsigned space_of(const struct mips_tlb_entry *e)
{
	return e->global ? GLOBAL : e->asid;
}

static bool is_usable(const struct mips_tlb_entry *e)
{
	return e->present && (e->page[0].valid || e->page[1].valid);
}

static uint16_t *granule(struct mips_tlb *t, uint64_t vpn2)
{
	return &t->small[hash(vpn2 >> GRANULE_SHIFT, MIPS_TLB_GRANULES_LOG)];
}

/* What conflicts() wants to know beside the chains; by is 1 or -1. */
static void count_usable(struct mips_tlb *t, const struct mips_tlb_entry *e, int by)
{
	uint16_t *local = &t->local_in_region[e->vpn2 >> 62], *small = granule(t, e->vpn2);

	if (!is_usable(e))
		return;
	if (!e->global)
		*local = (uint16_t)(*local + by);
	if (e->mask >> GRANULE_SHIFT == 0)
		*small = (uint16_t)(*small + by);
}

static void link_entry(struct mips_tlb *t, unsigned index)
{
	struct mips_tlb_entry *e = &t->entries[index];
	uint16_t *head = bucket(t, e->vpn2, space_of(e));
	unsigned class = class_of(e);

	e->prev = NONE;
	e->next = *head;
	if (e->next != NONE)
		t->entries[e->next].prev = (uint16_t)index;
	*head = (uint16_t)index;
	t->in_class[class]++;
	t->classes |= 1u << class;
	count_usable(t, e, 1);
}

static void unlink_entry(struct mips_tlb *t, const struct mips_tlb_entry *e)
{
	unsigned class = class_of(e);

	if (e->next != NONE)
		t->entries[e->next].prev = e->prev;
	if (e->prev != NONE)
		t->entries[e->prev].next = e->next;
	else
		*bucket(t, e->vpn2, space_of(e)) = e->next;
	if (--t->in_class[class] == 0)
		t->classes &= ~(1u << class);
	count_usable(t, e, -1);
}

static void clear_index(struct mips_tlb *t)
{
	memset(t->buckets, 0xff, sizeof(*t->buckets) << t->bucket_log); /* NONE */
	memset(t->in_class, 0, sizeof(t->in_class));
	memset(t->local_in_region, 0, sizeof(t->local_in_region));
	memset(t->small, 0, sizeof(t->small));
	t->classes = 0;
}

int mips_tlb_create(struct mips_cpu *c)
{
	struct mips_tlb *t = &c->tlb;
	unsigned entries = c->model->tlb_entries,
		 log = 32u - (unsigned)__builtin_clz(entries); /* more buckets than entries */
	size_t size = entries * sizeof(*t->entries);
	uint8_t *memory;

	if (t->allocated < entries) {
		memory = plat_pages_alloc(size + (sizeof(*t->buckets) << log), GUEST_PAGE_SIZE);
		if (memory == NULL) {
			log_error("no memory for a TLB of %u entries: lower MIPS_TLB_ENTRIES", entries);
			return -ENOMEM;
		}
		t->entries = (struct mips_tlb_entry *)memory;
		t->buckets = (uint16_t *)(memory + size);
		t->bucket_log = log;
		t->allocated = entries;
	}
	t->count = entries;
	return 0;
}

void mips_tlb_reset(struct mips_cpu *c)
{
	struct mips_tlb *t = &c->tlb;

	memset(t->entries, 0, t->count * sizeof(*t->entries));
	clear_index(t);
	t->random = 0x2545f491u;
}

/*
 * Of several entries that match, which only some without a valid page can be beside another one (see conflicts()): those
 * hide nothing, so that what is cached of a global entry is right under every ASID. Among equals the lowest.
 */
static bool is_preferred(const struct mips_tlb_entry *e, const struct mips_tlb_entry *found)
{
	if (found == NULL || is_usable(e) != is_usable(found))
		return found == NULL || is_usable(e);
	return e < found;
}

/* The entry for the pair at vpn2 of a page size. */
static const struct mips_tlb_entry *find_pair(const struct mips_tlb *t, uint64_t vpn2, uint64_t mask, unsigned space)
{
	const struct mips_tlb_entry *found = NULL, *e;

	for (unsigned n = *bucket(t, vpn2, space); n != NONE; n = e->next) {
		e = &t->entries[n];
		if (e->vpn2 == vpn2 && e->mask == mask && space_of(e) == space && is_preferred(e, found))
			found = e;
	}
	return found;
}

static const struct mips_tlb_entry *find(const struct mips_cpu *c, uint64_t va)
{
	unsigned asid = (unsigned)(c->cp0.entryhi & ENTRYHI_ASID);
	const struct mips_tlb_entry *found = NULL;

	va &= mips_va_mask(c);
	for (uint32_t left = c->tlb.classes; left != 0; left &= left - 1) {
		unsigned class = (unsigned)__builtin_ctz(left);
		uint64_t mask = mask_of(class / 2);
		const struct mips_tlb_entry *e = find_pair(&c->tlb, va & ~mask, mask, class % 2 ? GLOBAL : asid);

		if (e != NULL && is_preferred(e, found))
			found = e;
	}
	return found;
}

enum mips_tlb_result mips_tlb_lookup(const struct mips_cpu *c, uint64_t va, enum mips_access access, uint64_t *gpa,
				     const struct mips_tlb_page **page)
{
	const struct mips_tlb_entry *e = find(c, va);
	const struct mips_tlb_page *p;
	uint64_t page_mask;

	if (e == NULL)
		return MIPS_TLB_MISS;
	page_mask = e->mask >> 1;
	p = &e->page[(va & (page_mask + 1)) != 0];
	if (!p->valid)
		return MIPS_TLB_INVALID;
	if (access == MIPS_READ && p->read_inhibit)
		return MIPS_TLB_RI;
	if (access == MIPS_FETCH && p->exec_inhibit)
		return MIPS_TLB_XI;
	if (access == MIPS_WRITE && !p->dirty)
		return MIPS_TLB_MODIFIED;
	*gpa = p->gpa | (va & page_mask);
	*page = p;
	return MIPS_TLB_HIT;
}

/* Reading and writing entries. */

void mips_tlbp(struct mips_cpu *c)
{
	const struct mips_tlb_entry *e = find(c, c->cp0.entryhi);

	c->cp0.index = e == NULL ? INDEX_P : (uint32_t)(e - c->tlb.entries);
}

static struct mips_tlb_page decode_page(uint64_t lo, uint64_t page_mask, bool global)
{
	uint64_t pfn = (lo & ~(ENTRYLO_RI | ENTRYLO_XI)) >> ENTRYLO_PFN_SHIFT;

	return (struct mips_tlb_page){
		.gpa = (pfn << GUEST_PAGE_SHIFT) & ~page_mask,
		.cca = lo >> ENTRYLO_C_SHIFT & 7,
		.valid = (lo & ENTRYLO_V) != 0,
		.dirty = (lo & ENTRYLO_D) != 0,
		.read_inhibit = (lo & ENTRYLO_RI) != 0,
		.exec_inhibit = (lo & ENTRYLO_XI) != 0,
		.global = global,
	};
}

static uint64_t encode_page(const struct mips_tlb_page *p, bool global)
{
	return p->gpa >> GUEST_PAGE_SHIFT << ENTRYLO_PFN_SHIFT | (uint64_t)p->cca << ENTRYLO_C_SHIFT |
	       (p->valid ? ENTRYLO_V : 0) | (p->dirty ? ENTRYLO_D : 0) | (p->read_inhibit ? ENTRYLO_RI : 0) |
	       (p->exec_inhibit ? ENTRYLO_XI : 0) | (global ? ENTRYLO_G : 0);
}

static struct mips_tlb_entry decode(const struct mips_cpu *c, const struct mips_tlb_image *i)
{
	uint64_t mask = i->pagemask | PAIR_4K;
	bool global = (i->entrylo[0] & i->entrylo[1] & ENTRYLO_G) != 0;

	return (struct mips_tlb_entry){
		.vpn2 = i->entryhi & mips_va_mask(c) & ~mask,
		.mask = mask,
		.asid = (uint8_t)(i->entryhi & ENTRYHI_ASID),
		.global = global,
		.present = (i->entryhi & ENTRYHI_EHINV) == 0,
		.page = { decode_page(i->entrylo[0], mask >> 1, global),
			  decode_page(i->entrylo[1], mask >> 1, global) },
	};
}

void mips_tlbr(struct mips_cpu *c)
{
	const struct mips_tlb_entry *e = &c->tlb.entries[(c->cp0.index & ~INDEX_P) % c->tlb.count];

	c->cp0.pagemask = (uint32_t)e->mask & ~(uint32_t)PAIR_4K;
	c->cp0.entrylo[0] = encode_page(&e->page[0], e->global);
	c->cp0.entrylo[1] = encode_page(&e->page[1], e->global);
	mips_set_entryhi(c, e->vpn2 | e->asid | (e->present ? 0 : ENTRYHI_EHINV));
}

static bool overlap(const struct mips_tlb_entry *a, const struct mips_tlb_entry *b)
{
	return ((a->vpn2 ^ b->vpn2) & ~(a->mask | b->mask)) == 0 && (a->global || b->global || a->asid == b->asid);
}

static bool conflicts_with(const struct mips_tlb *t, unsigned index, const struct mips_tlb_entry *e, unsigned n)
{
	const struct mips_tlb_entry *o = &t->entries[n];

	return n != index && is_usable(o) && overlap(e, o);
}

/*
 * The chains cannot tell of entries that e may cover many of: local ones of whatever ASID under a global one, and
 * smaller ones. The counts say when there are none, which is nearly always.
 */
static bool needs_search(struct mips_tlb *t, const struct mips_tlb_entry *e)
{
	uint32_t smaller = t->classes & ((1u << 2 * size_of(e->mask)) - 1);

	if (e->global && t->local_in_region[e->vpn2 >> 62] != 0)
		return true;
	return smaller != 0 && (e->mask >> GRANULE_SHIFT != 0 || *granule(t, e->vpn2) != 0);
}

static bool conflicts_in_chain(const struct mips_tlb *t, unsigned index, const struct mips_tlb_entry *e, unsigned class)
{
	uint64_t vpn2 = e->vpn2 & ~mask_of(class / 2);

	for (unsigned n = *bucket(t, vpn2, class % 2 ? GLOBAL : e->asid); n != NONE; n = t->entries[n].next)
		if (conflicts_with(t, index, e, n))
			return true;
	return false;
}

/*
 * Two entries that match one address are a machine check, reported when the
 * second is written, which is then not done (PRA 4.11.3, MD00087 TLBWI). Entries
 * without any valid page cannot translate and are let through.
 */
static bool conflicts(struct mips_tlb *t, unsigned index, const struct mips_tlb_entry *e)
{
	uint32_t left = t->classes & ~((1u << 2 * size_of(e->mask)) - 1); /* sizes from its own on */

	if (!is_usable(e))
		return false;
	for (; left != 0; left &= left - 1)
		if (conflicts_in_chain(t, index, e, (unsigned)__builtin_ctz(left)))
			return true;
	if (!needs_search(t, e))
		return false;
	for (unsigned n = 0; n < t->count; n++)
		if (conflicts_with(t, index, e, n))
			return true;
	return false;
}

static bool write_entry(struct mips_cpu *c, unsigned index, const struct mips_tlb_image *image)
{
	struct mips_tlb_entry e = decode(c, image), *old = &c->tlb.entries[index];

	if (conflicts(&c->tlb, index, &e))
		return false;
	if (is_usable(old))
		mips_stlb_flush_entry(c, old);
	if (old->present)
		unlink_entry(&c->tlb, old);
	*old = e;
	if (e.present)
		link_entry(&c->tlb, index);
	return true;
}

static bool write_from_registers(struct mips_cpu *c, unsigned index)
{
	const struct mips_tlb_image image = {
		.entryhi = c->cp0.entryhi,
		.entrylo = { c->cp0.entrylo[0], c->cp0.entrylo[1] },
		.pagemask = c->cp0.pagemask,
	};

	if (write_entry(c, index, &image))
		return true;
	c->cp0.status |= STATUS_TS;
	return false;
}

bool mips_tlbwi(struct mips_cpu *c)
{
	return write_from_registers(c, (c->cp0.index & ~INDEX_P) % c->tlb.count);
}

unsigned mips_tlb_random(struct mips_cpu *c)
{
	/* xorshift32: any order will do, as long as no entry above Wired is left out (PRA 9.5). */
	c->tlb.random ^= c->tlb.random << 13;
	c->tlb.random ^= c->tlb.random >> 17;
	c->tlb.random ^= c->tlb.random << 5;
	return c->cp0.wired + c->tlb.random % (c->tlb.count - c->cp0.wired);
}

bool mips_tlbwr(struct mips_cpu *c)
{
	return write_from_registers(c, mips_tlb_random(c));
}

bool mips_tlb_write_random(struct mips_cpu *c, const struct mips_tlb_image *image)
{
	return write_entry(c, mips_tlb_random(c), image);
}

void mips_tlbinv(struct mips_cpu *c)
{
	for (unsigned n = 0; n < c->tlb.count; n++) {
		struct mips_tlb_entry *e = &c->tlb.entries[n];

		if (!e->present || e->global || e->asid != (c->cp0.entryhi & ENTRYHI_ASID))
			continue;
		unlink_entry(&c->tlb, e);
		e->present = false;
	}
	mips_stlb_flush(c);
}

void mips_tlbinvf(struct mips_cpu *c)
{
	for (unsigned n = 0; n < c->tlb.count; n++)
		c->tlb.entries[n].present = false;
	clear_index(&c->tlb);
	mips_stlb_flush(c);
}
