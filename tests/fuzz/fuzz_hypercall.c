/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/xen-abi/domain.c features/xen-abi/hvm_op.c features/xen-abi/memory_op.c */
/* sources: features/xen-abi/multicall.c features/xen-abi/sched_op.c features/xen-abi/vcpu_one.c features/xen-abi/vcpu_op.c */
/* sources: features/xen-abi/version.c features/event-channels/evtchn.c features/event-channels/evtchn_op.c */
/* sources: features/event-channels/poll.c features/event-channels-2l/two_level.c */
/* sources: features/event-channels-fifo/fifo.c features/timer-pv/clock.c features/timer-pv/runstate.c */
/* sources: features/timer-pv/timers.c features/xen-console/console_io.c features/xen-console/ring.c */
/* sources: features/grant-table/grant_table.c */
/* sources: features/timer-on-demand/on_demand.c core/hypercall.c core/io.c core/memory.c core/bus.c core/console.c */
/* sources: core/feature.c core/log.c core/timer.c core/payload.c core/elf.c core/vm.c */
/* sources: tests/unit/fake_platform.c tests/unit/xen_fixture.c */
/*
 * Every hypercall with any arguments, from callers with either word, while the guest writes to what it shares. Each step
 * is one byte that says what, and what that takes.
 */
#include "tests/fuzz/xen_guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Numbers that somebody answers, and a few that nobody does. */
static const uint8_t numbers[] = {
	__HYPERVISOR_memory_op,         __HYPERVISOR_multicall,  __HYPERVISOR_set_timer_op,
	__HYPERVISOR_xen_version,       __HYPERVISOR_console_io, __HYPERVISOR_grant_table_op,
	__HYPERVISOR_vm_assist,         __HYPERVISOR_vcpu_op,    __HYPERVISOR_sched_op,
	__HYPERVISOR_event_channel_op,  __HYPERVISOR_physdev_op, __HYPERVISOR_hvm_op,
	__HYPERVISOR_update_va_mapping,
};

/** An argument: a structure with bytes of the input, one that lies badly, or a value. */
static uint64_t next_argument(void)
{
	uint8_t bytes[128], kind = next_byte();

	switch (kind % 4) {
	case 0:
		for (unsigned i = 0; i < sizeof(bytes); i += 8) {
			uint64_t value = i < (kind / 4u) ? next_value() : 0;

			memcpy(bytes + i, &value, sizeof(value));
		}
		return xen_put(bytes, sizeof(bytes));
	case 1: return xen_gva(((uint64_t)SHARED_GFN << 12) + kind * 16u);
	case 2: return xen_gva(XEN_UNMAPPED_GPA ^ 0x1000) + 4096 - kind;
	default: return next_value();
	}
}

static void make_call(void)
{
	unsigned v = next_byte() % XEN_VCPUS;
	uint64_t nr = numbers[next_byte() % sizeof(numbers)];
	uint64_t args[HYPERCALL_ARGS] = { next_byte() % 32 };

	for (unsigned i = 1; i < 4; i++)
		args[i] = next_argument();
	call(v, nr, args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	input_left = size;
	xen_start(XEN_VCPUS);
	while (input_left != 0) {
		uint8_t what = next_byte();

		switch (what % 8) {
		case 0: write_memory(); break;
		case 1: let_things_happen(); break;
		case 2: xen_word = what & 0x80 ? 4 : 8; break;
		default: make_call(); break;
		}
	}
	check_domain();
	return 0;
}
