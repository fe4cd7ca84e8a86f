/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine `interp` in a program with another engine: how it jumps gets a name of its own. */
#define mips_jump interp_jump
#include "features/engine-interp/interp.c"
