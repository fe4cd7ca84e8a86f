/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/event-channels/evtchn.c features/event-channels/evtchn_op.c features/event-channels/poll.c */
/* sources: features/event-channels/monitor.c */
/* sources: features/event-channels-2l/two_level.c features/xen-abi/domain.c features/xen-abi/memory_op.c */
/* sources: features/xen-abi/vcpu_op.c core/hypercall.c core/io.c core/memory.c core/bus.c core/console.c core/feature.c */
/* sources: core/log.c core/timer.c core/payload.c core/elf.c core/vm.c tests/unit/fake_platform.c */
/* sources: tests/unit/xen_fixture.c features/timer-on-demand/on_demand.c */
/* Event channels with the 2-level ABI: hypercalls, and what the guest sees in the shared page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/monitor.h>

#include "features/event-channels/evtchn.h"
#include "features/xen-abi/layout.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/xen_fixture.h"

#include <xen/memory.h>
#include <xen/sched.h>

static struct evtchn_domain *e;
static unsigned notifications;

static int setup(void **state)
{
	(void)state;
	xen_start(2);
	e = evtchn_domain(&xen_vm);
	notifications = 0;
	return 0;
}

static int64_t op(uint64_t number, void *arg, size_t size)
{
	return xen_op(0, __HYPERVISOR_event_channel_op, number, arg, size);
}

/* What a test wants of an operation. Each returns the port or the error. */

static int64_t alloc_unbound(uint16_t remote)
{
	struct evtchn_alloc_unbound arg = { .dom = DOMID_SELF, .remote_dom = remote };
	int64_t rc = op(EVTCHNOP_alloc_unbound, &arg, sizeof(arg));

	return rc != 0 ? rc : arg.port;
}

static int64_t bind_interdomain(uint16_t remote, uint32_t port)
{
	struct evtchn_bind_interdomain arg = { .remote_dom = remote, .remote_port = port };
	int64_t rc = op(EVTCHNOP_bind_interdomain, &arg, sizeof(arg));

	return rc != 0 ? rc : arg.local_port;
}

