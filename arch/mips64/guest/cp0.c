/* SPDX-License-Identifier: BSD-2-Clause */
/* CP0 registers by number (PRA, chapter 9; Octeon's from the CN63XX hardware reference, chapter cnMIPS cores). */
#include "arch/mips64/guest/cp0.h"

#include <husk/log.h>
#include <husk/vm.h>

#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/tlb.h"
#include "arch/mips64/guest/walker.h"

#define REG(reg, sel) ((reg)*8u + (sel))

static uint64_t sext32(uint64_t v)
{
	return (uint64_t)(int64_t)(int32_t)v;
}

static uint64_t counter_read(struct mips_cpu *c)
{
	return c->vcpu.vm->timer->read(&c->counter);
}

uint32_t mips_count(struct mips_cpu *c)
{
	return (c->cp0.cause & CAUSE_DC) ? c->stopped_count : (uint32_t)counter_read(c);
}

/* Counters of several vCPUs lose the same, to the tick, or the guest's time would go backwards from one to the next. */
static void lose(struct mips_cpu *c, uint64_t ticks)
{
	struct guest_counter *counter = &c->counter;

	counter->offset -= ticks;
	if (counter->armed)
		c->vcpu.vm->timer->set_compare(counter, counter->compare);
}

static void release_time(struct mips_cpu *c)
{
	const struct vcpu *v = &c->vcpu;
	uint64_t offset = c->counter.offset;

	if (v->id != 0) {
		lose(c, mips_cpu(v->vm->vcpus[0])->lost_count);
		return;
	}
	v->vm->timer->write(&c->counter, c->held_count);
	c->lost_count = offset - c->counter.offset;
}

void mips_hold_time(struct vcpu *v, bool hold)
{
	struct mips_cpu *c = mips_cpu(v);

	if (hold)
		c->held_count = counter_read(c);
	else if (c->time_held)
		release_time(c);
	c->time_held = hold;
}

uint64_t mips_cvmcount(struct mips_cpu *c)
{
	return counter_read(c) + c->cp0.cvmcount_offset;
}

/*
 * Compare has 32 bits, the counter 64: wait for the next count whose low half equals it (PRA 9.23).
 * The present count is not one: acknowledging a match by writing Compare must not match again.
 */
static void arm_compare(struct mips_cpu *c, uint64_t now)
{
	uint64_t ahead = (uint32_t)(c->compare - (uint32_t)now - 1);

	c->vcpu.vm->timer->set_compare(&c->counter, now + 1 + ahead);
}

void mips_counter_match(struct guest_counter *counter)
{
	struct mips_cpu *c = mips_cpu(counter->vcpu);

	if (c->cp0.cause & CAUSE_DC)
		return;
	c->cp0.cause |= CAUSE_TI | (1u << (CAUSE_IP_SHIFT + (c->cp0.intctl >> INTCTL_IPTI_SHIFT)));
	vcpu_kick(&c->vcpu, ATTN_IRQ);
	c->vcpu.vm->timer->set_compare(counter, counter->compare + (1ull << 32));
}

static void write_count(struct mips_cpu *c, uint32_t value)
{
	uint64_t before = counter_read(c), after = (before & ~0xffffffffull) | value;

	c->stopped_count = value;
	c->cp0.cvmcount_offset += before - after;
	c->vcpu.vm->timer->write(&c->counter, after);
	arm_compare(c, after);
}

static void write_compare(struct mips_cpu *c, uint32_t value)
{
	c->compare = value;
	c->cp0.cause &= ~(CAUSE_TI | (1u << (CAUSE_IP_SHIFT + (c->cp0.intctl >> INTCTL_IPTI_SHIFT))));
	arm_compare(c, counter_read(c));
}

static void write_cause(struct mips_cpu *c, uint32_t value)
{
	uint32_t writable = CAUSE_IP_SOFTWARE | CAUSE_IV | CAUSE_DC, old = c->cp0.cause;

	if ((value & CAUSE_WP) == 0)
		writable |= CAUSE_WP; /* software may clear it, not set it */
	if ((old ^ value) & CAUSE_DC) {
		uint32_t count = mips_count(c);

		c->cp0.cause = old ^ CAUSE_DC;
		write_count(c, count);
	}
	c->cp0.cause = (c->cp0.cause & ~writable) | (value & writable);
}

void mips_set_status(struct mips_cpu *c, uint32_t status)
{
	uint32_t changed = c->cp0.status ^ status;

	c->cp0.status = status;
	/* ERL unmaps kuseg and the X bits open and close segments and 64-bit operations: what is cached does not know. */
	if (changed & (STATUS_ERL | STATUS_KX | STATUS_SX | STATUS_UX | STATUS_PX))
		mips_stlb_flush(c);
	mips_update_mode(c);
}

