/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks guest code and emits IR: the block's shape, branches and delay slots. Single instructions are in emit.c. */
#include "arch/mips64/translate/front.h"

#include <string.h>

#include "arch/mips64/guest/isa.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/translate/emit.h"

/* Instructions of a block before it may join another one: the way there has its cost. */
#define LEAST_BEFORE_JOIN 16u

int32_t mips_var_offset(ir_var v)
{
	if (v == MIPS_VAR_HI)
		return offsetof(struct mips_cpu, hi);
	if (v == MIPS_VAR_LO)
		return offsetof(struct mips_cpu, lo);
	if (v >= MIPS_VAR_FPR)
		return (int32_t)(offsetof(struct mips_cpu, fpu.fpr) + 8u * (v - MIPS_VAR_FPR));
	return (int32_t)(offsetof(struct mips_cpu, gpr) + 8u * v);
}

static bool same_page(uint64_t a, uint64_t b)
{
	return ((a ^ b) & ~0xfffull) == 0;
}

uint32_t mips_word_at(const struct mips_front *f, uint64_t pc)
{
	uint32_t word;

	memcpy(&word, (same_page(pc, f->source->pc) ? f->source->page : f->source->next_page) + (pc & 0xfff),
	       sizeof(word));
	return (uint32_t)mips_swap(f->source->cpu, word, 4);
}

/* Where a call comes back to, if that may be linked to. A jump to there is no call, but a way to learn the pc. */
static uint64_t back_of(const struct mips_front *f, const struct mips_branch *br)
{
	bool linkable = f->source->fixed_mapping || same_page(f->pc + 8, f->source->pc);
	bool is_call = br->link == 31 && !(br->kind == MIPS_DIRECT && br->target == f->pc + 8);

	return is_call && linkable ? f->pc + 8 : 0;
}

static bool at_page_end(uint64_t pc)
{
	return (pc & 0xfff) == 0xffc;
}

static struct ir_op *leave(struct mips_front *f, enum ir_opcode op, uint64_t target)
{
	struct ir_op *o = mips_emit(f, op);

	o->imm = target;
	o->insns = (uint8_t)f->insns;
	o->loops = target <= f->pc || f->went_back;
	o->linkable = f->source->fixed_mapping || same_page(target, f->source->pc);
	return o;
}

static void jump(struct mips_front *f, const struct mips_branch *br)
{
	struct ir_op *o = mips_emit(f, IR_JUMP);

	o->a = br->a;
	o->insns = (uint8_t)f->insns;
	o->back = back_of(f, br);
	o->returns = br->returns;
}

static void step(struct mips_front *f)
{
	leave(f, IR_STEP, f->pc);
	f->ended = true;
}

static uint64_t relative_target(const struct mips_front *f, uint32_t w)
{
	return f->pc + 4 + (uint64_t)(int64_t)(mips_simm(w) * 4);
}

static bool decode_regimm(uint32_t w, struct mips_branch *br)
{
	unsigned rt = mips_rt(w);

	if ((rt & 0x0c) != 0)
		return false;
	br->cc = (rt & 1) ? IR_GE : IR_LT;
	br->likely = (rt & 2) != 0;
	br->link = (rt & 0x10) ? 31 : IR_NONE;
	return true;
}

/* Octeon's branches on a bit: the bit is brought to the sign. */
static bool decode_bit_branch(struct mips_front *f, uint32_t w, struct mips_branch *br)
{
	unsigned bit = mips_rt(w) + (mips_op(w) & 4) * 8;
	struct ir_op *o;

	if (!mips_has(f->source->cpu, MIPS_HAS_OCTEON))
		return false;
	o = mips_emit(f, IR_SHLI);
	o->d = br->a = mips_temp(f);
	o->a = mips_rs(w);
	o->imm = 63 - bit;
	br->b = IR_ZERO;
	br->cc = (mips_op(w) & 8) ? IR_LT : IR_GE;
	return true;
}

