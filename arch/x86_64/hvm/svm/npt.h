/* SPDX-License-Identifier: BSD-2-Clause */
/* Nested page tables: guest physical to host physical addresses (APM 2, 15.25). */
#ifndef SVM_NPT_H
#define SVM_NPT_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/memory.h>

/**
 * Makes tables that map all RAM, in pages as large as its places allow (1 GiB only where `huge`). *root is the host
 * physical address of the top table. Returns 0 or -ENOMEM.
 */
int npt_build(const struct memory *m, bool huge, uint64_t *root);

#endif
