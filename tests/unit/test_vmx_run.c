/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: tests/unit/hvm_fixture.c core/smp.c features/timer-on-demand/on_demand.c */
/* sources: arch/x86_64/hvm/run.c arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c arch/x86_64/hvm/cpuid.c */
/* sources: arch/x86_64/hvm/msr.c arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c arch/x86_64/hvm/walk.c */
/* sources: arch/x86_64/hvm/print.c core/bus.c core/console.c core/elf.c core/feature.c core/log.c core/memory.c */
/* sources: core/payload.c core/timer.c core/io.c core/vm.c tests/unit/fake_platform.c */
/* What is in the VMCS at an entry, and what is made of it after an exit: the VMCS is an array, the guest a script. */
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

static uint64_t vmx_read(uint64_t field)
{
	return vmcs[field];
}

static void vmx_write(uint64_t field, uint64_t value)
{
	vmcs[field] = value;
}

/* Nor may a test mask interrupts. */
#define irq_save    pc_irq_save
#define irq_restore pc_irq_restore
#include "arch/x86_64/pc/x86.h"
#undef irq_save
#undef irq_restore

static bool masked;

static uint64_t irq_save(void)
{
	masked = true;
	return 0;
}

static void irq_restore(uint64_t flags)
{
	(void)flags;
	masked = false;
}

#include "arch/x86_64/hvm/vmx/registers.c"
#include "arch/x86_64/hvm/vmx/run.c"
#include "arch/x86_64/hvm/vmx/state.c"
#include "tests/unit/fake_platform.h"
#include "tests/unit/hvm_fixture.h"

#define RIP      0x1000u
#define VALID    (1u << 31)
#define HAS_CODE (1u << 11)
#define GD       ((uint64_t)1 << 13)

struct vmx_capabilities vmx_capabilities;

static struct hvm_fixture f;
static struct vmx *vmx;
static struct x86_cpu *c;
static uint64_t due;
static unsigned looks, explained;
static uint64_t apic_written;
static int outcome;
static bool taking; /* interrupts of other CPUs, from before the entry to behind it */

/* Fields of the VMCS that the next exit changes. */
static struct {
	uint16_t field;
	uint64_t value;
} changes[8];
static unsigned nr_changes;

int vmx_enter(uint64_t *gpr, const uint32_t *attention, bool launched, uint64_t *host_rsp)
{
	(void)gpr;
	(void)attention;
	(void)launched;
	(void)host_rsp;
	assert_true(taking);
	for (unsigned i = 0; i < nr_changes; i++)
		vmcs[changes[i].field] = changes[i].value;
	return outcome;
}

void vmx_load(struct x86_cpu *cpu)
{
	(void)cpu;
}

void vmx_drop_translations(struct x86_cpu *cpu)
{
	vmx_of(cpu)->drop = false;
}

void vmx_apic_before(struct x86_cpu *cpu, struct vmx *s)
{
	(void)cpu;
	(void)s;
}

void vmx_apic_after(struct x86_cpu *cpu, struct vmx *s)
{
	(void)cpu;
	(void)s;
}

void vmx_apic_enter(struct x86_cpu *cpu, struct vmx *s)
{
	(void)cpu;
	(void)s;
	taking = true;
}

void vmx_apic_leave(struct x86_cpu *cpu, struct vmx *s)
{
	(void)cpu;
	(void)s;
	taking = false;
}

static uint64_t dispatched;

void trap_dispatch(struct trap_frame *frame)
{
	assert_true(masked);
	dispatched = frame->vector;
}

void vmx_apic_end(struct x86_cpu *cpu, uint8_t vector)
{
	(void)cpu;
	(void)vector;
}

uint64_t vmx_apic_accessed(struct x86_cpu *cpu, struct vmx *s, uint64_t offset)
{
	assert_ptr_equal(s, vmx_of(cpu));
	return 0xfee00000 + offset;
}

void vmx_apic_written(struct x86_cpu *cpu, struct vmx *s, uint64_t offset)
{
	(void)cpu;
	(void)s;
	apic_written = offset;
}

void vmx_explain_refusal(uint32_t error)
{
	explained = error;
}

void vmx_explain_exit(uint32_t reason, uint64_t qualification, const struct vmx_msr *msrs)
{
	(void)qualification;
	(void)msrs;
	explained = reason & 0xffff;
}

bool hvm_fpu_set_xcr0(struct x86_cpu *cpu, uint64_t value)
{
	(void)cpu;
	(void)value;
	return false;
}

void hvm_fpu_load(struct x86_cpu *cpu)
{
	(void)cpu;
}

uint64_t clock_watch(void)
{
	return due;
}

void clock_look(void)
{
	looks++;
}

