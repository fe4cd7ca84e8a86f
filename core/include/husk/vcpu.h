/* SPDX-License-Identifier: BSD-2-Clause */
/* One virtual CPU, as far as the core needs to know it. */
#ifndef HUSK_VCPU_H
#define HUSK_VCPU_H

#include <stdint.h>

#include <husk/platform.h>
#include <husk/timer.h>

struct vm;

/**
 * Common part of a vCPU: the first member of the engine's own vCPU structure, which the core allocates
 * (engine.vcpu_size bytes, zeroed).
 */
struct vcpu {
	struct vm *vm;
	unsigned id;        /**< 0 is the boot CPU */
	uint32_t attention; /**< enum attention; engines leave guest code soon after it becomes non-zero */
	struct timer_queue timers;
	uint64_t instructions; /**< guest instructions executed so far */
	uint64_t idles;        /**< times it went idle */
};

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

#endif
