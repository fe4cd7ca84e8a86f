/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Engine `interp`: executes decoded instructions one after another. Each exec
 * function returns the next instruction; branches look at the attention word, so a
 * loop cannot hold off an interrupt, and straight code ends with its page.
 */
#include <errno.h>
#include <string.h>

#include <config/INTERP_PAGES.h>
#include <husk/engine.h>
#include <husk/feature.h>
#include <husk/log.h>
#include <husk/memory.h>
#include <husk/monitor.h>
#include <husk/vm.h>

#include "arch/mips64/guest/branch.h"
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/isa.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/pending.h"
#include "arch/mips64/guest/registers.h"
#include "features/engine-interp/breakpoint.h"
#include "features/engine-interp/page.h"

/** A vCPU of this engine. */
struct interp {
	struct mips_cpu cpu; /* first: the architecture's view */
	struct page_cache pages;
	struct mips_breakpoints breakpoints;
	bool stepping; /**< breakpoints are passed */
	bool counted;  /**< the timer model counts instructions */
};

static struct interp *interp(struct mips_cpu *c)
{
	return (struct interp *)c;
}

static struct page_cache *cache_of(const struct vm *vm, unsigned vcpu)
{
	return &interp(mips_cpu(vm->vcpus[vcpu]))->pages;
}

static void code_written(void *ctx, uint64_t gpa, uint64_t size)
{
	struct vm *vm = ctx;

	smp_lock(&vm->memory.code_lock);
	smp_stop_others(vm);
	for (unsigned n = 0; n < vm->nr_vcpus; n++)
		page_cache_written(cache_of(vm, n), gpa, size);
	smp_resume_others(vm);
	smp_unlock(&vm->memory.code_lock);
}

static bool is_decoded(const struct vm *vm, uint64_t gpa)
{
	for (unsigned n = 0; n < vm->nr_vcpus; n++) {
		const struct page_cache *cache = cache_of(vm, n);

		if (page_cache_find(cache, gpa, false) != NULL || page_cache_find(cache, gpa, true) != NULL)
			return true;
	}
	return false;
}

/* Counted execution fetches anew behind the instruction that did it. */
static void fetch_changed(struct mips_cpu *c, uint64_t va)
{
	(void)va;
	vcpu_kick(&c->vcpu, ATTN_IRQ);
}

/* Fetches cached for an old page would find the new one. The page being executed is fetched anew, as its entry goes, too. */
static void forget_fetches(struct mips_cpu *c)
{
	memset(c->itlbs, 0xff, sizeof(c->itlbs));
	if (c->fetch_changed != NULL)
		c->fetch_changed(c, ~0ull);
}

/* A page of the vCPU's own cache; what it takes the place of is code no more, unless others have it. */
static struct mips_page *add_page(struct mips_cpu *c, const struct page_request *want)
{
	struct memory *memory = &c->vcpu.vm->memory;
	struct mips_page *page;
	uint64_t evicted;

	smp_lock(&memory->code_lock);
	page = page_cache_add(&interp(c)->pages, want, &evicted);
	if (evicted != MIPS_PAGE_FREE) {
		forget_fetches(c);
		if (!is_decoded(c->vcpu.vm, evicted))
			memory_mark_code(memory, evicted, false);
	}
	mips_mark_code(c->vcpu.vm, want->gpa);
	smp_unlock(&memory->code_lock);
	return page;
}

/* The decoded page of a physical page of RAM. */
static struct mips_page *page_at(struct mips_cpu *c, uint64_t gpa)
{
	struct page_cache *cache = &interp(c)->pages;
	struct memory *memory = &c->vcpu.vm->memory;
	bool narrow = !mips_64bit_operations(c);
	struct mips_page *page = page_cache_find(cache, gpa, narrow);
	struct page_request want = { .gpa = gpa, .narrow = narrow, .in_use = c->insns };

	if (page != NULL)
		return page;
	want.host = memory_borrow(memory, gpa, GUEST_PAGE_SIZE);
	return want.host != NULL ? add_page(c, &want) : NULL;
}

static struct mips_itlb *itlb_slot(struct mips_cpu *c, uint64_t va)
{
	return &c->itlb[(va >> GUEST_PAGE_SHIFT) % MIPS_ITLB_ENTRIES];
}

/*
 * The decoded page for a virtual address, with the fetch translated and checked.
 * NULL: an exception was taken, at `pc`.
 */
static struct mips_page *fetch_page(struct mips_cpu *c, uint64_t va, uint64_t pc, bool in_delay_slot)
{
	struct mips_itlb *slot = itlb_slot(c, va);
	struct mips_page *page;
	uint64_t gpa;

