/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Engine `dbt`: guest code is translated in blocks, cached by address and linked.
 * This file runs them: it finds or makes the block for a guest address, enters it,
 * and links the exit it comes back by.
 */
#include <errno.h>
#include <string.h>

#include <config/CODE_CACHE_MB.h>
#include <husk/engine.h>
#include <husk/feature.h>
#include <husk/log.h>
#include <husk/monitor.h>
#include <husk/vm.h>

#include "arch/mips64/guest/branch.h"
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/pending.h"
#include "arch/mips64/guest/registers.h"
#include "arch/mips64/translate/front.h"
#include "arch/x86_64/emit/lower.h"
#include "features/engine-dbt/blocks.h"
#include "features/engine-dbt/observer.h"
#include "features/engine-dbt/part.h"
#include "features/engine-dbt/pass.h"
#include "features/engine-dbt/step.h"

/** A vCPU of this engine. */
struct dbt {
	struct mips_cpu cpu;                   /* first: the architecture's view */
	_Alignas(16) uint64_t addends[256][2]; /**< addends for the count of instructions */
	_Alignas(16) struct x86_fp_masks fp_masks;
	uint64_t spill[IR_MAX_VARS];
	struct x86_jump_cache jumps; /**< here, so that code reaches it; of use with jump_ops only */
	const struct dbt_linking *linking;
	const struct dbt_jumps *jump_ops;
	const struct dbt_shape *shape;
	bool code_changed; /**< a store dropped a block */
	bool counted;      /**< the timer model counts instructions */
	uint32_t partial;  /**< `counted`: instructions of the running block up to the one that a helper executes */
	uint64_t limit;    /**< `counted`: blocks that might exceed it leave when they are entered */
	struct mips_breakpoints breakpoints;
	struct blocks blocks;
	struct x86_runtime runtime;
	struct x86_lowering *lowering;
	struct ir_block *ir;
	void *pass_work;
	struct mips_insn *insns; /**< pool of instructions that helpers execute */
	uint32_t next_insn, max_insns;
	struct {
		uint64_t entries, steps, cuts, lookups, helper_loads, helper_stores, execs;
	} counts;
};

static struct dbt *dbt(struct mips_cpu *c)
{
	return (struct dbt *)c;
}

/* --- parts that the image may lack */

static void forget_jumps(struct dbt *d, uint64_t va)
{
	if (d->jump_ops != NULL)
		d->jump_ops->forget(&d->jumps, va);
}

/* A block's code changed: nobody may jump to it any more. */
static void dropped(void *ctx, struct block *b)
{
	struct dbt *d = ctx;

	if (d->linking != NULL)
		d->linking->unlink(&d->blocks, b);
	if (d->jump_ops != NULL)
		d->jump_ops->forget_code(&d->jumps, b->key.pc, b->code);
}

static void find_parts(struct dbt *d)
{
	d->linking = dbt_part(DBT_LINKING);
	d->jump_ops = dbt_part(DBT_JUMPS);
	d->shape = dbt_part(DBT_SUPERBLOCKS);
	d->runtime.jumps = d->jump_ops != NULL ? d->jump_ops->code : NULL;
	d->blocks.dropped = dropped;
	d->blocks.dropped_ctx = d;
}

static void fetch_changed(struct mips_cpu *c, uint64_t va)
{
	forget_jumps(dbt(c), va);
	if (dbt(c)->counted)
		plat_kick(&c->vcpu.attention, ATTN_IRQ); /* the next instruction is fetched anew */
}

/* --- helpers of translated code */

static const struct mips_insn somewhere[2];

/* Tells the exception code where it is: at `where`, see X86_IN_SLOT. */
static void set_place(struct mips_cpu *c, const struct mips_insn *i, uint64_t where)
{
	c->insns = i;
	c->page_va = where & ~(uint64_t)X86_IN_SLOT;
	c->delay = (where & X86_IN_SLOT) != 0 ? i - 1 : NULL;
}

/* While a helper is at work, the count includes what the block has done so far, if that is to be exact. */
static void begin_helper(struct mips_cpu *c, const struct mips_insn *i, uint64_t where)
{
	struct dbt *d = dbt(c);

	d->code_changed = false;
	if (d->counted)
		c->vcpu.instructions += d->partial;
	set_place(c, i, where);
}