static int64_t bind_virq(uint32_t virq, uint32_t vcpu)
{
	struct evtchn_bind_virq arg = { .virq = virq, .vcpu = vcpu };
	int64_t rc = op(EVTCHNOP_bind_virq, &arg, sizeof(arg));

	return rc != 0 ? rc : arg.port;
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

static int64_t bind_vcpu(uint32_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu arg = { .port = port, .vcpu = vcpu };

	return op(EVTCHNOP_bind_vcpu, &arg, sizeof(arg));
}

static struct evtchn_status status(uint32_t port)
{
	struct evtchn_status arg = { .dom = DOMID_SELF, .port = port };

	assert_int_equal(op(EVTCHNOP_status, &arg, sizeof(arg)), 0);
	return arg;
}

/* The guest's side. */

static uint64_t *pending_words(void)
{
	return (uint64_t *)(e->xen->shared + xen_pending_offset());
}

static uint64_t *mask_words(void)
{
	return (uint64_t *)(e->xen->shared + xen_mask_offset(8));
}

static bool is_pending(unsigned port)
{
	return (pending_words()[port / 64] >> port % 64 & 1) != 0;
}

static void mask(unsigned port)
{
	mask_words()[port / 64] |= 1ull << port % 64;
}

/* What the guest does with an upcall: the events that it takes, by vCPU. */
static unsigned take_events(unsigned vcpu, unsigned *ports, unsigned max)
{
	struct vcpu_info *info = e->xen->vcpus[vcpu].info;
	unsigned count = 0;
	uint64_t selected;

	info->evtchn_upcall_pending = 0;
	selected = info->evtchn_pending_sel;
	info->evtchn_pending_sel = 0;
	for (unsigned port = 0; port < 4096; port++) {
		if ((selected >> port / 64 & 1) == 0 || !is_pending(port) || (mask_words()[port / 64] >> port % 64 & 1))
			continue;
		assert_true(count < max);
		ports[count++] = port;
		pending_words()[port / 64] &= ~(1ull << port % 64);
	}
	return count;
}

static void assert_takes(unsigned vcpu, unsigned port)
{
	unsigned taken[8];

	assert_int_equal(e->xen->vcpus[vcpu].info->evtchn_upcall_pending, port != 0);
	assert_int_equal(take_events(vcpu, taken, 8), port != 0);
	if (port != 0)
		assert_int_equal(taken[0], port);
}

/* Making channels. */

static void test_ipi(void **state)
{
	const int64_t port = bind_ipi(1);

	(void)state;
	assert_int_equal(port, 1);
	assert_int_equal(status(1).status, EVTCHNSTAT_ipi);
	assert_int_equal(status(1).vcpu, 1);
	assert_int_equal(simple(EVTCHNOP_send, 1), 0);
	assert_int_equal(xen_upcalls[1], 1);
	assert_int_equal(xen_upcalls[0], 0);
	/* Told once. */
	assert_int_equal(simple(EVTCHNOP_send, 1), 0);
	assert_int_equal(xen_upcalls[1], 1);
	assert_takes(1, 1);
	assert_takes(1, 0);
	assert_int_equal(simple(EVTCHNOP_send, 1), 0);
	assert_int_equal(xen_upcalls[1], 2);
	assert_int_equal(bind_ipi(2), -XEN_ENOENT);
}

static void test_virq(void **state)
{
	(void)state;
	assert_int_equal(bind_virq(VIRQ_TIMER, 1), 1);
	assert_int_equal(status(1).status, EVTCHNSTAT_virq);
	assert_int_equal(status(1).u.virq, VIRQ_TIMER);
	assert_int_equal(bind_virq(VIRQ_TIMER, 1), -XEN_EEXIST);
	assert_int_equal(bind_virq(VIRQ_TIMER, 0), 2);
	assert_int_equal(bind_virq(VIRQ_TIMER, 2), -XEN_ENOENT);
	assert_int_equal(bind_virq(NR_VIRQS, 0), -XEN_EINVAL);
	assert_int_equal(bind_virq(VIRQ_CONSOLE, 1), -XEN_EINVAL);
	assert_int_equal(bind_virq(VIRQ_CONSOLE, 0), 3);
	evtchn_raise_virq(&xen_vcpus[1], VIRQ_TIMER);
	assert_takes(1, 1);
	evtchn_raise_virq(&xen_vcpus[0], VIRQ_TIMER);
	assert_takes(0, 2);
	/* Not bound: lost. */
	evtchn_raise_virq(&xen_vcpus[1], VIRQ_DEBUG);
	assert_int_equal(xen_upcalls[1], 1);
	/* A guest cannot send one. */
	assert_int_equal(simple(EVTCHNOP_send, 1), -XEN_EINVAL);
	/* Closed, it can be bound again. */
	assert_int_equal(simple(EVTCHNOP_close, 1), 0);
	evtchn_raise_virq(&xen_vcpus[1], VIRQ_TIMER);
	assert_int_equal(xen_upcalls[1], 1);
	assert_int_equal(bind_virq(VIRQ_TIMER, 1), 1);
}

static void test_interdomain(void **state)
{
	(void)state;
	assert_int_equal(alloc_unbound(DOMID_SELF), 1);
	assert_int_equal(status(1).status, EVTCHNSTAT_unbound);
	assert_int_equal(status(1).u.unbound.dom, XEN_DOMID);
	/* Nobody hears it yet. */
	assert_int_equal(simple(EVTCHNOP_send, 1), 0);
	assert_int_equal(xen_upcalls[0], 0);
	assert_int_equal(bind_interdomain(XEN_DOMID, 1), 2);
	/* What may have been lost. */
	assert_takes(0, 2);
	assert_int_equal(status(2).status, EVTCHNSTAT_interdomain);
	assert_int_equal(status(2).u.interdomain.dom, XEN_DOMID);
	assert_int_equal(status(2).u.interdomain.port, 1);
	assert_int_equal(status(1).u.interdomain.port, 2);
	assert_int_equal(simple(EVTCHNOP_send, 1), 0);
	assert_takes(0, 2);
	assert_int_equal(simple(EVTCHNOP_send, 2), 0);
	assert_takes(0, 1);
	/* Its peer waits for another one. */
	assert_int_equal(simple(EVTCHNOP_close, 1), 0);
	assert_int_equal(status(1).status, EVTCHNSTAT_closed);
	assert_int_equal(status(2).status, EVTCHNSTAT_unbound);
	assert_int_equal(bind_interdomain(DOMID_SELF, 2), 1);
}

static void test_interdomain_refuses(void **state)
{
	(void)state;
	assert_int_equal(alloc_unbound(7), 1);
	assert_int_equal(status(1).u.unbound.dom, 7);
	assert_int_equal(bind_interdomain(DOMID_SELF, 1), -XEN_EINVAL);
	assert_int_equal(bind_interdomain(DOMID_SELF, 0), -XEN_EINVAL);
	assert_int_equal(bind_interdomain(DOMID_SELF, 2), -XEN_EINVAL);
	assert_int_equal(bind_interdomain(DOMID_SELF, UINT32_MAX), -XEN_EINVAL);
	assert_int_equal(bind_interdomain(0, 1), -XEN_ESRCH);
	assert_int_equal(bind_ipi(0), 2);
	assert_int_equal(bind_interdomain(DOMID_SELF, 2), -XEN_EINVAL);
}

static void test_alloc_for_others(void **state)
{
	struct evtchn_alloc_unbound arg = { .dom = 0, .remote_dom = DOMID_SELF };

	(void)state;
	assert_int_equal(op(EVTCHNOP_alloc_unbound, &arg, sizeof(arg)), -XEN_ESRCH);
}

static void test_ports_run_out(void **state)
{
	(void)state;
	for (int64_t port = 1; port < EVTCHN_PORTS; port++)
		assert_int_equal(bind_ipi(0), port);
	assert_int_equal(bind_ipi(0), -XEN_ENOSPC);
	assert_int_equal(bind_virq(VIRQ_TIMER, 0), -XEN_ENOSPC);
	assert_int_equal(alloc_unbound(DOMID_SELF), -XEN_ENOSPC);
	assert_int_equal(bind_interdomain(DOMID_SELF, 5), -XEN_ENOSPC);
	assert_int_equal(simple(EVTCHNOP_send, EVTCHN_PORTS - 1), 0);
	assert_takes(0, EVTCHN_PORTS - 1);
	assert_int_equal(simple(EVTCHNOP_close, 17), 0);
	assert_int_equal(bind_ipi(0), 17);
}

static void test_bad_ports(void **state)
{
	static const uint32_t ports[] = { EVTCHN_PORTS, EVTCHN_PORTS + 1, 4096, 1u << 31, UINT32_MAX };

	(void)state;
	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		struct evtchn_status arg = { .dom = DOMID_SELF, .port = ports[i] };

		assert_int_equal(simple(EVTCHNOP_send, ports[i]), -XEN_EINVAL);
		assert_int_equal(simple(EVTCHNOP_close, ports[i]), -XEN_EINVAL);
		assert_int_equal(simple(EVTCHNOP_unmask, ports[i]), -XEN_EINVAL);
		assert_int_equal(bind_vcpu(ports[i], 0), -XEN_EINVAL);
		assert_int_equal(op(EVTCHNOP_status, &arg, sizeof(arg)), -XEN_EINVAL);
	}
	assert_int_equal(simple(EVTCHNOP_send, 0), -XEN_EINVAL);
	assert_int_equal(simple(EVTCHNOP_close, 0), -XEN_EINVAL);
	assert_int_equal(bind_vcpu(0, 0), -XEN_EINVAL);
	assert_int_equal(simple(EVTCHNOP_close, 5), -XEN_EINVAL);
	assert_int_equal(simple(EVTCHNOP_send, 5), -XEN_EINVAL);
	assert_int_equal(simple(EVTCHNOP_unmask, 0), 0);
	for (unsigned i = 0; i < 14; i++)
		assert_true(xen_call(0, __HYPERVISOR_event_channel_op, i, 0) < 0);
}

