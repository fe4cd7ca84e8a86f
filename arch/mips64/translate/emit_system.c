/* SPDX-License-Identifier: BSD-2-Clause */
/* Coprocessor 0, as far as its registers are plain → IR. */
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/translate/emit.h"

/* EI: it is the helper's if an interrupt waits. */
static bool emit_enable_interrupts(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	ir_var old = mips_temp(f), new = mips_temp(f), pending = mips_temp(f);
	struct ir_op *o;

	if (!mips_in_kernel_mode(f) || mips_rs(w) != 0x0b || (w & 0xffff) != 0x6020)
		return false;
	mips_read_field(f, 4, MIPS_STATE(cp0.status))->d = old;
	mips_read_field(f, 4, MIPS_STATE(cp0.cause))->d = pending;
	mips_emit_imm(f, IR_ORI, new, old, STATUS_IE);
	mips_emit3(f, IR_AND, pending, pending, old);
	mips_emit_imm(f, IR_ANDI, pending, pending, CAUSE_IP);
	mips_emit_trap(f, IR_NE, pending, IR_ZERO, insn);
	o = mips_emit(f, IR_PUT);
	o->a = new;
	o->size = 4;
	o->imm = MIPS_STATE(cp0.status);
	if (mips_rt(w) != 0)
		mips_emit_move(f, mips_rt(w), old);
	return true;
}

static void read_state(struct mips_front *f, unsigned d, unsigned size, uint64_t offset)
{
	if (d != 0)
		mips_read_field(f, size, offset)->d = mips_destination(f, d);
}

/* Where the value of a CP0 register is that can be read as it stands: 8 bytes, or 4 that are sign-extended. */
static unsigned plain_cp0(const struct mips_front *f, unsigned reg, unsigned sel, uint64_t *offset)
{
	const struct mips_cpu *c = f->source->cpu;

	switch (reg * 8 + sel) {
	case 4 * 8: *offset = MIPS_STATE(cp0.context); return 8;
	case 8 * 8: *offset = MIPS_STATE(cp0.badvaddr); return 8;
	case 10 * 8: *offset = MIPS_STATE(cp0.entryhi); return 8;
	case 12 * 8: *offset = MIPS_STATE(cp0.status); return 4;
	case 14 * 8: *offset = MIPS_STATE(cp0.epc); return 8;
	case 20 * 8: *offset = MIPS_STATE(cp0.xcontext); return 8;
	default: break;
	}
	if (reg != 31 || sel < 2 || (c->cp0.config[4] >> (CONFIG4_KSCREXIST_SHIFT + sel) & 1) == 0)
		return 0;
	*offset = MIPS_STATE(cp0.kscratch) + sel * sizeof(c->cp0.kscratch[0]);
	return 8;
}

/* DI: interrupts that wait need no look at, as after EI. */
static void disable_interrupts(struct mips_front *f, unsigned d)
{
	ir_var status = mips_temp(f);
	struct ir_op *o;

	mips_read_field(f, 4, MIPS_STATE(cp0.status))->d = status;
	if (d != 0)
		mips_emit_move(f, d, status);
	mips_emit_imm(f, IR_ORI, status, status, STATUS_IE);
	mips_emit_imm(f, IR_XORI, status, status, STATUS_IE);
	o = mips_emit(f, IR_PUT);
	o->a = status;
	o->size = 4;
	o->imm = MIPS_STATE(cp0.status);
}

/* Moves from and to coprocessor 0 that are no more than that. In kernel mode it is always usable. */
static bool emit_cp0(struct mips_front *f, uint32_t w)
{
	unsigned reg = mips_rd(w), sel = w & 7, size;
	struct ir_op *o;
	uint64_t offset;

	if (!mips_in_kernel_mode(f) || (w >> 25 & 1) != 0)
		return false;
	if (mips_rs(w) == 0x0b && (w & 0xffff) == 0x6000) {
		disable_interrupts(f, mips_rt(w));
		return true;
	}
	if ((w & 0x7f8) != 0)
		return false;
	size = plain_cp0(f, reg, sel, &offset);
	if (size == 0)
		return false;
	switch (mips_rs(w)) {
	case 0x00: read_state(f, mips_rt(w), 4, offset); return true; /* little-endian host: the low half */
	case 0x01: read_state(f, mips_rt(w), size, offset); return true;
	case 0x05:
		if (reg != 14 && reg != 31)
			return false;
		o = mips_emit(f, IR_PUT);
		o->a = mips_rt(w);
		o->size = 8;
		o->imm = offset;
		return true;
	default: return false;
	}
}

/* RDHWR of UserLocal, where the mode says that it is allowed. */
static bool emit_rdhwr(struct mips_front *f, uint32_t w)
{
	if (mips_funct(w) != 0x3b || mips_rd(w) != 29 || (w & 0x7c0) != 0 ||
	    !(f->source->cpu->code_mode & MIPS_CODE_TLS))
		return false;
	read_state(f, mips_rt(w), 8, MIPS_STATE(cp0.userlocal));
	return true;
}

bool mips_emit_system(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	switch (mips_op(w)) {
	case 0x10: return emit_enable_interrupts(f, w, insn) || emit_cp0(f, w);
	case 0x1f: return emit_rdhwr(f, w);
	case 0x2f:
		return mips_in_kernel_mode(f) &&
		       (mips_rt(w) & 0x1c) != 0x04; /* CACHE: only loading a tag does anything */
	default: return false;
	}
}
