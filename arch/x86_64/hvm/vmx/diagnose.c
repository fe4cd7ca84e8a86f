/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules that the CPU checks at VM entry, once more, because it tells only that one of them is broken. Section
 * numbers are of the Intel SDM, volume 3C. The guest is unrestricted and not in virtual-8086 mode where that matters.
 */
#include "arch/x86_64/hvm/vmx/diagnose.h"

#include "arch/x86_64/hvm/cpu.h"

#define EFER_BITS (X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE)

#define RFLAGS_VM   (1u << 17)
#define RFLAGS_ZERO 0xffffffffffc08028ull

#define TYPE(access)  ((access)&15u)
#define CODE_OR_DATA  (1u << 4)
#define ACCESS_LONG   (1u << 13)
#define ACCESS_BIG    (1u << 14)
#define ACCESS_PAGES  (1u << 15)
#define ACCESS_ZERO   0xfffe0f00u
#define EVENT_VALID   (1u << 31)
#define EVENT_TYPE(w) ((w) >> 8 & 7u)

static uint64_t get(const struct vmx_subject *s, uint64_t field)
{
	return s->read(s->ctx, field);
}

static bool broken(struct vmx_finding *out, const char *field, uint64_t value, const char *rule)
{
	*out = (struct vmx_finding){ field, value, rule };
	return true;
}

static bool is_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

static bool is_long(const struct vmx_subject *s)
{
	return (get(s, VMCS_ENTRY) & ENTRY_IA32E) != 0;
}

/* 26.3.1.1 */
static bool check_control_registers(const struct vmx_subject *s, struct vmx_finding *out)
{
	uint64_t cr0 = get(s, VMCS_GUEST_CR0), cr4 = get(s, VMCS_GUEST_CR4), cr3 = get(s, VMCS_GUEST_CR3);
	const uint64_t free = X86_CR0_PE | X86_CR0_PG;

	if ((~cr0 & s->can->cr0_fixed0 & ~free) != 0)
		return broken(out, "CR0", cr0, "a bit that IA32_VMX_CR0_FIXED0 wants to be 1 is 0");
	if ((cr0 & ~s->can->cr0_fixed1) != 0)
		return broken(out, "CR0", cr0, "a bit that IA32_VMX_CR0_FIXED1 wants to be 0 is 1");
	if ((cr0 & X86_CR0_PG) != 0 && (cr0 & X86_CR0_PE) == 0)
		return broken(out, "CR0", cr0, "paging (PG) is on and protection (PE) is off");
	if ((~cr4 & s->can->cr4_fixed0) != 0)
		return broken(out, "CR4", cr4, "a bit that IA32_VMX_CR4_FIXED0 wants to be 1 is 0");
	if ((cr4 & ~s->can->cr4_fixed1) != 0)
		return broken(out, "CR4", cr4, "a bit that IA32_VMX_CR4_FIXED1 wants to be 0 is 1");
	if (is_long(s) && (cr0 & X86_CR0_PG) == 0)
		return broken(out, "CR0", cr0, "paging (PG) is off in 64-bit mode");
	if (is_long(s) && (cr4 & X86_CR4_PAE) == 0)
		return broken(out, "CR4", cr4, "PAE is off in 64-bit mode");
	if (cr3 >> s->address_bits != 0)
		return broken(out, "CR3", cr3, "it lies beyond the CPU's physical addresses");
	return false;
}

