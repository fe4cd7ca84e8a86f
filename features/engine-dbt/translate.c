/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of guest code: found by address, translated when they are met first, dropped when their code changes. */
#include <string.h>

#include <husk/vm.h>

#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/translate/front.h"
#include "features/engine-dbt/dbt.h"
#include "features/engine-dbt/observer.h"
#include "features/engine-dbt/pass.h"

static bool is_unmapped(uint64_t va)
{
	return va >> 62 == 2 || (va >= 0xffffffff80000000ull && va < 0xffffffffc0000000ull);
}

/* The page behind one that is translated, in which its last branch has its delay slot. */
static void find_next_page(struct mips_cpu *c, struct mips_source *source)
{
	uint64_t va = (source->pc & GUEST_PAGE_MASK) + GUEST_PAGE_SIZE;
	struct mips_mapping m;
	struct mips_fault f;

	if (!mips_resolve(c, va, MIPS_FETCH, &m, &f) || m.cvmseg || m.gpa > INT32_MAX)
		return;
	source->next_gpa = m.gpa;
	source->next_page = memory_borrow(&c->vcpu.vm->memory, m.gpa, GUEST_PAGE_SIZE);
}

/*
 * A block that was cut is left by way of the engine. Its way out to one without MAPs, linked, would lead to the whole
 * block, which exceeds the limit, and from there back to this one.
 */
static void add_exits(struct dbt *d, const struct x86_block *made, uint8_t *code, bool is_cut)
{
	struct blocks *b = &d->code->blocks;

	for (unsigned n = 0; n < made->nr_exits; n++) {
		const struct x86_exit *e = &made->exits[n];

		b->exits[b->nr_exits++] = (struct block_exit){
			.displacement = e->displacement != NULL ? code + (e->displacement - d->code->draft) : NULL,
			.unlinked = e->unlinked,
			.target = e->target,
			.linkable = e->linkable && !is_cut,
			.careful = e->careful,
			.next = EXIT_NONE,
		};
	}
}

/* Where a block counts its entries, if it is one that may be made anew. */
static int32_t heat_of(struct dbt *d, const struct block_key *key)
{
	const struct vm *vm = d->cpu.vcpu.vm;
	unsigned n = d->code->blocks.nr_blocks % DBT_HEAT;

	if (d->shape == NULL || d->counted || key->max != 0 || (key->mode & BLOCK_CAREFUL) != 0)
		return 0;
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		dbt_of(vm, i)->heat[n] = d->shape->hot_after;
	return (int32_t)(offsetof(struct dbt, heat) + n * sizeof(d->heat[0]));
}

/*
 * Code is made elsewhere and comes to its place in few stores: CPUs, those in software above all, take pains over each
 * one to a page that they have fetched from (SDM 3A, 11.6). Up to 7 bytes more are moved, for which there is room.
 */
static void move_code(uint8_t *to, const uint8_t *from, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, from + done, sizeof(word));
		memcpy(to + done, &word, sizeof(word));
	}
}

/* For begins(): other blocks of a page, those of the same mode. */
struct others {
	const struct blocks *blocks;
	struct block_key key; /* of some block there */
};

static bool begins(const void *ctx, uint64_t pc)
{
	const struct others *o = ctx;
	struct block_key key = o->key;

	key.gpa = (key.gpa & GUEST_PAGE_MASK) | (pc & ~GUEST_PAGE_MASK);
	key.pc = pc;
	return blocks_find(o->blocks, &key) != BLOCK_NONE;
}