static void end_helper(struct mips_cpu *c)
{
	struct dbt *d = dbt(c);

	c->delay = NULL;
	if (!d->counted)
		return;
	c->vcpu.instructions -= d->partial; /* whoever leaves adds it */
	if (vcpu_attention(&c->vcpu) != 0)
		d->limit = 0; /* where control cannot leave behind this instruction, no other block begins */
}

static uint64_t extend(uint64_t v, uint64_t kind)
{
	switch (kind) {
	case 1 | X86_SIGNED: return (uint64_t)(int64_t)(int8_t)v;
	case 2 | X86_SIGNED: return (uint64_t)(int64_t)(int16_t)v;
	case 4 | X86_SIGNED: return (uint64_t)(int64_t)(int32_t)v;
	default: return v;
	}
}

/* How a helper leaves that took an exception: to where it went, unless somebody waits for the engine. */
static uint64_t leave(struct mips_cpu *c)
{
	bool out = dbt(c)->counted || c->waiting || vcpu_attention(&c->vcpu) != 0 || c->watch_fetch ||
		   mips_interrupt_pending(c) || (c->cp0.cause & CAUSE_WP) != 0;

	return X86_LEAVE | (out ? X86_OUT : 0);
}

static struct x86_result helper_load(void *cpu, uint64_t va, uint64_t where, uint64_t kind)
{
	struct mips_cpu *c = cpu;
	unsigned size = (unsigned)kind & 15;
	uint64_t value = 0;
	bool ok;

	dbt(c)->counts.helper_loads++;
	begin_helper(c, &somewhere[1], where);
	if (kind & X86_ALIGNED)
		ok = mips_load_aligned(c, &somewhere[1], va, size, &value);
	else
		ok = mips_load_slow(c, &somewhere[1], va, size, &value);
	end_helper(c);
	return (struct x86_result){ .value = extend(value, kind & ~(uint64_t)X86_ALIGNED), .leave = ok ? 0 : leave(c) };
}

/*
 * Ends the block behind an instruction that changed translated code, which the block may be made of, or that asks for
 * attention while instructions are counted.
 */
static uint64_t leave_if_changed(struct mips_cpu *c, uint64_t where)
{
	bool attention = dbt(c)->counted && vcpu_attention(&c->vcpu) != 0;

	if (!(dbt(c)->code_changed || attention) || (where & X86_IN_SLOT) != 0)
		return 0;
	c->pc = where + 4;
	return leave(c);
}

static uint64_t helper_store(void *cpu, uint64_t va, uint64_t where, uint64_t value, uint64_t size)
{
	struct mips_cpu *c = cpu;
	bool ok;

	dbt(c)->counts.helper_stores++;
	begin_helper(c, &somewhere[1], where);
	ok = mips_store_slow(c, &somewhere[1], va, (unsigned)size, value);
	end_helper(c);
	return ok ? leave_if_changed(c, where) : leave(c);
}

static uint64_t helper_exec(void *cpu, const void *insn, uint64_t where)
{
	struct mips_cpu *c = cpu;
	const struct mips_insn *i = insn, *next;
	uint64_t exceptions = c->exceptions;
	uint32_t mode = c->code_mode;

	dbt(c)->counts.execs++;
	begin_helper(c, i, where);
	next = i->exec(c, i);
	end_helper(c);
	if (next != NULL && mode == c->code_mode)
		return leave_if_changed(c, where);
	if (next != NULL)
		c->pc = where + 4; /* the front end lets nothing stand in a delay slot that changes the mode */
	else if (c->exceptions != exceptions)
		return leave(c);
	/* It may have asked for a look at what was let through: if there is nothing, the block goes on. */
	if (mode == c->code_mode && c->pc == where + 4 && leave(c) == X86_LEAVE)
		return leave_if_changed(c, where);
	return leave(c);
}

/* The interpreter's functions keep FCSR exact, and leave anything in MXCSR's flags. */
static uint64_t helper_exec_fp(void *cpu, const void *insn, uint64_t where)
{
	struct mips_cpu *c = cpu;
	uint64_t result;

	if (c->fpu.settle != NULL)
		c->fpu.settle(c);
	result = helper_exec(cpu, insn, where);
	x86_clear_fp_flags();
	return result;
}

/* Execution functions that jump (ERET) leave translated code. */
const struct mips_insn *mips_jump(struct mips_cpu *c, uint64_t va)
{
	c->delay = NULL;
	c->pc = va;
	return NULL;
}

/* --- blocks */

