/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/local-apic/local_apic.c features/local-apic/one.c features/timer-on-demand/on_demand.c tests/unit/hvm_fixture.c */
/* sources: arch/x86_64/hvm/run.c arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c arch/x86_64/hvm/cpuid.c */
/* sources: arch/x86_64/hvm/msr.c arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c arch/x86_64/hvm/walk.c */
/* sources: arch/x86_64/hvm/print.c core/bus.c core/console.c core/elf.c core/feature.c core/log.c core/memory.c */
/* sources: core/payload.c core/timer.c core/io.c core/vm.c tests/unit/fake_platform.c */
/* Local APIC, run loop and policies of engine hvm, on a vCPU whose exits are scripted. */
#include <cpuid.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>

#include "features/local-apic/local_apic.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/hvm_fixture.h"

#define APIC_BASE 0x1bu
#define DEADLINE  0x6e0u
#define X2(reg)   (0x800u + (reg) / 16)

static struct hvm_fixture f;
static struct x86_cpu *const c = &f.cpu;
static struct local_apic *a;

static int setup(void **state)
{
	(void)state;
	fake_reset();
	hvm_fixture_init(&f, 0x10000);
	plat_cpu_bind(&c->vcpu.attention);
	assert_int_equal(feature_attach_all(&f.vm), 0);
	x86_reset(c);
	f.controls[X86_EFER] = X86_EFER_LMA | X86_EFER_LME;
	f.segments[X86_CS].attributes = X86_SEG_CODE64;
	a = local_apic_of(&c->vcpu);
	vcpu_take_attention(&c->vcpu);
	return 0;
}

static void wr(uint32_t reg, uint32_t value)
{
	a->dev.ops->write(&a->dev, reg, 4, value);
}

static uint32_t rd(uint32_t reg)
{
	return (uint32_t)a->dev.ops->read(&a->dev, reg, 4);
}

static int wanted(void)
{
	return a->source.pending(&a->source);
}

static void accept(int vector)
{
	assert_int_equal(wanted(), vector);
	a->source.accepted(&a->source, (uint8_t)vector);
}

static void enable(void)
{
	wr(0xf0, 0x1ff);
}

/* --- the APIC */

static void test_reset_state(void **state)
{
	(void)state;
	assert_int_equal(rd(0x20), 0);
	assert_int_equal(rd(0x30), 0x00050014);
	assert_int_equal(rd(0xf0), 0xff);
	assert_int_equal(rd(0xe0), 0xffffffff);
	assert_int_equal(rd(0x320), 0x10000);
	assert_ptr_equal(c->extensions->device, &a->dev);
	assert_int_equal(wanted(), -1);
}

static void test_priorities_and_ends(void **state)
{
	(void)state;
	enable();
	local_apic_raise(a, 0x41, false);
	local_apic_raise(a, 0x85, false);
	assert_true(vcpu_attention(&c->vcpu) & ATTN_IRQ);
	accept(0x85);
	assert_int_equal(wanted(), -1); /* lower class waits */
	local_apic_raise(a, 0x8f, false);
	assert_int_equal(wanted(), -1); /* so does the same class */
	local_apic_raise(a, 0x91, false);
	accept(0x91);
	assert_int_equal(rd(0xa0), 0x90);
	wr(0xb0, 0);
	assert_int_equal(wanted(), -1);
	wr(0xb0, 0);
	accept(0x8f);
	wr(0xb0, 0);
	accept(0x41);
	wr(0xb0, 0);
	wr(0xb0, 0); /* one too many */
	assert_int_equal(wanted(), -1);
}

static void test_requests_wait_for_the_apic(void **state)
{
	(void)state;
	local_apic_raise(a, 0x41, false);
	assert_int_equal(wanted(), -1);
	assert_int_equal(rd(0x220), 0);
	enable();
	accept(0x41);
}

static void test_errors(void **state)
{
	(void)state;
	enable();
	wr(0x370, 0x55);
	wr(0x300, 0x40000 | 5); /* a vector that is none, to oneself */
	accept(0x55);
	assert_int_equal(rd(0x280), 0);
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0x20);
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0);
	rd(0x50);
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0x80);
}

