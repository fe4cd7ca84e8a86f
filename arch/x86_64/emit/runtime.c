/* SPDX-License-Identifier: BSD-2-Clause */
/* Code that all blocks share: the way in and out, calls of helpers, jumps to computed guest addresses. */
#include "arch/x86_64/emit/lower.h"

#include <stddef.h>

#include "arch/x86_64/emit/jump_cache.h"

bool x86_host_has_bmi2(void)
{
	uint32_t a = 0, b, c, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	if (a < 7)
		return false;
	a = 7;
	c = 0;
	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return (b >> 8 & 1) != 0;
}

void x86_clear_fp_flags(void)
{
	const uint32_t idle = 0x1f80; /* all exceptions masked, round to nearest (SDM volume 1, 10.2.3) */

	__asm__ volatile("ldmxcsr %0" : : "m"(idle));
}

/* Registers that C functions preserve (System V ABI, 3.2.1), besides RSP. */
static const enum x86_reg preserved[] = { RBX, RBP, R12, R13, R14, R15 };
#define NR_PRESERVED (sizeof(preserved) / sizeof(preserved[0]))

static void store_pins(const struct x86_runtime *r, struct x86_asm *a)
{
	for (unsigned n = 0; n < r->layout.nr_pins; n++)
		x86_store(a, 8, r->layout.pins[n].reg, x86_at(RBP, r->layout.var(r->layout.pins[n].var)));
	x86_store_xmm(a, true, X86_COUNTER, x86_at(RBP, r->layout.instructions));
}

static void load_pins(const struct x86_runtime *r, struct x86_asm *a)
{
	for (unsigned n = 0; n < r->layout.nr_pins; n++)
		x86_load64(a, r->layout.pins[n].reg, x86_at(RBP, r->layout.var(r->layout.pins[n].var)));
	x86_load_xmm(a, true, X86_COUNTER, x86_at(RBP, r->layout.instructions));
}