static void code_written(void *ctx, uint64_t gpa, uint64_t size)
{
	struct dbt *d = ctx;

	while (size != 0) {
		uint64_t part = GUEST_PAGE_SIZE - (gpa & ~GUEST_PAGE_MASK);

		part = part < size ? part : size;
		if (blocks_invalidate(&d->blocks, gpa, part) != 0) {
			d->code_changed = true;
			if (!blocks_in_page(&d->blocks, gpa))
				memory_mark_code(&d->cpu.vcpu.vm->memory, gpa, false);
		}
		gpa += part;
		size -= part;
	}
}

static void flush_blocks(struct dbt *d)
{
	struct memory *memory = &d->cpu.vcpu.vm->memory;

	for (uint32_t n = 0; n < d->blocks.nr_blocks; n++)
		memory_mark_code(memory, d->blocks.blocks[n].key.gpa, false);
	blocks_flush(&d->blocks);
	d->next_insn = 0;
	forget_jumps(d, ~0ull);
	dbt_tell_flushed(d->cpu.vcpu.vm);
}

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

static void add_exits(struct dbt *d, const struct x86_block *made)
{
	struct blocks *b = &d->blocks;

	for (unsigned n = 0; n < made->nr_exits; n++)
		b->exits[b->nr_exits++] = (struct block_exit){
			.displacement = made->exits[n].displacement,
			.unlinked = made->exits[n].unlinked,
			.target = made->exits[n].target,
			.linkable = made->exits[n].linkable,
			.careful = made->exits[n].careful,
			.next = EXIT_NONE,
		};
}

static uint32_t translate(struct dbt *d, const struct block_key *key, const uint8_t *page)
{
	struct mips_cpu *c = &d->cpu;
	struct blocks *b = &d->blocks;
	struct mips_source source = { .cpu = c,
				      .pc = key->pc,
				      .page = page,
				      .fixed_mapping = is_unmapped(key->pc),
				      .max_insns = key->max,
				      .through_branches = d->shape != NULL && d->shape->through_branches,
				      .breakpoints = &d->breakpoints };
	int32_t tlb = (int32_t)(offsetof(struct mips_cpu, stlbs) + (size_t)c->mode * sizeof(c->stlbs[0]));
	struct x86_block made = {
		.ir = d->ir,
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

	if (!blocks_have_room(b, X86_BLOCK_MAX_BYTES, X86_MAX_EXITS) || d->max_insns - d->next_insn < MIPS_BLOCK_INSNS)
		flush_blocks(d);
	source.insns = &d->insns[d->next_insn];
	find_next_page(c, &source);
	mips_translate_block(&source, d->ir);
	if ((key->mode & BLOCK_CAREFUL) == 0)
		dbt_run_passes(d->ir, d->pass_work);
	d->next_insn += source.nr_insns;
	made.first_exit = b->nr_exits;
	a = (struct x86_asm){ .write = b->next,
			      .end = b->arena.write + b->arena.size,
			      .to_execute = b->arena.execute - b->arena.write };
	x86_lower(&d->runtime, d->lowering, &a, &made);
	dbt_tell_emitted(&(struct dbt_unit){ .vm = c->vcpu.vm,
					     .pc = key->pc,
					     .gpa = key->gpa,
					     .guest_bytes = d->ir->guest_bytes,
					     .code = b->arena.execute + (b->next - b->arena.write),
					     .bytes = (size_t)(a.write - b->next) });
	b->counts.bytes += (uint64_t)(a.write - b->next);
	b->next = a.write;
	block = (struct block){ .key = *key,
				.code = made.code,
				.insns = d->ir->nr_insns,
				.bytes = d->ir->guest_bytes,
				.first_exit = made.first_exit,
				.nr_exits = made.nr_exits };
	add_exits(d, &made);
	if (!memory_is_code(&c->vcpu.vm->memory, key->gpa)) {
		memory_mark_code(&c->vcpu.vm->memory, key->gpa, true);
		mips_stlb_protect(c, key->gpa);
	}
	return blocks_add(b, &block);
}

/* Physical address of the code at va; false if the fetch took an exception. Remembered by page. */
static bool fetch_address(struct mips_cpu *c, uint64_t va, uint64_t *gpa)
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
		forget_jumps(dbt(c), slot->tag);
	*slot = (struct mips_itlb){ .tag = tag, .gpa = *gpa & GUEST_PAGE_MASK };
	return true;
}

