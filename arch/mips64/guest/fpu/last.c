/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FCSR after arithmetic that an engine did on the host's FPU, in rounding mode nearest and without traps. Flags are
 * what MXCSR has collected; but not Invalid, as operations that raise it are not done that way. Cause is what the last
 * one raises when it is done again.
 */
#include <husk/vm.h>

#include "arch/mips64/guest/fpu/fpu.h"
#include "arch/mips64/guest/fpu/host_sse.h"

/* An operand: formats S and W are the low half of a register. */
static uint64_t operand(uint64_t fpr, bool wide)
{
	return wide ? fpr : (uint32_t)fpr;
}

static void repeat_arithmetic(const struct mips_fp_last *last, struct fpu_env *e)
{
	bool wide = (last->note >> 8 & 1) != 0;

	fpu_evaluate(e, (enum fpu_op)(last->note >> 9), wide, operand(last->a, wide), operand(last->b, wide),
		     operand(last->e, wide));
}

static void repeat_conversion(const struct mips_fp_last *last, struct fpu_env *e)
{
	enum fpu_format from = (enum fpu_format)(last->note >> 8 & 3), to = (enum fpu_format)(last->note >> 10 & 3);

	fpu_convert(e, from, to, (enum fpu_rounding)(last->note >> 12),
		    operand(last->a, from == FPU_D || from == FPU_L));
}

static void settle(struct mips_cpu *c)
{
	struct fpu_env e = fpu_env(c);
	uint32_t mxcsr, flags;

	if (c->fpu.last.note == 0)
		return;
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	flags = sse_exceptions(mxcsr) & ~(uint32_t)FPU_INVALID;
	if ((c->fpu.last.note & FPU_NOTE_KIND) == FPU_NOTE_ARITHMETIC)
		repeat_arithmetic(&c->fpu.last, &e);
	else if ((c->fpu.last.note & FPU_NOTE_KIND) == FPU_NOTE_CONVERSION)
		repeat_conversion(&c->fpu.last, &e);
	c->fpu.fcsr = (c->fpu.fcsr & ~FCSR_CAUSE) | e.raised << FCSR_CAUSE_SHIFT | flags << FCSR_FLAGS_SHIFT;
	c->fpu.last.note = 0;
	sse_idle();
}

void fpu_attach_settle(struct vm *vm)
{
	for (unsigned n = 0; n < vm->nr_vcpus; n++) {
		struct mips_cpu *c = mips_cpu(vm->vcpus[n]);

		c->fpu.settle = settle;
		mips_update_mode(c);
	}
}