/* A block that follows a path is made for good; others count how often they are entered. There is room. */
static uint32_t translate(struct dbt *d, const struct block_key *key, const uint8_t *page, const uint64_t *path,
			  unsigned nr_path)
{
	struct mips_cpu *c = &d->cpu;
	struct dbt_code *all = d->code;
	struct blocks *b = &all->blocks;
	const struct others others = { .blocks = b, .key = *key };
	struct mips_source source = { .cpu = c,
				      .pc = key->pc,
				      .page = page,
				      .fixed_mapping = is_unmapped(key->pc),
				      .max_insns = key->max,
				      .several = all->runtime.atomics != NULL,
				      .through_branches = d->shape != NULL && d->shape->through_branches,
				      .path = path,
				      .nr_path = nr_path,
				      .begins = key->max == 0 ? begins : NULL,
				      .begins_ctx = &others,
				      .pairs = (key->mode & BLOCK_CAREFUL) == 0,
				      .breakpoints = &d->breakpoints };
	int32_t tlb = (int32_t)(offsetof(struct mips_cpu, stlbs) + (size_t)c->mode * sizeof(c->stlbs[0]));
	struct x86_block made = {
		.ir = all->ir,
		.tlb_read = tlb + (int32_t)offsetof(struct mips_stlb, read),
		.tlb_write = tlb + (int32_t)offsetof(struct mips_stlb, write),
		.fetch_tlb = (int32_t)(offsetof(struct mips_cpu, itlbs) + (size_t)c->mode * sizeof(c->itlbs[0])),
		.has_tag_key = c->mode != MIPS_KERNEL,
		.big_endian = c->big_endian,
		/* A careful block goes round once, and on as usual. */
		.loops = d->shape != NULL && d->shape->loops && (key->mode & BLOCK_CAREFUL) == 0,
	};
	struct x86_asm a;
	struct block block;
	uint8_t *code;
	size_t bytes;

	made.heat = path == NULL ? heat_of(d, key) : 0;
	mips_mark_code(c->vcpu.vm, key->gpa);
	source.insns = &all->insns[all->next_insn];
	find_next_page(c, &source);
	mips_translate_block(&source, all->ir);
	/* Where it was cut at a branch it has the delay slot, too, and stops behind it. Blocks that follow do not. */
	if (key->max != 0 && all->ir->nr_insns > key->max)
		all->ir->nr_insns = key->max;
	if ((key->mode & BLOCK_CAREFUL) == 0)
		dbt_run_passes(all->ir, all->pass_work);
	all->next_insn += source.nr_insns;
	made.first_exit = b->nr_exits;
	code = b->next;
	a = (struct x86_asm){ .write = all->draft,
			      .end = all->draft + X86_BLOCK_MAX_BYTES,
			      .to_execute = b->arena.execute + (code - b->arena.write) - all->draft };
	x86_lower(&all->runtime, all->lowering, &a, &made);
	bytes = (size_t)(a.write - all->draft);
	move_code(code, all->draft, bytes);
	b->next = code + (bytes + 7) / 8 * 8;
	dbt_tell_emitted(&(struct dbt_unit){ .vm = c->vcpu.vm,
					     .pc = key->pc,
					     .gpa = key->gpa,
					     .guest_bytes = all->ir->guest_bytes,
					     .code = b->arena.execute + (code - b->arena.write),
					     .bytes = bytes });
	b->counts.bytes += bytes;
	block = (struct block){ .key = *key,
				.code = made.code,
				.insns = all->ir->nr_insns,
				.first = key->gpa - (key->pc - all->ir->first),
				.bytes = all->ir->guest_bytes,
				.first_exit = made.first_exit,
				.nr_exits = made.nr_exits,
				.hot = path != NULL };
	add_exits(d, &made, code, key->max != 0);
	return blocks_add(b, &block);
}

bool dbt_fetch_address(struct mips_cpu *c, uint64_t va, uint64_t *gpa)
{
	struct mips_itlb *slot = &c->itlb[(va >> GUEST_PAGE_SHIFT) % MIPS_ITLB_ENTRIES];
	uint64_t tag = (va & GUEST_PAGE_MASK) | c->asid_key;

	if (slot->tag == tag && (va & 3) == 0) {
		*gpa = slot->gpa | (va & ~GUEST_PAGE_MASK);
		return true;
	}
	if (!mips_translate_fetch(c, va, false, va, gpa))
		return false;
	/* Nothing changes there but with a change of mode that forgets all. */
	if (is_unmapped(va))
		return true;
	/* What the jump cache holds of a page is known to be valid by the page's entry here. */
	if (slot->tag != MIPS_TAG_NEVER)
		dbt_forget_jumps(dbt(c), slot->tag);
	*slot = (struct mips_itlb){ .tag = tag, .gpa = *gpa & GUEST_PAGE_MASK };
	return true;
}

