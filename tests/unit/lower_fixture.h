/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds blocks of IR, by hand or at random, lowers and runs them, and compares all state with the reference. */
#ifndef TESTS_LOWER_FIXTURE_H
#define TESTS_LOWER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_platform.h"
#include "tests/unit/ir_machine.h"
#include "tests/unit/ir_reference.h"

#define ENTRY_PC     0x7000ull               /* guest address of a block */
#define ADDRESS_TEMP (FIRST_TEMP + NR_TEMPS) /* that random operations do not use */
#define FIRST_DELTA  (ADDRESS_TEMP + 1)      /* of accesses checked together, likewise */
#define NR_DELTAS    16u
#define ARENA_BYTES  (1u << 20)

extern struct plat_code arena;
extern struct x86_runtime runtime;
extern struct x86_block made; /**< what was lowered last */
extern uint8_t *blocks_start; /**< room for blocks */
extern bool allow_loops;      /**< what x86_block.loops becomes */

/** Set-up without BMI2, with it where the host has it, without a jump cache, and for an engine that counts. */
int lower_setup(void **state);
int lower_setup_bmi2(void **state);
int lower_setup_without_jumps(void **state);
int lower_setup_counted(void **state);

/** The end of all of these. */
int lower_teardown(void **state);

/* A test of code for plain hosts and for the present one. */
#define LOWER_TEST(f)                                                 \
	{ #f, f, lower_setup, lower_teardown, NULL },                 \
	{                                                             \
#f "_bmi2", f, lower_setup_bmi2, lower_teardown, NULL \
	}

/** A new block. */
void start(void);

/** Adds an operation. */
struct ir_op *op(enum ir_opcode code, ir_var d, ir_var a, ir_var b, uint64_t imm);

/** Adds an exit that can be linked. */
void end(void);

/** Lowers the block to that place, writable view. */
void lower_at(uint8_t *at);

/** Runs code. Returns why it came back. */
uint32_t enter(uint64_t code);

/** Random state. */
void randomize(void);

/** Runs what was lowered last, and compares with the reference. */
void check(void);

/** Lowers the block, and runs it twice with random state. */
void run(void);

/* --- random operations */

/** While it is not IR_NONE, random operations and helpers do not write it. */
extern ir_var kept;

ir_var any_operand(void);
ir_var any_result(void);
ir_var any_fp(void);

/** Temporaries hold something before they are read. */
void define_temps(void);

/** True for operations on general variables that go straight on, or whose helper is called for rare operands. */
bool is_alu(enum ir_opcode code);

/** One of those, with an immediate, second result and helper as it needs them. */
struct ir_op *alu(enum ir_opcode code, ir_var d, ir_var a, ir_var b);

void random_alu(void);
/** Also a field of the state is written. */
void random_general(void);
void random_fp(void);
/** An access of the page, at any alignment now and then. */
void random_access(unsigned page);
/** A store conditional to the page, whose link is there most times. */
void random_sc(unsigned page);
void random_exec(bool may_leave);
void random_trap(void);
/** A MAP of the page and accesses of what it checks, with other operations in between. */
void random_group(unsigned page);
/** Any of those above. */
void random_any(void);

#endif