static uint32_t status_writable(const struct mips_cpu *c)
{
	uint32_t w = STATUS_IE | STATUS_EXL | STATUS_ERL | STATUS_KSU | STATUS_UX | STATUS_SX | STATUS_KX | STATUS_IM |
		     STATUS_BEV | STATUS_PX | STATUS_RP | STATUS_CU0;

	if (mips_has(c, MIPS_HAS_FPU))
		w |= STATUS_CU1 | STATUS_FR;
	if (mips_has(c, MIPS_HAS_OCTEON))
		w |= STATUS_CU2;
	return w;
}

static void write_status(struct mips_cpu *c, uint32_t value)
{
	uint32_t w = status_writable(c), cleared = (STATUS_TS | STATUS_SR | STATUS_NMI) & ~value;

	mips_set_status(c, ((c->cp0.status & ~w) | (value & w)) & ~cleared);
}

void mips_set_entryhi(struct mips_cpu *c, uint64_t entryhi)
{
	uint64_t mask = (mips_va_mask(c) & ~0x1fffull) | ENTRYHI_ASID;

	if ((c->cp0.config[4] >> CONFIG4_IE_SHIFT & 3) >= 2)
		mask |= ENTRYHI_EHINV;
	if (((c->cp0.entryhi ^ entryhi) & ENTRYHI_ASID) != 0)
		mips_forget_local(c);
	c->cp0.entryhi = entryhi & mask;
	mips_update_mode(c);
}

uint64_t mips_entrylo_mask(const struct mips_cpu *c)
{
	unsigned pabits = (c->cp0.pagegrain & PAGEGRAIN_ELPA) ? c->model->pabits : 36;
	uint64_t mask = (1ull << (pabits - 12 + ENTRYLO_PFN_SHIFT)) - 1;

	if (c->cp0.pagegrain & PAGEGRAIN_XIE)
		mask |= ENTRYLO_XI;
	if (c->cp0.pagegrain & PAGEGRAIN_RIE)
		mask |= ENTRYLO_RI;
	return mask;
}

/* Page sizes 4 KiB to 256 MiB: pairs of mask bits from the bottom; anything else reads back as before (PRA 9.10). */
static void write_pagemask(struct mips_cpu *c, uint64_t value)
{
	uint32_t bits = (uint32_t)(value >> 13) & 0xffff;

	if ((bits & (bits + 1)) == 0 && __builtin_popcount(bits) % 2 == 0)
		c->cp0.pagemask = bits << 13;
}

/* Of Context and XContext only PTEBase can be written; a miss sets the rest (PRA 9.8, 9.44). */
static uint64_t with_ptebase(uint64_t old, uint64_t value, uint64_t ptebase)
{
	return (old & ~ptebase) | (value & ptebase);
}

static void write_pagegrain(struct mips_cpu *c, uint32_t value)
{
	uint32_t mask = 0;

	if (c->cp0.config[3] & CONFIG3_RXI)
		mask |= PAGEGRAIN_RIE | PAGEGRAIN_XIE | PAGEGRAIN_IEC;
	if (c->cp0.config[3] & CONFIG3_LPA)
		mask |= PAGEGRAIN_ELPA;
	c->cp0.pagegrain = value & mask;
	mips_stlb_flush(c);
}

static void write_watch(struct mips_cpu *c, bool high, unsigned n, uint64_t value)
{
	if (n >= c->model->watches)
		return;
	if (high) /* I, R and W of WatchHi are cleared by writing 1 */
		c->cp0.watchhi[n] = (c->cp0.watchhi[n] & 7u & ~((uint32_t)value & 7)) |
				    ((uint32_t)value & (WATCHHI_G | 0xff0000u | WATCHHI_MASK));
	else
		c->cp0.watchlo[n] = value;
	mips_watch_update(c);
}

static uint64_t read_kscratch(const struct mips_cpu *c, unsigned sel)
{
	return (c->cp0.config[4] >> (CONFIG4_KSCREXIST_SHIFT + sel)) & 1 ? c->cp0.kscratch[sel] : 0;
}

static uint64_t read_lladdr(struct mips_cpu *c)
{
	uint64_t gpa = 0;

	if (c->ll_address != 0)
		mips_probe(c, c->ll_address, &gpa);
	return gpa >> 4;
}

