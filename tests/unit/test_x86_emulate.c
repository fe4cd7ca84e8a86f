/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/hvm/emulate.c */
/*
 * The emulator against the CPU that runs the test: random instructions of every kind in its table, executed here by the
 * real CPU on a variable and there by the emulator; registers, flags and memory must agree. And what it must refuse.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "arch/x86_64/hvm/emulate.h"

#define FLAGS  0x8d5u /* CF PF AF ZF SF OF */
#define ROUNDS 200000u

/* AF is undefined after logical operations, which the CPU may leave as it likes (SDM 2A, AND, OR, XOR, TEST). */
#define FLAG_AF 0x10u

/* The state that native_run() loads and stores; RSP and RDI, the address of the operand, are its own. */
uint64_t native_gpr[16], native_flags;
void *native_code, *native_operand;
void native_run(void);

__asm__(".text\n"
	".globl native_run\n"
	"native_run:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"
	"pushq native_flags; popfq\n"
	"mov native_gpr+0*8, %rax; mov native_gpr+1*8, %rcx; mov native_gpr+2*8, %rdx; mov native_gpr+3*8, %rbx\n"
	"mov native_gpr+5*8, %rbp; mov native_gpr+6*8, %rsi; mov native_gpr+8*8, %r8; mov native_gpr+9*8, %r9\n"
	"mov native_gpr+10*8, %r10; mov native_gpr+11*8, %r11; mov native_gpr+12*8, %r12; mov native_gpr+13*8, %r13\n"
	"mov native_gpr+14*8, %r14; mov native_gpr+15*8, %r15; mov native_operand, %rdi\n"
	"call *native_code\n"
	"mov %rax, native_gpr+0*8; mov %rcx, native_gpr+1*8; mov %rdx, native_gpr+2*8; mov %rbx, native_gpr+3*8\n"
	"mov %rbp, native_gpr+5*8; mov %rsi, native_gpr+6*8; mov %r8, native_gpr+8*8; mov %r9, native_gpr+9*8\n"
	"mov %r10, native_gpr+10*8; mov %r11, native_gpr+11*8; mov %r12, native_gpr+12*8; mov %r13, native_gpr+13*8\n"
	"mov %r14, native_gpr+14*8; mov %r15, native_gpr+15*8\n"
	"pushfq; popq native_flags\n"
	"pop %rdi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"ret\n");

static uint64_t memory[2];

static uint64_t read_operand(void *ctx, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, ctx, size);
	return v;
}

static void write_operand(void *ctx, unsigned size, uint64_t value)
{
	memcpy(ctx, &value, size);
}

static uint64_t random64(void)
{
	uint64_t v = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();

	/* Often a value at the edge of something. */
	return random() % 3 == 0 ? v : random() % 2 == 0 ? (uint64_t)(int64_t)(int8_t)v : (uint64_t)1 << v % 64;
}

static const struct {
	uint8_t opcode, map, group; /* group: reg of ModRM, 8: any, 9: a register */
	uint8_t immediate;          /* 0, 1, or 4: as the operand */
} forms[] = {
	{ 0x00, 1, 9, 0 }, { 0x01, 1, 9, 0 }, { 0x02, 1, 9, 0 }, { 0x03, 1, 9, 0 }, { 0x80, 1, 8, 1 },
	{ 0x81, 1, 8, 4 }, { 0x83, 1, 8, 1 }, { 0x84, 1, 9, 0 }, { 0x85, 1, 9, 0 }, { 0xf6, 1, 0, 1 },
	{ 0xf7, 1, 0, 4 }, { 0x86, 1, 9, 0 }, { 0x87, 1, 9, 0 }, { 0x88, 1, 9, 0 }, { 0x89, 1, 9, 0 },
	{ 0xc6, 1, 0, 1 }, { 0xc7, 1, 0, 4 }, { 0x8a, 1, 9, 0 }, { 0x8b, 1, 9, 0 }, { 0x63, 1, 9, 0 },
	{ 0xb6, 2, 9, 0 }, { 0xb7, 2, 9, 0 }, { 0xbe, 2, 9, 0 }, { 0xbf, 2, 9, 0 },
};

