/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions, timer, FPU, a program in user mode. */
#include "board.h"
#include "guest.h"

/* Instructions that cause an exception; none is in a delay slot, so that on_trap() can go on behind it. */

static int raised(void)
{
	int code = exception;

	exception = -1;
	return code;
}

static void check_exceptions(void)
{
	static const uint32_t words[3] = { 0x11223344, 0x55667788, 0 };
	const char *odd = (const char *)words + 1;
	uint64_t value = 0;

	raised();
	__asm__ volatile("break");
	check("breakpoint", raised() == EXC_BP && frame.vector == 0x180);
	__asm__ volatile("syscall");
	check("system call", raised() == EXC_SYS && frame.vector == 0x180);
	__asm__ volatile(".set push\n\t.set noat\n\tlui $1, 0x7fff\n\tadd $1, $1, $1\n\t.set pop" : : : "$1");
	check("overflow", raised() == EXC_OV);
	__asm__ volatile("ld %0, 0(%1)" : "=r"(value) : "r"(0x500000ull) : "memory");
	check("TLB miss", raised() == EXC_TLBL && frame.vector == 0x080 && frame.badvaddr == 0x500000);
	__asm__ volatile("lw %0, 0(%1)" : "+r"(value) : "r"(odd) : "memory");
	if (board_unaligned)
#ifdef __MIPSEB__
		check("unaligned load", raised() == -1 && value == 0x22334455);
#else
		check("unaligned load", raised() == -1 && value == 0xffffffff88112233);
#endif
	else
		check("unaligned load", raised() == EXC_ADEL && frame.badvaddr == (uintptr_t)odd);
}

static void check_timer(void)
{
	uint32_t start = read_c0_32(C0_COUNT), status = read_c0_32(C0_STATUS);

	ticks = 0;
	write_c0_32(C0_COMPARE, start + TICK);
	write_c0_32(C0_STATUS, status | STATUS_IM7 | STATUS_IE);
	while (ticks < 3)
		__asm__ volatile("wait");
	write_c0_32(C0_STATUS, status);
	check("timer interrupts", read_c0_32(C0_COUNT) - start >= 3 * TICK && frame.vector == 0x200);
}

static void check_fpu(void)
{
	static const double terms[2] = { 1.5, 2.25 };
	static const float term = 0.25f;
	uint64_t sum, single, status = read_c0_32(C0_STATUS);

	write_c0_32(C0_STATUS, status | STATUS_CU1 | STATUS_FR);
	__asm__ volatile(".set push\n\t.set hardfloat\n\t"
			 "ldc1 $f1, 0(%2)\n\tldc1 $f2, 8(%2)\n\tadd.d $f3, $f1, $f2\n\tdmfc1 %0, $f3\n\t"
			 "lwc1 $f4, 0(%3)\n\tadd.s $f5, $f4, $f4\n\tmfc1 %1, $f5\n\t.set pop"
			 : "=&r"(sum), "=&r"(single)
			 : "r"(terms), "r"(&term)
			 : "memory");
	write_c0_32(C0_STATUS, status);
	check("FPU", sum == 0x400e000000000000ull && single == 0x3f000000); /* 3.75, 0.5 */
}

static uint64_t entrylo(const void *page)
{
	/* Page frame, cacheable (3), dirty, valid, global */
	return ((uintptr_t)page & 0x1fffffff) >> 12 << 6 | 3 << 3 | 7;
}

static void check_program(void)
{
	write_c0_32(C0_INDEX, 5);
	write_c0_32(C0_PAGEMASK, 0);
	write_c0(C0_ENTRYHI, PROGRAM_CODE);
	write_c0(C0_ENTRYLO0, entrylo(program));
	write_c0(C0_ENTRYLO1, entrylo(program_data));
	__asm__ volatile("tlbwi\n\tehb");
	raised();
	run_program(read_c0_32(C0_STATUS) | STATUS_UM | STATUS_EXL);
	check("program in user mode", raised() == EXC_SYS && frame.gpr[4] == 42 && program_data[0] == 42);
}

void run_system_checks(void)
{
	check_exceptions();
	check_timer();
	check_fpu();
	check_program();
}
