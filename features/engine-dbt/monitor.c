/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters for the monitor. */
#include <husk/log.h>
#include <husk/monitor.h>
#include <husk/vm.h>

#include "features/engine-dbt/dbt.h"

#define ULL(v) ((unsigned long long)(v))

static int command_dbt(struct vm *vm, int argc, char **argv)
{
	const struct dbt *d = dbt(mips_cpu(vm->vcpus[0]));
	const struct block_counts *n = &d->blocks.counts;

	(void)argc;
	(void)argv;
	log_text("%llu blocks translated to %llu KiB, %u live, %llu dropped for changed code, cache flushed %llu "
		 "times\n",
		 ULL(n->translated), ULL(n->bytes >> 10), d->blocks.nr_blocks, ULL(n->invalidated), ULL(n->flushes));
	log_text("lookups: %llu hits, %llu misses; entered %llu times, %llu single steps\n",
		 ULL(d->counts.lookups - d->counts.misses), ULL(d->counts.misses), ULL(d->counts.entries),
		 ULL(d->counts.steps));
	log_text("%llu links made, %llu undone; %llu hot blocks made anew\n", ULL(n->links), ULL(n->unlinks),
		 ULL(d->counts.hot));
	log_text("left for: %llu jumps or helpers, %llu unlinked exits, %llu checks of groups, %llu limits\n",
		 ULL(d->counts.jumps), ULL(d->counts.exits), ULL(d->counts.careful), ULL(d->counts.cuts));
	log_text("helpers: %llu loads and %llu stores that missed the soft TLB, %llu instructions\n",
		 ULL(d->counts.helper_loads), ULL(d->counts.helper_stores), ULL(d->counts.execs));
	return 0;
}

MONITOR_COMMAND(dbt) = { "dbt", "", "counters of the translator", command_dbt };
