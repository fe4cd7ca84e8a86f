/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine `dbt` in a program with another engine: how its helpers jump gets a name of its own. */
#define mips_jump dbt_jump
#include "features/engine-dbt/helpers.c"
