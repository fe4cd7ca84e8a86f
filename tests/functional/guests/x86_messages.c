/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts from one vCPU to the other, in x2APIC mode: first to one that runs, then to one that halts in between. Each
 * is sent when the one before was taken, a little later each time, so that they hit whatever the other one does. A lost
 * one ends it there. The second vCPU stays in real mode.
 */
#include "x86_guest.h"

#define ROUNDS      1000u
#define DELAYS      1999u
#define VECTOR      0x61u
#define MSR_BASE    0x1bu
#define BASE_X2     (1u << 10)
#define MSR_COMMAND 0x830u

/* What the second vCPU has at 0x100 from its start: 1 when it takes interrupts; how many it has taken; 1: it shall halt. */
struct mailbox {
	volatile uint16_t ready, taken, halt;
};

/* Vector 0x61 is at 4 * 0x61. x2APIC mode, APIC enabled by 0x80f, end of interrupt by 0x80b (SDM 3A, table 10-6). */
extern const uint8_t messages_start[], messages_end[];
__asm__(".pushsection .rodata\n"
	".code16\n"
	"messages_start:\n\t"
	"mov %cs, %ax\n\t"
	"mov %ax, %ds\n\t"
	"mov %ax, %ss\n\t"
	"mov $0x1000, %sp\n\t"
	"xor %ax, %ax\n\t"
	"mov %ax, %es\n\t"
	"movw $(3f - messages_start), %es:0x184\n\t"
	"mov %cs, %es:0x186\n\t"
	"mov $0x1b, %ecx\n\t"
	"rdmsr\n\t"
	"or $0x400, %eax\n\t"
	"wrmsr\n\t"
	"mov $0x80f, %ecx\n\t"
	"mov $0x1ff, %eax\n\t"
	"xor %edx, %edx\n\t"
	"wrmsr\n\t"
	"movw $1, 0x100\n\t"
	"sti\n"
	"1:\tcmpw $0, 0x104\n\t"
	"je 1b\n\t"
	"hlt\n\t"
	"jmp 1b\n"
	"3:\tincw 0x102\n\t"
	"mov $0x80b, %ecx\n\t"
	"xor %eax, %eax\n\t"
	"xor %edx, %edx\n\t"
	"wrmsr\n\t"
	"iret\n"
	"messages_end:\n"
	".code64\n"
	".popsection");

static void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static void send_many(struct mailbox *m)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint16_t before = m->taken;

		for (volatile unsigned n = 0; n < i * 37 % DELAYS; n++)
			continue;
		wrmsr(MSR_COMMAND, (uint64_t)1 << 32 | VECTOR);
		while (m->taken == before)
			__asm__ volatile("pause");
	}
	print_number("taken ", m->taken);
}

void send_messages(void)
{
	struct mailbox *m = (struct mailbox *)(OTHER + 0x100);

	start_other(messages_start, messages_end);
	wrmsr(MSR_BASE, rdmsr(MSR_BASE) | BASE_X2);
	while (m->ready == 0)
		__asm__ volatile("pause");
	send_many(m);
	m->halt = 1;
	send_many(m);
	/* The monitor of husk may be asked what it has cost. */
	print("done\n");
	for (;;)
		__asm__ volatile("sti; hlt");
}
