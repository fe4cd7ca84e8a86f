/* SPDX-License-Identifier: BSD-2-Clause */
/* A made-up vCPU for tests of the back end, and an interpreter of IR that says what generated code must do. */
#ifndef TESTS_IR_REFERENCE_H
#define TESTS_IR_REFERENCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/emit/lower.h"

#define NR_STATE    20u
#define FIRST_TEMP  NR_STATE
#define TLB_BITS    4u
#define TAG_KEY     0x0300000000000000ull
#define FETCH_KEY   0xa500000000000000ull
#define PAGE        4096u
#define NR_PAGES    4u
#define RAM_VA      0x0000007f80003000ull
#define ARENA_BYTES (1u << 20)
#define FIRST_EXIT  1000u
#define INTERPRETER 0x7000ull /* guest address of made-up instructions */

/* Pages of the guest's memory: found in the soft TLB, only for reading, only by helpers, faulting. */
enum { PAGE_FAST, PAGE_READ_ONLY, PAGE_SLOW, PAGE_FAULTS };

struct entry {
	uint64_t tag, to_host;
};

/** What code may change. */
struct machine {
	uint64_t vars[NR_STATE];
	uint64_t pc, instructions;
	uint8_t ram[NR_PAGES * PAGE];
	uint64_t fault_where, fault_va;
};

struct cpu {
	struct machine m;
	uint64_t spill[IR_MAX_VARS], tag_key, fetch_key;
	uint32_t attention, field;
	struct entry read[1u << TLB_BITS], write[1u << TLB_BITS];
	struct entry jumps[64 * 64];
};

/** What EXEC's helper does: v = a + add, or it leaves. */
struct effect {
	ir_var v, a;
	bool leave;
	uint64_t add;
};

static struct cpu cpu;
static struct machine expected;
static struct ir_block ir;
static struct plat_code arena;
static struct x86_runtime runtime;
static struct x86_lowering *lowering;
static uint8_t *blocks_start;
static struct x86_block made;
static bool big_endian;

static const struct x86_pin pins[] = {
	{ 2, RSI }, { 3, RDI }, { 4, R8 }, { 5, R9 }, { 6, R10 }, { 7, R11 },
};

/* --- random values */

static uint64_t seed;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned n)
{
	return (unsigned)((random64() >> 32) % n);
}

/* Values at the edges as often as any. */
static uint64_t operand(void)
{
	static const uint64_t edges[] = { 0,
					  1,
					  31,
					  32,
					  63,
					  64,
					  0x7f,
					  0x80,
					  0xff,
					  0x8000,
					  0x7fffffff,
					  0x80000000,
					  0xffffffff,
					  0x100000000,
					  INT64_MAX,
					  (uint64_t)INT64_MIN,
					  ~0ull,
					  0xffffffff80000000,
					  0xffffffff7fffffff };

	switch (below(4)) {
	case 0: return edges[below(sizeof(edges) / sizeof(edges[0]))];
	case 1: return (uint64_t)(int64_t)(int32_t)random64();
	default: return random64();
	}
}

/* --- helpers of generated code */

/* Helpers may change these (System V ABI 3.2.1). */
static void clobber(void)
{
	__asm__ volatile("mov $-1, %%rsi; mov %%rsi, %%rdi; mov %%rsi, %%r8; mov %%rsi, %%r9\n\t"
			 "mov %%rsi, %%r10; mov %%rsi, %%r11; mov %%rsi, %%rcx" ::
				 : "rsi", "rdi", "r8", "r9", "r10", "r11", "rcx");
}

static bool access_ok(struct machine *m, uint64_t va, uint64_t size, uint64_t where)
{
	if (va - RAM_VA <= sizeof(m->ram) - size && (va - RAM_VA) / PAGE != PAGE_FAULTS)
		return true;
	m->fault_where = where;
	m->fault_va = va;
	m->pc = 0xbad;
	return false;
}

static uint64_t swap_if_big(uint64_t v, uint64_t size)
{
	return big_endian ? __builtin_bswap64(v) >> (64 - 8 * size) : v;
}

