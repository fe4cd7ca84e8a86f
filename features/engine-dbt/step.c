/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/engine-dbt/step.h"

#include <string.h>

#include <husk/vm.h>

#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/insn.h"
#include "arch/mips64/guest/isa.h"
#include "arch/mips64/guest/mmu.h"

/* Fetches a word; false if that took an exception, at `pc`. */
static bool fetch(struct mips_cpu *c, uint64_t va, uint64_t pc, bool in_delay_slot, uint32_t *word)
{
	uint64_t gpa;
	const void *host;

	if (!mips_translate_fetch(c, pc, in_delay_slot, va, &gpa))
		return false;
	host = memory_borrow(&c->vcpu.vm->memory, gpa, 4);
	if (host == NULL) {
		mips_take(c, pc, in_delay_slot, EXC_IBE, false);
		return false;
	}
	memcpy(word, host, 4);
	*word = (uint32_t)mips_swap(c, *word, 4);
	return true;
}

/* Stands behind the instruction: fetches and executes the delay slot, if the branch gets that far. */
static const struct mips_insn *exec_slot(struct mips_cpu *c, const struct mips_insn *i)
{
	uint64_t branch = c->page_va;
	uint32_t word;
	struct mips_insn slot;

	if (!fetch(c, branch + 4, branch, true, &word))
		return NULL;
	if (mips_is_barred_from_slot(c, word))
		return mips_raise(c, i, EXC_RI);
	mips_decode(c, word, &slot);
	return slot.exec(c, &slot) == NULL ? NULL : i + 1;
}

/*
 * As engine interp has it: where a branch sees in its own page what may not stand in its delay slot, it raises the
 * exception itself and does nothing else.
 */
static bool is_barred(struct mips_cpu *c, uint64_t pc, uint32_t word)
{
	uint32_t slot;

	return mips_is_branch(c, word) && ((pc + 4) & ~GUEST_PAGE_MASK) != 0 && fetch(c, pc + 4, pc, false, &slot) &&
	       mips_is_barred_from_slot(c, slot);
}

void dbt_step_insn(struct mips_cpu *c)
{
	struct mips_insn insns[2] = { { 0 }, { .exec = exec_slot } };
	const struct mips_insn *next;
	uint64_t pc = c->pc;
	uint32_t word;

	c->vcpu.instructions++;
	if (!fetch(c, pc, pc, false, &word))
		return;
	mips_decode(c, word, &insns[0]);
	if (is_barred(c, pc, word))
		insns[0].exec = mips_exec_reserved;
	c->insns = insns;
	c->page_va = pc;
	c->delay = NULL;
	next = insns[0].exec(c, &insns[0]);
	c->delay = NULL;
	if (next != NULL)
		c->pc = pc + (uint64_t)(next - insns) * 4;
}