/* Writes a random instruction on [rdi + something]; returns its length. */
static unsigned make_instruction(uint8_t *code)
{
	unsigned n = 0, f = (unsigned)random() % (sizeof(forms) / sizeof(forms[0])), reg = (unsigned)random() % 8;
	bool narrow = random() % 4 == 0, rex = random() % 2 == 0;
	uint8_t rex_byte = (uint8_t)(0x40 | (random() & 0xc)), opcode = forms[f].opcode, mod = random() % 3;
	bool byte = forms[f].map == 1 && (opcode & 1) == 0;

	if (opcode < 4)
		opcode |= (uint8_t)(random() % 8 << 3);
	if (narrow)
		code[n++] = 0x66;
	/* RSP and RDI are not for the test to use; without REX they are AH and BH in byte forms. */
	if (forms[f].group == 9 && (reg == 4 || reg == 7) && !(byte && !rex) && !(rex && (rex_byte & 4) != 0))
		reg = 1;
	if (forms[f].group < 9)
		reg = forms[f].group == 8 ? reg : forms[f].group;
	if (rex)
		code[n++] = rex_byte;
	if (forms[f].map == 2)
		code[n++] = 0x0f;
	code[n++] = opcode;
	code[n++] = (uint8_t)(mod << 6 | reg << 3 | 7);
	for (unsigned i = 0; i < (mod == 0 ? 0u : mod == 1 ? 1u : 4u); i++)
		code[n++] = 0;
	if (forms[f].immediate != 0) {
		unsigned bytes = forms[f].immediate == 1 ? 1 : narrow && !(rex && (rex_byte & 8) != 0) ? 2 : 4;
		uint64_t value = random64();

		memcpy(code + n, &value, bytes);
		n += bytes;
	}
	return n;
}

static void test_agrees_with_the_cpu(void **state)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(code, MAP_FAILED);
	native_code = code;
	srandom(1);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned length = make_instruction(code);
		uint64_t gpr[16], flags = 0x202 | ((uint64_t)random() & FLAGS), ours[2];
		const struct x86_operand operand = { read_operand, write_operand, ours };
		struct x86_insn insn;

		for (unsigned i = 0; i < 16; i++)
			gpr[i] = native_gpr[i] = random64();
		memory[0] = ours[0] = random64();
		memory[1] = ours[1] = random64();
		native_operand = memory;
		native_flags = flags;
		for (unsigned n = 0; n < length; n++)
			assert_int_equal(x86_decode(code, n, X86_CODE64, &insn), -EAGAIN);
		assert_int_equal(x86_decode(code, length, X86_CODE64, &insn), 0);
		assert_int_equal(insn.length, length);
		x86_execute(&insn, gpr, &flags, &operand);
		code[length] = 0xc3;
		native_run();
		gpr[4] = native_gpr[4];
		gpr[7] = native_gpr[7];
		assert_memory_equal(gpr, native_gpr, sizeof(gpr));
		assert_memory_equal(ours, memory, sizeof(ours));
		assert_int_equal(flags & FLAGS & ~FLAG_AF, native_flags & FLAGS & ~FLAG_AF);
	}
	munmap(code, 4096);
}

struct text {
	uint8_t bytes[16];
	unsigned n;
	enum x86_code code;
	int result;
	unsigned length;
};

