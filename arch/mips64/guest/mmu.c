/* SPDX-License-Identifier: BSD-2-Clause */
/* The segment map, the soft TLB's slow side and watchpoints (PRA, chapter 4). */
#include "arch/mips64/guest/mmu.h"

#include <errno.h>

#include <husk/vm.h>

#include "arch/mips64/guest/atomic.h"
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/walker.h"

#define KSEG0       0xffffffff80000000ull
#define KSEG1       0xffffffffa0000000ull
#define SSEG        0xffffffffc0000000ull
#define KSEG3       0xffffffffe0000000ull
#define CVMSEG      0xffffffffffff8000ull
#define CVMSEG_LINE 128u

enum region { XUSEG, XSSEG, XKPHYS, XKSEG };

static bool fail(struct mips_fault *f, enum mips_exception code, bool refill)
{
	*f = (struct mips_fault){ code, refill };
	return false;
}

static bool address_error(struct mips_fault *f, enum mips_access access)
{
	return fail(f, access == MIPS_WRITE ? EXC_ADES : EXC_ADEL, false);
}

static bool unmapped(struct mips_mapping *m, uint64_t gpa)
{
	*m = (struct mips_mapping){ .gpa = gpa, .readable = true, .writable = true };
	return true;
}

static bool mapped(const struct mips_cpu *c, uint64_t va, enum mips_access access, struct mips_mapping *m,
		   struct mips_fault *f)
{
	enum mips_exception tlb = access == MIPS_WRITE ? EXC_TLBS : EXC_TLBL;
	bool own_codes = (c->cp0.pagegrain & PAGEGRAIN_IEC) != 0;
	const struct mips_tlb_page *page;

	switch (mips_tlb_lookup(c, va, access, &m->gpa, &page)) {
	case MIPS_TLB_MISS: return fail(f, tlb, true);
	case MIPS_TLB_INVALID: return fail(f, tlb, false);
	case MIPS_TLB_MODIFIED: return fail(f, EXC_MOD, false);
	case MIPS_TLB_RI: return fail(f, own_codes ? EXC_TLBRI : EXC_TLBL, false);
	case MIPS_TLB_XI: return fail(f, own_codes ? EXC_TLBXI : EXC_TLBL, false);
	case MIPS_TLB_HIT: break;
	}
	m->writable = page->dirty;
	m->readable = !page->read_inhibit;
	m->local = !page->global;
	m->cvmseg = false;
	return true;
}

static bool in_cvmseg(const struct mips_cpu *c, uint64_t va)
{
	uint64_t lines = c->cp0.cvmmemctl & CVMMEMCTL_SIZE;

	if (!mips_has(c, MIPS_HAS_OCTEON) || va < CVMSEG || (c->cp0.cvmmemctl & CVMMEMCTL_KERNEL) == 0)
		return false;
	/* Before Linux sets the size it uses the first line already (its entry code clears it). */
	return va - CVMSEG < (lines == 0 ? 1 : lines) * CVMSEG_LINE && va - CVMSEG < sizeof(c->cvmseg);
}

/* The 32-bit compatibility segments at both ends of the map; kseg0/1, sseg and kseg3 need kernel or supervisor mode. */
static bool resolve_compatibility(const struct mips_cpu *c, uint64_t va, enum mips_access access,
				  struct mips_mapping *m, struct mips_fault *f)
{
	if (va >= SSEG && va < KSEG3)
		return c->mode == MIPS_USER ? address_error(f, access) : mapped(c, va, access, m, f);
	if (c->mode != MIPS_KERNEL)
		return address_error(f, access);
	if (va < SSEG)
		return unmapped(m, va & 0x1fffffff);
	if (in_cvmseg(c, va)) {
		*m = (struct mips_mapping){ .gpa = va - CVMSEG, .cvmseg = true };
		return true;
	}
	return mapped(c, va, access, m, f);
}

static bool resolve_user(const struct mips_cpu *c, uint64_t va, enum mips_access access, struct mips_mapping *m,
			 struct mips_fault *f)
{
	if (va >> 31 != 0 && (c->cp0.status & STATUS_UX) == 0)
		return address_error(f, access);
	if (va >> c->model->segbits != 0)
		return address_error(f, access);
	/* With ERL set, the low 2 GiB are unmapped, for the cache error handler (PRA 4.8). */
	if ((c->cp0.status & STATUS_ERL) && va >> 31 == 0)
		return unmapped(m, va);
	return mapped(c, va, access, m, f);
}

