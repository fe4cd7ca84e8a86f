/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's page tables: guest virtual to guest physical addresses (Intel SDM 3A, chapter 4). */
#ifndef HVM_WALK_H
#define HVM_WALK_H

#include <stdint.h>

#include <husk/memory.h>

/** Registers that say how to translate. */
struct x86_paging {
	uint64_t cr0, cr3, cr4, efer;
};

/**
 * Translates gva as a read by the kernel would, without setting accessed bits. Returns 0, or -EFAULT if it is not
 * mapped, not canonical, or a table is not in RAM.
 */
int x86_walk(const struct memory *m, const struct x86_paging *p, uint64_t gva, uint64_t *gpa);

#endif
