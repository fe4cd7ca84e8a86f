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
#define IR_OPS(X)                                                                                                                        \
	X(CONST) /* d = imm */                                                                                                           \
	X(MOV)   /* d = a */                                                                                                             \
	X(ADD)   /* d = a + b */                                                                                                         \
	X(ADDW)                                                                                                                          \
	X(SUB)                                                                                                                           \
	X(SUBW)                                                                                                                          \
	X(AND)                                                                                                                           \
	X(OR)                                                                                                                            \
	X(XOR)                                                                                                                           \
	X(NOR)                                                                                                                           \
	X(ADDI) /* d = a + imm, imm has 32 bits */                                                                                       \
	X(ADDIW)                                                                                                                         \
	X(ANDI) /* imm has 31 bits, not negative */                                                                                      \
	X(ORI)                                                                                                                           \
	X(XORI)                                                                                                                          \
	X(SLT)  /* d = a < b, signed */                                                                                                  \
	X(SLTU) /* unsigned */                                                                                                           \
	X(SLTI)                                                                                                                          \
	X(SLTIU)                                                                                                                         \
	X(SEQ) /* d = a == b */                                                                                                          \
	X(SNE)                                                                                                                           \
	X(SHL) /* d = a << b */                                                                                                          \
	X(SHLW)                                                                                                                          \
	X(SHR)                                                                                                                           \
	X(SHRW)                                                                                                                          \
	X(SAR)                                                                                                                           \
	X(SARW)                                                                                                                          \
	X(ROR)                                                                                                                           \
	X(RORW)                                                                                                                          \
	X(SHLI) /* d = a << imm */                                                                                                       \
	X(SHLIW)                                                                                                                         \
	X(SHRI)                                                                                                                          \
	X(SHRIW)                                                                                                                         \
	X(SARI)                                                                                                                          \
	X(SARIW)                                                                                                                         \
	X(RORI)                                                                                                                          \
	X(RORIW)                                                                                                                         \
	X(SEXT8) /* d = a's low byte, sign-extended */                                                                                   \
	X(SEXT16)                                                                                                                        \
	X(SEXT32)                                                                                                                        \
	X(ZEXT32)                                                                                                                        \
	X(MUL) /* d = a * b */                                                                                                           \
	X(MULW)                                                                                                                          \
	X(MULH) /* e:d = a * b, signed 128-bit product */                                                                                \
	X(MULHU)                                                                                                                         \
	X(DIV)  /* d = a / b, e = a % b; dividing by 0, or MIN by -1, is the helper's, as in EXEC */                                     \
	X(DIVW) /* of the low 32 bits, sign-extended */                                                                                  \
	X(DIVU)                                                                                                                          \
	X(DIVUW)                                                                                                                         \
	X(CLZ) /* d = number of zero bits above the highest one of a */                                                                  \
	X(CLZW)                                                                                                                          \
	X(MOVZ) /* d = a if b is zero */                                                                                                 \
	X(MOVN)                                                                                                                          \
	X(LOAD)  /* d = memory[a + imm], size bytes, is_signed; e, if there is one, from a MAP */                                        \
	X(STORE) /* memory[a + imm] = b; e likewise */                                                                                   \
	X(MAP)   /* d = for the e of accesses to [a + imm, a + imm + note), if it is in one page and the last */                         \
		 /* `size` bytes are aligned so; is_signed if for stores, too. Else leave to pc, to a block */                           \
		 /* without MAPs */                                                                                                      \
	X(SC)    /* if the link of LL is there and for a + imm: memory[a + imm] = b, d = 1, and no link. */                              \
		 /* Else as EXEC */                                                                                                      \
		 /* With several vCPUs: d = whether memory still was what LL loaded, and only then it is written */                      \
	X(FENCE) /* with several vCPUs: no load behind it is done before all stores in front of it are seen */                           \
	X(EXEC)  /* the front end's helper executes the instruction at pc; any state may change */                                       \
	X(STATE) /* d = the field of the state at offset imm, size bytes, is_signed */                                                   \
	X(PUT)   /* the field of the state at offset imm, size bytes = a */                                                              \
	X(TRAP)  /* as EXEC, if a cc b; IR_ZERO compares with zero */                                                                    \
	X(SAME)  /* go on if the code behind the page's end, at pc + 4, is still what it was: the word `note` is at host address insn, \
		   and, unless is_signed, the address still leads to the page imm. Else as STEP */ \
	X(STEP)  /* the engine executes the instruction at pc with its delay slot, then control leaves */                                \
	X(FADD)  /* d = a + b on FP variables, size 4 or 8, with note and insn: see below */                                             \
	X(FSUB)                                                                                                                          \
	X(FMUL)                                                                                                                          \
	X(FDIV)                                                                                                                          \
	X(FSQRT) /* of a */                                                                                                              \
	X(FNEG)                                                                                                                          \
	X(FABS)                                                                                                                          \
	X(FMADD)  /* d = a * b + e, rounded after each step */                                                                           \
	X(FMSUB)  /* d = a * b - e */                                                                                                    \
	X(FNMADD) /* -(a * b + e) */                                                                                                     \
	X(FNMSUB) /* -(a * b - e) */                                                                                                     \
	X(FCMP)   /* d (not FP) = a is `fcc` to b, 0 or 1, and so bit imm of the FP status */                                            \
	X(FCVT)   /* d = a converted as `cvt` says */                                                                                    \
	X(FMOV)   /* d = a, size 8; or its low half, size 4 */                                                                           \
	X(FGET)   /* d (not FP) = a, size 8; or its low half, sign-extended, size 4 */                                                   \
	X(FPUT)   /* d = a (not FP), size 8; or the low half of d becomes that of a, size 4 */                                           \
	X(ATTEND) /* leave to imm if attention is pending, where the engine counts instructions or if `always` */                        \
	X(BRANCH) /* leave to imm if a cc b; IR_ZERO compares with zero */                                                               \
	X(EXIT)   /* leave to imm */                                                                                                     \
	X(JUMP)   /* leave to the address in a */

