/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program did, on either side. */
#ifndef DIFFERENTIAL_OUTCOME_H
#define DIFFERENTIAL_OUTCOME_H

#include <stdint.h>

#include "tests/differential/image.h"

/** What came out of a run. */
struct outcome {
	struct state *states; /**< one for each record that was finished, in host byte order */
	unsigned nr_states;
	uint64_t instructions; /**< executed in blocks (husk's side only) */
	uint64_t signals;      /**< records that ended with one (husk's side only) */
	char failure[160];     /**< why it did not end by itself with status 0; "" if it did */
};

/** Frees the states. */
void outcome_free(struct outcome *o);

/** Runs a program in the reference emulator. */
struct outcome reference_run(const struct image *image);

/** husk's CPU for programs, kept from program to program. */
struct user;

/** A CPU of a variant. Ends the process if the image has no engine. */
struct user *user_new(const struct variant *v);

/**
 * Runs a program as a user process of a kernel that is just this function: with pages of 16 MiB, or
 * with `small_pages` of 4 KiB that are mapped, and made writable, when the program misses them.
 */
struct outcome user_run(struct user *u, const struct image *image, bool small_pages);

#endif
