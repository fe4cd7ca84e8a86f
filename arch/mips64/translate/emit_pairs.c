/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LDL with LDR, LWL with LWR, and the same with S: together they load or store a value at any address, and what copies
 * from or to one that is not aligned is made of them. A pair becomes one access of the host, which does not mind; a run
 * of pairs with one base register is checked by one MAP, behind which nothing in the run can fault. So nobody sees that
 * the first half has already done all of it.
 */
#include "arch/mips64/translate/emit.h"

/* Instructions of a run: pairs are interleaved, and eight of them are a usual copy loop's. */
#define MAX_RUN 20u

/* What is known of a run while it is being looked for. */
struct run {
	unsigned base;
	bool stores;
	uint32_t open; /* registers of which one half has been loaded or stored */
	struct {
		int32_t low;
		unsigned size;
		bool high_half; /* the half that is to come */
	} half[32];
	int32_t low, high; /* of the bytes accessed */
};

static bool is_store_part(uint32_t w)
{
	return mips_op(w) == 0x2a || (mips_op(w) >= 0x2c && mips_op(w) <= 0x2e);
}

static bool is_part(uint32_t w)
{
	return mips_op(w) == 0x1a || mips_op(w) == 0x1b || mips_op(w) == 0x22 || mips_op(w) == 0x26 || is_store_part(w);
}

static unsigned part_size(uint32_t w)
{
	return mips_op(w) < 0x20 || mips_op(w) == 0x2c || mips_op(w) == 0x2d ? 8 : 4;
}

/* True for the half that names the highest byte: LDL, LWL, SDL and SWL on a little-endian CPU, the others on a big-endian one. */
static bool is_high_half(const struct mips_front *f, uint32_t w)
{
	bool left = mips_op(w) == 0x1a || mips_op(w) == 0x22 || mips_op(w) == 0x2a || mips_op(w) == 0x2c;

	return left != f->source->cpu->big_endian;
}

/* The address of the whole value, from the base register. */
static int32_t low_end(const struct mips_front *f, uint32_t w)
{
	return (int32_t)mips_simm(w) - (is_high_half(f, w) ? (int32_t)part_size(w) - 1 : 0);
}

/* True if a value has bytes of one that is half stored: the order of their four halves counts then. */
static bool meets_open(const struct run *r, int32_t low, unsigned size)
{
	for (unsigned n = 0; n < 32; n++)
		if ((r->open >> n & 1) != 0 && low < r->half[n].low + (int32_t)r->half[n].size &&
		    r->half[n].low < low + (int32_t)size)
			return true;
	return false;
}

static bool add_part(const struct mips_front *f, struct run *r, uint32_t w)
{
	unsigned d = mips_rt(w), size = part_size(w);
	int32_t low = low_end(f, w);

	if (d == 0 || d == r->base || mips_rs(w) != r->base || is_store_part(w) != r->stores)
		return false;
	if ((r->open >> d & 1) != 0) {
		if (r->half[d].low != low || r->half[d].size != size || r->half[d].high_half != is_high_half(f, w))
			return false;
		r->open &= ~(1u << d);
		return true;
	}
	if (r->stores && meets_open(r, low, size))
		return false;
	r->open |= 1u << d;
	r->half[d].low = low;
	r->half[d].size = size;
	r->half[d].high_half = !is_high_half(f, w);
	r->low = low < r->low ? low : r->low;
	r->high = low + (int32_t)size > r->high ? low + (int32_t)size : r->high;
	return true;
}

/* What may stand between the halves: it does not fault, and leaves the base and what is half loaded alone. */
static bool is_harmless(const struct run *r, uint32_t w)
{
	unsigned rt = mips_rt(w);

	if (mips_op(w) == 0x33) /* PREF */
		return true;
	if (mips_op(w) != 0x09 && mips_op(w) != 0x19) /* ADDIU, DADDIU */
		return false;
	return rt != r->base && (r->open >> rt & 1) == 0 && (r->open >> mips_rs(w) & 1) == 0;
}

/* Looks for a run from the present pc on, in what is surely part of this block. Returns where it ends, or 0. */
static uint64_t find_run(const struct mips_front *f, struct run *r)
{
	uint64_t end = 0;
	int32_t low = 0, high = 0;

	for (uint64_t pc = f->pc; pc < f->pc + 4ull * MAX_RUN && (pc & 0xfff) >= (f->pc & 0xfff); pc += 4) {
		uint32_t w = mips_word_at(f, pc);

		if (pc != f->pc && (mips_breakpoint_at(f->source->breakpoints, pc) || mips_is_visited(f, pc)))
			break;
		if (is_part(w) ? !add_part(f, r, w) : !is_harmless(r, w))
			break;
		if (r->open == 0 && is_part(w)) {
			end = pc + 4;
			low = r->low;
			high = r->high;
		}
	}
	r->low = low;
	r->high = high;
	return end;
}

/* Begins a run with its MAP, if there is one at the present pc. */
static bool begin(struct mips_front *f, uint32_t w)
{
	struct run r = { .base = mips_rs(w), .stores = is_store_part(w), .low = INT32_MAX, .high = INT32_MIN };
	struct ir_op *o;
	uint64_t end;

	if (!f->source->pairs || f->in_slot || !mips_has_room(f, MAX_RUN))
		return false;
	end = find_run(f, &r);
	if (end == 0)
		return false;
	f->run_end = end;
	f->run_half_done = 0;
	o = mips_emit(f, IR_MAP);
	o->d = f->run_delta = mips_temp(f);
	o->a = (ir_var)r.base;
	o->size = 1;
	o->is_signed = r.stores;
	o->imm = (uint64_t)(int64_t)r.low;
	o->note = (uint32_t)(r.high - r.low);
	return true;
}

bool mips_emit_pair(struct mips_front *f, uint32_t w)
{
	unsigned d = mips_rt(w);
	struct ir_op *o;

	if (f->run_end == 0 && !begin(f, w))
		return false;
	/* The last instruction of a run is a second half. */
	if (f->pc + 4 == f->run_end)
		f->run_end = 0;
	f->run_half_done ^= 1u << d;
	if ((f->run_half_done >> d & 1) == 0)
		return true;
	o = mips_emit(f, is_store_part(w) ? IR_STORE : IR_LOAD);
	o->a = (ir_var)mips_rs(w);
	o->imm = (uint64_t)(int64_t)low_end(f, w);
	o->size = (uint8_t)part_size(w);
	o->e = f->run_delta;
	if (is_store_part(w)) {
		o->b = (ir_var)d;
	} else {
		o->is_signed = true;
		o->d = mips_destination(f, d);
	}
	return true;
}
