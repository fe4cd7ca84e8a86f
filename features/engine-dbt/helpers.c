/* SPDX-License-Identifier: BSD-2-Clause */
/* What translated code does not do itself: slow loads and stores, rare instructions, and how they leave it. */
#include <husk/vm.h>

#include "arch/mips64/guest/branch.h"
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/mmu.h"
#include "features/engine-dbt/dbt.h"

const struct mips_insn dbt_somewhere[2];

void dbt_set_place(struct mips_cpu *c, const struct mips_insn *i, uint64_t where)
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
	d->walks = c->walks;
	if (d->counted)
		c->vcpu.instructions += d->partial;
	dbt_set_place(c, i, where);
}

/*
 * What a block has found out before a helper may be true no more behind it: the pages that its MAPs found, if the walker
 * has replaced the TLB entry of one; its own code, where control cannot leave in a delay slot. Counted, it ends there.
 */
static void end_helper(struct mips_cpu *c)
{
	struct dbt *d = dbt(c);

	c->delay = NULL;
	if (!d->counted)
		return;
	if (d->code_changed || c->walks != d->walks)
		vcpu_kick(&c->vcpu, ATTN_IRQ);
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
	bool out = dbt(c)->counted || vcpu_attention(&c->vcpu) != 0 || dbt_must_look(c);

	return X86_LEAVE | (out ? X86_OUT : 0);
}

static struct x86_result helper_load(void *cpu, uint64_t va, uint64_t where, uint64_t kind)
{
	struct mips_cpu *c = cpu;
	unsigned size = (unsigned)kind & 15;
	uint64_t value = 0;
	bool ok;

	dbt(c)->counts.helper_loads++;
	begin_helper(c, &dbt_somewhere[1], where);
	if (kind & X86_ALIGNED)
		ok = mips_load_aligned(c, &dbt_somewhere[1], va, size, &value);
	else
		ok = mips_load_slow(c, &dbt_somewhere[1], va, size, &value);
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

	if (!(dbt(c)->code_changed || attention))
		return 0;
	if ((where & X86_IN_SLOT) != 0) {
		vcpu_kick(&c->vcpu, ATTN_IRQ); /* an ATTEND is behind the slot */
		return 0;
	}
	c->pc = where + 4;
	return leave(c);
}

static uint64_t helper_store(void *cpu, uint64_t va, uint64_t where, uint64_t value, uint64_t size)
{
	struct mips_cpu *c = cpu;
	bool ok;

	dbt(c)->counts.helper_stores++;
	begin_helper(c, &dbt_somewhere[1], where);
	ok = mips_store_slow(c, &dbt_somewhere[1], va, (unsigned)size, value);
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

const struct x86_helpers dbt_helpers = {
	.load = helper_load, .store = helper_store, .exec = helper_exec, .exec_fp = helper_exec_fp
};

/* Execution functions that jump (ERET) leave translated code. */
const struct mips_insn *mips_jump(struct mips_cpu *c, uint64_t va)
{
	c->delay = NULL;
	c->pc = va;
	return NULL;
}
