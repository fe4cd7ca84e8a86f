/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking exceptions and interrupts, and returning from them (PRA, chapter 6). */
#include "arch/mips64/guest/exception.h"

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/mmu.h"

#define BOOT_VECTORS       0xffffffffbfc00200ull
#define VECTOR_TLB_REFILL  0x000u
#define VECTOR_XTLB_REFILL 0x080u
#define VECTOR_GENERAL     0x180u
#define VECTOR_INTERRUPT   0x200u

static uint64_t vector_base(const struct mips_cpu *c)
{
	return (c->cp0.status & STATUS_BEV) ? BOOT_VECTORS : c->cp0.ebase & ~0xfffull;
}

/* The refill vector depends on whether the region of the address has 64-bit addressing enabled (PRA 6.2.8). */
static unsigned refill_vector(const struct mips_cpu *c)
{
	static const uint32_t enable[4] = { STATUS_UX, STATUS_SX, STATUS_KX, STATUS_KX };

	return (c->cp0.status & enable[c->cp0.badvaddr >> 62]) ? VECTOR_XTLB_REFILL : VECTOR_TLB_REFILL;
}

/* Interrupts have their own vector with Cause.IV, and one each with vectored interrupts, but not in ROM (PRA 6.1.2). */
static unsigned interrupt_vector(const struct mips_cpu *c)
{
	uint32_t spacing = c->cp0.intctl & INTCTL_VS, pending;

	if ((c->cp0.cause & CAUSE_IV) == 0)
		return VECTOR_GENERAL;
	pending = (c->cp0.cause & c->cp0.status & CAUSE_IP) >> CAUSE_IP_SHIFT;
	if (spacing == 0 || pending == 0 || (c->cp0.config[3] & CONFIG3_VINT) == 0 || (c->cp0.status & STATUS_BEV) != 0)
		return VECTOR_INTERRUPT;
	return VECTOR_INTERRUPT + (31u - (unsigned)__builtin_clz(pending)) * spacing;
}

/* A repetition is counted, not recorded, so that a loop leaves what led to it. */
static void record(struct mips_cpu *c)
{
	struct mips_exception_record *last = &c->history[(c->recorded - 1) % MIPS_EXCEPTION_HISTORY];
	struct mips_exception_record now = {
		.epc = c->cp0.epc,
		.badvaddr = c->cp0.badvaddr,
		.cause = c->cp0.cause,
		.status = c->cp0.status,
	};

	c->exceptions++;
	c->nested++;
	if (c->recorded != 0 && last->epc == now.epc && last->badvaddr == now.badvaddr && last->cause == now.cause)
		last->repeats++;
	else
		c->history[c->recorded++ % MIPS_EXCEPTION_HISTORY] = now;
}

void mips_take(struct mips_cpu *c, uint64_t pc, bool in_delay_slot, enum mips_exception code, bool refill)
{
	struct mips_cp0 *p = &c->cp0;
	unsigned vector = VECTOR_GENERAL;

	if (code == EXC_INT)
		vector = interrupt_vector(c);
	if ((p->status & STATUS_EXL) == 0) {
		if (refill) {
			vector = refill_vector(c);
			c->refills++;
		}
		p->epc = pc;
		p->cause = in_delay_slot ? p->cause | CAUSE_BD : p->cause & ~CAUSE_BD;
	}
	p->cause = (p->cause & ~(CAUSE_EXCCODE | CAUSE_CE)) | (uint32_t)code << CAUSE_EXCCODE_SHIFT;
	c->delay = NULL;
	c->waiting = false;
	c->pc = vector_base(c) + vector;
	p->status |= STATUS_EXL;
	mips_update_mode(c);
	record(c);
}

static const struct mips_insn *raise(struct mips_cpu *c, const struct mips_insn *i, enum mips_exception code,
				     bool refill)
{
	const struct mips_insn *at = c->delay != NULL ? c->delay : i;

	mips_take(c, mips_pc(c, at), c->delay != NULL, code, refill);
	return NULL;
}

const struct mips_insn *mips_raise(struct mips_cpu *c, const struct mips_insn *i, enum mips_exception code)
{
	return raise(c, i, code, false);
}

const struct mips_insn *mips_raise_refill(struct mips_cpu *c, const struct mips_insn *i, enum mips_exception code)
{
	return raise(c, i, code, true);
}

const struct mips_insn *mips_raise_cpu(struct mips_cpu *c, const struct mips_insn *i, unsigned n)
{
	raise(c, i, EXC_CPU, false);
	c->cp0.cause |= n << CAUSE_CE_SHIFT;
	return NULL;
}

const struct mips_insn *mips_stop_for_debugger(struct mips_cpu *c, const struct mips_insn *i, enum debug_event event,
					       uint64_t address)
{
	c->pc = mips_pc(c, c->delay != NULL ? c->delay : i);
	c->delay = NULL;
	c->vcpu.debug.event = event;
	c->vcpu.debug.address = address;
	vcpu_kick(&c->vcpu, ATTN_DEBUG);
	return NULL;
}

void mips_set_badvaddr(struct mips_cpu *c, uint64_t va, enum mips_exception code)
{
	struct mips_cp0 *p = &c->cp0;
	unsigned region = c->model->segbits - 9; /* lowest bit of XContext.R (PRA 9.44) */
	uint64_t vpn = va & mips_va_mask(c) & ~ENTRYHI_R;

	p->badvaddr = va;
	if (code == EXC_ADEL || code == EXC_ADES)
		return;
	p->context = (p->context & CONTEXT_PTEBASE) | (va >> 9 & 0x7ffff0);
	p->xcontext = (p->xcontext & mips_xcontext_ptebase(c)) | (va >> 62) << region | vpn >> 13 << 4;
	mips_set_entryhi(c, (va & ~0x1fffull) | (p->entryhi & ENTRYHI_ASID));
}

bool mips_interrupt_pending(const struct mips_cpu *c)
{
	uint32_t s = c->cp0.status;

	return (s & (STATUS_IE | STATUS_EXL | STATUS_ERL)) == STATUS_IE && (s & c->cp0.cause & CAUSE_IP) != 0;
}

bool mips_wakes(const struct mips_cpu *c)
{
	return (c->cp0.status & c->cp0.cause & CAUSE_IP) != 0;
}

void mips_take_interrupt(struct mips_cpu *c)
{
	mips_take(c, c->pc, false, EXC_INT, false);
}

uint64_t mips_eret(struct mips_cpu *c)
{
	uint32_t status = c->cp0.status;
	uint64_t to;

	if (status & STATUS_ERL) {
		to = c->cp0.errorepc;
		status &= ~STATUS_ERL;
	} else {
		to = c->cp0.epc;
		status &= ~STATUS_EXL;
	}
	c->ll_valid = false;
	c->nested = 0;
	mips_set_status(c, status);
	return to;
}
