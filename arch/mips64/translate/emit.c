/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single instructions → IR. What is frequent gets operations of its own; the rest
 * is executed by the interpreter's function for it.
 */
#include "arch/mips64/translate/emit.h"

#include <string.h>

#include "arch/mips64/guest/isa.h"

struct ir_op *mips_emit(struct mips_front *f, enum ir_opcode op)
{
	struct ir_op *o = &f->out->ops[f->out->count++];

	*o = (struct ir_op){ .op = (uint8_t)op,
			     .d = IR_NONE,
			     .e = IR_NONE,
			     .a = IR_NONE,
			     .b = IR_NONE,
			     .pc = f->pc,
			     .insns = (uint8_t)(f->in_slot ? f->insns - 1 : f->insns),
			     .in_slot = f->in_slot };
	return o;
}

ir_var mips_temp(struct mips_front *f)
{
	return f->next_temp++;
}

/* Where a result goes: results for $0 go to a temporary that nobody reads. */
ir_var mips_destination(struct mips_front *f, unsigned reg)
{
	if (reg == 0)
		return mips_temp(f);
	if (reg < 32)
		f->known &= ~(1u << reg);
	return (ir_var)reg;
}

bool mips_is_known(const struct mips_front *f, unsigned reg, uint64_t *value)
{
	if (reg >= 32)
		return false;
	*value = reg == 0 ? 0 : f->value[reg];
	return reg == 0 || (f->known >> reg & 1) != 0;
}

void mips_emit_const(struct mips_front *f, ir_var reg, uint64_t value)
{
	struct ir_op *o;

	if (reg == 0)
		return;
	o = mips_emit(f, IR_CONST);
	o->d = mips_destination(f, reg);
	o->imm = value;
	f->known |= 1u << reg;
	f->value[reg] = value;
}

struct ir_op *mips_emit3(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, unsigned b)
{
	struct ir_op *o = mips_emit(f, op);

	o->a = (ir_var)a;
	o->b = (ir_var)b;
	o->d = mips_destination(f, d);
	return o;
}

struct ir_op *mips_emit_imm(struct mips_front *f, enum ir_opcode op, unsigned d, unsigned a, uint64_t imm)
{
	struct ir_op *o = mips_emit(f, op);

	o->a = (ir_var)a;
	o->imm = imm;
	o->d = mips_destination(f, d);
	return o;
}

void mips_emit_move(struct mips_front *f, unsigned d, unsigned a)
{
	uint64_t value;

	if (d == 0)
		return;
	if (mips_is_known(f, a, &value))
		mips_emit_const(f, (ir_var)d, value);
	else
		mips_emit3(f, IR_MOV, d, a, IR_NONE);
}

const struct mips_insn *mips_keep_insn(struct mips_front *f, const struct mips_insn *insn)
{
	struct mips_insn *copy = &f->source->insns[f->source->nr_insns++];

	*copy = *insn;
	return copy;
}

/* Words of coprocessor 1, and MOVCI: they see, or set, FP state. */
static bool concerns_fp(uint32_t w)
{
	switch (mips_op(w)) {
	case 0x00: return mips_funct(w) == 0x01;
	case 0x11:
	case 0x13:
	case 0x31:
	case 0x35:
	case 0x39:
	case 0x3d: return true;
	default: return false;
	}
}

/* The interpreter's function executes the instruction; it may change any register. */
static void exec(struct mips_front *f, uint32_t word, const struct mips_insn *insn)
{
	struct ir_op *o = mips_emit(f, IR_EXEC);

	o->insn = mips_keep_insn(f, insn);
	o->size = concerns_fp(word);
	f->known = 0;
	memset(f->condition, IR_NONE, sizeof(f->condition));
}

/* Constant in a temporary. */
ir_var mips_emit_temp_const(struct mips_front *f, uint64_t value)
{
	struct ir_op *o = mips_emit(f, IR_CONST);

	o->imm = value;
	return o->d = mips_temp(f);
}

struct ir_op *mips_read_field(struct mips_front *f, unsigned size, uint64_t offset)
{
	struct ir_op *o = mips_emit(f, IR_STATE);

	o->size = (uint8_t)size;
	o->is_signed = true;
	o->imm = offset;
	return o;
}

bool mips_in_kernel_mode(const struct mips_front *f)
{
	return (f->source->cpu->code_mode & MIPS_CODE_MODE) == MIPS_KERNEL;
}

void mips_emit_trap(struct mips_front *f, enum ir_condition cc, unsigned a, unsigned b, const struct mips_insn *insn)
{
	struct ir_op *o = mips_emit(f, IR_TRAP);

	o->cc = (uint8_t)cc;
	o->a = (ir_var)a;
	o->b = (ir_var)b;
	o->insn = mips_keep_insn(f, insn);
}

extern const struct mips_translator *const __start_mips_translators[] __attribute__((weak));
extern const struct mips_translator *const __stop_mips_translators[] __attribute__((weak));

static bool ask_translators(struct mips_front *f, uint32_t word, const struct mips_insn *insn)
{
	for (const struct mips_translator *const *t = __start_mips_translators; t < __stop_mips_translators; t++)
		if (mips_has(f->source->cpu, (*t)->needs) && (*t)->emit(f, word, insn))
			return true;
	return false;
}

bool mips_ask_branch(struct mips_front *f, uint32_t word, struct mips_branch *br)
{
	for (const struct mips_translator *const *t = __start_mips_translators; t < __stop_mips_translators; t++)
		if (mips_has(f->source->cpu, (*t)->needs) && (*t)->branch != NULL && (*t)->branch(f, word, br))
			return true;
	return false;
}

/* Opcodes of the base set by group; the order matters only where a group leaves a word to others. */
static bool emit_base(struct mips_front *f, uint32_t w, const struct mips_insn *insn)
{
	return mips_emit_memory(f, w, insn) || mips_emit_system(f, w, insn) || mips_emit_alu(f, w, insn);
}

void mips_emit_insn(struct mips_front *f, uint32_t word)
{
	struct mips_insn insn;

	mips_decode(f->source->cpu, word, &insn);
	if (insn.exec == mips_exec_nop)
		return;
	if (insn.exec != mips_exec_reserved && (ask_translators(f, word, &insn) || emit_base(f, word, &insn)))
		return;
	exec(f, word, &insn);
}
