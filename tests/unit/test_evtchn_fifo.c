/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/event-channels/evtchn.c features/event-channels/evtchn_op.c features/event-channels-fifo/fifo.c */
/* sources: features/xen-abi/domain.c core/hypercall.c core/io.c core/memory.c core/bus.c core/console.c core/feature.c */
/* sources: core/log.c core/timer.c core/payload.c core/elf.c core/vm.c tests/unit/fake_platform.c */
/* sources: tests/unit/xen_fixture.c features/timer-on-demand/on_demand.c */
/* The FIFO ABI of event channels, in an image that has no other one: order, priorities, and guests that cheat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "features/event-channels/evtchn.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/xen_fixture.h"

#define ARRAY_GFN   0x20u
#define CONTROL_GFN 0x21u

static struct evtchn_domain *e;
static uint32_t *words;                                       /* event array */
static struct evtchn_fifo_control_block *controls[XEN_VCPUS]; /* of each vCPU */
static uint32_t heads[XEN_VCPUS][EVTCHN_FIFO_MAX_QUEUES];     /* the guest's own */

static int64_t op(uint64_t number, void *arg, size_t size)
{
	return xen_op(0, __HYPERVISOR_event_channel_op, number, arg, size);
}

static int64_t bind_ipi(uint32_t vcpu)
{
	struct evtchn_bind_ipi arg = { .vcpu = vcpu };
	int64_t rc = op(EVTCHNOP_bind_ipi, &arg, sizeof(arg));

	return rc != 0 ? rc : arg.port;
}

static int64_t simple(uint64_t number, uint32_t port)
{
	return op(number, &port, sizeof(port));
}

static int64_t init_control(uint64_t gfn, uint32_t offset, uint32_t vcpu)
{
	struct evtchn_init_control arg = { .control_gfn = gfn, .offset = offset, .vcpu = vcpu };
	int64_t rc = op(EVTCHNOP_init_control, &arg, sizeof(arg));

	if (rc == 0)
		assert_int_equal(arg.link_bits, 17);
	return rc;
}

static int64_t expand_array(uint64_t gfn)
{
	struct evtchn_expand_array arg = { .array_gfn = gfn };

	return op(EVTCHNOP_expand_array, &arg, sizeof(arg));
}

static int64_t set_priority(uint32_t port, uint32_t priority)
{
	struct evtchn_set_priority arg = { .port = port, .priority = priority };

	return op(EVTCHNOP_set_priority, &arg, sizeof(arg));
}

static int setup(void **state)
{
	(void)state;
	xen_start(2);
	e = evtchn_domain(&xen_vm);
	memset(heads, 0, sizeof(heads));
	words = xen_ram((uint64_t)ARRAY_GFN << 12);
	for (unsigned i = 0; i < 2; i++)
		controls[i] = (void *)((uint8_t *)xen_ram((uint64_t)CONTROL_GFN << 12) + i * 128u);
	return 0;
}

/* A guest that is ready: both control blocks, one page of the array, ports 1 to 4 to vCPU 0 and 5 to vCPU 1. */
static int setup_guest(void **state)
{
	setup(state);
	assert_int_equal(init_control(CONTROL_GFN, 0, 0), 0);
	assert_int_equal(init_control(CONTROL_GFN, 128, 1), 0);
	assert_int_equal(expand_array(ARRAY_GFN), 0);
	for (int64_t port = 1; port <= 5; port++)
		assert_int_equal(bind_ipi(port == 5), port);
	return 0;
}

/* Takes the next port from a vCPU's queues as a guest does; 0 if there is none. Unlinked ports without event are skipped. */
static uint32_t take_event(unsigned vcpu)
{
	struct evtchn_fifo_control_block *control = controls[vcpu];

	for (;;) {
		unsigned queue;
		uint32_t port, word;

		if (control->ready == 0)
			return 0;
		queue = (unsigned)__builtin_ctz(control->ready);
		if (heads[vcpu][queue] == 0)
			heads[vcpu][queue] = control->head[queue];
		port = heads[vcpu][queue];
		assert_in_range(port, 1, EVTCHN_PORTS - 1);
		word = words[port];
		assert_true(word & 1u << EVTCHN_FIFO_LINKED);
		words[port] = word & ~(1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK);
		heads[vcpu][queue] = word & EVTCHN_FIFO_LINK_MASK;
		if (heads[vcpu][queue] == 0)
			control->ready &= ~(1u << queue);
		if ((word & 1u << EVTCHN_FIFO_PENDING) == 0 || (word & 1u << EVTCHN_FIFO_MASKED) != 0)
			continue;
		words[port] &= ~(1u << EVTCHN_FIFO_PENDING);
		return port;
	}
}

static void send(uint32_t port)
{
	assert_int_equal(simple(EVTCHNOP_send, port), 0);
}

