/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-on-demand/on_demand.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c arch/mips64/guest/octeon/octeon.c */
/* The TLB of any size against one that searches: every instruction, page size and kind of entry, in random order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/tlb.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/mips_fixture.h"

#define SIZES 9u
#define PAGE  4096u
#define MAX   MIPS_TLB_MAX

/* The model: what was written, in the registers' own format, and nothing to find it by. */
struct line {
	uint64_t entryhi, lo[2], pair; /* pair: address bits inside it */
	bool present;
};

struct reference {
	struct line lines[MAX];
	unsigned count, wired;
};

struct rig {
	struct fixture *f;
	struct mips_cpu *c;
	struct reference *r;
	uint64_t seed, va_mask;
};

static uint64_t any(struct rig *g)
{
	g->seed = g->seed * 6364136223846793005ull + 1442695040888963407ull;
	return g->seed >> 33 ^ g->seed << 31;
}

static unsigned below(struct rig *g, unsigned limit)
{
	return (unsigned)(any(g) >> 8) % limit;
}

static bool one_in(struct rig *g, unsigned n)
{
	return below(g, n) == 0;
}

static struct rig *rig_new(unsigned entries, uint64_t seed)
{
	struct rig *g = calloc(1, sizeof(*g));

	g->f = fixture_new();
	g->c = g->f->cpu;
	g->r = calloc(1, sizeof(*g->r));
	g->r->count = entries;
	g->seed = seed;
	g->f->model.tlb_entries = entries;
	assert_int_equal(mips_reset(g->c, &g->f->model), 0);
	g->c->cp0.ebase = 0xffffffff80000000ull;
	mips_set_status(g->c, STATUS_KX | STATUS_SX | STATUS_UX | STATUS_CU0);
	mips_cp0_write(g->c, 5, 1, PAGEGRAIN_RIE | PAGEGRAIN_XIE | PAGEGRAIN_ELPA);
	g->va_mask = mips_va_mask(g->c) & ~0x1fffull;
	return g;
}

static void rig_free(struct rig *g)
{
	fixture_free(g->f);
	free(g->r);
	free(g);
}

/* The reference's rules. */

static bool is_global(const struct line *l)
{
	return (l->lo[0] & l->lo[1] & LO_G) != 0;
}

static bool is_usable(const struct line *l)
{
	return l->present && ((l->lo[0] | l->lo[1]) & LO_V) != 0;
}

static bool same_space(const struct line *l, uint64_t entryhi)
{
	return is_global(l) || ((l->entryhi ^ entryhi) & ENTRYHI_ASID) == 0;
}

/* One without a valid page hides no other. */
static const struct line *reference_find(const struct rig *g, uint64_t va, uint64_t asid)
{
	const struct line *found = NULL;

	for (unsigned n = 0; n < g->r->count; n++) {
		const struct line *l = &g->r->lines[n];

		if (l->present && ((l->entryhi ^ va) & g->va_mask & ~l->pair) == 0 && same_space(l, asid) &&
		    (found == NULL || (is_usable(l) && !is_usable(found))))
			found = l;
	}
	return found;
}

static bool reference_conflicts(const struct rig *g, unsigned index, const struct line *new)
{
	for (unsigned n = 0; n < g->r->count; n++) {
		const struct line *l = &g->r->lines[n];

		if (n != index && is_usable(l) && is_usable(new) &&
		    ((l->entryhi ^ new->entryhi) & g->va_mask & ~l->pair & ~new->pair) == 0 &&
		    (is_global(new) || same_space(l, new->entryhi)))
			return true;
	}
	return false;
}

/* Random material: few places, so that entries meet. */

static uint64_t any_va(struct rig *g)
{
	static const uint64_t regions[] = {
		0, 0, 0, 0x4000000000000000ull, 0xc000000000000000ull, 0xffffffffc0000000ull
	};
	uint64_t region = regions[below(g, 6)], spread = one_in(g, 3)   ? 0x3fffffffull
							 : one_in(g, 2) ? 0x3fffffull
									: 0xffffull;

	return region | (any(g) & spread);
}

static uint64_t any_lo(struct rig *g, uint64_t flags)
{
	uint64_t lo = ENTRYLO(any(g) & (FIXTURE_RAM - PAGE), flags);

	if (!one_in(g, 4))
		lo |= LO_V;
	if (one_in(g, 2))
		lo |= LO_D;
	if (one_in(g, 8))
		lo |= ENTRYLO_RI;
	if (one_in(g, 8))
		lo |= ENTRYLO_XI;
	return lo;
}