static bool decode_branch(struct mips_front *f, uint32_t w, struct mips_branch *br)
{
	*br = (struct mips_branch){ .kind = MIPS_CONDITIONAL, .a = mips_rs(w), .b = mips_rt(w), .link = IR_NONE };
	br->target = relative_target(f, w);
	if (mips_ask_branch(f, w, br))
		return true;
	switch (mips_op(w)) {
	case 0x00:
		br->kind = MIPS_INDIRECT;
		br->link = mips_funct(w) == 9 && mips_rd(w) != 0 ? mips_rd(w) : IR_NONE;
		br->returns = mips_rs(w) == 31 && br->link == IR_NONE;
		return true;
	case 0x01:
		br->b = IR_ZERO;
		if (!decode_regimm(w, br))
			return false;
		/* BAL is BGEZAL of $0. */
		if (br->cc == IR_GE && br->a == IR_ZERO && !br->likely)
			br->kind = MIPS_DIRECT;
		return true;
	case 0x02:
	case 0x03:
		br->kind = MIPS_DIRECT;
		br->target = ((f->pc + 4) & ~0xfffffffull) | (uint64_t)(w & 0x3ffffff) << 2;
		br->link = mips_op(w) == 3 ? 31 : IR_NONE;
		return true;
	case 0x14: br->likely = true; /* fall through */
	case 0x04: br->cc = IR_EQ; break;
	case 0x15: br->likely = true; /* fall through */
	case 0x05: br->cc = IR_NE; break;
	case 0x16: br->likely = true; /* fall through */
	case 0x06:
		br->cc = IR_LE;
		br->b = IR_ZERO;
		break;
	case 0x17: br->likely = true; /* fall through */
	case 0x07:
		br->cc = IR_GT;
		br->b = IR_ZERO;
		break;
	case 0x32:
	case 0x36:
	case 0x3a:
	case 0x3e: return decode_bit_branch(f, w, br);
	default: return false;
	}
	if (br->cc == IR_EQ && br->a == br->b)
		br->kind = MIPS_DIRECT;
	return true;
}

/* A copy of v that the link register or the delay slot cannot change: instructions write to rd or rt, if any. */
static ir_var keep(struct mips_front *f, ir_var v, ir_var link, uint32_t slot)
{
	bool in_danger = v == link || (slot != 0 && (v == mips_rd(slot) || v == mips_rt(slot)));
	struct ir_op *o;

	if (v == IR_ZERO || v >= MIPS_VAR_STATE || !in_danger)
		return v;
	o = mips_emit(f, IR_MOV);
	o->a = v;
	return o->d = mips_temp(f);
}

/* Takes down that the block has the instruction at f->pc. */
static void visit(struct mips_front *f)
{
	unsigned word = (f->pc & 0xfff) / 4;

	f->lowest = f->pc < f->lowest ? f->pc : f->lowest;
	f->highest = f->pc > f->highest ? f->pc : f->highest;
	if (same_page(f->pc, f->source->pc))
		f->visited[word / 32] |= 1u << word % 32;
}

bool mips_is_visited(const struct mips_front *f, uint64_t pc)
{
	unsigned word = (pc & 0xfff) / 4;

	return (f->visited[word / 32] >> word % 32 & 1) != 0;
}

static void delay_slot(struct mips_front *f, uint32_t word)
{
	unsigned n = f->out->count;

	f->pc += 4;
	visit(f);
	f->in_slot = true;
	mips_emit_insn(f, word);
	f->in_slot = false;
	f->pc -= 4;
	f->insns++;
	for (f->stored = false; n < f->out->count; n++)
		f->stored |=
			f->out->ops[n].op == IR_STORE || f->out->ops[n].op == IR_SC || f->out->ops[n].op == IR_EXEC;
}

/* Control could not leave in the delay slot; it may where the block goes on. */
static void attend(struct mips_front *f, uint64_t target)
{
	leave(f, IR_ATTEND, target)->always = f->stored;
}

static enum ir_condition opposite(enum ir_condition cc)
{
	static const enum ir_condition table[] = {
		[IR_EQ] = IR_NE, [IR_NE] = IR_EQ, [IR_LT] = IR_GE, [IR_GE] = IR_LT, [IR_LE] = IR_GT, [IR_GT] = IR_LE
	};

	return table[cc];
}

