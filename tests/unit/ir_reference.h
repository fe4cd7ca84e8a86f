/* SPDX-License-Identifier: BSD-2-Clause */
/* An interpreter of IR on the made-up vCPU: it says what generated code must do. */
#ifndef TESTS_IR_REFERENCE_H
#define TESTS_IR_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/unit/ir_machine.h"

#define FIRST_EXIT 1000u /* number of a block's first exit */

/** Runs ir on `expected`, whose flags are those of the host. Returns why it leaves, as struct x86_runtime's enter(). */
uint32_t reference(bool loops);

/** Result of FADD to FPUT and FCMP on the operands; `d` is the old value. False if that is left to the helper. */
bool reference_fp(const struct ir_op *o, uint64_t d, uint64_t a, uint64_t b, uint64_t e, uint64_t *result);

#endif