static void test_messages(void **state)
{
	(void)state;
	enable();
	wr(0x310, 0);
	wr(0x300, 0x4000 | 0x61);
	accept(0x61);
	wr(0xb0, 0);
	wr(0x310, 1u << 24); /* somebody else */
	wr(0x300, 0x4000 | 0x62);
	assert_int_equal(wanted(), -1);
	wr(0x310, 0xffu << 24);
	wr(0x300, 0x4000 | 0x63);
	accept(0x63);
	wr(0xb0, 0);
	wr(0xd0, 1u << 24); /* logical, flat */
	wr(0x310, 1u << 24);
	wr(0x300, 0x4800 | 0x64);
	accept(0x64);
	wr(0xb0, 0);
	wr(0xe0, 0x0fffffff); /* logical, cluster 2, member 1 */
	wr(0xd0, 0x21u << 24);
	wr(0x310, 0x23u << 24);
	wr(0x300, 0x4800 | 0x65);
	accept(0x65);
	wr(0xb0, 0);
	wr(0x300, 3u << 18 | 0x66); /* all but oneself */
	assert_int_equal(wanted(), -1);
	wr(0x300, 1u << 18 | 4u << 8);
	assert_true(c->nmi_pending);
}

static void test_x2apic(void **state)
{
	uint64_t value;

	(void)state;
	assert_false(hvm_read_msr(c, X2(0x20), &value)); /* not before it is on */
	assert_true(hvm_write_msr(c, APIC_BASE, 0xfee00d00));
	assert_null(c->extensions->device);
	assert_true(hvm_read_msr(c, X2(0x30), &value));
	assert_int_equal(value, 0x50014);
	assert_true(hvm_read_msr(c, X2(0xd0), &value));
	assert_int_equal(value, 1);
	assert_true(hvm_write_msr(c, X2(0xf0), 0x1ff));
	assert_true(hvm_write_msr(c, 0x83f, 0x71));
	accept(0x71);
	assert_false(hvm_write_msr(c, X2(0xb0), 1));
	assert_true(hvm_write_msr(c, X2(0xb0), 0));
	assert_true(hvm_write_msr(c, X2(0x300), (uint64_t)1 << 32 | 0x800 | 0x72)); /* logical id 1 of cluster 0 */
	accept(0x72);
	assert_false(hvm_write_msr(c, X2(0xe0), 0));
	assert_false(hvm_write_msr(c, X2(0x20), 0));
	assert_false(hvm_read_msr(c, X2(0x310), &value));
	assert_false(hvm_write_msr(c, X2(0xf0), (uint64_t)1 << 32));
	assert_false(hvm_write_msr(c, APIC_BASE, 0xfee00900)); /* no way back but through off */
	assert_true(hvm_write_msr(c, APIC_BASE, 0xfee00100));
	assert_false(hvm_write_msr(c, APIC_BASE, 0xfee00d00));
	assert_true(hvm_write_msr(c, APIC_BASE, 0xfee00900));
	assert_false(hvm_write_msr(c, APIC_BASE, 0xfed00900));
	assert_int_equal(rd(0xf0), 0xff);
}

static void pass(uint64_t ns)
{
	fake_advance(ns);
	if ((vcpu_take_attention(&c->vcpu) & ATTN_TIMER) != 0)
		timer_run_due(&c->vcpu);
}

static void test_timer_once(void **state)
{
	(void)state;
	enable();
	wr(0x3e0, 0xb); /* by 1 */
	wr(0x320, 0x40);
	wr(0x380, 1000);
	pass(400);
	assert_int_equal(rd(0x390), 600);
	assert_int_equal(wanted(), -1);
	pass(600);
	accept(0x40);
	assert_int_equal(rd(0x390), 0);
	wr(0xb0, 0);
	pass(5000);
	assert_int_equal(wanted(), -1);
	wr(0x380, 1000);
	wr(0x380, 0);
	pass(5000);
	assert_int_equal(wanted(), -1);
}

