/* SPDX-License-Identifier: BSD-2-Clause */
/* Which words are coprocessor 1's, and who decodes them. */
#include <husk/feature.h>

#include "arch/mips64/guest/fpu/fpu.h"
#include "arch/mips64/guest/fpu/host_sse.h"

enum opcode { SPECIAL = 0x00, COP1 = 0x11, COP1X = 0x13, LWC1 = 0x31, LDC1 = 0x35, SWC1 = 0x39, SDC1 = 0x3d };

/* Values of COP1's rs field that are not one of the register transfers 0 to 7. */
enum cop1 { BC1 = 8, FMT_S = 16, FMT_D = 17, FMT_W = 20, FMT_L = 21 };

/** Words of coprocessor 1 that mean nothing. An unusable coprocessor comes first (PRA, exception priority). */
static const struct mips_insn *reserved(struct mips_cpu *c, const struct mips_insn *i)
{
	return fpu_usable(c) ? mips_raise(c, i, EXC_RI) : mips_raise_cpu(c, i, 1);
}

static bool decode_float(uint32_t word, enum fpu_format format, struct mips_insn *out)
{
	bool is_double = format == FPU_D;

	return fpu_decode_arith(word, is_double, out) || fpu_decode_move(word, is_double, out) ||
	       fpu_decode_convert(word, format, out) || fpu_decode_compare(word, is_double, out);
}

static bool decode_cop1(uint32_t word, struct mips_insn *out)
{
	switch (mips_rs(word)) {
	case 0:
	case 1:
	case 3:
	case 4:
	case 5:
	case 7: return fpu_decode_transfer(word, out);
	case 2:
	case 6: return fpu_decode_control(word, out);
	case BC1: return fpu_decode_branch(word, out);
	case FMT_S: return decode_float(word, FPU_S, out);
	case FMT_D: return decode_float(word, FPU_D, out);
	case FMT_W: return fpu_decode_convert(word, FPU_W, out);
	case FMT_L: return fpu_decode_convert(word, FPU_L, out);
	default: return false;
	}
}

/** Takes every word of COP1, COP1X and MOVCI, so that reserved ones look at Status.CU1 too. */
static bool decode(const struct mips_cpu *c, uint32_t word, struct mips_insn *out)
{
	bool known;

	(void)c;
	switch (mips_op(word)) {
	case SPECIAL:
		if (mips_funct(word) != 1)
			return false;
		known = fpu_decode_movci(word, out);
		break;
	case COP1: known = decode_cop1(word, out); break;
	case COP1X: known = fpu_decode_indexed(word, out) || fpu_decode_multiply_add(word, out); break;
	case LWC1:
	case LDC1:
	case SWC1:
	case SDC1: return fpu_decode_memory(word, out);
	default: return false;
	}
	if (!known)
		*out = (struct mips_insn){ .exec = reserved };
	return true;
}

static bool is_branch(uint32_t word)
{
	return mips_op(word) == COP1 && mips_rs(word) == BC1;
}

MIPS_ISA(fpu) = {
	.name = "fpu",
	.needs = MIPS_HAS_FPU,
	.decode = decode,
	.is_branch = is_branch,
};

/** Whatever firmware or the loader left in MXCSR ends here. */
static int attach(struct vm *vm)
{
	sse_idle();
	fpu_attach_settle(vm);
	return 0;
}

HUSK_FEATURE(mips_fpu) = {
	.name = "mips-fpu",
	.purpose = "MIPS64 Release 2 floating point: S, D, W, L, both register models",
	.level = FEATURE_CPU,
	.attach = attach,
};
