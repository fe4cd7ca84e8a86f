/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/hvm/vmx/diagnose.c */
/* Each rule of VM entry that is broken is named, with its field and value; a state that is right has no finding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/hvm/cpu.h"
#include "arch/x86_64/hvm/vmx/diagnose.h"

#define FIELDS  0x7000u
#define PATTERN 0x1122334455667788ull /* no canonical address */
#define CODE64  0xa09bu
#define DATA    0xc093u
#define VALID   (1u << 31)
#define NMI     (VALID | X86_EVENT_NMI << 8 | 2)

static uint64_t vmcs[FIELDS];
static struct vmx_capabilities can;

static uint64_t read_field(void *ctx, uint64_t field)
{
	(void)ctx;
	assert_true(field < FIELDS);
	return vmcs[field];
}

static const struct vmx_subject subject = { .read = read_field, .can = &can, .address_bits = 40 };

/* A 64-bit guest. */
static int setup(void **state)
{
	(void)state;
	memset(vmcs, 0, sizeof(vmcs));
	can = (struct vmx_capabilities){
		.cr0_fixed0 = 0x80000021, .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x3727ff
	};
	vmcs[VMCS_ENTRY] = ENTRY_IA32E;
	vmcs[VMCS_GUEST_CR0] = 0x80050033;
	vmcs[VMCS_GUEST_CR3] = 0x1000;
	vmcs[VMCS_GUEST_CR4] = 0x2020;
	vmcs[VMCS_GUEST_EFER] = X86_EFER_LMA | X86_EFER_LME;
	vmcs[VMCS_GUEST_PAT] = X86_PAT_RESET;
	vmcs[VMCS_GUEST_DR7] = X86_DR7_RESET;
	vmcs[VMCS_GUEST_RFLAGS] = X86_RFLAGS_ONE | X86_RFLAGS_IF;
	vmcs[VMCS_GUEST_RIP] = 0xffffffff81000000;
	vmcs[VMCS_LINK_POINTER] = UINT64_MAX;
	for (unsigned n = X86_ES; n <= X86_GS; n++) {
		vmcs[VMCS_GUEST_ACCESS + 2 * n] = n == X86_CS ? CODE64 : DATA;
		vmcs[VMCS_GUEST_LIMIT + 2 * n] = UINT32_MAX;
	}
	vmcs[VMCS_GUEST_ACCESS + 2 * X86_LDTR] = ACCESS_UNUSABLE;
	vmcs[VMCS_GUEST_ACCESS + 2 * X86_TR] = X86_SEG_TSS;
	vmcs[VMCS_GUEST_LIMIT + 2 * X86_TR] = 0x67;
	vmcs[VMCS_EPT_POINTER] = 0x5000 | EPTP_WB | EPTP_WALK_4;
	vmcs[VMCS_CPU] = CPU_IO_BITMAPS | CPU_MSR_BITMAPS | CPU_TPR_SHADOW;
	vmcs[VMCS_CPU2] = CPU2_EPT | CPU2_VPID | CPU2_APIC_DELIVERY;
	vmcs[VMCS_PIN] = PIN_POSTED;
	vmcs[VMCS_EXIT] = EXIT_ACK;
	vmcs[VMCS_POSTED_VECTOR] = 0x35;
	vmcs[VMCS_POSTED] = 0x7040;
	vmcs[VMCS_VPID] = 1;
	vmcs[VMCS_HOST_CR0] = 0x80010033;
	vmcs[VMCS_HOST_CR4] = 0x2620;
	vmcs[VMCS_HOST_CS] = 8;
	vmcs[VMCS_HOST_TR] = 0x18;
	return 0;
}

/* A field is wrong, or several are at a time, of which the first found is told. */
struct mistake {
	uint16_t vmcs; /**< field that gets the value */
	uint64_t value;
	const char *field, *rule; /**< parts of what is said */
	uint16_t other;           /**< another field, 0: none */
	uint64_t other_value;
};

