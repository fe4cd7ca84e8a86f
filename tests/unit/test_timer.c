/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c core/timer.c tests/unit/fake_platform.c */
/* The timer queue on a clock that the test moves, and exact conversions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <husk/timer.h>
#include <husk/vcpu.h>

#include "tests/unit/fake_platform.h"

/** A timer with a name, and what it does when it fires. */
struct probe {
	struct timer timer;
	const char *name;
	uint64_t rearm_in;    /* 0: it does not */
	bool rearm_late;      /* for a time that has passed */
	struct probe *disarm; /* another one to disarm */
};

static struct vcpu vcpu;
static char fired[256];

static void on_fire(struct timer *t)
{
	struct probe *p = (struct probe *)t;

	assert_false(t->armed);
	strcat(fired, p->name);
	if (p->rearm_in != 0)
		timer_arm(&vcpu, t, fake_now + p->rearm_in);
	if (p->rearm_late)
		timer_arm(&vcpu, t, 0);
	if (p->disarm != NULL)
		timer_disarm(&vcpu, &p->disarm->timer);
}

static struct probe make(const char *name)
{
	return (struct probe){ .timer = { .fire = on_fire }, .name = name };
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	vcpu = (struct vcpu){ .id = 0 };
	fired[0] = '\0';
	plat_cpu_bind(&vcpu.attention);
	return 0;
}

static void test_host_knows_the_earliest_only(void **state)
{
	struct probe a = make("a"), b = make("b"), c = make("c");

	(void)state;
	timer_arm(&vcpu, &a.timer, 500);
	assert_int_equal(fake_deadline, 500);
	timer_arm(&vcpu, &b.timer, 700);
	assert_int_equal(fake_deadlines, 1);
	timer_arm(&vcpu, &c.timer, 300);
	assert_int_equal(fake_deadline, 300);
	timer_disarm(&vcpu, &b.timer);
	assert_int_equal(fake_deadlines, 2);
	timer_disarm(&vcpu, &c.timer);
	assert_int_equal(fake_deadline, 500);
	timer_disarm(&vcpu, &c.timer);
	assert_int_equal(fake_deadlines, 3);
	timer_disarm(&vcpu, &a.timer);
	assert_true(fake_deadline == TIMER_NEVER);
	assert_null(vcpu.timers.first);
}

static void test_arming_again_replaces(void **state)
{
	struct probe a = make("a"), b = make("b");

	(void)state;
	timer_arm(&vcpu, &b.timer, 200);
	timer_arm(&vcpu, &a.timer, 100);
	timer_arm(&vcpu, &a.timer, 300);
	assert_int_equal(fake_deadline, 200);
	assert_ptr_equal(vcpu.timers.first, &b.timer);
	assert_ptr_equal(b.timer.next, &a.timer);
	assert_null(a.timer.next);
	timer_arm(&vcpu, &a.timer, TIMER_NEVER);
	assert_false(a.timer.armed);
	assert_null(b.timer.next);
	assert_int_equal(fake_deadline, 200);
}

static void test_due_timers_fire_in_order(void **state)
{
	struct probe a = make("a"), b = make("b"), c = make("c"), d = make("d");

	(void)state;
	timer_arm(&vcpu, &c.timer, 300);
	timer_arm(&vcpu, &a.timer, 100);
	timer_arm(&vcpu, &d.timer, 900);
	timer_arm(&vcpu, &b.timer, 100);
	fake_advance(99);
	assert_int_equal(vcpu_attention(&vcpu), 0);
	timer_run_due(&vcpu);
	assert_string_equal(fired, "");
	fake_advance(301);
	assert_int_equal(vcpu_attention(&vcpu), ATTN_TIMER);
	timer_run_due(&vcpu);
	assert_string_equal(fired, "abc");
	assert_int_equal(fake_deadline, 900);
	assert_true(d.timer.armed);
}

static void test_a_timer_may_arm_itself_again(void **state)
{
	struct probe a = make("a"), b = make("b");
	unsigned before;

	(void)state;
	a.rearm_in = 50;
	timer_arm(&vcpu, &a.timer, 100);
	timer_arm(&vcpu, &b.timer, 100);
	fake_advance(100);
	before = fake_deadlines;
	timer_run_due(&vcpu);
	assert_string_equal(fired, "ab");
	assert_int_equal(fake_deadline, 150);
	assert_int_equal(fake_deadlines, before + 1);
}

static void test_one_that_is_always_late_holds_up_nobody(void **state)
{
	struct probe a = make("a"), b = make("b");

	(void)state;
	a.rearm_late = true;
	timer_arm(&vcpu, &a.timer, 10);
	timer_arm(&vcpu, &b.timer, 20);
	fake_advance(30);
	vcpu_take_attention(&vcpu);
	timer_run_due(&vcpu);
	/* Twice, since two were due; then the host is asked and says at once that time is up. */
	assert_string_equal(fired, "aa");
	assert_int_equal(vcpu_take_attention(&vcpu), ATTN_TIMER);
	a.rearm_late = false;
	timer_run_due(&vcpu);
	assert_string_equal(fired, "aaab");
}

