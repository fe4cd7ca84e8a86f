/* SPDX-License-Identifier: BSD-2-Clause */
/* One virtual CPU, as far as the core needs to know it. */
#ifndef HUSK_VCPU_H
#define HUSK_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/platform.h>
#include <husk/timer.h>

struct vm;

/** What was reached, when guest code was left for the debugger. */
enum debug_event { DEBUG_NOTHING, DEBUG_BREAKPOINT, DEBUG_WATCHPOINT };

/** Kinds of access that a watchpoint waits for. */
enum debug_access { DEBUG_READ = 1, DEBUG_WRITE = 2 };

/**
 * A debugger's hold on a vCPU. All zero without one. Engines look at it where they enter guest code, decode or take
 * a slow path, never for each instruction.
 */
struct vcpu_debug {
	bool hold_interrupts;    /**< no interrupt is taken */
	bool ignore_watchpoints; /**< the next accesses are those of an instruction that was stopped already */
	/** Set together with ATTN_DEBUG, with the pc at the instruction, which has had no effect yet. */
	enum debug_event event;
	uint64_t address; /**< DEBUG_WATCHPOINT: first watched address of the access */
};

/**
 * Common part of a vCPU: the first member of the engine's own vCPU structure, which the core allocates
 * (engine.vcpu_size bytes, zeroed).
 */
struct vcpu {
	struct vm *vm;
	unsigned id;        /**< 0 is the boot CPU */
	uint32_t attention; /**< enum attention; engines leave guest code soon after it becomes non-zero */
	struct timer_queue timers;
	bool halted;             /**< its last run() returned ENGINE_HALTED; set under the lock of the VM */
	void *smp;               /**< state of the feature `smp`, or NULL */
	uint64_t instructions;   /**< guest instructions executed so far, those that raised an exception included */
	uint64_t passed;         /**< instructions' worth of time that it waited, where time goes by them */
	struct vcpu_stop *stops; /**< the next one first, or NULL */
	uint64_t idles;          /**< times it went idle */
	struct vcpu_debug debug;
};

/** Sets bits in the attention word of v and wakes it. From any CPU that runs vCPUs. */
void vcpu_kick(struct vcpu *v, uint32_t bits);

/** Bits pending for this vCPU; cheap enough for every guest branch. */
static inline uint32_t vcpu_attention(const struct vcpu *v)
{
	return __atomic_load_n(&v->attention, __ATOMIC_RELAXED);
}

/** Takes all pending bits. */
static inline uint32_t vcpu_take_attention(struct vcpu *v)
{
	return __atomic_exchange_n(&v->attention, 0, __ATOMIC_ACQUIRE);
}

/** Count that engines stop at when they have executed so many instructions, or one more if that ends with a delay slot. */
static inline uint64_t vcpu_stop_at(const struct vcpu *v)
{
	return v->stops != NULL ? v->stops->at : UINT64_MAX;
}

#endif
