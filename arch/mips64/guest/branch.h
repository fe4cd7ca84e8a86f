/* SPDX-License-Identifier: BSD-2-Clause */
/* Branches, jumps and their delay slots, for every instruction set module. */
#ifndef MIPS64_BRANCH_H
#define MIPS64_BRANCH_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/mips64/guest/cpu.h"
#include "arch/mips64/guest/insn.h"

/** Goes to a virtual address: within decoded pages if it can, else NULL with c->pc set. */
const struct mips_insn *mips_jump(struct mips_cpu *c, uint64_t va);

/** Executes the instruction after branch i as its delay slot. Returns false if it took an exception. */
static inline bool mips_delay_slot(struct mips_cpu *c, const struct mips_insn *i)
{
	c->delay = i;
	c->vcpu.instructions++;
	if (__builtin_expect(i[1].exec(c, i + 1) == NULL, 0))
		return false;
	c->delay = NULL;
	return true;
}

/** Goes to the relative target of i (i->imm instructions from it); the delay slot is done. */
static inline const struct mips_insn *mips_branch_to(struct mips_cpu *c, const struct mips_insn *i)
{
	uint64_t index = (uint64_t)(i - c->insns) + (uint64_t)(int64_t)i->imm;

	if (__builtin_expect(index >= MIPS_PAGE_INSNS || vcpu_attention(&c->vcpu) != 0, 0))
		return mips_jump(c, c->page_va + index * 4);
	return c->insns + index;
}

/** A conditional branch: delay slot, then the target if taken. */
static inline const struct mips_insn *mips_branch(struct mips_cpu *c, const struct mips_insn *i, bool taken)
{
	if (__builtin_expect(!mips_delay_slot(c, i), 0))
		return NULL;
	return taken ? mips_branch_to(c, i) : i + 2;
}

/** A branch-likely: the delay slot is skipped if not taken. */
static inline const struct mips_insn *mips_branch_likely(struct mips_cpu *c, const struct mips_insn *i, bool taken)
{
	return taken ? mips_branch(c, i, true) : i + 2;
}

#endif
