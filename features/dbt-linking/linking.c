/* SPDX-License-Identifier: BSD-2-Clause */
/* Jumps from block to block: the displacement of an exit's jump is changed, and back when its target is dropped. */
#include <husk/feature.h>

#include "features/engine-dbt/part.h"

static void set_jump(struct blocks *b, const struct block_exit *e, uint64_t target)
{
	x86_patch(e->displacement, b->arena.execute - b->arena.write, target);
}

static void link_exit(struct blocks *b, uint32_t exit, uint32_t block)
{
	struct block_exit *e = &b->exits[exit];

	if (e->linked)
		return;
	set_jump(b, e, b->blocks[block].code);
	e->next = b->blocks[block].incoming;
	b->blocks[block].incoming = exit;
	e->linked = true;
	b->counts.links++;
}

static void unlink_incoming(struct blocks *b, struct block *target)
{
	uint32_t next;

	for (uint32_t n = target->incoming; n != EXIT_NONE; n = next) {
		next = b->exits[n].next;
		set_jump(b, &b->exits[n], b->exits[n].unlinked);
		b->exits[n].next = EXIT_NONE;
		b->exits[n].linked = false;
		b->counts.unlinks++;
	}
	target->incoming = EXIT_NONE;
}

static const struct dbt_linking linking = { .link = link_exit, .unlink = unlink_incoming };

DBT_PART(linking) = { DBT_LINKING, &linking };

HUSK_FEATURE(dbt_linking) = {
	.name = "dbt-linking",
	.purpose = "translator: blocks jump to each other",
	.level = FEATURE_ENGINE,
};
