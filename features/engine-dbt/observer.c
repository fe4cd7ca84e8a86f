/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/engine-dbt/observer.h"

extern const struct dbt_observer *const __start_dbt_observers[] __attribute__((weak));
extern const struct dbt_observer *const __stop_dbt_observers[] __attribute__((weak));

void dbt_tell_emitted(const struct dbt_unit *unit)
{
	for (const struct dbt_observer *const *o = __start_dbt_observers; o < __stop_dbt_observers; o++)
		(*o)->emitted(unit);
}

void dbt_tell_flushed(struct vm *vm)
{
	for (const struct dbt_observer *const *o = __start_dbt_observers; o < __stop_dbt_observers; o++)
		(*o)->flushed(vm);
}