static struct line any_line(struct rig *g, bool usable)
{
	unsigned size = one_in(g, 3) ? below(g, SIZES) : one_in(g, 4) ? 4 : 0;
	uint64_t global = one_in(g, 4) ? LO_G : 0;
	struct line l = { .pair = (0x2000ull << 2 * size) - 1, .present = usable || !one_in(g, 16) };

	l.entryhi = (any_va(g) & g->va_mask) | below(g, 4);
	l.lo[0] = any_lo(g, global | (usable ? LO_V : 0));
	l.lo[1] = any_lo(g, one_in(g, 16) ? LO_G : global);
	return l;
}

static void put_registers(struct rig *g, const struct line *l)
{
	mips_cp0_write(g->c, 5, 0, l->pair & ~0x1fffull);
	mips_cp0_write(g->c, 10, 0, l->entryhi | (l->present ? 0 : ENTRYHI_EHINV));
	mips_cp0_write(g->c, 2, 0, l->lo[0]);
	mips_cp0_write(g->c, 3, 0, l->lo[1]);
}

/* Operations: each on both, with the same outcome. */

static unsigned next_random(struct rig *g)
{
	uint32_t state = g->c->tlb.random;
	unsigned index = mips_tlb_random(g->c);

	g->c->tlb.random = state;
	assert_in_range(index, g->r->wired, g->r->count - 1);
	return index;
}

static void write_line(struct rig *g, bool usable)
{
	struct line l = any_line(g, usable);
	bool at_random = one_in(g, 2), conflicts, done;
	unsigned index = at_random ? next_random(g) : below(g, g->r->count);

	conflicts = reference_conflicts(g, index, &l);
	put_registers(g, &l);
	mips_cp0_write(g->c, 0, 0, index);
	g->c->cp0.status &= ~STATUS_TS;
	done = at_random ? mips_tlbwr(g->c) : mips_tlbwi(g->c);
	assert_int_equal(done, !conflicts);
	assert_int_equal((g->c->cp0.status & STATUS_TS) != 0, conflicts);
	if (done)
		g->r->lines[index] = l;
}

static void probe(struct rig *g)
{
	uint64_t entryhi = (any_va(g) & ~0x1fffull) | below(g, 4);
	const struct line *l = reference_find(g, entryhi, entryhi);

	mips_cp0_write(g->c, 10, 0, entryhi);
	mips_tlbp(g->c);
	if (l == NULL)
		assert_true((g->c->cp0.index & INDEX_P) != 0);
	else
		assert_int_equal(g->c->cp0.index, l - g->r->lines);
}

static uint64_t expected_lo(const struct line *l, unsigned n)
{
	uint64_t page = l->pair >> 1 >> 12 << 6; /* PFN bits inside the page read as 0 */

	return (l->lo[n] & ~page & ~LO_G) | (is_global(l) ? LO_G : 0);
}

static void read_line(struct rig *g)
{
	unsigned index = below(g, g->r->count);
	const struct line *l = &g->r->lines[index];

	mips_cp0_write(g->c, 0, 0, index);
	mips_tlbr(g->c);
	assert_int_equal((g->c->cp0.entryhi & ENTRYHI_EHINV) == 0, l->present);
	assert_int_equal(g->c->cp0.entryhi & ~ENTRYHI_EHINV,
			 (l->entryhi & g->va_mask & ~l->pair) | (l->entryhi & ENTRYHI_ASID));
	assert_int_equal(g->c->cp0.pagemask, l->pair & ~0x1fffull);
	assert_int_equal(g->c->cp0.entrylo[0], expected_lo(l, 0));
	assert_int_equal(g->c->cp0.entrylo[1], expected_lo(l, 1));
}

static enum mips_tlb_result expected_result(const struct line *l, uint64_t va, enum mips_access access, uint64_t *gpa)
{
	uint64_t in_page = l == NULL ? 0 : l->pair >> 1, lo;

