/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the host code that the translator makes of one guest address, to be shown in the end. */
#include <string.h>

#include "features/engine-dbt/observer.h"
#include "features/lockstep/state.h"

struct lockstep_block lockstep_block = { .wanted = ~(uint64_t)0 };

static void emitted(const struct dbt_unit *u)
{
	struct lockstep_block *b = &lockstep_block;

	/* Units that were cut for a stop are the shorter ones. */
	if (b->wanted < u->pc || b->wanted - u->pc >= u->guest_bytes || u->guest_bytes < b->guest_size)
		return;
	b->pc = u->pc;
	b->gpa = u->gpa;
	b->guest_size = u->guest_bytes;
	b->address = (uint64_t)(uintptr_t)u->code;
	b->size = u->bytes < sizeof(b->code) ? u->bytes : sizeof(b->code);
	memcpy(b->code, u->code, b->size);
}

static void flushed(struct vm *vm)
{
	(void)vm;
}

DBT_OBSERVER(lockstep) = { .emitted = emitted, .flushed = flushed };
