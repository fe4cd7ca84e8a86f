/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads and stores, LL and SC → IR. */
#include "arch/mips64/translate/emit.h"

static void load(struct mips_front *f, uint32_t w, unsigned size, bool is_signed)
{
	struct ir_op *o = mips_emit(f, IR_LOAD);

	o->a = mips_rs(w);
	o->imm = (uint64_t)(int64_t)mips_simm(w);
	o->size = (uint8_t)size;
	o->is_signed = is_signed;
	o->d = mips_destination(f, mips_rt(w));
}

static void store(struct mips_front *f, uint32_t w, unsigned size)
{
	struct ir_op *o = mips_emit(f, IR_STORE);

	o->a = mips_rs(w);
	o->b = mips_rt(w);
	o->imm = (uint64_t)(int64_t)mips_simm(w);
	o->size = (uint8_t)size;
}

/*
 * LDL, LDR, LWL, LWR: the aligned unit, shifted, and what remains of the register. The byte addressed is read first,
 * so that a fault names its address.
 */
static void load_part(struct mips_front *f, uint32_t w, unsigned size, bool left)
{
	ir_var va = mips_temp(f), unit = mips_temp(f), count = mips_temp(f), keep;
	unsigned d = mips_rt(w);
	bool from_top = left != f->source->cpu->big_endian;
	struct ir_op *o;

	mips_emit_imm(f, IR_ADDI, va, mips_rs(w), (uint64_t)(int64_t)mips_simm(w));
	o = mips_emit_imm(f, IR_LOAD, mips_temp(f), va, 0);
	o->size = 1;
	mips_emit_imm(f, IR_ANDI, count, va, size - 1);
	if (from_top)
		mips_emit_imm(f, IR_XORI, count, count, size - 1);
	mips_emit_imm(f, IR_SHLI, count, count, 3);
	mips_emit3(f, IR_AND, va, va, mips_emit_temp_const(f, ~(uint64_t)(size - 1)));
	o = mips_emit_imm(f, IR_LOAD, unit, va, 0);
	o->size = (uint8_t)size;
	if (d == 0)
		return;
	keep = mips_emit_temp_const(f, left ? ~0ull : size == 8 ? ~0ull : 0xffffffffull);
	mips_emit3(f, left ? IR_SHL : IR_SHR, keep, keep, count);
	mips_emit3(f, left ? IR_SHL : IR_SHR, unit, unit, count);
	mips_emit3(f, IR_NOR, keep, keep, IR_ZERO);
	mips_emit3(f, IR_AND, keep, keep, d);
	mips_emit3(f, IR_OR, size == 8 ? d : keep, keep, unit);
	if (size == 4)
		mips_emit3(f, IR_SEXT32, d, keep, IR_NONE);
}

static void load_half(struct mips_front *f, uint32_t w, unsigned size, bool left)
{
	if (!mips_emit_pair(f, w))
		load_part(f, w, size, left);
}

static void store_conditional(struct mips_front *f, uint32_t w, unsigned size, const struct mips_insn *insn)
{
	struct ir_op *o = mips_emit(f, IR_SC);

	o->a = mips_rs(w);
	o->b = mips_rt(w);
	o->imm = (uint64_t)(int64_t)mips_simm(w);
	o->size = (uint8_t)size;
	o->insn = mips_keep_insn(f, insn);
	o->d = mips_destination(f, mips_rt(w));
}

/* LL and LLD. */
static void load_linked(struct mips_front *f, uint32_t w, unsigned size)
{
	ir_var va = mips_temp(f), one, loaded;
	struct ir_op *o;

	mips_emit_imm(f, IR_ADDI, va, mips_rs(w), (uint64_t)(int64_t)mips_simm(w));
	o = mips_emit_imm(f, IR_LOAD, mips_rt(w), va, 0);
	o->size = (uint8_t)size;
	o->is_signed = o->aligned = true;
	loaded = o->d;
	if (f->source->several) {
		o = mips_emit(f, IR_PUT);
		o->a = loaded;
		o->size = 8;
		o->imm = MIPS_STATE(ll_value);
	}
	one = mips_emit_temp_const(f, 1);
	o = mips_emit(f, IR_PUT);
	o->a = va;
	o->size = 8;
	o->imm = MIPS_STATE(ll_address);
	o = mips_emit(f, IR_PUT);
	o->a = one;
	o->size = 1;
	o->imm = MIPS_STATE(ll_valid);
}

bool mips_emit_memory(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	switch (mips_op(w)) {
	case 0x1a: load_half(f, w, 8, true); return true;
	case 0x1b: load_half(f, w, 8, false); return true;
	case 0x20: load(f, w, 1, true); return true;
	case 0x21: load(f, w, 2, true); return true;
	case 0x22: load_half(f, w, 4, true); return true;
	case 0x23: load(f, w, 4, true); return true;
	case 0x24: load(f, w, 1, false); return true;
	case 0x25: load(f, w, 2, false); return true;
	case 0x26: load_half(f, w, 4, false); return true;
	case 0x27: load(f, w, 4, false); return true;
	case 0x28: store(f, w, 1); return true;
	case 0x29: store(f, w, 2); return true;
	case 0x2a:
	case 0x2c:
	case 0x2d:
	case 0x2e: return mips_emit_pair(f, w); /* SWL, SDL, SDR, SWR */
	case 0x2b: store(f, w, 4); return true;
	case 0x30: load_linked(f, w, 4); return true;
	case 0x33: return true; /* PREF */
	case 0x34: load_linked(f, w, 8); return true;
	case 0x37: load(f, w, 8, true); return true;
	case 0x38: store_conditional(f, w, 4, insn); return true;
	case 0x3c: store_conditional(f, w, 8, insn); return true;
	case 0x3f: store(f, w, 8); return true;
	default: return false;
	}
}
