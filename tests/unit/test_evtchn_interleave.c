/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/explored_domain.c tests/unit/explored_evtchn.c tests/unit/explored_two_level.c */
/* sources: tests/unit/explored_fifo.c tests/unit/explore.c features/event-channels/evtchn_op.c core/hypercall.c core/io.c */
/* sources: core/memory.c core/bus.c core/console.c core/feature.c core/log.c core/timer.c core/payload.c core/elf.c */
/* sources: core/vm.c tests/unit/fake_platform.c tests/unit/xen_fixture.c features/timer-on-demand/on_demand.c */
/*
 * No event is lost and none comes twice, in whatever order guest and hypervisor access what they share: every
 * interleaving of the real sources with a guest that handles, masks and unmasks events as Xen's public headers want it.
 * What the hypervisor does for one domain is under one lock, as hypercalls and back ends will be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/explore.h"

#include "features/event-channels/evtchn.h"
#include "features/xen-abi/layout.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/xen_fixture.h"

#define ARRAY_GFN   0x20u
#define CONTROL_GFN 0x21u
#define PORTS       4u /* 1 to 3 are used */

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)
#define BUSY    (1u << EVTCHN_FIFO_BUSY)

/** All that belongs to the guest or counts. */
static struct {
	bool irq[2]; /**< an upcall waits for the vCPU */
	bool lock;   /**< of the domain */
	uint8_t raised[PORTS], handled[PORTS];
	uint32_t ready[2]; /**< queues that the vCPU works on */
	uint32_t heads[2][EVTCHN_FIFO_MAX_QUEUES];
} guest;

static struct evtchn_domain *e;
static uint32_t *words;
static struct evtchn_fifo_control_block *controls[2];

static void on_upcall(struct vcpu *v)
{
	guest.irq[v->id] = true;
}

/* The hypervisor's side. */

static void raise(unsigned port)
{
	explore_lock(&guest.lock);
	guest.raised[port]++;
	evtchn_raise(e, port);
	explore_unlock(&guest.lock);
	explore_done();
}

static void unmask_call(unsigned port)
{
	explore_lock(&guest.lock);
	e->abi->unmask(e, port);
	explore_unlock(&guest.lock);
	explore_done();
}

static void move(unsigned port, unsigned vcpu, unsigned priority)
{
	explore_lock(&guest.lock);
	e->ports[port].vcpu = (uint8_t)vcpu;
	e->ports[port].priority = (uint8_t)priority;
	explore_unlock(&guest.lock);
	explore_done();
}

/* The guest's side. */