static void test_timer_divides_and_repeats(void **state)
{
	(void)state;
	enable();
	wr(0x3e0, 0x8); /* by 32 */
	wr(0x320, 1u << 17 | 0x40);
	wr(0x380, 10);
	for (unsigned i = 0; i < 3; i++) {
		pass(320);
		accept(0x40);
		wr(0xb0, 0);
	}
	pass(160);
	assert_int_equal(rd(0x390), 5);
	pass(3200 + 160); /* many periods missed: one interrupt, in step again */
	accept(0x40);
	wr(0xb0, 0);
	pass(319);
	assert_int_equal(wanted(), -1);
	pass(1);
	assert_int_equal(wanted(), 0x40);
	wr(0x320, 1u << 17 | 1u << 16 | 0x40);
	accept(0x40);
	wr(0xb0, 0);
	pass(320);
	assert_int_equal(wanted(), -1); /* masked */
}

static void test_tsc_deadline(void **state)
{
	uint64_t value;

	(void)state;
	enable();
	wr(0x320, 2u << 17 | 0x40);
	assert_true(hvm_write_msr(c, DEADLINE, plat_counter() + 2000)); /* 2 ticks a ns */
	assert_true(hvm_read_msr(c, DEADLINE, &value));
	assert_int_equal(value, 1000 + 2000);
	pass(999);
	assert_int_equal(wanted(), -1);
	pass(2);
	accept(0x40);
	wr(0xb0, 0);
	assert_true(hvm_read_msr(c, DEADLINE, &value));
	assert_int_equal(value, 0);
	assert_true(hvm_write_msr(c, DEADLINE, 1)); /* long past */
	accept(0x40);
	wr(0xb0, 0);
	assert_true(hvm_write_msr(c, DEADLINE, plat_counter() + 2000));
	assert_true(hvm_write_msr(c, DEADLINE, 0));
	pass(5000);
	assert_int_equal(wanted(), -1);
	wr(0x320, 0x40);
	assert_true(hvm_write_msr(c, DEADLINE, plat_counter() + 2000)); /* not in this mode */
	pass(5000);
	assert_int_equal(wanted(), -1);
}

/* --- the run loop */

static void test_interrupt_is_delivered_when_it_can_be(void **state)
{
	(void)state;
	enable();
	local_apic_raise(a, 0x61, false);
	vcpu_take_attention(&c->vcpu);
	assert_int_equal(hvm_run(&c->vcpu), ENGINE_ATTENTION);
	assert_false(f.injected.valid); /* IF is 0: the window is asked for */
	assert_int_equal(f.window, 0x61);
	c->rflags |= X86_RFLAGS_IF;
	f.controls[X86_CR8] = 6; /* its class */
	hvm_run(&c->vcpu);
	assert_int_equal(f.window, 0x61);
	f.controls[X86_CR8] = 5;
	c->shadow = true;
	hvm_run(&c->vcpu);
	assert_false(f.injected.valid);
	c->shadow = false;
	hvm_run(&c->vcpu);
	assert_true(f.injected.valid);
	assert_int_equal(f.injected.vector, 0x61);
	assert_int_equal(f.injected.type, X86_EVENT_INTERRUPT);
	assert_int_equal(f.window, -1);
	assert_int_equal(rd(0x130), 2); /* in service */
}

/* Behind STI, with HLT next: the interrupt ends the HLT. In front of it, the guest would sleep with nothing to come. */
static void test_interrupt_does_not_part_sti_and_hlt(void **state)
{
	static const uint8_t opcodes[] = { 0xf4, 0x90 };

	for (unsigned i = 0; i < 2; i++) {
		setup(state);
		enable();
		memory_write(&f.vm.memory, 0x3000, &opcodes[i], 1);
		c->rip = 0x3000;
		c->rflags |= X86_RFLAGS_IF;
		c->shadow = true;
		local_apic_raise(a, 0x61, false);
		vcpu_take_attention(&c->vcpu);
		hvm_run(&c->vcpu);
		assert_int_equal(c->rip, opcodes[i] == 0xf4 ? 0x3001 : 0x3000);
		assert_int_equal(f.injected.valid, opcodes[i] == 0xf4);
		assert_int_equal(c->shadow, opcodes[i] != 0xf4);
	}
}

