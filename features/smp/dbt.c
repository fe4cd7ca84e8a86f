/* SPDX-License-Identifier: BSD-2-Clause */
/* The translator's part in several vCPUs. */
#include <husk/feature.h>

#include "arch/mips64/guest/isa.h"
#include "arch/mips64/translate/emit.h"
#include "arch/x86_64/emit/lower_atomic.h"
#include "features/engine-dbt/part.h"

/* SYNC; those of its kinds that x86 needs nothing for were decoded to nothing, and do not come here. */
static bool emit(struct mips_front *f, uint32_t word, const struct mips_insn *insn)
{
	(void)insn;
	if (mips_op(word) != 0 || mips_funct(word) != 0x0f)
		return false;
	mips_emit(f, IR_FENCE);
	return true;
}

MIPS_TRANSLATOR(smp) = { .emit = emit };

DBT_PART(atomics) = { DBT_ATOMICS, &x86_atomics };

HUSK_FEATURE(dbt_smp) = {
	.name = "dbt-smp",
	.purpose = "translator: atomic operations and barriers for several vCPUs",
	.level = FEATURE_ENGINE,
};
