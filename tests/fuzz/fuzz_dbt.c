/* SPDX-License-Identifier: BSD-2-Clause */
/* runs: 1/20 */
/* sources: tests/fuzz/beside_interp.c tests/fuzz/beside_dbt.c tests/fuzz/mips_guest.c tests/unit/fake_platform.c */
/* sources: core/feature.c core/log.c core/memory.c core/bus.c core/smp.c core/timer.c features/timer-icount/icount.c */
/* sources: features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: features/engine-dbt/blocks.c features/engine-dbt/code.c features/engine-dbt/create.c features/engine-dbt/dbt.c */
/* sources: features/engine-dbt/observer.c features/engine-dbt/part.c features/engine-dbt/pass.c */
/* sources: features/engine-dbt/step.c features/engine-dbt/translate.c */
/* sources: features/dbt-groups/groups.c features/dbt-jumps/jumps.c features/dbt-linking/linking.c */
/* sources: features/dbt-returns/returns.c features/dbt-superblocks/superblocks.c */
/* sources: arch/mips64/translate/emit.c arch/mips64/translate/emit_alu.c arch/mips64/translate/emit_memory.c */
/* sources: arch/mips64/translate/emit_pairs.c arch/mips64/translate/emit_system.c arch/mips64/translate/front.c arch/mips64/translate/fpu.c */
/* sources: arch/x86_64/emit/alloc.c arch/x86_64/emit/asm.c arch/x86_64/emit/jump_cache.c arch/x86_64/emit/lower.c */
/* sources: arch/x86_64/emit/lower_alu.c arch/x86_64/emit/lower_fp.c arch/x86_64/emit/lower_memory.c */
/* sources: arch/x86_64/emit/return_stack.c arch/x86_64/emit/runtime.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c */
/* sources: arch/mips64/guest/walker.c arch/mips64/guest/octeon/octeon.c */
/* sources: arch/mips64/guest/fpu/arith.c arch/mips64/guest/fpu/compare.c arch/mips64/guest/fpu/control.c */
/* sources: arch/mips64/guest/fpu/convert.c arch/mips64/guest/fpu/decode.c arch/mips64/guest/fpu/move.c */
/* sources: arch/mips64/guest/fpu/last.c arch/mips64/guest/fpu/number.c arch/mips64/guest/fpu/quick.c */
/*
 * The translator against the interpreter. Two guests made by the fuzzer are given the same input; one is executed by
 * each engine, and they have to be the same whenever both have executed as many instructions.
 *
 * Counted: time goes by instructions, so that timer interrupts, stops, and what the TLB does come at the same
 * instruction in both. Stops are at distances that the input says, and things happen to the guests in between.
 *
 * Free: the translator counts instructions but is not held to any. It comes back where it likes, and the interpreter
 * follows to the same count. A guest that ends by itself is let run to its end, loops within units included. Here
 * nothing may depend on when the engine sees it: there are no interrupt lines and no page table walker, and an input
 * whose guest changes the mapping of the page it executes, without the jump that the architecture wants, ends there.
 */
#include <stddef.h>
#include <stdint.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/mips64/guest/branch.h"
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/mmu.h"
#include "features/engine-dbt/dbt.h"
#include "tests/fuzz/mips_guest.h"
#include "tests/unit/fake_platform.h"

#define STEPS 1500u /**< instructions of one input */

/** First of the pages that user mode can use, by the walker or by TLB entries. */
#define USER_PAGES 0x30000u

/** Of a byte of the input: how the guests run. */
#define HOW_FREE       0x01u
#define HOW_USER       0x02u
#define HOW_FR         0x04u
#define HOW_UNLINKED   0x08u
#define HOW_STRAIGHT   0x10u
#define HOW_INTERRUPTS 0x20u

/** An event of this fuzzer beside those of mips_guest.h: a loop. */
#define DO_LOOP 14

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guest interpreted, counted, freely;

/** Of the input that is played: who translates, and whether without being held to the count. */
static struct guest *translated;
static bool is_free;

/** The guest did something after which the architecture does not say what comes. */
static bool unpredictable;

/* Both engines say how exec functions jump. */

const struct mips_insn *interp_jump(struct mips_cpu *c, uint64_t va);
const struct mips_insn *dbt_jump(struct mips_cpu *c, uint64_t va);

const struct mips_insn *mips_jump(struct mips_cpu *c, uint64_t va)
{
	return c == interpreted.cpu ? interp_jump(c, va) : dbt_jump(c, va);
}

static int find_engine(const struct feature *f, void *ctx)
{
	const struct engine **wanted = ctx, *e = f->provides;

	if (f->level != FEATURE_ENGINE || e == NULL || e->name[0] != (*wanted)->name[0])
		return 0;
	*wanted = e;
	return 1;
}

static const struct engine *engine_named(const char *name)
{
	struct engine wanted = { .name = name };
	const struct engine *found = &wanted;

	feature_walk(find_engine, &found);
	return found;
}

/* Free guests have a counter that stands still. */