static void *executable(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

/* enter(RDI cpu, RSI code): generated code runs with RSP aligned to 16. */
static void emit_enter(struct x86_runtime *r, struct x86_asm *a)
{
	r->enter = (uint32_t(*)(void *, const void *))executable(x86_here(a));
	for (unsigned n = 0; n < NR_PRESERVED; n++)
		x86_push(a, preserved[n]);
	x86_alu_imm(a, ALU_SUB, true, RSP, 8);
	x86_mov(a, true, RBP, RDI);
	x86_mov(a, true, RAX, RSI);
	load_pins(r, a);
	x86_jmp_reg(a, RAX);
}

static void emit_exit(struct x86_runtime *r, struct x86_asm *a)
{
	r->exit = x86_here(a);
	store_pins(r, a);
	r->left = x86_here(a);
	x86_alu_imm(a, ALU_ADD, true, RSP, 8);
	for (unsigned n = NR_PRESERVED; n-- > 0;)
		x86_pop(a, preserved[n]);
	x86_ret(a);
}

static void emit_miss(struct x86_runtime *r, struct x86_asm *a)
{
	r->miss = x86_here(a);
	x86_store(a, 8, RAX, x86_at(RBP, r->layout.pc));
	x86_mov_imm(a, RAX, X86_LEFT);
	x86_jmp(a, r->exit);
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

void x86_emit_jump(const struct x86_runtime *r, struct x86_asm *a, bool looks)
{
	struct x86_mem entry = { RBP, RCX, 3, r->layout.jump_cache + (int32_t)offsetof(struct x86_jump_cache, key) };

	if (looks)
		attend(r, a);
	emit_place(r, a);
	x86_mov(a, true, RDX, RAX);
	x86_alu_load(a, ALU_XOR, true, RDX, x86_at(RBP, r->layout.fetch_key));
	x86_alu_load(a, ALU_CMP, true, RDX, entry);
	x86_jcc(a, CC_NE, r->miss);
	entry.disp = r->layout.jump_cache + (int32_t)offsetof(struct x86_jump_cache, code);
	x86_jmp_mem(a, entry);
}

void x86_emit_jump_to(const struct x86_runtime *r, struct x86_asm *a, uint64_t target, bool looks)
{
	int32_t place = 8 * (int32_t)x86_jump_place(target);

	x86_mov_imm(a, RAX, target);
	if (looks)
		attend(r, a);
	x86_mov(a, true, RDX, RAX);
	x86_alu_load(a, ALU_XOR, true, RDX, x86_at(RBP, r->layout.fetch_key));
	x86_alu_load(a, ALU_CMP, true, RDX,
		     x86_at(RBP, r->layout.jump_cache + (int32_t)offsetof(struct x86_jump_cache, key) + place));
	x86_jcc(a, CC_NE, r->miss);
	x86_jmp_mem(a, x86_at(RBP, r->layout.jump_cache + (int32_t)offsetof(struct x86_jump_cache, code) + place));
}

static void emit_jump(struct x86_runtime *r, struct x86_asm *a)
{
	r->jump = x86_here(a);
	x86_emit_jump(r, a, true);
}

/* Calls a C function from a stub: registers that it may change are in memory before and read back after. */
static void call_helper(struct x86_asm *a, uint64_t function)
{
	x86_alu_imm(a, ALU_SUB, true, RSP, 8);
	x86_mov(a, true, RDI, RBP);
	x86_mov_imm(a, RAX, function);
	x86_call_reg(a, RAX);
	x86_alu_imm(a, ALU_ADD, true, RSP, 8);
}

/*
 * Back to the block, or on at the pc if `flag`, one of X86_LEAVE and so on, is not zero. Behind the call in the block
 * stands TEST AL, imm8, which does nothing but tell how many of the block's instructions were executed before.
 */
static void finish_stub(struct x86_runtime *r, struct x86_asm *a, enum x86_reg flag)
{
	uint8_t *stay, *out;

	x86_test(a, true, flag, flag);
	stay = x86_jcc(a, CC_E, 0);
	x86_pop(a, RCX);
	x86_load(a, false, 1, RCX, x86_at(RCX, 1));
	x86_mov(a, false, RSI, flag);
	x86_shift_imm(a, SHIFT_SHR, false, RSI, 1);
	x86_alu_imm(a, ALU_AND, false, RSI, 1);
	x86_alu(a, ALU_ADD, false, RCX, RSI);
	x86_alu_load(a, ALU_ADD, true, RCX, x86_at(RBP, r->layout.instructions));
	x86_store(a, 8, RCX, x86_at(RBP, r->layout.instructions));
	x86_bt(a, flag, 2);
	out = x86_jcc(a, CC_B, 0);
	load_pins(r, a);
	x86_load64(a, RAX, x86_at(RBP, r->layout.pc));
	x86_jmp(a, r->jump);
	x86_patch(out, a->to_execute, x86_here(a));
	x86_mov_imm(a, RAX, X86_LEFT);
	x86_jmp(a, r->left);
	x86_patch(stay, a->to_execute, x86_here(a));
	load_pins(r, a);
	x86_ret(a);
}

static void emit_load_stub(struct x86_runtime *r, struct x86_asm *a)
{
	r->load = x86_here(a);
	store_pins(r, a);
	x86_mov(a, true, RSI, RAX);
	call_helper(a, (uint64_t)(uintptr_t)r->helpers.load); /* RDX and RCX are as the block set them */
	finish_stub(r, a, RDX);
}

static void emit_store_stub(struct x86_runtime *r, struct x86_asm *a, unsigned log2_size)
{
	r->store[log2_size] = x86_here(a);
	store_pins(r, a);
	x86_mov(a, true, RSI, RAX);
	x86_mov_imm(a, R8, 1u << log2_size);
	call_helper(a, (uint64_t)(uintptr_t)r->helpers.store);
	finish_stub(r, a, RAX);
}

static void emit_exec_stub(struct x86_runtime *r, struct x86_asm *a, bool fp)
{
	r->exec[fp] = x86_here(a);
	store_pins(r, a);
	x86_mov(a, true, RSI, RAX);
	call_helper(a, (uint64_t)(uintptr_t)(fp ? r->helpers.exec_fp : r->helpers.exec));
	finish_stub(r, a, RAX);
}

void x86_emit_runtime(struct x86_runtime *r, struct x86_asm *a)
{
	emit_enter(r, a);
	emit_exit(r, a);
	emit_miss(r, a);
	emit_jump(r, a);
	emit_load_stub(r, a);
	for (unsigned n = 0; n < 4; n++)
		emit_store_stub(r, a, n);
	emit_exec_stub(r, a, false);
	emit_exec_stub(r, a, true);
}
