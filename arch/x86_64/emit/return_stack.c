/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/emit/return_stack.h"

#include <stddef.h>

#define ENTRY ((int32_t)sizeof(struct x86_return))

static struct x86_mem field(const struct x86_runtime *r, size_t offset)
{
	return x86_at(RBP, r->layout.returns + (int32_t)offset);
}

#define FIELD(r, member) field(r, offsetof(struct x86_return_stack, member))

static void emit_enter(const struct x86_runtime *r, struct x86_asm *a)
{
	x86_alu_imm(a, ALU_SUB, true, RSP, ENTRY);
	x86_store_imm(a, 8, -1, x86_at(RSP, (int32_t)offsetof(struct x86_return, key)));
	x86_store(a, 8, RSP, FIELD(r, base));
	x86_lea(a, true, RCX, x86_at(RSP, -ENTRY * (int32_t)RETURN_ENTRIES));
	x86_store(a, 8, RCX, FIELD(r, limit));
}

static void emit_leave(const struct x86_runtime *r, struct x86_asm *a)
{
	x86_load64(a, RSP, FIELD(r, base));
	x86_alu_imm(a, ALU_ADD, true, RSP, ENTRY);
}

/* The stub that calls the helper was called by the block, and has made RSP 16-byte aligned again. */
static void emit_helper(const struct x86_runtime *r, struct x86_asm *a)
{
	x86_lea(a, true, RAX, x86_at(RSP, 16));
	x86_store(a, 8, RAX, FIELD(r, now));
}

static uint8_t *emit_call(const struct x86_runtime *r, struct x86_asm *a, uint64_t back)
{
	uint8_t *room, *call;

	x86_alu_load(a, ALU_CMP, true, RSP, FIELD(r, limit));
	room = x86_jcc(a, CC_A, 0);
	x86_load64(a, RSP, FIELD(r, base));
	x86_patch(room, a->to_execute, x86_here(a));
	x86_mov_imm(a, RAX, back);
	x86_alu_load(a, ALU_XOR, true, RAX, x86_at(RBP, r->layout.fetch_key));
	x86_push(a, RAX);
	x86_align_link(r, a);
	call = x86_call(a, 0);
	x86_pop(a, RAX);
	return call;
}

static void emit_jump(const struct x86_runtime *r, struct x86_asm *a)
{
	x86_mov(a, true, RDX, RAX);
	x86_alu_load(a, ALU_XOR, true, RDX, x86_at(RBP, r->layout.fetch_key));
	x86_alu_load(a, ALU_CMP, true, RDX, x86_at(RSP, (int32_t)offsetof(struct x86_return, key)));
	x86_jcc(a, CC_NE, r->unpaired);
	x86_ret(a);
}

/* Somebody else's return: all that is on the stack was for others. */
static void emit_unpaired(const struct x86_runtime *r, struct x86_asm *a)
{
	x86_load64(a, RSP, FIELD(r, base));
	x86_jmp(a, r->jump);
}

const struct x86_return_code x86_return_code = { .enter = emit_enter,
						 .leave = emit_leave,
						 .helper = emit_helper,
						 .call = emit_call,
						 .jump = emit_jump,
						 .unpaired = emit_unpaired };
