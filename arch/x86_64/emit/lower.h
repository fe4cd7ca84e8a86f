/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86-64 back end of the translator: IR → host code.
 *
 * While translated code runs, RBP holds the vCPU, some variables are pinned to
 * registers (x86_pins), XMM15 holds the count of guest instructions, and the other
 * variables live in memory or, within a block, in a pool of registers. RAX, RCX, RDX,
 * XMM0 and XMM1 are scratch. MXCSR rounds to nearest and masks all exceptions; its
 * flags collect what the guest's floating point raised.
 */
#ifndef X86_64_EMIT_LOWER_H
#define X86_64_EMIT_LOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/emit/asm.h"
#include "features/engine-dbt/ir.h"

/** Where instructions are counted. */
#define X86_COUNTER XMM15

/** A variable that stays in a register across blocks. */
struct x86_pin {
	ir_var var;
	enum x86_reg reg;
};

/** Offsets from the vCPU of what generated code looks at. */
struct x86_layout {
	int32_t attention;    /**< 32-bit attention word */
	int32_t pc;           /**< guest pc, 64 bits */
	int32_t instructions; /**< 64-bit count of guest instructions */
	int32_t partial;      /**< if `counted`, 32 bits: instructions of the block up to the one a helper executes */
	int32_t limit;        /**< if `counted`, 64 bits: count that no block may exceed */
	int32_t tag_key;      /**< bits that a soft TLB tag has besides the page */
	int32_t spill;        /**< 8 bytes for each variable that is not state */
	int32_t fetch_key;    /**< XORed to a target before it is compared in the jump cache */
	int32_t jump_cache;   /**< struct x86_jump_cache */
	int32_t returns;      /**< struct x86_return_stack */
	int32_t counts;       /**< 16 bytes, aligned so, for each number n up to 255: {n, 0} */
	int32_t ll_valid;     /**< 8 bits: there is a link */
	int32_t ll_address;   /**< 64 bits: guest address of the link */
	int32_t ll_value;     /**< what it loaded; for x86_atomics only */
	int32_t fp_status;    /**< 32 bits, of which FCMP sets one */
	int32_t fp_last;      /**< struct x86_fp_last */
	int32_t fp_masks;     /**< struct x86_fp_masks, 16-byte aligned */
	int32_t (*var)(ir_var v); /**< place of a state variable */
	unsigned nr_state;        /**< variables below are state, those from first_fp on FP registers */
	unsigned first_fp;
	unsigned fetch_entries; /**< of the table of pages that code was fetched from */
	unsigned tlb_bits;      /**< log2 of the soft TLB's entries of {tag, to_host} */
	const struct x86_pin *pins;
	unsigned nr_pins;
	bool counted; /**< blocks stop at the limit, and for attention behind each helper */
};

/** The last arithmetic FP operation. */
struct x86_fp_last {
	uint64_t a, b, e; /**< its operands */
	uint32_t note;    /**< its note; the front end makes it 0 when it has looked at it */
};

/** An entry of the table of pages that code was fetched from; its place is the page's number modulo their count. */
struct x86_fetch_entry {
	uint64_t tag; /**< as in the soft TLB */
	void *unused;
	uint64_t gpa;
};

/** Constants for changing signs. */
struct x86_fp_masks {
	uint64_t sign[2][2];      /**< by single or double: the sign bit */
	uint64_t magnitude[2][2]; /**< all others */
};

/** C functions that generated code calls, by way of stubs. */
struct x86_helpers {
	/** Slow load: returns the value in .value, extended as `kind` says; .leave if an exception was taken. */
	struct x86_result {
		uint64_t value, leave; /* as exec() */
	} (*load)(void *cpu, uint64_t va, uint64_t where, uint64_t kind);
	/** Slow store of 1, 2, 4 or 8 bytes; returns as exec(). */
	uint64_t (*store)(void *cpu, uint64_t va, uint64_t where, uint64_t value, uint64_t size);
	/** Executes one instruction; returns 0, or X86_LEAVE, perhaps with X86_OUT, and the pc set. */
	uint64_t (*exec)(void *cpu, const void *insn, uint64_t where);
	/** The same for one that looks at FP state. */
	uint64_t (*exec_fp)(void *cpu, const void *insn, uint64_t where);
};

/* What helpers return that leave the block. */
#define X86_LEAVE 1u /**< go on at the pc in the state */
#define X86_OUT   2u /**< go to the engine, not to another block */

/** `where` of a helper: guest pc with this bit set in a delay slot. */
#define X86_IN_SLOT 1u
/** `kind` of a slow load: size, with bits for a signed one and for one that must be aligned on every model. */
#define X86_SIGNED  16u
#define X86_ALIGNED 32u

/** Why translated code came back to the engine: an exit's number, or one of these. */
#define X86_LEFT      0xffffffffu /**< the pc in the state says where to go on */
#define X86_LIMIT     0xfffffffeu /**< the same, but the block there might exceed the limit */
#define X86_HOT       0xfffffffdu /**< the same, and the block there was entered often */
#define X86_STEP_FLAG 0x80000000u /**< or'ed to an exit's number: the engine executes the instruction there */

struct x86_runtime;

/** How generated code jumps by a jump cache; the functions are those of x86_emit_jump() and x86_emit_jump_to(). */
struct x86_jump_code {
	void (*jump)(const struct x86_runtime *r, struct x86_asm *a);
	void (*jump_to)(const struct x86_runtime *r, struct x86_asm *a, uint64_t target, bool looks);
};

