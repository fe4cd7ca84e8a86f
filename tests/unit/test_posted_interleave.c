/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: tests/unit/explore.c */
/*
 * No interrupt that one CPU leaves for a vCPU on another waits without anybody knowing: every interleaving of two senders
 * with a CPU that goes into its guest and out again, as features/local-apic/posted.c and arch/x86_64/hvm/vmx/apic.c do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/explore.h"

#include "arch/x86_64/hvm/posted.h"

#define ID     5u
#define FIRST  0x41u
#define SECOND 0x42u

/** All that threads share. */
static struct {
	struct x86_posted posted;
	uint32_t attention; /**< the vCPU was kicked */
	uint32_t notified;  /**< a notification waits in the CPU's own APIC */
	uint32_t taken[8];
} shared;

static bool stays_in; /* the guest runs on at the end */

static void kick(void)
{
	__atomic_store_n(&shared.attention, 1, __ATOMIC_SEQ_CST);
}

static void send(uint8_t vector)
{
	if (!x86_post(&shared.posted, vector))
		return;
	if (x86_posted_entered(&shared.posted) != 0)
		__atomic_store_n(&shared.notified, 1, __ATOMIC_SEQ_CST);
	else
		kick();
}

static void send_first(void)
{
	send(FIRST);
}

static void send_second(void)
{
	send(SECOND);
}

static void send_first_again(void)
{
	send(FIRST);
	explore_done();
	send(FIRST);
}

static void take(void)
{
	uint32_t bits[8];

	if (!x86_take_posted(&shared.posted, bits))
		return;
	for (unsigned i = 0; i < 8; i++)
		shared.taken[i] |= bits[i];
}

/* SDM 3C, 29.6: the CPU takes a notification as soon as it can, in the guest; it clears, then takes. */
static void guest(void)
{
	if (__atomic_exchange_n(&shared.notified, 0, __ATOMIC_SEQ_CST) != 0)
		take();
}

/* A host that takes interrupts: nothing is done about a notification. */
static void host(void)
{
	__atomic_store_n(&shared.notified, 0, __ATOMIC_SEQ_CST);
}

/* In and out, once; false: not in, because there is something else to do. */
static bool go_in(void)
{
	bool in;

	if (!x86_posted_enter(&shared.posted, ID))
		kick();
	in = __atomic_load_n(&shared.attention, __ATOMIC_SEQ_CST) == 0;
	if (in)
		guest();
	if (in && stays_in)
		return true;
	if (!x86_posted_leave(&shared.posted))
		kick();
	host();
	return in;
}

/* The vCPU's CPU: three times into the guest, then it waits, or is in there. */
static void run(void)
{
	for (unsigned i = 0; i < 3; i++) {
		explore_done();
		if (__atomic_exchange_n(&shared.attention, 0, __ATOMIC_SEQ_CST) != 0)
			take();
		if (go_in() && stays_in)
			return;
	}
	explore_done();
	if (__atomic_exchange_n(&shared.attention, 0, __ATOMIC_SEQ_CST) != 0)
		take();
}

/* What was not taken is known: to a CPU in its guest by a notification, otherwise to the vCPU by its attention word. */
static bool none_is_lost(void)
{
	static const uint32_t none[8];
	bool left = memcmp(shared.posted.vectors, none, sizeof(none)) != 0;

	if (!left)
		return shared.taken[FIRST / 32] != 0;
	return shared.posted.entered != 0 ? shared.notified != 0 : shared.attention != 0;
}

static void check(void (*one)(void), void (*other)(void))
{
	const struct explore_region region = { &shared, sizeof(shared) };
	const struct exploration x = { .nr_threads = 3,
				       .threads = { run, one, other },
				       .regions = &region,
				       .nr_regions = 1,
				       .good = none_is_lost };
	struct explore_result r;

	memset(&shared, 0, sizeof(shared));
	r = explore(&x);
	assert_true(r.ends > 10);
	assert_int_equal(r.bad, 0);
}

static void test_in_and_out(void **state)
{
	(void)state;
	stays_in = false;
	check(send_first, send_second);
	check(send_first_again, send_second);
}

static void test_in_the_guest(void **state)
{
	(void)state;
	stays_in = true;
	check(send_first, send_second);
	check(send_first_again, send_second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_and_out),
		cmocka_unit_test(test_in_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