static void check(const struct mistake *m, size_t count,
		  bool (*judge)(const struct vmx_subject *, struct vmx_finding *))
{
	for (size_t i = 0; i < count; i++) {
		struct vmx_finding f = { 0 };

		setup(NULL);
		if (m[i].other != 0)
			vmcs[m[i].other] = m[i].other_value;
		vmcs[m[i].vmcs] = m[i].value;
		if (!judge(&subject, &f))
			fail_msg("mistake %zu (%s) is not found", i, m[i].rule);
		assert_string_equal(f.field, m[i].field);
		assert_int_equal(f.value, m[i].value);
		if (strstr(f.rule, m[i].rule) == NULL)
			fail_msg("mistake %zu: \"%s\" does not say \"%s\"", i, f.rule, m[i].rule);
	}
}

#define CHECK(list, judge) check(list, sizeof(list) / sizeof((list)[0]), judge)

#define SEGMENT(array, n) (uint16_t)((array) + 2 * (n))

static const struct mistake guest_mistakes[] = {
	{ VMCS_GUEST_CR0, 0x80050013, "CR0", "FIXED0", 0, 0 },
	{ VMCS_GUEST_CR0, 0x180050033, "CR0", "FIXED1", 0, 0 },
	{ VMCS_GUEST_CR0, 0x80000020, "CR0", "protection (PE) is off", 0, 0 },
	{ VMCS_GUEST_CR0, 0x00000021, "CR0", "paging (PG) is off in 64-bit mode", 0, 0 },
	{ VMCS_GUEST_CR4, 0x20, "CR4", "FIXED0", 0, 0 },
	{ VMCS_GUEST_CR4, 0x802020, "CR4", "FIXED1", 0, 0 },
	{ VMCS_GUEST_CR4, 0x2000, "CR4", "PAE is off", 0, 0 },
	{ VMCS_GUEST_CR3, 0x10000001000, "CR3", "beyond", 0, 0 },
	{ VMCS_GUEST_DR7, 0x100000400, "DR7", "upper half", 0, 0 },
	{ VMCS_GUEST_SYSENTER_ESP, PATTERN, "SYSENTER_ESP", "canonical", 0, 0 },
	{ VMCS_GUEST_SYSENTER_EIP, PATTERN, "SYSENTER_EIP", "canonical", 0, 0 },
	{ VMCS_GUEST_PAT, 0x0007040600070402, "PAT", "does not exist", 0, 0 },
	{ VMCS_GUEST_EFER, 0x1500, "EFER", "reserved", 0, 0 },
	{ VMCS_GUEST_EFER, X86_EFER_LME, "EFER", "IA-32e mode guest", 0, 0 },
	{ VMCS_GUEST_EFER, X86_EFER_LMA, "EFER", "LMA differs from LME", 0, 0 },
	{ SEGMENT(VMCS_GUEST_ACCESS, X86_CS), ACCESS_UNUSABLE, "CS", "unusable", 0, 0 },
	{ SEGMENT(VMCS_GUEST_ACCESS, X86_CS), 0xa091, "CS", "type", 0, 0 },
	{ SEGMENT(VMCS_GUEST_ACCESS, X86_CS), 0xe09b, "CS", "64 and of 32 bits", 0, 0 },
	{ SEGMENT(VMCS_GUEST_ACCESS, X86_SS), 0xc09b, "SS", "type", 0, 0 },
	{ SEGMENT(VMCS_GUEST_ACCESS, X86_DS), 0xc090, "DS", "type", 0, 0 },
	{ SEGMENT(VMCS_GUEST_ACCESS, X86_DS), 0xc083, "DS", "system", 0, 0 },
	{ SEGMENT(VMCS_GUEST_ACCESS, X86_ES), 0xc013, "ES", "present", 0, 0 },
	{ SEGMENT(VMCS_GUEST_ACCESS, X86_FS), 0xc193, "FS", "reserved", 0, 0 },
	{ SEGMENT(VMCS_GUEST_ACCESS, X86_TR), 0x83, "TR", "type", 0, 0 },
	{ SEGMENT(VMCS_GUEST_ACCESS, X86_LDTR), 0x92, "LDTR", "system", 0, 0 },
	{ SEGMENT(VMCS_GUEST_LIMIT, X86_GS), 0xfffff000, "GS", "granularity", 0, 0 },
	{ SEGMENT(VMCS_GUEST_LIMIT, X86_TR), 0x100067, "TR", "granularity", 0, 0 },
	{ SEGMENT(VMCS_GUEST_LIMIT, X86_IDTR), 0x10000, "IDTR", "16 bits", 0, 0 },
	{ SEGMENT(VMCS_GUEST_BASE, X86_ES), 0x100000000, "ES", "32 bits", 0, 0 },
	{ SEGMENT(VMCS_GUEST_BASE, X86_GS), PATTERN, "GS", "canonical", 0, 0 },
	{ SEGMENT(VMCS_GUEST_BASE, X86_GDTR), PATTERN, "GDTR", "canonical", 0, 0 },
	{ SEGMENT(VMCS_GUEST_ACCESS, X86_SS), 0xc0f3, "SS", "real mode", SEGMENT(VMCS_GUEST_ACCESS, X86_CS), 0xc093 },
	{ VMCS_GUEST_RIP, PATTERN, "RIP", "canonical", 0, 0 },
	{ VMCS_GUEST_RIP, 0x100000000, "RIP", "outside of 64-bit mode", SEGMENT(VMCS_GUEST_ACCESS, X86_CS), 0xc09b },
	{ VMCS_GUEST_RFLAGS, 0x200, "RFLAGS", "reserved", 0, 0 },
	{ VMCS_GUEST_RFLAGS, 0x8202, "RFLAGS", "reserved", 0, 0 },
	{ VMCS_GUEST_RFLAGS, 0x20202, "RFLAGS", "virtual-8086", 0, 0 },
	{ VMCS_GUEST_ACTIVITY, 4, "activity state", "no such state", 0, 0 },
	{ VMCS_GUEST_BLOCKING, 3, "interruptibility", "both STI and MOV SS", 0, 0 },
	{ VMCS_GUEST_BLOCKING, 1, "interruptibility", "which are off", VMCS_GUEST_RFLAGS, 2 },
	{ VMCS_GUEST_BLOCKING, 2, "interruptibility", "an interrupt is delivered", VMCS_ENTRY_EVENT, VALID | 0x30 },
	{ VMCS_GUEST_RFLAGS, 2, "RFLAGS", "an interrupt is delivered while they are off", VMCS_ENTRY_EVENT,
	  VALID | 0x30 },
	{ VMCS_GUEST_BLOCKING, 8, "interruptibility", "NMIs are blocked", VMCS_ENTRY_EVENT, NMI },
	{ VMCS_GUEST_PENDING_DEBUG, PENDING_BS, "pending debug exceptions", "BS", VMCS_GUEST_BLOCKING, 2 },
	{ VMCS_LINK_POINTER, 0, "VMCS link pointer", "all ones", 0, 0 },
};

