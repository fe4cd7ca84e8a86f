/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads, stores, LL/SC, and the left/right halves of unaligned accesses (MD00087, volume II). */
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/isa.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/operands.h"

#define ADDRESS (A + IMM)

#define LOAD(name, size, type)                                                             \
	static const struct mips_insn *name(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                  \
		uint64_t v;                                                                \
		if (!mips_load(c, i, ADDRESS, size, &v))                                   \
			return NULL;                                                       \
		D = (uint64_t)(int64_t)(type)v;                                            \
		return i + 1;                                                              \
	}

#define STORE(name, size)                                                                  \
	static const struct mips_insn *name(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                  \
		return mips_store(c, i, ADDRESS, size, B) ? i + 1 : NULL;                  \
	}

LOAD(op_lb, 1, int8_t)
LOAD(op_lbu, 1, uint8_t)
LOAD(op_lh, 2, int16_t)
LOAD(op_lhu, 2, uint16_t)
LOAD(op_lw, 4, int32_t)
LOAD(op_lwu, 4, uint32_t)
LOAD(op_ld, 8, int64_t)
STORE(op_sb, 1)
STORE(op_sh, 2)
STORE(op_sw, 4)
STORE(op_sd, 8)

/*
 * LWL and friends merge part of the aligned word or doubleword around the address.
 * In little-endian order byte n of it is n from the bottom; big-endian mirrors n.
 */
struct piece {
	uint64_t value; /* the aligned unit */
	unsigned below; /* bits below the addressed byte */
	unsigned above; /* bits above it */
};

static bool load_piece(struct mips_cpu *c, const struct mips_insn *i, unsigned size, struct piece *p)
{
	uint64_t va = ADDRESS, aligned = va & ~(uint64_t)(size - 1);
	unsigned n = (unsigned)(va - aligned);
	uint64_t byte;

	/* A fault must name the address given, so that byte is touched first if the page is not cached. */
	if (mips_stlb_read(c, va)->tag != mips_stlb_key(c, aligned, size) && !mips_load(c, i, va, 1, &byte))
		return false;
	if (!mips_load(c, i, aligned, size, &p->value))
		return false;
	if (c->big_endian)
		n = size - 1 - n;
	p->below = 8 * n;
	p->above = 8 * (size - 1 - n);
	return true;
}

static uint64_t keep_low(uint64_t v, unsigned bits)
{
	return bits == 64 ? v : v & ((1ull << bits) - 1);
}

static const struct mips_insn *op_lwl(struct mips_cpu *c, const struct mips_insn *i)
{
	struct piece p;

	if (!load_piece(c, i, 4, &p))
		return NULL;
	D = (uint64_t)(int64_t)(int32_t)(p.value << p.above | keep_low(B, p.above));
	return i + 1;
}

static const struct mips_insn *op_lwr(struct mips_cpu *c, const struct mips_insn *i)
{
	struct piece p;

	if (!load_piece(c, i, 4, &p))
		return NULL;
	D = (uint64_t)(int64_t)(int32_t)((uint32_t)p.value >> p.below | (B & ~(0xffffffffull >> p.below)));
	return i + 1;
}

static const struct mips_insn *op_ldl(struct mips_cpu *c, const struct mips_insn *i)
{
	struct piece p;

	if (!load_piece(c, i, 8, &p))
		return NULL;
	D = p.value << p.above | keep_low(B, p.above);
	return i + 1;
}

static const struct mips_insn *op_ldr(struct mips_cpu *c, const struct mips_insn *i)
{
	struct piece p;

	if (!load_piece(c, i, 8, &p))
		return NULL;
	D = p.value >> p.below | (B & ~(~0ull >> p.below));
	return i + 1;
}

/* Stores bytes of `value` from the addressed byte to one end of its aligned unit; all are in one page. */
static bool store_bytes(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, int step, unsigned count,
			unsigned first_shift, int shift_step)
{
	uint64_t value = B;

	for (unsigned n = 0; n < count; n++) {
		unsigned shift = (unsigned)((int)first_shift + (int)n * shift_step);

		if (!mips_store(c, i, va + (uint64_t)((int64_t)n * step), 1, value >> shift & 0xff))
			return false;
	}
	return true;
}