	if (l == NULL)
		return MIPS_TLB_MISS;
	lo = l->lo[(va & (in_page + 1)) != 0];
	*gpa = ((lo >> 6 << 12 & 0xffffffffffull) & ~in_page) | (va & in_page);
	if ((lo & LO_V) == 0)
		return MIPS_TLB_INVALID;
	if (access == MIPS_READ && (lo & ENTRYLO_RI))
		return MIPS_TLB_RI;
	if (access == MIPS_FETCH && (lo & ENTRYLO_XI))
		return MIPS_TLB_XI;
	return access == MIPS_WRITE && (lo & LO_D) == 0 ? MIPS_TLB_MODIFIED : MIPS_TLB_HIT;
}

static void look_up(struct rig *g)
{
	enum mips_access access = (enum mips_access)below(g, 3);
	const struct mips_tlb_page *page = NULL;
	uint64_t va = any_va(g), asid = below(g, 4), gpa = 0, expected_gpa = 0;
	enum mips_tlb_result expected;

	mips_set_entryhi(g->c, asid);
	expected = expected_result(reference_find(g, va, asid), va, access, &expected_gpa);
	assert_int_equal(mips_tlb_lookup(g->c, va, access, &gpa, &page), expected);
	if (expected == MIPS_TLB_HIT)
		assert_int_equal(gpa, expected_gpa);
}

static void invalidate(struct rig *g, bool all)
{
	uint64_t asid = below(g, 4);

	mips_set_entryhi(g->c, asid);
	if (all)
		mips_tlbinvf(g->c);
	else
		mips_tlbinv(g->c);
	for (unsigned n = 0; n < g->r->count; n++) {
		struct line *l = &g->r->lines[n];

		if (all || (!is_global(l) && same_space(l, asid)))
			l->present = false;
	}
}

/* As a kernel without TLBINVF does it: every entry gets an address of its own that nobody uses. */
static void overwrite_all(struct rig *g)
{
	for (unsigned n = 0; n < g->r->count; n++) {
		struct line l = { .entryhi = 0xffffffff80000000ull + 0x2000ull * n, .pair = 0x1fff, .present = true };

		l.entryhi &= g->va_mask;
		put_registers(g, &l);
		mips_cp0_write(g->c, 0, 0, n);
		assert_true(mips_tlbwi(g->c));
		g->r->lines[n] = l;
	}
}

static void set_wired(struct rig *g)
{
	g->r->wired = below(g, g->r->count);
	mips_cp0_write(g->c, 6, 0, g->r->wired);
}

static void operate(struct rig *g)
{
	unsigned what = below(g, 100);

	if (what < 40)
		write_line(g, false);
	else if (what < 65)
		look_up(g);
	else if (what < 85)
		probe(g);
	else if (what < 98)
		read_line(g);
	else if (what < 99)
		set_wired(g);
	else if (one_in(g, 8))
		one_in(g, 8) ? overwrite_all(g) : invalidate(g, one_in(g, 4));
}

/* What the index counts must be what is there. */
static void check_counts(const struct rig *g)
{
	unsigned local[4] = { 0 }, in_class = 0, present = 0;

	for (unsigned n = 0; n < g->r->count; n++) {
		const struct line *l = &g->r->lines[n];

		present += l->present;
		if (is_usable(l) && !is_global(l))
			local[l->entryhi >> 62]++;
	}
	for (unsigned class = 0; class < MIPS_TLB_CLASSES; class ++) {
		in_class += g->c->tlb.in_class[class];
		assert_int_equal(g->c->tlb.classes >> class & 1, g->c->tlb.in_class[class] != 0);
	}
	assert_int_equal(in_class, present);
	for (unsigned region = 0; region < 4; region++)
		assert_int_equal(g->c->tlb.local_in_region[region], local[region]);
}

static void compare(unsigned entries, unsigned operations, uint64_t seed)
{
	struct rig *g = rig_new(entries, seed);

	print_message("%u entries, seed %llu\n", entries, (unsigned long long)seed);
	for (unsigned n = 0; n < operations; n++) {
		operate(g);
		if (n % 1000 == 0)
			check_counts(g);
	}
	check_counts(g);
	rig_free(g);
}

static void test_random_operations(void **state)
{
	(void)state;
	compare(64, 100000, 1);
	compare(64, 50000, 2);
	compare(100, 50000, 3); /* not a power of two */
	compare(1, 2000, 4);
	compare(1024, 30000, 5);
	compare(4096, 6000, 6);
}

/* The soft TLB must forget exactly what the entry it came from says no more. */
static void fill_ram(struct rig *g)
{
	for (uint64_t gpa = 0; gpa < FIXTURE_RAM; gpa += PAGE)
		for (unsigned n = 0; n < PAGE; n += 512) {
			uint32_t word = (uint32_t)(gpa | n);

			assert_int_equal(memory_write(&g->f->vm.memory, gpa + n, &word, 4), 0);
		}
}