bool mips_resolve(const struct mips_cpu *c, uint64_t va, enum mips_access access, struct mips_mapping *m,
		  struct mips_fault *f)
{
	uint64_t in_region = va & ~ENTRYHI_R;

	if (va >= KSEG0)
		return resolve_compatibility(c, va, access, m, f);
	switch ((enum region)(va >> 62)) {
	case XUSEG: return resolve_user(c, va, access, m, f);
	case XSSEG:
		if (c->mode == MIPS_USER || (c->cp0.status & STATUS_SX) == 0 || in_region >> c->model->segbits != 0)
			break;
		return mapped(c, va, access, m, f);
	case XKPHYS:
		in_region &= (1ull << 59) - 1;
		if (c->mode != MIPS_KERNEL || (c->cp0.status & STATUS_KX) == 0 || in_region >> c->model->pabits != 0)
			break;
		return unmapped(m, in_region);
	case XKSEG:
		if (c->mode != MIPS_KERNEL || (c->cp0.status & STATUS_KX) == 0 ||
		    in_region >= (1ull << c->model->segbits) - (1ull << 31))
			break;
		return mapped(c, va, access, m, f);
	}
	return address_error(f, access);
}

/* As mips_resolve(), but what the TLB lacks is looked up by the page table walker, if there is one. */
static bool resolve(struct mips_cpu *c, uint64_t va, enum mips_access access, struct mips_mapping *m,
		    struct mips_fault *f)
{
	if (mips_resolve(c, va, access, m, f))
		return true;
	return f->refill && c->walker != NULL && c->walker->walk(c, va) && mips_resolve(c, va, access, m, f);
}

static void raise_fault(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, const struct mips_fault *f)
{
	mips_set_badvaddr(c, va, f->code);
	if (f->refill)
		mips_raise_refill(c, i, f->code);
	else
		mips_raise(c, i, f->code);
}

/* True if a watchpoint stops the access. In an exception handler it is only remembered (PRA 6.2.21). */
static bool watch_stops(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, enum mips_access access)
{
	if (!c->watch_data || !mips_watch_hit(c, va, access))
		return false;
	if (c->cp0.status & (STATUS_EXL | STATUS_ERL)) {
		c->cp0.cause |= CAUSE_WP;
		return false;
	}
	mips_raise(c, i, EXC_WATCH);
	return true;
}

/* --- watchpoints of a debugger */

static const struct mips_watchpoint *find_watchpoint(const struct mips_cpu *c, uint64_t first, uint64_t last,
						     unsigned access)
{
	for (unsigned n = 0; n < c->nr_watchpoints; n++) {
		const struct mips_watchpoint *w = &c->watchpoints[n];

		if ((w->access & access) != 0 && w->first <= last && w->last >= first)
			return w;
	}
	return NULL;
}

static bool debugger_stops(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size,
			   enum debug_access access)
{
	const struct mips_watchpoint *w;

	if (__builtin_expect(c->nr_watchpoints == 0, 1) || c->vcpu.debug.ignore_watchpoints)
		return false;
	w = find_watchpoint(c, va, va + size - 1, access);
	if (w == NULL)
		return false;
	mips_stop_for_debugger(c, i, DEBUG_WATCHPOINT, va > w->first ? va : w->first);
	return true;
}

static bool is_watched_page(const struct mips_cpu *c, uint64_t va)
{
	uint64_t first = va & GUEST_PAGE_MASK;

	return find_watchpoint(c, first, first + GUEST_PAGE_SIZE - 1, DEBUG_READ | DEBUG_WRITE) != NULL;
}

static int add_watchpoint(struct mips_cpu *c, const struct mips_watchpoint *w)
{
	if (c->nr_watchpoints == MIPS_WATCHPOINTS)
		return -ENOSPC;
	c->watchpoints[c->nr_watchpoints++] = *w;
	mips_stlb_flush(c);
	return 0;
}

