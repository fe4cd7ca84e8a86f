/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/hvm/vmx/state.h"

#include <string.h>

#include "arch/x86_64/hvm/vmx/insn.h"
#include "arch/x86_64/hvm/vmx/vmcs.h"

#define ALL ((uint64_t)-1 >> (64 - VMX_FIELDS))
/* The CPU never writes these. */
#define OURS ((uint64_t)1 << VMX_CR0_SHADOW | (uint64_t)1 << VMX_CR4_SHADOW)

/* Runs of fields that follow each other in both numberings, by steps of 2 in the VMCS. */
static const struct {
	uint8_t first;
	uint16_t vmcs;
} runs[] = {
	{ VMX_PDPTE, VMCS_GUEST_PDPTE },
	{ VMX_ENTRY, VMCS_ENTRY },
	{ VMX_PENDING_DEBUG, VMCS_GUEST_PENDING_DEBUG },
	{ VMX_BLOCKING, VMCS_GUEST_BLOCKING }, /* and VMX_ACTIVITY */
	{ VMX_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP },
	{ VMX_SYSENTER_CS, VMCS_GUEST_SYSENTER_CS },
	{ VMX_PAT, VMCS_GUEST_PAT },
	{ VMX_EFER, VMCS_GUEST_EFER },
	{ VMX_DEBUGCTL, VMCS_GUEST_DEBUGCTL },
	{ VMX_DR7, VMCS_GUEST_DR7 },
	{ VMX_CR0_SHADOW, VMCS_CR0_SHADOW },
	{ VMX_CR0, VMCS_GUEST_CR0 },
	{ VMX_BASE, VMCS_GUEST_BASE },
	{ VMX_ACCESS, VMCS_GUEST_ACCESS },
	{ VMX_LIMIT, VMCS_GUEST_LIMIT },
	{ VMX_SELECTOR, VMCS_GUEST_SELECTOR },
};

static uint64_t number_of(unsigned field)
{
	unsigned i = 0;

	while (runs[i].first > field)
		i++;
	return runs[i].vmcs + 2 * (field - runs[i].first);
}

uint64_t vmx_get_field(struct vmx_state *s, unsigned field)
{
	if ((s->known >> field & 1) == 0) {
		s->value[field] = vmx_read(number_of(field));
		s->known |= (uint64_t)1 << field;
	}
	return s->value[field];
}

void vmx_set_field(struct vmx_state *s, unsigned field, uint64_t value)
{
	s->value[field] = value;
	s->known |= (uint64_t)1 << field;
	s->changed |= (uint64_t)1 << field;
}

void vmx_flush_fields(struct vmx_state *s)
{
	for (; s->changed != 0; s->changed &= s->changed - 1) {
		unsigned field = (unsigned)__builtin_ctzll(s->changed);

		vmx_write(number_of(field), s->value[field]);
	}
}

void vmx_rewrite_fields(struct vmx_state *s)
{
	s->changed = ALL;
}

void vmx_forget_fields(struct vmx_state *s)
{
	s->known &= OURS;
}

void vmx_learn_fields(struct vmx_state *s)
{
	for (unsigned field = 0; field < VMX_FIELDS; field++)
		vmx_get_field(s, field);
}

bool vmx_knows_fields(const struct vmx_state *s)
{
	return s->known == ALL;
}

void vmx_zero_fields(struct vmx_state *s)
{
	memset(s->value, 0, sizeof(s->value));
	s->known = s->changed = ALL;
}

/* 24.4.1: a segment register without a segment is "unusable", whatever else it has; SS keeps its DPL, which is CPL. */
static uint16_t attributes_of(uint64_t access)
{
	uint16_t attributes = (uint16_t)((access & 0xff) | (access >> 4 & 0xf00));

	return (access & ACCESS_UNUSABLE) != 0 ? attributes & (uint16_t)~X86_SEG_PRESENT : attributes;
}

static uint64_t access_of(uint16_t attributes)
{
	uint64_t access = (attributes & 0xffu) | (attributes & 0xf00u) << 4;

	return (attributes & X86_SEG_PRESENT) != 0 ? access : access | ACCESS_UNUSABLE;
}

void vmx_get_segment(struct vmx_state *s, enum x86_segment_number n, struct x86_segment *out)
{
	*out = (struct x86_segment){ .limit = (uint32_t)vmx_get_field(s, VMX_LIMIT + n),
				     .base = vmx_get_field(s, VMX_BASE + n) };
	if (n >= X86_GDTR)
		return;
	out->selector = (uint16_t)vmx_get_field(s, VMX_SELECTOR + n);
	out->attributes = attributes_of(vmx_get_field(s, VMX_ACCESS + n));
}

void vmx_set_segment(struct vmx_state *s, enum x86_segment_number n, const struct x86_segment *from)
{
	vmx_set_field(s, VMX_LIMIT + n, from->limit);
	vmx_set_field(s, VMX_BASE + n, from->base);
	if (n >= X86_GDTR)
		return;
	vmx_set_field(s, VMX_SELECTOR + n, from->selector);
	vmx_set_field(s, VMX_ACCESS + n, access_of(from->attributes));
}
