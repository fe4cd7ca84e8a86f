/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/local-apic/local_apic.c features/local-apic/one.c features/local-apic/virtual.c */
/* sources: features/timer-on-demand/on_demand.c tests/unit/hvm_fixture.c arch/x86_64/hvm/nested.c */
/* sources: arch/x86_64/hvm/run.c arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c arch/x86_64/hvm/cpuid.c */
/* sources: arch/x86_64/hvm/msr.c arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c arch/x86_64/hvm/walk.c */
/* sources: arch/x86_64/hvm/print.c core/bus.c core/console.c core/elf.c core/feature.c core/log.c core/memory.c */
/* sources: core/payload.c core/timer.c core/io.c core/vm.c tests/unit/fake_platform.c */
/* A local APIC that the CPU takes over: what the CPU is told before an entry, and what the APIC hears after an exit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of the instructions. */
#define VMX_INSN_H
static uint64_t vmcs[0x7000];

static void vmx_write(uint64_t field, uint64_t value)
{
	vmcs[field] = value;
}

/* Nor may a test mask interrupts, or have a CPU's state in GS. */
#define irq_disable pc_irq_disable
#define cpu_this    pc_cpu_this
#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/x86.h"
#undef irq_disable
#undef cpu_this

static bool masked;

static void irq_disable(void)
{
	masked = true;
}

static struct pc_cpu *cpu_this(void)
{
	static struct pc_cpu cpu = { .apic_id = 7 };

	return &cpu;
}

#include <husk/feature.h>

#include "arch/x86_64/hvm/vmx/apic.c"
#include "features/local-apic/local_apic.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/hvm_fixture.h"

#define BOTH     (1u << X86_APIC_X1 | 1u << X86_APIC_X2)
#define BASE_OFF 0xfee00000ull
#define BASE_X1  0xfee00800ull
#define BASE_X2  0xfee00c00ull
#define OTHERS   CPU2_EPT /* controls that have to stay */

struct vmx_capabilities vmx_capabilities;

static struct hvm_fixture f;
static struct x86_cpu *const c = &f.cpu;
static struct local_apic *a;
static struct vmx *s;
static unsigned passed, ends;

void vmx_pass_msr(struct vmx *of, uint32_t msr, bool write, bool pass)
{
	assert_ptr_equal(of, s);
	(void)msr;
	(void)write;
	passed = pass;
}

static uint32_t sent_to;
static unsigned sent;

void apic_send(uint32_t id, unsigned message)
{
	sent_to = id;
	sent = message;
}

static void wr(uint32_t reg, uint32_t value)
{
	a->dev.ops->write(&a->dev, reg, 4, value);
}

static uint32_t shown(uint32_t reg)
{
	uint32_t value;

	memcpy(&value, s->apic + reg, sizeof(value));
	return value;
}

/* As the CPU does for the guest. */
static void guest_writes(uint32_t reg, uint32_t value)
{
	memcpy(s->apic + reg, &value, sizeof(value));
}

static void eoi(void *ctx, uint8_t vector)
{
	(void)ctx;
	ends = ends << 8 | vector;
}

static uint64_t *entry(void)
{
	static const struct nested_format format = { .table = 7 };

	return nested_entry(&format, s->ept_root, LOCAL_APIC_BASE);
}

static void set_base(uint64_t base)
{
	assert_int_equal(a->extension.write_msr(&a->extension, c, 0x1b, base), X86_MSR_DONE);
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	memset(vmcs, 0, sizeof(vmcs));
	hvm_fixture_init(&f, 0x10000);
	assert_int_equal(feature_attach_all(&f.vm), 0);
	a = local_apic_of(&c->vcpu);
	a->eoi = eoi;
	x86_reset(c);
	s = plat_pages_alloc(sizeof(*s), VMX_PAGE);
	c->state = s;
	c->hardware_apic = BOTH;
	s->cpu2_controls = OTHERS;
	s->ept_root = (uint64_t)(uintptr_t)plat_pages_alloc(VMX_PAGE, VMX_PAGE);
	passed = ends = 0;
	masked = false;
	vmx_capabilities = (struct vmx_capabilities){ .pin = PIN_NMI, .posted = true };
	c->posted = plat_pages_alloc(sizeof(*c->posted), VMX_PAGE);
	vcpu_take_attention(&c->vcpu);
	return 0;
}

