/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the MIPS64 front end share. */
#ifndef MIPS64_TRANSLATE_EMIT_H
#define MIPS64_TRANSLATE_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/mips64/translate/front.h"

/** Instructions of a page. */
#define MIPS_PAGE_WORDS 1024u

/** A block being translated. */
struct mips_front {
	struct mips_source *source;
	struct ir_block *out;
	uint64_t pc;    /**< of the present instruction */
	bool in_slot;   /**< it stands in a delay slot */
	bool ended;     /**< the block has its last operation */
	bool stored;    /**< the delay slot may have stored something */
	bool went_back; /**< it follows a jump backward */
	bool branched;  /**< there is a branch in it */
	unsigned taken; /**< branches of source->path that are behind */
	unsigned insns; /**< guest instructions so far */
	uint8_t next_temp;
	ir_var condition[8];                    /**< temporary that holds FP condition code n, 0 or 1; or IR_NONE */
	uint64_t lowest, highest;               /**< instructions of the block */
	uint32_t visited[MIPS_PAGE_WORDS / 32]; /**< bit n: the block has word n of its page */
	/* A run of pairs, see emit_pairs.c: */
	uint64_t run_end;       /**< pc behind it; 0 if there is none */
	uint32_t run_half_done; /**< registers of which the second half is to come */
	ir_var run_delta;       /**< what its MAP found */
	/* Registers known to hold a constant. */
	uint32_t known;
	uint64_t value[32];
};

/** The branch at the present pc: what it does. */
struct mips_branch {
	enum { MIPS_CONDITIONAL, MIPS_DIRECT, MIPS_INDIRECT } kind;
	enum ir_condition cc;
	ir_var a, b;
	uint64_t target;
	ir_var link; /**< register, or IR_NONE */
	bool likely;
	bool returns; /**< it is a return from a function */
};

/**
 * What a part of the front end does for an instruction set module that an image may lack. It is asked first. Both
 * functions return false for what they leave to others: then nothing was emitted.
 */
struct mips_translator {
	uint32_t needs; /**< enum mips_feature */
	/** Emits what an instruction does; *insn is decoded. */
	bool (*emit)(struct mips_front *f, uint32_t word, const struct mips_insn *insn);
	/** Decodes a branch into *br, whose target is set; the condition's operands may be emitted. Or NULL. */
	bool (*branch)(struct mips_front *f, uint32_t word, struct mips_branch *br);
};

/** Adds one to the image. */
#define MIPS_TRANSLATOR(id)                                                                         \
	static const struct mips_translator mips_translator_##id;                                   \
	static const struct mips_translator *const mips_translator_entry_##id                       \
		__attribute__((used, retain, section("mips_translators"))) = &mips_translator_##id; \
	static const struct mips_translator mips_translator_##id

/** The first translator of the guest's CPU that decodes the branch. */
bool mips_ask_branch(struct mips_front *f, uint32_t word, struct mips_branch *br);

/** Appends an operation at the present pc; the caller fills in its operands. */
struct ir_op *mips_emit(struct mips_front *f, enum ir_opcode op);

/** A new temporary. */
ir_var mips_temp(struct mips_front *f);

/** Sets a general register to a constant. */
void mips_emit_const(struct mips_front *f, ir_var reg, uint64_t value);

/** Appends d = a op b; d, a general register, may be 0. */
struct ir_op *mips_emit3(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned b);

/** Appends d = a op imm. */
struct ir_op *mips_emit_imm(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, uint64_t imm);

/** Where a result goes: results for $0 go to a temporary that nobody reads; the register is no constant any more. */
ir_var mips_destination(struct mips_front *f, unsigned reg);

/** True if a general register holds a constant here; sets *value. */
bool mips_is_known(const struct mips_front *f, unsigned reg, uint64_t *value);

/** Appends d = a for general registers, HI, LO or temporaries. */
void mips_emit_move(struct mips_front *f, unsigned d, unsigned a);

/** A new temporary that holds a constant. */
ir_var mips_emit_temp_const(struct mips_front *f, uint64_t value);

/** Appends a read of a field of the vCPU, sign-extended, for the caller to set its destination. */
struct ir_op *mips_read_field(struct mips_front *f, unsigned size, uint64_t offset);

/** Appends the instruction as the helper's, if a cc b. */
void mips_emit_trap(struct mips_front *f, enum ir_condition cc, unsigned a, unsigned b, const struct mips_insn *insn);

/** True if the block is for kernel mode. */
bool mips_in_kernel_mode(const struct mips_front *f);

/* The groups of the base instruction set. They return false for what they leave to others: nothing was emitted then. */
bool mips_emit_alu(struct mips_front *f, uint32_t w, const struct mips_insn *insn);
bool mips_emit_memory(struct mips_front *f, uint32_t w, const struct mips_insn *insn);
bool mips_emit_system(struct mips_front *f, uint32_t w, const struct mips_insn *insn);

/** Emits LDL, LDR, LWL, LWR or one of their stores as one of a pair; false if it is none: nothing was emitted then. */
bool mips_emit_pair(struct mips_front *f, uint32_t w);

/** The instruction at pc, which is in the block's page or the one behind. */
uint32_t mips_word_at(const struct mips_front *f, uint64_t pc);

/** True if the instruction at pc, in the block's page, is already part of the block. */
bool mips_is_visited(const struct mips_front *f, uint64_t pc);

/** Room for n more instructions, the last one with its delay slot, and the exit. */
bool mips_has_room(const struct mips_front *f, unsigned n);

/** Keeps a decoded instruction for helpers. */
const struct mips_insn *mips_keep_insn(struct mips_front *f, const struct mips_insn *insn);

/** Field `member` of the vCPU, for IR_STATE and IR_PUT. */
#define MIPS_STATE(member) offsetof(struct mips_cpu, member)

/** Appends what one instruction does, unless it is a branch. Does not move pc. */
void mips_emit_insn(struct mips_front *f, uint32_t word);

#endif