static void test_order(void **state)
{
	(void)state;
	send(2);
	assert_int_equal(xen_upcalls[0], 1);
	send(1);
	send(3);
	send(2);
	/* The queue was not empty: no need to tell again. */
	assert_int_equal(xen_upcalls[0], 1);
	assert_int_equal(take_event(0), 2);
	assert_int_equal(take_event(0), 1);
	send(2);
	assert_int_equal(take_event(0), 3);
	assert_int_equal(take_event(0), 2);
	assert_int_equal(take_event(0), 0);
	/* Empty again. */
	e->xen->vcpus[0].info->evtchn_upcall_pending = 0;
	send(2);
	assert_int_equal(xen_upcalls[0], 2);
	assert_int_equal(take_event(0), 2);
	assert_int_equal(take_event(0), 0);
}

static void test_vcpus(void **state)
{
	(void)state;
	send(5);
	assert_int_equal(xen_upcalls[0], 0);
	assert_int_equal(xen_upcalls[1], 1);
	assert_int_equal(take_event(0), 0);
	assert_int_equal(take_event(1), 5);
}

static void test_priorities(void **state)
{
	(void)state;
	assert_int_equal(set_priority(2, 15), 0);
	assert_int_equal(set_priority(3, 0), 0);
	assert_int_equal(set_priority(3, 16), -XEN_EINVAL);
	assert_int_equal(set_priority(EVTCHN_PORTS, 0), -XEN_EINVAL);
	send(2);
	send(1);
	send(3);
	assert_int_equal(controls[0]->ready, 1u << 15 | 1u << 7 | 1u);
	assert_int_equal(take_event(0), 3);
	assert_int_equal(take_event(0), 1);
	assert_int_equal(take_event(0), 2);
	/* A new port has the usual one. */
	assert_int_equal(simple(EVTCHNOP_close, 3), 0);
	assert_int_equal(bind_ipi(0), 3);
	send(3);
	assert_int_equal(controls[0]->ready, 1u << 7);
}

/* A port that is the tail of one queue goes to another one, and ports behind it are not lost. */
static void test_moves_between_queues(void **state)
{
	(void)state;
	send(1);
	assert_int_equal(take_event(0), 1);
	assert_int_equal(set_priority(1, 3), 0);
	send(1);
	send(2);
	assert_int_equal(take_event(0), 1);
	assert_int_equal(take_event(0), 2);
	assert_int_equal(set_priority(1, 7), 0);
	send(1);
	send(2);
	send(1);
	assert_int_equal(take_event(0), 1);
	assert_int_equal(take_event(0), 2);
	assert_int_equal(take_event(0), 0);
}

static void test_mask(void **state)
{
	(void)state;
	words[1] = 1u << EVTCHN_FIFO_MASKED;
	send(1);
	assert_int_equal(xen_upcalls[0], 0);
	assert_int_equal(words[1], 1u << EVTCHN_FIFO_MASKED | 1u << EVTCHN_FIFO_PENDING);
	assert_int_equal(take_event(0), 0);
	assert_int_equal(simple(EVTCHNOP_unmask, 1), 0);
	assert_int_equal(xen_upcalls[0], 1);
	assert_int_equal(take_event(0), 1);
	words[1] |= 1u << EVTCHN_FIFO_MASKED;
	assert_int_equal(simple(EVTCHNOP_unmask, 1), 0);
	assert_int_equal(words[1], 0);
	assert_int_equal(take_event(0), 0);
}

/* Closed with an event in the queue: the guest finds it there and nothing in it. */
static void test_close_while_linked(void **state)
{
	(void)state;
	send(1);
	send(2);
	assert_int_equal(simple(EVTCHNOP_close, 1), 0);
	assert_int_equal(bind_ipi(1), 1);
	/* Still linked at its old place. */
	assert_int_equal(take_event(0), 2);
	send(1);
	assert_int_equal(take_event(1), 1);
	assert_int_equal(take_event(0), 0);
}

/* What comes before the guest is ready is kept: with no ABI, no control block, no page. */
static void test_before_it_is_ready(void **state)
{
	(void)state;
	for (int64_t port = 1; port <= 3; port++)
		assert_int_equal(bind_ipi(0), port);
	send(2);
	assert_int_equal(simple(EVTCHNOP_unmask, 2), 0);
	assert_int_equal(init_control(CONTROL_GFN, 0, 0), 0);
	send(1);
	assert_int_equal(xen_upcalls[0], 0);
	assert_int_equal(expand_array(ARRAY_GFN), 0);
	assert_int_equal(take_event(0), 1);
	assert_int_equal(take_event(0), 2);
	assert_int_equal(take_event(0), 0);
}