static const struct hvm_ops ops = {
	.name = "VMX", .get = vmx_get, .set = vmx_set, .get_segment = vmx_load_segment, .set_segment = vmx_store_segment
};

static int setup(void **state)
{
	static const struct x86_segment code = { .attributes = X86_SEG_CODE64, .limit = UINT32_MAX };
	static const struct x86_segment data = { .attributes = X86_SEG_DATA32, .limit = UINT32_MAX };

	(void)state;
	fake_reset();
	memset(vmcs, 0, sizeof(vmcs));
	vmx_capabilities = (struct vmx_capabilities){
		.pin = PIN_PREEMPTION, .cr0_fixed0 = 0x21, .cr0_fixed1 = UINT32_MAX, .cr4_fixed1 = UINT32_MAX, .misc = 5
	};
	hvm_fixture_init(&f, 0);
	c = &f.cpu;
	vmx = calloc(1, sizeof(*vmx));
	c->hvm = &ops;
	c->state = vmx;
	c->window = -1;
	c->rip = RIP;
	vmx_zero_fields(&vmx->state);
	vmx_set(c, X86_CR0, X86_CR0_PE | X86_CR0_PG);
	vmx_set(c, X86_EFER, X86_EFER_LME | X86_EFER_LMA);
	vmx_set(c, X86_DR7, X86_DR7_RESET);
	vmx_store_segment(c, X86_CS, &code);
	vmx_store_segment(c, X86_SS, &data);
	vmx->dr6 = X86_DR6_RESET;
	due = UINT64_MAX;
	looks = explained = nr_changes = 0;
	outcome = EXITED;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(vmx);
	return 0;
}

static void change(uint16_t field, uint64_t value)
{
	changes[nr_changes].field = field;
	changes[nr_changes++].value = value;
}

/* Runs the guest once; the exit has this reason and qualification, and what change() was told. */
static struct hvm_exit run_once(uint32_t reason, uint64_t qualification)
{
	struct hvm_exit x = { 0 };

	change(VMCS_REASON, reason);
	change(VMCS_QUALIFICATION, qualification);
	vmx_run(c, &x);
	nr_changes = 0;
	return x;
}

static void test_state_goes_there_and_back(void **state)
{
	(void)state;
	c->gpr[X86_RSP] = 0x8000;
	c->rflags = 0x202;
	change(VMCS_GUEST_RIP, RIP + 2);
	change(VMCS_EXIT_LENGTH, 2);
	const struct hvm_exit x = run_once(REASON_CPUID, 0);

	assert_int_equal(x.cause, HVM_CPUID);
	assert_int_equal(x.length, 2);
	assert_int_equal(vmcs[VMCS_GUEST_RSP], 0x8000);
	assert_int_equal(vmcs[VMCS_GUEST_RFLAGS], 0x202);
	assert_int_equal(vmcs[VMCS_GUEST_CR0], X86_CR0_PE | X86_CR0_PG | X86_CR0_ET | X86_CR0_NE);
	assert_int_equal(vmcs[VMCS_ENTRY], ENTRY_IA32E);
	assert_int_equal(c->rip, RIP + 2);
	/* The guest changes what it owns. */
	change(VMCS_GUEST_CR3, 0x5000);
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(vmx_get(c, X86_CR3), 0x5000);
}

static void test_events(void **state)
{
	(void)state;
	x86_raise(c, X86_GP, 0x18);
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(vmcs[VMCS_ENTRY_EVENT], VALID | HAS_CODE | X86_EVENT_EXCEPTION << 8 | X86_GP);
	assert_int_equal(vmcs[VMCS_ENTRY_ERROR], 0x18);
	assert_false(c->inject.valid);
	/* Real mode has no error codes. */
	vmx_set(c, X86_CR0, 0);
	x86_raise(c, X86_GP, 0);
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(vmcs[VMCS_ENTRY_EVENT], VALID | X86_EVENT_EXCEPTION << 8 | X86_GP);
}

/* An interrupt of the host is pending still, or was acknowledged and nobody else will handle it. */
static void test_host_interrupts(void **state)
{
	(void)state;
	dispatched = 0;
	assert_int_equal(run_once(REASON_INTERRUPT, 0).cause, HVM_INTERRUPT);
	assert_int_equal(dispatched, 0);
	change(VMCS_EXIT_EVENT, VALID | 0x32);
	assert_int_equal(run_once(REASON_INTERRUPT, 0).cause, HVM_INTERRUPT);
	assert_int_equal(dispatched, 0x32);
	assert_false(masked);
	outcome = NOT_ENTERED;
	assert_int_equal(run_once(0, 0).cause, HVM_ATTENTION);
	assert_false(taking);
}

