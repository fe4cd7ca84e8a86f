/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code that changes, with cache operations and without: husk sees stores to code at once, which is more than the
 * architecture asks for. And loops of every shape, which must not keep interrupts away.
 */
#include "guest.h"

/* Instructions. */
#define ADDIU_V0(i)     (0x24020000u | (i))                     /* addiu $v0, $0, i */
#define ADDIU_V0_V0(i)  (0x24420000u | (i))                     /* addiu $v0, $v0, i */
#define SW_A1(offset)   (0xac850000u | (offset))                /* sw $a1, offset($a0) */
#define BNE_A0_A0(i)    (0x14840000u | (i))                     /* bne $a0, $a0, i from the delay slot */
#define B(instructions) (0x10000000u | ((instructions)&0xffff)) /* from the delay slot */
#define JR_RA           0x03e00008u
#define NOP             0u

#define PAGE   1024u /* instructions */
#define ROUNDS 100u

static volatile uint32_t code[3 * PAGE] __attribute__((aligned(4096)));

static void flush(unsigned first, unsigned count)
{
	for (unsigned n = first; n < first + count; n++)
		__asm__ volatile("synci 0(%0)" : : "r"(&code[n]) : "memory");
	__asm__ volatile("sync" : : : "memory");
}

static uint64_t call(unsigned n, uint64_t a0, uint64_t a1)
{
	return ((uint64_t(*)(uint64_t, uint64_t))(uintptr_t)&code[n])(a0, a1);
}

/* A function at n, in the middle of a page or across its end, of which each instruction is rewritten in turn. */
static bool follows_changes(unsigned n, bool flushed)
{
	bool good = true;

	for (unsigned i = 0; i < ROUNDS; i++) {
		code[n] = ADDIU_V0(i);
		code[n + 1] = ADDIU_V0_V0(2 * i);
		code[n + 2] = ADDIU_V0_V0(3 * i);
		code[n + 3] = JR_RA;
		code[n + 4] = ADDIU_V0_V0(4 * i); /* the delay slot */
		if (flushed)
			flush(n, 5);
		good &= call(n, 0, 0) == 10 * i;
		for (unsigned k = 0; k < 5; k++) {
			if (k == 3)
				continue;
			code[n + k] += 1;
			if (flushed)
				flush(n + k, 1);
			good &= call(n, 0, 0) == 10 * i + 1;
			code[n + k] -= 1;
			if (flushed)
				flush(n + k, 1);
			good &= call(n, 0, 0) == 10 * i;
		}
	}
	return good;
}

static void check_changes(void)
{
	check("code rewritten with cache operations", follows_changes(16, true));
	check("code rewritten", follows_changes(32, false));
	/* The page ends before each of the instructions in turn. */
	for (unsigned k = 0; k < 5; k++) {
		check("code across pages rewritten with cache operations", follows_changes(PAGE - k, true));
		check("code across pages rewritten", follows_changes(2 * PAGE - k, false));
	}
}

/* Code that rewrites what it is about to reach. */
static void check_ahead(void)
{
	bool straight = true, slot = true, behind = true;

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned n = 64;

		code[n] = SW_A1(8);
		code[n + 1] = NOP;
		code[n + 2] = ADDIU_V0(ROUNDS);
		code[n + 3] = JR_RA;
		code[n + 4] = NOP;
		straight &= call(n, (uintptr_t)&code[n], ADDIU_V0(i)) == i;
		n = 80;
		code[n] = B(2);
		code[n + 1] = SW_A1(12);
		code[n + 2] = JR_RA;
		code[n + 3] = ADDIU_V0(ROUNDS);
		code[n + 4] = JR_RA;
		code[n + 5] = NOP;
		slot &= call(n, (uintptr_t)&code[n], ADDIU_V0(i)) == i;
		n = 96;
		code[n] = BNE_A0_A0(4);
		code[n + 1] = SW_A1(8);
		code[n + 2] = ADDIU_V0(ROUNDS);
		code[n + 3] = JR_RA;
		code[n + 4] = NOP;
		behind &= call(n, (uintptr_t)&code[n], ADDIU_V0(i)) == i;
	}
	check("code ahead rewritten", straight);
	check("branch target rewritten in the delay slot", slot);
	check("code behind a branch not taken rewritten in the delay slot", behind);
}

