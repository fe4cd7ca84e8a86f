/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine is a board: it knows addresses, wires and the boot protocol. Exactly one is in an image. */
#ifndef HUSK_MACHINE_H
#define HUSK_MACHINE_H

struct vm;
struct vcpu;

/** The contract. */
struct machine {
	const char *name;
	/** Chooses the CPU model of a vCPU; called before engine.create(). Returns 0 or a negative errno. */
	int (*init_vcpu)(struct vcpu *v);
	/** Adds RAM, devices and interrupt wires, once. Returns 0 or a negative errno. */
	int (*build)(struct vm *vm);
	/**
	 * Loads the payload by its boot protocol and sets the vCPUs to their boot state, at start and at every
	 * reset; RAM may hold anything. Returns 0 or a negative errno (the run then ends with HUSK_EXIT_PAYLOAD).
	 */
	int (*load)(struct vm *vm);
	/** Prints a line about the board for the monitor. May be NULL. */
	void (*describe)(struct vm *vm);
};

#endif