/* Masks and vCPUs. */

static void test_mask(void **state)
{
	(void)state;
	assert_int_equal(bind_ipi(0), 1);
	mask(1);
	assert_int_equal(simple(EVTCHNOP_send, 1), 0);
	assert_true(is_pending(1));
	assert_int_equal(xen_upcalls[0], 0);
	assert_int_equal(simple(EVTCHNOP_unmask, 1), 0);
	assert_int_equal(xen_upcalls[0], 1);
	assert_takes(0, 1);
	/* Nothing pending, or not masked: nothing to tell. */
	mask(1);
	assert_int_equal(simple(EVTCHNOP_unmask, 1), 0);
	assert_int_equal(simple(EVTCHNOP_unmask, 1), 0);
	assert_int_equal(xen_upcalls[0], 1);
}

static void test_bind_vcpu(void **state)
{
	(void)state;
	assert_int_equal(alloc_unbound(DOMID_SELF), 1);
	assert_int_equal(bind_interdomain(DOMID_SELF, 1), 2);
	assert_takes(0, 2);
	assert_int_equal(bind_vcpu(1, 1), 0);
	assert_int_equal(status(1).vcpu, 1);
	assert_int_equal(simple(EVTCHNOP_send, 2), 0);
	assert_takes(1, 1);
	assert_int_equal(bind_vcpu(1, 2), -XEN_ENOENT);
	/* IPIs and virtual interrupts of a vCPU stay; those of the domain move, and remember whose they are. */
	assert_int_equal(bind_ipi(0), 3);
	assert_int_equal(bind_vcpu(3, 1), -XEN_EINVAL);
	assert_int_equal(bind_virq(VIRQ_TIMER, 0), 4);
	assert_int_equal(bind_vcpu(4, 1), -XEN_EINVAL);
	assert_int_equal(bind_virq(VIRQ_ARCH_0, 0), 5);
	assert_int_equal(bind_vcpu(5, 1), 0);
	evtchn_raise_virq(&xen_vcpus[0], VIRQ_ARCH_0);
	assert_takes(1, 5);
	assert_int_equal(simple(EVTCHNOP_close, 5), 0);
	assert_int_equal(bind_virq(VIRQ_ARCH_0, 0), 5);
	/* Free ports are not bound to vCPUs, and new ones tell vCPU 0. */
	assert_int_equal(bind_vcpu(9, 1), -XEN_EINVAL);
	assert_int_equal(status(5).vcpu, 0);
}

