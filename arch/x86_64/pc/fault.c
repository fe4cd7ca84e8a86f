/* SPDX-License-Identifier: BSD-2-Clause */
/* A host exception is a bug in husk: say all that is known and end the run. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include <husk/platform.h>

#include "arch/x86_64/pc/boot.h"
#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/trap.h"
#include "arch/x86_64/pc/x86.h"

#define STACK_WORDS 24u
#define PAGE        4096u

#define VECTOR_DF 8u
#define VECTOR_PF 14u

/* Intel SDM 3A, table 6-1. */
static const char *vector_name(uint64_t vector)
{
	static const char *const names[] = {
		"divide error",
		"debug trap",
		"NMI",
		"breakpoint",
		"overflow",
		"bound range exceeded",
		"invalid opcode",
		"device not available",
		"double fault",
		"vector 9",
		"invalid TSS",
		"segment not present",
		"stack segment fault",
		"general protection fault",
		"page fault",
		"vector 15",
		"floating-point error",
		"alignment check",
		"machine check",
		"SIMD floating-point error",
		"virtualization exception",
		"control protection exception",
	};

	return vector < sizeof(names) / sizeof(names[0]) ? names[vector] : "reserved exception";
}

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	char line[160];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n > 0)
		plat_log_write(line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

#define U(x) ((unsigned long long)(x))

static void say_page_fault(const struct trap_frame *f, uint64_t cr2)
{
	size_t count;
	const struct guarded_stack *s = cpu_stacks(&count);

	for (size_t i = 0; i < count; i++) {
		if (cr2 - (s[i].base - PAGE) < PAGE)
			say("husk: stack overflow: the %s is exhausted\n", s[i].name);
	}
	if (f->vector != VECTOR_PF)
		return;
	say("husk: %s of %s address 0x%llx%s\n",
	    f->error & 16  ? "execution"
	    : f->error & 2 ? "write"
			   : "read",
	    f->error & 1 ? "a protected" : "an unmapped", U(cr2), cr2 < PAGE ? " (null pointer)" : "");
}

static void say_registers(const struct trap_frame *f)
{
	say("husk:  rax %016llx  rbx %016llx  rcx %016llx  rdx %016llx\n", U(f->rax), U(f->rbx), U(f->rcx), U(f->rdx));
	say("husk:  rsi %016llx  rdi %016llx  rbp %016llx  rsp %016llx\n", U(f->rsi), U(f->rdi), U(f->rbp), U(f->rsp));
	say("husk:  r8  %016llx  r9  %016llx  r10 %016llx  r11 %016llx\n", U(f->r8), U(f->r9), U(f->r10), U(f->r11));
	say("husk:  r12 %016llx  r13 %016llx  r14 %016llx  r15 %016llx\n", U(f->r12), U(f->r13), U(f->r14), U(f->r15));
	say("husk:  cr0 %llx cr3 %llx cr4 %llx cs %llx ss %llx rflags %llx\n", U(read_cr0()), U(read_cr3()),
	    U(read_cr4()), U(f->cs), U(f->ss), U(f->rflags));
}

/* Words of the stack, only where it is known to be mapped. */
static void say_stack(uint64_t rsp)
{
	size_t count;
	const struct guarded_stack *s = cpu_stacks(&count);

	for (size_t i = 0; i < count; i++) {
		uint64_t top = s[i].base + s[i].size;

		/* A little below: the stack pointer of an overflow is in the guard page. */
		if (rsp + PAGE <= s[i].base || rsp >= top)
			continue;
		rsp = (rsp < s[i].base ? s[i].base : rsp) & ~7ull;
		for (unsigned n = 0; n < STACK_WORDS && rsp < top; n++, rsp += 8)
			say("%s%016llx%s", n % 4 == 0 ? "husk:  stack " : " ", U(*(const uint64_t *)rsp),
			    n % 4 == 3 || rsp + 8 == top ? "\n" : "");
		return;
	}
}

_Noreturn void fault_report(const struct trap_frame *f)
{
	static bool reporting;
	uint64_t cr2 = read_cr2();

	irq_disable();
	cpu_stop_others();
	if (reporting) {
		static const char again[] = "\nhusk: another exception while reporting\n";

		plat_log_write(again, sizeof(again) - 1);
		plat_exit(HUSK_EXIT_HOST);
	}
	reporting = true;
	say("\nhusk: host exception %llu (%s), error code 0x%llx, rip 0x%llx, cr2 0x%llx; this is a bug in husk\n",
	    U(f->vector), vector_name(f->vector), U(f->error), U(f->rip), U(cr2));
	if (f->vector == VECTOR_PF || f->vector == VECTOR_DF)
		say_page_fault(f, cr2);
	say_registers(f);
	say_stack(f->rsp);
	plat_exit(HUSK_EXIT_HOST);
}
