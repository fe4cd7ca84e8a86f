/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/timer-pv/clock.c features/timer-pv/runstate.c features/timer-pv/timers.c */
/* sources: features/event-channels/evtchn.c features/event-channels/evtchn_op.c features/xen-abi/multicall.c */
/* sources: features/event-channels-2l/two_level.c features/xen-abi/domain.c features/xen-abi/memory_op.c */
/* sources: features/xen-abi/vcpu_op.c core/hypercall.c core/io.c core/memory.c core/bus.c core/console.c core/feature.c */
/* sources: core/log.c core/timer.c core/payload.c core/elf.c core/vm.c tests/unit/fake_platform.c */
/* sources: tests/unit/xen_fixture.c features/timer-on-demand/on_demand.c */
/* Paravirtual time: the clock as a guest computes it, its timers, and what it is told about running and waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>

#include "features/event-channels/evtchn.h"
#include "features/timer-pv/timer_pv.h"
#include "features/xen-abi/layout.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/xen_fixture.h"

#include <xen/features.h>
#include <xen/memory.h>

#define MS 1000000u

static struct xen_domain *d;
static unsigned ticks;
static uint64_t last_tick;

/* The guest's interrupt handler, in short. */
static void on_upcall(struct vcpu *v)
{
	d->vcpus[v->id].info->evtchn_upcall_pending = 0;
	d->vcpus[v->id].info->evtchn_pending_sel = 0;
	((struct shared_info *)(void *)d->shared)->evtchn_pending[0] = 0;
	ticks++;
	last_tick = fake_now;
}

static int setup(void **state)
{
	struct evtchn_bind_virq arg = { .virq = VIRQ_TIMER, .vcpu = 0 };

	(void)state;
	xen_start(2);
	d = xen_domain(&xen_vm);
	ticks = 0;
	last_tick = 0;
	xen_on_upcall = on_upcall;
	assert_int_equal(xen_op(0, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &arg, sizeof(arg)), 0);
	return 0;
}

/* Time as a guest computes it (xen.h). */
static uint64_t guest_time(const struct vcpu_time_info *t, uint64_t tsc)
{
	uint64_t delta = tsc - t->tsc_timestamp;

	assert_int_equal(t->version % 2, 0);
	delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
	return t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
}

/* Clock */

static void test_clock_is_the_hosts(void **state)
{
	static const uint64_t hz[] = { 1000000001, 1333333333, 2100000000, 4999999999, 10000000000 };

	(void)state;
	for (unsigned i = 0; i < sizeof(hz) / sizeof(hz[0]); i++) {
		struct plat_time_scale scale = { .zero = 123456789, .ns_per_tick = (1000000000ull << 32) / hz[i] };
		const struct vcpu_time_info *t;

		xen_start(1);
		fake_time_scale = scale;
		/* Attached again with this counter, as another start would. */
		xen_vm.nr_vcpus = 1;
		assert_int_equal(feature_attach_all(&xen_vm), 0);
		feature_reset_all(&xen_vm);
		d = xen_domain(&xen_vm);
		t = &d->vcpus[0].info->time;
		assert_int_equal(t->flags, XEN_PVCLOCK_TSC_STABLE_BIT);
		assert_int_equal(t->tsc_shift, 0);
		for (uint64_t tsc = scale.zero; tsc < 1ull << 60; tsc = tsc * 3 + 1)
			assert_int_equal(guest_time(t, tsc),
					 (uint64_t)((unsigned __int128)(tsc - scale.zero) * scale.ns_per_tick >> 32));
	}
}

/* A slow counter loses at most its last bits: less than a nanosecond a second. */
static void test_slow_counter(void **state)
{
	static const uint64_t hz[] = { 10000000, 33333333, 100000000, 999999999 };

	(void)state;
	for (unsigned i = 0; i < sizeof(hz) / sizeof(hz[0]); i++) {
		const struct vcpu_time_info *t;

		xen_start(1);
		fake_time_scale = (struct plat_time_scale){ .ns_per_tick = (1000000000ull << 32) / hz[i] };
		assert_int_equal(feature_attach_all(&xen_vm), 0);
		feature_reset_all(&xen_vm);
		d = xen_domain(&xen_vm);
		t = &d->vcpus[0].info->time;
		assert_in_range(guest_time(t, 1000 * hz[i]), 1000000000000 - 1500, 1000000000000);
	}
}

static void test_no_counter(void **state)
{
	(void)state;
	fake_time_scale.ns_per_tick = 0;
	assert_true(feature_attach_all(&xen_vm) < 0);
	assert_non_null(strstr(fake_log, "no counter that a guest can tell the time from: leave out TIMER_PV"));
}

