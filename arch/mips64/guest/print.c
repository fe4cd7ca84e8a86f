/* SPDX-License-Identifier: BSD-2-Clause */
/* System state in words, for the monitor and for reports. */
#include <husk/log.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/cpu.h"

static const char *exception_name(uint32_t code)
{
	static const char *const names[32] = {
		"interrupt",
		"TLB modified",
		"TLB load",
		"TLB store",
		"address error load",
		"address error store",
		"bus error fetch",
		"bus error data",
		"system call",
		"breakpoint",
		"reserved instruction",
		"coprocessor unusable",
		"overflow",
		"trap",
		NULL,
		"floating point",
		NULL,
		NULL,
		NULL,
		"read inhibit",
		"execute inhibit",
		NULL,
		NULL,
		"watch",
		"machine check",
	};

	return names[code & 31] != NULL ? names[code & 31] : "reserved";
}

static const char *mode_name(enum mips_mode mode)
{
	static const char *const names[MIPS_MODES] = { "kernel", "supervisor", "user" };

	return names[mode];
}

#define ULL(v) ((unsigned long long)(v))

#define PRINTED_ENTRIES 64u

static void print_cp0(struct mips_cpu *c)
{
	const struct mips_cp0 *p = &c->cp0;

	log_text("%s mode, Status %08x Cause %08x EPC %016llx ErrorEPC %016llx EBase %016llx\n", mode_name(c->mode),
		 p->status, p->cause, ULL(p->epc), ULL(p->errorepc), ULL(p->ebase));
	log_text("BadVAddr %016llx EntryHi %016llx Context %016llx XContext %016llx\n", ULL(p->badvaddr),
		 ULL(p->entryhi), ULL(p->context), ULL(p->xcontext));
	log_text("Count %08x Compare %08x Index %08x Wired %u PageMask %08x PageGrain %08x IntCtl %08x\n",
		 mips_count(c), c->compare, p->index, p->wired, p->pagemask, p->pagegrain, p->intctl);
}

static void print_page(const struct mips_tlb_page *p)
{
	if (p->valid)
		log_text("  %012llx %c%c%c C%u", ULL(p->gpa), p->read_inhibit ? '-' : 'r', p->dirty ? 'w' : '-',
			 p->exec_inhibit ? '-' : 'x', p->cca);
	else
		log_text("  %-18s", "invalid");
}

static void print_entry(const struct mips_tlb_entry *e, unsigned n)
{
	log_text("TLB %2u: %016llx + %llx asid %02x%s", n, ULL(e->vpn2), ULL(e->mask + 1), e->asid,
		 e->global ? " global" : "");
	print_page(&e->page[0]);
	print_page(&e->page[1]);
	log_text("\n");
}

/* Entries that translate something now; of a large TLB not all. */
static void print_tlb(const struct mips_cpu *c)
{
	unsigned in_use = 0, present_asid = 0;

	for (unsigned n = 0; n < c->tlb.count; n++) {
		const struct mips_tlb_entry *e = &c->tlb.entries[n];

		if (!e->present || (!e->page[0].valid && !e->page[1].valid))
			continue;
		in_use++;
		if (!e->global && e->asid != (c->cp0.entryhi & ENTRYHI_ASID))
			continue;
		if (present_asid++ < PRINTED_ENTRIES)
			print_entry(e, n);
	}
	log_text("TLB: %u of %u entries in use, %u of them for the present ASID%s; %llu refill exceptions, %llu "
		 "hardware "
		 "walks\n",
		 in_use, c->tlb.count, present_asid, present_asid > PRINTED_ENTRIES ? ", not all shown" : "",
		 ULL(c->refills), ULL(c->walks));
}

static void print_exceptions(const struct mips_cpu *c)
{
	uint64_t first = c->recorded > MIPS_EXCEPTION_HISTORY ? c->recorded - MIPS_EXCEPTION_HISTORY : 0;

	log_text("%llu exceptions, %llu without return; the last ones:\n", ULL(c->exceptions), ULL(c->nested));
	for (uint64_t n = first; n < c->recorded; n++) {
		const struct mips_exception_record *r = &c->history[n % MIPS_EXCEPTION_HISTORY];

		log_text("  %-20s EPC %016llx BadVAddr %016llx Status %08x Cause %08x",
			 exception_name(r->cause >> CAUSE_EXCCODE_SHIFT), ULL(r->epc), ULL(r->badvaddr), r->status,
			 r->cause);
		if (r->repeats != 0)
			log_text(", %llu times more", ULL(r->repeats));
		log_text("\n");
	}
}

void mips_print_state(struct mips_cpu *c)
{
	print_cp0(c);
	print_tlb(c);
	print_exceptions(c);
}