static void test_a_timer_may_disarm_the_next(void **state)
{
	struct probe a = make("a"), b = make("b");

	(void)state;
	a.disarm = &b;
	timer_arm(&vcpu, &a.timer, 10);
	timer_arm(&vcpu, &b.timer, 10);
	fake_advance(10);
	timer_run_due(&vcpu);
	assert_string_equal(fired, "a");
	assert_null(vcpu.timers.first);
}

static void test_a_deadline_in_the_past_is_due_at_once(void **state)
{
	struct probe a = make("a");

	(void)state;
	fake_now = 1000;
	timer_arm(&vcpu, &a.timer, 0);
	assert_int_equal(vcpu_take_attention(&vcpu), ATTN_TIMER);
	timer_run_due(&vcpu);
	assert_string_equal(fired, "a");
}

static void test_guest_reset_keeps_the_timers_of_tools(void **state)
{
	struct probe a = make("a"), b = make("b"), c = make("c");

	(void)state;
	b.timer.keep = true;
	timer_arm(&vcpu, &a.timer, 100);
	timer_arm(&vcpu, &b.timer, 200);
	timer_arm(&vcpu, &c.timer, 300);
	timer_disarm_guest(&vcpu);
	assert_false(a.timer.armed || c.timer.armed);
	assert_ptr_equal(vcpu.timers.first, &b.timer);
	assert_null(b.timer.next);
	assert_int_equal(fake_deadline, 200);
}

/* Conversions, against 128-bit arithmetic. */

static const uint64_t rates[] = { 1,         2,      3,          999,        1000,       32768,      33333333,
				  100000000, 999999, 1000000000, 1000000001, 2147483647, 9999999999, 10000000000 };
#define RATES (sizeof(rates) / sizeof(rates[0]))

static uint64_t random_state;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void check_to_ticks(uint64_t ns, uint64_t hz)
{
	unsigned __int128 exact = (unsigned __int128)ns * hz / 1000000000;

	if (timer_ns_to_ticks(ns, hz) != (uint64_t)exact)
		fail_msg("%llu ns at %llu Hz", (unsigned long long)ns, (unsigned long long)hz);
}

static void check_to_ns(uint64_t ticks, uint64_t hz)
{
	unsigned __int128 exact = ((unsigned __int128)ticks * 1000000000 + hz - 1) / hz;
	uint64_t want = exact > UINT64_MAX ? UINT64_MAX : (uint64_t)exact;
	uint64_t ns = timer_ticks_to_ns(ticks, hz);

	if (ns != want)
		fail_msg("%llu ticks at %llu Hz", (unsigned long long)ticks, (unsigned long long)hz);
	/* What a deadline is for: when it comes, the count has got there. */
	if (ns != TIMER_NEVER)
		assert_true((unsigned __int128)ns * hz / 1000000000 >= ticks);
}

static void test_conversions_are_exact(void **state)
{
	static const uint64_t edges[] = { 0, 1, 2, 999999999, 1000000000, 1000000001, UINT64_MAX - 1, UINT64_MAX };

	(void)state;
	random_state = 88172645463325252u;
	for (unsigned r = 0; r < RATES; r++) {
		for (unsigned i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
			check_to_ticks(edges[i], rates[r]);
			check_to_ns(edges[i], rates[r]);
		}
		for (unsigned i = 0; i < 2000; i++) {
			uint64_t v = random64() >> (random64() % 64);

			check_to_ticks(v, rates[r]);
			check_to_ns(v, rates[r]);
		}
	}
}

static void test_counts_never_go_back(void **state)
{
	(void)state;
	for (unsigned r = 0; r < RATES; r++) {
		uint64_t last = 0;

		for (uint64_t ns = 1999999000; ns < 2000001000; ns++) {
			uint64_t ticks = timer_ns_to_ticks(ns, rates[r]);

			assert_true(ticks >= last);
			last = ticks;
		}
	}
}

static void test_a_rate_of_zero_never_matches(void **state)
{
	(void)state;
	assert_true(timer_ticks_to_ns(0, 0) == TIMER_NEVER);
	assert_int_equal(timer_ns_to_ticks(UINT64_MAX, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_host_knows_the_earliest_only, setup),
		cmocka_unit_test_setup(test_arming_again_replaces, setup),
		cmocka_unit_test_setup(test_due_timers_fire_in_order, setup),
		cmocka_unit_test_setup(test_a_timer_may_arm_itself_again, setup),
		cmocka_unit_test_setup(test_one_that_is_always_late_holds_up_nobody, setup),
		cmocka_unit_test_setup(test_a_timer_may_disarm_the_next, setup),
		cmocka_unit_test_setup(test_a_deadline_in_the_past_is_due_at_once, setup),
		cmocka_unit_test_setup(test_guest_reset_keeps_the_timers_of_tools, setup),
		cmocka_unit_test_setup(test_conversions_are_exact, setup),
		cmocka_unit_test_setup(test_counts_never_go_back, setup),
		cmocka_unit_test_setup(test_a_rate_of_zero_never_matches, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
