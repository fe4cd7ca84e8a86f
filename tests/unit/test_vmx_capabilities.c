/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/hvm/vmx/capabilities.c */
/* Controls of Intel VMX are adjusted to what capability MSRs say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/hvm/vmx/capabilities.h"

/* Default-1 classes (Intel SDM 3D, A.2): without true controls they cannot be 0. */
#define PIN_ONES   0x00000016ull
#define CPU_ONES   0x0401e172ull
#define EXIT_ONES  0x00036dffull
#define ENTRY_ONES 0x000011ffull
#define ANYTHING   0xffffffff00000000ull

/* A CPU that can do everything, for tests to take something away. */
static struct {
	uint64_t basic, pin, cpu, cpu2, exit, entry, ept;
	uint64_t true_cpu;
	unsigned ept_reads, cpu2_reads;
} msrs;

static int setup(void **state)
{
	(void)state;
	memset(&msrs, 0, sizeof(msrs));
	msrs.basic = BASIC_TRUE | 0x80000000u | 18;
	msrs.pin = ANYTHING | PIN_ONES;
	msrs.cpu = ANYTHING | CPU_ONES;
	msrs.true_cpu = ANYTHING | (CPU_ONES & ~(uint64_t)(CPU_CR3_LOAD | CPU_CR3_STORE));
	msrs.cpu2 = ANYTHING;
	msrs.exit = ANYTHING | EXIT_ONES;
	msrs.entry = ANYTHING | ENTRY_ONES;
	msrs.ept = EPT_CAP_WALK_4 | EPT_CAP_WB | EPT_CAP_2MIB | EPT_CAP_INVEPT | EPT_CAP_INVEPT_SINGLE |
		   VPID_CAP_INVVPID | VPID_CAP_SINGLE;
	return 0;
}

static uint64_t read_msr(uint32_t msr)
{
	switch (msr) {
	case MSR_VMX_BASIC: return msrs.basic;
	case MSR_VMX_PIN:
	case MSR_VMX_TRUE_PIN: return msrs.pin;
	case MSR_VMX_CPU: return msrs.cpu;
	case MSR_VMX_TRUE_CPU: return msrs.true_cpu;
	case MSR_VMX_CPU2: msrs.cpu2_reads++; return msrs.cpu2;
	case MSR_VMX_EXIT:
	case MSR_VMX_TRUE_EXIT: return msrs.exit;
	case MSR_VMX_ENTRY:
	case MSR_VMX_TRUE_ENTRY: return msrs.entry;
	case MSR_VMX_EPT_VPID_CAP: msrs.ept_reads++; return msrs.ept;
	case MSR_VMX_CR0_FIXED0: return 0x80000021;
	case MSR_VMX_CR0_FIXED1: return 0xffffffff;
	case MSR_VMX_CR4_FIXED0: return 0x2000;
	case MSR_VMX_CR4_FIXED1: return 0x3727ff;
	default: return 0;
	}
}

static void expect_missing(const char *what)
{
	struct vmx_capabilities c;
	const char *missing = vmx_find_capabilities(read_msr, false, &c);

	assert_non_null(missing);
	assert_string_equal(missing, what);
}

static void test_adjust(void **state)
{
	uint32_t controls;

	(void)state;
	assert_int_equal(vmx_adjust(0x000000ff0000000full, 0x10, 0x120, &controls), 0);
	assert_int_equal(controls, 0x3f); /* 0x100 may not be, 0x0f must be */
	assert_int_equal(vmx_adjust(0x000000ff0000000full, 0x110, 0, &controls), 0x100);
	assert_int_equal(controls, 0x1f);
}

static void test_all_there(void **state)
{
	struct vmx_capabilities c;

	(void)state;
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_int_equal(c.revision, 18); /* bit 31 is not of it */
	assert_int_equal(c.pin, PIN_ONES | PIN_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMI | PIN_PREEMPTION);
	assert_int_equal(c.exit & EXIT_ONES, EXIT_ONES);
	assert_int_equal(c.entry & ENTRY_ONES, ENTRY_ONES);
	assert_int_equal(c.entry & ENTRY_IA32E, 0);
	assert_int_equal(c.cpu & (CPU_CR3_LOAD | CPU_CR3_STORE), 0); /* by the true controls */
	assert_int_equal(c.cpu & (CPU_TPR_SHADOW | CPU_CR8_LOAD | CPU_CR8_STORE), CPU_TPR_SHADOW);
	assert_int_equal(c.cpu2 & (CPU2_EPT | CPU2_UNRESTRICTED | CPU2_VPID | CPU2_RDTSCP | CPU2_PAUSE_LOOP),
			 CPU2_EPT | CPU2_UNRESTRICTED | CPU2_VPID | CPU2_RDTSCP | CPU2_PAUSE_LOOP);
	assert_int_equal(c.cr4_fixed1, 0x3727ff);
}