static void test_cut_short(void **state)
{
	(void)state;
	change(VMCS_VECTORING_EVENT, VALID | X86_EVENT_SOFTWARE << 8 | 0x80);
	change(VMCS_EXIT_LENGTH, 2);
	run_once(REASON_EPT, 0x182);
	assert_true(c->inject.valid);
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(vmcs[VMCS_ENTRY_EVENT], VALID | X86_EVENT_SOFTWARE << 8 | 0x80);
	assert_int_equal(vmcs[VMCS_ENTRY_LENGTH], 2);
	/* Not entered: it is still to be delivered. */
	setup(NULL);
	x86_raise(c, X86_PF, 2);
	outcome = NOT_ENTERED;
	assert_int_equal(run_once(0, 0).cause, HVM_ATTENTION);
	assert_true(c->inject.valid);
	change(VMCS_VECTORING_EVENT, VALID | HAS_CODE | X86_EVENT_EXCEPTION << 8 | X86_PF);
	change(VMCS_VECTORING_ERROR, 2);
	outcome = EXITED;
	run_once(REASON_EPT, 0x182);
	assert_int_equal(c->inject.vector, X86_PF);
	assert_int_equal(c->inject.error, 2);
}

static void test_nmis(void **state)
{
	(void)state;
	/* As the run loop delivers one. */
	c->inject = (struct x86_event){ .valid = true, .type = X86_EVENT_NMI, .vector = 2 };
	c->nmi_blocked = c->watch_iret = true;
	c->nmi_pending = true; /* and there is another */
	vmcs[VMCS_GUEST_BLOCKING] = BLOCKING_NMI;
	change(VMCS_GUEST_BLOCKING, BLOCKING_NMI);
	run_once(REASON_NMI_WINDOW, 0);
	assert_int_equal(vmcs[VMCS_ENTRY_EVENT], VALID | X86_EVENT_NMI << 8 | 2);
	assert_true((vmcs[VMCS_CPU] & CPU_NMI_WINDOW) != 0);
	assert_true(c->nmi_blocked);
	/* Its IRET ends that; one that faults did not. */
	c->nmi_pending = false;
	change(VMCS_GUEST_BLOCKING, 0);
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(vmcs[VMCS_CPU] & CPU_NMI_WINDOW, 0);
	assert_false(c->nmi_blocked);
	run_once(REASON_EPT, 0x181 | EPT_VIOLATION_UNBLOCKS);
	assert_true(c->nmi_blocked);
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(vmcs[VMCS_GUEST_BLOCKING], BLOCKING_NMI);
	/* In a delivery, the bit means nothing. */
	change(VMCS_GUEST_BLOCKING, 0);
	change(VMCS_VECTORING_EVENT, VALID | 0x30);
	run_once(REASON_EPT, 0x181 | EPT_VIOLATION_UNBLOCKS);
	assert_false(c->nmi_blocked);
}

static void test_windows(void **state)
{
	struct x86_interrupts source = { .ignores_priority = false };

	(void)state;
	c->window = 0x52;
	c->window_source = &source;
	vmx_set(c, X86_CR8, 7);
	run_once(REASON_TPR, 0);
	assert_int_equal(vmcs[VMCS_TPR_THRESHOLD], 5);
	assert_int_equal(vmcs[VMCS_CPU] & CPU_INTERRUPT_WINDOW, 0);
	source.ignores_priority = true;
	run_once(REASON_INTERRUPT_WINDOW, 0);
	assert_int_equal(vmcs[VMCS_TPR_THRESHOLD], 0);
	assert_int_equal(vmcs[VMCS_CPU] & CPU_INTERRUPT_WINDOW, CPU_INTERRUPT_WINDOW);
	source.ignores_priority = false;
	vmx_set(c, X86_CR8, 4);
	assert_int_equal(run_once(REASON_INTERRUPT_WINDOW, 0).cause, HVM_WINDOW);
	assert_int_equal(vmcs[VMCS_CPU] & CPU_INTERRUPT_WINDOW, CPU_INTERRUPT_WINDOW);
	c->window = -1;
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(vmcs[VMCS_CPU] & CPU_INTERRUPT_WINDOW, 0);
}

static void test_shadow(void **state)
{
	(void)state;
	change(VMCS_GUEST_BLOCKING, BLOCKING_MOV_SS);
	run_once(REASON_INTERRUPT, 0);
	assert_true(c->shadow);
	c->rflags |= X86_RFLAGS_TF;
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(vmcs[VMCS_GUEST_BLOCKING], BLOCKING_MOV_SS);
	assert_int_equal(vmcs[VMCS_GUEST_PENDING_DEBUG], PENDING_BS);
	c->shadow = false; /* an instruction was emulated */
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(vmcs[VMCS_GUEST_BLOCKING], 0);
}