int mips_set_watchpoint(struct vcpu *v, uint64_t gva, uint64_t size, unsigned access, bool on)
{
	const struct mips_watchpoint wanted = { .first = gva, .last = gva + size - 1, .access = access };
	struct mips_cpu *c = mips_cpu(v);

	if (size == 0 || wanted.last < gva)
		return -EINVAL;
	for (unsigned n = 0; n < c->nr_watchpoints; n++) {
		const struct mips_watchpoint *w = &c->watchpoints[n];

		if (w->first != gva || w->last != wanted.last || w->access != access)
			continue;
		if (!on)
			c->watchpoints[n] = c->watchpoints[--c->nr_watchpoints];
		return 0;
	}
	return on ? add_watchpoint(c, &wanted) : -ENOENT;
}

static bool resolve_or_raise(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, enum mips_access access,
			     struct mips_mapping *m)
{
	struct mips_fault f;

	if (watch_stops(c, i, va, access))
		return false;
	if (resolve(c, va, access, m, &f))
		return true;
	raise_fault(c, i, va, &f);
	return false;
}

/*
 * The address of a data access. Without UX user mode computes in 32 bits: 0x80000000 (sign-extended) - 16 is below
 * 2 GiB again (PRA, "Special behavior for data references in User Mode with Status.UX = 0"). What is cached has
 * addresses of that form only, so that others come here.
 */
static uint64_t effective(const struct mips_cpu *c, uint64_t va)
{
	bool narrow = c->mode == MIPS_USER && (c->cp0.status & STATUS_UX) == 0;

	return narrow ? (uint64_t)(int64_t)(int32_t)va : va;
}

bool mips_translate(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, enum mips_access access, uint64_t *gpa)
{
	struct mips_mapping m;

	if (!resolve_or_raise(c, i, effective(c, va), access, &m))
		return false;
	*gpa = m.gpa;
	return true;
}

/* Whether code may be fetched: words are aligned, and the scratchpad holds none. */
static bool resolve_fetch(struct mips_cpu *c, uint64_t va, struct mips_mapping *m, struct mips_fault *f)
{
	if ((va & 3) != 0)
		return address_error(f, MIPS_FETCH);
	if (!resolve(c, va, MIPS_FETCH, m, f))
		return false;
	return m->cvmseg ? address_error(f, MIPS_FETCH) : true;
}

/* Kernel mode caches a page that the next address space does not have, or one that it has. */
static void note_local(struct mips_cpu *c, bool store, uint64_t va, bool local)
{
	unsigned index = mips_stlb_index(va);
	uint64_t bit = 1ull << index % 64;

	if (c->mode != MIPS_KERNEL)
		return;
	if (local)
		c->local[store][index / 64] |= bit;
	else
		c->local[store][index / 64] &= ~bit;
	c->any_local |= local;
}

bool mips_translate_fetch(struct mips_cpu *c, uint64_t pc, bool in_delay_slot, uint64_t va, uint64_t *gpa)
{
	struct mips_mapping m;
	struct mips_fault f;

	if (!resolve_fetch(c, va, &m, &f)) {
		mips_set_badvaddr(c, va, f.code);
		mips_take(c, pc, in_delay_slot, f.code, f.refill);
		return false;
	}
	c->local_fetch |= m.local && c->mode == MIPS_KERNEL;
	*gpa = m.gpa;
	return true;
}

int mips_probe(struct mips_cpu *c, uint64_t va, uint64_t *gpa)
{
	enum mips_mode mode = c->mode;
	struct mips_mapping m;
	struct mips_fault f;
	bool ok;

	c->mode = MIPS_KERNEL;
	ok = mips_resolve(c, va, MIPS_READ, &m, &f) && !m.cvmseg;
	c->mode = mode;
	if (!ok)
		return -EFAULT;
	*gpa = m.gpa;
	return 0;
}

/*
 * A store leaves the place for loads to who has it: where a loop loads from one page and stores to another that has the
 * same place, each keeps its own.
 */
static bool is_free(const struct mips_stlb_entry *e, uint64_t tag)
{
	return e->tag == MIPS_TAG_NEVER || e->tag == tag;
}