static void test_guest_mistakes(void **state)
{
	(void)state;
	CHECK(guest_mistakes, vmx_check_guest);
}

static const struct mistake control_mistakes[] = {
	{ VMCS_EPT_POINTER, 0x5018, "EPT pointer", "memory type", 0, 0 },
	{ VMCS_EPT_POINTER, 0x501e | 1ull << 40, "EPT pointer", "address", 0, 0 },
	{ VMCS_IO_BITMAP_A, 0x1800, "I/O bitmap", "page", 0, 0 },
	{ VMCS_MSR_BITMAP, 1ull << 41, "MSR bitmap", "page", 0, 0 },
	{ VMCS_VIRTUAL_APIC, 8, "virtual-APIC page", "page", 0, 0 },
	{ VMCS_ENTRY_MSR_LOAD, 0x1008, "MSR-load area", "16 bytes", VMCS_ENTRY_MSR_LOADS, 1 },
	{ VMCS_VPID, 0, "VPID", "host's", 0, 0 },
	{ VMCS_CPU2, CPU2_EPT | CPU2_VPID, "secondary controls", "not delivered", 0, 0 },
	{ VMCS_EXIT, 0, "exit controls", "not acknowledged", 0, 0 },
	{ VMCS_POSTED_VECTOR, 0x135, "notification vector", "8 bits", 0, 0 },
	{ VMCS_POSTED, 0x7020, "posted-interrupt descriptor", "64 bytes", 0, 0 },
	{ VMCS_ENTRY_EVENT, VALID | 1u << 8, "event to deliver", "type", 0, 0 },
	{ VMCS_ENTRY_EVENT, VALID | X86_EVENT_NMI << 8 | 3, "event to deliver", "vector", 0, 0 },
	{ VMCS_ENTRY_EVENT, VALID | X86_EVENT_EXCEPTION << 8 | 32, "event to deliver", "vector", 0, 0 },
	{ VMCS_ENTRY_LENGTH, 16, "length of the instruction that raised the event", "15 bytes", VMCS_ENTRY_EVENT,
	  VALID | X86_EVENT_SOFTWARE << 8 | 0x80 },
	{ VMCS_HOST_CR0, 0x80010013, "host's CR0", "VMX fixes", 0, 0 },
	{ VMCS_HOST_CR4, 0x620, "host's CR4", "VMX fixes", 0, 0 },
	{ VMCS_HOST_TR, 0, "host's CS or TR", "0", 0, 0 },
};

