/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/engine-dbt/pass.h"

extern const struct dbt_pass *const __start_dbt_passes[] __attribute__((weak));
extern const struct dbt_pass *const __stop_dbt_passes[] __attribute__((weak));

void dbt_run_passes(struct ir_block *ir, void *work)
{
	for (const struct dbt_pass *const *p = __start_dbt_passes; p < __stop_dbt_passes; p++)
		(*p)->run(ir, work);
}

size_t dbt_passes_work_bytes(void)
{
	size_t most = 0;

	for (const struct dbt_pass *const *p = __start_dbt_passes; p < __stop_dbt_passes; p++)
		most = (*p)->work_bytes > most ? (*p)->work_bytes : most;
	return most;
}