/* Caches the translation of a page of RAM. Stores to code pages stay slow, so that the engine hears of them. */
static void fill(struct mips_cpu *c, uint64_t va, const struct mips_mapping *m, bool store)
{
	const struct memory *memory = &c->vcpu.vm->memory;
	uint64_t gpa = m->gpa & GUEST_PAGE_MASK;
	uint8_t *host = memory_borrow(memory, gpa, GUEST_PAGE_SIZE);
	struct mips_stlb_entry e = {
		.tag = (va & GUEST_PAGE_MASK) | c->asid_key,
		.to_host = (uint64_t)(uintptr_t)host - (va & GUEST_PAGE_MASK),
	};

	if (host == NULL || c->watch_data || (c->nr_watchpoints != 0 && is_watched_page(c, va)))
		return;
	if (m->readable && (!store || is_free(mips_stlb_read(c, va), e.tag))) {
		*mips_stlb_read(c, va) = e;
		note_local(c, false, va, m->local);
	}
	/* What can be stored to through an entry can be loaded through it as well: so translated code may rely on it. */
	if (m->writable && m->readable && !memory_is_code(memory, gpa)) {
		*mips_stlb_write(c, va) = e;
		note_local(c, true, va, m->local);
	}
}

static bool load_aligned(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t *value)
{
	struct mips_mapping m;
	uint64_t v = 0;
	void *host;

	if (debugger_stops(c, i, va, size, DEBUG_READ) || !resolve_or_raise(c, i, va, MIPS_READ, &m))
		return false;
	if (m.cvmseg) {
		v = mips_host_read(c->cvmseg + m.gpa, size);
	} else {
		host = memory_borrow(&c->vcpu.vm->memory, m.gpa, size);
		if (host == NULL) {
			vm_lock(c->vcpu.vm);
			*value = bus_read(&c->vcpu.vm->mmio, m.gpa, size);
			vm_unlock(c->vcpu.vm);
			return true;
		}
		fill(c, va, &m, false);
		v = mips_host_read(host, size);
	}
	*value = mips_swap(c, v, size);
	return true;
}

static void store_to_device(struct mips_cpu *c, uint64_t gpa, unsigned size, uint64_t value)
{
	struct vm *vm = c->vcpu.vm;

	vm_lock(vm);
	bus_write(&vm->mmio, gpa, size, size == 8 ? value : value & ((1ull << 8 * size) - 1));
	vm_unlock(vm);
}

/* What a store is conditional on, and whether it was made. */
struct condition {
	uint64_t old;
	bool made;
};

static bool store_aligned(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t value,
			  struct condition *condition)
{
	struct memory *memory = &c->vcpu.vm->memory;
	struct mips_mapping m;
	uint64_t v = mips_swap(c, value, size);
	void *host;

	if (debugger_stops(c, i, va, size, DEBUG_WRITE) || !resolve_or_raise(c, i, va, MIPS_WRITE, &m))
		return false;
	if (m.cvmseg) {
		mips_host_write(c->cvmseg + m.gpa, size, v);
		return true;
	}
	host = memory_borrow(memory, m.gpa, size);
	if (host == NULL) {
		store_to_device(c, m.gpa, size, value);
		return true;
	}
	if (condition == NULL)
		mips_host_write(host, size, v);
	else
		condition->made = mips_replace(host, size, mips_swap(c, condition->old, size), v);
	memory_announce_write(memory, m.gpa, size);
	fill(c, va, &m, true);
	return true;
}

static bool misaligned(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, enum mips_access access)
{
	struct mips_fault f;

	address_error(&f, access);
	raise_fault(c, i, va, &f);
	return false;
}

bool mips_load_aligned(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t *value)
{
	va = effective(c, va);
	return (va & (size - 1)) != 0 ? misaligned(c, i, va, MIPS_READ) : load_aligned(c, i, va, size, value);
}

bool mips_store_aligned(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t value)
{
	va = effective(c, va);
	return (va & (size - 1)) != 0 ? misaligned(c, i, va, MIPS_WRITE) : store_aligned(c, i, va, size, value, NULL);
}

bool mips_store_conditional(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t old,
			    uint64_t value, bool *made)
{
	const struct mips_stlb_entry *e = mips_stlb_write(c, va);
	struct condition condition = { .old = old, .made = true };
	bool ok;

	if ((va & (size - 1)) == 0 && e->tag == mips_stlb_key(c, va, size)) {
		*made = mips_replace((void *)(uintptr_t)(va + e->to_host), size, mips_swap(c, old, size),
				     mips_swap(c, value, size));
		return true;
	}
	va = effective(c, va);
	ok = (va & (size - 1)) != 0 ? misaligned(c, i, va, MIPS_WRITE)
				    : store_aligned(c, i, va, size, value, &condition);
	*made = condition.made;
	return ok;
}

