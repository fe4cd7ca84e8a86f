/* SPDX-License-Identifier: BSD-2-Clause */
/* Code that all blocks share: the way in and out, calls of helpers, jumps to computed guest addresses. */
#include "arch/x86_64/emit/lower.h"

#include <stddef.h>

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

#define CPUID_OSXSAVE (1u << 27)
#define CPUID_AVX     (1u << 28)
#define XCR0_SSE_AVX  6u

bool x86_host_has_avx(void)
{
	const uint32_t wanted = CPUID_OSXSAVE | CPUID_AVX;
	uint32_t a = 1, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if ((c & wanted) != wanted)
		return false;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & XCR0_SSE_AVX) == XCR0_SSE_AVX;
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
	if (r->returns != NULL)
		r->returns->enter(r, a);
	x86_mov(a, true, RAX, RSI);
	load_pins(r, a);
	x86_jmp_reg(a, RAX);
}

static void emit_exit(struct x86_runtime *r, struct x86_asm *a)
{
	r->exit = x86_here(a);
	store_pins(r, a);
	r->left = x86_here(a);
	if (r->returns != NULL)
		r->returns->leave(r, a);
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

void x86_emit_jump(const struct x86_runtime *r, struct x86_asm *a)
{
	if (r->jumps != NULL)
		r->jumps->jump(r, a);
	else
		x86_jmp(a, r->miss);
}

void x86_emit_jump_to(const struct x86_runtime *r, struct x86_asm *a, uint64_t target, bool looks)
{
	if (r->jumps != NULL) {
		r->jumps->jump_to(r, a, target, looks);
		return;
	}
	x86_mov_imm(a, RAX, target);
	x86_jmp(a, r->miss);
}

static void emit_jump(struct x86_runtime *r, struct x86_asm *a)
{
	r->jump = x86_here(a);
	x86_emit_jump(r, a);
	if (r->returns == NULL)
		return;
	r->unpaired = x86_here(a);
	r->returns->unpaired(r, a);
}

/* Calls a C function from a stub: registers that it may change are in memory before and read back after. */
static void call_helper(const struct x86_runtime *r, struct x86_asm *a, uint64_t function)
{
	x86_alu_imm(a, ALU_SUB, true, RSP, 8);
	if (r->returns != NULL)
		r->returns->helper(r, a);
	x86_mov(a, true, RDI, RBP);
	x86_mov_imm(a, RAX, function);
	x86_call_reg(a, RAX);
	x86_alu_imm(a, ALU_ADD, true, RSP, 8);
}

/*
 * Back to the block, or on at the pc if `flag`, one of X86_LEAVE and so on, is not zero. Behind the call in the block
 * stands TEST AL, imm8, which does nothing but tell how many of the block's instructions count then.
 */
static void finish_stub(struct x86_runtime *r, struct x86_asm *a, enum x86_reg flag)
{
	uint8_t *stay, *out;

	x86_test(a, true, flag, flag);
	stay = x86_jcc(a, CC_E, 0);
	x86_pop(a, RCX);
	x86_load(a, false, 1, RCX, x86_at(RCX, 1));
	x86_alu_load(a, ALU_ADD, true, RCX, x86_at(RBP, r->layout.instructions));
	x86_store(a, 8, RCX, x86_at(RBP, r->layout.instructions));
	x86_bt(a, flag, 1);
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
	call_helper(r, a, (uint64_t)(uintptr_t)r->helpers.load); /* RDX and RCX are as the block set them */
	finish_stub(r, a, RDX);
}

static void emit_store_stub(struct x86_runtime *r, struct x86_asm *a, unsigned log2_size)
{
	r->store[log2_size] = x86_here(a);
	store_pins(r, a);
	x86_mov(a, true, RSI, RAX);
	x86_mov_imm(a, R8, 1u << log2_size);
	call_helper(r, a, (uint64_t)(uintptr_t)r->helpers.store);
	finish_stub(r, a, RAX);
}

static void emit_exec_stub(struct x86_runtime *r, struct x86_asm *a, bool fp)
{
	r->exec[fp] = x86_here(a);
	store_pins(r, a);
	x86_mov(a, true, RSI, RAX);
	call_helper(r, a, (uint64_t)(uintptr_t)(fp ? r->helpers.exec_fp : r->helpers.exec));
	finish_stub(r, a, RAX);
}

void x86_align_link(const struct x86_runtime *r, struct x86_asm *a)
{
	if (r->atomics != NULL)
		x86_align(a, 1); /* behind the opcode, E8 or E9 */
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
