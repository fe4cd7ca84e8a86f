/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of the run: one CPU goes on, the others halt, whatever they are at. */
#include <stddef.h>

#include <husk/platform.h>

#include "arch/x86_64/pc/apic.h"
#include "arch/x86_64/pc/smp/cpus.h"
#include "arch/x86_64/pc/x86.h"

#define PATIENCE_NS 100000000u

/* The CPU that ends the run, NULL: none. */
static struct pc_processor *ending;

bool pc_is_stopping(void)
{
	return __atomic_load_n(&ending, __ATOMIC_ACQUIRE) != NULL;
}

static _Noreturn void halt(struct pc_processor *p)
{
	__atomic_store_n(&p->stopped, true, __ATOMIC_RELEASE);
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void stop(struct pc_processor *p, uint64_t patience)
{
	apic_send(p->cpu.apic_id, APIC_NMI);
	while (!__atomic_load_n(&p->stopped, __ATOMIC_ACQUIRE) && plat_time_ns() < patience)
		cpu_relax();
}

/*
 * An NMI reaches every CPU, also one that has masked interrupts or runs guest code. There it comes here by
 * fault_report(), which is what an NMI leads to, and the CPU finds that another one ends the run.
 */
void cpu_stop_others(void)
{
	struct pc_processor *self = pc_processor(), *other = NULL;
	uint64_t patience = plat_time_ns() + PATIENCE_NS;

	if (!__atomic_compare_exchange_n(&ending, &other, self, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (other != self)
			halt(self);
		return;
	}
	for (unsigned i = 0; i < pc_nr_processors; i++)
		if (&pc_processors[i] != self)
			stop(&pc_processors[i], patience);
}
