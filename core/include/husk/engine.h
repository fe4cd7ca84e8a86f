/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine executes guest instructions. Exactly one is in an image. */
#ifndef HUSK_ENGINE_H
#define HUSK_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/vcpu.h>

struct vm;

/** Why run() came back. */
enum engine_exit {
	ENGINE_ATTENTION, /**< the attention word is not zero, or a stop is due */
	ENGINE_IDLE,      /**< the guest waits for an interrupt */
	ENGINE_HALTED,    /**< the vCPU waits, or was not started, and no interrupt can ever wake it */
};

/** Name and width of a guest register, for monitor, reports and debuggers. */
struct engine_register {
	const char *name;
	unsigned bytes;
};

/** The contract. All functions are called on the vCPU's own CPU unless they say otherwise. */
struct engine {
	const char *name;
	size_t vcpu_size; /**< bytes of its vCPU structure; struct vcpu is its first member */

	/** Once per vCPU, after the machine chose the CPU model. Returns 0, -ENOMEM or -EINVAL. */
	int (*create)(struct vcpu *v);
	/** Drops everything cached about guest memory and state, at every guest reset. */
	void (*flush)(struct vcpu *v);
	/**
	 * Runs the guest until attention, idle or halt. Looks for pending interrupts first: the run loop takes
	 * ATTN_IRQ away and leaves its meaning to the engine.
	 */
	enum engine_exit (*run)(struct vcpu *v);
	/**
	 * Executes exactly one instruction (a branch together with its delay slot), taking interrupts first. Does not
	 * stop at breakpoints.
	 */
	enum engine_exit (*step)(struct vcpu *v);

	/** Registers by number, 0 .. nr_registers - 1; the first is the program counter. */
	const struct engine_register *registers;
	unsigned nr_registers;
	unsigned nr_details; /**< so many at the end are for debuggers: lists leave them out */
	/** Value of a register, zero-extended. */
	uint64_t (*get_register)(struct vcpu *v, unsigned n);
	/** Sets a register as a debugger would. */
	void (*set_register)(struct vcpu *v, unsigned n, uint64_t value);
	/** Guest virtual → guest physical without side effects. Returns 0 or -EFAULT. */
	int (*translate)(struct vcpu *v, uint64_t gva, uint64_t *gpa);
	/**
	 * Sets or removes a breakpoint: run() leaves guest code before the instruction at gva with DEBUG_BREAKPOINT
	 * (vcpu.h), even if it is the first one. Setting it twice is setting it once. Returns 0, -ENOSPC, or -ENOENT if
	 * there is none to remove. NULL: the engine cannot; a debugger then steps and compares.
	 */
	int (*set_breakpoint)(struct vcpu *v, uint64_t gva, bool on);
	/**
	 * Sets or removes a watchpoint: run() and step() leave guest code with DEBUG_WATCHPOINT before an access of a
	 * kind in `access` (enum debug_access) that touches [gva, gva + size). Returns as set_breakpoint(), or -EINVAL for no range. NULL: cannot.
	 */
	int (*set_watchpoint)(struct vcpu *v, uint64_t gva, uint64_t size, unsigned access, bool on);
	/**
	 * Makes guest time stand still (and go on) while a debugger holds the guest, so that it finds no deadline missed.
	 * For each vCPU in order while all are stopped: they lose the same time.
	 * NULL: it goes on all the time.
	 */
	void (*hold_time)(struct vcpu *v, bool hold);
	/** Prints system state (CP0, TLB, last exceptions) with log_text(). */
	void (*print_state)(struct vcpu *v);
	/** Exceptions taken with no return from exception in between; grows without end in an exception loop. */
	uint64_t (*nested_exceptions)(struct vcpu *v);
	/** True once the guest has run in user mode since the last reset. */
	bool (*seen_user_mode)(struct vcpu *v);
};

#endif
