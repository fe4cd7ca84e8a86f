/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks with several exits, and with loops: front end and back end can, this says that they shall. */
#include <husk/feature.h>

#include "features/engine-dbt/part.h"

static const struct dbt_shape shape = { .through_branches = true, .loops = true };

DBT_PART(superblocks) = { DBT_SUPERBLOCKS, &shape };

HUSK_FEATURE(dbt_superblocks) = {
	.name = "dbt-superblocks",
	.purpose = "translator: units of several basic blocks, loops within a unit",
	.level = FEATURE_ENGINE,
};
