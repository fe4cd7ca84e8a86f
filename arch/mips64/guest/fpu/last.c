/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FCSR after arithmetic that an engine did on the host's FPU, in rounding mode nearest and without traps. Flags are
 * what MXCSR has collected; but not Invalid, as operations that raise it are not done that way. Cause is what the last
 * one raises when it is done again.
 */
#include <husk/vm.h>

#include "arch/mips64/guest/fpu/fpu.h"
#include "arch/mips64/guest/fpu/host_sse.h"

static void repeat(struct mips_cpu *c, struct fpu_env *e)
{
	const struct mips_fp_last *last = &c->fpu.last;
	uint32_t note = last->note;

	switch (note & FPU_NOTE_KIND) {
	case FPU_NOTE_ARITHMETIC:
		fpu_evaluate(e, (enum fpu_op)(note >> 9), (note >> 8 & 1) != 0, last->a, last->b, last->e);
		break;
	case FPU_NOTE_CONVERSION:
		fpu_convert(e, (enum fpu_format)(note >> 8 & 3), (enum fpu_format)(note >> 10 & 3),
			    (enum fpu_rounding)(note >> 12), last->a);
		break;
	default: break;
	}
}

static void settle(struct mips_cpu *c)
{
	struct fpu_env e = fpu_env(c);
	uint32_t mxcsr, flags;

	if (c->fpu.last.note == 0)
		return;
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	flags = sse_exceptions(mxcsr) & ~(uint32_t)FPU_INVALID;
	repeat(c, &e);
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
