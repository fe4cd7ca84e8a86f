/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups of the base instruction set, each in its own file, tried in turn by the decoder. */
#ifndef MIPS64_ISA_H
#define MIPS64_ISA_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/mips64/guest/insn.h"

/**
 * Each returns the exec function of `word` with the fields of *out set as it needs them, or NULL if the
 * word is not of its group. On entry *out holds rs, rt, rd (as destination), sa and the sign-extended
 * immediate of the word.
 */
mips_exec *mips_decode_alu(const struct mips_cpu *c, uint32_t word, struct mips_insn *out);
mips_exec *mips_decode_muldiv(const struct mips_cpu *c, uint32_t word, struct mips_insn *out);
mips_exec *mips_decode_branch(const struct mips_cpu *c, uint32_t word, struct mips_insn *out);
mips_exec *mips_decode_memory(const struct mips_cpu *c, uint32_t word, struct mips_insn *out);
mips_exec *mips_decode_system(const struct mips_cpu *c, uint32_t word, struct mips_insn *out);

/** True if the word is a branch or jump of the base set. */
bool mips_base_is_branch(uint32_t word);

/** Raises Reserved Instruction. */
const struct mips_insn *mips_exec_reserved(struct mips_cpu *c, const struct mips_insn *i);

/** Fills the fields that every format has; decode functions of modules start with it. */
void mips_decode_fields(uint32_t word, struct mips_insn *out);

/** Does nothing. */
const struct mips_insn *mips_exec_nop(struct mips_cpu *c, const struct mips_insn *i);

/**
 * Ends an instruction after which the engine must look at interrupts or mappings again: stops decoded
 * execution behind it or, in a delay slot, has the branch stop.
 */
const struct mips_insn *mips_stop_after(struct mips_cpu *c, const struct mips_insn *i);

#endif
