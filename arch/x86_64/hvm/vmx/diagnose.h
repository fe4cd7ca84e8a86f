/* SPDX-License-Identifier: BSD-2-Clause */
/* Why the CPU refuses to enter the guest, in words. */
#ifndef VMX_DIAGNOSE_H
#define VMX_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86_64/hvm/vmx/capabilities.h"

/** A VMCS to be judged. */
struct vmx_subject {
	uint64_t (*read)(void *ctx, uint64_t field);
	void *ctx;
	const struct vmx_capabilities *can;
	unsigned address_bits; /**< of physical addresses */
};

/** What is wrong: a field, its value, and the rule that it breaks. */
struct vmx_finding {
	const char *field;
	uint64_t value;
	const char *rule;
};

/** Finds the first field of the guest state that breaks a rule of SDM 3C, 26.3.1. False: none is known to. */
bool vmx_check_guest(const struct vmx_subject *s, struct vmx_finding *out);

/** ...of the controls and host state (26.2). */
bool vmx_check_controls(const struct vmx_subject *s, struct vmx_finding *out);

/** Name of a VM-instruction error (30.4). */
const char *vmx_instruction_error(uint32_t error);

/** Logs why VMLAUNCH or VMRESUME failed with this error; the VMCS is current. */
void vmx_explain_refusal(uint32_t error);

struct vmx_msr;

/** Logs why an entry ended with this reason and qualification; `msrs` is what was to be loaded. */
void vmx_explain_exit(uint32_t reason, uint64_t qualification, const struct vmx_msr *msrs);

#endif
