/* SPDX-License-Identifier: BSD-2-Clause */
/* What the stack of returns may not know any more. How generated code uses it is in arch/x86_64/emit/return_stack.c. */
#include <husk/feature.h>
#include <husk/memory.h>

#include "arch/x86_64/emit/return_stack.h"
#include "features/engine-dbt/part.h"

/* The key of an address has the address bits of the page as they are. */
#define PAGE_BITS (0xffffffffull & GUEST_PAGE_MASK)

static void forget(struct x86_return_stack *s, uint64_t va)
{
	struct x86_return *entry = (struct x86_return *)(uintptr_t)s->now;

	if (s->now == 0)
		return;
	for (; entry < (struct x86_return *)(uintptr_t)s->base; entry++)
		if (va == ~0ull || ((entry->key ^ va) & PAGE_BITS) == 0)
			entry->key = ~0ull;
}

static const struct dbt_returns returns = { .code = &x86_return_code, .forget = forget };

DBT_PART(returns) = { DBT_RETURNS, &returns };

HUSK_FEATURE(dbt_returns) = {
	.name = "dbt-returns",
	.purpose = "translator: returns of the guest are returns of the host",
	.level = FEATURE_ENGINE,
};
