/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/local-apic/local_apic.c features/local-apic/posted.c features/xen-x86/vcpus.c */
/* sources: features/timer-on-demand/on_demand.c tests/unit/hvm_fixture.c core/hypercall.c */
/* sources: arch/x86_64/hvm/run.c arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c arch/x86_64/hvm/cpuid.c */
/* sources: arch/x86_64/hvm/msr.c arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c arch/x86_64/hvm/walk.c */
/* sources: arch/x86_64/hvm/print.c core/bus.c core/console.c core/elf.c core/feature.c core/log.c core/memory.c */
/* sources: core/payload.c core/timer.c core/io.c core/vm.c tests/unit/fake_platform.c */
/* Messages between the vCPUs of an x86 guest, and how they start and stop. The test says whose CPU it is on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>

#include "arch/x86_64/hvm/hvm.h"
#include "arch/x86_64/hvm/posted.h"
#include "arch/x86_64/hvm/smp/smp.h"
#include "features/local-apic/local_apic.h"
#include "features/xen-abi/xen.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/hvm_fixture.h"

#include <xen/hvm/hvm_vcpu.h>
#include <xen/vcpu.h>

#define CPUS 3u
#define RAM  0x10000u
#define ARG  0x2000u /* where the guest has its arguments */

static struct hvm_fixture f[CPUS];
static struct xen_domain domain;
static struct vcpu_info infos[CPUS];
static unsigned current, upcalls[CPUS], inits[CPUS];
static int started[CPUS]; /* vector of the start-up message, -1: none, -2: begun otherwise */

/* --- what stands around */

bool smp_is_own(const struct vcpu *v)
{
	return v->id == current;
}

void x86_smp_init(struct x86_cpu *c)
{
	inits[c->vcpu.id]++;
	c->stopped = true;
	x86_reset(c);
}

void x86_smp_begin(struct x86_cpu *c)
{
	started[c->vcpu.id] = -2;
	x86_reset(c);
	c->stopped = false;
	c->down = false;
}

void x86_smp_start_up(struct x86_cpu *c, uint8_t vector)
{
	if (!c->stopped)
		return;
	x86_smp_begin(c);
	started[c->vcpu.id] = vector;
}

static void upcall(struct vcpu *v)
{
	upcalls[v->id]++;
}

const struct xen_arch xen_arch = { .upcall = upcall };

bool xen_upcall_pending(const struct vcpu *v)
{
	return infos[v->id].evtchn_upcall_pending != 0;
}

static struct x86_cpu *cpu(unsigned n)
{
	return &f[n].cpu;
}

static struct local_apic *apic(unsigned n)
{
	return local_apic_of(&cpu(n)->vcpu);
}

/* The run loop of vCPU n's CPU looks at what others have left. */
static void look(unsigned n)
{
	current = n;
	for (struct x86_extension *x = cpu(n)->extensions; x != NULL; x = x->next) {
		if (x->take != NULL)
			x->take(x, cpu(n));
	}
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	memset(infos, 0, sizeof(infos));
	memset(upcalls, 0, sizeof(upcalls));
	memset(inits, 0, sizeof(inits));
	for (unsigned n = 0; n < CPUS; n++) {
		hvm_fixture_init(&f[n], RAM);
		cpu(n)->vcpu.id = n;
		cpu(n)->vcpu.vm = &f[0].vm;
		f[0].vm.vcpus[n] = &cpu(n)->vcpu;
		domain.vcpus[n] = (struct xen_vcpu){ .vcpu = &cpu(n)->vcpu, .info = &infos[n] };
		started[n] = -1;
	}
	f[0].vm.nr_vcpus = CPUS;
	domain.vm = &f[0].vm;
	f[0].vm.hypercalls = &domain;
	assert_int_equal(feature_attach_all(&f[0].vm), 0);
	feature_reset_all(&f[0].vm);
	for (unsigned n = 0; n < CPUS; n++) {
		current = n;
		cpu(n)->stopped = n != 0;
		x86_reset(cpu(n));
		apic(n)->dev.ops->write(&apic(n)->dev, 0xf0, 4, 0x1ff);
		vcpu_take_attention(&cpu(n)->vcpu);
		upcalls[n] = 0;
	}
	current = 0;
	return 0;
}

/* Writes the command register of vCPU 0. */
static void command(uint32_t destination, uint32_t low)
{
	current = 0;
	apic(0)->dev.ops->write(&apic(0)->dev, 0x310, 4, destination << 24);
	apic(0)->dev.ops->write(&apic(0)->dev, 0x300, 4, low);
}

static int pending(unsigned n)
{
	return apic(n)->source.pending(&apic(n)->source);
}

