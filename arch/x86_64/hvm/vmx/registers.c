/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control registers: those that the VMCS has, those that stay in the CPU, and exits of the guest's accesses to bits that
 * it does not own. Section numbers are of the Intel SDM: 3A for the registers, 3C for VMX.
 */
#include <string.h>

#include "arch/x86_64/hvm/vmx/insn.h"
#include "arch/x86_64/hvm/vmx/vmx.h"
#include "arch/x86_64/pc/x86.h"

#define TASK_PRIORITY 0x80u /* in the virtual-APIC page (29.1.1) */

/*
 * Bits of CR4 that the guest may set, if its CPU has them: VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP
 * FSGSBASE OSXSAVE SMEP SMAP. The others belong to what CPUID does not tell.
 */
#define CR4_GUEST (0x7ffu | 1u << 11 | 1u << 16 | 1u << 18 | 1u << 20 | 1u << 21)

#define PDPTE_RESERVED 0x1e6ull /* 4.4.1 */

/* 23.8: an unrestricted guest may have both off. */
#define CR0_FREE (X86_CR0_PE | X86_CR0_PG)

/* Caches are the host's business: CD and NW never reach the CPU. */
uint64_t vmx_cr0_mask(void)
{
	return ((vmx_capabilities.cr0_fixed0 | ~vmx_capabilities.cr0_fixed1) & ~(uint64_t)CR0_FREE) | X86_CR0_CD |
	       X86_CR0_NW;
}

uint64_t vmx_cr4_mask(void)
{
	return vmx_capabilities.cr4_fixed0 | ~(vmx_capabilities.cr4_fixed1 & CR4_GUEST);
}

static void set_cr0(struct x86_cpu *c, uint64_t value)
{
	struct vmx_state *s = &vmx_of(c)->state;

	vmx_set_field(s, VMX_CR0,
		      (value & ~vmx_cr0_mask()) | (vmx_capabilities.cr0_fixed0 & ~(uint64_t)CR0_FREE) | X86_CR0_ET);
	vmx_set_field(s, VMX_CR0_SHADOW, value);
}

static void set_cr4(struct x86_cpu *c, uint64_t value)
{
	struct vmx_state *s = &vmx_of(c)->state;

	vmx_set_field(s, VMX_CR4, (value & ~vmx_cr4_mask()) | vmx_capabilities.cr4_fixed0);
	vmx_set_field(s, VMX_CR4_SHADOW, value);
}

static uint64_t seen(struct vmx_state *s, unsigned field, unsigned shadow, uint64_t mask)
{
	return (vmx_get_field(s, field) & ~mask) | (vmx_get_field(s, shadow) & mask);
}

/* The entry control has to agree with LMA (26.3.1.1). */
static void set_efer(struct x86_cpu *c, uint64_t value)
{
	struct vmx_state *s = &vmx_of(c)->state;
	uint64_t entry = vmx_get_field(s, VMX_ENTRY) & ~(uint64_t)ENTRY_IA32E;

	vmx_set_field(s, VMX_EFER, value);
	vmx_set_field(s, VMX_ENTRY, (value & X86_EFER_LMA) != 0 ? entry | ENTRY_IA32E : entry);
}

/* Its registers are in its CPU, which is this one then (leave() in hvm.h), and not in memory. */
static bool is_loaded(struct x86_cpu *c)
{
	const struct vmx *s = vmx_of(c);

	return s->cpu != NULL && s->cpu->loaded == c;
}

/* Fields that are not known come from the VMCS, which has to be current then. */
static struct vmx_state *state_of(struct x86_cpu *c)
{
	struct vmx *s = vmx_of(c);

	if (!vmx_knows_fields(&s->state))
		vmx_load(c);
	return &s->state;
}

uint64_t vmx_get(struct x86_cpu *c, enum x86_control which)
{
	struct vmx *s = vmx_of(c);
	uint64_t value;

	switch (which) {
	case X86_CR0: return seen(state_of(c), VMX_CR0, VMX_CR0_SHADOW, vmx_cr0_mask());
	case X86_CR2: return is_loaded(c) ? read_cr2() : s->cr2;
	case X86_CR3: return vmx_get_field(state_of(c), VMX_CR3);
	case X86_CR4: return seen(state_of(c), VMX_CR4, VMX_CR4_SHADOW, vmx_cr4_mask());
	case X86_CR8: return s->apic[TASK_PRIORITY] >> 4;
	case X86_EFER: return vmx_get_field(state_of(c), VMX_EFER);
	case X86_DR6:
		if (!is_loaded(c))
			return s->dr6;
		__asm__ volatile("mov %%dr6, %0" : "=r"(value));
		return value;
	case X86_DR7: return vmx_get_field(state_of(c), VMX_DR7);
	default: return 0;
	}
}

void vmx_set(struct x86_cpu *c, enum x86_control which, uint64_t value)
{
	struct vmx *s = vmx_of(c);

	switch (which) {
	case X86_CR0: set_cr0(c, value); break;
	case X86_CR2:
		s->cr2 = value;
		if (is_loaded(c))
			__asm__ volatile("mov %0, %%cr2" : : "r"(value));
		break;
	case X86_CR3: vmx_set_field(&s->state, VMX_CR3, value); break;
	case X86_CR4: set_cr4(c, value); break;
	case X86_CR8: s->apic[TASK_PRIORITY] = (uint8_t)((value & 0xf) << 4); break;
	case X86_EFER: set_efer(c, value); break;
	case X86_DR6:
		s->dr6 = value;
		if (is_loaded(c))
			__asm__ volatile("mov %0, %%dr6" : : "r"(value));
		break;
	case X86_DR7: vmx_set_field(&s->state, VMX_DR7, value); break;
	default: break;
	}
}

