/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks with several exits, and with loops. At first a block goes the way that compilers lay out as the usual one; when
 * it has proved hot it is made anew along the way that the guest goes then.
 */
#include <config/SUPERBLOCKS_HOT_AFTER.h>
#include <husk/feature.h>
#include <husk/vm.h>

#include "arch/mips64/translate/front.h"
#include "features/engine-dbt/dbt.h"

/* The guest goes on as within a block that begins at `start`. */
static bool goes_on(struct dbt *d, uint64_t start, uint32_t mode, uint64_t exceptions)
{
	const struct mips_cpu *c = &d->cpu;

	return c->pc != start && ((c->pc ^ start) & GUEST_PAGE_MASK) == 0 && c->code_mode == mode &&
	       c->exceptions == exceptions && dbt_is_free(c) && !dbt_must_look(c) &&
	       !mips_breakpoint_at(&d->breakpoints, c->pc);
}

static unsigned follow(struct dbt *d, uint64_t path[])
{
	struct mips_cpu *c = &d->cpu;
	uint64_t start = c->pc, exceptions = c->exceptions;
	uint32_t mode = c->code_mode;
	unsigned nr_path = 0, steps = 0;

	do {
		uint64_t pc = c->pc;

		dbt_single(d);
		if (c->pc != pc + 4)
			path[nr_path++] = c->pc;
	} while (nr_path < DBT_MAX_PATH && ++steps < MIPS_BLOCK_INSNS && goes_on(d, start, mode, exceptions));
	return nr_path;
}

static const struct dbt_shape shape = {
	.through_branches = true, .loops = true, .hot_after = CONFIG_SUPERBLOCKS_HOT_AFTER, .follow = follow
};

DBT_PART(superblocks) = { DBT_SUPERBLOCKS, &shape };

HUSK_FEATURE(dbt_superblocks) = {
	.name = "dbt-superblocks",
	.purpose = "translator: units of several basic blocks along the hot path, loops within a unit",
	.level = FEATURE_ENGINE,
};