/* The block at c->pc, cut to `max` instructions if that is not 0, or BLOCK_NONE after an exception. */
static uint32_t block_at_pc(struct mips_cpu *c, bool careful, uint32_t max)
{
	struct dbt *d = dbt(c);
	struct block_key key = { .pc = c->pc, .mode = c->code_mode | (careful ? BLOCK_CAREFUL : 0), .max = max };
	const uint8_t *page;
	uint32_t n;

	d->counts.lookups++;
	if (!fetch_address(c, c->pc, &key.gpa))
		return BLOCK_NONE;
	n = blocks_find(&d->blocks, &key);
	if (n == BLOCK_NONE) {
		page = memory_borrow(&c->vcpu.vm->memory, key.gpa & GUEST_PAGE_MASK, GUEST_PAGE_SIZE);
		if (page == NULL) {
			mips_take(c, c->pc, false, EXC_IBE, false);
			return BLOCK_NONE;
		}
		n = translate(d, &key, page);
	}
	if (!careful && max == 0 && d->jump_ops != NULL)
		d->jump_ops->remember(&d->jumps, c->pc, c->fetch_key, d->blocks.blocks[n].code);
	return n;
}

/* --- running */

_Static_assert(sizeof(struct x86_fetch_entry) == sizeof(struct mips_itlb) &&
		       offsetof(struct x86_fetch_entry, gpa) == offsetof(struct mips_itlb, gpa),
	       "generated code reads struct mips_itlb");
_Static_assert(sizeof(struct x86_fp_last) == sizeof(struct mips_fp_last) &&
		       offsetof(struct x86_fp_last, note) == offsetof(struct mips_fp_last, note),
	       "generated code writes struct mips_fp_last");

static void stop_at_breakpoint(struct mips_cpu *c)
{
	set_place(c, &somewhere[1], c->pc);
	mips_stop_for_debugger(c, &somewhere[1], DEBUG_BREAKPOINT, c->pc);
}

/* A branch at the end of a page: the check of the next one wants to find it. */
static void touch_next_page(struct mips_cpu *c)
{
	uint64_t va = c->pc + 4, gpa;
	struct mips_mapping m;
	struct mips_fault f;

	if ((va & ~GUEST_PAGE_MASK) == 0 && mips_resolve(c, va, MIPS_FETCH, &m, &f))
		fetch_address(c, va, &gpa);
}

static void step_insn(struct dbt *d)
{
	struct mips_cpu *c = &d->cpu;

	d->counts.steps++;
	touch_next_page(c);
	if (c->fpu.settle != NULL)
		c->fpu.settle(c);
	dbt_step_insn(c);
	x86_clear_fp_flags();
}

static bool is_free(const struct mips_cpu *c)
{
	return vcpu_attention(&c->vcpu) == 0 && c->vcpu.instructions < vcpu_stop_at(&c->vcpu);
}

/* How many instructions the block at c->pc may have, which might exceed the limit as it is. 0: it was attention. */
static uint32_t cut_to_limit(struct mips_cpu *c)
{
	uint64_t left = vcpu_stop_at(&c->vcpu) - c->vcpu.instructions;

	dbt(c)->counts.cuts++;
	return left < MIPS_BLOCK_INSNS ? (uint32_t)left : 0;
}

/* A block that was cut before a delay slot has the slot, too. */
static uint64_t limit_for(const struct mips_cpu *c, const struct block *b)
{
	uint64_t stop = vcpu_stop_at(&c->vcpu);

	return b->key.max != 0 && c->vcpu.instructions + b->insns > stop ? stop + 1 : stop;
}

/* Runs blocks until one comes back for something that only the engine can do. */
static void execute(struct mips_cpu *c)
{
	struct dbt *d = dbt(c);
	uint32_t link = EXIT_NONE, max = 0;
	bool careful = false;

	do {
		uint64_t flushes = d->blocks.counts.flushes;
		uint32_t n, why;

		n = block_at_pc(c, careful, max);
		if (n == BLOCK_NONE) {
			c->vcpu.instructions++; /* the one that could not be fetched */
			return;
		}
		d->limit = limit_for(c, &d->blocks.blocks[n]);
		if (link != EXIT_NONE && flushes == d->blocks.counts.flushes)
			d->linking->link(&d->blocks, link, n);
		link = EXIT_NONE;
		d->counts.entries++;
		why = d->runtime.enter(c, (const void *)(uintptr_t)d->blocks.blocks[n].code);
		max = why == X86_LIMIT ? cut_to_limit(c) : 0;
		careful = careful && why == X86_LIMIT; /* the same one, shorter */
		if (why == X86_LEFT || why == X86_LIMIT)
			continue;
		c->pc = d->blocks.exits[why & ~X86_STEP_FLAG].target;
		if ((why & X86_STEP_FLAG) && mips_breakpoint_at(&d->breakpoints, c->pc)) {
			stop_at_breakpoint(c);
		} else if (why & X86_STEP_FLAG) {
			if (is_free(c))
				step_insn(d);
		} else {
			careful = d->blocks.exits[why].careful;
			if (d->linking != NULL && d->blocks.exits[why].linkable && !d->blocks.exits[why].linked)
				link = why;
		}
	} while (is_free(c) && !c->waiting && !mips_interrupt_pending(c));
}