static void test_offered(void **state)
{
	(void)state;
	assert_true(d->features & 1u << XENFEAT_hvm_safe_pvclock);
	assert_int_equal(d->assists_offered, 1u << VMASST_TYPE_runstate_update_flag);
}

/* Wherever the guest wants to find it. */
static void test_clock_moves(void **state)
{
	struct vcpu_register_vcpu_info info = { .mfn = 9, .offset = 64 };
	struct vcpu_register_time_memory_area area = { .addr.p = xen_gva(0x8ff0) };
	struct xen_add_to_physmap add = { .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = 5 };
	const struct vcpu_time_info *t = (const void *)((uint8_t *)xen_ram(9 << 12) + 64 + 32);
	const struct shared_info *shared = xen_ram(5 << 12);
	uint8_t copy[32];
	uint32_t version;

	(void)state;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add)), 0);
	assert_int_equal(guest_time(&shared->vcpu_info[1].time, 1000 + 80), 40);
	version = shared->vcpu_info[0].time.version;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_info, 0, &info, sizeof(info)), 0);
	assert_int_equal(guest_time(t, 1000 + 80), 40);
	/* Written again, so another version. */
	assert_int_not_equal(t->version, version);
	/* The copy for user mode crosses pages. */
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_time_memory_area, 0, &area, sizeof(area)), 0);
	for (unsigned i = 0; i < sizeof(copy); i++)
		copy[i] = *(uint8_t *)xen_ram((area.addr.p + i - XEN_GVA) ^ 0x1000);
	assert_int_equal(guest_time((const void *)copy, 1000 + 80), 40);
	area.addr.p = 0;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_time_memory_area, 0, &area, sizeof(area)), 0);
	area.addr.p = 1;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_time_memory_area, 0, &area, sizeof(area)), -XEN_EFAULT);
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_vcpu_time_memory_area, 5, &area, sizeof(area)), -XEN_ENOENT);
}

static void test_wallclock(void **state)
{
	const struct shared_info *shared = (const void *)d->shared;
	struct {
		uint16_t domid, size;
		uint32_t space, idx, gpfn;
	} add = { DOMID_SELF, 0, XENMAPSPACE_shared_info, 0, 5 };
	const uint32_t *narrow = xen_ram(5 << 12);

	(void)state;
	/* The host does not know it. */
	assert_int_equal(shared->wc_sec, 0);
	assert_int_equal(shared->wc_version % 2, 0);
	fake_wallclock = (uint64_t)5000000000 * 1000000000 + 123456789;
	xen_restart();
	assert_int_equal(shared->wc_sec | (uint64_t)shared->wc_sec_hi << 32, 5000000000 - 5);
	assert_int_equal(shared->wc_nsec, 123456789);
	assert_int_equal(shared->wc_version % 2, 0);
	/* Elsewhere for a guest with 32-bit words. */
	xen_word = 4;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add)), 0);
	assert_int_equal(narrow[xen_wallclock_offset(4) / 4 + 1], (uint32_t)(5000000000 - 5));
	assert_int_equal(narrow[xen_wallclock_high_offset(4) / 4], 1);
}

/* Timers */

static int64_t set_single(uint64_t when, uint32_t flags)
{
	struct vcpu_set_singleshot_timer arg = { .timeout_abs_ns = when, .flags = flags };

	return xen_vcpu_op(0, VCPUOP_set_singleshot_timer, 0, &arg, sizeof(arg));
}

static void test_single_shot(void **state)
{
	const uint64_t when = fake_now + 12345678;

	(void)state;
	assert_int_equal(fake_deadline, UINT64_MAX);
	assert_int_equal(set_single(when, 0), 0);
	assert_int_equal(fake_deadline, when);
	xen_pass(100 * MS);
	assert_int_equal(ticks, 1);
	assert_int_equal(last_tick, when);
	/* And then nothing: the guest is tickless. */
	assert_int_equal(fake_deadline, UINT64_MAX);
	/* In the past: at once. */
	assert_int_equal(set_single(1, 0), 0);
	assert_int_equal(ticks, 2);
	assert_int_equal(set_single(1, VCPU_SSHOTTMR_future), -XEN_ETIME);
	assert_int_equal(ticks, 2);
	/* Replaced and taken back. */
	assert_int_equal(set_single(fake_now + MS, VCPU_SSHOTTMR_future), 0);
	assert_int_equal(set_single(fake_now + 2 * MS, 0), 0);
	assert_int_equal(fake_deadline, fake_now + 2 * MS);
	assert_int_equal(xen_vcpu_op(0, VCPUOP_stop_singleshot_timer, 0, NULL, 0), 0);
	xen_pass(1000 * MS);
	assert_int_equal(ticks, 2);
}

