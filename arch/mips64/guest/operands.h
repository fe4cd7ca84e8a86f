/* SPDX-License-Identifier: BSD-2-Clause */
/* What exec functions call their operands. For .c files of instruction set modules only: the names are short. */
#ifndef MIPS64_OPERANDS_H
#define MIPS64_OPERANDS_H

#include <stdint.h>

#include "arch/mips64/guest/cpu.h"
#include "arch/mips64/guest/insn.h"

/* In a function with a mips_cpu `c` and an instruction `i`: the registers it names, and its immediate. */
#define A   (c->gpr[i->a])
#define B   (c->gpr[i->b])
#define D   (c->gpr[i->d])
#define IMM ((uint64_t)(int64_t)i->imm)

/** The low 32 bits of a value, sign-extended, as all 32-bit operations leave it. */
#define SEXT32(v) ((uint64_t)(int64_t)(int32_t)(uint32_t)(v))

#endif