static void test_halt_idles_until_an_interrupt(void **state)
{
	(void)state;
	enable();
	c->rflags |= X86_RFLAGS_IF;
	hvm_fixture_exit(&f, HVM_HALT, 1);
	assert_int_equal(hvm_run(&c->vcpu), ENGINE_IDLE);
	assert_int_equal(c->rip, 1);
	assert_int_equal(hvm_run(&c->vcpu), ENGINE_IDLE);
	local_apic_raise(a, 0x61, false);
	vcpu_take_attention(&c->vcpu);
	assert_int_equal(hvm_run(&c->vcpu), ENGINE_ATTENTION);
	assert_true(f.injected.valid);
}

static void test_halt_without_interrupts_is_for_good(void **state)
{
	(void)state;
	hvm_fixture_exit(&f, HVM_HALT, 1);
	assert_int_equal(hvm_run(&c->vcpu), ENGINE_HALTED);
}

static void test_nmis_do_not_nest(void **state)
{
	(void)state;
	c->nmi_pending = true;
	hvm_run(&c->vcpu);
	assert_int_equal(f.injected.type, X86_EVENT_NMI);
	c->inject.valid = false;
	c->nmi_pending = true;
	hvm_run(&c->vcpu);
	assert_false(f.injected.valid);
	assert_true(c->watch_iret);
	hvm_fixture_exit(&f, HVM_IRET, 0);
	hvm_run(&c->vcpu);
	assert_false(f.injected.valid); /* not before IRET is done */
	assert_true(c->rflags & X86_RFLAGS_TF);
	hvm_fixture_exit(&f, HVM_EXCEPTION, 0)->vector = X86_DB;
	c->rip = 0x100;
	hvm_run(&c->vcpu);
	assert_int_equal(f.injected.type, X86_EVENT_NMI);
}

static void test_shutdown_ends_the_run(void **state)
{
	(void)state;
	hvm_fixture_exit(&f, HVM_SHUTDOWN, 0);
	hvm_run(&c->vcpu);
	assert_int_equal(f.vm.request, VM_CRASH);
	assert_non_null(strstr(fake_log, "husk: error: the guest cannot go on: it took an exception"));
	assert_non_null(strstr(fake_log, "last exits, oldest first:"));
}

static void test_exceptions_go_on_to_the_guest(void **state)
{
	struct hvm_exit *x = hvm_fixture_exit(&f, HVM_EXCEPTION, 0);

	(void)state;
	x->vector = X86_AC;
	x->error = 0;
	hvm_run(&c->vcpu);
	assert_true(f.injected.valid && f.injected.has_error);
	assert_int_equal(f.injected.vector, X86_AC);
}

static void test_unknown_call_and_forbidden_instruction(void **state)
{
	(void)state;
	hvm_fixture_exit(&f, HVM_CALL, 3);
	hvm_run(&c->vcpu);
	assert_int_equal(f.injected.vector, X86_UD);
	assert_int_equal(c->rip, 0);
	hvm_fixture_exit(&f, HVM_COUNTERS, 2);
	hvm_run(&c->vcpu);
	assert_int_equal(f.injected.vector, X86_GP);
}

/* --- policies */

static void test_msrs_are_denied_by_default(void **state)
{
	uint64_t value = 7;
	uint32_t r[4];

	(void)state;
	assert_false(hvm_read_msr(c, 0x10c, &value));
	assert_false(hvm_write_msr(c, 0x10c, 0));
	assert_true(hvm_read_msr(c, 0x3b, &value));
	assert_int_equal(value, 0);
	assert_true(hvm_write_msr(c, 0x3b, 0));
	assert_false(hvm_write_msr(c, 0x3b, 1));
	f.controls[X86_CR0] = X86_CR0_PG;
	assert_false(hvm_write_msr(c, 0xc0000080, X86_EFER_NXE)); /* LME under paging */
	assert_true(hvm_write_msr(c, 0xc0000080, X86_EFER_LME | X86_EFER_NXE));
	assert_int_equal(f.controls[X86_EFER], X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE);
	assert_false(hvm_write_msr(c, 0xc0000080, X86_EFER_LME | X86_EFER_SVME));
	/* FFXSR is AMD's: where the CPU has none, no guest may have it. */
	__cpuid(0x80000001u, r[0], r[1], r[2], r[3]);
	assert_int_equal(hvm_write_msr(c, 0xc0000080, X86_EFER_LME | 1u << 14), r[3] >> 25 & 1);
}