static struct x86_result load(void *ctx, uint64_t va, uint64_t where, uint64_t kind)
{
	struct machine *m = ctx;
	uint64_t size = kind & 15, v = 0;
	unsigned unused = 64 - 8 * (unsigned)size;

	if (!access_ok(m, va, size, where)) {
		clobber();
		return (struct x86_result){ .value = 0x55, .leave = 1 };
	}
	memcpy(&v, &m->ram[va - RAM_VA], size);
	v = swap_if_big(v, size);
	if ((kind & X86_SIGNED) != 0)
		v = (uint64_t)((int64_t)(v << unused) >> unused);
	clobber();
	return (struct x86_result){ .value = v };
}

static uint64_t store(void *ctx, uint64_t va, uint64_t where, uint64_t value, uint64_t size)
{
	struct machine *m = ctx;
	bool ok = access_ok(m, va, size, where);

	if (ok) {
		uint64_t v = swap_if_big(value, size);

		memcpy(&m->ram[va - RAM_VA], &v, size);
	}
	clobber();
	return !ok;
}

static uint64_t exec(void *ctx, const void *insn, uint64_t where)
{
	struct machine *m = ctx;
	const struct effect *e = insn;

	m->vars[e->v] = m->vars[e->a] + e->add;
	if (e->leave)
		m->pc = where;
	clobber();
	return e->leave;
}

/* --- the reference */

static uint64_t sext32(uint64_t v)
{
	return (uint64_t)(int64_t)(int32_t)v;
}

static uint64_t rotate(uint64_t v, unsigned n, unsigned bits)
{
	uint64_t mask = bits == 64 ? ~0ull : 0xffffffff;

	v &= mask;
	return n == 0 ? v : (v >> n | v << (bits - n)) & mask;
}

static uint64_t reference_shift(enum ir_opcode op, uint64_t a, uint64_t b)
{
	unsigned n = b & 63, w = b & 31;

	switch (op) {
	case IR_SHL: return a << n;
	case IR_SHLW: return sext32(a << w);
	case IR_SHR: return a >> n;
	case IR_SHRW: return sext32((uint32_t)a >> w);
	case IR_SAR: return (uint64_t)((int64_t)a >> n);
	case IR_SARW: return (uint64_t)((int64_t)(int32_t)a >> w);
	case IR_ROR: return rotate(a, n, 64);
	default: return sext32(rotate(a, w, 32));
	}
}

/* d of an operation without e. */
static uint64_t reference_alu(const struct ir_op *o, uint64_t d, uint64_t a, uint64_t b)
{
	uint64_t imm = sext32(o->imm);

	switch ((enum ir_opcode)o->op) {
	case IR_CONST: return o->imm;
	case IR_MOV: return a;
	case IR_ADD: return a + b;
	case IR_ADDW: return sext32(a + b);
	case IR_SUB: return a - b;
	case IR_SUBW: return sext32(a - b);
	case IR_AND: return a & b;
	case IR_OR: return a | b;
	case IR_XOR: return a ^ b;
	case IR_NOR: return ~(a | b);
	case IR_ADDI: return a + imm;
	case IR_ADDIW: return sext32(a + imm);
	case IR_ANDI: return a & imm;
	case IR_ORI: return a | imm;
	case IR_XORI: return a ^ imm;
	case IR_SLT: return (int64_t)a < (int64_t)b;
	case IR_SLTU: return a < b;
	case IR_SLTI: return (int64_t)a < (int64_t)imm;
	case IR_SLTIU: return a < imm;
	case IR_SEQ: return a == b;
	case IR_SNE: return a != b;
	case IR_SHL:
	case IR_SHLW:
	case IR_SHR:
	case IR_SHRW:
	case IR_SAR:
	case IR_SARW:
	case IR_ROR:
	case IR_RORW: return reference_shift((enum ir_opcode)o->op, a, b);
	case IR_SHLI: return reference_shift(IR_SHL, a, o->imm);
	case IR_SHLIW: return reference_shift(IR_SHLW, a, o->imm);
	case IR_SHRI: return reference_shift(IR_SHR, a, o->imm);
	case IR_SHRIW: return reference_shift(IR_SHRW, a, o->imm);
	case IR_SARI: return reference_shift(IR_SAR, a, o->imm);
	case IR_SARIW: return reference_shift(IR_SARW, a, o->imm);
	case IR_RORI: return reference_shift(IR_ROR, a, o->imm);
	case IR_RORIW: return reference_shift(IR_RORW, a, o->imm);
	case IR_SEXT8: return (uint64_t)(int64_t)(int8_t)a;
	case IR_SEXT16: return (uint64_t)(int64_t)(int16_t)a;
	case IR_SEXT32: return sext32(a);
	case IR_ZEXT32: return (uint32_t)a;
	case IR_MUL: return a * b;
	case IR_MULW: return sext32(a * b);
	case IR_MOVZ: return b == 0 ? a : d;
	case IR_MOVN: return b != 0 ? a : d;
	case IR_STATE: return cpu.field;
	default: fail_msg("no reference for operation %u", o->op); return 0;
	}
}