static void test_modes(void **state)
{
	(void)state;
	/* Disabled by software: not taken over. */
	vmx_apic_before(c, s);
	assert_int_equal(s->apic_mode, X86_APIC_OFF);
	assert_int_equal(*entry(), 0);
	wr(0xf0, 0x1ff);
	vmx_apic_before(c, s);
	assert_int_equal(vmcs[VMCS_CPU2], OTHERS | CPU2_APIC_ACCESSES | CPU2_APIC_REGISTERS | CPU2_APIC_DELIVERY);
	assert_int_equal(*entry(), (uintptr_t)s->apic_access | EPT_READ | EPT_WRITE | EPT_TYPE_WB);
	assert_true(s->drop);
	assert_false(passed);
	s->drop = false;
	vmx_apic_before(c, s);
	assert_false(s->drop);
	/* The page is gone in x2APIC mode, and without one. */
	set_base(BASE_X2);
	vmx_apic_before(c, s);
	assert_int_equal(vmcs[VMCS_CPU2], OTHERS | CPU2_X2APIC | CPU2_APIC_DELIVERY);
	assert_int_equal(*entry(), 0);
	assert_true(s->drop && passed);
	set_base(BASE_OFF);
	vmx_apic_before(c, s);
	assert_int_equal(vmcs[VMCS_CPU2], OTHERS);
	assert_false(passed);
	set_base(BASE_X1);
	wr(0xf0, 0x1ff);
	vmx_apic_before(c, s);
	assert_true(*entry() != 0);
	wr(0xf0, 0xff);
	vmx_apic_before(c, s);
	assert_int_equal(vmcs[VMCS_CPU2], OTHERS);
	assert_int_equal(*entry(), 0);
}

/* A CPU that can do less, and a host without memory for a table. */
static void test_less(void **state)
{
	(void)state;
	wr(0xf0, 0x1ff);
	c->hardware_apic = 1u << X86_APIC_X2;
	assert_false(a->source.taken_over(&a->source));
	vmx_apic_before(c, s);
	assert_int_equal(s->apic_mode, X86_APIC_OFF);
	c->hardware_apic = BOTH;
	assert_true(a->source.taken_over(&a->source));
	fake_pages_left = 0;
	vmx_apic_before(c, s);
	assert_int_equal(s->apic_mode, X86_APIC_OFF);
	assert_false(a->source.taken_over(&a->source));
	set_base(BASE_X2);
	vmx_apic_before(c, s);
	assert_int_equal(s->apic_mode, X86_APIC_X2);
}

/* New tables do not have the page. */
static void test_new_tables(void **state)
{
	(void)state;
	wr(0xf0, 0x1ff);
	vmx_apic_before(c, s);
	s->ept_root = (uint64_t)(uintptr_t)plat_pages_alloc(VMX_PAGE, VMX_PAGE);
	s->apic_paged = false; /* as map_memory() does */
	vmx_apic_before(c, s);
	assert_true(*entry() != 0);
}

static void test_interrupts(void **state)
{
	(void)state;
	wr(0xf0, 0x1ff);
	local_apic_raise(a, 0x41, false);
	local_apic_raise(a, 0x93, true);
	a->service[1] = 1u << 3; /* 0x23 */
	vmx_apic_before(c, s);
	assert_int_equal(vmcs[VMCS_GUEST_INTERRUPT], 0x2393);
	assert_int_equal(shown(0x220), 1u << 1);
	assert_int_equal(shown(0x240), 1u << 19);
	assert_int_equal(shown(0x1c0), 1u << 19); /* triggered by level */
	assert_int_equal(vmcs[VMCS_EOI_EXIT + 4], (uint64_t)1 << 19);
	assert_int_equal(vmcs[VMCS_EOI_EXIT + 2], 0);
	/* The CPU has delivered it. */
	guest_writes(0x240, 0);
	guest_writes(0x140, 1u << 19);
	vmx_apic_after(c, s);
	assert_int_equal(a->request[4], 0);
	assert_int_equal(a->service[4], 1u << 19);
	vmx_apic_before(c, s);
	assert_int_equal(vmcs[VMCS_GUEST_INTERRUPT], 0x9341);
	guest_writes(0x140, 0);
	vmx_apic_after(c, s);
	vmx_apic_end(c, 0x93);
	assert_int_equal(ends, 0x93);
	c->vcpu.debug.hold_interrupts = true;
	vmx_apic_before(c, s);
	assert_int_equal(vmcs[VMCS_GUEST_INTERRUPT], 0x2300);
}

/* The CPU takes interrupts of others while it has the APIC, in a guest, and unless a debugger holds them back. */
static void test_posted(void **state)
{
	(void)state;
	vmx_apic_before(c, s);
	vmx_apic_enter(c, s);
	assert_false(masked);
	assert_int_equal(x86_posted_entered(c->posted), 0);
	assert_int_equal(vmcs[VMCS_PIN], 0); /* not written */
	wr(0xf0, 0x1ff);
	vmx_apic_before(c, s);
	assert_int_equal(vmcs[VMCS_PIN], PIN_NMI | PIN_POSTED);
	vmx_apic_enter(c, s);
	assert_true(masked);
	assert_int_equal(x86_posted_entered(c->posted), 8);
	vmx_apic_notify(x86_posted_entered(c->posted) - 1);
	assert_int_equal(sent_to, 7);
	assert_int_equal(sent, VECTOR_POSTED);
	vmx_apic_leave(c, s);
	assert_int_equal(x86_posted_entered(c->posted), 0);
	assert_int_equal(vcpu_attention(&c->vcpu), 0);
	c->vcpu.debug.hold_interrupts = true;
	vmx_apic_before(c, s);
	assert_int_equal(vmcs[VMCS_PIN], PIN_NMI);
	vmx_apic_enter(c, s);
	assert_int_equal(x86_posted_entered(c->posted), 0);
}

