/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A MIPS64 guest made by a fuzzer, with some RAM, a device that drives interrupt lines, and a TLB of a few entries. What
 * happens to it is read from the input: code is written, a register, a TLB entry. Two guests that are given the same
 * input stay the same as long as what executes them does the same.
 */
#ifndef TESTS_MIPS_GUEST_H
#define TESTS_MIPS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/vm.h>

#include "arch/mips64/guest/cpu.h"

#define GUEST_KSEG0 0xffffffff80000000ull
/** Where code begins: near the end of its page. */
#define GUEST_CODE_GPA 0x1fe0u
#define GUEST_CODE     (GUEST_KSEG0 | GUEST_CODE_GPA)
/** Code of one access that the input asks for, in the page of the vectors, which is translated anyway. */
#define GUEST_ACCESS_GPA 0x400u

/* Bits of the first byte of an input; its low four are the CPU's features. */
#define GUEST_BIG  0x10u
#define GUEST_WALK 0x40u

/** One guest. */
struct guest {
	struct vm vm;
	struct mips_model model;
	struct mips_cpu *cpu;
	const struct mips_walker *walker;
	struct device device;
	uint64_t registers[8]; /**< of the device */
	bool has_lines;        /**< the device drives interrupt lines */
};

/** What is left of the input. */
struct input {
	const uint8_t *data;
	size_t left;
	uint64_t favourite; /**< one of the addresses that something begins or ends at, chosen half the time */
};

/** Ends the fuzzer unless the condition holds, with what the guests have logged. */
void guest_check(bool condition, const char *what);

/** Makes a guest: RAM, device, a vCPU of the engine, and the features that attach themselves. */
void guest_make(struct guest *g, const struct engine *engine, const struct timer_model *timer);

/** Puts it back to the beginning: RAM with code without effect, exception handlers, page tables, registers. */
void guest_reset(struct guest *g, uint8_t mode);

/** The next byte of the input; past its end everything is 0. */
uint8_t input_take8(struct input *in);

/** The next bytes as a number, the highest first. */
uint64_t input_take(struct input *in, unsigned bytes);

/** Reads which address is the favourite. */
void input_take_favourite(struct input *in);

/** What happens next, by the low four bits of a byte; those between the last two write an instruction. */
enum guest_event {
	GUEST_PLACE, /**< goes on writing code elsewhere */
	GUEST_CP0,   /**< writes a CP0 register */
	GUEST_TLB,   /**< writes a TLB entry */
	GUEST_TLB_TOO,
	GUEST_REGISTER, /**< sets a register as a debugger does */
	GUEST_FPR,
	GUEST_FCSR,
	GUEST_IRQ,      /**< drives an interrupt line */
	GUEST_VISIT,    /**< jumps to where code may be, to run a little */
	GUEST_ACCESS,   /**< has the guest load or store a word */
	GUEST_RUN = 15, /**< runs some instructions: the caller's */
};

/** Writes one instruction at *gpa and moves on. */
void guest_put(struct guest *g, uint64_t *gpa, uint32_t word);

/** Does the next thing of the input to a guest; *gpa is where code goes. */
void guest_apply(struct guest *g, struct input *in, uint64_t *gpa);

/** Checks what every state has to be like. */
void guest_check_state(const struct guest *g);

/** Compares all that the guests' architecture defines, but memory. FCSR is settled. */
void guest_compare(const struct guest *a, const struct guest *b);

/** Compares the contents of RAM. */
void guest_compare_memory(const struct guest *a, const struct guest *b);

/** Checks that soft TLB entries lead to RAM, and that the TLB finds what a search finds. */
void guest_check_tlbs(const struct guest *g);

#endif
