/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/mips64/guest/pending.h"

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/mmu.h"

static bool stops_for_watch(struct mips_cpu *c)
{
	if (!c->watch_fetch || !mips_watch_hit(c, c->pc, MIPS_FETCH))
		return false;
	if (c->cp0.status & (STATUS_EXL | STATUS_ERL)) {
		c->cp0.cause |= CAUSE_WP;
		return false;
	}
	mips_take(c, c->pc, false, EXC_WATCH, false);
	return true;
}

/*
 * A watch that hit in an exception handler is reported when the handler is left, and again until software has
 * cleared WP (PRA 9.25).
 */
static bool deferred_watch(struct mips_cpu *c)
{
	if ((c->cp0.cause & CAUSE_WP) == 0 || (c->cp0.status & (STATUS_EXL | STATUS_ERL)) != 0)
		return false;
	mips_take(c, c->pc, false, EXC_WATCH, false);
	return true;
}

/*
 * Waits again where it was woken before, with interrupts off all the time: nothing it waits for can come. A pending
 * interrupt ends each WAIT (PRA, WAIT), but a kernel that has halted never takes it. Octeon kernels halt in a loop of
 * two WAITs.
 */
static bool waits_in_vain(struct mips_cpu *c)
{
	bool again = (c->woken_pc[0] == c->pc || c->woken_pc[1] == c->pc) && c->woken_exceptions == c->exceptions;

	c->woken_pc[1] = c->woken_pc[0];
	c->woken_pc[0] = c->pc;
	c->woken_exceptions = c->exceptions;
	return again;
}

/* True if the guest has to go on waiting. */
static bool still_waiting(struct mips_cpu *c, enum engine_exit *why)
{
	bool on = (c->cp0.status & (STATUS_IE | STATUS_EXL | STATUS_ERL)) == STATUS_IE;

	if (!c->waiting)
		return false;
	if (mips_wakes(c) && (on || !waits_in_vain(c))) {
		c->waiting = false;
		return false;
	}
	*why = on && (c->cp0.status & STATUS_IM) != 0 ? ENGINE_IDLE : ENGINE_HALTED;
	return true;
}

enum mips_pending mips_take_pending(struct mips_cpu *c, enum engine_exit *why)
{
	mips_take_lines(c);
	if (still_waiting(c, why))
		return MIPS_WAIT;
	if (mips_interrupt_pending(c) && !c->vcpu.debug.hold_interrupts) {
		mips_take_interrupt(c);
		return MIPS_GO;
	}
	return deferred_watch(c) || stops_for_watch(c) ? MIPS_LOOK_AGAIN : MIPS_GO;
}