/* Registers that only some CPUs have. */
static uint64_t read_optional(struct mips_cpu *c, unsigned reg, unsigned sel)
{
	uint64_t value;

	if (c->walker != NULL && c->walker->read(c, reg, sel, &value))
		return value;
	if (mips_has(c, MIPS_HAS_OCTEON)) {
		switch (REG(reg, sel)) {
		case REG(9, 6): return mips_cvmcount(c);
		case REG(9, 7): return c->cp0.cvmctl | CVMCTL_NOCRYPTO | CVMCTL_NODFA_CP2;
		case REG(11, 7): return c->cp0.cvmmemctl;
		case REG(27, 0): return c->cp0.icacheerr;
		case REG(27, 1): return c->cp0.dcacheerr;
		case REG(26, 0):
		case REG(26, 1): return c->cp0.errctl;
		default: break;
		}
	}
	log_debug("read of CP0 register %u.%u, which this CPU does not have", reg, sel);
	c->unknown_cp0++;
	return 0;
}

uint64_t mips_cp0_read(struct mips_cpu *c, unsigned reg, unsigned sel)
{
	struct mips_cp0 *p = &c->cp0;

	switch (reg) {
	case 16: return sext32(p->config[sel]);
	case 18: return sel < c->model->watches ? p->watchlo[sel] : 0;
	case 19: return sel < c->model->watches ? p->watchhi[sel] | (sel + 1 < c->model->watches ? 1u << 31 : 0) : 0;
	case 31: return sel == 0 ? p->desave : read_kscratch(c, sel);
	default: break;
	}
	switch (REG(reg, sel)) {
	case REG(0, 0): return sext32(p->index);
	case REG(1, 0): return mips_tlb_random(c);
	case REG(2, 0): return p->entrylo[0];
	case REG(3, 0): return p->entrylo[1];
	case REG(4, 0): return p->context;
	case REG(4, 2): return p->userlocal;
	case REG(5, 0): return p->pagemask;
	case REG(5, 1): return sext32(p->pagegrain);
	case REG(6, 0): return p->wired;
	case REG(7, 0): return sext32(p->hwrena);
	case REG(8, 0): return p->badvaddr;
	case REG(9, 0): return sext32(mips_count(c));
	case REG(10, 0): return p->entryhi;
	case REG(11, 0): return sext32(c->compare);
	case REG(12, 0): return sext32(p->status);
	case REG(12, 1): return sext32(p->intctl);
	case REG(12, 2): return p->srsctl;
	case REG(12, 3): return 0; /* SRSMap: one register set */
	case REG(13, 0):
		counter_read(c); /* TI must be seen as soon as the count has passed Compare */
		mips_take_lines(c);
		return sext32(p->cause);
	case REG(14, 0): return p->epc;
	case REG(15, 0): return sext32(c->model->prid);
	case REG(15, 1): return p->ebase;
	case REG(17, 0): return read_lladdr(c);
	case REG(20, 0): return p->xcontext;
	case REG(23, 0): return 0; /* Debug: never in debug mode */
	case REG(24, 0): return p->depc;
	case REG(25, 0):
	case REG(25, 1): return 0; /* no performance counters: Config1.PC is 0 */
	case REG(28, 0):
	case REG(28, 2): return p->taglo;
	case REG(28, 1):
	case REG(28, 3): return p->datalo;
	case REG(29, 0):
	case REG(29, 2): return p->taghi;
	case REG(29, 1):
	case REG(29, 3): return p->datahi;
	case REG(30, 0): return p->errorepc;
	default: return read_optional(c, reg, sel);
	}
}

uint64_t mips_cp0_read32(struct mips_cpu *c, unsigned reg, unsigned sel)
{
	uint64_t v = mips_cp0_read(c, reg, sel);

	/* MFC0 shows RI and XI in bits 31:30 (PRA 9.6). */
	if ((reg == 2 || reg == 3) && sel == 0)
		v = (v & 0x3fffffff) | (v >> 32 & 0xc0000000);
	return sext32(v);
}

static void write_optional(struct mips_cpu *c, unsigned reg, unsigned sel, uint64_t value)
{
	if (c->walker != NULL && c->walker->write(c, reg, sel, value))
		return;
	if (mips_has(c, MIPS_HAS_OCTEON)) {
		switch (REG(reg, sel)) {
		case REG(9, 6): c->cp0.cvmcount_offset += value - mips_cvmcount(c); return;
		case REG(9, 7): c->cp0.cvmctl = value; return;
		case REG(11, 7):
			c->cp0.cvmmemctl = value & ~(0x3full << 58); /* BIST results: always good */
			mips_stlb_flush(c);
			return;
		case REG(26, 0):
		case REG(26, 1): c->cp0.errctl = value; return;
		case REG(27, 0): c->cp0.icacheerr = value & ~(0x1full << 32); return;
		case REG(27, 1): c->cp0.dcacheerr = value & ~1ull; return;
		default: break;
		}
	}
	log_debug("write of %#llx to CP0 register %u.%u, which this CPU does not have", (unsigned long long)value, reg,
		  sel);
	c->unknown_cp0++;
}