/* The block of a key, made if there is none; `link` leads to it from now on, unless all were dropped meanwhile. */
static uint32_t make_block(struct dbt *d, const struct block_key *key, const uint8_t *page, uint32_t link)
{
	struct vm *vm = d->cpu.vcpu.vm;
	struct blocks *b = &d->code->blocks;
	uint64_t flushes = b->counts.flushes;
	uint32_t n;

	smp_lock(&vm->memory.code_lock);
	n = blocks_find(b, key);
	if (n == BLOCK_NONE) {
		d->counts.misses++;
		dbt_make_room(vm);
		n = blocks_find(b, key);
	}
	if (n == BLOCK_NONE)
		n = translate(d, key, page, NULL, 0);
	if (link != EXIT_NONE && flushes == b->counts.flushes)
		d->linking->link(b, link, n);
	smp_unlock(&vm->memory.code_lock);
	return n;
}

uint32_t dbt_block_at_pc(struct mips_cpu *c, bool careful, uint32_t max, uint32_t link)
{
	struct dbt *d = dbt(c);
	struct block_key key = { .pc = c->pc, .mode = c->code_mode | (careful ? BLOCK_CAREFUL : 0), .max = max };
	const uint8_t *page;
	uint32_t n;

	d->counts.lookups++;
	if (!dbt_fetch_address(c, c->pc, &key.gpa))
		return BLOCK_NONE;
	n = blocks_find(&d->code->blocks, &key);
	if (n == BLOCK_NONE || link != EXIT_NONE) {
		page = memory_borrow(&c->vcpu.vm->memory, key.gpa & GUEST_PAGE_MASK, GUEST_PAGE_SIZE);
		if (page == NULL) {
			mips_take(c, c->pc, false, EXC_IBE, false);
			return BLOCK_NONE;
		}
		n = make_block(d, &key, page, link);
	}
	if (!careful && max == 0 && d->jump_ops != NULL)
		d->jump_ops->remember(&d->jumps, c->pc, c->fetch_key, d->code->blocks.blocks[n].code);
	return n;
}

/* Another one takes the place of a block, if that is not made along a way yet. */
static void replace(struct dbt *d, const struct block_key *key, const uint8_t *page, const uint64_t *path,
		    unsigned nr_path)
{
	struct vm *vm = d->cpu.vcpu.vm;
	struct blocks *b = &d->code->blocks;
	uint32_t n;

	smp_lock(&vm->memory.code_lock);
	dbt_make_room(vm);
	n = blocks_find(b, key);
	if (n != BLOCK_NONE && !b->blocks[n].hot) {
		d->counts.hot++;
		blocks_retire(b, n);
		dbt_dropped(vm, &b->blocks[n]);
		translate(d, key, page, path, nr_path);
	}
	smp_unlock(&vm->memory.code_lock);
}

void dbt_follow_path(struct mips_cpu *c)
{
	struct dbt *d = dbt(c);
	struct block_key key = { .pc = c->pc, .mode = c->code_mode };
	uint64_t path[DBT_MAX_PATH];
	const uint8_t *page;
	unsigned nr_path;
	uint32_t n;

	if (mips_breakpoint_at(&d->breakpoints, c->pc) || !dbt_fetch_address(c, c->pc, &key.gpa))
		return;
	n = blocks_find(&d->code->blocks, &key);
	if (n != BLOCK_NONE)
		d->heat[n % DBT_HEAT] = UINT32_MAX;
	nr_path = d->shape->follow(d, path);
	page = memory_borrow(&c->vcpu.vm->memory, key.gpa & GUEST_PAGE_MASK, GUEST_PAGE_SIZE);
	/* Code is translated for the mode that the guest is in. */
	if (page != NULL && c->code_mode == key.mode)
		replace(d, &key, page, path, nr_path);
}