static uint64_t entrylo(const void *page)
{
	/* Page frame, cacheable (3), dirty, valid, global */
	return ((uintptr_t)page & 0x1fffffff) >> 12 << 6 | 3 << 3 | 7;
}

extern char jit_program[];
extern volatile uint32_t jit_page[1024];

static bool jit_works(bool flushed)
{
	jit_page[16] = flushed;
	exception = -1;
	run_program(read_c0_32(C0_STATUS) | STATUS_UM | STATUS_EXL);
	return exception == EXC_SYS && frame.gpr[4] == 5050;
}

/* In user mode, where code is reached by the TLB. */
static void check_jit(void)
{
	write_c0_32(C0_INDEX, 5); /* that of the program before */
	write_c0_32(C0_PAGEMASK, 0);
	write_c0(C0_ENTRYHI, PROGRAM_CODE);
	write_c0(C0_ENTRYLO0, entrylo(jit_program));
	write_c0(C0_ENTRYLO1, entrylo((const void *)jit_page));
	__asm__ volatile("tlbwi\n\tehb");
	check("code generator in user mode with cache operations", jit_works(true));
	check("code generator in user mode", jit_works(false));
}

/* --- loops, each until three interrupts came */

#define LOOP(body)                                                                   \
	{                                                                            \
		uint64_t a_, b_;                                                     \
		__asm__ volatile(".set push\n\t.set noreorder\n" body "\n\t.set pop" \
				 : "=&r"(a_), "=&r"(b_)                              \
				 : "r"(&ticks)                                       \
				 : "$31", "memory");                                 \
	}

static void one_block(void)
{
	LOOP("1:	lw	%0, 0(%2)\n"
	     "	slti	%0, %0, 3\n"
	     "	bnez	%0, 1b\n"
	     "	 nop")
}

/* Blocks that end with direct jumps, forward and backward. */
static void several_blocks(void)
{
	LOOP("1:	lw	%0, 0(%2)\n"
	     "	b	3f\n"
	     "	 slti	%0, %0, 3\n"
	     "2:	b	1b\n"
	     "	 nop\n"
	     "3:	bnez	%0, 2b\n"
	     "	 nop")
}

static void indirect_jumps(void)
{
	LOOP("1:	bal	2f\n"
	     "	 lw	%0, 0(%2)\n"
	     "2:	daddiu	%1, $31, 3f - 2b\n"
	     "	jr	%1\n"
	     "	 slti	%0, %0, 3\n"
	     "	nop\n"
	     "3:	bnez	%0, 1b\n"
	     "	 nop")
}

static void branches_likely(void)
{
	LOOP("	lw	%0, 0(%2)\n"
	     "1:	slti	%0, %0, 3\n"
	     "	bnezl	%0, 1b\n"
	     "	 lw	%0, 0(%2)")
}

static void check_loop(const char *name, void (*loop)(void))
{
	uint32_t status = read_c0_32(C0_STATUS);

	ticks = 0;
	write_c0_32(C0_COMPARE, read_c0_32(C0_COUNT) + TICK);
	write_c0_32(C0_STATUS, status | STATUS_IM7 | STATUS_IE);
	loop();
	write_c0_32(C0_STATUS, status);
	check(name, ticks >= 3);
}

void run_code_checks(void)
{
	check_changes();
	check_ahead();
	check_jit();
	check_loop("interrupts in a loop of one block", one_block);
	check_loop("interrupts in a loop of several blocks", several_blocks);
	check_loop("interrupts in a loop of indirect jumps", indirect_jumps);
	check_loop("interrupts in a loop of branches likely", branches_likely);
}