/* Registers whose writes do not concern the flow of execution. */
static void write_plain(struct mips_cpu *c, unsigned reg, unsigned sel, uint64_t value)
{
	struct mips_cp0 *p = &c->cp0;
	uint32_t low = (uint32_t)value;

	switch (REG(reg, sel)) {
	case REG(0, 0): p->index = (p->index & INDEX_P) | (low & 0x7fffffff) % c->tlb.count; break;
	case REG(2, 0): p->entrylo[0] = value & mips_entrylo_mask(c); break;
	case REG(3, 0): p->entrylo[1] = value & mips_entrylo_mask(c); break;
	case REG(4, 0): p->context = with_ptebase(p->context, value, CONTEXT_PTEBASE); break;
	case REG(4, 2): p->userlocal = value; break;
	case REG(5, 0): write_pagemask(c, value); break;
	case REG(5, 1): write_pagegrain(c, low); break;
	case REG(6, 0): p->wired = low % c->tlb.count; break;
	case REG(7, 0):
		p->hwrena = low & (0xfu | (p->config[3] & CONFIG3_ULRI ? HWRENA_ULR : 0) |
				   (mips_has(c, MIPS_HAS_OCTEON) ? 0xc0000000u : 0));
		mips_update_mode(c);
		break;
	case REG(14, 0): p->epc = value; break;
	case REG(15, 1): p->ebase = sext32((low & 0x3ffff000) | 0x80000000u) | (p->ebase & 0x3ff); break;
	case REG(16, 0): p->config[0] = (p->config[0] & ~c->model->config0_rw) | (low & c->model->config0_rw); break;
	case REG(17, 0): break;
	case REG(20, 0): p->xcontext = with_ptebase(p->xcontext, value, mips_xcontext_ptebase(c)); break;
	case REG(24, 0): p->depc = value; break;
	case REG(28, 0):
	case REG(28, 2): p->taglo = value; break;
	case REG(28, 1):
	case REG(28, 3): p->datalo = value; break;
	case REG(29, 0):
	case REG(29, 2): p->taghi = value; break;
	case REG(29, 1):
	case REG(29, 3): p->datahi = value; break;
	case REG(30, 0): p->errorepc = value; break;
	case REG(31, 0): p->desave = value; break;
	/* Read-only, or without effect here. */
	case REG(1, 0):
	case REG(8, 0):
	case REG(12, 2):
	case REG(12, 3):
	case REG(15, 0):
	case REG(25, 0):
	case REG(25, 1): break;
	default: write_optional(c, reg, sel, value); break;
	}
}

bool mips_cp0_write(struct mips_cpu *c, unsigned reg, unsigned sel, uint64_t value)
{
	uint32_t low = (uint32_t)value;

	switch (REG(reg, sel)) {
	case REG(9, 0): write_count(c, low); return true;
	case REG(10, 0): mips_set_entryhi(c, value); return false;
	case REG(11, 0): write_compare(c, low); return true;
	case REG(12, 0): write_status(c, low); return true;
	case REG(12, 1):
		if (c->cp0.config[3] & CONFIG3_VINT)
			c->cp0.intctl = (c->cp0.intctl & ~INTCTL_VS) | (low & INTCTL_VS);
		return true;
	case REG(13, 0): write_cause(c, low); return true;
	default: break;
	}
	if (reg == 18 || reg == 19) {
		write_watch(c, reg == 19, sel, value);
		return true;
	}
	if (reg == 31 && sel >= 2) {
		if (c->cp0.config[4] >> (CONFIG4_KSCREXIST_SHIFT + sel) & 1)
			c->cp0.kscratch[sel] = value;
		return false;
	}
	if (reg == 16 && sel != 0)
		return false; /* read-only here */
	write_plain(c, reg, sel, value);
	return false;
}

bool mips_cp0_write32(struct mips_cpu *c, unsigned reg, unsigned sel, uint64_t value)
{
	/* MTC0 writes RI and XI from bits 31:30 (PRA 9.6). */
	if ((reg == 2 || reg == 3) && sel == 0)
		return mips_cp0_write(c, reg, sel, (value & 0x3fffffff) | (value & 0xc0000000) << 32);
	return mips_cp0_write(c, reg, sel, sext32(value));
}
