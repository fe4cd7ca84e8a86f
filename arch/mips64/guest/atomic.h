/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What several vCPUs do to RAM at a time. An image links the file for what it has: atomic_smp.c, or atomic_up.c, in which
 * nothing comes in between.
 */
#ifndef MIPS64_ATOMIC_H
#define MIPS64_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/mips64/guest/insn.h"

/**
 * Makes the `size` bytes (4 or 8, aligned) at a host address `value` if they are `old`, as nobody else can see in two
 * steps; values as in memory, the upper half of those of 4 bytes does not matter. Returns false if they were not. With
 * one vCPU they are what the link of an LL says, and not looked at.
 */
bool mips_replace(void *host, unsigned size, uint64_t old, uint64_t value);

/**
 * What executes SYNC of a kind (its stype field; MD00087, SYNC). x86 orders all by itself but loads behind stores:
 * SYNC_WMB, ACQUIRE, RELEASE and RMB, and Octeon's SYNCW and SYNCWS (4 and 5), do nothing.
 */
mips_exec *mips_sync(unsigned stype);

#endif
