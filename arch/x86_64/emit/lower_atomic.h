/* SPDX-License-Identifier: BSD-2-Clause */
/* Generated code for several vCPUs. */
#ifndef X86_64_EMIT_LOWER_ATOMIC_H
#define X86_64_EMIT_LOWER_ATOMIC_H

#include "arch/x86_64/emit/lower.h"

/** SC as compare-and-exchange, SYNC as a fence. */
extern const struct x86_atomics x86_atomics;

#endif