/* Place in a value of `size` bytes, in bits, of the byte at address offset n. */
static unsigned byte_shift(const struct mips_cpu *c, unsigned n, unsigned size)
{
	return 8 * (c->big_endian ? size - 1 - n : n);
}

static bool load_unaligned(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t *value)
{
	uint64_t v = 0, byte;

	for (unsigned n = 0; n < size; n++) {
		if (!mips_load(c, i, va + n, 1, &byte))
			return false;
		v |= byte << byte_shift(c, n, size);
	}
	*value = v;
	return true;
}

static bool store_unaligned(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t value)
{
	uint64_t last = va + size - 1, ignored;

	/* Nothing may be stored if the second page faults. */
	if (((va ^ last) & GUEST_PAGE_MASK) != 0 && !mips_translate(c, i, last, MIPS_WRITE, &ignored))
		return false;
	for (unsigned n = 0; n < size; n++)
		if (!mips_store(c, i, va + n, 1, value >> byte_shift(c, n, size) & 0xff))
			return false;
	return true;
}

bool mips_load_slow(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t *value)
{
	va = effective(c, va);
	if ((va & (size - 1)) == 0)
		return load_aligned(c, i, va, size, value);
	return mips_has(c, MIPS_HAS_UNALIGNED) ? load_unaligned(c, i, va, size, value)
					       : misaligned(c, i, va, MIPS_READ);
}

bool mips_store_slow(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t value)
{
	va = effective(c, va);
	if ((va & (size - 1)) == 0)
		return store_aligned(c, i, va, size, value, NULL);
	return mips_has(c, MIPS_HAS_UNALIGNED) ? store_unaligned(c, i, va, size, value)
					       : misaligned(c, i, va, MIPS_WRITE);
}

static void fetch_changed(struct mips_cpu *c, uint64_t va)
{
	if (c->fetch_changed != NULL)
		c->fetch_changed(c, va);
}

void mips_stlb_flush(struct mips_cpu *c)
{
	/* All ones is MIPS_TAG_NEVER. */
	memset(c->stlbs, 0xff, sizeof(c->stlbs));
	memset(c->itlbs, 0xff, sizeof(c->itlbs));
	fetch_changed(c, ~0ull);
}

/* Forgets the entries of a table whose bits are set. */
static void forget_marked(struct mips_stlb_entry *entries, uint64_t *marks)
{
	for (unsigned n = 0; n < MIPS_STLB_ENTRIES / 64; n++) {
		for (uint64_t left = marks[n]; left != 0; left &= left - 1)
			entries[64 * n + (unsigned)__builtin_ctzll(left)].tag = MIPS_TAG_NEVER;
		marks[n] = 0;
	}
}

void mips_forget_local(struct mips_cpu *c)
{
	if (c->any_local) {
		forget_marked(c->stlbs[MIPS_KERNEL].read, c->local[0]);
		forget_marked(c->stlbs[MIPS_KERNEL].write, c->local[1]);
		c->any_local = false;
	}
	if (c->local_fetch) {
		memset(c->itlbs[MIPS_KERNEL], 0xff, sizeof(c->itlbs[MIPS_KERNEL]));
		fetch_changed(c, ~0ull);
		c->local_fetch = false;
	}
}

/* True if what is cached under a tag of a mode may come from a TLB entry. */
static bool tag_is_of(const struct mips_cpu *c, unsigned mode, uint64_t tag, const struct mips_tlb_entry *e)
{
	return ((tag ^ e->vpn2) & mips_va_mask(c) & ~e->mask) == 0 &&
	       (e->global || mode == MIPS_KERNEL || (uint8_t)(tag >> 4) == e->asid);
}

static void forget(struct mips_cpu *c, unsigned mode, struct mips_stlb_entry *slot, const struct mips_tlb_entry *e)
{
	if (tag_is_of(c, mode, slot->tag, e))
		slot->tag = MIPS_TAG_NEVER;
}

static void forget_fetch(struct mips_cpu *c, unsigned mode, struct mips_itlb *slot, const struct mips_tlb_entry *e)
{
	uint64_t tag = slot->tag;

	if (tag == MIPS_TAG_NEVER || !tag_is_of(c, mode, tag, e))
		return;
	slot->tag = MIPS_TAG_NEVER;
	fetch_changed(c, tag & GUEST_PAGE_MASK);
}