static void test_control_mistakes(void **state)
{
	(void)state;
	CHECK(control_mistakes, vmx_check_controls);
}

static void expect_right(void)
{
	struct vmx_finding f = { 0 };

	if (vmx_check_guest(&subject, &f) || vmx_check_controls(&subject, &f))
		fail_msg("%s: %s", f.field, f.rule);
}

static void test_what_is_right(void **state)
{
	(void)state;
	expect_right();
	/* Interrupts off, an NMI, a single step behind MOV SS; null segments; user mode. */
	vmcs[VMCS_ENTRY_EVENT] = NMI;
	vmcs[VMCS_GUEST_BLOCKING] = BLOCKING_STI;
	vmcs[VMCS_GUEST_RFLAGS] |= X86_RFLAGS_TF;
	vmcs[VMCS_GUEST_PENDING_DEBUG] = PENDING_BS;
	vmcs[VMCS_GUEST_ACCESS + 2 * X86_SS] = ACCESS_UNUSABLE | 3 << 5;
	vmcs[VMCS_GUEST_ACCESS + 2 * X86_DS] = ACCESS_UNUSABLE;
	expect_right();
	/* Real mode, as after a reset. */
	setup(NULL);
	vmcs[VMCS_ENTRY] = vmcs[VMCS_GUEST_EFER] = 0;
	vmcs[VMCS_GUEST_CR0] = 0x30;
	vmcs[VMCS_GUEST_RIP] = 0xfff0;
	for (unsigned n = X86_ES; n <= X86_GS; n++) {
		vmcs[VMCS_GUEST_ACCESS + 2 * n] = X86_SEG_DATA16;
		vmcs[VMCS_GUEST_LIMIT + 2 * n] = 0xffff;
	}
	vmcs[VMCS_GUEST_ACCESS + 2 * X86_TR] = 0x83;
	expect_right();
}

static void test_names_of_errors(void **state)
{
	(void)state;
	assert_string_equal(vmx_instruction_error(7), "a control is not allowed");
	assert_string_equal(vmx_instruction_error(99), "an error that husk does not expect");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_guest_mistakes, setup),
		cmocka_unit_test_setup(test_control_mistakes, setup),
		cmocka_unit_test_setup(test_what_is_right, setup),
		cmocka_unit_test_setup(test_names_of_errors, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
