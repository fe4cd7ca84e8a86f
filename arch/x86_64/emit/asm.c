/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/emit/asm.h"

#include <string.h>

#define REX_W 8u

static void byte(struct x86_asm *a, unsigned b)
{
	if (a->write >= a->end) {
		a->overflow = true;
		return;
	}
	*a->write++ = (uint8_t)b;
}

static void imm32(struct x86_asm *a, uint32_t v)
{
	for (unsigned n = 0; n < 4; n++)
		byte(a, v >> 8 * n & 0xff);
}

static void imm64(struct x86_asm *a, uint64_t v)
{
	imm32(a, (uint32_t)v);
	imm32(a, (uint32_t)(v >> 32));
}

/* REX prefix (SDM 2.2.1); `force` for byte registers SPL, BPL, SIL, DIL. */
static void rex(struct x86_asm *a, bool wide, unsigned reg, unsigned index, unsigned base, bool force)
{
	unsigned b = (wide ? REX_W : 0) | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (base >> 3 & 1);

	if (b != 0 || force)
		byte(a, 0x40 | b);
}

static void opcode(struct x86_asm *a, unsigned op)
{
	if (op > 0xff)
		byte(a, op >> 8);
	byte(a, op & 0xff);
}

/* op with a register in the r/m field. */
static void op_reg(struct x86_asm *a, bool wide, unsigned op, unsigned reg, unsigned rm, bool byte_register)
{
	rex(a, wide, reg, 0, rm, byte_register && (reg >= 4 || rm >= 4));
	opcode(a, op);
	byte(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* ModRM, SIB and displacement of a memory operand (SDM 2.1.5). */
static void modrm_mem(struct x86_asm *a, unsigned reg, struct x86_mem m)
{
	bool sib = m.index != X86_NO_INDEX || (m.base & 7) == RSP;
	unsigned mod = m.disp == 0 && (m.base & 7) != RBP ? 0 : m.disp >= -128 && m.disp <= 127 ? 1 : 2;

	byte(a, mod << 6 | (reg & 7) << 3 | (sib ? 4u : (m.base & 7u)));
	if (sib)
		byte(a, (unsigned)m.scale << 6 | (m.index & 7u) << 3 | (m.base & 7u));
	if (mod == 1)
		byte(a, (unsigned)m.disp & 0xff);
	else if (mod == 2)
		imm32(a, (uint32_t)m.disp);
}

static void op_mem(struct x86_asm *a, bool wide, unsigned op, unsigned reg, struct x86_mem m, bool byte_register)
{
	rex(a, wide, reg, m.index == X86_NO_INDEX ? 0 : m.index, m.base, byte_register && reg >= 4);
	opcode(a, op);
	modrm_mem(a, reg, m);
}

void x86_mov(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s)
{
	op_reg(a, wide, 0x89, s, d, false);
}

void x86_mov_imm_keep_flags(struct x86_asm *a, enum x86_reg d, uint64_t value)
{
	if (value <= 0xffffffffu) {
		rex(a, false, 0, 0, d, false);
		byte(a, 0xb8 | (d & 7u));
		imm32(a, (uint32_t)value);
	} else if ((int64_t)value == (int32_t)value) {
		op_reg(a, true, 0xc7, 0, d, false);
		imm32(a, (uint32_t)value);
	} else {
		rex(a, true, 0, 0, d, false);
		byte(a, 0xb8 | (d & 7u));
		imm64(a, value);
	}
}

void x86_mov_imm(struct x86_asm *a, enum x86_reg d, uint64_t value)
{
	if (value == 0)
		x86_alu(a, ALU_XOR, false, d, d);
	else
		x86_mov_imm_keep_flags(a, d, value);
}

void x86_movsxd(struct x86_asm *a, enum x86_reg d, enum x86_reg s)
{
	op_reg(a, true, 0x63, d, s, false);
}

static unsigned extend_opcode(bool is_signed, unsigned size)
{
	return (is_signed ? 0x0fbeu : 0x0fb6u) + (size == 2);
}

void x86_extend(struct x86_asm *a, bool is_signed, unsigned size, enum x86_reg d, enum x86_reg s)
{
	op_reg(a, is_signed, extend_opcode(is_signed, size), d, s, size == 1);
}

void x86_load64(struct x86_asm *a, enum x86_reg d, struct x86_mem m)
{
	op_mem(a, true, 0x8b, d, m, false);
}

void x86_load(struct x86_asm *a, bool is_signed, unsigned size, enum x86_reg d, struct x86_mem m)
{
	if (size == 8)
		x86_load64(a, d, m);
	else if (size == 4)
		op_mem(a, is_signed, is_signed ? 0x63 : 0x8b, d, m, false);
	else
		op_mem(a, is_signed, extend_opcode(is_signed, size), d, m, false);
}

void x86_store(struct x86_asm *a, unsigned size, enum x86_reg s, struct x86_mem m)
{
	if (size == 2)
		byte(a, 0x66);
	op_mem(a, size == 8, size == 1 ? 0x88 : 0x89, s, m, size == 1);
}

void x86_store_imm(struct x86_asm *a, unsigned size, int32_t value, struct x86_mem m)
{
	unsigned bytes = size < 4 ? size : 4;

	if (size == 2)
		byte(a, 0x66);
	op_mem(a, size == 8, size == 1 ? 0xc6 : 0xc7, 0, m, false);
	for (unsigned n = 0; n < bytes; n++)
		byte(a, (uint32_t)value >> 8 * n & 0xff);
}

void x86_lea(struct x86_asm *a, bool wide, enum x86_reg d, struct x86_mem m)
{
	op_mem(a, wide, 0x8d, d, m, false);
}

void x86_cmov(struct x86_asm *a, enum x86_cc cc, enum x86_reg d, enum x86_reg s)
{
	op_reg(a, true, 0x0f40u + cc, d, s, false);
}

void x86_setcc8(struct x86_asm *a, enum x86_cc cc, enum x86_reg d)
{
	op_reg(a, false, 0x0f90u + cc, 0, d, true);
}

void x86_setcc(struct x86_asm *a, enum x86_cc cc, enum x86_reg d)
{
	x86_setcc8(a, cc, d);
	x86_extend(a, false, 1, d, d);
}

void x86_bswap(struct x86_asm *a, bool wide, enum x86_reg d)
{
	rex(a, wide, 0, 0, d, false);
	byte(a, 0x0f);
	byte(a, 0xc8 | (d & 7u));
}

void x86_lock_cmpxchg(struct x86_asm *a, bool wide, struct x86_mem m, enum x86_reg s)
{
	byte(a, 0xf0);
	op_mem(a, wide, 0x0fb1, s, m, false);
}

/* LOCK OR dword [RSP], 0: the same as MFENCE for ordinary memory, and faster. */
void x86_fence(struct x86_asm *a)
{
	byte(a, 0xf0);
	x86_alu_store_imm(a, ALU_OR, false, 0, x86_at(RSP, 0));
}

void x86_alu(struct x86_asm *a, enum x86_alu op, bool wide, enum x86_reg d, enum x86_reg s)
{
	op_reg(a, wide, (unsigned)op << 3 | 1, s, d, false);
}

static bool is_small(int32_t v)
{
	return v >= -128 && v <= 127;
}

void x86_alu_imm(struct x86_asm *a, enum x86_alu op, bool wide, enum x86_reg d, int32_t value)
{
	op_reg(a, wide, is_small(value) ? 0x83 : 0x81, op, d, false);
	if (is_small(value))
		byte(a, (unsigned)value & 0xff);
	else
		imm32(a, (uint32_t)value);
}

void x86_alu_load(struct x86_asm *a, enum x86_alu op, bool wide, enum x86_reg d, struct x86_mem m)
{
	op_mem(a, wide, (unsigned)op << 3 | 3, d, m, false);
}

void x86_alu_store_imm(struct x86_asm *a, enum x86_alu op, bool wide, int32_t value, struct x86_mem m)
{
	op_mem(a, wide, is_small(value) ? 0x83 : 0x81, op, m, false);
	if (is_small(value))
		byte(a, (unsigned)value & 0xff);
	else
		imm32(a, (uint32_t)value);
}

void x86_alu_store_imm8(struct x86_asm *a, enum x86_alu op, int8_t value, struct x86_mem m)
{
	op_mem(a, false, 0x80, op, m, false);
	byte(a, (uint8_t)value);
}

void x86_test(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s)
{
	op_reg(a, wide, 0x85, s, d, false);
}

void x86_bt(struct x86_asm *a, enum x86_reg d, unsigned n)
{
	op_reg(a, n >= 32, 0x0fba, 4, d, false);
	byte(a, n);
}

void x86_shift_imm(struct x86_asm *a, enum x86_shift op, bool wide, enum x86_reg d, unsigned count)
{
	op_reg(a, wide, 0xc1, op, d, false);
	byte(a, count);
}

void x86_shift_cl(struct x86_asm *a, enum x86_shift op, bool wide, enum x86_reg d)
{
	op_reg(a, wide, 0xd3, op, d, false);
}

void x86_unary(struct x86_asm *a, enum x86_unary op, bool wide, enum x86_reg d)
{
	op_reg(a, wide, 0xf7, op, d, false);
}

void x86_imul(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s)
{
	op_reg(a, wide, 0x0faf, d, s, false);
}

void x86_test_al_imm(struct x86_asm *a, unsigned value)
{
	byte(a, 0xa8);
	byte(a, value & 0xff);
}

/* Three-byte VEX prefix for 128-bit scalar operations (SDM volume 2, 2.3.5): map 1 is 0F, 2 is 0F 38, 3 is 0F 3A; pp 1 66, 2 F3, 3 F2. */
static void vex(struct x86_asm *a, bool wide, unsigned map, unsigned pp, unsigned reg, unsigned vvvv, unsigned rm)
{
	byte(a, 0xc4);
	byte(a, (~reg >> 3 & 1) << 7 | 1u << 6 | (~rm >> 3 & 1) << 5 | map);
	byte(a, (wide ? 0x80u : 0) | (~vvvv & 15) << 3 | pp);
}

void x86_rorx(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s, unsigned count)
{
	vex(a, wide, 3, 3, d, 0, s);
	byte(a, 0xf0);
	byte(a, 0xc0 | (d & 7u) << 3 | (s & 7u));
	byte(a, count);
}

void x86_shiftx(struct x86_asm *a, enum x86_shift op, bool wide, enum x86_reg d, enum x86_reg s, enum x86_reg count)
{
	vex(a, wide, 2, op == SHIFT_SHL ? 1 : op == SHIFT_SAR ? 2 : 3, d, count, s);
	byte(a, 0xf7);
	byte(a, 0xc0 | (d & 7u) << 3 | (s & 7u));
}

void x86_pext_load(struct x86_asm *a, enum x86_reg d, enum x86_reg s, struct x86_mem m)
{
	vex(a, false, 2, 2, d, s, m.base);
	byte(a, 0xf5);
	modrm_mem(a, d, m);
}

void x86_btr(struct x86_asm *a, enum x86_reg d, unsigned n)
{
	op_reg(a, n >= 32, 0x0fba, 6, d, false);
	byte(a, n);
}

void x86_bsr(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_reg s)
{
	op_reg(a, wide, 0x0fbd, d, s, false);
}

void x86_cqo(struct x86_asm *a, bool wide)
{
	rex(a, wide, 0, 0, 0, false);
	byte(a, 0x99);
}

/* --- SSE: the prefix that belongs to the opcode stands before REX (SDM volume 2, 2.2.1.2) */

#define PREFIX_PACKED 0x66u
#define PREFIX_DOUBLE 0xf2u
#define PREFIX_SINGLE 0xf3u

static void sse_reg(struct x86_asm *a, unsigned prefix, bool wide, unsigned op, unsigned reg, unsigned rm)
{
	if (prefix != 0)
		byte(a, prefix);
	op_reg(a, wide, op, reg, rm, false);
}

static void sse_mem(struct x86_asm *a, unsigned prefix, bool wide, unsigned op, unsigned reg, struct x86_mem m)
{
	if (prefix != 0)
		byte(a, prefix);
	op_mem(a, wide, op, reg, m, false);
}

static unsigned scalar_prefix(bool wide)
{
	return wide ? PREFIX_DOUBLE : PREFIX_SINGLE;
}

void x86_movaps(struct x86_asm *a, enum x86_xmm d, enum x86_xmm s)
{
	sse_reg(a, 0, false, 0x0f28, d, s);
}

void x86_movss(struct x86_asm *a, enum x86_xmm d, enum x86_xmm s)
{
	sse_reg(a, PREFIX_SINGLE, false, 0x0f10, d, s);
}

void x86_load_xmm(struct x86_asm *a, bool wide, enum x86_xmm d, struct x86_mem m)
{
	sse_mem(a, scalar_prefix(wide), false, 0x0f10, d, m);
}

void x86_store_xmm(struct x86_asm *a, bool wide, enum x86_xmm s, struct x86_mem m)
{
	sse_mem(a, scalar_prefix(wide), false, 0x0f11, s, m);
}

void x86_xmm_from_reg(struct x86_asm *a, bool wide, enum x86_xmm d, enum x86_reg s)
{
	sse_reg(a, PREFIX_PACKED, wide, 0x0f6e, d, s);
}

void x86_reg_from_xmm(struct x86_asm *a, bool wide, enum x86_reg d, enum x86_xmm s)
{
	sse_reg(a, PREFIX_PACKED, wide, 0x0f7e, s, d);
}

void x86_sse_op(struct x86_asm *a, enum x86_sse op, bool wide, enum x86_xmm d, enum x86_xmm s)
{
	sse_reg(a, scalar_prefix(wide), false, 0x0f00u | op, d, s);
}

void x86_avx_op(struct x86_asm *a, enum x86_sse op, bool wide, enum x86_xmm d, enum x86_xmm s, enum x86_xmm t)
{
	vex(a, false, 1, wide ? 3 : 2, d, s, t);
	byte(a, op);
	byte(a, 0xc0 | (d & 7u) << 3 | (t & 7u));
}

void x86_sse_logic_op(struct x86_asm *a, enum x86_sse_logic op, enum x86_xmm d, enum x86_xmm s)
{
	sse_reg(a, 0, false, 0x0f00u | op, d, s);
}

void x86_sse_logic_load(struct x86_asm *a, enum x86_sse_logic op, enum x86_xmm d, struct x86_mem m)
{
	sse_mem(a, 0, false, 0x0f00u | op, d, m);
}

void x86_paddq_load(struct x86_asm *a, enum x86_xmm d, struct x86_mem m)
{
	sse_mem(a, PREFIX_PACKED, false, 0x0fd4, d, m);
}

void x86_ucomis(struct x86_asm *a, bool wide, enum x86_xmm d, enum x86_xmm s)
{
	sse_reg(a, wide ? PREFIX_PACKED : 0, false, 0x0f2e, d, s);
}

void x86_cvt_from_int(struct x86_asm *a, bool wide, bool from64, enum x86_xmm d, enum x86_reg s)
{
	sse_reg(a, scalar_prefix(wide), from64, 0x0f2a, d, s);
}

void x86_cvt_to_int(struct x86_asm *a, bool wide, bool to64, bool truncate, enum x86_reg d, enum x86_xmm s)
{
	sse_reg(a, scalar_prefix(wide), to64, truncate ? 0x0f2c : 0x0f2d, d, s);
}

void x86_cvt_size(struct x86_asm *a, bool to_wide, enum x86_xmm d, enum x86_xmm s)
{
	sse_reg(a, scalar_prefix(!to_wide), false, 0x0f5a, d, s);
}

/* The displacement counts from the end of the instruction, which it ends. */
static uint8_t *relative(struct x86_asm *a, uint64_t target)
{
	uint8_t *at = a->write;

	imm32(a, (uint32_t)(target - (x86_here(a) + 4)));
	return at;
}

uint8_t *x86_jmp(struct x86_asm *a, uint64_t target)
{
	byte(a, 0xe9);
	return relative(a, target);
}

uint8_t *x86_jcc(struct x86_asm *a, enum x86_cc cc, uint64_t target)
{
	opcode(a, 0x0f80u + cc);
	return relative(a, target);
}

uint8_t *x86_call(struct x86_asm *a, uint64_t target)
{
	byte(a, 0xe8);
	return relative(a, target);
}

void x86_jmp_mem(struct x86_asm *a, struct x86_mem m)
{
	op_mem(a, false, 0xff, 4, m, false);
}

void x86_jmp_reg(struct x86_asm *a, enum x86_reg r)
{
	op_reg(a, false, 0xff, 4, r, false);
}

void x86_call_reg(struct x86_asm *a, enum x86_reg r)
{
	op_reg(a, false, 0xff, 2, r, false);
}

void x86_push(struct x86_asm *a, enum x86_reg r)
{
	rex(a, false, 0, 0, r, false);
	byte(a, 0x50 | (r & 7u));
}

void x86_pop(struct x86_asm *a, enum x86_reg r)
{
	rex(a, false, 0, 0, r, false);
	byte(a, 0x58 | (r & 7u));
}

void x86_ret(struct x86_asm *a)
{
	byte(a, 0xc3);
}

void x86_ud2(struct x86_asm *a)
{
	opcode(a, 0x0f0b);
}

/* The NOPs that the SDM recommends (2B, NOP). */
void x86_align(struct x86_asm *a, unsigned after)
{
	switch (-((uintptr_t)a->write + after) & 3) {
	case 1: byte(a, 0x90); break;
	case 2: opcode(a, 0x6690); break;
	case 3:
		opcode(a, 0x0f1f);
		byte(a, 0x00);
		break;
	default: break;
	}
}

void x86_patch(uint8_t *displacement, ptrdiff_t to_execute, uint64_t target)
{
	uint64_t next = (uint64_t)(uintptr_t)displacement + (uint64_t)to_execute + 4;
	uint32_t relative_target = (uint32_t)(target - next);

	memcpy(displacement, &relative_target, sizeof(relative_target));
}