static void test_close_takes_event_away(void **state)
{
	(void)state;
	assert_int_equal(bind_ipi(0), 1);
	mask(1);
	assert_int_equal(simple(EVTCHNOP_send, 1), 0);
	assert_int_equal(simple(EVTCHNOP_close, 1), 0);
	assert_false(is_pending(1));
}

static void test_reset(void **state)
{
	struct evtchn_reset arg = { .dom = 3 };

	(void)state;
	assert_int_equal(bind_ipi(1), 1);
	assert_int_equal(bind_virq(VIRQ_TIMER, 0), 2);
	assert_int_equal(op(EVTCHNOP_reset, &arg, sizeof(arg)), -XEN_ESRCH);
	arg.dom = DOMID_SELF;
	assert_int_equal(op(EVTCHNOP_reset, &arg, sizeof(arg)), 0);
	assert_int_equal(status(1).status, EVTCHNSTAT_closed);
	assert_int_equal(bind_virq(VIRQ_TIMER, 0), 1);
	xen_restart();
	assert_int_equal(status(1).status, EVTCHNSTAT_closed);
	evtchn_raise_virq(&xen_vcpus[0], VIRQ_TIMER);
	assert_int_equal(xen_upcalls[0], 0);
}

/* Without priorities. */
static void test_priority(void **state)
{
	struct evtchn_set_priority arg = { .port = 1, .priority = 3 };

	(void)state;
	assert_int_equal(bind_ipi(0), 1);
	assert_int_equal(op(EVTCHNOP_set_priority, &arg, sizeof(arg)), -XEN_ENOSYS);
	arg.port = UINT32_MAX;
	assert_int_equal(op(EVTCHNOP_set_priority, &arg, sizeof(arg)), -XEN_EINVAL);
	/* Nor is there FIFO in this image. */
	assert_int_equal(op(EVTCHNOP_init_control, &arg, sizeof(arg)), -XEN_ENOSYS);
}