void mips_stlb_flush_entry(struct mips_cpu *c, const struct mips_tlb_entry *e)
{
	uint64_t pages = (e->mask + 1) >> 12;

	for (unsigned mode = 0; mode < MIPS_MODES; mode++) {
		struct mips_stlb *stlb = &c->stlbs[mode];

		/* A large entry has several pages for a place in the table: each place is looked at once. */
		for (uint64_t n = 0; n < pages && n < MIPS_STLB_ENTRIES; n++) {
			unsigned index = mips_stlb_index(e->vpn2 + (n << 12));

			forget(c, mode, &stlb->read[index], e);
			forget(c, mode, &stlb->write[index], e);
		}
		for (uint64_t n = 0; n < pages && n < MIPS_ITLB_ENTRIES; n++)
			forget_fetch(c, mode, &c->itlbs[mode][((e->vpn2 >> 12) + n) % MIPS_ITLB_ENTRIES], e);
	}
}

static bool leads_to(const struct mips_stlb_entry *e, uint64_t host)
{
	return (e->tag & GUEST_PAGE_MASK) + e->to_host == host;
}

#define PROTECT_STEP 8u

/* Any of several entries: without a branch for each, as nearly all are of other pages. */
static bool any_leads_to(const struct mips_stlb_entry *e, uint64_t host)
{
	bool any = false;

	for (unsigned n = 0; n < PROTECT_STEP; n++)
		any |= leads_to(&e[n], host);
	return any;
}

/* Stores of a vCPU to a page take the slow path from now on. */
static void protect(struct mips_cpu *c, uint64_t gpa)
{
	uint64_t host = (uint64_t)(uintptr_t)memory_borrow(&c->vcpu.vm->memory, gpa & GUEST_PAGE_MASK, GUEST_PAGE_SIZE);

	for (unsigned mode = 0; mode < MIPS_MODES; mode++)
		for (unsigned n = 0; n < MIPS_STLB_ENTRIES; n += PROTECT_STEP) {
			struct mips_stlb_entry *e = &c->stlbs[mode].write[n];

			if (!any_leads_to(e, host))
				continue;
			for (unsigned k = 0; k < PROTECT_STEP; k++)
				if (leads_to(&e[k], host))
					e[k].tag = MIPS_TAG_NEVER;
		}
}

void mips_mark_code(struct vm *vm, uint64_t gpa)
{
	if (memory_is_code(&vm->memory, gpa))
		return;
	memory_mark_code(&vm->memory, gpa, true);
	smp_stop_others(vm);
	for (unsigned n = 0; n < vm->nr_vcpus; n++)
		protect(mips_cpu(vm->vcpus[n]), gpa);
	smp_resume_others(vm);
}

void mips_watch_update(struct mips_cpu *c)
{
	uint64_t any = 0;

	for (unsigned n = 0; n < c->model->watches; n++)
		any |= c->cp0.watchlo[n];
	c->watch_data = (any & (WATCHLO_R | WATCHLO_W)) != 0;
	c->watch_fetch = (any & WATCHLO_I) != 0;
	if (c->watch_data || c->watch_fetch)
		mips_stlb_flush(c); /* while watching, nothing is cached */
}

bool mips_watch_hit(struct mips_cpu *c, uint64_t va, enum mips_access access)
{
	static const uint32_t kind[] = { [MIPS_READ] = WATCHLO_R, [MIPS_WRITE] = WATCHLO_W, [MIPS_FETCH] = WATCHLO_I };
	uint8_t asid = (uint8_t)(c->cp0.entryhi & ENTRYHI_ASID);
	bool hit = false;

	for (unsigned n = 0; n < c->model->watches; n++) {
		uint64_t lo = c->cp0.watchlo[n], ignore = (c->cp0.watchhi[n] & WATCHHI_MASK) | 7;
		bool in_space = (c->cp0.watchhi[n] & WATCHHI_G) || (uint8_t)(c->cp0.watchhi[n] >> 16) == asid;

		if ((lo & kind[access]) == 0 || !in_space || ((lo ^ va) & ~ignore) != 0)
			continue;
		c->cp0.watchhi[n] |= kind[access]; /* I, R and W have the same places as in WatchLo */
		hit = true;
	}
	return hit;
}
