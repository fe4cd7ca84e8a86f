/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs generated snippets with random registers and checks every register and byte they may change. */
#ifndef TESTS_ASM_FRAME_H
#define TESTS_ASM_FRAME_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/emit/asm.h"
#include "tests/unit/fake_platform.h"

#define FLAG_C 1u
#define FLAG_Z 0x40u
#define FLAG_S 0x80u
#define FLAG_O 0x800u

/** Registers before and after the code. The offsets are known to run_frame(). */
struct frame {
	uint64_t reg[16]; /* of RSP only the value that the code sees is told */
	uint64_t code;    /* 128 */
	uint64_t flags;   /* 136: after it */
};

void run_frame(struct frame *f);

__asm__(".text\n"
	"run_frame:\n"
	"	push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
	"	push %rdi; push 128(%rdi)\n"
	"	lea -8(%rsp), %rax; mov %rax, 32(%rdi)\n"
	"	mov 0(%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx\n"
	"	mov 40(%rdi), %rbp; mov 48(%rdi), %rsi; mov 64(%rdi), %r8; mov 72(%rdi), %r9\n"
	"	mov 80(%rdi), %r10; mov 88(%rdi), %r11; mov 96(%rdi), %r12; mov 104(%rdi), %r13\n"
	"	mov 112(%rdi), %r14; mov 120(%rdi), %r15; mov 56(%rdi), %rdi\n"
	"	call *(%rsp)\n"
	"	xchg %rdi, 8(%rsp)\n"
	"	mov %rax, 0(%rdi); mov %rcx, 8(%rdi); mov %rdx, 16(%rdi); mov %rbx, 24(%rdi)\n"
	"	mov %rbp, 40(%rdi); mov %rsi, 48(%rdi); mov %r8, 64(%rdi); mov %r9, 72(%rdi)\n"
	"	mov %r10, 80(%rdi); mov %r11, 88(%rdi); mov %r12, 96(%rdi); mov %r13, 104(%rdi)\n"
	"	mov %r14, 112(%rdi); mov %r15, 120(%rdi)\n"
	"	pushf; pop %rax; mov %rax, 136(%rdi)\n"
	"	pop %rax; pop %rax; mov %rax, 56(%rdi)\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
	"	ret\n");

static struct plat_code arena;
static struct x86_asm as;
static struct frame before, frame, wanted;
static uint8_t memory[512], memory_before[sizeof(memory)];
static uint64_t seed;

static const int32_t displacements[] = { 0, 1, -1, 8, 127, -128, 128, -129, 4096, 0x12345678, -0x12345678, INT32_MIN };
#define NR_DISPLACEMENTS (sizeof(displacements) / sizeof(displacements[0]))

static inline uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

static inline int setup(void **state)
{
	(void)state;
	fake_reset();
	seed = 0x123456789abcdef;
	return plat_code_alloc(65536, &arena);
}

static inline int teardown(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

/* New random registers; the code starts anew. */
static inline void start(void)
{
	as = (struct x86_asm){ .write = arena.write,
			       .end = arena.write + arena.size,
			       .to_execute = arena.execute - arena.write };
	for (unsigned r = 0; r < 16; r++)
		frame.reg[r] = random64();
	frame.code = (uint64_t)(uintptr_t)arena.execute;
}

/* Runs the code; `before` has the registers it started with. */
static inline void run(void)
{
	x86_ret(&as);
	assert_false(as.overflow);
	before = frame;
	run_frame(&frame);
	before.reg[RSP] = frame.reg[RSP];
	wanted = before;
}

static inline void check(void)
{
	for (unsigned r = 0; r < 16; r++)
		if (frame.reg[r] != wanted.reg[r])
			fail_msg("register %u is %llx, not %llx; code %02x %02x %02x %02x", r,
				 (unsigned long long)frame.reg[r], (unsigned long long)wanted.reg[r], arena.write[0],
				 arena.write[1], arena.write[2], arena.write[3]);
}

/* Runs through all pairs of registers but RSP. */
static inline bool next_pair(enum x86_reg *d, enum x86_reg *s)
{
	do {
		if (++*s > R15) {
			*s = RAX;
			++*d;
		}
	} while (*s == RSP || *d == RSP);
	return *d <= R15;
}

#define FOR_PAIRS(d, s) for (enum x86_reg d = RAX, s = RAX; d <= R15; (void)next_pair(&d, &s))

static inline uint64_t width(bool wide, uint64_t v)
{
	return wide ? v : (uint32_t)v;
}

static inline uint64_t extended(bool is_signed, unsigned size, uint64_t v)
{
	unsigned unused = 64 - 8 * size;

	return is_signed ? (uint64_t)((int64_t)(v << unused) >> unused) : v << unused >> unused;
}

/* A memory operand with that base which reaches memory + 256 by way of `displacement`, with an index at times. */
static inline struct x86_mem reach(enum x86_reg base, enum x86_reg other, int32_t displacement)
{
	struct x86_mem m = x86_at(base, displacement);
	uint64_t address = (uint64_t)(uintptr_t)&memory[256] - (uint64_t)(int64_t)displacement;

	if ((random64() & 1) != 0) {
		do
			m.index = (enum x86_reg)(random64() & 15);
		while (m.index == RSP || m.index == base || m.index == other);
		m.scale = random64() & 3;
		address -= frame.reg[m.index] << m.scale;
	}
	frame.reg[base] = address;
	return m;
}

static inline uint64_t content(unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, &memory[256], size);
	return v;
}

static inline void fill(void)
{
	for (size_t n = 0; n < sizeof(memory); n++)
		memory[n] = (uint8_t)random64();
	memcpy(memory_before, memory, sizeof(memory));
}

/* Memory is as it was but for these bytes. */
static inline void check_memory(unsigned size, uint64_t v)
{
	memcpy(&memory_before[256], &v, size);
	assert_memory_equal(memory, memory_before, sizeof(memory));
}

#endif
