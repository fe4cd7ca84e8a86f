/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiply, divide and the HI/LO registers (MD00087, volume II). */
#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/isa.h"
#include "arch/mips64/guest/operands.h"

#define OP(name, ...)                                                                      \
	static const struct mips_insn *name(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                  \
		__VA_ARGS__;                                                               \
		return i + 1;                                                              \
	}

static void set_hilo32(struct mips_cpu *c, uint64_t product)
{
	c->lo = SEXT32(product);
	c->hi = SEXT32(product >> 32);
}

static uint64_t get_hilo32(const struct mips_cpu *c)
{
	return c->hi << 32 | (uint32_t)c->lo;
}

static uint64_t signed_product(uint64_t a, uint64_t b)
{
	return (uint64_t)((int64_t)(int32_t)a * (int32_t)b);
}

static uint64_t unsigned_product(uint64_t a, uint64_t b)
{
	return (uint64_t)(uint32_t)a * (uint32_t)b;
}

OP(op_mult, set_hilo32(c, signed_product(A, B)))
OP(op_multu, set_hilo32(c, unsigned_product(A, B)))
OP(op_mul, D = SEXT32(A * B))
OP(op_madd, set_hilo32(c, get_hilo32(c) + signed_product(A, B)))
OP(op_maddu, set_hilo32(c, get_hilo32(c) + unsigned_product(A, B)))
OP(op_msub, set_hilo32(c, get_hilo32(c) - signed_product(A, B)))
OP(op_msubu, set_hilo32(c, get_hilo32(c) - unsigned_product(A, B)))
OP(op_dmult, __int128 p = (__int128)(int64_t)A * (int64_t)B; c->lo = (uint64_t)p; c->hi = (uint64_t)(p >> 64))
OP(op_dmultu, unsigned __int128 p = (unsigned __int128)A * B; c->lo = (uint64_t)p; c->hi = (uint64_t)(p >> 64))
OP(op_mfhi, D = c->hi)
OP(op_mflo, D = c->lo)
OP(op_mthi, c->hi = A)
OP(op_mtlo, c->lo = A)

/*
 * Division by zero and overflow leave HI and LO UNPREDICTABLE and raise nothing;
 * dividing by 1 instead is what QEMU does, and is as good as any.
 */
#define OP_DIVIDE(name, type, overflow)                                                    \
	static const struct mips_insn *name(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                  \
		type n = (type)A, m = (type)B;                                             \
		if (m == 0 || (overflow))                                                  \
			m = 1;                                                             \
		c->lo = (uint64_t)(n / m);                                                 \
		c->hi = (uint64_t)(n % m);                                                 \
		if (sizeof(type) == 4) {                                                   \
			c->lo = SEXT32(c->lo);                                             \
			c->hi = SEXT32(c->hi);                                             \
		}                                                                          \
		return i + 1;                                                              \
	}

OP_DIVIDE(op_div, int32_t, n == INT32_MIN && m == -1)
OP_DIVIDE(op_divu, uint32_t, false)
OP_DIVIDE(op_ddiv, int64_t, n == INT64_MIN && m == -1)
OP_DIVIDE(op_ddivu, uint64_t, false)

static mips_exec *const special[64] = {
	[0x10] = op_mfhi, [0x11] = op_mthi,  [0x12] = op_mflo, [0x13] = op_mtlo,
	[0x18] = op_mult, [0x19] = op_multu, [0x1a] = op_div,  [0x1b] = op_divu,
};

static mips_exec *const special64[64] = {
	[0x1c] = op_dmult,
	[0x1d] = op_dmultu,
	[0x1e] = op_ddiv,
	[0x1f] = op_ddivu,
};

static mips_exec *const special2[64] = {
	[0x00] = op_madd, [0x01] = op_maddu, [0x02] = op_mul, [0x04] = op_msub, [0x05] = op_msubu,
};

mips_exec *mips_decode_muldiv(const struct mips_cpu *c, uint32_t w, struct mips_insn *out)
{
	unsigned funct = mips_funct(w);

	(void)out;
	if (mips_op(w) == 0x1c)
		return special2[funct];
	if (mips_op(w) != 0)
		return NULL;
	if (special[funct] != NULL)
		return special[funct];
	return mips_64bit_operations(c) ? special64[funct] : NULL;
}
