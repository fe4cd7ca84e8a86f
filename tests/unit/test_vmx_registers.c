/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/hvm/vmx/registers.c arch/x86_64/hvm/vmx/state.c tests/unit/hvm_fixture.c */
/* sources: arch/x86_64/hvm/run.c arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c arch/x86_64/hvm/cpuid.c */
/* sources: arch/x86_64/hvm/msr.c arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c arch/x86_64/hvm/walk.c */
/* sources: arch/x86_64/hvm/print.c core/bus.c core/console.c core/elf.c core/feature.c core/log.c core/memory.c */
/* sources: core/payload.c core/timer.c core/io.c core/smp.c core/vm.c tests/unit/fake_platform.c */
/* sources: features/timer-on-demand/on_demand.c */
/* Control registers under Intel VMX: what the CPU fixes is hidden, and what a guest may not write is #GP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/hvm/vmx/vmx.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/hvm_fixture.h"

#define RAM           0x10000u
#define RIP           0x1000u
#define LENGTH        3u
#define CR4_VMXE      0x2000u
#define TO(cr, gpr)   ((uint64_t)(cr) | (uint64_t)(gpr) << 8)
#define FROM(cr, gpr) (TO(cr, gpr) | 1u << 4)

struct vmx_capabilities vmx_capabilities;

static struct hvm_fixture f;
static struct vmx *vmx;
static uint64_t xcr0;

/* Without a VMCS there is nothing to read, and every field has to be known. */
void vmx_load(struct x86_cpu *c)
{
	(void)c;
	fail_msg("a field is read from a VMCS");
}

void vmx_apic_written(struct x86_cpu *c, struct vmx *s, uint64_t offset)
{
	(void)c;
	(void)s;
	(void)offset;
}

void vmx_apic_end(struct x86_cpu *c, uint8_t vector)
{
	(void)c;
	(void)vector;
}

bool hvm_fpu_set_xcr0(struct x86_cpu *c, uint64_t value)
{
	(void)c;
	if (value != 7)
		return false;
	xcr0 = value;
	return true;
}

static const char *exit_name(uint64_t code)
{
	(void)code;
	return "exit";
}

static void reset_nothing(struct x86_cpu *c)
{
	(void)c;
}

static const struct hvm_ops ops = {
	.name = "VMX",
	.reset = reset_nothing,
	.get = vmx_get,
	.set = vmx_set,
	.get_segment = vmx_load_segment,
	.set_segment = vmx_store_segment,
	.handle = vmx_handle,
	.exit_name = exit_name,
};

/* 32-bit protected mode without paging, as PVH begins. */
static int setup(void **state)
{
	static const struct x86_segment code = { .attributes = X86_SEG_CODE32, .limit = UINT32_MAX };
	static const struct x86_segment data = { .attributes = X86_SEG_DATA32, .limit = UINT32_MAX };

	(void)state;
	fake_reset();
	vmx_capabilities = (struct vmx_capabilities){ .cr0_fixed0 = 0x80000021,
						      .cr0_fixed1 = 0xffffffff,
						      .cr4_fixed0 = CR4_VMXE,
						      .cr4_fixed1 = 0x3327ff,
						      .entry = 0x11ff };
	hvm_fixture_init(&f, RAM);
	vmx = calloc(1, sizeof(*vmx));
	f.cpu.hvm = &ops;
	f.cpu.state = vmx;
	vmx_zero_fields(&vmx->state);
	vmx_set_field(&vmx->state, VMX_ENTRY, vmx_capabilities.entry);
	vmx_set(&f.cpu, X86_CR0, X86_CR0_PE | X86_CR0_ET);
	vmx_set(&f.cpu, X86_CR4, 0);
	vmx_store_segment(&f.cpu, X86_CS, &code);
	vmx_store_segment(&f.cpu, X86_SS, &data);
	f.cpu.rip = RIP;
	f.cpu.inject.valid = false;
	xcr0 = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(vmx);
	return 0;
}

static uint64_t real(unsigned field)
{
	return vmx_get_field(&vmx->state, field);
}

/* An access to a control register exits. */
static void access(uint64_t qualification)
{
	const struct hvm_exit x = { .cause = HVM_OWN, .code = REASON_CR, .info1 = qualification, .length = LENGTH };

	f.cpu.inject.valid = false;
	f.cpu.rip = RIP;
	vmx_handle(&f.cpu, &x);
}

static void write(unsigned cr, uint64_t value)
{
	f.cpu.gpr[X86_RBX] = value;
	access(TO(cr, X86_RBX));
}

