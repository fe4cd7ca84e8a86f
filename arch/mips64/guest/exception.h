/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions and interrupts (PRA, chapter 6). */
#ifndef MIPS64_EXCEPTION_H
#define MIPS64_EXCEPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/mips64/guest/cpu.h"
#include "arch/mips64/guest/insn.h"

/** Cause.ExcCode (PRA, table of Cause register ExcCode field). */
enum mips_exception {
	EXC_INT = 0,
	EXC_MOD = 1,
	EXC_TLBL = 2,
	EXC_TLBS = 3,
	EXC_ADEL = 4,
	EXC_ADES = 5,
	EXC_IBE = 6,
	EXC_DBE = 7,
	EXC_SYS = 8,
	EXC_BP = 9,
	EXC_RI = 10,
	EXC_CPU = 11,
	EXC_OV = 12,
	EXC_TR = 13,
	EXC_FPE = 15,
	EXC_TLBRI = 19,
	EXC_TLBXI = 20,
	EXC_WATCH = 23,
	EXC_MCHECK = 24,
};

/**
 * Takes an exception at instruction i of the current page (or, in its delay slot, at the branch before it):
 * sets CP0 and c->pc. Returns NULL, so that an exec function can return it.
 */
const struct mips_insn *mips_raise(struct mips_cpu *c, const struct mips_insn *i, enum mips_exception code);

/** As mips_raise() for a TLB miss: uses the refill vector unless EXL is set. BadVAddr must be set before. */
const struct mips_insn *mips_raise_refill(struct mips_cpu *c, const struct mips_insn *i, enum mips_exception code);

/** Coprocessor n unusable: mips_raise(EXC_CPU) with Cause.CE = n. */
const struct mips_insn *mips_raise_cpu(struct mips_cpu *c, const struct mips_insn *i, unsigned n);

/**
 * Takes an exception at pc; in_delay_slot says that pc is a branch's whose delay slot failed. `refill` selects
 * the TLB refill vector where EXL allows. The engine's own entry, where no decoded instruction is at hand.
 */
void mips_take(struct mips_cpu *c, uint64_t pc, bool in_delay_slot, enum mips_exception code, bool refill);

/**
 * Leaves guest code for the debugger at instruction i (or, in its delay slot, at the branch before it), which has no
 * effect yet. Returns NULL, so that an exec function can return it.
 */
const struct mips_insn *mips_stop_for_debugger(struct mips_cpu *c, const struct mips_insn *i, enum debug_event event,
					       uint64_t address);

/** Sets BadVAddr, and for TLB exceptions Context, XContext and EntryHi (PRA 6.2). */
void mips_set_badvaddr(struct mips_cpu *c, uint64_t va, enum mips_exception code);

/** True if an enabled interrupt is pending (Status.IE, EXL, ERL, IM & Cause.IP). */
bool mips_interrupt_pending(const struct mips_cpu *c);

/** True if WAIT may end: an unmasked line is pending, whatever IE says. */
bool mips_wakes(const struct mips_cpu *c);

/** Takes the interrupt exception at c->pc. */
void mips_take_interrupt(struct mips_cpu *c);

/** ERET: returns where to go on, clears EXL or ERL and LLbit. */
uint64_t mips_eret(struct mips_cpu *c);

#endif
