/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack of returns: while translated code runs, the host's stack has an entry for each call of the guest whose
 * return is awaited. It is empty whenever the engine enters translated code, and gone when it comes back.
 */
#ifndef X86_64_EMIT_RETURN_STACK_H
#define X86_64_EMIT_RETURN_STACK_H

#include <stdint.h>

#include "arch/x86_64/emit/lower.h"

/** Most calls on it; one more empties it. */
#define RETURN_ENTRIES 512u

/** An entry, as CALL and PUSH make it. */
struct x86_return {
	uint64_t code; /**< where the caller's code goes on */
	uint64_t key;  /**< guest address where it goes on ^ fetch key; all ones: nobody may return here */
};

/** Part of a vCPU. Stack pointers. */
struct x86_return_stack {
	uint64_t base;  /**< of the empty stack: its last entry is one that nobody returns to */
	uint64_t limit; /**< at or below there is no room for an entry */
	uint64_t now;   /**< while a helper is at work: the newest entry. 0 while the engine is */
};

/** The code that uses it, for struct x86_runtime. */
extern const struct x86_return_code x86_return_code;

#endif