static void test_debug_exception(void **state)
{
	(void)state;
	vmx_set(c, X86_DR7, X86_DR7_RESET | GD);
	vmx->dr6 |= 8;
	change(VMCS_EXIT_EVENT, VALID | X86_EVENT_EXCEPTION << 8 | X86_DB);
	const struct hvm_exit x = run_once(REASON_EXCEPTION, 1u << 14 | 1);

	assert_int_equal(x.cause, HVM_EXCEPTION);
	assert_int_equal(x.vector, X86_DB);
	assert_int_equal(vmx_get(c, X86_DR6), X86_DR6_RESET | 1u << 14 | 1);
	assert_int_equal(vmx_get(c, X86_DR7), X86_DR7_RESET);
}

static void test_reasons(void **state)
{
	struct hvm_exit x = run_once(REASON_IO, 0x3f8 << 16 | IO_STRING | IO_REPEAT | IO_IN | 1);

	(void)state;
	assert_int_equal(x.cause, HVM_PORT);
	assert_int_equal(x.port, 0x3f8);
	assert_int_equal(x.size, 2);
	assert_true(x.in && x.string && x.repeat);
	change(VMCS_GUEST_PHYSICAL, 0xfee000b0);
	x = run_once(REASON_EPT, 0x582);
	assert_int_equal(x.cause, HVM_MEMORY);
	assert_int_equal(x.gpa, 0xfee000b0);
	assert_true(x.write && !x.fetch);
	assert_true(run_once(REASON_EPT, 0x584).fetch);
	/* The page of the local APIC: as every other device, or told after the instruction. */
	x = run_once(REASON_APIC_ACCESS, APIC_ACCESS_WRITE << 12 | 0x390);
	assert_int_equal(x.cause, HVM_MEMORY);
	assert_int_equal(x.gpa, 0xfee00390);
	assert_true(x.write && !x.fetch);
	assert_true(run_once(REASON_APIC_ACCESS, APIC_ACCESS_FETCH << 12).fetch);
	c->rip = RIP;
	x = run_once(REASON_APIC_WRITE, 0x300);
	assert_int_equal(x.cause, HVM_OWN);
	vmx_handle(c, &x);
	assert_int_equal(apic_written, 0x300);
	assert_int_equal(c->rip, vmcs[VMCS_GUEST_RIP]);
	for (uint32_t reason = REASON_VMCLEAR; reason <= REASON_VMXON; reason++)
		assert_int_equal(run_once(reason, 0).cause, HVM_FORBIDDEN);
	assert_int_equal(run_once(REASON_PAUSE, 0).cause, HVM_SPIN);
	assert_int_equal(run_once(REASON_EPT_MISCONFIG, 0).cause, HVM_UNKNOWN);
	assert_int_equal(run_once(0x7f, 0).cause, HVM_UNKNOWN);
	assert_string_equal(vmx_exit_name(REASON_HLT), "HLT");
	assert_string_equal(vmx_exit_name(REASON_VMXON), "VMX");
	assert_string_equal(vmx_exit_name(0x7f), "?");
}

static void test_failed_entries(void **state)
{
	(void)state;
	assert_int_equal(run_once(REASON_ENTRY_FAILED | REASON_GUEST_STATE, 0).cause, HVM_INVALID);
	assert_int_equal(explained, REASON_GUEST_STATE);
	vmcs[VMCS_INSTRUCTION_ERROR] = 7;
	outcome = REFUSED;
	const struct hvm_exit x = run_once(0, 0);
	assert_int_equal(x.cause, HVM_INVALID);
	assert_int_equal(x.info1, 7);
	assert_int_equal(explained, 7);
}

static void test_timer(void **state)
{
	(void)state;
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(vmcs[VMCS_PREEMPTION_TIMER], UINT32_MAX);
	due = 1; /* long ago */
	run_once(REASON_PREEMPTION, 0);
	assert_int_equal(vmcs[VMCS_PREEMPTION_TIMER], 0);
	assert_int_equal(looks, 2); /* before, and for the exit */
	due = rdtsc() + (1ull << 60);
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(vmcs[VMCS_PREEMPTION_TIMER], UINT32_MAX);
	due = rdtsc() + (1ull << 36); /* by 32 */
	run_once(REASON_INTERRUPT, 0);
	assert_in_range(vmcs[VMCS_PREEMPTION_TIMER], 1, (1ull << 31) + 1);
	vmx_capabilities.pin = 0;
	due = 1;
	looks = 0;
	run_once(REASON_INTERRUPT, 0);
	assert_int_equal(looks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_state_goes_there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host_interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nmis, setup, teardown),
		cmocka_unit_test_setup_teardown(test_windows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shadow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_debug_exception, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reasons, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
