/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/hvm/vmx/capabilities.h"

#include <stddef.h>

/* What runs a guest at all. Virtual NMIs and true controls came before unrestricted guests. */
#define PIN_MUST   (PIN_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMI)
#define CPU_MUST   (CPU_HLT | CPU_MWAIT | CPU_RDPMC | CPU_IO_BITMAPS | CPU_MSR_BITMAPS | CPU_MONITOR | CPU_SECONDARY)
#define CPU2_MUST  (CPU2_EPT | CPU2_UNRESTRICTED)
#define EXIT_MUST  (EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER)
#define ENTRY_MUST (ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER)
#define EPT_MUST   (EPT_CAP_WALK_4 | EPT_CAP_WB | EPT_CAP_INVEPT)

/* What is there for speed. RDTSCP is not: the guest has it if the CPU has it. */
#define PIN_MAY  (PIN_PREEMPTION | PIN_POSTED)
#define CPU_MAY  CPU_TPR_SHADOW
#define CPU2_MAY (CPU2_VPID | CPU2_WBINVD | CPU2_IN_XAPIC | CPU2_IN_X2APIC | CPU2_PAUSE_LOOP)
#define EXIT_MAY EXIT_ACK

uint32_t vmx_adjust(uint64_t capability, uint32_t must, uint32_t may, uint32_t *controls)
{
	uint32_t ones = (uint32_t)capability, allowed = (uint32_t)(capability >> 32);

	*controls = ((must | may) & allowed) | ones;
	return must & ~allowed;
}

/* A capability MSR, a "true" one where there are such: they tell which default-1 controls may be 0 (A.2). */
static uint64_t controls_msr(uint64_t (*read)(uint32_t msr), uint64_t basic, uint32_t msr, uint32_t true_msr)
{
	return read((basic & BASIC_TRUE) != 0 ? true_msr : msr);
}

/* Parts of APIC virtualization are of use only together. Without a TPR shadow there is none (26.2.1.1). */
static uint8_t apic_modes(const struct vmx_capabilities *c)
{
	uint8_t modes = 0;

	if ((c->cpu & CPU_TPR_SHADOW) == 0)
		return 0;
	if ((c->cpu2 & CPU2_IN_XAPIC) == CPU2_IN_XAPIC)
		modes |= 1u << X86_APIC_X1;
	if ((c->cpu2 & CPU2_IN_X2APIC) == CPU2_IN_X2APIC)
		modes |= 1u << X86_APIC_X2;
	return modes;
}

/* The right INVVPID has to be there to use VPIDs. */
static void drop_unusable(struct vmx_capabilities *c)
{
	if ((c->ept_vpid & VPID_CAP_INVVPID) == 0 || (c->ept_vpid & (VPID_CAP_SINGLE | VPID_CAP_ALL)) == 0)
		c->cpu2 &= ~CPU2_VPID;
	/* Without a shadow of CR8, its accesses exit. */
	if ((c->cpu & CPU_TPR_SHADOW) == 0)
		c->cpu |= CPU_CR8_LOAD | CPU_CR8_STORE;
	c->apic = apic_modes(c);
	/* They are switched on when the guest's APIC is in the mode for them. */
	c->cpu2 &= ~(CPU2_IN_XAPIC | CPU2_IN_X2APIC);
	/* 26.2.1.1: posted interrupts need both; acknowledging is of no other use. */
	c->posted = (c->pin & PIN_POSTED) != 0 && (c->exit & EXIT_ACK) != 0 && c->apic != 0;
	c->pin &= ~PIN_POSTED;
	c->exit &= ~EXIT_ACK;
}

/* One reason a line, the first that is true. */
static const char *missing(const struct vmx_capabilities *c, uint32_t pin, uint32_t cpu, uint32_t cpu2, uint32_t rest)
{
	if ((cpu & CPU_SECONDARY) != 0 || (cpu2 & CPU2_EPT) != 0)
		return "EPT (extended page tables)";
	if ((cpu2 & CPU2_UNRESTRICTED) != 0)
		return "VMX unrestricted guest mode";
	if ((pin & PIN_VIRTUAL_NMI) != 0)
		return "VMX virtual NMIs";
	if ((c->ept_vpid & EPT_MUST) != EPT_MUST || (c->ept_vpid & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL)) == 0)
		return "EPT with four levels, write-back tables and INVEPT";
	return (pin | cpu | cpu2 | rest) != 0 ? "VMX controls that are needed" : NULL;
}

const char *vmx_find_capabilities(uint64_t (*read)(uint32_t msr), bool plain, struct vmx_capabilities *c)
{
	uint64_t basic = read(MSR_VMX_BASIC);
	uint32_t pin, cpu, cpu2 = CPU2_MUST, rest;

	*c = (struct vmx_capabilities){ .revision = (uint32_t)basic & BASIC_REVISION,
					.cr0_fixed0 = read(MSR_VMX_CR0_FIXED0),
					.cr0_fixed1 = read(MSR_VMX_CR0_FIXED1),
					.cr4_fixed0 = read(MSR_VMX_CR4_FIXED0),
					.cr4_fixed1 = read(MSR_VMX_CR4_FIXED1),
					.misc = read(MSR_VMX_MISC) };
	pin = vmx_adjust(controls_msr(read, basic, MSR_VMX_PIN, MSR_VMX_TRUE_PIN), PIN_MUST, plain ? 0 : PIN_MAY,
			 &c->pin);
	cpu = vmx_adjust(controls_msr(read, basic, MSR_VMX_CPU, MSR_VMX_TRUE_CPU), CPU_MUST, plain ? 0 : CPU_MAY,
			 &c->cpu);
	/* The MSRs of secondary controls and of EPT are there with their controls only (A.3.3, A.10). */
	if ((cpu & CPU_SECONDARY) == 0)
		cpu2 = vmx_adjust(read(MSR_VMX_CPU2), CPU2_MUST, CPU2_RDTSCP | (plain ? 0 : CPU2_MAY), &c->cpu2);
	if ((cpu2 & CPU2_EPT) == 0)
		c->ept_vpid = read(MSR_VMX_EPT_VPID_CAP);
	rest = vmx_adjust(controls_msr(read, basic, MSR_VMX_EXIT, MSR_VMX_TRUE_EXIT), EXIT_MUST, plain ? 0 : EXIT_MAY,
			  &c->exit);
	rest |= vmx_adjust(controls_msr(read, basic, MSR_VMX_ENTRY, MSR_VMX_TRUE_ENTRY), ENTRY_MUST, 0, &c->entry);
	drop_unusable(c);
	return missing(c, pin, cpu, cpu2, rest);
}