static void expect_done(void)
{
	assert_false(f.cpu.inject.valid);
	assert_int_equal(f.cpu.rip, RIP + LENGTH);
}

static void expect_fault(void)
{
	assert_true(f.cpu.inject.valid);
	assert_int_equal(f.cpu.inject.type, X86_EVENT_EXCEPTION);
	assert_int_equal(f.cpu.inject.vector, X86_GP);
	assert_int_equal(f.cpu.inject.error, 0);
	assert_int_equal(f.cpu.rip, RIP);
}

static void test_fixed_bits_are_hidden(void **state)
{
	(void)state;
	assert_int_equal(vmx_get(&f.cpu, X86_CR0), X86_CR0_PE | X86_CR0_ET);
	assert_int_equal(real(VMX_CR0), X86_CR0_PE | X86_CR0_ET | X86_CR0_NE);
	assert_int_equal(vmx_get(&f.cpu, X86_CR4), 0);
	assert_int_equal(real(VMX_CR4), CR4_VMXE);
	/* An unrestricted guest turns paging and protection on and off itself. */
	assert_int_equal(vmx_cr0_mask() & (X86_CR0_PE | X86_CR0_PG | X86_CR0_WP), 0);
	assert_int_equal(vmx_cr0_mask() & X86_CR0_NE, X86_CR0_NE);
	assert_int_equal(vmx_cr4_mask() & (X86_CR4_PAE | X86_CR4_OSXSAVE), X86_CR4_OSXSAVE); /* this CPU has no XSAVE */
}

static void test_caches_stay_on(void **state)
{
	(void)state;
	write(0, X86_CR0_PE | X86_CR0_CD | X86_CR0_NW);
	expect_done();
	assert_int_equal(vmx_get(&f.cpu, X86_CR0), X86_CR0_PE | X86_CR0_ET | X86_CR0_CD | X86_CR0_NW);
	assert_int_equal(real(VMX_CR0) & (X86_CR0_CD | X86_CR0_NW), 0);
	assert_true(vmx->drop);
}

static void test_long_mode(void **state)
{
	(void)state;
	vmx_set(&f.cpu, X86_CR4, X86_CR4_PAE);
	vmx_set(&f.cpu, X86_EFER, X86_EFER_LME);
	assert_int_equal(real(VMX_ENTRY), 0x11ff);
	write(0, X86_CR0_PG | X86_CR0_PE);
	expect_done();
	assert_int_equal(vmx_get(&f.cpu, X86_EFER), X86_EFER_LME | X86_EFER_LMA);
	assert_int_equal(real(VMX_ENTRY), 0x11ff | ENTRY_IA32E);
	assert_int_equal(vmx_get(&f.cpu, X86_CR0), X86_CR0_PG | X86_CR0_PE | X86_CR0_ET);
	write(0, X86_CR0_PE);
	expect_done();
	assert_int_equal(vmx_get(&f.cpu, X86_EFER), X86_EFER_LME);
	assert_int_equal(real(VMX_ENTRY), 0x11ff);
}

static void test_refused_values_of_cr0(void **state)
{
	static const struct x86_segment code64 = { .attributes = X86_SEG_CODE64, .limit = UINT32_MAX };

	(void)state;
	write(0, X86_CR0_PG); /* paging without protection */
	expect_fault();
	write(0, X86_CR0_PE | X86_CR0_NW); /* NW without CD */
	expect_fault();
	vmx_set(&f.cpu, X86_EFER, X86_EFER_LME);
	write(0, X86_CR0_PG | X86_CR0_PE); /* long mode without PAE */
	expect_fault();
	vmx_set(&f.cpu, X86_CR4, X86_CR4_PAE);
	vmx_store_segment(&f.cpu, X86_CS, &code64);
	write(0, X86_CR0_PG | X86_CR0_PE); /* 64-bit code before long mode */
	expect_fault();
	vmx_set(&f.cpu, X86_EFER, X86_EFER_LME | X86_EFER_LMA);
	vmx_set(&f.cpu, X86_CR0, X86_CR0_PG | X86_CR0_PE);
	write(0, X86_CR0_PE); /* paging off in 64-bit mode */
	expect_fault();
	write(0, 1ull << 32 | X86_CR0_PG | X86_CR0_PE);
	expect_fault();
	assert_int_equal(vmx_get(&f.cpu, X86_CR0), X86_CR0_PG | X86_CR0_PE | X86_CR0_ET);
}

