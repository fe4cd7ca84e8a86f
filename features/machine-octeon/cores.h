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
	bool gone;   /**< for good: it was called */
	bool looked; /**< since the first core was watched last */
};

/** All of a VM's. Written under the VM's lock. */
struct octeon_cores {
	struct vm *vm;
	bool held;            /**< they do not run yet */
	bool paused;          /**< the first one waits for a look of theirs */
	struct timer release; /**< when they run, at the latest */
	struct timer watch;   /**< when the first one has to see that all have looked */
	struct octeon_core cores[VM_MAX_VCPUS];
};

/** Before the first instruction, and after a reset: holds them, if there are some. */
void octeon_cores_hold(struct octeon_cores *c, struct vm *vm);

/** The first one gets ready to call them. */
void octeon_cores_release(struct octeon_cores *c);

#endif