enum ir_opcode {
#define IR_ENUM(name) IR_##name,
	IR_OPS(IR_ENUM)
#undef IR_ENUM
		IR_NR_OPS
};

/** Conditions of BRANCH. */
enum ir_condition { IR_EQ, IR_NE, IR_LT, IR_GE, IR_LE, IR_GT };

/** What FCMP asks: less, equal, either, or nothing of both. */
enum ir_relation { IR_FP_FALSE = 0, IR_FP_EQUAL = 2, IR_FP_LESS = 4, IR_FP_LESS_EQUAL = 6 };

/** Conversions of FCVT: from, to. Integers stand in FP variables, too. */
enum ir_conversion {
	IR_S_TO_D,
	IR_D_TO_S,
	IR_W_TO_S,
	IR_W_TO_D,
	IR_L_TO_S,
	IR_L_TO_D,
	IR_S_TO_W, /**< rounded to nearest */
	IR_D_TO_W,
	IR_S_TO_L,
	IR_D_TO_L,
	IR_S_TRUNC_W, /**< toward zero */
	IR_D_TRUNC_W,
	IR_S_TRUNC_L,
	IR_D_TRUNC_L,
};

/*
 * Floating point. Variables of an FP register hold 64 bits; operations of size 4 leave the upper half as it is. An
 * operation whose usual way would give a NaN, or a conversion an integer out of range, is executed by the helper, as
 * EXEC's are. The others raise nothing but what the host's sticky flags say; where the guest wants to know what the
 * last one of them raised, that is computed from its operands, which the back end keeps together with its note.
 */

/** One operation. */
struct ir_op {
	uint8_t op; /**< enum ir_opcode */
	ir_var d, e, a, b;
	uint8_t size; /**< of LOAD, STORE and floating point, bytes; of EXEC, not 0 if the instruction looks at FP state */
	uint8_t cc;      /**< enum ir_condition; FCMP: enum ir_relation; FCVT: enum ir_conversion */
	uint8_t insns;   /**< guest instructions executed before; of exits, by then */
	bool is_signed;  /**< of LOAD */
	bool aligned;    /**< of LOAD: no guest CPU allows it unaligned */
	bool partial;    /**< of LOAD: its instruction is not done yet behind it; an ATTEND stands where it is */
	bool keeps_high; /**< d is an FP variable whose upper half stays */
	bool in_slot;    /**< the guest instruction stands in a delay slot: its exceptions name the branch before it */
	bool loops;      /**< of exits: goes backward, so that pending attention must be looked at */
	bool linkable;   /**< of exits: the target's code is the same as long as this code's is */
	bool always;     /**< of ATTEND: the delay slot before it may have changed the block's code */
	bool returns;    /**< of JUMP: most likely a function's return */
	uint32_t note;   /**< of floating point: what it is, for the front end; 0 says nothing */
	uint64_t imm;
	uint64_t pc;      /**< guest address of the instruction, for what may fault */
	uint64_t back;    /**< of EXIT and JUMP: a call, whose function returns to this linkable address; 0: none */
	const void *insn; /**< of EXEC and what may become one: the helper's argument */
};

/** Most operations of one translation. */
#define IR_MAX_OPS 400u
/** Most variables. */
#define IR_MAX_VARS 192u

/** One translation unit: code with one entry and any number of exits. The last operation leaves. */
struct ir_block {
	struct ir_op ops[IR_MAX_OPS];
	unsigned count;
	ir_var nr_vars;       /**< variables in use, temporaries included */
	uint64_t pc;          /**< guest address of the entry */
	uint64_t first;       /**< and of the lowest instruction */
	unsigned guest_bytes; /**< of guest code from `first` on that it was made of, and nothing outside */
	unsigned nr_insns;    /**< guest instructions on the longest way through */
};

/** True if the operation is the end of a block or a side exit. */
static inline bool ir_leaves(const struct ir_op *o)
{
	return o->op == IR_ATTEND || o->op == IR_BRANCH || o->op == IR_EXIT || o->op == IR_JUMP || o->op == IR_STEP;
}

/** True for arithmetic on FP variables, which the guest's FP status tells of: it has a note. */
static inline bool ir_is_fp_arithmetic(const struct ir_op *o)
{
	return (o->op >= IR_FADD && o->op <= IR_FSQRT) || (o->op >= IR_FMADD && o->op <= IR_FCVT);
}

/** True if the operation's result depends on the old value of d. */
static inline bool ir_reads_d(const struct ir_op *o)
{
	return o->op == IR_MOVZ || o->op == IR_MOVN || o->keeps_high;
}

/** True if e is an operand. */
static inline bool ir_reads_e(const struct ir_op *o)
{
	return o->op == IR_LOAD || o->op == IR_STORE || (o->op >= IR_FMADD && o->op <= IR_FNMSUB);
}

/** True if control may leave at the operation, or a helper may see or change any state. */
static inline bool ir_may_leave(const struct ir_op *o)
{
	switch (o->op) {
	case IR_LOAD:
	case IR_STORE: return o->e == IR_NONE;
	case IR_SC:
	case IR_EXEC:
	case IR_TRAP:
	case IR_MAP:
	case IR_SAME: return true;
	default: return ir_leaves(o);
	}
}

#endif
