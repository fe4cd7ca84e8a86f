/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic operations of the IR on x86-64. */
#ifndef X86_64_EMIT_LOWER_ALU_H
#define X86_64_EMIT_LOWER_ALU_H

#include "arch/x86_64/emit/alloc.h"

/** Lowers an operation that neither touches memory nor leaves. */
void x86_lower_alu(struct alloc *s, const struct ir_op *o);

/** Compares the operands of a BRANCH. Returns the condition under which it is taken; the flags hold it. */
enum x86_cc x86_compare(struct alloc *s, const struct ir_op *o);

#endif
