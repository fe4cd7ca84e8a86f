/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Engine `dbt`: guest code is translated in blocks, cached by address and linked.
 * This file runs them: it finds or makes the block for a guest address, enters it,
 * and links the exit it comes back by.
 */
#include "features/engine-dbt/dbt.h"

#include <husk/engine.h>
#include <husk/feature.h>
#include <husk/vm.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/pending.h"
#include "arch/mips64/guest/registers.h"
#include "arch/mips64/translate/front.h"
#include "features/engine-dbt/step.h"

static void stop_at_breakpoint(struct mips_cpu *c)
{
	dbt_set_place(c, &dbt_somewhere[1], c->pc);
	mips_stop_for_debugger(c, &dbt_somewhere[1], DEBUG_BREAKPOINT, c->pc);
}

/* A branch at the end of a page: the check of the next one wants to find it. */
static void touch_next_page(struct mips_cpu *c)
{
	uint64_t va = c->pc + 4, gpa;
	struct mips_mapping m;
	struct mips_fault f;

	if ((va & ~GUEST_PAGE_MASK) == 0 && mips_resolve(c, va, MIPS_FETCH, &m, &f))
		dbt_fetch_address(c, va, &gpa);
}

void dbt_single(struct dbt *d)
{
	struct mips_cpu *c = &d->cpu;

	d->counts.steps++;
	touch_next_page(c);
	if (c->fpu.settle != NULL)
		c->fpu.settle(c);
	dbt_step_insn(c);
	x86_clear_fp_flags();
}

bool dbt_is_free(const struct mips_cpu *c)
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

/* Runs blocks until one comes back for something that only the engine can do. */
static void execute(struct mips_cpu *c)
{
	struct dbt *d = dbt(c);
	const struct blocks *b = &d->code->blocks;
	uint32_t link = EXIT_NONE, max = 0;
	bool careful = false;

	do {
		uint32_t n, why;

		n = dbt_block_at_pc(c, careful, max, link);
		if (n == BLOCK_NONE) {
			c->vcpu.instructions++; /* the one that could not be fetched */
			return;
		}
		d->limit = vcpu_stop_at(&c->vcpu);
		link = EXIT_NONE;
		d->counts.entries++;
		d->in_code = true;
		why = d->code->runtime.enter(c, (const void *)(uintptr_t)b->blocks[n].code);
		d->in_code = false;
		max = why == X86_LIMIT ? cut_to_limit(c) : 0;
		careful = careful && why == X86_LIMIT; /* the same one, shorter */
		d->returns.now = 0;
		d->counts.jumps += why == X86_LEFT;
		if (why == X86_HOT)
			dbt_follow_path(c);
		if (why == X86_LEFT || why == X86_LIMIT || why == X86_HOT)
			continue;
		c->pc = b->exits[why & ~X86_STEP_FLAG].target;
		if ((why & X86_STEP_FLAG) && mips_breakpoint_at(&d->breakpoints, c->pc)) {
			stop_at_breakpoint(c);
		} else if (why & X86_STEP_FLAG) {
			if (dbt_is_free(c))
				dbt_single(d);
		} else {
			careful = b->exits[why].careful;
			d->counts.careful += careful;
			d->counts.exits += !careful;
			if (d->linking != NULL && b->exits[why].linkable && !b->exits[why].linked)
				link = why;
		}
		/* Where a block has not begun, and a cut or careful one is to, nothing is new to look at. */
	} while (dbt_is_free(c) && (max != 0 || careful || !dbt_must_look(c)));
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
			dbt_single(dbt(c));
		else
			execute(c);
	} while (!single && dbt_is_free(c));
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
		dbt_flush_blocks(v->vm);
	return err;
}

static void dbt_flush(struct vcpu *v)
{
	struct mips_cpu *c = mips_cpu(v);

	dbt_flush_blocks(v->vm);
	mips_stlb_flush(c);
	c->delay = NULL;
	v->vm->timer->start(&c->counter);
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
