/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's registers that are fields of the VMCS. They are read when they are asked for, once an exit, and written
 * before the next entry: so the VMCS has to be current for neither resets nor machines that set registers, and exits
 * that look at nothing cost nothing.
 */
#ifndef VMX_STATE_H
#define VMX_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/hvm/cpu.h"

/** Fields, in the order of segments in VMCS and enum x86_segment_number, which is one. */
enum vmx_field {
	VMX_SELECTOR,
	VMX_LIMIT = VMX_SELECTOR + X86_GDTR,
	VMX_ACCESS = VMX_LIMIT + X86_SEGMENTS,
	VMX_BASE = VMX_ACCESS + X86_GDTR,
	VMX_CR0 = VMX_BASE + X86_SEGMENTS,
	VMX_CR3,
	VMX_CR4,
	VMX_CR0_SHADOW, /**< what the guest sees of bits that it does not own */
	VMX_CR4_SHADOW,
	VMX_DR7,
	VMX_DEBUGCTL,
	VMX_EFER,
	VMX_PAT,
	VMX_SYSENTER_CS,
	VMX_SYSENTER_ESP,
	VMX_SYSENTER_EIP,
	VMX_BLOCKING,
	VMX_ACTIVITY,
	VMX_PENDING_DEBUG,
	VMX_ENTRY, /**< entry controls, in which the CPU keeps ENTRY_IA32E */
	VMX_PDPTE,
	VMX_FIELDS = VMX_PDPTE + 4,
};
_Static_assert(VMX_FIELDS <= 64, "a bit for each");

/** Values, and which of them are known, and which differ from the VMCS. */
struct vmx_state {
	uint64_t value[VMX_FIELDS];
	uint64_t known, changed;
};

/** Value of a field; reads it from the current VMCS if it is not known. */
uint64_t vmx_get_field(struct vmx_state *s, unsigned field);

/** Sets a field for the next entry. */
void vmx_set_field(struct vmx_state *s, unsigned field, uint64_t value);

/** Writes what has changed to the current VMCS. */
void vmx_flush_fields(struct vmx_state *s);

/** Makes the next flush write everything: the VMCS is a new one. All fields must be known. */
void vmx_rewrite_fields(struct vmx_state *s);

/** The guest has run: what it can change is not known any more. */
void vmx_forget_fields(struct vmx_state *s);

/** Reads what is not known, so that all of it is. */
void vmx_learn_fields(struct vmx_state *s);

/** True if no VMCS is needed to read fields. */
bool vmx_knows_fields(const struct vmx_state *s);

/** Everything zero, to be written at the next flush. */
void vmx_zero_fields(struct vmx_state *s);

/** Segments, in our form and the VMCS's. */
void vmx_get_segment(struct vmx_state *s, enum x86_segment_number n, struct x86_segment *out);
void vmx_set_segment(struct vmx_state *s, enum x86_segment_number n, const struct x86_segment *from);

#endif