static void test_single_shot_refuses(void **state)
{
	struct vcpu_set_singleshot_timer arg = { .timeout_abs_ns = 1 };

	(void)state;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_set_singleshot_timer, 1, &arg, sizeof(arg)), -XEN_EINVAL);
	assert_int_equal(xen_vcpu_op(0, VCPUOP_stop_singleshot_timer, 1, NULL, 0), -XEN_EINVAL);
	assert_int_equal(xen_vcpu_op(0, VCPUOP_set_singleshot_timer, 2, &arg, sizeof(arg)), -XEN_ENOENT);
	assert_int_equal(xen_call(0, __HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, 0), -XEN_EFAULT);
	/* The end of time does not come. */
	assert_int_equal(set_single(UINT64_MAX, 0), 0);
	assert_int_equal(fake_deadline, UINT64_MAX);
}

static void test_set_timer(void **state)
{
	(void)state;
	assert_int_equal(xen_call(0, __HYPERVISOR_set_timer_op, fake_now + MS), 0);
	assert_int_equal(fake_deadline, fake_now + MS);
	assert_int_equal(xen_call(0, __HYPERVISOR_set_timer_op, 0), 0);
	xen_pass(10 * MS);
	assert_int_equal(ticks, 0);
	/* Nonsense comes soon. */
	assert_int_equal(xen_call(0, __HYPERVISOR_set_timer_op, UINT64_MAX), 0);
	assert_int_equal(fake_deadline, fake_now + 100 * MS);
	assert_int_equal(xen_call(0, __HYPERVISOR_set_timer_op, fake_now + (1ull << 50)), 0);
	assert_int_equal(fake_deadline, fake_now + 100 * MS);
	xen_word = 4;
	assert_int_equal(xen_call(0, __HYPERVISOR_set_timer_op, fake_now + MS, (fake_now + MS) >> 32), 0);
	assert_int_equal(fake_deadline, fake_now + MS);
}

static int64_t set_periodic(uint64_t period)
{
	struct vcpu_set_periodic_timer arg = { .period_ns = period };

	return xen_vcpu_op(0, VCPUOP_set_periodic_timer, 0, &arg, sizeof(arg));
}

static void test_periodic(void **state)
{
	const uint64_t start = fake_now;

	(void)state;
	assert_int_equal(set_periodic(10 * MS), 0);
	xen_pass(95 * MS);
	assert_int_equal(ticks, 9);
	assert_int_equal(last_tick, start + 90 * MS);
	/* Missed ones do not pile up, and the rhythm stays. */
	fake_now = start + 155 * MS;
	vcpu_take_attention(&xen_vcpus[0]);
	timer_run_due(&xen_vcpus[0]);
	assert_int_equal(ticks, 10);
	assert_int_equal(fake_deadline, start + 160 * MS);
	assert_int_equal(xen_vcpu_op(0, VCPUOP_stop_periodic_timer, 0, NULL, 0), 0);
	xen_pass(100 * MS);
	assert_int_equal(ticks, 10);
	assert_int_equal(set_periodic(MS - 1), -XEN_EINVAL);
	assert_int_equal(set_periodic(UINT64_MAX), -XEN_EINVAL);
	assert_int_equal(set_periodic(0), -XEN_EINVAL);
	assert_int_equal(xen_vcpu_op(0, VCPUOP_stop_periodic_timer, 1, NULL, 0), -XEN_EINVAL);
	assert_int_equal(xen_vcpu_op(0, VCPUOP_set_periodic_timer, 3, NULL, 0), -XEN_ENOENT);
}

static void test_restart_stops_timers(void **state)
{
	(void)state;
	assert_int_equal(set_periodic(10 * MS), 0);
	assert_int_equal(set_single(fake_now + MS, 0), 0);
	xen_restart();
	xen_pass(100 * MS);
	assert_int_equal(ticks, 0);
	assert_int_equal(fake_deadline, UINT64_MAX);
}

/* Run states */

static struct vcpu_runstate_info runstate_of(uint64_t gva)
{
	struct vcpu_runstate_info info;

	for (unsigned i = 0; i < sizeof(info); i++)
		((uint8_t *)&info)[i] = *(uint8_t *)xen_ram((gva + i - XEN_GVA) ^ 0x1000);
	return info;
}

