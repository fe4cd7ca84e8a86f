/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/emit/jump_cache.h"

#include <stddef.h>

#include "arch/x86_64/emit/lower.h"

static int32_t place_of_keys(const struct x86_runtime *r)
{
	return r->layout.jump_cache + (int32_t)offsetof(struct x86_jump_cache, key);
}

static int32_t place_of_code(const struct x86_runtime *r)
{
	return r->layout.jump_cache + (int32_t)offsetof(struct x86_jump_cache, code);
}

/* RCX := place in the jump cache of the address in RAX. */
static void emit_place(const struct x86_runtime *r, struct x86_asm *a)
{
	if (r->bmi2) {
		x86_pext_load(a, RCX, RAX,
			      x86_at(RBP, r->layout.jump_cache + (int32_t)offsetof(struct x86_jump_cache, bits)));
		return;
	}
	x86_mov(a, false, RCX, RAX);
	x86_mov(a, false, RDX, RAX);
	x86_shift_imm(a, SHIFT_SHR, false, RCX, 12 - JUMP_IN_PAGE_BITS);
	x86_shift_imm(a, SHIFT_SHR, false, RDX, 2);
	x86_alu_imm(a, ALU_AND, false, RCX, (JUMP_PAGES - 1) << JUMP_IN_PAGE_BITS);
	x86_alu_imm(a, ALU_AND, false, RDX, JUMPS_OF_PAGE - 1);
	x86_alu(a, ALU_OR, false, RCX, RDX);
}

static void attend(const struct x86_runtime *r, struct x86_asm *a)
{
	x86_alu_store_imm(a, ALU_CMP, false, 0, x86_at(RBP, r->layout.attention));
	x86_jcc(a, CC_NE, r->miss);
}

/* RDX := the key of the address in RAX. */
static void emit_key(const struct x86_runtime *r, struct x86_asm *a)
{
	x86_mov(a, true, RDX, RAX);
	x86_alu_load(a, ALU_XOR, true, RDX, x86_at(RBP, r->layout.fetch_key));
}

static void emit_jump(const struct x86_runtime *r, struct x86_asm *a)
{
	attend(r, a);
	emit_place(r, a);
	emit_key(r, a);
	x86_alu_load(a, ALU_CMP, true, RDX, (struct x86_mem){ RBP, RCX, 3, place_of_keys(r) });
	x86_jcc(a, CC_NE, r->miss);
	x86_jmp_mem(a, (struct x86_mem){ RBP, RCX, 3, place_of_code(r) });
}

static void emit_jump_to(const struct x86_runtime *r, struct x86_asm *a, uint64_t target, bool looks)
{
	int32_t place = 8 * (int32_t)x86_jump_place(target);

	x86_mov_imm(a, RAX, target);
	if (looks)
		attend(r, a);
	emit_key(r, a);
	x86_alu_load(a, ALU_CMP, true, RDX, x86_at(RBP, place_of_keys(r) + place));
	x86_jcc(a, CC_NE, r->miss);
	x86_jmp_mem(a, x86_at(RBP, place_of_code(r) + place));
}

const struct x86_jump_code x86_jump_code = { .jump = emit_jump, .jump_to = emit_jump_to };