/* What the CPU may never be told of has it look before the guest runs, and behind it. */
static void test_posted_before_and_after(void **state)
{
	uint32_t bits[8];

	(void)state;
	wr(0xf0, 0x1ff);
	vcpu_take_attention(&c->vcpu);
	vmx_apic_before(c, s);
	assert_true(x86_post(c->posted, 0x41));
	vmx_apic_enter(c, s);
	assert_int_equal(vcpu_take_attention(&c->vcpu), ATTN_IRQ);
	vmx_apic_leave(c, s);
	vcpu_take_attention(&c->vcpu);
	assert_true(x86_take_posted(c->posted, bits));
	vmx_apic_enter(c, s);
	assert_int_equal(vcpu_attention(&c->vcpu), 0);
	assert_true(x86_post(c->posted, 0x42));
	vmx_apic_leave(c, s);
	assert_int_equal(vcpu_attention(&c->vcpu), ATTN_IRQ);
}

/* Without such a CPU, or for one vCPU. */
static void test_not_posted(void **state)
{
	(void)state;
	wr(0xf0, 0x1ff);
	vmx_capabilities.posted = false;
	vmx_apic_before(c, s);
	assert_false(s->posted);
	vmx_capabilities.posted = true;
	c->posted = NULL;
	vmx_apic_before(c, s);
	assert_false(s->posted);
	vmx_apic_enter(c, s);
	vmx_apic_leave(c, s);
}

static void test_registers(void **state)
{
	(void)state;
	wr(0xf0, 0x1ff);
	wr(0x350, 0x10700);
	wr(0xd0, 0x02000000);
	s->apic[0x80] = 0x35;
	vmx_apic_before(c, s);
	assert_int_equal(shown(0xf0), 0x1ff);
	assert_int_equal(shown(0x30), 0x50014);
	assert_int_equal(shown(0x350), 0x10700);
	assert_int_equal(shown(0x320), 0x10000);
	assert_int_equal(shown(0xd0), 0x02000000);
	assert_int_equal(shown(0xe0), UINT32_MAX);
	assert_int_equal(shown(0x80), 0x35); /* the CPU's */
	/* What is shown is what the APIC made of a write. */
	guest_writes(0x320, UINT32_MAX);
	vmx_apic_written(c, s, 0x320);
	assert_int_equal(a->lvt[0], 0x700ff);
	vmx_apic_before(c, s);
	assert_int_equal(shown(0x320), 0x700ff);
	guest_writes(0x20, 0x07000000);
	vmx_apic_written(c, s, 0x20);
	vmx_apic_before(c, s);
	assert_int_equal(shown(0x20), 0);
	assert_int_equal(shown(0x280), 0);
	guest_writes(0x280, 0);
	vmx_apic_written(c, s, 0x280);
	vmx_apic_before(c, s);
	assert_int_equal(shown(0x280), 1u << 7);
	/* An access that the CPU leaves to us. */
	assert_int_equal(vmx_apic_accessed(c, s, 0x390), LOCAL_APIC_BASE + 0x390);
	a->divide = 3;
	vmx_apic_before(c, s);
	assert_int_equal(shown(0x3e0), 3);
	/* Nothing has been written: nothing is looked at. */
	a->divide = 1;
	vmx_apic_before(c, s);
	assert_int_equal(shown(0x3e0), 3);
}

static void test_messages(void **state)
{
	(void)state;
	wr(0xf0, 0x1ff);
	vmx_apic_before(c, s);
	guest_writes(0x310, 7u << 24); /* not us */
	guest_writes(0x300, 0x55);
	vmx_apic_written(c, s, 0x300);
	assert_int_equal(a->request[2], 0);
	guest_writes(0x310, 0);
	vmx_apic_written(c, s, 0x300);
	assert_int_equal(a->request[2], 1u << 21);
	vmx_apic_before(c, s);
	assert_int_equal(vmcs[VMCS_GUEST_INTERRUPT], 0x55);
	assert_int_equal(shown(0x300), 0x55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_modes, setup),
		cmocka_unit_test_setup(test_less, setup),
		cmocka_unit_test_setup(test_new_tables, setup),
		cmocka_unit_test_setup(test_interrupts, setup),
		cmocka_unit_test_setup(test_posted, setup),
		cmocka_unit_test_setup(test_posted_before_and_after, setup),
		cmocka_unit_test_setup(test_not_posted, setup),
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_messages, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
