/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters for the monitor. */
#include <husk/log.h>
#include <husk/monitor.h>
#include <husk/vm.h>

#include "features/engine-dbt/dbt.h"

#define ULL(v) ((unsigned long long)(v))

#define NR_COUNTS (sizeof(struct dbt_counts) / sizeof(uint64_t))

/* Of all vCPUs. */
static struct dbt_counts add_up(const struct vm *vm)
{
	union {
		struct dbt_counts counts;
		uint64_t all[NR_COUNTS];
	} sum = { .all = { 0 } }, one;

	for (unsigned n = 0; n < vm->nr_vcpus; n++) {
		one.counts = dbt_of(vm, n)->counts;
		for (unsigned i = 0; i < NR_COUNTS; i++)
			sum.all[i] += one.all[i];
	}
	return sum.counts;
}

static int command_dbt(struct vm *vm, int argc, char **argv)
{
	const struct dbt_counts c = add_up(vm);
	const struct blocks *b = &dbt_of(vm, 0)->code->blocks;
	const struct block_counts *n = &b->counts;

	(void)argc;
	(void)argv;
	log_text("%llu blocks translated to %llu KiB, %u live, %llu dropped for changed code, cache flushed %llu "
		 "times\n",
		 ULL(n->translated), ULL(n->bytes >> 10), b->nr_blocks, ULL(n->invalidated), ULL(n->flushes));
	log_text("lookups: %llu hits, %llu misses; entered %llu times, %llu single steps\n", ULL(c.lookups - c.misses),
		 ULL(c.misses), ULL(c.entries), ULL(c.steps));
	log_text("%llu links made, %llu undone; %llu hot blocks made anew\n", ULL(n->links), ULL(n->unlinks),
		 ULL(c.hot));
	log_text("left for: %llu jumps or helpers, %llu unlinked exits, %llu checks of groups, %llu limits\n",
		 ULL(c.jumps), ULL(c.exits), ULL(c.careful), ULL(c.cuts));
	log_text("helpers: %llu loads and %llu stores that missed the soft TLB, %llu instructions\n",
		 ULL(c.helper_loads), ULL(c.helper_stores), ULL(c.execs));
	return 0;
}

MONITOR_COMMAND(dbt) = { "dbt", "", "counters of the translator", command_dbt };
