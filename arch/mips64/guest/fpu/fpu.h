/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Coprocessor 1, inside: registers, FCSR, and what the instruction files share.
 * Sections cited are of MD00083 (volume I-A, FPU chapter) and MD00087 (volume
 * II-A, instruction descriptions).
 *
 * Register models. Status.FR=1: fpr[n] is register n, 64 bits; a 32-bit value is
 * in its low half and writing one keeps the high half. Status.FR=0: a 64-bit value
 * is in fpr[n] for even n; the 32-bit register n is the low half of fpr[n] if n is
 * even, the high half of fpr[n - 1] if it is odd, so fpr[] of odd numbers is not
 * used. Changing FR makes the contents unpredictable for the guest, so nothing
 * moves then. With FR=0 the manual leaves odd registers in format D and every use of
 * format L unpredictable: they raise RI here.
 */
#ifndef MIPS64_FPU_FPU_H
#define MIPS64_FPU_FPU_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/cpu.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/insn.h"

/* FCSR (MD00083, FCSR register format). A cause, enable or flag field is V Z O U I from its top bit down. */
#define FCSR_RM            3u
#define FCSR_FLAGS_SHIFT   2
#define FCSR_ENABLES_SHIFT 7
#define FCSR_CAUSE_SHIFT   12
#define FCSR_CAUSE         (0x3fu << FCSR_CAUSE_SHIFT)
#define FCSR_CAUSE_E       (1u << 17)
#define FCSR_NAN2008       (1u << 18)
#define FCSR_ABS2008       (1u << 19)
#define FCSR_FCC0          (1u << 23)
#define FCSR_FS            (1u << 24)
#define FCSR_WRITABLE      0xff83ffffu

/** IEEE exceptions, in the order of FCSR's fields. */
enum fpu_exception { FPU_INEXACT = 1, FPU_UNDERFLOW = 2, FPU_OVERFLOW = 4, FPU_DIVISION = 8, FPU_INVALID = 16 };

/** Rounding modes as FCSR.RM has them. */
enum fpu_rounding { FPU_NEAREST, FPU_ZERO, FPU_UP, FPU_DOWN, FPU_BY_FCSR };

/** Formats, in the order of the fmt field (16, 17, 20, 21 there). */
enum fpu_format { FPU_S, FPU_D, FPU_W, FPU_L };

/** Operations that follow IEEE 754, with the format: op * 2 + (double ? 1 : 0) is in an instruction's imm. */
enum fpu_op {
	FPU_ADD,
	FPU_SUB,
	FPU_MUL,
	FPU_DIV,
	FPU_SQRT,
	FPU_ABS,
	FPU_NEG,
	FPU_RECIP,
	FPU_RSQRT,
	FPU_MADD,
	FPU_MSUB,
	FPU_NMADD,
	FPU_NMSUB,
};

/** How an instruction computes: the guest's settings, and the exceptions raised so far. */
struct fpu_env {
	enum fpu_rounding rounding;
	bool flush;   /**< FCSR.FS: results below the normal range become zero */
	bool nan2008; /**< the quiet bit of a NaN is 1 for quiet */
	bool abs2008; /**< abs and neg are not arithmetic */
	unsigned raised;
};

/* What struct mips_fp_last notes: the kind in the low byte, and the operation. */
#define FPU_NOTE_KIND              0xffu
#define FPU_NOTE_COMPARISON        1u
#define FPU_NOTE_ARITHMETIC        2u
#define FPU_NOTE_CONVERSION        3u
#define FPU_NOTE_OF(op, is_double) (FPU_NOTE_ARITHMETIC | (uint32_t)(is_double) << 8 | (uint32_t)(op) << 9)
#define FPU_NOTE_TO(from, to, rounding) \
	(FPU_NOTE_CONVERSION | (uint32_t)(from) << 8 | (uint32_t)(to) << 10 | (uint32_t)(rounding) << 12)

/** FCSR with the bits that the model fixes. */
static inline uint32_t fpu_fcsr(const struct mips_cpu *c)
{
	uint32_t fixed = mips_has(c, MIPS_HAS_NAN2008) ? FCSR_NAN2008 | FCSR_ABS2008 : 0;

	return (c->fpu.fcsr & FCSR_WRITABLE) | fixed;
}

/** Settings for one instruction. */
static inline struct fpu_env fpu_env(const struct mips_cpu *c)
{
	uint32_t fcsr = fpu_fcsr(c);

	return (struct fpu_env){
		.rounding = fcsr & FCSR_RM,
		.flush = (fcsr & FCSR_FS) != 0,
		.nan2008 = (fcsr & FCSR_NAN2008) != 0,
		.abs2008 = (fcsr & FCSR_ABS2008) != 0,
	};
}

/** True if coprocessor 1 may be used. */
static inline bool fpu_usable(const struct mips_cpu *c)
{
	return __builtin_expect((c->cp0.status & STATUS_CU1) != 0, 1);
}

/** True if coprocessor 1 may be used and fpr[n] is register n in every format. */
static inline bool fpu_plain(const struct mips_cpu *c)
{
	return __builtin_expect((c->cp0.status & (STATUS_CU1 | STATUS_FR)) == (STATUS_CU1 | STATUS_FR), 1);
}

/** True if also C arithmetic, which rounds to nearest, rounds as the guest wants. */
static inline bool fpu_quick(const struct mips_cpu *c)
{
	return fpu_plain(c) && __builtin_expect((c->fpu.fcsr & FCSR_RM) == FPU_NEAREST, 1);
}

/** True if all registers in the union `regs` of numbers can hold `format` in the present register model. */
static inline bool fpu_holds(const struct mips_cpu *c, enum fpu_format format, unsigned regs)
{
	if ((c->cp0.status & STATUS_FR) != 0)
		return true;
	return format != FPU_L && (format != FPU_D || (regs & 1) == 0);
}