/* Left: from the most significant byte of the register towards the unit's least significant end. */
static bool store_left(struct mips_cpu *c, const struct mips_insn *i, unsigned size)
{
	uint64_t va = ADDRESS;
	unsigned n = (unsigned)va & (size - 1), count = c->big_endian ? size - n : n + 1;

	return store_bytes(c, i, va, c->big_endian ? 1 : -1, count, 8 * (size - 1), -8);
}

/* Right: from the least significant byte towards the unit's most significant end. */
static bool store_right(struct mips_cpu *c, const struct mips_insn *i, unsigned size)
{
	uint64_t va = ADDRESS;
	unsigned n = (unsigned)va & (size - 1), count = c->big_endian ? n + 1 : size - n;

	return store_bytes(c, i, va, c->big_endian ? -1 : 1, count, 0, 8);
}

#define STORE_PART(name, part, size)                                                       \
	static const struct mips_insn *name(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                  \
		return part(c, i, size) ? i + 1 : NULL;                                    \
	}

STORE_PART(op_swl, store_left, 4)
STORE_PART(op_swr, store_right, 4)
STORE_PART(op_sdl, store_left, 8)
STORE_PART(op_sdr, store_right, 8)

static const struct mips_insn *load_linked(struct mips_cpu *c, const struct mips_insn *i, unsigned size)
{
	uint64_t va = ADDRESS, v;
	bool ok = (va & (size - 1)) == 0 ? mips_load(c, i, va, size, &v) : mips_load_aligned(c, i, va, size, &v);

	if (!ok)
		return NULL;
	c->ll_valid = true;
	c->ll_address = va;
	c->ll_value = v;
	D = size == 4 ? (uint64_t)(int64_t)(int32_t)v : v;
	return i + 1;
}

static const struct mips_insn *store_conditional(struct mips_cpu *c, const struct mips_insn *i, unsigned size)
{
	uint64_t va = ADDRESS, ignored;
	bool made;

	if (!c->ll_valid || c->ll_address != va) {
		/* A failing SC still checks its address. */
		if ((va & (size - 1)) != 0)
			return mips_store_aligned(c, i, va, size, 0) ? i + 1 : NULL;
		if (!mips_translate(c, i, va, MIPS_WRITE, &ignored))
			return NULL;
		c->ll_valid = false;
		D = 0;
		return i + 1;
	}
	if (!mips_store_conditional(c, i, va, size, c->ll_value, B, &made))
		return NULL;
	c->ll_valid = false;
	D = made;
	return i + 1;
}

static const struct mips_insn *op_ll(struct mips_cpu *c, const struct mips_insn *i)
{
	return load_linked(c, i, 4);
}

static const struct mips_insn *op_lld(struct mips_cpu *c, const struct mips_insn *i)
{
	return load_linked(c, i, 8);
}

static const struct mips_insn *op_sc(struct mips_cpu *c, const struct mips_insn *i)
{
	return store_conditional(c, i, 4);
}

static const struct mips_insn *op_scd(struct mips_cpu *c, const struct mips_insn *i)
{
	return store_conditional(c, i, 8);
}

static mips_exec *const by_opcode[64] = {
	[0x20] = op_lb,  [0x21] = op_lh,  [0x22] = op_lwl, [0x23] = op_lw, [0x24] = op_lbu,
	[0x25] = op_lhu, [0x26] = op_lwr, [0x28] = op_sb,  [0x29] = op_sh, [0x2a] = op_swl,
	[0x2b] = op_sw,  [0x2e] = op_swr, [0x30] = op_ll,  [0x38] = op_sc, [0x33] = mips_exec_nop /* PREF: a hint */,
};

static mips_exec *const by_opcode64[64] = {
	[0x1a] = op_ldl, [0x1b] = op_ldr, [0x27] = op_lwu, [0x2c] = op_sdl, [0x2d] = op_sdr,
	[0x34] = op_lld, [0x37] = op_ld,  [0x3c] = op_scd, [0x3f] = op_sd,
};

mips_exec *mips_decode_memory(const struct mips_cpu *c, uint32_t w, struct mips_insn *out)
{
	mips_exec *exec = by_opcode[mips_op(w)];

	out->d = mips_dest(mips_rt(w));
	if (exec == NULL && mips_64bit_operations(c))
		exec = by_opcode64[mips_op(w)];
	return exec;
}
