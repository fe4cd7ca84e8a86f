/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC taken over by the CPU (Intel SDM 3C, chapter 29): it delivers interrupts and takes notice of their ends,
 * in x2APIC mode by MSRs (29.5), in xAPIC mode by a page that the guest reads and writes without an exit where nothing
 * has to be done (29.4). While the guest runs, requests and interrupts in service are in the virtual-APIC page, the
 * highest of each in the guest interrupt status; the APIC that the image has gets them back after each exit. Requests of
 * other CPUs need no exit either: the CPU takes them from a descriptor when it is notified (29.6).
 */
#include <string.h>

#include "arch/x86_64/hvm/nested.h"
#include "arch/x86_64/hvm/posted.h"
#include "arch/x86_64/hvm/vmx/insn.h"
#include "arch/x86_64/hvm/vmx/vmx.h"
#include "arch/x86_64/pc/apic.h"
#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/trap.h"
#include "arch/x86_64/pc/x86.h"

/* Registers in the page (3A, table 10-1) and their MSRs (table 10-6) */
#define SERVICE         0x100u /* 8 of 32 bits, 16 bytes apart */
#define LEVEL           0x180u
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

/*
 * 29.4: the guest's page of registers is mapped to the APIC-access page, of which the CPU makes the virtual-APIC page.
 * False: there is no memory for its tables.
 */
static bool map_page(struct vmx *s, uint64_t gpa, bool on)
{
	static const struct nested_format f = { .table = EPT_READ | EPT_WRITE | EPT_EXECUTE };
	uint64_t *entry = nested_entry(&f, s->ept_root, gpa);

	if (entry == NULL)
		return false;
	*entry = on ? (uintptr_t)s->apic_access | EPT_READ | EPT_WRITE | EPT_TYPE_WB : 0;
	s->drop = true;
	return true;
}

static void switch_to(struct vmx *s, enum x86_apic_mode mode)
{
	bool x2 = mode == X86_APIC_X2;

	vmx_write(VMCS_CPU2, s->cpu2_controls | (x2 ? CPU2_IN_X2APIC : mode == X86_APIC_X1 ? CPU2_IN_XAPIC : 0));
	vmx_pass_msr(s, MSR_X2_TPR, false, x2);
	vmx_pass_msr(s, MSR_X2_TPR, true, x2);
	vmx_pass_msr(s, MSR_X2_EOI, true, x2);
	vmx_pass_msr(s, MSR_X2_SELF_IPI, true, x2);
	s->apic_mode = mode;
	s->apic_shown = false;
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

/* What the guest reads there changes only by what it writes, which exits. */
static void show(struct vmx *s, struct x86_virtual_apic *v)
{
	put(s, LEVEL, v->level);
	if (!s->apic_shown)
		v->show(v, s->apic);
	s->apic_shown = true;
}

/* How the CPU shall have the APIC from now on. */
static enum x86_apic_mode choose(struct x86_cpu *c, struct vmx *s)
{
	const struct x86_virtual_apic *v = c->virtual_apic;
	enum x86_apic_mode mode = v != NULL ? v->mode(v) : X86_APIC_OFF;
	bool paged;

	if ((c->hardware_apic >> mode & 1) == 0)
		mode = X86_APIC_OFF;
	paged = mode == X86_APIC_X1;
	if (paged == s->apic_paged)
		return mode;
	if (map_page(s, v->page, paged)) {
		s->apic_paged = paged;
		return mode;
	}
	c->hardware_apic &= (uint8_t) ~(1u << X86_APIC_X1);
	return X86_APIC_OFF;
}

/* A debugger that holds interrupts back holds these, too. */
static void choose_posted(struct x86_cpu *c, struct vmx *s)
{
	bool posted = vmx_capabilities.posted && c->posted != NULL && s->apic_mode != X86_APIC_OFF &&
		      !c->vcpu.debug.hold_interrupts;

	if (posted == s->posted)
		return;
	s->posted = posted;
	vmx_write(VMCS_PIN, vmx_capabilities.pin | (posted ? PIN_POSTED : 0));
}

void vmx_apic_before(struct x86_cpu *c, struct vmx *s)
{
	struct x86_virtual_apic *v = c->virtual_apic;
	enum x86_apic_mode mode = choose(c, s);

	if (mode != s->apic_mode)
		switch_to(s, mode);
	choose_posted(c, s);
	if (mode == X86_APIC_OFF)
		return;
	put(s, REQUEST, v->request);
	put(s, SERVICE, v->service);
	if (mode == X86_APIC_X1)
		show(s, v);
	write_eoi_exits(s, v->level);
	vmx_write(VMCS_GUEST_INTERRUPT, (c->vcpu.debug.hold_interrupts ? 0 : highest(v->request)) | highest(v->service)
													    << 8);
}

void vmx_apic_after(struct x86_cpu *c, struct vmx *s)
{
	if (s->apic_mode == X86_APIC_OFF)
		return;
	take(s, REQUEST, c->virtual_apic->request);
	take(s, SERVICE, c->virtual_apic->service);
}

/* A notification from before the guest is handled as any interrupt of the host, and does nothing. */
void vmx_apic_enter(struct x86_cpu *c, struct vmx *s)
{
	if (!s->posted)
		return;
	irq_disable();
	if (!x86_posted_enter(c->posted, cpu_this()->apic_id))
		vcpu_kick(&c->vcpu, ATTN_IRQ);
}

void vmx_apic_leave(struct x86_cpu *c, struct vmx *s)
{
	if (s->posted && !x86_posted_leave(c->posted))
		vcpu_kick(&c->vcpu, ATTN_IRQ);
}

void vmx_apic_notify(uint32_t id)
{
	apic_send(id, VECTOR_POSTED);
}

void vmx_apic_end(struct x86_cpu *c, uint8_t vector)
{
	c->virtual_apic->ended(c->virtual_apic, vector);
}

uint64_t vmx_apic_accessed(struct x86_cpu *c, struct vmx *s, uint64_t offset)
{
	s->apic_shown = false;
	return c->virtual_apic->page + offset;
}

/* 29.4.3.2: as a trap, behind the instruction. The page has the value. */
void vmx_apic_written(struct x86_cpu *c, struct vmx *s, uint64_t offset)
{
	c->virtual_apic->written(c->virtual_apic, s->apic, (unsigned)offset & 0xff0u);
	s->apic_shown = false;
}