static bool is_pat(uint64_t pat)
{
	for (unsigned i = 0; i < 8; i++) {
		unsigned type = pat >> 8 * i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool check_msrs(const struct vmx_subject *s, struct vmx_finding *out)
{
	uint64_t efer = get(s, VMCS_GUEST_EFER), dr7 = get(s, VMCS_GUEST_DR7), pat = get(s, VMCS_GUEST_PAT);
	bool lma = (efer & X86_EFER_LMA) != 0, lme = (efer & X86_EFER_LME) != 0;
	uint64_t esp = get(s, VMCS_GUEST_SYSENTER_ESP), eip = get(s, VMCS_GUEST_SYSENTER_EIP);

	if (dr7 >> 32 != 0)
		return broken(out, "DR7", dr7, "its upper half is not 0");
	if (!is_canonical(esp))
		return broken(out, "SYSENTER_ESP", esp, "it is not a canonical address");
	if (!is_canonical(eip))
		return broken(out, "SYSENTER_EIP", eip, "it is not a canonical address");
	if (!is_pat(pat))
		return broken(out, "PAT", pat, "one of its eight memory types does not exist");
	if ((efer & ~(uint64_t)EFER_BITS) != 0)
		return broken(out, "EFER", efer, "a reserved bit is 1");
	if (lma != is_long(s))
		return broken(out, "EFER", efer, "LMA differs from the entry control \"IA-32e mode guest\"");
	if ((get(s, VMCS_GUEST_CR0) & X86_CR0_PG) != 0 && lma != lme)
		return broken(out, "EFER", efer, "LMA differs from LME while paging is on");
	return false;
}

static const char *const segment_names[X86_SEGMENTS] = { "ES", "CS",   "SS", "DS",   "FS",
							 "GS", "LDTR", "TR", "GDTR", "IDTR" };

static uint32_t access_of(const struct vmx_subject *s, unsigned n)
{
	return (uint32_t)get(s, VMCS_GUEST_ACCESS + 2 * n);
}

/* Which types a segment may have, a bit each. */
static unsigned types_of(const struct vmx_subject *s, unsigned n)
{
	switch (n) {
	case X86_CS: return 1u << 3 | 1u << 9 | 1u << 11 | 1u << 13 | 1u << 15;
	case X86_SS: return 1u << 3 | 1u << 7;
	case X86_TR: return is_long(s) ? 1u << 11 : 1u << 3 | 1u << 11;
	case X86_LDTR: return 1u << 2;
	default: return 1u << 1 | 1u << 3 | 1u << 5 | 1u << 7 | 1u << 11 | 1u << 15; /* accessed; code is readable */
	}
}

/* 26.3.1.2: access rights. */
static bool check_access(const struct vmx_subject *s, unsigned n, struct vmx_finding *out)
{
	uint32_t access = access_of(s, n), limit = (uint32_t)get(s, VMCS_GUEST_LIMIT + 2 * n);
	bool system = n == X86_TR || n == X86_LDTR;

	if ((access & ACCESS_UNUSABLE) != 0) {
		if (n == X86_CS || n == X86_TR)
			return broken(out, segment_names[n], access, "the segment is marked unusable");
		return false;
	}
	if ((types_of(s, n) >> TYPE(access) & 1) == 0)
		return broken(out, segment_names[n], access, "its access rights have a type that is not allowed here");
	if (((access & CODE_OR_DATA) != 0) == system)
		return broken(out, segment_names[n], access, "its access rights confuse system segments with others");
	if ((access & X86_SEG_PRESENT) == 0)
		return broken(out, segment_names[n], access, "it is not present");
	if ((access & ACCESS_ZERO) != 0)
		return broken(out, segment_names[n], access, "a reserved bit of its access rights is 1");
	if (n == X86_CS && is_long(s) && (access & (ACCESS_LONG | ACCESS_BIG)) == (ACCESS_LONG | ACCESS_BIG))
		return broken(out, segment_names[n], access, "it is of 64 and of 32 bits (L and D)");
	if ((access & ACCESS_PAGES) != 0 ? (limit & 0xfff) != 0xfff : limit >> 20 != 0)
		return broken(out, segment_names[n], limit, "the limit contradicts the granularity (G)");
	return false;
}

static bool check_segments(const struct vmx_subject *s, struct vmx_finding *out)
{
	for (unsigned n = X86_ES; n < X86_SEGMENTS; n++) {
		uint64_t base = get(s, VMCS_GUEST_BASE + 2 * n);
		bool used = n >= X86_GDTR || (access_of(s, n) & ACCESS_UNUSABLE) == 0;

		if (n < X86_GDTR && check_access(s, n, out))
			return true;
		if (n >= X86_GDTR && get(s, VMCS_GUEST_LIMIT + 2 * n) > 0xffff)
			return broken(out, segment_names[n], get(s, VMCS_GUEST_LIMIT + 2 * n),
				      "the limit has more than 16 bits");
		if (n <= X86_DS && used && base >> 32 != 0)
			return broken(out, segment_names[n], base, "the base has more than 32 bits");
		if (n > X86_DS && used && !is_canonical(base))
			return broken(out, segment_names[n], base, "the base is not a canonical address");
	}
	if (X86_SEG_DPL(access_of(s, X86_SS)) != 0 &&
	    ((get(s, VMCS_GUEST_CR0) & X86_CR0_PE) == 0 || TYPE(access_of(s, X86_CS)) == 3))
		return broken(out, "SS", access_of(s, X86_SS), "the privilege level is not 0 in real mode");
	return false;
}

/* 26.3.1.4 */
static bool check_rip(const struct vmx_subject *s, struct vmx_finding *out)
{
	uint64_t rip = get(s, VMCS_GUEST_RIP), rflags = get(s, VMCS_GUEST_RFLAGS);

	if ((!is_long(s) || (access_of(s, X86_CS) & ACCESS_LONG) == 0) && rip >> 32 != 0)
		return broken(out, "RIP", rip, "it has more than 32 bits outside of 64-bit mode");
	if (!is_canonical(rip))
		return broken(out, "RIP", rip, "it is not a canonical address");
	if ((rflags & RFLAGS_ZERO) != 0 || (rflags & X86_RFLAGS_ONE) == 0)
		return broken(out, "RFLAGS", rflags, "a reserved bit has the wrong value");
	if ((rflags & RFLAGS_VM) != 0 && (is_long(s) || (get(s, VMCS_GUEST_CR0) & X86_CR0_PE) == 0))
		return broken(out, "RFLAGS", rflags, "virtual-8086 mode (VM) is on in 64-bit or real mode");
	return false;
}

/* 26.3.1.5 */
static bool check_blocking(const struct vmx_subject *s, struct vmx_finding *out)
{
	uint64_t blocking = get(s, VMCS_GUEST_BLOCKING), rflags = get(s, VMCS_GUEST_RFLAGS);
	uint64_t event = get(s, VMCS_ENTRY_EVENT), both = BLOCKING_STI | BLOCKING_MOV_SS;
	bool valid = (event & EVENT_VALID) != 0;

	if (get(s, VMCS_GUEST_ACTIVITY) > 3)
		return broken(out, "activity state", get(s, VMCS_GUEST_ACTIVITY), "there is no such state");
	if (blocking >> 5 != 0 || (blocking & both) == both)
		return broken(out, "interruptibility", blocking, "a reserved bit is 1, or both STI and MOV SS block");
	if ((blocking & BLOCKING_STI) != 0 && (rflags & X86_RFLAGS_IF) == 0)
		return broken(out, "interruptibility", blocking, "STI blocks interrupts, which are off");
	if (valid && EVENT_TYPE(event) == X86_EVENT_INTERRUPT && (blocking & both) != 0)
		return broken(out, "interruptibility", blocking,
			      "an interrupt is delivered while STI or MOV SS blocks it");
	if (valid && EVENT_TYPE(event) == X86_EVENT_INTERRUPT && (rflags & X86_RFLAGS_IF) == 0)
		return broken(out, "RFLAGS", rflags, "an interrupt is delivered while they are off (IF)");
	if (valid && EVENT_TYPE(event) == X86_EVENT_NMI && (blocking & (BLOCKING_MOV_SS | BLOCKING_NMI)) != 0)
		return broken(out, "interruptibility", blocking, "an NMI is delivered while NMIs are blocked");
	if ((blocking & both) != 0 &&
	    ((get(s, VMCS_GUEST_PENDING_DEBUG) & PENDING_BS) != 0) != ((rflags & X86_RFLAGS_TF) != 0))
		return broken(out, "pending debug exceptions", get(s, VMCS_GUEST_PENDING_DEBUG),
			      "BS differs from the single-step flag (TF) behind STI or MOV SS");
	if (get(s, VMCS_LINK_POINTER) != UINT64_MAX)
		return broken(out, "VMCS link pointer", get(s, VMCS_LINK_POINTER), "it is not all ones");
	return false;
}

bool vmx_check_guest(const struct vmx_subject *s, struct vmx_finding *out)
{
	return check_control_registers(s, out) || check_msrs(s, out) || check_segments(s, out) || check_rip(s, out) ||
	       check_blocking(s, out);
}

static bool is_address(const struct vmx_subject *s, uint64_t address, uint64_t alignment)
{
	return address % alignment == 0 && address >> s->address_bits == 0;
}

/* 26.2.1.3 */
static bool check_event(const struct vmx_subject *s, struct vmx_finding *out)
{
	uint64_t event = get(s, VMCS_ENTRY_EVENT), length = get(s, VMCS_ENTRY_LENGTH);
	unsigned type = EVENT_TYPE(event);

	if ((event & EVENT_VALID) == 0)
		return false;
	if (type == 1 || type == 7 || (event & 0x7ffff000u) != 0)
		return broken(out, "event to deliver", event, "there is no such type, or a reserved bit is 1");
	if ((type == X86_EVENT_NMI && (event & 0xff) != 2) || (type == X86_EVENT_EXCEPTION && (event & 0xff) > 31))
		return broken(out, "event to deliver", event, "the vector is none of its type");
	if (type >= X86_EVENT_SOFTWARE && (length == 0 || length > 15))
		return broken(out, "length of the instruction that raised the event", length,
			      "it is not 1 to 15 bytes");
	return false;
}

static bool check_host(const struct vmx_subject *s, struct vmx_finding *out)
{
	uint64_t cr0 = get(s, VMCS_HOST_CR0), cr4 = get(s, VMCS_HOST_CR4);

	if ((~cr0 & s->can->cr0_fixed0) != 0 || (cr0 & ~s->can->cr0_fixed1) != 0)
		return broken(out, "host's CR0", cr0, "a bit that VMX fixes has the wrong value");
	if ((~cr4 & s->can->cr4_fixed0) != 0 || (cr4 & ~s->can->cr4_fixed1) != 0)
		return broken(out, "host's CR4", cr4, "a bit that VMX fixes has the wrong value");
	if (get(s, VMCS_HOST_CS) == 0 || get(s, VMCS_HOST_TR) == 0)
		return broken(out, "host's CS or TR", get(s, VMCS_HOST_TR), "it is 0");
	return false;
}

/* 26.2.1.1 */
static bool check_posted(const struct vmx_subject *s, struct vmx_finding *out)
{
	uint64_t cpu2 = get(s, VMCS_CPU2), exit = get(s, VMCS_EXIT);
	uint64_t vector = get(s, VMCS_POSTED_VECTOR), at = get(s, VMCS_POSTED);

	if ((get(s, VMCS_PIN) & PIN_POSTED) == 0)
		return false;
	if ((cpu2 & CPU2_APIC_DELIVERY) == 0)
		return broken(out, "secondary controls", cpu2, "interrupts are posted, and not delivered");
	if ((exit & EXIT_ACK) == 0)
		return broken(out, "exit controls", exit, "interrupts are posted, and not acknowledged at exits");
	if (vector > 0xff)
		return broken(out, "notification vector", vector, "it has more than 8 bits");
	if (!is_address(s, at, 64))
		return broken(out, "posted-interrupt descriptor", at, "it is not aligned to 64 bytes");
	return false;
}

bool vmx_check_controls(const struct vmx_subject *s, struct vmx_finding *out)
{
	uint64_t pointer = get(s, VMCS_EPT_POINTER), cpu = get(s, VMCS_CPU);

	if ((pointer & 7) != EPTP_WB || (pointer & EPTP_WALK_4) != EPTP_WALK_4 || pointer >> s->address_bits != 0)
		return broken(out, "EPT pointer", pointer, "memory type, walk length or address is not allowed");
	if ((cpu & CPU_IO_BITMAPS) != 0 && !is_address(s, get(s, VMCS_IO_BITMAP_A), 4096))
		return broken(out, "I/O bitmap", get(s, VMCS_IO_BITMAP_A), "it is not the address of a page");
	if ((cpu & CPU_MSR_BITMAPS) != 0 && !is_address(s, get(s, VMCS_MSR_BITMAP), 4096))
		return broken(out, "MSR bitmap", get(s, VMCS_MSR_BITMAP), "it is not the address of a page");
	if ((cpu & CPU_TPR_SHADOW) != 0 && !is_address(s, get(s, VMCS_VIRTUAL_APIC), 4096))
		return broken(out, "virtual-APIC page", get(s, VMCS_VIRTUAL_APIC), "it is not the address of a page");
	if ((get(s, VMCS_CPU2) & CPU2_APIC_ACCESSES) != 0 && !is_address(s, get(s, VMCS_APIC_ACCESS), 4096))
		return broken(out, "APIC-access page", get(s, VMCS_APIC_ACCESS), "it is not the address of a page");
	if (get(s, VMCS_ENTRY_MSR_LOADS) != 0 && !is_address(s, get(s, VMCS_ENTRY_MSR_LOAD), 16))
		return broken(out, "MSR-load area", get(s, VMCS_ENTRY_MSR_LOAD), "it is not aligned to 16 bytes");
	if ((get(s, VMCS_CPU2) & CPU2_VPID) != 0 && get(s, VMCS_VPID) == 0)
		return broken(out, "VPID", 0, "0 is the host's");
	return check_posted(s, out) || check_event(s, out) || check_host(s, out);
}

const char *vmx_instruction_error(uint32_t error)
{
	switch (error) {
	case 1: return "VMCALL in the host";
	case 4: return "VMLAUNCH of a VMCS that is not clear";
	case 5: return "VMRESUME of a VMCS that was not launched";
	case 6: return "VMRESUME after VMXOFF";
	case 7: return "a control is not allowed";
	case 8: return "the host's state is not allowed";
	case 12: return "a field that the CPU does not have";
	case 26: return "events are blocked by MOV SS";
	default: return "an error that husk does not expect";
	}
}
