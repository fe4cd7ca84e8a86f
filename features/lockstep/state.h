/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's state as a list of named values, and what is made of it. */
#ifndef LOCKSTEP_STATE_H
#define LOCKSTEP_STATE_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/** Parts of the state, each with a digest of its own. */
enum lockstep_part { LOCKSTEP_GPR, LOCKSTEP_CP0, LOCKSTEP_FPU, LOCKSTEP_TLB, LOCKSTEP_PARTS };

/** Told of each value; its name is only good during the call. */
struct lockstep_visitor {
	void (*value)(struct lockstep_visitor *self, enum lockstep_part part, const char *name, uint64_t value);
};

/** Visits all that the guest architecture defines, in the same order each time. The vCPU is outside guest code. */
void lockstep_visit(struct vcpu *v, struct lockstep_visitor *visitor);

/** What the disassemblers of binutils call the guest CPU. */
const char *lockstep_cpu(struct vcpu *v);

/** Byte order of guest code. */
bool lockstep_is_big_endian(struct vcpu *v);

/** The longest unit of host code that holds a guest address, of those the newest; see block.c. */
struct lockstep_block {
	uint64_t wanted;     /**< guest address, all ones for none */
	uint64_t pc, gpa;    /**< first guest instruction of the unit */
	uint64_t guest_size; /**< bytes of guest code, 0 if there is no unit */
	uint64_t address;    /**< of the host code */
	uint64_t size;       /**< bytes of it that are here */
	uint8_t code[16384];
};

/** Defined by block.c in images with a translator. */
extern struct lockstep_block lockstep_block __attribute__((weak));

#endif