static void still_start(struct guest_counter *c)
{
	c->offset = 0;
	c->armed = false;
}

static void still_deliver(struct guest_counter *c)
{
	if (c->armed && c->offset >= c->compare) {
		c->armed = false;
		c->match(c);
	}
}

static uint64_t still_read(struct guest_counter *c)
{
	return c->offset;
}

static void still_write(struct guest_counter *c, uint64_t count)
{
	c->offset = count;
	still_deliver(c);
}

static void still_set_compare(struct guest_counter *c, uint64_t compare)
{
	c->compare = compare;
	c->armed = true;
	still_deliver(c);
}

static const struct timer_model still = {
	.name = "still",
	.start = still_start,
	.read = still_read,
	.write = still_write,
	.set_compare = still_set_compare,
};

/* The interpreter says when the mapping of code changes. */

static void (*interp_fetch_changed)(struct mips_cpu *c, uint64_t va);

static bool is_unmapped(uint64_t va)
{
	return va >> 62 == 2 || (va >= GUEST_KSEG0 && va < 0xffffffffc0000000ull);
}

static void fetch_changed(struct mips_cpu *c, uint64_t va)
{
	bool here = va == ~0ull || va == c->page_va || va == c->page_va + GUEST_PAGE_SIZE;

	if (c->insns != NULL && here && !is_unmapped(c->page_va))
		unpredictable = true;
	interp_fetch_changed(c, va);
}

/* Resetting. */

static void make(void)
{
	guest_make(&interpreted, engine_named("interp"), feature_provider(FEATURE_TIMER));
	guest_make(&counted, engine_named("dbt"), feature_provider(FEATURE_TIMER));
	guest_make(&freely, engine_named("dbt"), &still);
	interp_fetch_changed = interpreted.cpu->fetch_changed;
	interpreted.cpu->fetch_changed = fetch_changed;
}

/* The pages that the walker would find, as far as they fit. */
static void fill_tlb(struct mips_cpu *c)
{
	for (unsigned n = 0; n < 4; n++) {
		mips_cp0_write(c, 0, 0, n);
		mips_cp0_write(c, 10, 0, USER_PAGES + 0x2000 * n);
		mips_cp0_write(c, 2, 0, (uint64_t)(2 * n) << 6 | 6);
		mips_cp0_write(c, 3, 0, (uint64_t)(2 * n + 1) << 6 | 6);
		mips_tlbwi(c);
	}
}

static void reset(struct guest *g, uint8_t mode, uint8_t how)
{
	struct mips_cpu *c = g->cpu;
	uint64_t base = (how & HOW_USER) != 0 ? USER_PAGES : GUEST_KSEG0;
	uint32_t status;

	vcpu_stop_clear(&c->vcpu, &c->counter.stop);
	g->vm.timer = is_free ? &still : feature_provider(FEATURE_TIMER);
	guest_reset(g, mode & (is_free ? ~GUEST_WALK : ~0));
	g->has_lines = !is_free;
	fill_tlb(c);
	status = c->cp0.status | ((how & HOW_FR) != 0 ? STATUS_FR : 0) | ((how & HOW_USER) != 0 ? 2u << 3 : 0);
	status |= (how & HOW_INTERRUPTS) != 0 ? STATUS_IE | STATUS_IM : 0;
	mips_set_status(c, status);
	c->gpr[4] = base + 0x3000;
	c->gpr[5] = base + 0x3f80;
	c->gpr[29] = base + 0x4010;
	c->pc = base + GUEST_CODE_GPA;
}

static void reset_all(uint8_t mode, uint8_t how)
{
	struct dbt *d;

	is_free = (how & HOW_FREE) != 0;
	unpredictable = false;
	translated = is_free ? &freely : &counted;
	reset(&interpreted, mode, how);
	reset(translated, mode, how);
	d = dbt(translated->cpu);
	d->linking = (how & HOW_UNLINKED) != 0 ? NULL : dbt_part(DBT_LINKING);
	d->shape = (how & HOW_STRAIGHT) != 0 ? NULL : dbt_part(DBT_SUPERBLOCKS);
}

/* Running. */

/** A stop that says that it was reached. */
struct stop {
	struct vcpu_stop stop; /* first */
	bool reached;
};

static void reached(struct vcpu_stop *s)
{
	((struct stop *)s)->reached = true;
}

/* The translator leaves what FP instructions have raised in MXCSR, which the other engine and the fuzzer use, too. */
static void enter_guest(void)
{
	x86_clear_fp_flags();
}

static void leave_guest(struct guest *g)
{
	if (g->cpu->fpu.settle != NULL)
		g->cpu->fpu.settle(g->cpu);
	x86_clear_fp_flags();
	guest_check_state(g);
}

/* True if a guest that waits goes on, as the run loop would have it. */
static bool goes_on(struct vcpu *v, enum engine_exit why)
{
	return why == ENGINE_IDLE && v->vm->timer->skip_idle != NULL && v->vm->timer->skip_idle(v);
}