static void side_exit(struct mips_front *f, const struct mips_branch *br, enum ir_condition cc, uint64_t target)
{
	struct ir_op *o = leave(f, IR_BRANCH, target);

	o->cc = (uint8_t)cc;
	o->a = br->a;
	o->b = br->b;
}

/*
 * Control is at `target` now, where the guest's path goes on: so does the block, but for another page, and for code
 * that it has already, which is a loop.
 */
static void go_to(struct mips_front *f, uint64_t target, bool follows)
{
	if (!follows || !same_page(target, f->source->pc) || (target & 3) != 0 || mips_is_visited(f, target)) {
		leave(f, IR_EXIT, target);
		f->ended = true;
		return;
	}
	attend(f, target);
	f->went_back |= target <= f->pc;
	f->pc = target;
}

/* Which way the guest went at the branch that is met now: at one that it did not come to the path has ended. */
static bool next_of_path(struct mips_front *f, uint64_t *next)
{
	if (f->taken >= f->source->nr_path)
		return false;
	*next = f->source->path[f->taken++];
	return true;
}

static void emit_likely(struct mips_front *f, const struct mips_branch *br, uint32_t slot, bool taken)
{
	side_exit(f, br, opposite(br->cc), f->pc + 8);
	delay_slot(f, slot);
	go_to(f, br->target, taken);
}

static void emit_conditional(struct mips_front *f, const struct mips_branch *br, uint32_t slot)
{
	uint64_t next = 0;
	bool known = next_of_path(f, &next), taken = known && next == br->target && next != f->pc + 8;

	if (br->likely) {
		emit_likely(f, br, slot, taken);
		return;
	}
	delay_slot(f, slot);
	if (taken) {
		side_exit(f, br, opposite(br->cc), f->pc + 8);
		go_to(f, br->target, true);
		return;
	}
	side_exit(f, br, br->cc, br->target);
	/* Go on behind a forward branch; behind a loop the way on is rarely taken. */
	if (!(known && next == f->pc + 8) && (br->target <= f->pc || !f->source->through_branches)) {
		leave(f, IR_EXIT, f->pc + 8);
		f->ended = true;
	} else {
		attend(f, f->pc + 8);
	}
	f->pc += 8;
}

/* The next branch on the path is the return to `pc`. */
static bool comes_back(const struct mips_front *f, uint64_t pc)
{
	return f->taken < f->source->nr_path && f->source->path[f->taken] == pc;
}

/*
 * A jump to a constant, such as a return from a function that the block has called. The block goes into a function only
 * if there is no other way out of it: else that would come to a return without a call, see IR_JUMP.
 */
static void emit_direct(struct mips_front *f, const struct mips_branch *br)
{
	uint64_t next, call = f->pc;
	bool follows = next_of_path(f, &next) && next == br->target;

	if (br->link == 31 && !comes_back(f, call + 8))
		follows = false;
	go_to(f, br->target, follows);
	if (f->ended)
		f->out->ops[f->out->count - 1].back = back_of(f, br);
}

/* Instructions after which the code that follows may mean something else: CTC1, and MTC0 and DMTC0 of Status. */
static bool changes_mode(uint32_t w)
{
	if (mips_op(w) == 0x11)
		return mips_rs(w) == 6;
	return mips_op(w) == 0x10 && (mips_rs(w) == 4 || mips_rs(w) == 5) && mips_rd(w) == 12;
}

/* SYSCALL, BREAK, ERET, WAIT: nothing behind them is reached. */
static bool ends_flow(uint32_t w)
{
	if (mips_op(w) == 0)
		return mips_funct(w) == 0x0c || mips_funct(w) == 0x0d;
	return mips_op(w) == 0x10 && (w >> 25 & 1) != 0 && (mips_funct(w) == 0x18 || mips_funct(w) == 0x20);
}

/* Goes on only while the delay slot, in the next page, is as it is now. */
static void check_next_page(struct mips_front *f)
{
	struct ir_op *o = mips_emit(f, IR_SAME);

	o->imm = f->source->next_gpa;
	o->is_signed = f->source->fixed_mapping;
	o->insn = f->source->next_page;
	memcpy(&o->note, f->source->next_page, sizeof(o->note));
}