/** Before it looks for events, so that it is told of those that come after the look. */
static void clear_upcall(unsigned vcpu)
{
	__atomic_store_n(&e->xen->vcpus[vcpu].info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
}

/* FIFO. */

/** Takes a port out of its queue. Returns the next one. */
static uint32_t clear_linked(uint32_t *word)
{
	uint32_t seen = __atomic_load_n(word, __ATOMIC_SEQ_CST);

	while (!__atomic_compare_exchange_n(word, &seen, seen & ~(LINKED | EVTCHN_FIFO_LINK_MASK), false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		continue;
	return seen & EVTCHN_FIFO_LINK_MASK;
}

static void handle_fifo(unsigned port)
{
	uint32_t word = __atomic_load_n(&words[port], __ATOMIC_SEQ_CST);

	if ((word & PENDING) == 0 || (word & MASKED) != 0)
		return;
	if ((__atomic_fetch_and(&words[port], ~PENDING, __ATOMIC_SEQ_CST) & PENDING) != 0)
		guest.handled[port]++;
}

static void consume(unsigned vcpu, unsigned queue)
{
	uint32_t *head = &guest.heads[vcpu][queue];
	uint32_t port = *head;

	if (port == 0)
		port = __atomic_load_n(&controls[vcpu]->head[queue], __ATOMIC_SEQ_CST);
	if (port == 0 || port >= PORTS) {
		guest.ready[vcpu] &= ~(1u << queue);
		return;
	}
	*head = clear_linked(&words[port]);
	if (*head == 0)
		guest.ready[vcpu] &= ~(1u << queue);
	handle_fifo(port);
}

static void fifo_events(unsigned vcpu)
{
	clear_upcall(vcpu);
	for (;;) {
		explore_loop();
		guest.ready[vcpu] |= __atomic_exchange_n(&controls[vcpu]->ready, 0, __ATOMIC_SEQ_CST);
		if (guest.ready[vcpu] == 0)
			return;
		consume(vcpu, (unsigned)__builtin_ctz(guest.ready[vcpu]));
	}
}

/** Unmasks; if there is an event, the hypervisor has to, as it has to link the port. Waits while that is busy. */
static void unmask_fifo(unsigned port)
{
	uint32_t seen;

	do {
		explore_loop();
		seen = __atomic_load_n(&words[port], __ATOMIC_SEQ_CST) & ~BUSY;
		if ((seen & MASKED) == 0)
			return;
		if ((seen & PENDING) != 0) {
			unmask_call(port);
			return;
		}
	} while (!__atomic_compare_exchange_n(&words[port], &seen, seen & ~MASKED, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	explore_done();
}

static void mask_fifo(unsigned port)
{
	__atomic_fetch_or(&words[port], MASKED, __ATOMIC_SEQ_CST);
}

static bool is_bad_fifo(unsigned port)
{
	return (words[port] & ((words[port] & MASKED) != 0 ? LINKED : PENDING | LINKED)) != 0;
}

/* 2-level; all ports are in the first word. */

static uint64_t *pending_word(void)
{
	return (uint64_t *)(void *)(e->xen->shared + xen_pending_offset());
}

static uint64_t *mask_word(void)
{
	return (uint64_t *)(void *)(e->xen->shared + xen_mask_offset(8));
}

static void take_two_level(unsigned vcpu)
{
	uint64_t events;

	if (__atomic_exchange_n(&e->xen->vcpus[vcpu].info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST) == 0)
		return;
	events = __atomic_load_n(pending_word(), __ATOMIC_SEQ_CST);
	events &= ~__atomic_load_n(mask_word(), __ATOMIC_SEQ_CST);
	for (unsigned port = 1; port < PORTS; port++) {
		uint64_t bit = 1ull << port;

		if ((events & bit) != 0 && (__atomic_fetch_and(pending_word(), ~bit, __ATOMIC_SEQ_CST) & bit) != 0)
			guest.handled[port]++;
	}
}

static void two_level_events(unsigned vcpu)
{
	clear_upcall(vcpu);
	take_two_level(vcpu);
}

/* A guest may only unmask itself what it has seen to have no event afterwards; Linux leaves all of it to the hypervisor. */
static void unmask_two_level(unsigned port)
{
	unmask_call(port);
}

static void mask_two_level(unsigned port)
{
	__atomic_fetch_or(mask_word(), 1ull << port, __ATOMIC_SEQ_CST);
}

static bool is_bad_two_level(unsigned port)
{
	return (*pending_word() & ~*mask_word() & 1ull << port) != 0;
}

/* Either. */

/** How a guest uses an ABI. */
struct driver {
	void (*events)(unsigned vcpu);
	void (*mask)(unsigned port);
	void (*unmask)(unsigned port);
	bool (*is_bad)(unsigned port); /**< at the end: has an event that nobody will ever take */
};

static const struct driver fifo = { fifo_events, mask_fifo, unmask_fifo, is_bad_fifo };
static const struct driver two_level = { two_level_events, mask_two_level, unmask_two_level, is_bad_two_level };
static const struct driver *driver;

/** The interrupt, if there is one. */
static bool interrupt(unsigned vcpu)
{
	bool taken = __atomic_exchange_n(&guest.irq[vcpu], false, __ATOMIC_SEQ_CST);

	if (taken)
		driver->events(vcpu);
	explore_done();
	return taken;
}

/** What comes later: all interrupts that wait. Then nothing may be left, and nothing may have come twice. */
static bool good(void)
{
	while (interrupt(0) || interrupt(1))
		continue;
	for (unsigned port = 1; port < PORTS; port++) {
		if (driver->is_bad(port) || guest.handled[port] > guest.raised[port] ||
		    (guest.raised[port] != 0 && guest.handled[port] == 0))
			return false;
	}
	return true;
}

static void start_domain(void)
{
	xen_start(2);
	xen_on_upcall = on_upcall;
	memset(&guest, 0, sizeof(guest));
	e = evtchn_domain(&xen_vm);
	for (unsigned i = 0; i < 3; i++) {
		struct evtchn_bind_ipi arg = { .vcpu = 0 };

		assert_int_equal(xen_op(0, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &arg, sizeof(arg)), 0);
	}
}

static int setup_two_level(void **state)
{
	(void)state;
	start_domain();
	driver = &two_level;
	return 0;
}

static int setup_fifo(void **state)
{
	struct evtchn_init_control control = { .control_gfn = CONTROL_GFN };
	struct evtchn_expand_array array = { .array_gfn = ARRAY_GFN };

	(void)state;
	start_domain();
	driver = &fifo;
	for (unsigned i = 0; i < 2; i++) {
		control.offset = i * 128u;
		control.vcpu = i;
		assert_int_equal(
			xen_op(0, __HYPERVISOR_event_channel_op, EVTCHNOP_init_control, &control, sizeof(control)), 0);
		controls[i] = (void *)((uint8_t *)xen_ram((uint64_t)CONTROL_GFN << 12) + i * 128u);
	}
	assert_int_equal(xen_op(0, __HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, &array, sizeof(array)), 0);
	words = xen_ram((uint64_t)ARRAY_GFN << 12);
	return 0;
}

/** Tails of both vCPUs' queues, as far as features/event-channels-fifo keeps them: at the start of its state. */
#define FIFO_STATE (2 * (sizeof(void *) + EVTCHN_FIFO_MAX_QUEUES * sizeof(uint32_t)))

static struct explore_result explore_threads(unsigned nr, void (*first)(void), void (*second)(void),
					     void (*third)(void))
{
	const struct explore_region regions[] = {
		{ &guest, sizeof(guest) },
		{ e->ports, PORTS * sizeof(e->ports[0]) },
		{ e->xen->vcpus[0].info, 128 },
		{ pending_word(), 8 },
		{ mask_word(), 8 },
		{ xen_ram((uint64_t)ARRAY_GFN << 12), PORTS * sizeof(event_word_t) },
		{ xen_ram((uint64_t)CONTROL_GFN << 12), 256 },
		{ e->fifo, FIFO_STATE },
	};
	const struct exploration x = {
		nr, { first, second, third }, regions, sizeof(regions) / sizeof(regions[0]), good
	};
	struct explore_result r = explore(&x);

	print_message("%llu states, %llu ends, %llu bad\n", (unsigned long long)r.states, (unsigned long long)r.ends,
		      (unsigned long long)r.bad);
	return r;
}

/* Scenarios. */

static void raise_one_three_times(void)
{
	raise(1);
	raise(1);
	raise(1);
}

static void take_interrupts(void)
{
	for (unsigned i = 0; i < 3; i++)
		interrupt(0);
}

static void test_one_port(void **state)
{
	struct explore_result r = explore_threads(2, raise_one_three_times, take_interrupts, NULL);

	(void)state;
	assert_true(r.ends > 1);
	assert_int_equal(r.bad, 0);
}

static void raise_several(void)
{
	raise(1);
	raise(2);
	raise(1);
	raise(3);
	raise(2);
}

static void test_several_ports(void **state)
{
	struct explore_result r = explore_threads(2, raise_several, take_interrupts, NULL);

	(void)state;
	assert_int_equal(r.bad, 0);
}

/* A handler that masks while it works, as late EOIs do. */
static void mask_and_unmask(void)
{
	driver->mask(1);
	interrupt(0);
	driver->unmask(1);
	interrupt(0);
	driver->mask(1);
	driver->unmask(1);
}

static void raise_one_and_two(void)
{
	raise(1);
	raise(2);
	raise(1);
	raise(2);
}

static void test_masks(void **state)
{
	struct explore_result r = explore_threads(2, raise_one_and_two, mask_and_unmask, NULL);

	(void)state;
	assert_int_equal(r.bad, 0);
}

/* A port changes its queue while it is, and is not, in the old one. */
static void change_priorities(void)
{
	raise(1);
	move(1, 0, 3);
	raise(2);
	raise(1);
	move(2, 0, 3);
	raise(2);
	raise(1);
}

static void test_priorities(void **state)
{
	struct explore_result r = explore_threads(2, change_priorities, take_interrupts, NULL);

	(void)state;
	assert_int_equal(r.bad, 0);
}

/* And its vCPU, with both at work. */
static void change_vcpus(void)
{
	raise(1);
	move(1, 1, 7);
	raise(1);
	raise(2);
	move(1, 0, 7);
	raise(1);
}

static void take_interrupts_of_other(void)
{
	interrupt(1);
	interrupt(1);
}

static void take_two_interrupts(void)
{
	interrupt(0);
	interrupt(0);
}

static void test_vcpus(void **state)
{
	struct explore_result r = explore_threads(3, change_vcpus, take_two_interrupts, take_interrupts_of_other);

	(void)state;
	assert_int_equal(r.bad, 0);
}

/* A hypervisor with a mistake is found out: one that tells the vCPU before the event is there. */

static bool set_pending_wrongly(struct evtchn_domain *domain, unsigned port)
{
	if (__atomic_fetch_or(&domain->xen->vcpus[0].info->evtchn_pending_sel, 1, __ATOMIC_SEQ_CST) == 0)
		xen_upcall(&domain->xen->vcpus[0]);
	__atomic_fetch_or(pending_word(), 1ull << port, __ATOMIC_SEQ_CST);
	return true;
}

static void test_finds_mistakes(void **state)
{
	struct evtchn_abi wrong = *e->abi;
	struct explore_result r;

	(void)state;
	wrong.set_pending = set_pending_wrongly;
	e->abi = &wrong;
	r = explore_threads(2, raise_one_three_times, take_interrupts, NULL);
	assert_true(r.bad > 0);
	assert_true(r.bad < r.ends);
}

/* And a guest: one that clears evtchn_upcall_pending after it has looked for events. */
static void late_events(unsigned vcpu)
{
	take_two_level(vcpu);
	clear_upcall(vcpu);
}

static void test_finds_mistakes_of_guest(void **state)
{
	const struct driver late = { late_events, mask_two_level, unmask_two_level, is_bad_two_level };
	struct explore_result r;

	(void)state;
	driver = &late;
	r = explore_threads(2, raise_one_three_times, take_interrupts, NULL);
	assert_true(r.bad > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_port, setup_two_level),
		cmocka_unit_test_setup(test_several_ports, setup_two_level),
		cmocka_unit_test_setup(test_masks, setup_two_level),
		cmocka_unit_test_setup(test_vcpus, setup_two_level),
		cmocka_unit_test_setup(test_finds_mistakes, setup_two_level),
		cmocka_unit_test_setup(test_finds_mistakes_of_guest, setup_two_level),
		cmocka_unit_test_setup(test_one_port, setup_fifo),
		cmocka_unit_test_setup(test_several_ports, setup_fifo),
		cmocka_unit_test_setup(test_masks, setup_fifo),
		cmocka_unit_test_setup(test_priorities, setup_fifo),
		cmocka_unit_test_setup(test_vcpus, setup_fifo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