/* Back ends. */

static void notified(struct evtchn_backend *b)
{
	(void)b;
	notifications++;
}

static void test_backend(void **state)
{
	struct evtchn_backend b = { .notified = notified };
	int port = evtchn_bind_backend(e, &b);

	(void)state;
	assert_int_equal(port, 1);
	assert_int_equal(status(1).status, EVTCHNSTAT_interdomain);
	assert_int_equal(status(1).u.interdomain.dom, 0);
	assert_int_equal(simple(EVTCHNOP_send, 1), 0);
	assert_int_equal(notifications, 1);
	assert_int_equal(xen_upcalls[0], 0);
	evtchn_notify_guest(e, &b);
	assert_takes(0, 1);
	/* When the guest closes it, the port may be somebody else's. */
	assert_int_equal(simple(EVTCHNOP_close, 1), 0);
	assert_int_equal(bind_ipi(0), 1);
	evtchn_notify_guest(e, &b);
	assert_int_equal(simple(EVTCHNOP_send, 1), 0);
	assert_int_equal(notifications, 1);
	assert_takes(0, 1);
}

/* The monitor's view. */

extern const struct monitor_command *const __start_husk_monitor[];

static void test_monitor(void **state)
{
	const struct monitor_command *command = __start_husk_monitor[0];
	struct evtchn_backend b = { .name = "hvc7", .notified = notified };
	char *argv[] = { "events", "all" };

	(void)state;
	assert_string_equal(command->name, "events");
	assert_int_equal(bind_virq(VIRQ_TIMER, 1), 1);
	assert_int_equal(bind_ipi(0), 2);
	assert_int_equal(alloc_unbound(DOMID_SELF), 3);
	assert_int_equal(bind_interdomain(DOMID_SELF, 3), 4);
	assert_int_equal(evtchn_bind_backend(e, &b), 5);
	assert_int_equal(alloc_unbound(7), 6);
	assert_int_equal(command->run(&xen_vm, 1, argv), 0);
	assert_string_equal(fake_log, "event channels, 2-level ABI:\n"
				      "     1 to vCPU 1: virtual interrupt 0 of vCPU 1\n"
				      "     2 to vCPU 0: inter-processor interrupt\n"
				      "     3 to vCPU 0: port 4\n"
				      "     4 to vCPU 0: port 3, pending\n"
				      "     5 to vCPU 0: hvc7\n"
				      "     6 to vCPU 0: unbound, for domain 7\n"
				      "  vCPU 0: upcall pending\n"
				      "  vCPU 1: upcall taken\n");
	assert_true(command->run(&xen_vm, 2, argv) < 0);
}

/* Polling. */

static int64_t poll(uint32_t count, uint64_t timeout)
{
	struct {
		uint64_t ports, nr_ports, timeout;
	} arg = { xen_gva(0x8000), count, timeout };

	return xen_op(0, __HYPERVISOR_sched_op, SCHEDOP_poll, &arg, sizeof(arg));
}

static void poll_ports(uint32_t first, uint32_t second)
{
	const uint32_t ports[] = { first, second };

	memcpy(xen_ram(0x8000), ports, sizeof(ports));
}

static void test_poll(void **state)
{
	(void)state;
	assert_int_equal(bind_ipi(0), 1);
	assert_int_equal(bind_ipi(0), 2);
	mask(1);
	mask(2);
	poll_ports(1, 2);
	assert_int_equal(poll(2, 0), 0);
	assert_true(xen_last.idle);
	assert_int_equal(fake_deadline, UINT64_MAX);
	/* An event wakes it, masked or not. */
	xen_vcpus[0].attention = 0;
	assert_int_equal(simple(EVTCHNOP_send, 2), 0);
	assert_int_equal(xen_vcpus[0].attention, ATTN_IRQ);
	assert_int_equal(xen_upcalls[0], 0);
	/* And while it is there, nobody waits. */
	assert_int_equal(poll(2, 0), 0);
	assert_false(xen_last.idle);
	assert_int_equal(poll(1, 0), 0);
	assert_true(xen_last.idle);
}