static bool reference_condition(const struct ir_op *o, uint64_t a, uint64_t b)
{
	switch (o->cc) {
	case IR_EQ: return a == b;
	case IR_NE: return a != b;
	case IR_LT: return (int64_t)a < (int64_t)b;
	case IR_GE: return (int64_t)a >= (int64_t)b;
	case IR_LE: return (int64_t)a <= (int64_t)b;
	default: return (int64_t)a > (int64_t)b;
	}
}

static uint64_t place_of(const struct ir_op *o)
{
	return o->pc | o->in_slot;
}

/* Leaves by an exit, the number of exits before it being `exits`. */
static uint32_t reference_exit(const struct ir_op *o, unsigned exits)
{
	expected.instructions += o->insns;
	if (o->op == IR_STEP)
		return (FIRST_EXIT + exits) | X86_STEP_FLAG;
	if (o->linkable)
		return FIRST_EXIT + exits;
	expected.pc = o->imm;
	return X86_LEFT;
}

/* Runs ir on `expected`. Returns why it leaves. */
static uint32_t reference(void)
{
	uint64_t temps[IR_MAX_VARS] = { 0 };
	unsigned exits = 0;

	for (const struct ir_op *o = ir.ops; o < &ir.ops[ir.count]; o++) {
#define VAR(v) (*((v) < NR_STATE ? &expected.vars[v] : &temps[v]))
		uint64_t a = o->a == IR_NONE ? 0 : VAR(o->a), b = o->b == IR_NONE ? 0 : VAR(o->b);

		if (o->op == IR_MULH || o->op == IR_MULHU) {
			__int128 s = (__int128)(int64_t)a * (int64_t)b;
			unsigned __int128 u = (unsigned __int128)a * b;

			VAR(o->d) = a * b;
			VAR(o->e) = o->op == IR_MULH ? (uint64_t)(s >> 64) : (uint64_t)(u >> 64);
		} else if (o->op == IR_LOAD) {
			struct x86_result r = load(&expected, a + sext32(o->imm), place_of(o),
						   o->size | (o->is_signed ? X86_SIGNED : 0));

			if (r.leave)
				return X86_LEFT;
			VAR(o->d) = r.value;
		} else if (o->op == IR_STORE) {
			if (store(&expected, a + sext32(o->imm), place_of(o), b, o->size))
				return X86_LEFT;
		} else if (o->op == IR_EXEC) {
			if (exec(&expected, o->insn, place_of(o)))
				return X86_LEFT;
		} else if (o->op == IR_JUMP) {
			expected.instructions += o->insns;
			expected.pc = a;
			return X86_LEFT;
		} else if (o->op == IR_BRANCH) {
			if (reference_condition(o, a, b))
				return reference_exit(o, exits);
			exits++;
		} else if (o->op == IR_ATTEND) {
			continue; /* nothing is counted here */
		} else if (ir_leaves(o)) {
			return reference_exit(o, exits);
		} else {
			VAR(o->d) = reference_alu(o, VAR(o->d), a, b);
		}
#undef VAR
	}
	fail_msg("the block does not end");
	return 0;
}

#endif