static enum engine_exit run(struct mips_cpu *c, bool single)
{
	enum engine_exit why;

	do {
		enum mips_pending pending = mips_take_pending(c, &why);

		if (pending == MIPS_WAIT)
			return why;
		if (pending == MIPS_LOOK_AGAIN)
			continue;
		if (single || c->watch_fetch)
			step_insn(dbt(c));
		else
			execute(c);
	} while (!single && is_free(c));
	return ENGINE_ATTENTION;
}

static enum engine_exit dbt_run(struct vcpu *v)
{
	return run(mips_cpu(v), false);
}

static enum engine_exit dbt_step(struct vcpu *v)
{
	return run(mips_cpu(v), true);
}

/* What was translated before goes through the breakpoint, or stops at one that is gone. */
static int dbt_set_breakpoint(struct vcpu *v, uint64_t gva, bool on)
{
	struct dbt *d = dbt(mips_cpu(v));
	int err = mips_breakpoint_set(&d->breakpoints, gva, on);

	if (err == 0)
		flush_blocks(d);
	return err;
}

static void dbt_flush(struct vcpu *v)
{
	struct mips_cpu *c = mips_cpu(v);

	flush_blocks(dbt(c));
	mips_stlb_flush(c);
	c->delay = NULL;
	v->vm->timer->start(&c->counter);
}

/* --- set-up */

/* The registers that compiled code uses most stay in host registers. */
static const struct x86_pin pins[] = {
	{ 2, RSI },
	{ 4, RDI },
	{ 5, R8 },
	{ 29, R11 },
};

static void make_constants(struct dbt *d)
{
	const uint64_t sign = 1ull << 63, single_sign = 1ull << 31;

	for (unsigned n = 0; n < 256; n++)
		d->addends[n][0] = n;
	d->fp_masks = (struct x86_fp_masks){
		.sign = { { single_sign, 0 }, { sign, 0 } },
		.magnitude = { { ~single_sign, ~0ull }, { ~sign, ~0ull } },
	};
}

static void make_runtime(struct dbt *d)
{
	struct blocks *b = &d->blocks;
	struct x86_asm a = { .write = b->arena.write,
			     .end = b->arena.write + b->arena.size,
			     .to_execute = b->arena.execute - b->arena.write };

	d->runtime.layout = (struct x86_layout){
		.attention = offsetof(struct vcpu, attention),
		.pc = offsetof(struct mips_cpu, pc),
		.instructions = offsetof(struct vcpu, instructions),
		.partial = offsetof(struct dbt, partial),
		.limit = offsetof(struct dbt, limit),
		.counted = d->counted,
		.tag_key = offsetof(struct mips_cpu, asid_key),
		.spill = offsetof(struct dbt, spill),
		.fetch_key = offsetof(struct mips_cpu, fetch_key),
		.jump_cache = offsetof(struct dbt, jumps),
		.counts = offsetof(struct dbt, addends),
		.ll_valid = offsetof(struct mips_cpu, ll_valid),
		.ll_address = offsetof(struct mips_cpu, ll_address),
		.fp_status = offsetof(struct mips_cpu, fpu.fcsr),
		.fp_last = offsetof(struct mips_cpu, fpu.last),
		.fp_masks = offsetof(struct dbt, fp_masks),
		.var = mips_var_offset,
		.nr_state = MIPS_VAR_STATE,
		.first_fp = MIPS_VAR_FPR,
		.fetch_entries = MIPS_ITLB_ENTRIES,
		.tlb_bits = (unsigned)__builtin_ctz(MIPS_STLB_ENTRIES),
		.pins = pins,
		.nr_pins = sizeof(pins) / sizeof(pins[0]),
	};
	d->runtime.bmi2 = x86_host_has_bmi2();
	d->runtime.helpers = (struct x86_helpers){
		.load = helper_load, .store = helper_store, .exec = helper_exec, .exec_fp = helper_exec_fp
	};
	x86_emit_runtime(&d->runtime, &a);
	b->start = b->next = a.write;
}