static void test_poll_timeout(void **state)
{
	(void)state;
	poll_ports(1, 2);
	assert_int_equal(poll(1, fake_now + 1000), 0);
	assert_true(xen_last.idle);
	assert_int_equal(fake_deadline, fake_now + 1000);
	assert_int_equal(poll(1, fake_now), 0);
	assert_false(xen_last.idle);
	/* Without ports it is a sleep. */
	assert_int_equal(poll(0, fake_now + 1000), 0);
	assert_true(xen_last.idle);
	xen_pass(2000);
	assert_int_equal(fake_deadline, UINT64_MAX);
}

static void test_poll_refuses(void **state)
{
	(void)state;
	poll_ports(EVTCHN_PORTS, 1);
	assert_int_equal(poll(1, 0), -XEN_EINVAL);
	assert_false(xen_last.idle);
	assert_int_equal(poll(129, 0), -XEN_EINVAL);
	assert_int_equal(poll(UINT32_MAX, 0), -XEN_EINVAL);
	assert_int_equal(xen_call(0, __HYPERVISOR_sched_op, SCHEDOP_poll, 0), -XEN_EFAULT);
	assert_false(e->polls[0]);
	/* An upcall is an end, too. */
	xen_upcall(&e->xen->vcpus[0]);
	poll_ports(1, 2);
	assert_int_equal(poll(1, 0), 0);
	assert_false(xen_last.idle);
}

/* Callers with 32-bit words: 1024 ports in 32 words, another selector. */
static void test_short_word(void **state)
{
	struct {
		uint16_t domid, size;
		uint32_t space, idx, gpfn;
	} add = { DOMID_SELF, 0, XENMAPSPACE_shared_info, 0, 5 };
	struct {
		uint32_t ports, nr_ports, timeout_low, timeout_high;
	} arg = { 0, 1, 1, 0 };
	const uint32_t *words;

	(void)state;
	xen_word = 4;
	assert_int_equal(xen_op(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add)), 0);
	for (unsigned i = 1; i <= 40; i++)
		assert_int_equal(bind_ipi(0), i);
	assert_int_equal(simple(EVTCHNOP_send, 40), 0);
	words = (uint32_t *)e->xen->shared;
	assert_int_equal(words[1], 1u << 1);
	assert_int_equal(words[2048 / 4 + 1], 1u << 8);
	poll_ports(40, 0);
	arg.ports = (uint32_t)xen_gva(0x8000);
	assert_int_equal(xen_op(0, __HYPERVISOR_sched_op, SCHEDOP_poll, &arg, sizeof(arg)), 0);
	assert_false(xen_last.idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ipi, setup),
		cmocka_unit_test_setup(test_virq, setup),
		cmocka_unit_test_setup(test_interdomain, setup),
		cmocka_unit_test_setup(test_interdomain_refuses, setup),
		cmocka_unit_test_setup(test_alloc_for_others, setup),
		cmocka_unit_test_setup(test_ports_run_out, setup),
		cmocka_unit_test_setup(test_bad_ports, setup),
		cmocka_unit_test_setup(test_mask, setup),
		cmocka_unit_test_setup(test_bind_vcpu, setup),
		cmocka_unit_test_setup(test_close_takes_event_away, setup),
		cmocka_unit_test_setup(test_reset, setup),
		cmocka_unit_test_setup(test_priority, setup),
		cmocka_unit_test_setup(test_backend, setup),
		cmocka_unit_test_setup(test_monitor, setup),
		cmocka_unit_test_setup(test_poll, setup),
		cmocka_unit_test_setup(test_poll_timeout, setup),
		cmocka_unit_test_setup(test_poll_refuses, setup),
		cmocka_unit_test_setup(test_short_word, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
