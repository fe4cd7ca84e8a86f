/* SPDX-License-Identifier: BSD-2-Clause */
/* Cores other than the first, from power-on until the kernel has called them. */
#ifndef HUSK_OCTEON_CORES_H
#define HUSK_OCTEON_CORES_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/timer.h>
#include <husk/vm.h>

/** One of them. */
struct octeon_core {
	struct vcpu *vcpu;
	struct timer timer; /**< end of a look, or of a sleep */
	uint64_t pc;        /**< where it was when its look began */
	unsigned moves;     /**< looks in a row at whose end it was elsewhere */
	bool asleep;
};

/** All of a VM's. */
struct octeon_cores {
	struct vm *vm;
	bool held;            /**< they do not run yet */
	struct timer release; /**< when they do, at the latest */
	struct octeon_core cores[VM_MAX_VCPUS];
};

/** Before the first instruction, and after a reset: holds them, if there are some. */
void octeon_cores_hold(struct octeon_cores *c, struct vm *vm);

/** The first one gets ready to call them. */
void octeon_cores_release(struct octeon_cores *c);

#endif