static void test_no_true_controls(void **state)
{
	struct vmx_capabilities c;

	(void)state;
	msrs.basic &= ~BASIC_TRUE;
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_int_equal(c.cpu & CPU_ONES, CPU_ONES); /* accesses to CR3 exit */
}

static void test_optional_parts(void **state)
{
	struct vmx_capabilities c;

	(void)state;
	assert_null(vmx_find_capabilities(read_msr, true, &c));
	assert_int_equal(c.cpu2 & (CPU2_VPID | CPU2_WBINVD | CPU2_PAUSE_LOOP), 0);
	assert_int_equal(c.cpu2 & CPU2_RDTSCP, CPU2_RDTSCP);
	assert_int_equal(c.pin & PIN_PREEMPTION, 0);
	assert_int_equal(c.cpu & (CPU_TPR_SHADOW | CPU_CR8_LOAD | CPU_CR8_STORE), CPU_CR8_LOAD | CPU_CR8_STORE);
	/* VPIDs without an INVVPID that can drop one or all are of no use. */
	msrs.ept &= ~VPID_CAP_SINGLE;
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_int_equal(c.cpu2 & CPU2_VPID, 0);
	msrs.ept |= VPID_CAP_ALL;
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_int_equal(c.cpu2 & CPU2_VPID, CPU2_VPID);
}

/* Delivery of interrupts by the CPU needs all its parts, and is off until the guest's APIC is ready. */
static void test_apic(void **state)
{
	struct vmx_capabilities c;

	(void)state;
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_int_equal(c.apic, 1u << X86_APIC_X1 | 1u << X86_APIC_X2);
	assert_int_equal(c.cpu2 & (CPU2_IN_XAPIC | CPU2_IN_X2APIC), 0);
	assert_null(vmx_find_capabilities(read_msr, true, &c));
	assert_int_equal(c.apic, 0);
	msrs.cpu2 &= ~((uint64_t)CPU2_X2APIC << 32);
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_int_equal(c.apic, 1u << X86_APIC_X1);
	msrs.cpu2 &= ~((uint64_t)CPU2_APIC_REGISTERS << 32);
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_int_equal(c.apic, 0);
	msrs.cpu2 |= (uint64_t)CPU2_X2APIC << 32;
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_int_equal(c.apic, 1u << X86_APIC_X2);
	setup(NULL);
	msrs.true_cpu &= ~((uint64_t)CPU_TPR_SHADOW << 32);
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_int_equal(c.apic, 0);
}

/* They need the APIC, and interrupts that are acknowledged at exits; until it is taken over, and for others, both are off. */
static void test_posted(void **state)
{
	struct vmx_capabilities c;

	(void)state;
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_true(c.posted);
	assert_int_equal(c.pin & PIN_POSTED, 0);
	assert_int_equal(c.exit & EXIT_ACK, 0);
	assert_null(vmx_find_capabilities(read_msr, true, &c));
	assert_false(c.posted);
	msrs.exit &= ~((uint64_t)EXIT_ACK << 32);
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_false(c.posted);
	setup(NULL);
	msrs.pin &= ~((uint64_t)PIN_POSTED << 32);
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_false(c.posted);
	setup(NULL);
	msrs.cpu2 &= ~((uint64_t)CPU2_APIC_DELIVERY << 32);
	assert_null(vmx_find_capabilities(read_msr, false, &c));
	assert_false(c.posted);
}

static void test_what_is_missing(void **state)
{
	(void)state;
	msrs.cpu2 &= ~((uint64_t)CPU2_UNRESTRICTED << 32);
	expect_missing("VMX unrestricted guest mode");
	msrs.cpu2 &= ~((uint64_t)CPU2_EPT << 32);
	msrs.ept_reads = 0;
	expect_missing("EPT (extended page tables)");
	assert_int_equal(msrs.ept_reads, 0); /* reading it would be #GP */
	msrs.true_cpu &= ~((uint64_t)CPU_SECONDARY << 32);
	msrs.cpu2_reads = 0;
	expect_missing("EPT (extended page tables)");
	assert_int_equal(msrs.cpu2_reads, 0);
	setup(NULL);
	msrs.pin &= ~((uint64_t)PIN_VIRTUAL_NMI << 32);
	expect_missing("VMX virtual NMIs");
	setup(NULL);
	msrs.ept &= ~(uint64_t)EPT_CAP_INVEPT_SINGLE;
	expect_missing("EPT with four levels, write-back tables and INVEPT");
	setup(NULL);
	msrs.exit &= ~((uint64_t)EXIT_LOAD_PAT << 32);
	expect_missing("VMX controls that are needed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_adjust, setup),
		cmocka_unit_test_setup(test_all_there, setup),
		cmocka_unit_test_setup(test_no_true_controls, setup),
		cmocka_unit_test_setup(test_optional_parts, setup),
		cmocka_unit_test_setup(test_apic, setup),
		cmocka_unit_test_setup(test_posted, setup),
		cmocka_unit_test_setup(test_what_is_missing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
