/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoded instructions. A page of guest code is an array of these; executing one
 * returns the next, or NULL when decoded execution has to stop: c->pc then says
 * where to go on (an exception vector, another page, or the same place after a
 * change that the engine must look at).
 */
#ifndef MIPS64_INSN_H
#define MIPS64_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/mips64/guest/cpu.h"

/** Executes one decoded instruction. */
typedef const struct mips_insn *mips_exec(struct mips_cpu *c, const struct mips_insn *i);

/** A decoded instruction: 16 bytes, so that a page of code is 16 KiB. */
struct mips_insn {
	mips_exec *exec;
	uint8_t a;   /**< rs, base or fs */
	uint8_t b;   /**< rt or ft */
	uint8_t d;   /**< destination; MIPS_REG_SINK instead of $0 */
	uint8_t s;   /**< shift amount, select, condition code, fr, ... */
	int32_t imm; /**< immediate; branches: target as a distance in instructions from the branch */
};

#define MIPS_PAGE_INSNS 1024u

/** Fields of an instruction word (MD00087, volume II, instruction formats). */
static inline unsigned mips_op(uint32_t w)
{
	return w >> 26;
}
static inline uint8_t mips_rs(uint32_t w)
{
	return (w >> 21) & 31;
}
static inline uint8_t mips_rt(uint32_t w)
{
	return (w >> 16) & 31;
}
static inline uint8_t mips_rd(uint32_t w)
{
	return (w >> 11) & 31;
}
static inline uint8_t mips_sa(uint32_t w)
{
	return (w >> 6) & 31;
}
static inline unsigned mips_funct(uint32_t w)
{
	return w & 63;
}
static inline int32_t mips_simm(uint32_t w)
{
	return (int16_t)w;
}

/** Register number to write to: $0 becomes the sink. */
static inline uint8_t mips_dest(uint8_t r)
{
	return r == 0 ? MIPS_REG_SINK : r;
}

/**
 * An instruction set module: the base, the FPU, a vendor's. Modules attach
 * themselves; a CPU model's extensions are asked before the base.
 */
struct mips_isa {
	const char *name;
	uint32_t needs; /**< enum mips_feature that the model must have for this module to be asked; 0 is the base */
	/** Decodes `word` into *out. Returns false if the module does not know the word. */
	bool (*decode)(const struct mips_cpu *c, uint32_t word, struct mips_insn *out);
	/**
	 * True if the word is a branch or jump, which has a delay slot.
	 * NULL if the module has none.
	 */
	bool (*is_branch)(uint32_t word);
};

/** Adds a module to the image, used as `MIPS_ISA(fpu) = { .name = "fpu", ... };` */
#define MIPS_ISA(id)                                                                                                 \
	static const struct mips_isa mips_isa_##id;                                                                  \
	static const struct mips_isa *const mips_isa_entry_##id __attribute__((used, retain, section("mips_isa"))) = \
		&mips_isa_##id;                                                                                      \
	static const struct mips_isa mips_isa_##id

/** Decodes one word by asking the modules; words nobody knows get an exec that raises RI. Never fails. */
void mips_decode(const struct mips_cpu *c, uint32_t word, struct mips_insn *out);

/** True if some module of the CPU calls the word a branch or jump: it has a delay slot. */
bool mips_is_branch(const struct mips_cpu *c, uint32_t word);

/** True for words that may not stand in a delay slot: branches, jumps, ERET and DERET (MD00087, branch instructions). */
bool mips_is_barred_from_slot(const struct mips_cpu *c, uint32_t word);

/** Address of an instruction of the current page. */
static inline uint64_t mips_pc(const struct mips_cpu *c, const struct mips_insn *i)
{
	return c->page_va + (uint64_t)(i - c->insns) * 4;
}

#endif