/* --- messages */

static void test_interrupt_waits_for_its_cpu(void **state)
{
	(void)state;
	command(1, 0x4055);
	assert_int_equal(pending(1), -1);
	assert_int_equal(vcpu_attention(&cpu(1)->vcpu), ATTN_IRQ);
	assert_int_equal(vcpu_attention(&cpu(2)->vcpu), 0);
	look(1);
	assert_int_equal(pending(1), 0x55);
	look(2);
	assert_int_equal(pending(2), -1);
}

static uint32_t notified, notifications;

static void notify(uint32_t id)
{
	notified = id;
	notifications++;
}

/* A CPU that takes vectors by itself while it is in the guest is notified, once until it has; otherwise it is kicked. */
static void test_interrupt_of_a_guest_that_runs(void **state)
{
	struct hvm_ops ops = *cpu(1)->hvm;
	struct x86_posted *p = cpu(1)->posted;
	uint32_t bits[8];

	(void)state;
	ops.notify = notify;
	cpu(1)->hvm = &ops;
	notifications = 0;
	assert_true(x86_posted_enter(p, 7));
	command(1, 0x4055);
	command(1, 0x4073);
	assert_int_equal(notifications, 1);
	assert_int_equal(notified, 7);
	assert_int_equal(vcpu_attention(&cpu(1)->vcpu), 0);
	assert_true(x86_take_posted(p, bits));
	assert_int_equal(bits[2], 1u << 21);
	assert_int_equal(bits[3], 1u << 19);
	command(1, 0x4056);
	assert_int_equal(notifications, 2);
	/* What it did not take is there when it comes out, and before it goes in. */
	assert_false(x86_posted_leave(p));
	assert_false(x86_posted_enter(p, 7));
	x86_posted_leave(p);
	look(1);
	assert_int_equal(pending(1), 0x56);
	command(1, 0x4099);
	assert_int_equal(notifications, 2);
	assert_int_equal(vcpu_attention(&cpu(1)->vcpu), ATTN_IRQ);
}

/* The end of a level-triggered interrupt has to exit, of which the CPU learns before it enters. */
static void test_level_exits(void **state)
{
	const struct local_apic_message m = { .destination = 1, .level = true, .vector = 0x50 };

	(void)state;
	x86_posted_enter(cpu(1)->posted, 7);
	local_apic_send(&f[0].vm, &m);
	assert_int_equal(vcpu_attention(&cpu(1)->vcpu), ATTN_IRQ);
	assert_true(x86_posted_leave(cpu(1)->posted));
	look(1);
	assert_int_equal(pending(1), 0x50);
	assert_int_equal(apic(1)->level[0x50 / 32], 1u << 0x50 % 32);
}

/* What an I/O APIC or a device is told to send may be no vector: an error, and nothing for the CPU to deliver. */
static void test_no_vector(void **state)
{
	const struct local_apic_message m = { .destination = 1, .vector = 15 };

	(void)state;
	x86_posted_enter(cpu(1)->posted, 7);
	local_apic_send(&f[0].vm, &m);
	assert_true(x86_posted_leave(cpu(1)->posted));
	look(1);
	assert_int_equal(pending(1), -1);
	assert_int_equal(apic(1)->request[0], 0);
	assert_int_equal(apic(1)->errors, 1u << 6);
}

static void test_own_interrupt_does_not_wait(void **state)
{
	(void)state;
	command(0, 0x4044);
	assert_int_equal(pending(0), 0x44);
	command(0, 0x40000 | 0x4066); /* to itself */
	assert_int_equal(pending(0), 0x66);
}

static void test_shorthands(void **state)
{
	(void)state;
	command(0, 3u << 18 | 0x4071); /* all but itself */
	command(0, 2u << 18 | 0x4081); /* all */
	look(1);
	look(2);
	assert_int_equal(pending(0), 0x81);
	for (unsigned n = 1; n < CPUS; n++) {
		assert_int_equal(pending(n), 0x81);
		apic(n)->source.accepted(&apic(n)->source, 0x81);
		apic(n)->dev.ops->write(&apic(n)->dev, 0xb0, 4, 0);
		assert_int_equal(pending(n), 0x71);
	}
}