void vmx_load_segment(struct x86_cpu *c, enum x86_segment_number n, struct x86_segment *out)
{
	vmx_get_segment(state_of(c), n, out);
}

void vmx_store_segment(struct x86_cpu *c, enum x86_segment_number n, const struct x86_segment *s)
{
	vmx_set_segment(state_of(c), n, s);
}

/* --- exits */

/* 4.4.1: PAE paging keeps its four top entries in the CPU. False: one of them is not allowed. */
static bool load_pdptes(struct x86_cpu *c)
{
	uint64_t entries[4];

	if (memory_read(&c->vcpu.vm->memory, vmx_get(c, X86_CR3) & 0xffffffe0u, entries, sizeof(entries)) != 0)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		if ((entries[i] & 1) != 0 && (entries[i] & PDPTE_RESERVED) != 0)
			return false;
	}
	for (unsigned i = 0; i < 4; i++)
		vmx_set_field(&vmx_of(c)->state, VMX_PDPTE + i, entries[i]);
	return true;
}

static bool uses_pae(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (cr0 & X86_CR0_PG) != 0 && (cr4 & X86_CR4_PAE) != 0 && (efer & X86_EFER_LMA) == 0;
}

/* 2.5, 4.1.2, 9.8.5: false is #GP. */
static bool write_cr0_exit(struct x86_cpu *c, uint64_t value)
{
	uint64_t efer = vmx_get(c, X86_EFER), cr4 = vmx_get(c, X86_CR4);
	bool paging = (value & X86_CR0_PG) != 0;

	if (value >> 32 != 0 || (paging && (value & X86_CR0_PE) == 0) ||
	    ((value & X86_CR0_NW) != 0 && (value & X86_CR0_CD) == 0))
		return false;
	if (paging && (efer & (X86_EFER_LME | X86_EFER_LMA)) == X86_EFER_LME) {
		struct x86_segment cs;

		vmx_load_segment(c, X86_CS, &cs);
		if ((cr4 & X86_CR4_PAE) == 0 || (cs.attributes & X86_SEG_LONG) != 0)
			return false;
		efer |= X86_EFER_LMA;
	} else if (!paging) {
		if (x86_is_64bit(c))
			return false;
		efer &= ~(uint64_t)X86_EFER_LMA;
	}
	if (uses_pae(value, cr4, efer) && !load_pdptes(c))
		return false;
	set_cr0(c, value | X86_CR0_ET);
	set_efer(c, efer);
	return true;
}

/* Only writes to bits that the guest cannot have come here: those of 1 are #GP. */
static bool write_cr4_exit(struct x86_cpu *c, uint64_t value)
{
	uint64_t efer = vmx_get(c, X86_EFER);

	if ((value & vmx_cr4_mask()) != 0 || ((efer & X86_EFER_LMA) != 0 && (value & X86_CR4_PAE) == 0))
		return false;
	if (uses_pae(vmx_get(c, X86_CR0), value, efer) && !load_pdptes(c))
		return false;
	set_cr4(c, value);
	return true;
}

static bool write_cr3_exit(struct x86_cpu *c, uint64_t value)
{
	vmx_set(c, X86_CR3, value);
	return !uses_pae(vmx_get(c, X86_CR0), vmx_get(c, X86_CR4), vmx_get(c, X86_EFER)) || load_pdptes(c);
}

static bool to_register(struct x86_cpu *c, unsigned number, uint64_t value)
{
	switch (number) {
	case 0: return write_cr0_exit(c, value);
	case 3: return write_cr3_exit(c, value);
	case 4: return write_cr4_exit(c, value);
	case 8:
		if (value > 15)
			return false;
		vmx_set(c, X86_CR8, value);
		return true;
	default: return false;
	}
}

static void access(struct x86_cpu *c, const struct hvm_exit *x)
{
	uint64_t q = x->info1, *gpr = &c->gpr[CR_REGISTER(q)], mask = x86_is_64bit(c) ? UINT64_MAX : UINT32_MAX;

	if (CR_TYPE(q) == CR_FROM) {
		*gpr = vmx_get(c, CR_NUMBER(q) == 8 ? X86_CR8 : X86_CR3) & mask;
	} else if (CR_TYPE(q) != CR_TO || !to_register(c, CR_NUMBER(q), *gpr & mask)) {
		x86_raise(c, X86_GP, 0);
		return;
	}
	/* Every write may change how addresses are translated (4.10.4.1). */
	if (CR_TYPE(q) == CR_TO && CR_NUMBER(q) != 8)
		vmx_of(c)->drop = true;
	hvm_advance(c, x->length);
}

static void xsetbv(struct x86_cpu *c, const struct hvm_exit *x)
{
	uint64_t value = c->gpr[X86_RDX] << 32 | (uint32_t)c->gpr[X86_RAX];

	if ((uint32_t)c->gpr[X86_RCX] != 0 || x86_cpl(c) != 0 || !hvm_fpu_set_xcr0(c, value))
		x86_raise(c, X86_GP, 0);
	else
		hvm_advance(c, x->length);
}

void vmx_handle(struct x86_cpu *c, const struct hvm_exit *x)
{
	switch (x->code) {
	case REASON_CR: access(c, x); break;
	case REASON_XSETBV: xsetbv(c, x); break;
	case REASON_EOI: vmx_apic_end(c, (uint8_t)x->info1); break;
	case REASON_APIC_WRITE: vmx_apic_written(c, vmx_of(c), x->info1); break;
	default: x86_give_up(c, "it switches tasks by hardware, which husk does not do on Intel's CPUs"); break;
	}
}