static void test_rdmsr_fault(void **state)
{
	(void)state;
	c->gpr[X86_RCX] = 0x10c;
	hvm_fixture_exit(&f, HVM_MSR_READ, 2);
	hvm_run(&c->vcpu);
	assert_int_equal(f.injected.vector, X86_GP);
	assert_int_equal(c->rip, 0);
}

static void ask(uint32_t leaf, uint32_t subleaf)
{
	c->gpr[X86_RAX] = 0xffffffff00000000ull | leaf;
	c->gpr[X86_RCX] = subleaf;
	hvm_cpuid(c);
}

static void test_cpuid(void **state)
{
	(void)state;
	ask(0, 0);
	assert_int_equal(c->gpr[X86_RAX], 0xd);
	ask(1, 0);
	assert_true(c->gpr[X86_RCX] >> 31 & 1);                          /* hypervisor */
	assert_true(c->gpr[X86_RCX] >> 21 & c->gpr[X86_RCX] >> 24 & 1);  /* x2APIC, deadline */
	assert_false(c->gpr[X86_RCX] & (1u << 3 | 1u << 5));             /* MONITOR, VMX */
	assert_false(c->gpr[X86_RDX] & (1u << 7 | 1u << 12 | 1u << 14)); /* MCE, MTRR, MCA */
	assert_false(c->gpr[X86_RCX] >> 27 & 1);
	f.controls[X86_CR4] |= X86_CR4_OSXSAVE;
	ask(1, 0);
	assert_true(c->gpr[X86_RCX] >> 27 & 1);
	ask(0x80000001, 0);
	assert_false(c->gpr[X86_RCX] & 4); /* SVM */
	ask(0x80000007, 0);
	assert_int_equal(c->gpr[X86_RDX], 1u << 8);
	for (unsigned i = 0; i < 4; i++) {
		static const uint32_t none[] = { 0xa, 0x14, 0x8000000a, 0x12345678 };

		ask(none[i], 0);
		assert_int_equal(c->gpr[X86_RAX] | c->gpr[X86_RBX] | c->gpr[X86_RCX] | c->gpr[X86_RDX], 0);
	}
}

/* --- devices */

static uint64_t seen;

static uint64_t dev_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	return 0x1122334455667788ull >> 8 * offset & (size == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * size) - 1);
}

static void dev_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	(void)dev;
	seen = offset << 56 | (uint64_t)size << 48 | value;
}

static const struct device_ops dev_ops = { .read = dev_read, .write = dev_write };
static struct device dev = { .name = "dev", .ops = &dev_ops };

static void test_ports(void **state)
{
	struct hvm_exit *x;

	(void)state;
	assert_int_equal(bus_attach(&f.vm.ports, &dev, 0x500, 8), 0);
	c->gpr[X86_RAX] = UINT64_MAX;
	x = hvm_fixture_exit(&f, HVM_PORT, 1);
	*x = (struct hvm_exit){ .cause = HVM_PORT, .length = 1, .port = 0x500, .size = 2, .in = true };
	hvm_run(&c->vcpu);
	assert_int_equal(c->gpr[X86_RAX], 0xffffffffffff7788);
	x = hvm_fixture_exit(&f, HVM_PORT, 1);
	*x = (struct hvm_exit){ .cause = HVM_PORT, .length = 1, .port = 0x500, .size = 4, .in = true };
	hvm_run(&c->vcpu);
	assert_int_equal(c->gpr[X86_RAX], 0x55667788);
	x = hvm_fixture_exit(&f, HVM_PORT, 1);
	*x = (struct hvm_exit){ .cause = HVM_PORT, .length = 1, .port = 0x700, .size = 1, .in = true };
	hvm_run(&c->vcpu);
	assert_int_equal(c->gpr[X86_RAX], 0x556677ff);
	assert_int_equal(c->rip, 3);
}

