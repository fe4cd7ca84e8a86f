/* SPDX-License-Identifier: BSD-2-Clause */
/* Executes single guest instructions with the interpreter's functions. */
#ifndef DBT_STEP_H
#define DBT_STEP_H

#include "arch/mips64/guest/cpu.h"

/** Executes the instruction at c->pc, a branch together with its delay slot, and sets c->pc. */
void dbt_step_insn(struct mips_cpu *c);

#endif
