/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of platform.h that is about CPUs, waiting and the console. */
#include "arch/x86_64/pc/cpu.h"

#include <stddef.h>

#include <husk/platform.h>

#include "arch/x86_64/pc/apic.h"
#include "arch/x86_64/pc/serial.h"
#include "arch/x86_64/pc/trap.h"
#include "arch/x86_64/pc/x86.h"

#define CPUID7_EBX_SMEP (1u << 7)
#define CPUID7_EBX_SMAP (1u << 20)
#define CPUID7_ECX_UMIP (1u << 2)

static struct pc_cpu boot_cpu = { .self = &boot_cpu, .deadline_ns = UINT64_MAX };

/* Attention word of the first CPU that was bound. */
static uint32_t *console_attention;

void cpu_init(void)
{
	uint64_t cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT;
	const uint32_t mxcsr = 0x1f80;
	struct cpuid extended = { 0 };

	if (cpuid(0, 0).eax >= 7)
		extended = cpuid(7, 0);
	if ((extended.ebx & CPUID7_EBX_SMEP) != 0)
		cr4 |= CR4_SMEP;
	if ((extended.ebx & CPUID7_EBX_SMAP) != 0)
		cr4 |= CR4_SMAP;
	if ((extended.ecx & CPUID7_ECX_UMIP) != 0)
		cr4 |= CR4_UMIP;
	write_cr4(cr4);
	/* Whatever the firmware left: all exceptions masked, round to nearest. */
	__asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
	wrmsr(MSR_GS_BASE, (uint64_t)&boot_cpu);
}

/* Intel SDM 3A, 2.5: with CR0.TS set, FPU and SSE instructions raise #NM. */
void cpu_lend_fpu(void (*release)(void *borrower), void *borrower)
{
	struct pc_cpu *cpu = cpu_this();

	cpu->fpu_borrower = borrower;
	cpu->fpu_release = release;
	write_cr0(read_cr0() | CR0_TS);
}

bool cpu_fpu_trap(void)
{
	struct pc_cpu *cpu = cpu_this();
	void (*release)(void *borrower) = cpu->fpu_release;

	if (release == NULL)
		return false;
	__asm__ volatile("clts");
	cpu->fpu_release = NULL;
	release(cpu->fpu_borrower);
	return true;
}

void cpu_take_fpu(void)
{
	uint64_t flags = irq_save();

	cpu_fpu_trap();
	irq_restore(flags);
}

void cpu_console_input(void)
{
	if (console_attention != NULL)
		plat_kick(console_attention, ATTN_CONSOLE);
}

void plat_cpu_bind(uint32_t *attention)
{
	uint64_t flags = irq_save();

	cpu_this()->attention = attention;
	if (console_attention == NULL)
		console_attention = attention;
	/* Input from before the binding is told now. */
	__atomic_fetch_or(attention, ATTN_CONSOLE, __ATOMIC_RELEASE);
	irq_restore(flags);
}

void plat_wait(const uint32_t *attention)
{
	irq_disable();
	if (__atomic_load_n(attention, __ATOMIC_ACQUIRE) != 0) {
		irq_enable();
		return;
	}
	/* STI takes effect after the next instruction: no interrupt can come between the test and HLT. */
	__asm__ volatile("sti; hlt" : : : "memory");
}

void plat_kick(uint32_t *attention, uint32_t bits)
{
	struct pc_cpu *target = &boot_cpu;

	__atomic_fetch_or(attention, bits, __ATOMIC_RELEASE);
	/* The word of this CPU needs no more: if it waits, an interrupt is what brought it here. */
	if (target->attention == attention && target != cpu_this())
		apic_send(target->apic_id, VECTOR_KICK);
}

size_t plat_console_read(void *buf, size_t size)
{
	return serial_read(&serial_com1, buf, size);
}

bool plat_console_eof(void)
{
	return false;
}

void plat_console_write(const void *buf, size_t size)
{
	serial_write(&serial_com1, buf, size);
}

/* Terminals want a carriage return before each line feed. */
void plat_log_write(const void *buf, size_t size)
{
	const uint8_t *p = buf;
	size_t from = 0;

	for (size_t i = 0; i < size; i++) {
		if (p[i] != '\n' || (i > 0 && p[i - 1] == '\r'))
			continue;
		serial_write(&serial_com1, p + from, i - from);
		serial_write(&serial_com1, (const uint8_t *)"\r\n", 2);
		from = i + 1;
	}
	serial_write(&serial_com1, p + from, size - from);
}
