/* SPDX-License-Identifier: BSD-2-Clause */
/* The jump cache's contents. How generated code looks into it is in arch/x86_64/emit/jump_cache.c. */
#include <string.h>

#include <husk/feature.h>

#include "features/engine-dbt/part.h"

#define PAGE_MASK (~(uint64_t)0xfff)

static void remember(struct x86_jump_cache *j, uint64_t va, uint64_t fetch_key, uint64_t code)
{
	unsigned place = x86_jump_place(va);

	j->bits = JUMP_BITS;
	j->key[place] = va ^ fetch_key;
	j->code[place] = code;
}

static void forget(struct x86_jump_cache *j, uint64_t va)
{
	/* All ones is no key. */
	if (va == ~0ull)
		memset(j->key, 0xff, sizeof(j->key));
	else
		memset(&j->key[x86_jump_place(va & PAGE_MASK)], 0xff, JUMPS_OF_PAGE * sizeof(j->key[0]));
}

static void forget_code(struct x86_jump_cache *j, uint64_t va, uint64_t code)
{
	unsigned place = x86_jump_place(va);

	if (j->code[place] == code)
		j->key[place] = ~0ull;
}

static const struct dbt_jumps jumps = {
	.code = &x86_jump_code, .remember = remember, .forget = forget, .forget_code = forget_code
};

DBT_PART(jumps) = { DBT_JUMPS, &jumps };

HUSK_FEATURE(dbt_jumps) = {
	.name = "dbt-jumps",
	.purpose = "translator: targets of indirect jumps are found in place",
	.level = FEATURE_ENGINE,
};
