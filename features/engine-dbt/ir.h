/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The translator's intermediate representation: a short list of simple operations
 * on 64-bit variables. Front ends make it from guest code, back ends turn it into
 * host code; neither knows the other.
 *
 * Variables 0 to nr_state-1 are places in the vCPU's state that the front end
 * names by their offset; higher ones are temporaries that live within the list.
 * Control leaves at any operation that may fault, and at exits; the state must be
 * in memory then.
 */
#ifndef DBT_IR_H
#define DBT_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Number of a variable. */
typedef uint8_t ir_var;

/** No variable. */
#define IR_NONE 255u
/** The variable that always reads as zero; never written. */
#define IR_ZERO 0u

/*
 * Operations: name, then what they do. `w` works on 32 bits and sign-extends the
 * result; shifts by a variable use its low 5 or 6 bits.
 */
#define IR_OPS(X)                                                                                          \
	X(CONST) /* d = imm */                                                                             \
	X(MOV)   /* d = a */                                                                               \
	X(ADD)   /* d = a + b */                                                                           \
	X(ADDW)                                                                                            \
	X(SUB)                                                                                             \
	X(SUBW)                                                                                            \
	X(AND)                                                                                             \
	X(OR)                                                                                              \
	X(XOR)                                                                                             \
	X(NOR)                                                                                             \
	X(ADDI) /* d = a + imm, imm has 32 bits */                                                         \
	X(ADDIW)                                                                                           \
	X(ANDI) /* imm has 31 bits, not negative */                                                        \
	X(ORI)                                                                                             \
	X(XORI)                                                                                            \
	X(SLT)  /* d = a < b, signed */                                                                    \
	X(SLTU) /* unsigned */                                                                             \
	X(SLTI)                                                                                            \
	X(SLTIU)                                                                                           \
	X(SEQ) /* d = a == b */                                                                            \
	X(SNE)                                                                                             \
	X(SHL) /* d = a << b */                                                                            \
	X(SHLW)                                                                                            \
	X(SHR)                                                                                             \
	X(SHRW)                                                                                            \
	X(SAR)                                                                                             \
	X(SARW)                                                                                            \
	X(ROR)                                                                                             \
	X(RORW)                                                                                            \
	X(SHLI) /* d = a << imm */                                                                         \
	X(SHLIW)                                                                                           \
	X(SHRI)                                                                                            \
	X(SHRIW)                                                                                           \
	X(SARI)                                                                                            \
	X(SARIW)                                                                                           \
	X(RORI)                                                                                            \
	X(RORIW)                                                                                           \
	X(SEXT8) /* d = a's low byte, sign-extended */                                                     \
	X(SEXT16)                                                                                          \
	X(SEXT32)                                                                                          \
	X(ZEXT32)                                                                                          \
	X(MUL) /* d = a * b */                                                                             \
	X(MULW)                                                                                            \
	X(MULH) /* e:d = a * b, signed 128-bit product */                                                  \
	X(MULHU)                                                                                           \
	X(MOVZ) /* d = a if b is zero */                                                                   \
	X(MOVN)                                                                                            \
	X(LOAD)   /* d = memory[a + imm], size bytes, is_signed */                                         \
	X(STORE)  /* memory[a + imm] = b */                                                                \
	X(EXEC)   /* the front end's helper executes the instruction at pc; any state may change */        \
	X(STATE)  /* d = the 32-bit field of the state at offset imm, zero-extended */                     \
	X(STEP)   /* the engine executes the instruction at pc with its delay slot, then control leaves */ \
	X(BRANCH) /* leave to imm if a cc b; IR_ZERO compares with zero */                                 \
	X(EXIT)   /* leave to imm */                                                                       \
	X(JUMP)   /* leave to the address in a */

enum ir_opcode {
#define IR_ENUM(name) IR_##name,
	IR_OPS(IR_ENUM)
#undef IR_ENUM
		IR_NR_OPS
};

/** Conditions of BRANCH. */
enum ir_condition { IR_EQ, IR_NE, IR_LT, IR_GE, IR_LE, IR_GT };

/** One operation. */
struct ir_op {
	uint8_t op; /**< enum ir_opcode */
	ir_var d, e, a, b;
	uint8_t size;   /**< of LOAD and STORE, bytes */
	uint8_t cc;     /**< enum ir_condition */
	uint8_t insns;  /**< of what leaves: guest instructions executed by then */
	bool is_signed; /**< of LOAD */
	bool in_slot;   /**< the guest instruction stands in a delay slot: its exceptions name the branch before it */
	bool loops;     /**< of exits: goes backward, so that pending attention must be looked at */
	bool linkable;  /**< of exits: the target's code is the same as long as this code's is */
	uint64_t imm;
	uint64_t pc;      /**< guest address of the instruction, for what may fault */
	const void *insn; /**< of EXEC: the helper's argument */
};

/** Most operations of one translation. */
#define IR_MAX_OPS 400u
/** Most variables. */
#define IR_MAX_VARS 128u

/** One translation unit: code with one entry and any number of exits. The last operation leaves. */
struct ir_block {
	struct ir_op ops[IR_MAX_OPS];
	unsigned count;
	ir_var nr_vars;       /**< variables in use, temporaries included */
	uint64_t pc;          /**< guest address of the entry */
	unsigned guest_bytes; /**< of guest code from pc on that it was made of */
	unsigned nr_insns;    /**< guest instructions */
};

/** True if the operation is the end of a block or a side exit. */
static inline bool ir_leaves(const struct ir_op *o)
{
	return o->op == IR_BRANCH || o->op == IR_EXIT || o->op == IR_JUMP || o->op == IR_STEP;
}

#endif