static int dbt_create(struct vcpu *v)
{
	struct dbt *d = dbt(mips_cpu(v));
	size_t bytes = (size_t)CONFIG_CODE_CACHE_MB << 20;
	int err = plat_code_alloc(bytes, &d->blocks.arena);

	if (err == 0)
		err = blocks_create(&d->blocks, bytes);
	d->max_insns = d->blocks.max_blocks * 2;
	d->insns = plat_pages_alloc(d->max_insns * sizeof(*d->insns), 4096);
	d->lowering = plat_pages_alloc(x86_lowering_size(), 4096);
	d->ir = plat_pages_alloc(sizeof(*d->ir), 4096);
	d->pass_work = plat_pages_alloc(dbt_passes_work_bytes() + 1, 4096);
	if (err != 0 || d->insns == NULL || d->lowering == NULL || d->ir == NULL || d->pass_work == NULL) {
		log_error("no memory for %u MiB of translated code: lower CODE_CACHE_MB", CONFIG_CODE_CACHE_MB);
		return err != 0 ? err : -ENOMEM;
	}
	make_constants(d);
	d->counted = v->vm->timer->by_instructions;
	find_parts(d);
	make_runtime(d);
	forget_jumps(d, ~0ull);
	v->vm->memory.code_written = code_written;
	v->vm->memory.code_ctx = d;
	d->cpu.fetch_changed = fetch_changed;
	d->cpu.counter.vcpu = v;
	d->cpu.counter.hz = v->vm->params->counter_hz;
	d->cpu.counter.match = mips_counter_match;
	v->vm->timer->start(&d->cpu.counter);
	return 0;
}

static int dbt_translate(struct vcpu *v, uint64_t gva, uint64_t *gpa)
{
	return mips_probe(mips_cpu(v), gva, gpa);
}

static void dbt_print_state(struct vcpu *v)
{
	mips_print_state(mips_cpu(v));
}

static uint64_t dbt_nested(struct vcpu *v)
{
	return mips_cpu(v)->nested;
}

static bool dbt_seen_user_mode(struct vcpu *v)
{
	return mips_cpu(v)->user_mode_seen;
}

static const struct engine engine_dbt = {
	.name = "dbt",
	.vcpu_size = sizeof(struct dbt),
	.create = dbt_create,
	.flush = dbt_flush,
	.run = dbt_run,
	.step = dbt_step,
	.registers = mips_registers,
	.nr_registers = MIPS_NR_REGISTERS,
	.get_register = mips_get_register,
	.set_register = mips_set_register,
	.translate = dbt_translate,
	.set_breakpoint = dbt_set_breakpoint,
	.set_watchpoint = mips_set_watchpoint,
	.hold_time = mips_hold_time,
	.print_state = dbt_print_state,
	.nested_exceptions = dbt_nested,
	.seen_user_mode = dbt_seen_user_mode,
};

HUSK_FEATURE(engine_dbt) = {
	.name = "engine-dbt",
	.purpose = "translator: turns guest code into host code, block by block",
	.level = FEATURE_ENGINE,
	.provides = &engine_dbt,
};

#define ULL(v) ((unsigned long long)(v))

static int command_dbt(struct vm *vm, int argc, char **argv)
{
	const struct dbt *d = dbt(mips_cpu(vm->vcpus[0]));
	const struct block_counts *n = &d->blocks.counts;

	(void)argc;
	(void)argv;
	log_text("%llu blocks translated to %llu KiB, %u live, %llu dropped for changed code, cache flushed %llu "
		 "times\n",
		 ULL(n->translated), ULL(n->bytes >> 10), d->blocks.nr_blocks, ULL(n->invalidated), ULL(n->flushes));
	log_text("%llu links made, %llu undone; entered %llu times, %llu lookups, %llu single steps\n", ULL(n->links),
		 ULL(n->unlinks), ULL(d->counts.entries), ULL(d->counts.lookups), ULL(d->counts.steps));
	log_text("helpers: %llu loads, %llu stores, %llu instructions\n", ULL(d->counts.helper_loads),
		 ULL(d->counts.helper_stores), ULL(d->counts.execs));
	return 0;
}

MONITOR_COMMAND(dbt) = { "dbt", "", "counters of the translator", command_dbt };