static void emit_branch(struct mips_front *f, uint32_t word)
{
	struct mips_branch br;
	uint32_t slot;
	uint64_t target;

	if (at_page_end(f->pc) && f->source->next_page == NULL) {
		step(f);
		return;
	}
	if (at_page_end(f->pc))
		check_next_page(f);
	slot = mips_word_at(f, f->pc + 4);
	if (mips_is_barred_from_slot(f->source->cpu, slot) || changes_mode(slot) || !decode_branch(f, word, &br)) {
		step(f);
		return;
	}
	if (br.kind == MIPS_INDIRECT && mips_is_known(f, br.a, &target)) {
		br.kind = MIPS_DIRECT;
		br.target = target;
	}
	br.a = br.kind == MIPS_DIRECT ? IR_ZERO : keep(f, br.a, br.link, slot);
	br.b = br.kind == MIPS_CONDITIONAL ? keep(f, br.b, br.link, slot) : IR_ZERO;
	f->insns++;
	f->branched = true;
	if (br.link != IR_NONE)
		mips_emit_const(f, br.link, f->pc + 8);
	if (br.kind == MIPS_CONDITIONAL) {
		emit_conditional(f, &br, slot);
		return;
	}
	delay_slot(f, slot);
	if (br.kind == MIPS_DIRECT) {
		emit_direct(f, &br);
		return;
	}
	jump(f, &br);
	f->ended = true;
}

/* Says so to loads that are a part of their instruction, among the operations from `first` on; true if there are some. */
static bool mark_partial_loads(struct ir_block *ir, unsigned first)
{
	bool any = false;

	for (unsigned n = first; n + 1 < ir->count; n++) {
		ir->ops[n].partial = ir->ops[n].op == IR_LOAD;
		any |= ir->ops[n].partial;
	}
	return any;
}

static void straight(struct mips_front *f, uint32_t word)
{
	unsigned first = f->out->count;

	mips_emit_insn(f, word);
	f->pc += 4;
	f->insns++;
	if (mark_partial_loads(f->out, first))
		leave(f, IR_ATTEND, f->pc);
}

/* What one instruction with its delay slot and the exit may need, and each of a run of pairs, is 40 and 2 operations. */
bool mips_has_room(const struct mips_front *f, unsigned n)
{
	unsigned most = f->source->max_insns != 0 ? f->source->max_insns : MIPS_BLOCK_INSNS - 2;

	return f->out->count + 2 * n + 38 < IR_MAX_OPS && f->next_temp + 24u < IR_MAX_VARS && f->insns + n <= most;
}

/*
 * Straight code that is longer than a block takes several, which begin where control comes to it, and so elsewhere for
 * each way to come. They join as soon as the way is the same: else a long loop has all its code twice and more.
 */
static bool joins(const struct mips_front *f)
{
	const struct mips_source *s = f->source;

	return s->begins != NULL && !f->branched && f->insns >= LEAST_BEFORE_JOIN && f->run_end == 0 &&
	       s->begins(s->begins_ctx, f->pc);
}

void mips_translate_block(struct mips_source *source, struct ir_block *out)
{
	struct mips_front f = {
		.source = source, .out = out, .pc = source->pc, .lowest = source->pc, .next_temp = MIPS_VAR_STATE
	};

	memset(f.condition, IR_NONE, sizeof(f.condition));
	source->nr_insns = 0;
	out->count = 0;
	out->pc = source->pc;
	while (!f.ended) {
		uint32_t word = mips_word_at(&f, f.pc);

		visit(&f);
		if (mips_breakpoint_at(source->breakpoints, f.pc)) {
			step(&f);
		} else if (mips_is_branch(source->cpu, word)) {
			emit_branch(&f, word);
		} else {
			straight(&f, word);
		}
		if (!f.ended && (!same_page(f.pc, source->pc) || !mips_has_room(&f, 1) || ends_flow(word) ||
				 (f.went_back && mips_is_visited(&f, f.pc)) || joins(&f))) {
			leave(&f, IR_EXIT, f.pc);
			f.ended = true;
		}
	}
	out->nr_vars = f.next_temp;
	out->nr_insns = f.insns;
	out->first = f.lowest;
	out->guest_bytes = (unsigned)(f.highest + 4 - f.lowest);
}
