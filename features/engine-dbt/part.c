/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/engine-dbt/part.h"

#include <stddef.h>

extern const struct dbt_part *const __start_dbt_parts[] __attribute__((weak));
extern const struct dbt_part *const __stop_dbt_parts[] __attribute__((weak));

const void *dbt_part(enum dbt_part_kind kind)
{
	for (const struct dbt_part *const *p = __start_dbt_parts; p < __stop_dbt_parts; p++)
		if ((*p)->kind == kind)
			return (*p)->ops;
	return NULL;
}
