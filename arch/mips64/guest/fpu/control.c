/* SPDX-License-Identifier: BSD-2-Clause */
/* cfc1 and ctc1: FIR, FCSR and the views of FCSR (MD00083, FPU control registers). */
#include "arch/mips64/guest/fpu/fpu.h"

enum control {
	CONTROL_FIR = 0,
	CONTROL_UFR = 1,
	CONTROL_UNFR = 4,
	CONTROL_FCCR = 25,
	CONTROL_FEXR = 26,
	CONTROL_FENR = 28,
	CONTROL_FCSR = 31
};

#define FIR_UFRP      (1u << 28)
#define CONFIG5_UFR   (1u << 2)
#define FCSR_CC       0xfe800000u
#define FEXR_BITS     0x0003f07cu
#define FENR_BITS     0x00000f83u
#define FENR_FS       0x4u
#define FENR_FS_SHIFT 22

/** The condition codes as FCCR has them: bit n is code n. */
static uint32_t fccr_of(uint32_t fcsr)
{
	return (fcsr >> 24 & 0xfe) | (fcsr >> 23 & 1);
}

static bool has_ufr(const struct mips_cpu *c)
{
	return (c->model->fir & FIR_UFRP) != 0;
}

/** Value of a control register; those that do not exist, and may give anything, give 0. */
static uint32_t read_control(const struct mips_cpu *c, unsigned reg)
{
	uint32_t fcsr = fpu_fcsr(c);

	switch (reg) {
	case CONTROL_FIR: return c->model->fir;
	case CONTROL_UFR: return has_ufr(c) ? (c->cp0.status & STATUS_FR) != 0 : 0;
	case CONTROL_FCCR: return fccr_of(fcsr);
	case CONTROL_FEXR: return fcsr & FEXR_BITS;
	case CONTROL_FENR: return (fcsr & FENR_BITS) | (fcsr >> FENR_FS_SHIFT & FENR_FS);
	case CONTROL_FCSR: return fcsr;
	default: return 0;
	}
}

/** Is the register a user's window on Status.FR (UFR, UNFR) that exists but is not enabled? */
static bool ufr_refused(const struct mips_cpu *c, unsigned reg)
{
	return (reg == CONTROL_UFR || reg == CONTROL_UNFR) && has_ufr(c) && (c->cp0.config[5] & CONFIG5_UFR) == 0;
}

static const struct mips_insn *cfc1(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (ufr_refused(c, i->s))
		return mips_raise(c, i, EXC_RI);
	c->gpr[i->d] = (uint64_t)(int64_t)(int32_t)read_control(c, i->s);
	return i + 1;
}

/** FCSR after v was written to a view of it. A view with bits set that must be 0 keeps it, which the manual allows. */
static uint32_t merge(uint32_t fcsr, unsigned reg, uint32_t v)
{
	const uint32_t reserved = 0x007c0000;

	switch (reg) {
	case CONTROL_FCCR: return (v & ~0xffu) != 0 ? fcsr : (fcsr & ~FCSR_CC) | (v & 0xfe) << 24 | (v & 1) << 23;
	case CONTROL_FEXR: return (v & reserved) != 0 ? fcsr : (fcsr & ~FEXR_BITS) | (v & FEXR_BITS);
	case CONTROL_FENR:
		return (v & reserved) != 0
			       ? fcsr
			       : (fcsr & ~(FENR_BITS | FCSR_FS)) | (v & FENR_BITS) | (v & FENR_FS) << FENR_FS_SHIFT;
	case CONTROL_FCSR: return v & FCSR_WRITABLE;
	default: return fcsr;
	}
}

/** True if FCSR holds a cause that traps: an enabled one, or Unimplemented. */
static bool traps(uint32_t fcsr)
{
	return ((fcsr & FCSR_CAUSE) >> FCSR_CAUSE_SHIFT & ((fcsr >> FCSR_ENABLES_SHIFT & 0x1f) | 0x20)) != 0;
}

static const struct mips_insn *ctc1(struct mips_cpu *c, const struct mips_insn *i)
{
	if (!fpu_usable(c))
		return mips_raise_cpu(c, i, 1);
	if (ufr_refused(c, i->s) && i->b == 0)
		return mips_raise(c, i, EXC_RI);
	if (i->s == CONTROL_UFR || i->s == CONTROL_UNFR) {
		/* Only $0 may be written: UFR clears Status.FR, UNFR sets it. */
		uint32_t fr = i->s == CONTROL_UNFR ? STATUS_FR : 0;

		if (has_ufr(c) && i->b == 0)
			mips_set_status(c, (c->cp0.status & ~STATUS_FR) | fr);
		return i + 1;
	}
	c->fpu.fcsr = merge(c->fpu.fcsr, i->s, (uint32_t)c->gpr[i->b]);
	mips_update_mode(c);
	return traps(c->fpu.fcsr) ? mips_raise(c, i, EXC_FPE) : i + 1;
}

bool fpu_decode_control(uint32_t word, struct mips_insn *out)
{
	if (mips_rs(word) == 2)
		*out = (struct mips_insn){ .exec = cfc1, .d = mips_dest(mips_rt(word)), .s = mips_rd(word) };
	else
		*out = (struct mips_insn){ .exec = ctc1, .b = mips_rt(word), .s = mips_rd(word) };
	return true;
}
