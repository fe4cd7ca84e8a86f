/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts that other CPUs leave for a vCPU. Intel's CPUs take them from here by themselves while the guest runs
 * ("posted-interrupt processing", Intel SDM 3C, 29.6); at all other times the vCPU's CPU does, before it enters the guest.
 *
 * None is lost: whoever leaves a vector looks afterwards whom to tell, and the vCPU's CPU says first that it takes them by
 * itself, or does so no longer, and looks at what is there afterwards. One of the two sees the other.
 */
#ifndef HVM_POSTED_H
#define HVM_POSTED_H

#include <stdbool.h>
#include <stdint.h>

/** The descriptor, by figure 29-6 as far as the CPU knows it. Of several CPUs, by atomic operations. In zeroed memory. */
struct x86_posted {
	uint32_t vectors[8];  /**< a bit each */
	uint32_t outstanding; /**< 1: there are vectors, and somebody was told or is about to be */
	uint32_t entered;     /**< 1 + local APIC id of the CPU that takes them by itself now; 0: none does */
	uint32_t unused[6];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct x86_posted) == 64, "as the CPU has it");

/** Leaves a vector, from any CPU. True: the vCPU has to be told, by x86_posted_entered(). */
static inline bool x86_post(struct x86_posted *p, uint8_t vector)
{
	__atomic_fetch_or(&p->vectors[vector / 32], 1u << vector % 32, __ATOMIC_SEQ_CST);
	return __atomic_fetch_or(&p->outstanding, 1, __ATOMIC_SEQ_CST) == 0;
}

/** Whom to tell: 1 + local APIC id of a CPU for the notification; 0: kick the vCPU. */
static inline uint32_t x86_posted_entered(struct x86_posted *p)
{
	return __atomic_load_n(&p->entered, __ATOMIC_SEQ_CST);
}

/**
 * The vCPU's CPU, by its local APIC id, is about to enter the guest, with interrupts off, where it takes vectors by itself.
 * False: some are there that it may never be told of; take them.
 */
static inline bool x86_posted_enter(struct x86_posted *p, uint32_t id)
{
	__atomic_exchange_n(&p->entered, id + 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&p->outstanding, __ATOMIC_SEQ_CST) == 0;
}

/** It has left the guest, or has not entered it. False: vectors are there; take them. */
static inline bool x86_posted_leave(struct x86_posted *p)
{
	__atomic_exchange_n(&p->entered, 0, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&p->outstanding, __ATOMIC_SEQ_CST) == 0;
}

/** Takes vectors, on the vCPU's CPU and outside of the guest, into 256 bits. False: there are none. */
static inline bool x86_take_posted(struct x86_posted *p, uint32_t bits[8])
{
	if (__atomic_load_n(&p->outstanding, __ATOMIC_SEQ_CST) == 0)
		return false;
	__atomic_store_n(&p->outstanding, 0, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < 8; i++)
		bits[i] = __atomic_exchange_n(&p->vectors[i], 0, __ATOMIC_SEQ_CST);
	return true;
}

#endif
