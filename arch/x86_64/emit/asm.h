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

/** SSE registers by encoding. */
enum x86_xmm { XMM0, XMM1, XMM2, XMM3, XMM4, XMM5, XMM6, XMM7, XMM8, XMM9, XMM10, XMM11, XMM12, XMM13, XMM14, XMM15 };

/** Scalar arithmetic by its second opcode byte; `wide` is double precision. */
enum x86_sse { SSE_SQRT = 0x51, SSE_ADD = 0x58, SSE_MUL = 0x59, SSE_SUB = 0x5c, SSE_DIV = 0x5e };

/** Bitwise operations on a whole SSE register by their second opcode byte. */
enum x86_sse_logic { SSE_AND = 0x54, SSE_XOR = 0x57 };

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
/** Stores an immediate as 1, 2, 4 or 8 bytes; for 8 it is sign-extended. */
void x86_store_imm(struct x86_asm *a, unsigned size, int32_t value, struct x86_mem m);
void x86_lea(struct x86_asm *a, bool wide, enum x86_reg d, struct x86_mem m);
void x86_cmov(struct x86_asm *a, enum x86_cc cc, enum x86_reg d, enum x86_reg s);
/** The low 8 bits of d := condition, 0 or 1. */
void x86_setcc8(struct x86_asm *a, enum x86_cc cc, enum x86_reg d);
/** d := condition, 0 or 1, all 64 bits. */
void x86_setcc(struct x86_asm *a, enum x86_cc cc, enum x86_reg d);
void x86_bswap(struct x86_asm *a, bool wide, enum x86_reg d);

/** LOCK CMPXCHG: if memory is RAX, it becomes s, and ZF is set; else RAX becomes memory. */
void x86_lock_cmpxchg(struct x86_asm *a, bool wide, struct x86_mem m, enum x86_reg s);
/** No load behind it is done before all stores in front of it are seen. Changes the flags. */
void x86_fence(struct x86_asm *a);

/* Arithmetic. */
void x86_alu(struct x86_asm *a, enum x86_alu op, bool wide, enum x86_reg d, enum x86_reg s);
void x86_alu_imm(struct x86_asm *a, enum x86_alu op, bool wide, enum x86_reg d, int32_t value);
void x86_alu_load(struct x86_asm *a, enum x86_alu op, bool wide, enum x86_reg d, struct x86_mem m);
void x86_alu_store_imm(struct x86_asm *a, enum x86_alu op, bool wide, int32_t value, struct x86_mem m);
/** The same on one byte of memory. */
void x86_alu_store_imm8(struct x86_asm *a, enum x86_alu op, int8_t value, struct x86_mem m);
void x86_test(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s);
/** TEST AL, imm8: two bytes that change nothing but flags, of which the second can say something. */
void x86_test_al_imm(struct x86_asm *a, unsigned value);
/** RORX (BMI2): d := s rotated right; no flags. */
void x86_rorx(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s, unsigned count);
/** SHLX, SHRX, SARX (BMI2): d := s shifted by the low bits of count; no flags. */
void x86_shiftx(struct x86_asm *a, enum x86_shift op, bool wide, enum x86_reg d, enum x86_reg s, enum x86_reg count);
/** PEXT (BMI2), 32 bits: d := the bits of s that the mask in memory selects, packed. */
void x86_pext_load(struct x86_asm *a, enum x86_reg d, enum x86_reg s, struct x86_mem m);
/** Tests bit n of d: carry flag. */
void x86_bt(struct x86_asm *a, enum x86_reg d, unsigned n);
void x86_shift_imm(struct x86_asm *a, enum x86_shift op, bool wide, enum x86_reg d, unsigned count);
/** Shifts by CL. */
void x86_shift_cl(struct x86_asm *a, enum x86_shift op, bool wide, enum x86_reg d);
void x86_unary(struct x86_asm *a, enum x86_unary op, bool wide, enum x86_reg d);
/** d *= s */
void x86_imul(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s);

/* Scalar floating point (SDM volume 1, 10.4 and 11.4). `wide` is double precision, or 64 bits of an integer. */
/** d := s, the whole register. */
void x86_movaps(struct x86_asm *a, enum x86_xmm d, enum x86_xmm s);
/** The low 32 bits of d := those of s; the rest of d stays. */
void x86_movss(struct x86_asm *a, enum x86_xmm d, enum x86_xmm s);
/** Loads the low 32 or 64 bits and clears the rest. */
void x86_load_xmm(struct x86_asm *a, bool wide, enum x86_xmm d, struct x86_mem m);
/** Stores the low 32 or 64 bits. */
void x86_store_xmm(struct x86_asm *a, bool wide, enum x86_xmm s, struct x86_mem m);
/** Moves the low 32 or 64 bits; the rest of the destination is cleared. */
void x86_xmm_from_reg(struct x86_asm *a, bool wide, enum x86_xmm d, enum x86_reg s);
void x86_reg_from_xmm(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_xmm s);
void x86_sse_op(struct x86_asm *a, enum x86_sse op, bool wide, enum x86_xmm d, enum x86_xmm s);
/** The AVX form: d := s OP t; for a square root, of t. */
void x86_avx_op(struct x86_asm *a, enum x86_sse op, bool wide, enum x86_xmm d, enum x86_xmm s, enum x86_xmm t);
void x86_sse_logic_op(struct x86_asm *a, enum x86_sse_logic op, enum x86_xmm d, enum x86_xmm s);
/** The same with 16 aligned bytes in memory. */
void x86_sse_logic_load(struct x86_asm *a, enum x86_sse_logic op, enum x86_xmm d, struct x86_mem m);
/** Adds both 64-bit halves; memory must be 16-byte aligned. */
void x86_paddq_load(struct x86_asm *a, enum x86_xmm d, struct x86_mem m);
/** UCOMISD or UCOMISS: ZF, PF, CF as of an unsigned comparison, all set if unordered. */
void x86_ucomis(struct x86_asm *a, bool wide, enum x86_xmm d, enum x86_xmm s);
/** Integer of 32 or 64 bits → number. The rest of d stays. */
void x86_cvt_from_int(struct x86_asm *a, bool wide, bool from64, enum x86_xmm d, enum x86_reg s);
/** Number → integer of 32 or 64 bits, rounded by MXCSR or toward zero; 1 << 31 or 1 << 63 if it does not fit. */
void x86_cvt_to_int(struct x86_asm *a, bool wide, bool to64, bool truncate, enum x86_reg d, enum x86_xmm s);
/** Double → single (to_wide false) or single → double. The rest of d stays. */
void x86_cvt_size(struct x86_asm *a, bool to_wide, enum x86_xmm d, enum x86_xmm s);
/** Clears bit n of d. */
void x86_btr(struct x86_asm *a, enum x86_reg d, unsigned n);

/** Index of the highest bit set of s; ZF if there is none, and d is then undefined. */
void x86_bsr(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s);
/** CQO or CDQ: RDX := sign of RAX. */
void x86_cqo(struct x86_asm *a, bool wide);

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

/** Fills up so that what comes `after` bytes later is aligned to 4 bytes in the writable view. */
void x86_align(struct x86_asm *a, unsigned after);

/**
 * Sets a displacement written by x86_jmp(), x86_jcc() or x86_call() to a target; one 32-bit store. Where it is aligned
 * other CPUs may be executing the instruction: each goes to the old target or to the new one.
 */
void x86_patch(uint8_t *displacement, ptrdiff_t to_execute, uint64_t target);

#endif