static void load_or_store(struct rig *g)
{
	bool store = one_in(g, 4);
	uint64_t va = any_va(g) & ~511ull, asid = below(g, 4), gpa = ~0ull, before = g->c->exceptions;
	const struct line *l = reference_find(g, va, asid);
	enum mips_tlb_result expected = expected_result(l, va, store ? MIPS_WRITE : MIPS_READ, &gpa);

	if (expected == MIPS_TLB_HIT && (gpa >= FIXTURE_RAM || gpa >> 12 == CODE_GPA >> 12))
		return;
	mips_set_entryhi(g->c, asid);
	g->c->gpr[4] = va;
	g->c->gpr[2] = (uint32_t)gpa; /* a store leaves RAM as it was */
	fixture_exec(g->f, store ? SW(2, 0, 4) : LW(2, 0, 4));
	assert_int_equal(g->c->exceptions == before, expected == MIPS_TLB_HIT);
	if (expected == MIPS_TLB_HIT)
		assert_int_equal(g->c->gpr[2], gpa);
	mips_set_status(g->c, g->c->cp0.status & ~STATUS_EXL);
}

static void test_cached_translations_follow(void **state)
{
	struct rig *g = rig_new(64, 7);

	(void)state;
	fill_ram(g);
	for (unsigned n = 0; n < 60000; n++) {
		if (one_in(g, 8))
			write_line(g, true);
		else if (one_in(g, 2000))
			invalidate(g, one_in(g, 2));
		else
			load_or_store(g);
	}
	rig_free(g);
}

/* A large entry that goes leaves what others have cached. */
static void test_large_entry_flushes_only_itself(void **state)
{
	struct fixture *f = fixture_new();
	uint64_t large = 0x4000000;

	(void)state;
	fixture_tlb(f, 0, 0x10000, 0, 0, ENTRYLO(0x300000, LO_V | LO_D), ENTRYLO(0x400000, LO_V | LO_D));
	fixture_tlb(f, 1, large, 0, 0x1ffe000, ENTRYLO(0, LO_V), ENTRYLO(0, LO_V));
	f->cpu->gpr[4] = 0x10000;
	fixture_exec(f, LW(2, 0, 4));
	f->cpu->gpr[4] = large + 0x212000;
	fixture_exec(f, LW(2, 0, 4));
	assert_int_equal(f->cpu->exceptions, 0);
	assert_int_equal(mips_stlb_read(f->cpu, 0x10000)->tag, 0x10000);
	assert_int_equal(mips_stlb_read(f->cpu, large + 0x212000)->tag, large + 0x212000);
	fixture_tlb(f, 1, 0x800000, 0, 0, 0, 0);
	assert_int_equal(mips_stlb_read(f->cpu, 0x10000)->tag, 0x10000);
	assert_int_equal(mips_stlb_read(f->cpu, large + 0x212000)->tag, MIPS_TAG_NEVER);
	fixture_free(f);
}

static void test_reset_keeps_the_memory(void **state)
{
	struct fixture *f = fixture_new();
	struct mips_tlb_entry *entries = f->cpu->tlb.entries;

	(void)state;
	fixture_tlb(f, 63, 0x10000, 0, 0, ENTRYLO(0x300000, LO_V), 0);
	assert_int_equal(mips_reset(f->cpu, &f->model), 0);
	assert_ptr_equal(f->cpu->tlb.entries, entries);
	mips_set_entryhi(f->cpu, 0x10000);
	mips_tlbp(f->cpu);
	assert_true((f->cpu->cp0.index & INDEX_P) != 0);
	fixture_free(f);
}

/* Config1 and Config4 as decode_config4() of Linux adds them up. */
static void test_size_fields(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= MIPS_TLB_MAX; n++) {
		unsigned size = (CONFIG1_TLB(n) >> 25 & 63) + 1 + (CONFIG4_TLB(n) & 255) * 64;

		assert_int_equal(size, n);
		assert_int_equal(CONFIG4_TLB(n) >> 14, 1);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_cached_translations_follow),
		cmocka_unit_test(test_large_entry_flushes_only_itself),
		cmocka_unit_test(test_reset_keeps_the_memory),
		cmocka_unit_test(test_size_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
