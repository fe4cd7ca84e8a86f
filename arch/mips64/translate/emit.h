/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the MIPS64 front end share. */
#ifndef MIPS64_TRANSLATE_EMIT_H
#define MIPS64_TRANSLATE_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/mips64/translate/front.h"

/** A block being translated. */
struct mips_front {
	struct mips_source *source;
	struct ir_block *out;
	uint64_t pc;    /**< of the present instruction */
	bool in_slot;   /**< it stands in a delay slot */
	bool ended;     /**< the block has its last operation */
	unsigned insns; /**< guest instructions so far */
	uint8_t next_temp;
	/* Registers known to hold a constant. */
	uint32_t known;
	uint64_t value[32];
};

/** Appends an operation at the present pc; the caller fills in its operands. */
struct ir_op *mips_emit(struct mips_front *f, enum ir_opcode op);

/** A new temporary. */
ir_var mips_temp(struct mips_front *f);

/** Sets a general register to a constant. */
void mips_emit_const(struct mips_front *f, ir_var reg, uint64_t value);

/** Appends what one instruction does, unless it is a branch. Does not move pc. */
void mips_emit_insn(struct mips_front *f, uint32_t word);

#endif