static void test_level_is_kept(void **state)
{
	const struct local_apic_message m = { .destination = 2, .level = true, .vector = 0x50 };

	(void)state;
	local_apic_send(&f[0].vm, &m);
	local_apic_raise(apic(2), 0x51, false);
	look(2);
	assert_int_equal(apic(2)->level[0x50 / 32] >> 0x50 % 32 & 1, 1);
	assert_int_equal(apic(2)->level[0x51 / 32] >> 0x51 % 32 & 1, 0);
	assert_int_equal(pending(2), 0x51);
	/* The mark goes with the vector: the next one is an edge. */
	local_apic_raise(apic(2), 0x50, false);
	current = 0;
	local_apic_raise(apic(2), 0x50, false);
	look(2);
	assert_int_equal(apic(2)->level[0x50 / 32] >> 0x50 % 32 & 1, 0);
}

static void test_nmi(void **state)
{
	(void)state;
	command(1, 4u << 8 | 0x4000);
	assert_false(cpu(1)->nmi_pending);
	look(1);
	assert_true(cpu(1)->nmi_pending);
}

static void test_init_and_start_up(void **state)
{
	(void)state;
	command(1, 0x4055);
	command(1, 5u << 8 | 0xc000);
	command(1, 6u << 8 | 0x4099);
	command(1, 6u << 8 | 0x4099);
	assert_int_equal(started[1], -1);
	look(1);
	assert_int_equal(inits[1], 1);
	assert_int_equal(started[1], 0x99);
	assert_int_equal(pending(1), -1); /* INIT made it void */
	/* One that runs takes no notice. */
	started[1] = -1;
	command(1, 6u << 8 | 0x4012);
	look(1);
	assert_int_equal(started[1], -1);
	/* To all others at once. */
	command(0, 3u << 18 | 5u << 8 | 0xc000);
	look(1);
	look(2);
	assert_true(cpu(1)->stopped && cpu(2)->stopped);
	command(0, 3u << 18 | 6u << 8 | 0x4008);
	look(1);
	look(2);
	assert_int_equal(started[1], 8);
	assert_int_equal(started[2], 8);
	assert_int_equal(inits[0], 0);
}

static void test_reset_forgets(void **state)
{
	(void)state;
	command(1, 0x4055);
	command(1, 6u << 8 | 0x4099);
	feature_reset_all(&f[0].vm);
	look(1);
	assert_int_equal(started[1], -1);
	assert_int_equal(pending(1), -1);
}

static void test_upcall_survives_init(void **state)
{
	(void)state;
	infos[1].evtchn_upcall_pending = 1;
	command(1, 5u << 8 | 0xc000);
	command(2, 5u << 8 | 0xc000);
	look(1);
	look(2);
	assert_int_equal(upcalls[1], 1);
	assert_int_equal(upcalls[2], 0);
}

/* --- hypercalls */

static int64_t op(uint32_t nr, uint64_t id)
{
	struct hypercall h = { .vcpu = &cpu(0)->vcpu, .word = 8, .nr = __HYPERVISOR_vcpu_op, .args = { nr, id, ARG } };

	current = 0;
	return hypercall_dispatch(&h);
}

static void put(const struct vcpu_hvm_context *context)
{
	assert_int_equal(memory_write(&f[0].vm.memory, ARG, context, sizeof(*context)), 0);
}

static const struct vcpu_hvm_context good_64 = { .mode = VCPU_HVM_MODE_64B,
						 .cpu_regs.x86_64 = { .rax = 1,
								      .rsi = 7,
								      .rip = 0x123456789,
								      .cr0 = X86_CR0_PG | X86_CR0_PE,
								      .cr3 = 0x5000,
								      .cr4 = X86_CR4_PAE,
								      .efer = X86_EFER_LME | X86_EFER_LMA } };

static void test_initialise_and_up(void **state)
{
	(void)state;
	put(&good_64);
	assert_int_equal(op(VCPUOP_is_up, 1), 0);
	assert_int_equal(op(VCPUOP_up, 1), -XEN_EINVAL);
	assert_int_equal(op(VCPUOP_initialise, 1), 0);
	assert_int_equal(op(VCPUOP_initialise, 1), -XEN_EEXIST);
	look(1);
	assert_int_equal(started[1], -1);
	assert_int_equal(op(VCPUOP_is_up, 1), 0);
	assert_int_equal(op(VCPUOP_up, 1), 0);
	assert_int_equal(op(VCPUOP_is_up, 1), 1);
	assert_int_equal(vcpu_attention(&cpu(1)->vcpu), ATTN_IRQ);
	look(1);
	assert_int_equal(started[1], -2);
	assert_int_equal(cpu(1)->rip, 0x123456789);
	assert_int_equal(cpu(1)->gpr[X86_RAX], 1);
	assert_int_equal(cpu(1)->gpr[X86_RSI], 7);
	assert_int_equal(f[1].controls[X86_CR3], 0x5000);
	assert_true(x86_is_64bit(cpu(1)));
	assert_int_equal(op(VCPUOP_is_up, 1), 1);
	assert_int_equal(op(VCPUOP_initialise, 1), -XEN_EEXIST);
	/* Down and up again, it goes on where it was. */
	started[1] = -1;
	assert_int_equal(op(VCPUOP_down, 1), 0);
	assert_true(cpu(1)->down);
	assert_int_equal(op(VCPUOP_is_up, 1), 0);
	assert_int_equal(op(VCPUOP_up, 1), 0);
	look(1);
	assert_int_equal(started[1], -1);
	assert_false(cpu(1)->down);
}

