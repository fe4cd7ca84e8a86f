/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CPU's VMX can do and must have, by its capability MSRs (Intel SDM 3D, appendix A). */
#ifndef VMX_CAPABILITIES_H
#define VMX_CAPABILITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/hvm/cpu.h"
#include "arch/x86_64/hvm/vmx/vmcs.h"

/** Values of the controls as they are used, and what else is known. */
struct vmx_capabilities {
	uint32_t revision; /**< of the VMCS */
	uint32_t pin, cpu, cpu2, exit, entry;
	uint64_t cr0_fixed0, cr0_fixed1; /**< bits that must be 1, and that may be 1 */
	uint64_t cr4_fixed0, cr4_fixed1;
	uint64_t ept_vpid; /**< EPT_CAP_*, VPID_CAP_* */
	uint64_t misc;
	uint8_t apic; /**< modes in which it can take a local APIC over: bits 1 << enum x86_apic_mode */
	bool posted;  /**< in these it takes interrupts of other CPUs, with PIN_POSTED and EXIT_ACK */
};

/**
 * Adjusts controls to a capability MSR (A.3.1): its low half has the bits that must be 1, its high half those that may
 * be. `must` are needed, `may` are taken where the CPU has them. Returns the bits of `must` that it does not have.
 */
uint32_t vmx_adjust(uint64_t capability, uint32_t must, uint32_t may, uint32_t *controls);

/**
 * Reads the MSRs by rdmsr() and chooses all controls; `plain`: without those that are there for speed only. Returns
 * NULL, or what is missing for the engine, for hvm_missing().
 */
const char *vmx_find_capabilities(uint64_t (*read)(uint32_t msr), bool plain, struct vmx_capabilities *out);

#endif
