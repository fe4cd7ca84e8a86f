/* SPDX-License-Identifier: BSD-2-Clause */
/* Comparing outcomes, and telling where they differ. */
#ifndef DIFFERENTIAL_REPORT_H
#define DIFFERENTIAL_REPORT_H

#include <stdbool.h>

#include "tests/differential/outcome.h"

#define NO_DIFFERENCE (~0u)

/** Number of the first run whose state differs or is missing on either side, or NO_DIFFERENCE. */
unsigned first_difference(const struct outcome *a, const struct outcome *b);

/** Runs a program on both sides; true if they differ. Fills both outcomes. */
typedef bool differs(void *ctx, struct program *p);

/** Replaces items of the one block of a program by nothing, as long as the sides still differ. */
void shrink(struct program *p, differs *test, void *ctx);

/** Prints the code of the one block of a program and, of the first run that differs, the states before and after. */
void report(const struct program *p, const struct outcome *husk, const struct outcome *reference);

#endif