	if (slot->tag == ((va & ~0xffcull) | c->asid_key))
		return slot->page;
	if (!mips_translate_fetch(c, pc, in_delay_slot, va, &gpa))
		return NULL;
	page = page_at(c, gpa & GUEST_PAGE_MASK);
	if (page == NULL) { /* only RAM can be executed */
		mips_take(c, pc, in_delay_slot, EXC_IBE, false);
		return NULL;
	}
	*slot = (struct mips_itlb){ .tag = (va & GUEST_PAGE_MASK) | c->asid_key, .page = page };
	return page;
}

static const struct mips_insn *enter_page(struct mips_cpu *c, struct mips_page *page, uint64_t va)
{
	c->insns = page->insns;
	c->page_va = va & GUEST_PAGE_MASK;
	return &page->insns[(va & 0xfff) / 4];
}

const struct mips_insn *mips_jump(struct mips_cpu *c, uint64_t va)
{
	const struct mips_itlb *slot = itlb_slot(c, va);

	c->delay = NULL;
	if (__builtin_expect(slot->tag != ((va & ~0xffcull) | c->asid_key) || vcpu_attention(&c->vcpu) != 0, 0)) {
		c->pc = va;
		return NULL;
	}
	return enter_page(c, slot->page, va);
}

/* The last instruction of a page is a branch: its delay slot is the first of the next page. */
static const struct mips_insn *delay_slot_in_next_page(struct mips_cpu *c, const struct mips_insn *i)
{
	struct mips_page *page = fetch_page(c, c->page_va + GUEST_PAGE_SIZE, mips_pc(c, c->delay), true);
	const struct mips_insn *next;
	uint32_t word;

	if (page == NULL)
		return NULL;
	memcpy(&word, page->host, sizeof(word));
	if (mips_is_barred_from_slot(c, (uint32_t)mips_swap(c, word, 4)))
		return mips_raise(c, i, EXC_RI);
	page_decode(c, page, 0);
	next = page->insns[0].exec(c, &page->insns[0]);
	page_undecode(&interp(c)->pages, page, 0);
	return next;
}

const struct mips_insn *interp_exec_page_end(struct mips_cpu *c, const struct mips_insn *i)
{
	if (c->delay != NULL)
		return delay_slot_in_next_page(c, i);
	c->vcpu.instructions--; /* counted, but not one */
	return mips_jump(c, c->page_va + GUEST_PAGE_SIZE);
}

const struct mips_insn *interp_exec_page_end_skip(struct mips_cpu *c, const struct mips_insn *i)
{
	(void)i;
	c->vcpu.instructions--;
	return mips_jump(c, c->page_va + GUEST_PAGE_SIZE + 4);
}

const struct mips_insn *page_exec_trap(struct mips_cpu *c, const struct mips_insn *i)
{
	struct mips_page *page = (struct mips_page *)(uintptr_t)c->insns;
	unsigned n = (unsigned)(i - c->insns);
	const struct mips_insn *next;

	/* A delay slot is executed with its branch; a debugger puts the breakpoint there. */
	if (c->delay == NULL && !interp(c)->stepping && mips_breakpoint_at(&interp(c)->breakpoints, mips_pc(c, i))) {
		c->vcpu.instructions--; /* not executed, but counted as one that was */
		return mips_stop_for_debugger(c, i, DEBUG_BREAKPOINT, mips_pc(c, i));
	}
	page_decode(c, page, n);
	next = i->exec(c, i);
	page_undecode(&interp(c)->pages, page, n);
	return next;
}

static const struct mips_insn *execute_uncounted(struct mips_cpu *c, const struct mips_insn *i, uint64_t limit)
{
	uint64_t n = 0;

	do {
		i = i->exec(c, i);
		n++;
	} while (i != NULL && n < limit);
	c->vcpu.instructions += n;
	return i;
}

/* With a timer model that counts instructions: what each does may ask to stop behind it. */
static const struct mips_insn *execute_counted(struct mips_cpu *c, const struct mips_insn *i, uint64_t limit)
{
	uint64_t stop = vcpu_stop_at(&c->vcpu), now = c->vcpu.instructions;

	if (limit < stop - now)
		stop = now + limit;
	do {
		c->vcpu.instructions++;
		i = i->exec(c, i);
	} while (i != NULL && c->vcpu.instructions < stop && vcpu_attention(&c->vcpu) == 0);
	return i;
}

/* Executes up to `limit` instructions, a branch together with its delay slot, which counts itself. */
static void execute(struct mips_cpu *c, uint64_t limit)
{
	struct mips_page *page = fetch_page(c, c->pc, c->pc, false);
	const struct mips_insn *i;

	if (page == NULL) {
		c->vcpu.instructions++; /* the one that could not be fetched */
		return;
	}
	i = enter_page(c, page, c->pc);
	i = interp(c)->counted ? execute_counted(c, i, limit) : execute_uncounted(c, i, limit);
	if (i != NULL)
		c->pc = mips_pc(c, i);
}

