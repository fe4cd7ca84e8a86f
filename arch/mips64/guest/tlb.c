/* SPDX-License-Identifier: BSD-2-Clause */
/* The architectural TLB (PRA, chapter 4; TLB instructions in MD00087). */
#include "arch/mips64/guest/tlb.h"

#include <husk/memory.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/mmu.h"

static bool matches(const struct mips_tlb_entry *e, uint64_t va, uint64_t va_mask, uint8_t asid)
{
	return e->present && ((va ^ e->vpn2) & va_mask & ~e->mask) == 0 && (e->global || e->asid == asid);
}

static const struct mips_tlb_entry *find(const struct mips_cpu *c, uint64_t va)
{
	uint8_t asid = (uint8_t)(c->cp0.entryhi & ENTRYHI_ASID);
	uint64_t va_mask = mips_va_mask(c) & ~0x1fffull;

	for (unsigned n = 0; n < c->tlb.count; n++)
		if (matches(&c->tlb.entries[n], va, va_mask, asid))
			return &c->tlb.entries[n];
	return NULL;
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

void mips_tlbp(struct mips_cpu *c)
{
	const struct mips_tlb_entry *e = find(c, c->cp0.entryhi);

	c->cp0.index = e == NULL ? INDEX_P : (uint32_t)(e - c->tlb.entries);
}

static struct mips_tlb_page decode_page(uint64_t lo, uint64_t page_mask)
{
	uint64_t pfn = (lo & ~(ENTRYLO_RI | ENTRYLO_XI)) >> ENTRYLO_PFN_SHIFT;

	return (struct mips_tlb_page){
		.gpa = (pfn << GUEST_PAGE_SHIFT) & ~page_mask,
		.cca = lo >> ENTRYLO_C_SHIFT & 7,
		.valid = (lo & ENTRYLO_V) != 0,
		.dirty = (lo & ENTRYLO_D) != 0,
		.read_inhibit = (lo & ENTRYLO_RI) != 0,
		.exec_inhibit = (lo & ENTRYLO_XI) != 0,
	};
}

static uint64_t encode_page(const struct mips_tlb_page *p, bool global)
{
	return p->gpa >> GUEST_PAGE_SHIFT << ENTRYLO_PFN_SHIFT | (uint64_t)p->cca << ENTRYLO_C_SHIFT |
	       (p->valid ? ENTRYLO_V : 0) | (p->dirty ? ENTRYLO_D : 0) | (p->read_inhibit ? ENTRYLO_RI : 0) |
	       (p->exec_inhibit ? ENTRYLO_XI : 0) | (global ? ENTRYLO_G : 0);
}

/* The entry that the CP0 registers describe. */
static struct mips_tlb_entry from_registers(const struct mips_cpu *c)
{
	const struct mips_cp0 *p = &c->cp0;
	uint64_t mask = p->pagemask | 0x1fff;

	return (struct mips_tlb_entry){
		.vpn2 = p->entryhi & mips_va_mask(c) & ~mask,
		.mask = mask,
		.asid = (uint8_t)(p->entryhi & ENTRYHI_ASID),
		.global = (p->entrylo[0] & p->entrylo[1] & ENTRYLO_G) != 0,
		.present = (p->entryhi & ENTRYHI_EHINV) == 0,
		.page = { decode_page(p->entrylo[0], mask >> 1), decode_page(p->entrylo[1], mask >> 1) },
	};
}

void mips_tlbr(struct mips_cpu *c)
{
	const struct mips_tlb_entry *e = &c->tlb.entries[(c->cp0.index & ~INDEX_P) % c->tlb.count];

	c->cp0.pagemask = (uint32_t)e->mask & ~0x1fffu;
	c->cp0.entrylo[0] = encode_page(&e->page[0], e->global);
	c->cp0.entrylo[1] = encode_page(&e->page[1], e->global);
	mips_set_entryhi(c, e->vpn2 | e->asid | (e->present ? 0 : ENTRYHI_EHINV));
}

static bool overlap(const struct mips_tlb_entry *a, const struct mips_tlb_entry *b)
{
	return a->present && b->present && ((a->vpn2 ^ b->vpn2) & ~(a->mask | b->mask)) == 0 &&
	       (a->global || b->global || a->asid == b->asid);
}

/*
 * Two entries that match one address are a machine check, reported when the
 * second is written, which is then not done (PRA 4.11.3, MD00087 TLBWI). Entries
 * without any valid page cannot translate and are let through.
 */
static bool conflicts(const struct mips_cpu *c, unsigned index, const struct mips_tlb_entry *e)
{
	if (!e->page[0].valid && !e->page[1].valid)
		return false;
	for (unsigned n = 0; n < c->tlb.count; n++) {
		const struct mips_tlb_entry *o = &c->tlb.entries[n];

		if (n != index && (o->page[0].valid || o->page[1].valid) && overlap(e, o))
			return true;
	}
	return false;
}

static bool write_entry(struct mips_cpu *c, unsigned index)
{
	struct mips_tlb_entry e = from_registers(c), *old = &c->tlb.entries[index];

	if (conflicts(c, index, &e)) {
		c->cp0.status |= STATUS_TS;
		return false;
	}
	if (old->present)
		mips_stlb_flush_entry(c, old);
	*old = e;
	return true;
}

bool mips_tlbwi(struct mips_cpu *c)
{
	return write_entry(c, (c->cp0.index & ~INDEX_P) % c->tlb.count);
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
	return write_entry(c, mips_tlb_random(c));
}

void mips_tlbinv(struct mips_cpu *c)
{
	for (unsigned n = 0; n < c->tlb.count; n++) {
		struct mips_tlb_entry *e = &c->tlb.entries[n];

		if (!e->global && e->asid == (c->cp0.entryhi & ENTRYHI_ASID))
			e->present = false;
	}
	mips_stlb_flush(c);
}

void mips_tlbinvf(struct mips_cpu *c)
{
	for (unsigned n = 0; n < c->tlb.count; n++)
		c->tlb.entries[n].present = false;
	mips_stlb_flush(c);
}
