/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of the local APIC delivered by the CPU: virtual-interrupt delivery in x2APIC mode (Intel SDM 3C, 29.2 and
 * 29.5). While the guest runs, requests and interrupts in service are in the virtual-APIC page, the highest of each in
 * the guest interrupt status; the APIC that the image has gets them back after each exit.
 */
#include <string.h>

#include "arch/x86_64/hvm/vmx/insn.h"
#include "arch/x86_64/hvm/vmx/vmx.h"

/* Registers in the page (3A, table 10-1) and their MSRs (table 10-6) */
#define SERVICE         0x100u /* 8 of 32 bits, 16 bytes apart */
#define REQUEST         0x200u
#define MSR_X2_TPR      0x808u
#define MSR_X2_EOI      0x80bu
#define MSR_X2_SELF_IPI 0x83fu

static void put(struct vmx *s, unsigned at, const uint32_t bits[8])
{
	for (unsigned i = 0; i < 8; i++)
		memcpy(s->apic + at + 16 * i, &bits[i], sizeof(bits[i]));
}

static void take(const struct vmx *s, unsigned at, uint32_t bits[8])
{
	for (unsigned i = 0; i < 8; i++)
		memcpy(&bits[i], s->apic + at + 16 * i, sizeof(bits[i]));
}

/* Highest vector; 0 if there is none. */
static unsigned highest(const uint32_t bits[8])
{
	for (unsigned i = 8; i-- > 0;) {
		if (bits[i] != 0)
			return 32 * i + 31 - (unsigned)__builtin_clz(bits[i]);
	}
	return 0;
}

static void switch_on(struct vmx *s, bool on)
{
	uint32_t controls = s->cpu2_controls;

	vmx_write(VMCS_CPU2, on ? controls | CPU2_X2APIC | CPU2_APIC_DELIVERY : controls);
	vmx_pass_msr(s, MSR_X2_TPR, false, on);
	vmx_pass_msr(s, MSR_X2_TPR, true, on);
	vmx_pass_msr(s, MSR_X2_EOI, true, on);
	vmx_pass_msr(s, MSR_X2_SELF_IPI, true, on);
	s->apic_on = on;
}

/* Ends of level-triggered interrupts are for an I/O APIC to hear of. */
static void write_eoi_exits(struct vmx *s, const uint32_t level[8])
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t bits = level[2 * i] | (uint64_t)level[2 * i + 1] << 32;

		if (s->eoi_exits[i] == bits)
			continue;
		s->eoi_exits[i] = bits;
		vmx_write(VMCS_EOI_EXIT + 2 * i, bits);
	}
}

void vmx_apic_before(struct x86_cpu *c, struct vmx *s)
{
	const struct x86_virtual_apic *v = c->virtual_apic;
	bool on = c->hardware_apic && v != NULL && v->is_ready(v);

	if (on != s->apic_on)
		switch_on(s, on);
	if (!on)
		return;
	put(s, REQUEST, v->request);
	put(s, SERVICE, v->service);
	write_eoi_exits(s, v->level);
	/* A debugger that holds interrupts back holds these, too. */
	vmx_write(VMCS_GUEST_INTERRUPT, (c->vcpu.debug.hold_interrupts ? 0 : highest(v->request)) | highest(v->service)
													    << 8);
}

void vmx_apic_after(struct x86_cpu *c, struct vmx *s)
{
	if (!s->apic_on)
		return;
	take(s, REQUEST, c->virtual_apic->request);
	take(s, SERVICE, c->virtual_apic->service);
}

void vmx_apic_end(struct x86_cpu *c, uint8_t vector)
{
	c->virtual_apic->ended(c->virtual_apic, vector);
}