static void test_runstate(void **state)
{
	struct vcpu_runstate_info info = { 0 };
	const uint64_t start = fake_now;

	(void)state;
	assert_ptr_equal(xen_vm.idle, timer_pv_idle);
	fake_now += 100;
	xen_vm.idle(&xen_vcpus[0], true);
	fake_now += 1000;
	xen_vm.idle(&xen_vcpus[0], false);
	fake_now += 10;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_get_runstate_info, 0, &info, sizeof(info)), 0);
	assert_int_equal(info.state, RUNSTATE_running);
	assert_int_equal(info.state_entry_time, start + 1100);
	assert_int_equal(info.time[RUNSTATE_running], 110);
	assert_int_equal(info.time[RUNSTATE_blocked], 1000);
	assert_int_equal(info.time[RUNSTATE_runnable], 0);
	assert_int_equal(xen_vcpu_op(0, VCPUOP_get_runstate_info, 2, &info, sizeof(info)), -XEN_ENOENT);
}

static void test_runstate_area(void **state)
{
	struct vcpu_register_runstate_memory_area arg = { .addr.p = XEN_GVA + 0x8fe8 };
	const uint64_t start = fake_now, at = arg.addr.p;
	struct vcpu_runstate_info info;

	(void)state;
	fake_now += 7;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_runstate_memory_area, 0, &arg, sizeof(arg)), 0);
	info = runstate_of(at);
	assert_int_equal(info.state, RUNSTATE_running);
	assert_int_equal(info.state_entry_time, start);
	xen_vm.idle(&xen_vcpus[0], true);
	fake_now += 1000;
	xen_vm.idle(&xen_vcpus[0], false);
	info = runstate_of(at);
	assert_int_equal(info.state_entry_time, start + 1007);
	assert_int_equal(info.time[RUNSTATE_running], 7);
	assert_int_equal(info.time[RUNSTATE_blocked], 1000);
	/* With the flag for readers on other vCPUs, which is gone in the end. */
	assert_int_equal(xen_call(0, __HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
	xen_vm.idle(&xen_vcpus[0], true);
	fake_now += 1;
	xen_vm.idle(&xen_vcpus[0], false);
	info = runstate_of(at);
	assert_int_equal(info.state_entry_time, start + 1008);
	assert_int_equal(info.time[RUNSTATE_blocked], 1001);
	/* Taken back. */
	arg.addr.p = 0;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_runstate_memory_area, 0, &arg, sizeof(arg)), 0);
	xen_vm.idle(&xen_vcpus[0], true);
	assert_int_equal(runstate_of(at).state_entry_time, start + 1008);
}

static void test_runstate_area_refuses(void **state)
{
	struct vcpu_register_runstate_memory_area arg = { .addr.p = 0x1000 };

	(void)state;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_runstate_memory_area, 0, &arg, sizeof(arg)), -XEN_EFAULT);
	arg.addr.p = xen_gva(XEN_UNMAPPED_GPA ^ 0x1000) + 4096 - 8;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_runstate_memory_area, 0, &arg, sizeof(arg)), -XEN_EFAULT);
	arg.addr.p = XEN_GVA;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_register_runstate_memory_area, 9, &arg, sizeof(arg)), -XEN_ENOENT);
	assert_int_equal(xen_call(0, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, 0), -XEN_EFAULT);
	xen_vm.idle(&xen_vcpus[0], true);
}

/* i386 aligns 64-bit members to 4 bytes. */
static void test_runstate_short_word(void **state)
{
	struct {
		uint32_t state;
		uint64_t since, time[4];
	} __attribute__((packed)) info = { 0 };

	(void)state;
	xen_word = 4;
	fake_now += 5;
	assert_int_equal(xen_vcpu_op(0, VCPUOP_get_runstate_info, 0, &info, sizeof(info)), 0);
	assert_int_equal(info.time[RUNSTATE_running], 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_clock_is_the_hosts, setup),
		cmocka_unit_test_setup(test_slow_counter, setup),
		cmocka_unit_test_setup(test_no_counter, setup),
		cmocka_unit_test_setup(test_offered, setup),
		cmocka_unit_test_setup(test_clock_moves, setup),
		cmocka_unit_test_setup(test_wallclock, setup),
		cmocka_unit_test_setup(test_single_shot, setup),
		cmocka_unit_test_setup(test_single_shot_refuses, setup),
		cmocka_unit_test_setup(test_set_timer, setup),
		cmocka_unit_test_setup(test_periodic, setup),
		cmocka_unit_test_setup(test_restart_stops_timers, setup),
		cmocka_unit_test_setup(test_runstate, setup),
		cmocka_unit_test_setup(test_runstate_area, setup),
		cmocka_unit_test_setup(test_runstate_area_refuses, setup),
		cmocka_unit_test_setup(test_runstate_short_word, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
