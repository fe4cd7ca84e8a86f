/* SPDX-License-Identifier: BSD-2-Clause */
/* What each CPU needs before it runs C code, and whose its FPU is. */
#include "arch/x86_64/pc/cpu.h"

#include <stddef.h>

#include "arch/x86_64/pc/x86.h"

#define CPUID7_EBX_SMEP (1u << 7)
#define CPUID7_EBX_SMAP (1u << 20)
#define CPUID7_ECX_UMIP (1u << 2)

void cpu_init(struct pc_cpu *cpu)
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
	cpu->self = cpu;
	cpu->deadline_ns = UINT64_MAX;
	wrmsr(MSR_GS_BASE, (uint64_t)cpu);
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