static void test_lengths_and_refusals(void **state)
{
	static const struct text texts[] = {
		{ { 0x8b, 0x04, 0x25, 0, 0, 0, 0 }, 7, X86_CODE64, 0, 7 },       /* SIB, no base */
		{ { 0x8b, 0x05, 0, 0, 0, 0 }, 6, X86_CODE64, 0, 6 },             /* RIP-relative */
		{ { 0x8b, 0x44, 0x24, 8 }, 4, X86_CODE64, 0, 4 },                /* SIB, disp8 */
		{ { 0x67, 0x8b, 0x04, 0x85, 0, 0, 0, 0 }, 8, X86_CODE64, 0, 8 }, /* 32-bit address */
		{ { 0x8b, 0x06, 0, 0 }, 4, X86_CODE16, 0, 4 },                   /* 16-bit disp16 */
		{ { 0x8b, 0x47, 1 }, 3, X86_CODE16, 0, 3 },                      /* bx + disp8 */
		{ { 0x8b, 0x87, 1, 0 }, 4, X86_CODE16, 0, 4 },                   /* bx + disp16 */
		{ { 0x8b, 0x07 }, 2, X86_CODE16, 0, 2 },                         /* bx */
		{ { 0xa1, 1, 2, 3, 4, 5, 6, 7, 8 }, 9, X86_CODE64, 0, 9 },       /* moffs64 */
		{ { 0xa3, 1, 2, 3, 4 }, 5, X86_CODE32, 0, 5 },                   /* moffs32 */
		{ { 0xf0, 0x48, 0x09, 0x07 }, 4, X86_CODE64, 0, 4 },             /* lock or */
		{ { 0x48, 0x66, 0x89, 0x07 }, 4, X86_CODE64, 0, 4 },             /* REX not last: no effect */
		{ { 0x40, 0x40, 0x40, 0x8b, 0x07 }, 5, X86_CODE64, 0, 5 },       /* several REX */
		{ { 0x8b, 0xc0 }, 2, X86_CODE64, -ENOTSUP, 0 },                  /* no memory */
		{ { 0x0f, 0x29, 0x00 }, 3, X86_CODE64, -ENOTSUP, 0 },            /* movaps */
		{ { 0xf7, 0x17 }, 2, X86_CODE64, -ENOTSUP, 0 },                  /* not */
		{ { 0xc7, 0x4f, 0, 0, 0, 0, 0 }, 7, X86_CODE64, -ENOTSUP, 0 },   /* c7 /1 */
		{ { 0x63, 0x07 }, 2, X86_CODE32, -ENOTSUP, 0 },                  /* arpl */
		{ { 0xa5 }, 1, X86_CODE64, -ENOTSUP, 0 },                        /* movs */
		{ { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x8b },
		  16,
		  X86_CODE64,
		  -ENOTSUP,
		  0 }, /* too long */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct text *t = &texts[i];
		struct x86_insn insn;

		assert_int_equal(x86_decode(t->bytes, t->n, t->code, &insn), t->result);
		if (t->result == 0)
			assert_int_equal(insn.length, t->length);
	}
}

static void test_rex_before_a_prefix_is_void(void **state)
{
	static const uint8_t code[] = { 0x48, 0x66, 0x89, 0x07 };
	struct x86_insn insn;

	(void)state;
	assert_int_equal(x86_decode(code, sizeof(code), X86_CODE64, &insn), 0);
	assert_int_equal(insn.size, 2);
}

static void test_lengths_of_short_instructions(void **state)
{
	static const uint8_t plain[] = { 0x0f, 0xa2 }, prefixed[] = { 0xf3, 0x48, 0x0f, 0xa2 };
	static const uint8_t endless[16] = { [0 ... 15] = 0x66 };

	(void)state;
	assert_int_equal(x86_prefixed_length(plain, 2, 2, true), 2);
	assert_int_equal(x86_prefixed_length(prefixed, 4, 2, true), 4);
	assert_int_equal(x86_prefixed_length(prefixed, 4, 2, false), 3); /* 48 is an opcode there */
	assert_int_equal(x86_prefixed_length(endless, 15, 2, true), 0);
	assert_int_equal(x86_prefixed_length(plain, 0, 2, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees_with_the_cpu),
		cmocka_unit_test(test_lengths_and_refusals),
		cmocka_unit_test(test_rex_before_a_prefix_is_void),
		cmocka_unit_test(test_lengths_of_short_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