/* Runs an engine that counts until it has executed `at` instructions in all, or waits for good: then it returns false. */
static bool run_to(struct guest *g, uint64_t at)
{
	struct vcpu *v = &g->cpu->vcpu;
	struct stop s = { .stop.reached = reached };
	bool waits = false;

	enter_guest();
	vcpu_stop_set(v, &s.stop, at);
	while (!waits) {
		enum engine_exit why;

		vcpu_run_stops(v);
		vcpu_take_attention(v);
		if (s.reached)
			break;
		why = g->vm.engine->run(v);
		waits = why != ENGINE_ATTENTION && !goes_on(v, why);
	}
	vcpu_stop_clear(v, &s.stop);
	leave_guest(g);
	return !waits;
}

/* Lets the translator come back where it likes: soon, if it is asked to attend. Returns false if the guest waits. */
static bool run_freely(struct guest *g, bool attend)
{
	struct vcpu *v = &g->cpu->vcpu;
	uint64_t before = v->instructions;
	enum engine_exit why;

	enter_guest();
	vcpu_take_attention(v);
	if (attend)
		plat_kick(&v->attention, ATTN_CONSOLE);
	why = g->vm.engine->run(v);
	if (why == ENGINE_ATTENTION && v->instructions == before)
		why = g->vm.engine->step(v); /* it attends before it does anything */
	leave_guest(g);
	return why == ENGINE_ATTENTION;
}

static void compare(void)
{
	const struct mips_cpu *a = interpreted.cpu, *b = translated->cpu;

	guest_compare(&interpreted, translated);
	guest_check(a->exceptions == b->exceptions && a->walks == b->walks, "number of exceptions or walks differs");
}

static void wake(struct guest *g)
{
	g->cpu->waiting = false;
}

/** The interpreter goes where the translator is. */
static void follow(void)
{
	run_to(&interpreted, translated->cpu->vcpu.instructions);
	if (!unpredictable)
		compare();
}

/** Both run `count` instructions, roughly if they are free. */
static void run(unsigned count)
{
	uint64_t to = interpreted.cpu->vcpu.instructions + count;
	bool ended;

	if (!is_free) {
		run_to(&interpreted, to);
		run_to(translated, to);
		compare();
	} else if (count < 64) {
		run_freely(translated, true);
		follow();
	} else {
		ended = !run_to(&interpreted, to);
		while (!unpredictable && translated->cpu->vcpu.instructions < interpreted.cpu->vcpu.instructions &&
		       run_freely(translated, !ended))
			continue;
		if (!unpredictable)
			follow();
	}
	wake(&interpreted);
	wake(translated);
}

/** Has both execute the access they are at, and goes on at pc if it did not fault. */
static void run_access(uint64_t pc)
{
	run(1);
	if (interpreted.cpu->pc != (GUEST_KSEG0 | (GUEST_ACCESS_GPA + 4)))
		return;
	interpreted.cpu->pc = pc;
	translated->cpu->pc = pc;
}

/** A loop of the instructions written last, which $24 counts. */
static void put_loop(struct guest *g, struct input *in, uint64_t *gpa)
{
	unsigned how = input_take8(in);
	uint32_t back = how % 16 + 1;

	g->cpu->gpr[24] = how / 16 * 5 + 1;
	guest_put(g, gpa, 0x17000000 | (0x10000 - back)); /* bne $24, $0 */
	guest_put(g, gpa, 0x6718ffff);                    /* daddiu $24, $24, -1 */
	if (how / 16 == 15)
		guest_put(g, gpa, 0x42000020); /* wait */
}

static void apply(struct guest *g, struct input *in, uint64_t *gpa)
{
	if (in->data[0] % 16 != DO_LOOP) {
		guest_apply(g, in, gpa);
		return;
	}
	input_take8(in);
	put_loop(g, in, gpa);
}

static void play(struct input *in)
{
	uint64_t gpa = GUEST_CODE_GPA;

	compare();
	while (in->left != 0 && !unpredictable && interpreted.cpu->vcpu.instructions < STEPS) {
		struct input again = *in;
		uint64_t same_gpa = gpa, pc = interpreted.cpu->pc;
		uint8_t what = in->data[0] % 16, how;

		if (what == GUEST_RUN) {
			how = input_take8(in);
			run(how < 0x80 ? how / 16 + 1 : (how / 16 - 7) * 20u);
			continue;
		}
		apply(&interpreted, in, &gpa);
		apply(translated, &again, &same_gpa);
		if (what == GUEST_ACCESS)
			run_access(pc);
		else if (what == GUEST_VISIT)
			run(5);
	}
	if (!unpredictable)
		run(100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .data = data, .left = size };
	uint8_t mode = input_take8(&in), how = input_take8(&in);

	if (interpreted.cpu == NULL)
		make();
	input_take_favourite(&in);
	reset_all(mode, how);
	play(&in);
	if (!unpredictable) {
		guest_compare_memory(&interpreted, translated);
		guest_check_tlbs(translated);
	}
	fake_clear_text();
	return 0;
}