/** A 32-bit register. */
static inline uint32_t fpu_read32(const struct mips_cpu *c, unsigned n)
{
	if ((c->cp0.status & STATUS_FR) == 0 && (n & 1) != 0)
		return (uint32_t)(c->fpu.fpr[n - 1] >> 32);
	return (uint32_t)c->fpu.fpr[n];
}

/** Replaces the low half of fpr[n]. */
static inline void fpu_write_low(struct mips_cpu *c, unsigned n, uint32_t v)
{
	c->fpu.fpr[n] = (c->fpu.fpr[n] & ~(uint64_t)0xffffffff) | v;
}

/** Replaces the high half of fpr[n]. */
static inline void fpu_write_high(struct mips_cpu *c, unsigned n, uint32_t v)
{
	c->fpu.fpr[n] = (uint32_t)c->fpu.fpr[n] | (uint64_t)v << 32;
}

/** Writes a 32-bit register. */
static inline void fpu_write32(struct mips_cpu *c, unsigned n, uint32_t v)
{
	if ((c->cp0.status & STATUS_FR) == 0 && (n & 1) != 0)
		fpu_write_high(c, n - 1, v);
	else
		fpu_write_low(c, n, v);
}

/** A register in a format; fpu_holds() must be true. */
static inline uint64_t fpu_read(const struct mips_cpu *c, enum fpu_format format, unsigned n)
{
	return format == FPU_S || format == FPU_W ? fpu_read32(c, n) : c->fpu.fpr[n];
}

/** Writes a register in a format; fpu_holds() must be true. */
static inline void fpu_write(struct mips_cpu *c, enum fpu_format format, unsigned n, uint64_t v)
{
	if (format == FPU_S || format == FPU_W)
		fpu_write32(c, n, (uint32_t)v);
	else
		c->fpu.fpr[n] = v;
}

/** FCSR bit of condition code cc. */
static inline uint8_t fpu_cc_bit(unsigned cc)
{
	return (uint8_t)(cc == 0 ? 23 : 24 + cc);
}

/**
 * Ends an arithmetic instruction: Cause becomes what it raised. Returns false, with the trap
 * taken and Flags unchanged, if one of these is enabled; else adds them to Flags.
 */
bool fpu_settle(struct mips_cpu *c, const struct mips_insn *i, const struct fpu_env *e);

/** Any operation with any setting: the operation and the format are in i->imm. */
mips_exec fpu_any_arithmetic;

/** The exec function of an operation: a quick one that falls back to fpu_any_arithmetic(), or the latter. */
mips_exec *fpu_quick_arithmetic(enum fpu_op op, bool is_double);

/* number.c: IEEE arithmetic on bit patterns of format S (is_double false, in the low 32 bits) or D. */

/** add, sub, mul, div, sqrt (of a), abs and neg. */
uint64_t fpu_compute(struct fpu_env *e, enum fpu_op op, bool is_double, uint64_t a, uint64_t b);

/** Format S or D → integer of 32 or 64 bits, rounded by `rounding`. */
uint64_t fpu_to_integer(struct fpu_env *e, enum fpu_rounding rounding, bool is_double, bool to_long, uint64_t a);

/** 64-bit integer → format S or D. */
uint64_t fpu_from_integer(struct fpu_env *e, bool to_double, int64_t v);

/** S → D (to_double) or D → S. */
uint64_t fpu_resize(struct fpu_env *e, bool to_double, uint64_t a);

/** True if a or b is a NaN; raises Invalid if one is signalling, or if `always`. */
bool fpu_unordered(struct fpu_env *e, bool is_double, uint64_t a, uint64_t b, bool always);

/** Result of one arithmetic instruction; a is fs, b ft, r fr. */
uint64_t fpu_evaluate(struct fpu_env *e, enum fpu_op op, bool is_double, uint64_t a, uint64_t b, uint64_t r);

/** Result of one conversion. */
uint64_t fpu_convert(struct fpu_env *e, enum fpu_format from, enum fpu_format to, enum fpu_rounding rounding,
		     uint64_t v);

struct vm;

/** Lets engines do usual arithmetic on the host's FPU: see struct mips_fp_last. */
void fpu_attach_settle(struct vm *vm);

/* Decoders of one group of instructions each. They return false for words that are reserved. */

/** COP1 with fmt S or D: arithmetic; and COP1X multiply-add. */
bool fpu_decode_arith(uint32_t word, bool is_double, struct mips_insn *out);
bool fpu_decode_multiply_add(uint32_t word, struct mips_insn *out);
/** COP1: conversions from any format. */
bool fpu_decode_convert(uint32_t word, enum fpu_format from, struct mips_insn *out);
/** COP1: c.cond.fmt; bc1f, bc1t and their likely forms; movf, movt on general and on FP registers. */
bool fpu_decode_compare(uint32_t word, bool is_double, struct mips_insn *out);
bool fpu_decode_branch(uint32_t word, struct mips_insn *out);
bool fpu_decode_movci(uint32_t word, struct mips_insn *out);
/** COP1: mov, movf, movt, movn, movz with fmt S or D; moves between register files. */
bool fpu_decode_move(uint32_t word, bool is_double, struct mips_insn *out);
bool fpu_decode_transfer(uint32_t word, struct mips_insn *out);
/** Loads and stores: opcodes of their own, and COP1X. */
bool fpu_decode_memory(uint32_t word, struct mips_insn *out);
bool fpu_decode_indexed(uint32_t word, struct mips_insn *out);
/** cfc1 and ctc1. */
bool fpu_decode_control(uint32_t word, struct mips_insn *out);

#endif
