/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine is a board: it knows addresses, wires and the boot protocol. Exactly one is in an image. */
#ifndef HUSK_MACHINE_H
#define HUSK_MACHINE_H

#include <stdint.h>

struct device;
struct irq_line;
struct vm;
struct vcpu;

/** Devices that a machine has room for beyond its own: slots 0 to MACHINE_SLOTS - 1. */
#define MACHINE_SLOTS 8u

/** Bytes of a slot's window. */
#define MACHINE_SLOT_SIZE 0x200u

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
	/**
	 * Puts a device that is no part of the board into a free slot: gives it a window of MACHINE_SLOT_SIZE bytes on
	 * the bus, and connects its interrupt line, level triggered. Called between build() and load(), for slot 0, 1,
	 * … in this order; the guest finds them as devices "virtio,mmio" in the device tree that the build made.
	 * Returns 0 or what bus_attach() says. NULL: the machine has no slots.
	 */
	int (*plug)(struct vm *vm, unsigned slot, struct device *dev, struct irq_line *irq);
	/** Prints a line about the board for the monitor. May be NULL. */
	void (*describe)(struct vm *vm);
};

#endif