static bool is_stopped(const struct mips_cpu *c)
{
	return c->vcpu.instructions >= vcpu_stop_at(&c->vcpu);
}

static enum engine_exit run(struct mips_cpu *c, uint64_t limit)
{
	enum engine_exit why;

	do {
		switch (mips_take_pending(c, &why)) {
		case MIPS_WAIT: return why;
		case MIPS_LOOK_AGAIN: break;
		case MIPS_GO: execute(c, c->watch_fetch ? 1 : limit); break;
		}
	} while (limit != 1 && vcpu_attention(&c->vcpu) == 0 && !is_stopped(c));
	return ENGINE_ATTENTION;
}

static enum engine_exit interp_run(struct vcpu *v)
{
	return run(mips_cpu(v), UINT64_MAX);
}

static enum engine_exit interp_step(struct vcpu *v)
{
	struct interp *engine = interp(mips_cpu(v));
	enum engine_exit why;

	engine->stepping = true;
	why = run(mips_cpu(v), 1);
	engine->stepping = false;
	return why;
}

static void interp_flush(struct vcpu *v)
{
	struct mips_cpu *c = mips_cpu(v);
	struct page_cache *cache = &interp(c)->pages;

	for (uint32_t n = 0; n < cache->count; n++)
		if (cache->pages[n].gpa != MIPS_PAGE_FREE)
			memory_mark_code(&v->vm->memory, cache->pages[n].gpa, false);
	page_cache_clear(cache);
	mips_stlb_flush(c);
	c->insns = NULL;
	c->delay = NULL;
	v->vm->timer->start(&c->counter); /* a reset starts Count again */
}

static uint32_t round_to_power_of_two(uint32_t n)
{
	return n <= 1 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

static int interp_create(struct vcpu *v)
{
	struct mips_cpu *c = mips_cpu(v);
	int err = page_cache_create(&interp(c)->pages, round_to_power_of_two(CONFIG_INTERP_PAGES));

	if (err != 0) {
		log_error("no memory for %u decoded pages: lower INTERP_PAGES", CONFIG_INTERP_PAGES);
		return err;
	}
	v->vm->memory.code_written = code_written;
	v->vm->memory.code_ctx = v->vm;
	interp(c)->counted = v->vm->timer->by_instructions;
	if (interp(c)->counted)
		c->fetch_changed = fetch_changed;
	c->counter.vcpu = v;
	c->counter.hz = v->vm->params->counter_hz;
	c->counter.match = mips_counter_match;
	v->vm->timer->start(&c->counter);
	return 0;
}

static int interp_translate(struct vcpu *v, uint64_t gva, uint64_t *gpa)
{
	return mips_probe(mips_cpu(v), gva, gpa);
}

static int interp_set_breakpoint(struct vcpu *v, uint64_t gva, bool on)
{
	struct interp *engine = interp(mips_cpu(v));

	return interp_breakpoint_set(&engine->breakpoints, &engine->pages, gva, on);
}

static void interp_print_state(struct vcpu *v)
{
	mips_print_state(mips_cpu(v));
}

static uint64_t interp_nested(struct vcpu *v)
{
	return mips_cpu(v)->nested;
}

static bool interp_seen_user_mode(struct vcpu *v)
{
	return mips_cpu(v)->user_mode_seen;
}

static const struct engine engine_interp = {
	.name = "interp",
	.vcpu_size = sizeof(struct interp),
	.create = interp_create,
	.flush = interp_flush,
	.run = interp_run,
	.step = interp_step,
	.registers = mips_registers,
	.nr_registers = MIPS_NR_REGISTERS,
	.nr_details = MIPS_NR_DETAILS,
	.get_register = mips_get_register,
	.set_register = mips_set_register,
	.translate = interp_translate,
	.set_breakpoint = interp_set_breakpoint,
	.set_watchpoint = mips_set_watchpoint,
	.hold_time = mips_hold_time,
	.print_state = interp_print_state,
	.nested_exceptions = interp_nested,
	.seen_user_mode = interp_seen_user_mode,
};

HUSK_FEATURE(engine_interp) = {
	.name = "engine-interp",
	.purpose = "interpreter: executes guest instructions one at a time, decoded once",
	.level = FEATURE_ENGINE,
	.provides = &engine_interp,
};

static int command_interp(struct vm *vm, int argc, char **argv)
{
	const struct page_cache *pages = &interp(mips_cpu(vm->vcpus[0]))->pages;

	(void)argc;
	(void)argv;
	log_text("decoded pages %llu, evicted %llu, writes to decoded code %llu, pool of %u pages\n",
		 (unsigned long long)pages->decoded, (unsigned long long)pages->evicted,
		 (unsigned long long)pages->rewritten, pages->count);
	return 0;
}

MONITOR_COMMAND(interp) = { "interp", "", "counters of the interpreter", command_interp };
