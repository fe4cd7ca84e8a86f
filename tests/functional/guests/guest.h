/* SPDX-License-Identifier: BSD-2-Clause */
/* Console, exceptions and checks of the test guest. */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

/** State at the last exception. Changes are in force after it. */
struct frame {
	uint64_t gpr[32];
	uint64_t vector, hi, lo, epc, badvaddr, cause, status;
};

_Static_assert(sizeof(struct frame) == FRAME_SIZE, "differs from frame.h");

/* Exception codes (PRA, Cause register). */
enum { EXC_INT = 0, EXC_TLBL = 2, EXC_ADEL = 4, EXC_SYS = 8, EXC_BP = 9, EXC_OV = 12 };

extern struct frame frame;
extern char vectors[], broken_vectors[], program[], program_done[];
extern uint32_t program_data[1024];

/** Timer interrupts so far. */
extern volatile unsigned ticks;

/** Code of the last exception other than an interrupt; cleared by who looks for one. */
extern volatile int exception;

/** Runs the program with this Status, in user mode and at exception level, until its system call. */
void run_program(uint32_t status);

/** Prints text on the console; a line ends with \n. */
void print(const char *text);

/** Waits for a byte from the console. */
uint8_t key(void);

/** Runs all checks and prints a line for each: ok or FAILED, and its name. */
void run_checks(const uint64_t *args);

/** The rest of the checks: those that change the CPU's state. */
void run_system_checks(void);

/** Those of code that changes, and of loops. */
void run_code_checks(void);

/** Prints the outcome of a check. */
void check(const char *name, bool holds);

#define read_c0(reg)                                               \
	({                                                         \
		uint64_t value_;                                   \
		__asm__ volatile("dmfc0 %0, " reg : "=r"(value_)); \
		value_;                                            \
	})
#define read_c0_32(reg)                                           \
	({                                                        \
		uint32_t value_;                                  \
		__asm__ volatile("mfc0 %0, " reg : "=r"(value_)); \
		value_;                                           \
	})
#define write_c0(reg, value)    __asm__ volatile("dmtc0 %0, " reg "\n\tehb" : : "r"((uint64_t)(value)) : "memory")
#define write_c0_32(reg, value) __asm__ volatile("mtc0 %0, " reg "\n\tehb" : : "r"((uint32_t)(value)) : "memory")

/* CP0 registers, by number and select. */
#define C0_INDEX    "$0"
#define C0_ENTRYLO0 "$2"
#define C0_ENTRYLO1 "$3"
#define C0_PAGEMASK "$5"
#define C0_COUNT    "$9"
#define C0_ENTRYHI  "$10"
#define C0_COMPARE  "$11"
#define C0_STATUS   "$12"
#define C0_CAUSE    "$13"
#define C0_EBASE    "$15, 1"
#define C0_CONFIG   "$16"

#define STATUS_IE  (1u << 0)
#define STATUS_EXL (1u << 1)
#define STATUS_UM  (1u << 4)
#define STATUS_UX  (1u << 5)
#define STATUS_KX  (1u << 7)
#define STATUS_IM7 (1u << 15)
#define STATUS_FR  (1u << 26)
#define STATUS_CU1 (1u << 29)
#define CAUSE_IV   (1u << 23)

/** Cycles of Count between two timer interrupts. */
#define TICK 200000u

#endif
