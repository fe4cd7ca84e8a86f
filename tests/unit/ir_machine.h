/* SPDX-License-Identifier: BSD-2-Clause */
/* A made-up vCPU for tests of the back end: its state, its memory, and the helpers that generated code calls. */
#ifndef TESTS_IR_MACHINE_H
#define TESTS_IR_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86_64/emit/jump_cache.h"
#include "arch/x86_64/emit/lower.h"
#include "arch/x86_64/emit/return_stack.h"

/* More of each kind than there are registers for. */
#define NR_GENERAL  20u
#define NR_FP       18u
#define FIRST_FP    NR_GENERAL
#define NR_STATE    (NR_GENERAL + NR_FP)
#define FIRST_TEMP  NR_STATE
#define NR_TEMPS    8u
#define COUNTER     (NR_GENERAL - 1) /* a small number, that random operations only read */
#define TLB_BITS    4u
#define TAG_KEY     0x30ull
#define FETCH_KEY   0xa500000000000000ull
#define PAGE        4096u
#define NR_PAGES    4u
#define RAM_VA      0x0000007f80003000ull
#define FIELD_BYTES 16u

/* Pages of the guest's memory: found in the soft TLB, only for reading, only by helpers, faulting. */
enum { PAGE_FAST, PAGE_READ_ONLY, PAGE_SLOW, PAGE_FAULTS };

/** MXCSR's sticky flags that mean something: division by zero, overflow, underflow, precision. */
#define FLAGS_THAT_COUNT 0x3cu

/** What code may change. */
struct machine {
	uint64_t vars[NR_STATE];
	uint64_t pc, instructions;
	uint8_t ram[NR_PAGES * PAGE];
	uint64_t fault_where, fault_va;
	uint8_t fields[FIELD_BYTES];
	uint64_t ll_address;
	uint8_t ll_valid;
	uint32_t attention;
	uint32_t fp_status;
	uint32_t fp_flags; /**< of MXCSR, as far as somebody has looked */
	struct x86_fp_last last;
	uint64_t seen; /**< digest of all that helpers saw */
};

struct soft_tlb_entry {
	uint64_t tag, to_host;
};

/** The vCPU of generated code. */
struct cpu {
	struct machine m; /* first: helpers take either */
	uint64_t counts[256][2] __attribute__((aligned(16)));
	struct x86_fp_masks fp_masks __attribute__((aligned(16)));
	uint64_t spill[IR_MAX_VARS], tag_key, fetch_key;
	uint64_t limit;
	uint32_t partial;
	struct soft_tlb_entry read[1u << TLB_BITS], write[1u << TLB_BITS];
	struct x86_jump_cache jumps;
	struct x86_return_stack returns;
};

/** What the helper does that executes an instruction. */
struct effect {
	ir_var v, also; /**< v = a + add and also = a ^ add, if they are not IR_NONE */
	ir_var a;
	uint64_t add;
	uint64_t leave;    /**< what it returns */
	uint32_t status;   /**< bits of the FP status to be changed */
	bool is_operation; /**< of floating point, with a note of its own */
	bool ignores_fp;   /**< does not ask what the last operation of floating point was */
	bool attends;      /**< raises attention */
};

extern struct cpu cpu;
extern struct machine expected; /**< what the reference makes of the same */
extern struct ir_block ir;
extern bool big_endian;
extern bool counted;

/* --- random values */

extern uint64_t seed;

uint64_t random64(void);

/** Less than n. */
unsigned below(unsigned n);

/** Values at the edges as often as any. */
uint64_t operand(void);

/** The same of an FP register: numbers of both formats and integers. */
uint64_t fp_operand(void);

/* --- memory */

/** The soft TLB, whose tags have TAG_KEY or no such bits. */
void map_pages(bool has_tag_key);

/** True if generated code does the access itself. */
bool is_fast(uint64_t va, uint64_t size, bool is_store);

/** An access that does not fault. */
uint64_t read_ram(const struct machine *m, uint64_t va, uint64_t size, bool is_signed);
void write_ram(struct machine *m, uint64_t va, uint64_t size, uint64_t value);

/* --- helpers. `where` tells the instruction; they return as struct x86_helpers says. */

struct x86_result helper_load(void *ctx, uint64_t va, uint64_t where, uint64_t kind);
uint64_t helper_store(void *ctx, uint64_t va, uint64_t where, uint64_t value, uint64_t size);
uint64_t helper_exec(void *ctx, const void *insn, uint64_t where);
uint64_t helper_exec_fp(void *ctx, const void *insn, uint64_t where);

/** Takes over what the host's flags say. */
void collect_flags(struct machine *m);

/** Clears the operands that the last operation does not have. */
void forget_unused_operands(struct x86_fp_last *last);

#endif
