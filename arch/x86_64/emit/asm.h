/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Encodes x86-64 instructions into a buffer (Intel SDM volume 2, chapter 2). Only
 * the forms that the translator's back end uses; each function writes one
 * instruction. The buffer is written through one view and runs at another address.
 */
#ifndef X86_64_EMIT_ASM_H
#define X86_64_EMIT_ASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** General registers by encoding. */
enum x86_reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/** Condition codes as in Jcc, SETcc and CMOVcc. */
enum x86_cc {
	CC_O,
	CC_NO,
	CC_B,
	CC_AE,
	CC_E,
	CC_NE,
	CC_BE,
	CC_A,
	CC_S,
	CC_NS,
	CC_P,
	CC_NP,
	CC_L,
	CC_GE,
	CC_LE,
	CC_G,
};

/** Two-operand arithmetic by its opcode extension. */
enum x86_alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

/** Shifts and rotates by their opcode extension. */
enum x86_shift { SHIFT_ROL = 0, SHIFT_ROR = 1, SHIFT_SHL = 4, SHIFT_SHR = 5, SHIFT_SAR = 7 };

/** One-operand arithmetic (group 3) by its opcode extension. */
enum x86_unary { UNARY_NOT = 2, UNARY_NEG = 3, UNARY_MUL = 4, UNARY_IMUL = 5, UNARY_DIV = 6, UNARY_IDIV = 7 };

/** No index register in a memory operand. */
#define X86_NO_INDEX RSP

/** A memory operand: base + index * 2^scale + disp. */
struct x86_mem {
	enum x86_reg base, index;
	uint8_t scale;
	int32_t disp;
};

/** Where instructions go. When the buffer is full nothing more is written and overflow is set. */
struct x86_asm {
	uint8_t *write;       /**< next byte, in the writable view */
	uint8_t *end;         /**< one past the last that may be written */
	ptrdiff_t to_execute; /**< add to a writable address to get where it runs */
	bool overflow;
};

/** Address at which the next instruction will run. */
static inline uint64_t x86_here(const struct x86_asm *a)
{
	return (uint64_t)(uintptr_t)a->write + (uint64_t)a->to_execute;
}

/** [base + disp] */
static inline struct x86_mem x86_at(enum x86_reg base, int32_t disp)
{
	return (struct x86_mem){ .base = base, .index = X86_NO_INDEX, .disp = disp };
}

/** [base + index + disp] */
static inline struct x86_mem x86_indexed(enum x86_reg base, enum x86_reg index, int32_t disp)
{
	return (struct x86_mem){ .base = base, .index = index, .disp = disp };
}

/* Moves. `wide` is 64 bits; 32-bit forms clear the upper half. */
void x86_mov(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s);
/** The shortest of XOR, MOV r32, MOV r64 with a sign-extended or a 64-bit immediate. Changes the flags if the value is 0. */
void x86_mov_imm(struct x86_asm *a, enum x86_reg d, uint64_t value);
/** As x86_mov_imm(), but never changes the flags. */
void x86_mov_imm_keep_flags(struct x86_asm *a, enum x86_reg d, uint64_t value);
void x86_movsxd(struct x86_asm *a, enum x86_reg d, enum x86_reg s);
/** Sign- or zero-extends the low 8 or 16 bits of s to 64. */
void x86_extend(struct x86_asm *a, bool is_signed, unsigned size, enum x86_reg d, enum x86_reg s);
void x86_load64(struct x86_asm *a, enum x86_reg d, struct x86_mem m);
/** Loads 1, 2, 4 or 8 bytes, extended to 64 bits. */
void x86_load(struct x86_asm *a, bool is_signed, unsigned size, enum x86_reg d, struct x86_mem m);
/** Stores the low 1, 2, 4 or 8 bytes. */
void x86_store(struct x86_asm *a, unsigned size, enum x86_reg s, struct x86_mem m);
/** Stores a sign-extended 32-bit immediate as 4 or 8 bytes. */
void x86_store_imm(struct x86_asm *a, unsigned size, int32_t value, struct x86_mem m);
void x86_lea(struct x86_asm *a, bool wide, enum x86_reg d, struct x86_mem m);
void x86_cmov(struct x86_asm *a, enum x86_cc cc, enum x86_reg d, enum x86_reg s);
/** d := condition, 0 or 1, all 64 bits. */
void x86_setcc(struct x86_asm *a, enum x86_cc cc, enum x86_reg d);
void x86_bswap(struct x86_asm *a, bool wide, enum x86_reg d);

/* Arithmetic. */
void x86_alu(struct x86_asm *a, enum x86_alu op, bool wide, enum x86_reg d, enum x86_reg s);
void x86_alu_imm(struct x86_asm *a, enum x86_alu op, bool wide, enum x86_reg d, int32_t value);
void x86_alu_load(struct x86_asm *a, enum x86_alu op, bool wide, enum x86_reg d, struct x86_mem m);
void x86_alu_store_imm(struct x86_asm *a, enum x86_alu op, bool wide, int32_t value, struct x86_mem m);
void x86_test(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s);
/** Tests bit n of d: carry flag. */
void x86_bt(struct x86_asm *a, enum x86_reg d, unsigned n);
void x86_shift_imm(struct x86_asm *a, enum x86_shift op, bool wide, enum x86_reg d, unsigned count);
/** Shifts by CL. */
void x86_shift_cl(struct x86_asm *a, enum x86_shift op, bool wide, enum x86_reg d);
void x86_unary(struct x86_asm *a, enum x86_unary op, bool wide, enum x86_reg d);
/** d *= s */
void x86_imul(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s);

/* Control flow. Targets are addresses in the executing view. */
/** JMP rel32 to a known target. Returns the writable address of its displacement, for x86_patch(). */
uint8_t *x86_jmp(struct x86_asm *a, uint64_t target);
/** Jcc rel32. Returns the writable address of its displacement. */
uint8_t *x86_jcc(struct x86_asm *a, enum x86_cc cc, uint64_t target);
uint8_t *x86_call(struct x86_asm *a, uint64_t target);
void x86_jmp_mem(struct x86_asm *a, struct x86_mem m);
void x86_jmp_reg(struct x86_asm *a, enum x86_reg r);
void x86_call_reg(struct x86_asm *a, enum x86_reg r);
void x86_push(struct x86_asm *a, enum x86_reg r);
void x86_pop(struct x86_asm *a, enum x86_reg r);
void x86_ret(struct x86_asm *a);
/** UD2, for places that must not be reached. */
void x86_ud2(struct x86_asm *a);

/** Sets a displacement written by x86_jmp(), x86_jcc() or x86_call() to a target; one aligned-or-not 32-bit store. */
void x86_patch(uint8_t *displacement, ptrdiff_t to_execute, uint64_t target);

#endif