/* No control block: the event stays pending, for when the guest unmasks it. */
static void test_vcpu_without_control_block(void **state)
{
	(void)state;
	assert_int_equal(init_control(CONTROL_GFN, 0, 0), 0);
	assert_int_equal(expand_array(ARRAY_GFN), 0);
	assert_int_equal(bind_ipi(1), 1);
	send(1);
	assert_int_equal(xen_upcalls[1], 0);
	assert_int_equal(words[1], 1u << EVTCHN_FIFO_PENDING);
	assert_int_equal(init_control(CONTROL_GFN, 128, 1), 0);
	assert_int_equal(simple(EVTCHNOP_unmask, 1), 0);
	assert_int_equal(take_event(1), 1);
}

static void test_setup_refuses(void **state)
{
	(void)state;
	assert_int_equal(expand_array(ARRAY_GFN), -XEN_EOPNOTSUPP);
	assert_int_equal(set_priority(1, 1), -XEN_ENOSYS);
	assert_int_equal(init_control(CONTROL_GFN, 0, 2), -XEN_ENOENT);
	assert_int_equal(init_control(CONTROL_GFN, 4096 - 71, 0), -XEN_EINVAL);
	assert_int_equal(init_control(CONTROL_GFN, 4096 - 64, 0), -XEN_EINVAL);
	assert_int_equal(init_control(CONTROL_GFN, 4, 0), -XEN_EINVAL);
	assert_int_equal(init_control(CONTROL_GFN, UINT32_MAX & ~7u, 0), -XEN_EINVAL);
	assert_int_equal(init_control(0x10000, 0, 0), -XEN_EINVAL);
	assert_int_equal(init_control((1ull << 52) + CONTROL_GFN, 0, 0), -XEN_EINVAL);
	assert_null(e->abi);
	assert_int_equal(init_control(CONTROL_GFN, 4096 - 72, 0), 0);
	assert_int_equal(init_control(CONTROL_GFN, 0, 0), -XEN_EINVAL);
	assert_int_equal(expand_array(0x10000), -XEN_EINVAL);
	assert_int_equal(expand_array(UINT64_MAX), -XEN_EINVAL);
	assert_int_equal(expand_array(ARRAY_GFN), 0);
	/* Enough for all ports. */
	assert_int_equal(expand_array(ARRAY_GFN + 2), -XEN_ENOSPC);
	assert_int_equal(xen_call(0, __HYPERVISOR_event_channel_op, EVTCHNOP_init_control, 0), -XEN_EFAULT);
	assert_int_equal(xen_call(0, __HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, 0), -XEN_EFAULT);
}

/* Set up a second time, as the next kernel does, with nothing left of the first. */
static void test_again(void **state)
{
	struct evtchn_reset arg = { .dom = DOMID_SELF };

	(void)state;
	send(1);
	assert_int_equal(op(EVTCHNOP_reset, &arg, sizeof(arg)), 0);
	memset(words, 0, 4096);
	memset(controls[0], 0, sizeof(*controls[0]));
	assert_int_equal(bind_ipi(0), 1);
	send(1);
	assert_int_equal(words[1], 0);
	assert_int_equal(init_control(CONTROL_GFN, 0, 0), 0);
	assert_int_equal(expand_array(ARRAY_GFN), 0);
	assert_int_equal(take_event(0), 1);
	xen_restart();
	assert_null(e->abi);
	assert_int_equal(init_control(CONTROL_GFN, 0, 0), 0);
}

/* A guest that breaks its links, sets all bits or clears them, loses its own events and nothing else. */
static void test_broken_links(void **state)
{
	static const uint32_t junk[] = { 0,
					 UINT32_MAX,
					 1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK,
					 1u << EVTCHN_FIFO_BUSY,
					 EVTCHN_FIFO_LINK_MASK,
					 1u << EVTCHN_FIFO_LINKED | 1u << EVTCHN_FIFO_BUSY };

	(void)state;
	for (unsigned i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		for (uint32_t port = 1; port <= 4; port++) {
			send(port);
			for (unsigned w = 0; w < 1024; w++)
				words[w] = junk[i];
			memset(controls[0], 0xff, sizeof(*controls[0]));
			send(port);
			assert_int_equal(simple(EVTCHNOP_unmask, port), 0);
		}
	}
	/* With its pages in order again, it works. */
	memset(words, 0, 4096);
	memset(controls[0], 0, sizeof(*controls[0]));
	send(1);
	send(2);
	assert_int_equal(take_event(0), 1);
	assert_int_equal(take_event(0), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order, setup_guest),
		cmocka_unit_test_setup(test_vcpus, setup_guest),
		cmocka_unit_test_setup(test_priorities, setup_guest),
		cmocka_unit_test_setup(test_moves_between_queues, setup_guest),
		cmocka_unit_test_setup(test_mask, setup_guest),
		cmocka_unit_test_setup(test_close_while_linked, setup_guest),
		cmocka_unit_test_setup(test_before_it_is_ready, setup),
		cmocka_unit_test_setup(test_vcpu_without_control_block, setup),
		cmocka_unit_test_setup(test_setup_refuses, setup),
		cmocka_unit_test_setup(test_again, setup_guest),
		cmocka_unit_test_setup(test_broken_links, setup_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