static void test_initialise_32(void **state)
{
	const struct vcpu_hvm_context context = { .mode = VCPU_HVM_MODE_32B,
						  .cpu_regs.x86_32 = { .ebx = 5,
								       .eip = 0x100000,
								       .cr0 = X86_CR0_PE,
								       .cs_limit = UINT32_MAX,
								       .ds_base = 0x400,
								       .cs_ar = X86_SEG_CODE32,
								       .ds_ar = X86_SEG_DATA32,
								       .ss_ar = X86_SEG_DATA32,
								       .es_ar = X86_SEG_DATA32,
								       .tr_ar = X86_SEG_TSS } };

	(void)state;
	put(&context);
	assert_int_equal(op(VCPUOP_initialise, 2), 0);
	assert_int_equal(op(VCPUOP_up, 2), 0);
	look(2);
	assert_int_equal(cpu(2)->rip, 0x100000);
	assert_int_equal(cpu(2)->gpr[X86_RBX], 5);
	assert_int_equal(f[2].segments[X86_DS].base, 0x400);
	assert_int_equal(f[2].segments[X86_CS].attributes, X86_SEG_CODE32);
	assert_false(x86_is_64bit(cpu(2)));
}

static void refuse(struct vcpu_hvm_context context)
{
	put(&context);
	assert_int_equal(op(VCPUOP_initialise, 1), -XEN_EINVAL);
}

static void test_refuses(void **state)
{
	struct vcpu_hvm_context bad = good_64;

	(void)state;
	put(&good_64);
	assert_int_equal(op(VCPUOP_initialise, 0), -XEN_EEXIST);
	for (uint32_t nr = VCPUOP_initialise; nr <= VCPUOP_is_up; nr++)
		assert_int_equal(op(nr, CPUS), -XEN_ENOENT);
	bad.mode = 2;
	refuse(bad);
	bad = good_64;
	bad.cpu_regs.x86_64.efer |= X86_EFER_SVME;
	refuse(bad);
	bad = good_64;
	bad.cpu_regs.x86_64.cr4 = 0;
	refuse(bad);
	bad = good_64;
	bad.cpu_regs.x86_64.cr0 |= (uint64_t)1 << 32;
	refuse(bad);
	bad = (struct vcpu_hvm_context){ .mode = VCPU_HVM_MODE_32B, .cpu_regs.x86_32.cr0 = X86_CR0_PE };
	bad.cpu_regs.x86_32.cs_ar = 0x1c9b;
	refuse(bad);
	assert_true(cpu(1)->stopped && !cpu(1)->down);
}

/* A start-up message starts one that waits, whatever a hypercall has prepared. */
static void test_both_ways(void **state)
{
	(void)state;
	put(&good_64);
	assert_int_equal(op(VCPUOP_initialise, 1), 0);
	command(1, 6u << 8 | 0x4020);
	look(1);
	assert_int_equal(started[1], 0x20);
	assert_int_equal(op(VCPUOP_is_up, 1), 1);
	look(1);
	assert_int_equal(started[1], 0x20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_interrupt_waits_for_its_cpu, setup),
		cmocka_unit_test_setup(test_interrupt_of_a_guest_that_runs, setup),
		cmocka_unit_test_setup(test_level_exits, setup),
		cmocka_unit_test_setup(test_no_vector, setup),
		cmocka_unit_test_setup(test_own_interrupt_does_not_wait, setup),
		cmocka_unit_test_setup(test_shorthands, setup),
		cmocka_unit_test_setup(test_level_is_kept, setup),
		cmocka_unit_test_setup(test_nmi, setup),
		cmocka_unit_test_setup(test_init_and_start_up, setup),
		cmocka_unit_test_setup(test_reset_forgets, setup),
		cmocka_unit_test_setup(test_upcall_survives_init, setup),
		cmocka_unit_test_setup(test_initialise_and_up, setup),
		cmocka_unit_test_setup(test_initialise_32, setup),
		cmocka_unit_test_setup(test_refuses, setup),
		cmocka_unit_test_setup(test_both_ways, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