static void test_string_port(void **state)
{
	struct hvm_exit *x;

	(void)state;
	assert_int_equal(bus_attach(&f.vm.ports, &dev, 0x500, 8), 0);
	assert_int_equal(memory_write(&f.vm.memory, 0x100, "ab", 2), 0);
	c->gpr[X86_RSI] = 0x100;
	c->gpr[X86_RCX] = 2;
	for (unsigned i = 0; i < 2; i++) {
		x = hvm_fixture_exit(&f, HVM_PORT, 2);
		*x = (struct hvm_exit){
			.cause = HVM_PORT, .length = 2, .port = 0x500, .size = 1, .string = true, .repeat = true
		};
	}
	hvm_run(&c->vcpu);
	assert_int_equal(seen, (uint64_t)1 << 48 | 'b');
	assert_int_equal(c->gpr[X86_RCX], 0);
	assert_int_equal(c->gpr[X86_RSI], 0x102);
	assert_int_equal(c->rip, 2);
}

static void test_device_memory(void **state)
{
	static const uint8_t code[] = { 0x89, 0x07 }; /* mov %eax, (%rdi) */
	struct hvm_exit *x;

	(void)state;
	assert_int_equal(bus_attach(&f.vm.mmio, &dev, 0x100000, 8), 0);
	assert_int_equal(memory_write(&f.vm.memory, 0, code, sizeof(code)), 0);
	c->gpr[X86_RAX] = 0x12345678;
	x = hvm_fixture_exit(&f, HVM_MEMORY, 0);
	x->gpa = 0x100000;
	x->write = true;
	hvm_run(&c->vcpu);
	assert_int_equal(seen, (uint64_t)4 << 48 | 0x12345678);
	assert_int_equal(c->rip, 2);
	/* The same with bytes from the hardware, at the APIC. */
	x = hvm_fixture_exit(&f, HVM_MEMORY, 0);
	x->gpa = LOCAL_APIC_BASE + 0x380;
	x->nr_bytes = 2;
	memcpy(x->bytes, code, sizeof(code));
	hvm_run(&c->vcpu);
	assert_int_equal(rd(0x380), 0x12345678);
}

static void test_unknown_instruction_ends_the_run(void **state)
{
	static const uint8_t code[] = { 0x0f, 0x29, 0x00 };
	struct hvm_exit *x = hvm_fixture_exit(&f, HVM_MEMORY, 0);

	(void)state;
	assert_int_equal(memory_write(&f.vm.memory, 0, code, sizeof(code)), 0);
	x->gpa = 0x100000;
	hvm_run(&c->vcpu);
	assert_int_equal(f.vm.request, VM_CRASH);
	assert_non_null(strstr(fake_log, "that husk does not know for devices, at address 0x100000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_reset_state, setup),
		cmocka_unit_test_setup(test_priorities_and_ends, setup),
		cmocka_unit_test_setup(test_requests_wait_for_the_apic, setup),
		cmocka_unit_test_setup(test_errors, setup),
		cmocka_unit_test_setup(test_messages, setup),
		cmocka_unit_test_setup(test_x2apic, setup),
		cmocka_unit_test_setup(test_timer_once, setup),
		cmocka_unit_test_setup(test_timer_divides_and_repeats, setup),
		cmocka_unit_test_setup(test_tsc_deadline, setup),
		cmocka_unit_test_setup(test_interrupt_is_delivered_when_it_can_be, setup),
		cmocka_unit_test_setup(test_interrupt_does_not_part_sti_and_hlt, setup),
		cmocka_unit_test_setup(test_halt_idles_until_an_interrupt, setup),
		cmocka_unit_test_setup(test_halt_without_interrupts_is_for_good, setup),
		cmocka_unit_test_setup(test_nmis_do_not_nest, setup),
		cmocka_unit_test_setup(test_shutdown_ends_the_run, setup),
		cmocka_unit_test_setup(test_exceptions_go_on_to_the_guest, setup),
		cmocka_unit_test_setup(test_unknown_call_and_forbidden_instruction, setup),
		cmocka_unit_test_setup(test_msrs_are_denied_by_default, setup),
		cmocka_unit_test_setup(test_rdmsr_fault, setup),
		cmocka_unit_test_setup(test_cpuid, setup),
		cmocka_unit_test_setup(test_ports, setup),
		cmocka_unit_test_setup(test_string_port, setup),
		cmocka_unit_test_setup(test_device_memory, setup),
		cmocka_unit_test_setup(test_unknown_instruction_ends_the_run, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
