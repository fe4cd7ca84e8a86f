/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls, traps, barriers, RDHWR, CACHE and coprocessor 0 (MD00087, volume II; PRA). */
#include "arch/mips64/guest/atomic.h"
#include "arch/mips64/guest/branch.h"
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/isa.h"
#include "arch/mips64/guest/operands.h"
#include "arch/mips64/guest/tlb.h"

#define OP(name) static const struct mips_insn *name(struct mips_cpu *c, const struct mips_insn *i)

OP(op_syscall)
{
	return mips_raise(c, i, EXC_SYS);
}
OP(op_break)
{
	return mips_raise(c, i, EXC_BP);
}

#define TRAP(name, condition)                                          \
	OP(name)                                                       \
	{                                                              \
		return (condition) ? mips_raise(c, i, EXC_TR) : i + 1; \
	}

TRAP(op_tge, (int64_t)A >= (int64_t)B)
TRAP(op_tgeu, A >= B)
TRAP(op_tlt, (int64_t)A < (int64_t)B)
TRAP(op_tltu, A < B)
TRAP(op_teq, A == B)
TRAP(op_tne, A != B)
TRAP(op_tgei, (int64_t)A >= (int64_t)IMM)
TRAP(op_tgeiu, A >= IMM)
TRAP(op_tlti, (int64_t)A < (int64_t)IMM)
TRAP(op_tltiu, A < IMM)
TRAP(op_teqi, A == IMM)
TRAP(op_tnei, A != IMM)

/* Octeon's registers 30 and 31 are Chord and CvmCount. */
static bool read_hardware_register(struct mips_cpu *c, unsigned n, uint64_t *value)
{
	switch (n) {
	case 0: *value = c->vcpu.id; return true;
	case 1: *value = mips_has(c, MIPS_HAS_OCTEON) ? 128 : 32; return true; /* SYNCI_Step */
	case 2: *value = (uint64_t)(int64_t)(int32_t)mips_count(c); return true;
	case 3: *value = 1; return true; /* CCRes */
	case 29: *value = c->cp0.userlocal; return (c->cp0.config[3] & CONFIG3_ULRI) != 0;
	case 30: *value = 0; return mips_has(c, MIPS_HAS_OCTEON);
	case 31: *value = mips_cvmcount(c); return mips_has(c, MIPS_HAS_OCTEON);
	default: return false;
	}
}

static bool coprocessor0_usable(const struct mips_cpu *c)
{
	return c->mode == MIPS_KERNEL || (c->cp0.status & STATUS_CU0) != 0;
}

OP(op_rdhwr)
{
	uint64_t value = 0;

	/* s is the hardware register; without CP0 access HWREna decides (PRA 9.14). */
	if (!coprocessor0_usable(c) && (c->cp0.hwrena >> i->s & 1) == 0)
		return mips_raise(c, i, EXC_RI);
	if (!read_hardware_register(c, i->s, &value))
		return mips_raise(c, i, EXC_RI);
	D = value;
	return i + 1;
}

#define CP0_OP(name)                                                                                  \
	static const struct mips_insn *name##_allowed(struct mips_cpu *c, const struct mips_insn *i); \
	OP(name)                                                                                      \
	{                                                                                             \
		return coprocessor0_usable(c) ? name##_allowed(c, i) : mips_raise_cpu(c, i, 0);       \
	}                                                                                             \
	static const struct mips_insn *name##_allowed(struct mips_cpu *c, const struct mips_insn *i)

/* In the moves a is the CP0 register (from rd) and s its select. */
CP0_OP(op_mfc0)
{
	D = mips_cp0_read32(c, i->a, i->s);
	return i + 1;
}

CP0_OP(op_dmfc0)
{
	D = mips_cp0_read(c, i->a, i->s);
	return i + 1;
}

CP0_OP(op_mtc0)
{
	return mips_cp0_write32(c, i->a, i->s, B) ? mips_stop_after(c, i) : i + 1;
}

CP0_OP(op_dmtc0)
{
	return mips_cp0_write(c, i->a, i->s, B) ? mips_stop_after(c, i) : i + 1;
}

static const struct mips_insn *set_interrupt_enable(struct mips_cpu *c, const struct mips_insn *i, uint32_t status)
{
	D = (uint64_t)(int64_t)(int32_t)c->cp0.status;
	mips_set_status(c, status);
	return mips_stop_after(c, i);
}

CP0_OP(op_di)
{
	return set_interrupt_enable(c, i, c->cp0.status & ~STATUS_IE);
}
CP0_OP(op_ei)
{
	return set_interrupt_enable(c, i, c->cp0.status | STATUS_IE);
}

/* One shadow register set: RDPGPR and WRPGPR move within it. */
CP0_OP(op_move_shadow)
{
	D = B;
	return i + 1;
}

/* The code being executed may keep its old translation until the next jump: software orders that (PRA 8.1). */
CP0_OP(op_tlbp)
{
	mips_tlbp(c);
	return i + 1;
}

CP0_OP(op_tlbr)
{
	mips_tlbr(c);
	return i + 1;
}

CP0_OP(op_tlbwi)
{
	return mips_tlbwi(c) ? i + 1 : mips_raise(c, i, EXC_MCHECK);
}
CP0_OP(op_tlbwr)
{
	return mips_tlbwr(c) ? i + 1 : mips_raise(c, i, EXC_MCHECK);
}

CP0_OP(op_tlbinv)
{
	mips_tlbinv(c);
	return i + 1;
}

CP0_OP(op_tlbinvf)
{
	mips_tlbinvf(c);
	return i + 1;
}