/** How generated code pairs calls with returns. */
struct x86_return_code {
	/** In the way in and out: RSP is as the other one leaves it, and aligned to 16. RAX and RSI are kept. */
	void (*enter)(const struct x86_runtime *r, struct x86_asm *a);
	void (*leave)(const struct x86_runtime *r, struct x86_asm *a);
	/** In a stub, before it calls a helper; only RAX changes. */
	void (*helper)(const struct x86_runtime *r, struct x86_asm *a);
	/**
	 * A call that comes back to guest address `back`: what is written behind this runs then. Returns the
	 * displacement of a jump for the caller to set: to what does the call. State is in memory.
	 */
	uint8_t *(*call)(const struct x86_runtime *r, struct x86_asm *a, uint64_t back);
	/** A return to the guest address in RAX. */
	void (*jump)(const struct x86_runtime *r, struct x86_asm *a);
	/** r->unpaired. */
	void (*unpaired)(const struct x86_runtime *r, struct x86_asm *a);
};

struct x86_lowering;

/** How generated code deals with other vCPUs. */
struct x86_atomics {
	/** SC: memory at m becomes the operand b in register `value` if it is ll_value; d says whether. RCX is in m. */
	void (*replace)(struct x86_lowering *s, const struct ir_op *o, enum x86_reg d, enum x86_reg value,
			struct x86_mem m);
	/** FENCE. */
	void (*fence)(struct x86_lowering *s);
};

/** Code shared by all blocks, made once. */
struct x86_runtime {
	struct x86_layout layout;
	struct x86_helpers helpers;
	const struct x86_jump_code *jumps;              /**< NULL: without a jump cache */
	const struct x86_return_code *returns;          /**< NULL: without a stack of returns */
	const struct x86_atomics *atomics;              /**< NULL: there is one vCPU */
	uint32_t (*enter)(void *cpu, const void *code); /**< runs a block; returns why it came back */
	uint64_t exit;                                  /**< EAX says why */
	uint64_t left;                                  /**< state is in memory already */
	uint64_t jump;                                  /**< go to the guest address in RAX by the jump cache */
	uint64_t unpaired;                              /**< the same, by a return that belongs to no call */
	uint64_t miss;                                  /**< go to the guest address in RAX by way of the engine */
	uint64_t load;                                  /**< RAX address, RCX kind, RDX where → RAX */
	uint64_t store[4];                              /**< by log2 of size: RAX address, RCX value, RDX where */
	uint64_t exec[2];                               /**< RAX instruction, RDX where; without and with FP state */
	bool bmi2;                                      /**< RORX, SHLX, ... may be used */
	bool avx;                                       /**< the AVX forms of scalar operations may be used */
};

/** True if the CPU that this runs on has BMI2 (CPUID leaf 7). */
bool x86_host_has_bmi2(void);

/** True if it has AVX and the host has switched it on (CPUID leaf 1, XCR0; SDM volume 1, 14.3). */
bool x86_host_has_avx(void);

/** Clears what MXCSR's flags have collected, and makes it what generated code needs. */
void x86_clear_fp_flags(void);

/** Writes a jump to the guest address in RAX, by the jump cache if there is one; pending attention is looked at. */
void x86_emit_jump(const struct x86_runtime *r, struct x86_asm *a);

/** Writes a jump to a guest address that is known; pending attention is looked at if `looks`. */
void x86_emit_jump_to(const struct x86_runtime *r, struct x86_asm *a, uint64_t target, bool looks);

/**
 * Before a JMP or CALL that is linked later: with other vCPUs, which may be executing it then, its displacement is
 * aligned.
 */
void x86_align_link(const struct x86_runtime *r, struct x86_asm *a);

/** Writes the shared code. layout and helpers are set, and what of the host's CPU may be used. */
void x86_emit_runtime(struct x86_runtime *r, struct x86_asm *a);

/** An exit of a block that can be linked to another block. */
struct x86_exit {
	uint8_t *displacement; /**< of the jump, in the writable view */
	uint64_t unlinked;     /**< where it jumps while it is not linked */
	uint64_t target;       /**< guest address */
	bool linkable, step;
	bool careful; /**< to a block without MAPs */
};

/** Two for each conditional branch, one for each instruction with an ATTEND, one for each group; see mips_translate_block(). */
#define X86_MAX_EXITS 96u

/** What x86_lower() is given and what it found. */
struct x86_block {
	const struct ir_block *ir;
	int32_t tlb_read, tlb_write; /**< offsets of the soft TLBs of the block's mode */
	int32_t fetch_tlb; /**< offset of the table of pages that code was fetched from, struct x86_fetch_entry */
	bool has_tag_key;  /**< tags there have bits besides the page's address: those at layout.tag_key */
	bool big_endian;
	bool loops;          /**< exits to the block's own start may stay within it */
	int32_t heat;        /**< offset of its 32-bit counter of entries, counted down to X86_HOT; 0: none */
	uint32_t first_exit; /**< number of exits[0] to the engine */
	struct x86_exit exits[X86_MAX_EXITS];
	unsigned nr_exits;
	uint64_t code; /**< where it runs */
};

/** Working memory of x86_lower(): too large for a stack. */
struct x86_lowering;

/** Its size in bytes. */
size_t x86_lowering_size(void);

/** Translates a block to a->write. Returns false if the buffer was too small. */
bool x86_lower(const struct x86_runtime *r, struct x86_lowering *work, struct x86_asm *a, struct x86_block *b);

/** Bytes that are surely enough for a block. */
#define X86_BLOCK_MAX_BYTES (128u * 1024u)

#endif
