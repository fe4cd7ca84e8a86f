/* SPDX-License-Identifier: BSD-2-Clause */
/* All of a MIPS64 vCPU that software can see, now or later. What engines cache is no part of it. */
#include <stdio.h>

#include <husk/vm.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/cpu.h"
#include "features/lockstep/state.h"

static void visit_registers(struct vcpu *v, struct lockstep_visitor *to)
{
	const struct engine *e = v->vm->engine;

	for (unsigned n = 0; n < e->nr_registers; n++) {
		const char *name = e->registers[n].name;
		bool is_fpu = name[0] == 'f';

		to->value(to, is_fpu ? LOCKSTEP_FPU : LOCKSTEP_GPR, name, e->get_register(v, n));
	}
}

static void visit_numbered(struct lockstep_visitor *to, enum lockstep_part part, const char *base, unsigned n,
			   uint64_t value)
{
	char name[32];

	snprintf(name, sizeof(name), "%s[%u]", base, n);
	to->value(to, part, name, value);
}

/* Registers that the engine's list lacks. */
static void visit_cp0(const struct mips_cpu *c, struct lockstep_visitor *to)
{
#define CP0(field) to->value(to, LOCKSTEP_CP0, #field, (uint64_t)c->cp0.field)
	CP0(index);
	CP0(wired);
	CP0(entrylo[0]);
	CP0(entrylo[1]);
	CP0(context);
	CP0(xcontext);
	CP0(pagemask);
	CP0(pagegrain);
	CP0(hwrena);
	CP0(intctl);
	CP0(srsctl);
	CP0(errorepc);
	CP0(ebase);
	CP0(config[0]);
	CP0(config[3]);
	CP0(config[4]);
	CP0(userlocal);
	CP0(desave);
	CP0(depc);
	CP0(taglo);
	CP0(datalo);
	CP0(taghi);
	CP0(datahi);
	CP0(errctl);
	CP0(pwbase);
	CP0(pwfield);
	CP0(pwsize);
	CP0(pwctl);
	CP0(cvmctl);
	CP0(cvmmemctl);
	CP0(cvmcount_offset);
	for (unsigned n = 0; n < 8; n++) {
		visit_numbered(to, LOCKSTEP_CP0, "watchlo", n, c->cp0.watchlo[n]);
		visit_numbered(to, LOCKSTEP_CP0, "watchhi", n, c->cp0.watchhi[n]);
		visit_numbered(to, LOCKSTEP_CP0, "kscratch", n, c->cp0.kscratch[n]);
	}
#undef CP0
	to->value(to, LOCKSTEP_CP0, "compare", c->compare);
	to->value(to, LOCKSTEP_CP0, "llbit", c->ll_valid);
	to->value(to, LOCKSTEP_CP0, "ll_address", c->ll_address);
	to->value(to, LOCKSTEP_CP0, "waiting", c->waiting);
}

static void visit_octeon(const struct mips_cpu *c, struct lockstep_visitor *to)
{
	const struct mips_octeon *o = &c->octeon;
	uint64_t scratch = 0;

	for (unsigned n = 0; n < 3; n++) {
		visit_numbered(to, LOCKSTEP_GPR, "mpl", n, o->mpl[n]);
		visit_numbered(to, LOCKSTEP_GPR, "p", n, o->p[n]);
	}
	to->value(to, LOCKSTEP_GPR, "crc_polynomial", o->crc_polynomial);
	to->value(to, LOCKSTEP_GPR, "crc_iv", o->crc_iv);
	to->value(to, LOCKSTEP_GPR, "crc_length", o->crc_length);
	for (unsigned n = 0; n < sizeof(c->cvmseg); n++)
		scratch = (scratch ^ c->cvmseg[n]) * 0x100000001b3ull; /* FNV-1a */
	to->value(to, LOCKSTEP_GPR, "cvmseg", scratch);
}

static void visit_page(struct lockstep_visitor *to, unsigned entry, unsigned half, const struct mips_tlb_page *p)
{
	uint64_t flags = p->cca | (uint64_t)p->valid << 4 | (uint64_t)p->dirty << 5 | (uint64_t)p->read_inhibit << 6 |
			 (uint64_t)p->exec_inhibit << 7;
	char name[32];

	snprintf(name, sizeof(name), "tlb[%u].page[%u]", entry, half);
	to->value(to, LOCKSTEP_TLB, name, p->gpa | flags);
}

static void visit_tlb(const struct mips_cpu *c, struct lockstep_visitor *to)
{
	char name[32];

	to->value(to, LOCKSTEP_TLB, "random", c->tlb.random);
	for (unsigned n = 0; n < c->tlb.count; n++) {
		const struct mips_tlb_entry *e = &c->tlb.entries[n];

		if (!e->present)
			continue;
		snprintf(name, sizeof(name), "tlb[%u].vpn2", n);
		to->value(to, LOCKSTEP_TLB, name, e->vpn2 | e->asid | (uint64_t)e->global << 8);
		snprintf(name, sizeof(name), "tlb[%u].mask", n);
		to->value(to, LOCKSTEP_TLB, name, e->mask);
		visit_page(to, n, 0, &e->page[0]);
		visit_page(to, n, 1, &e->page[1]);
	}
}

void lockstep_visit(struct vcpu *v, struct lockstep_visitor *visitor)
{
	const struct mips_cpu *c = mips_cpu(v);

	visit_registers(v, visitor);
	visit_cp0(c, visitor);
	visit_tlb(c, visitor);
	if (mips_has(c, MIPS_HAS_OCTEON))
		visit_octeon(c, visitor);
}

const char *lockstep_cpu(struct vcpu *v)
{
	return mips_has(mips_cpu(v), MIPS_HAS_OCTEON) ? "octeon2" : "isa64r2";
}

bool lockstep_is_big_endian(struct vcpu *v)
{
	return mips_cpu(v)->big_endian;
}
