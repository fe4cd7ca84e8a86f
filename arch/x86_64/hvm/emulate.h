/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions with which drivers reach device memory, for when the hardware only says that one did: decoding
 * and carrying out. The address comes from the hardware, so addressing modes are only measured. What is not in the
 * table is refused. Encodings: Intel SDM volume 2.
 */
#ifndef HVM_EMULATE_H
#define HVM_EMULATE_H

#include <stdbool.h>
#include <stdint.h>

/** What an instruction does with its one operand in memory. */
enum x86_operation {
	X86_STORE,     /**< register or immediate to memory */
	X86_LOAD,      /**< memory to register */
	X86_LOAD_ZERO, /**< ...zero-extended (MOVZX) */
	X86_LOAD_SIGN, /**< ...sign-extended (MOVSX, MOVSXD) */
	X86_EXCHANGE,  /**< XCHG */
	X86_TEST,      /**< AND for the flags only */
	X86_MODIFY,    /**< memory = memory op register or immediate */
	X86_COMBINE,   /**< register = register op memory */
};

/** A decoded instruction. */
struct x86_insn {
	uint8_t length;
	uint8_t operation; /**< enum x86_operation */
	uint8_t alu;       /**< X86_MODIFY, X86_COMBINE: 0 ADD, OR, ADC, SBB, AND, SUB, XOR, 7 CMP (opcode bits 5:3) */
	uint8_t size;      /**< bytes in memory: 1, 2, 4 or 8 */
	uint8_t wide;      /**< bytes of the register operand */
	uint8_t reg;       /**< register operand, index of gpr */
	bool high_byte;    /**< it is AH, CH, DH or BH: bits 15:8 of register `reg` */
	bool has_immediate;
	uint64_t immediate; /**< sign-extended */
};

/** Width of code, from CS. */
enum x86_code { X86_CODE16, X86_CODE32, X86_CODE64 };

/**
 * Decodes the instruction at the start of n bytes. Returns 0, -ENOTSUP if it is not one of the table's or has no
 * operand in memory, or -EAGAIN if it goes on behind the n bytes.
 */
int x86_decode(const uint8_t *bytes, unsigned n, enum x86_code code, struct x86_insn *out);

/** How the operand in memory is reached. */
struct x86_operand {
	uint64_t (*read)(void *ctx, unsigned size);
	void (*write)(void *ctx, unsigned size, uint64_t value);
	void *ctx;
};

/** Carries out a decoded instruction on registers and arithmetic flags; the instruction pointer is the caller's. */
void x86_execute(const struct x86_insn *insn, uint64_t gpr[16], uint64_t *rflags, const struct x86_operand *memory);

/**
 * Length of a short instruction without operands in memory, `opcode` bytes long, after any prefixes; 0 if there is
 * none within n bytes.
 */
unsigned x86_prefixed_length(const uint8_t *bytes, unsigned n, unsigned opcode, bool is_64bit);

#endif
