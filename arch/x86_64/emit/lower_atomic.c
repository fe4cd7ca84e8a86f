/* SPDX-License-Identifier: BSD-2-Clause */
/* What translated code does because other vCPUs run at the same time. x86's order of accesses is TSO (SDM 3A, 9.2). */
#include "arch/x86_64/emit/lower_atomic.h"

#include "arch/x86_64/emit/lowering.h"

/* Memory has guest byte order, registers have the host's. */
static void swap(const struct x86_lowering *s, const struct ir_op *o, enum x86_reg r)
{
	if (s->b->big_endian)
		x86_bswap(s->a, o->size == 8, r);
}

static void replace(struct x86_lowering *s, const struct ir_op *o, enum x86_reg d, enum x86_reg value, struct x86_mem m)
{
	const struct x86_layout *l = &s->r->layout;

	if (o->b == IR_ZERO)
		x86_mov_imm(s->a, RDX, 0);
	else
		x86_mov(s->a, true, RDX, value);
	swap(s, o, RDX);
	x86_load(s->a, false, o->size, RAX, x86_at(RBP, l->ll_value));
	swap(s, o, RAX);
	x86_lock_cmpxchg(s->a, o->size == 8, m, RDX);
	x86_store_imm(s->a, 1, 0, x86_at(RBP, l->ll_valid));
	x86_setcc(s->a, CC_E, d);
}

static void fence(struct x86_lowering *s)
{
	x86_fence(s->a);
}

const struct x86_atomics x86_atomics = { .replace = replace, .fence = fence };