static void test_pae_loads_its_top_entries(void **state)
{
	const uint64_t good[4] = { 0x3001, 0, 0x5019, 0x7001 }, bad[4] = { 0, 0, 0, 0x7003 };

	(void)state;
	assert_int_equal(memory_write(&f.vm.memory, 0x2020, good, sizeof(good)), 0);
	assert_int_equal(memory_write(&f.vm.memory, 0x2040, bad, sizeof(bad)), 0);
	vmx_set(&f.cpu, X86_CR3, 0x2020);
	vmx_set(&f.cpu, X86_CR4, X86_CR4_PAE);
	write(0, X86_CR0_PG | X86_CR0_PE);
	expect_done();
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(real(VMX_PDPTE + i), good[i]);
	write(3, 0x2040); /* a reserved bit */
	expect_fault();
	write(3, RAM); /* not RAM */
	expect_fault();
	assert_int_equal(real(VMX_PDPTE), good[0]);
}

static void test_cr4(void **state)
{
	(void)state;
	write(4, CR4_VMXE);
	expect_fault();
	write(4, X86_CR4_PAE | X86_CR4_LA57);
	expect_fault();
	write(4, X86_CR4_PAE);
	expect_done();
	assert_int_equal(vmx_get(&f.cpu, X86_CR4), X86_CR4_PAE);
	assert_int_equal(real(VMX_CR4), X86_CR4_PAE | CR4_VMXE);
	vmx_set(&f.cpu, X86_EFER, X86_EFER_LME | X86_EFER_LMA);
	write(4, 0);
	expect_fault();
}

static void test_cr3_and_cr8(void **state)
{
	(void)state;
	write(3, 0x1234000);
	expect_done();
	access(FROM(3, X86_RSI));
	expect_done();
	assert_int_equal(f.cpu.gpr[X86_RSI], 0x1234000);
	write(8, 9);
	expect_done();
	access(FROM(8, X86_RSI));
	assert_int_equal(f.cpu.gpr[X86_RSI], 9);
	write(8, 16);
	expect_fault();
	write(2, 0); /* never exits */
	expect_fault();
}

static void test_xsetbv(void **state)
{
	struct hvm_exit x = { .cause = HVM_OWN, .code = REASON_XSETBV, .length = LENGTH };

	(void)state;
	f.cpu.gpr[X86_RAX] = 7;
	vmx_handle(&f.cpu, &x);
	expect_done();
	assert_int_equal(xcr0, 7);
	f.cpu.rip = RIP;
	f.cpu.gpr[X86_RDX] = 1;
	vmx_handle(&f.cpu, &x);
	expect_fault();
	f.cpu.gpr[X86_RDX] = 0;
	f.cpu.gpr[X86_RCX] = 1;
	vmx_handle(&f.cpu, &x);
	expect_fault();
}

static void test_task_switch(void **state)
{
	const struct hvm_exit x = { .cause = HVM_OWN, .code = REASON_TASK_SWITCH };

	(void)state;
	vmx_handle(&f.cpu, &x);
	assert_non_null(strstr(fake_log, "the guest cannot go on: it switches tasks by hardware"));
	assert_int_equal(f.vm.request, VM_CRASH);
}

static void test_segments(void **state)
{
	const struct x86_segment user = { .selector = 0x2b, .attributes = 0xaf3, .limit = UINT32_MAX, .base = 0x1000 };
	struct x86_segment got, null = { .attributes = 3 << 5 };

	(void)state;
	vmx_store_segment(&f.cpu, X86_GS, &user);
	assert_int_equal(real(VMX_ACCESS + X86_GS), 0xa0f3);
	vmx_load_segment(&f.cpu, X86_GS, &got);
	assert_memory_equal(&got, &user, sizeof(got));
	/* No segment; SS still tells the privilege. */
	vmx_store_segment(&f.cpu, X86_SS, &null);
	assert_int_equal(real(VMX_ACCESS + X86_SS), ACCESS_UNUSABLE | 3 << 5);
	assert_int_equal(x86_cpl(&f.cpu), 3);
	vmx_set_field(&vmx->state, VMX_ACCESS + X86_DS, ACCESS_UNUSABLE | 0xf3);
	vmx_load_segment(&f.cpu, X86_DS, &got);
	assert_int_equal(got.attributes & X86_SEG_PRESENT, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fixed_bits_are_hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_caches_stay_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_values_of_cr0, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pae_loads_its_top_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cr4, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cr3_and_cr8, setup, teardown),
		cmocka_unit_test_setup_teardown(test_xsetbv, setup, teardown),
		cmocka_unit_test_setup_teardown(test_task_switch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_segments, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
