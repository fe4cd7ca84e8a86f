/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/mips64/guest/registers.h"

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/cpu.h"
#include "arch/mips64/guest/fpu/fpu.h"

enum { PC, GPR0, HI = GPR0 + 32, LO, STATUS, CAUSE, EPC, BADVADDR, ENTRYHI, COUNT, FPR0, FCSR = FPR0 + 32, FIR };

#define WIDE(name)      \
	{               \
		name, 8 \
	}

const struct engine_register mips_registers[MIPS_NR_REGISTERS] = {
	WIDE("pc"),      WIDE("zero"),   WIDE("at"),  WIDE("v0"),       WIDE("v1"),      WIDE("a0"),     WIDE("a1"),
	WIDE("a2"),      WIDE("a3"),     WIDE("a4"),  WIDE("a5"),       WIDE("a6"),      WIDE("a7"),     WIDE("t0"),
	WIDE("t1"),      WIDE("t2"),     WIDE("t3"),  WIDE("s0"),       WIDE("s1"),      WIDE("s2"),     WIDE("s3"),
	WIDE("s4"),      WIDE("s5"),     WIDE("s6"),  WIDE("s7"),       WIDE("t8"),      WIDE("t9"),     WIDE("k0"),
	WIDE("k1"),      WIDE("gp"),     WIDE("sp"),  WIDE("s8"),       WIDE("ra"),      WIDE("hi"),     WIDE("lo"),
	{ "status", 4 }, { "cause", 4 }, WIDE("epc"), WIDE("badvaddr"), WIDE("entryhi"), { "count", 4 }, WIDE("f0"),
	WIDE("f1"),      WIDE("f2"),     WIDE("f3"),  WIDE("f4"),       WIDE("f5"),      WIDE("f6"),     WIDE("f7"),
	WIDE("f8"),      WIDE("f9"),     WIDE("f10"), WIDE("f11"),      WIDE("f12"),     WIDE("f13"),    WIDE("f14"),
	WIDE("f15"),     WIDE("f16"),    WIDE("f17"), WIDE("f18"),      WIDE("f19"),     WIDE("f20"),    WIDE("f21"),
	WIDE("f22"),     WIDE("f23"),    WIDE("f24"), WIDE("f25"),      WIDE("f26"),     WIDE("f27"),    WIDE("f28"),
	WIDE("f29"),     WIDE("f30"),    WIDE("f31"), { "fcsr", 4 },    { "fir", 4 },
};

/* FCSR, brought up to date with what was executed. */
static uint32_t settled_fcsr(struct mips_cpu *c)
{
	if (c->fpu.settle != NULL)
		c->fpu.settle(c);
	return c->fpu.fcsr;
}

uint64_t mips_get_register(struct vcpu *v, unsigned n)
{
	struct mips_cpu *c = mips_cpu(v);

	if (n >= GPR0 && n < HI)
		return c->gpr[n - GPR0];
	if (n >= FPR0 && n < FCSR)
		return c->fpu.fpr[n - FPR0];
	switch (n) {
	case PC: return c->pc;
	case HI: return c->hi;
	case LO: return c->lo;
	case STATUS: return c->cp0.status;
	case CAUSE: return c->cp0.cause;
	case EPC: return c->cp0.epc;
	case BADVADDR: return c->cp0.badvaddr;
	case ENTRYHI: return c->cp0.entryhi;
	case COUNT: return c->time_held ? (uint32_t)c->held_count : mips_count(c);
	case FCSR: return settled_fcsr(c);
	case FIR: return c->model->fir;
	default: return 0;
	}
}

void mips_set_register(struct vcpu *v, unsigned n, uint64_t value)
{
	struct mips_cpu *c = mips_cpu(v);

	if (n > GPR0 && n < HI) {
		c->gpr[n - GPR0] = value;
		return;
	}
	if (n >= FPR0 && n < FCSR) {
		c->fpu.fpr[n - FPR0] = value;
		return;
	}
	switch (n) {
	case PC: c->pc = value; break;
	case HI: c->hi = value; break;
	case LO: c->lo = value; break;
	case STATUS: mips_set_status(c, (uint32_t)value); break;
	case CAUSE: c->cp0.cause = (uint32_t)value; break;
	case EPC: c->cp0.epc = value; break;
	case BADVADDR: c->cp0.badvaddr = value; break;
	case ENTRYHI: mips_set_entryhi(c, value); break;
	case FCSR:
		c->fpu.fcsr = (settled_fcsr(c) & ~FCSR_WRITABLE) | ((uint32_t)value & FCSR_WRITABLE);
		mips_update_mode(c);
		break;
	default: break;
	}
}