/*
 * In a delay slot ERET is not executed: mips_is_barred_from_slot() names it. What waited for EXL or ERL to be
 * cleared asked for attention when it came; nobody asks again.
 */
CP0_OP(op_eret)
{
	uint64_t to = mips_eret(c);

	(void)i;
	if (!mips_interrupt_pending(c) && (c->cp0.cause & CAUSE_WP) == 0)
		return mips_jump(c, to);
	c->pc = to;
	return NULL;
}

CP0_OP(op_wait)
{
	c->waiting = true;
	return mips_stop_after(c, i);
}

/*
 * Caches are not modelled: stores to decoded code are seen as they happen. Loading
 * a tag finds an empty line, so that probes and diagnostics see sane values.
 */
CP0_OP(op_cache)
{
	if ((i->b & 0x1c) == 0x04) /* Index Load Tag, b is the operation */
		c->cp0.taglo = c->cp0.taghi = 0;
	return i + 1;
}

/* Words of coprocessor 0 that mean nothing: who may not use it learns that first (PRA, chapter 6). */
CP0_OP(op_cp0_reserved)
{
	return mips_exec_reserved(c, i);
}

/* Coprocessor 2 and, without an FPU in the image, coprocessor 1; s is the number. One that is on has no such word. */
OP(op_unusable)
{
	return (c->cp0.status & STATUS_CU0 << i->s) != 0 ? mips_exec_reserved(c, i) : mips_raise_cpu(c, i, i->s);
}

static mips_exec *const special[64] = {
	[0x0c] = op_syscall, [0x0d] = op_break, [0x30] = op_tge, [0x31] = op_tgeu,
	[0x32] = op_tlt,     [0x33] = op_tltu,  [0x34] = op_teq, [0x36] = op_tne,
};

static mips_exec *const regimm[32] = {
	[0x08] = op_tgei,
	[0x09] = op_tgeiu,
	[0x0a] = op_tlti,
	[0x0b] = op_tltiu,
	[0x0c] = op_teqi,
	[0x0e] = op_tnei,
	[0x1f] = mips_exec_nop /* SYNCI: as CACHE */,
};

static mips_exec *decode_cp0_function(const struct mips_cpu *c, uint32_t w)
{
	bool invalidate = (c->model->config[4] >> CONFIG4_IE_SHIFT & 3) >= 2;

	switch (mips_funct(w)) {
	case 0x01: return op_tlbr;
	case 0x02: return op_tlbwi;
	case 0x03: return invalidate ? op_tlbinv : NULL;
	case 0x04: return invalidate ? op_tlbinvf : NULL;
	case 0x06: return op_tlbwr;
	case 0x08: return op_tlbp;
	case 0x18: return op_eret;
	case 0x20: return op_wait;
	default: return NULL; /* DERET too: there is no debug mode */
	}
}

static mips_exec *decode_cp0(const struct mips_cpu *c, uint32_t w, struct mips_insn *out)
{
	bool wide = mips_64bit_operations(c);

	if (w >> 25 & 1)
		return decode_cp0_function(c, w);
	out->s = w & 7;
	out->a = mips_rd(w);
	switch (mips_rs(w)) {
	case 0x00: out->d = mips_dest(mips_rt(w)); return op_mfc0;
	case 0x01: out->d = mips_dest(mips_rt(w)); return wide ? op_dmfc0 : NULL;
	case 0x04: return op_mtc0;
	case 0x05: return wide ? op_dmtc0 : NULL;
	case 0x0a: /* RDPGPR rd, rt */
	case 0x0e: /* WRPGPR rd, rt */ return op_move_shadow;
	case 0x0b: /* MFMC0 */
		out->d = mips_dest(mips_rt(w));
		return (w & 0xffff) == 0x6000 ? op_di : (w & 0xffff) == 0x6020 ? op_ei : NULL;
	default: return NULL;
	}
}

/* Opcodes of coprocessors 1 (when no FPU module took them) and 2. */
static mips_exec *decode_unusable(uint32_t w, struct mips_insn *out)
{
	switch (mips_op(w)) {
	case 0x11: /* COP1 */
	case 0x13: /* COP1X */
	case 0x31: /* LWC1 */
	case 0x35: /* LDC1 */
	case 0x39: /* SWC1 */
	case 0x3d: /* SDC1 */ out->s = 1; return op_unusable;
	case 0x12: /* COP2 */
	case 0x32: /* LWC2 */
	case 0x36: /* LDC2 */
	case 0x3a: /* SWC2 */
	case 0x3e: /* SDC2 */ out->s = 2; return op_unusable;
	default: return NULL;
	}
}

mips_exec *mips_decode_system(const struct mips_cpu *c, uint32_t w, struct mips_insn *out)
{
	mips_exec *exec;

	switch (mips_op(w)) {
	case 0x00:
		if (mips_funct(w) == 0x01) { /* MOVCI tests a condition of coprocessor 1 */
			out->s = 1;
			return op_unusable;
		}
		return mips_funct(w) == 0x0f ? mips_sync(mips_sa(w)) : special[mips_funct(w)];
	case 0x01: return regimm[mips_rt(w)];
	case 0x10: exec = decode_cp0(c, w, out); return exec != NULL ? exec : op_cp0_reserved;
	case 0x1f:
		if (mips_funct(w) != 0x3b)
			return NULL;
		out->s = mips_rd(w);
		out->d = mips_dest(mips_rt(w));
		return op_rdhwr;
	case 0x2f: return op_cache;
	default: return decode_unusable(w, out);
	}
}
