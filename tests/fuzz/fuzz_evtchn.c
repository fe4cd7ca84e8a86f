/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/xen-abi/domain.c features/xen-abi/memory_op.c features/event-channels/evtchn.c */
/* sources: features/event-channels/evtchn_op.c features/event-channels/poll.c */
/* sources: features/event-channels-2l/two_level.c features/event-channels-fifo/fifo.c */
/* sources: features/timer-pv/clock.c features/timer-pv/runstate.c features/timer-pv/timers.c */
/* sources: features/xen-console/ring.c features/timer-on-demand/on_demand.c core/hypercall.c core/io.c core/memory.c */
/* sources: core/bus.c core/console.c core/feature.c core/log.c core/timer.c core/payload.c core/elf.c core/vm.c */
/* sources: tests/unit/fake_platform.c tests/unit/xen_fixture.c */
/*
 * Event channels of a guest that gives the hypervisor its pages, and then writes anything to event words, control blocks
 * and bitmaps between well-formed operations on ports. The first byte says whether it uses the FIFO ABI.
 */
#include "tests/fuzz/xen_guest.h"

#include <xen/memory.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void operation(uint64_t number, void *arg, size_t size)
{
	uint64_t args[HYPERCALL_ARGS] = { number, xen_put(arg, size) };

	call(0, __HYPERVISOR_event_channel_op, args);
}

static void set_up(bool with_fifo)
{
	struct xen_add_to_physmap add = { .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = SHARED_GFN };
	struct evtchn_expand_array array = { .array_gfn = ARRAY_GFN };

	require(xen_op(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add)) == 0);
	for (unsigned v = 0; v < XEN_VCPUS && with_fifo; v++) {
		struct evtchn_init_control control = { CONTROL_GFN, v * 128u, v, 0, { 0 } };

		operation(EVTCHNOP_init_control, &control, sizeof(control));
	}
	if (with_fifo)
		operation(EVTCHNOP_expand_array, &array, sizeof(array));
}

/** A port that may be in use. */
static uint32_t next_port(void)
{
	uint8_t byte = next_byte();

	return byte < 0xf0 ? byte % 24 : (uint32_t)next_value();
}

/* All of an operation's structure is ports and small numbers; which is which does not matter here. */
static void work_on_port(void)
{
	uint32_t arg[6] = { next_port(), next_port() };
	uint8_t number = next_byte();

	/* Domains of the operations that have one first. */
	if (number % 16 == EVTCHNOP_alloc_unbound)
		arg[0] = DOMID_SELF | (uint32_t)DOMID_SELF << 16;
	else if (number % 16 == EVTCHNOP_bind_interdomain || number % 16 == EVTCHNOP_status)
		arg[0] = DOMID_SELF;
	else if (number % 16 == EVTCHNOP_reset)
		arg[0] = number < 32 ? DOMID_SELF : 0;
	operation(number % 16, arg, sizeof(arg));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	input_left = size;
	xen_start(XEN_VCPUS);
	set_up((next_byte() & 1) != 0);
	while (input_left != 0) {
		uint8_t what = next_byte();

		switch (what % 8) {
		case 0:
		case 1: write_memory(); break;
		case 2: let_things_happen(); break;
		case 3: evtchn_raise(evtchn_domain(&xen_vm), what / 8 % 24 + 1); break;
		default: work_on_port(); break;
		}
	}
	check_domain();
	return 0;
}
