/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/timer-on-demand/on_demand.c core/timer.c tests/unit/fake_platform.c */
/* The on-demand timer model: the common promises, precise deadlines, and no host timer without need. */
#include "tests/unit/timer_model_tests.h"

static void test_precise_deadline(void **state)
{
	(void)state;
	start(100000000, 1000);
	model->set_compare(&counter, 12345);
	assert_int_equal(fake_deadline, 1000 + 123450);
	pass(123449);
	assert_int_equal(matches, 0);
	pass(1);
	assert_int_equal(matches, 1);
	assert_int_equal(match_count, 12345);
}

static void test_idle_costs_nothing(void **state)
{
	(void)state;
	start(100000000, 1000);
	assert_int_equal(fake_deadline, UINT64_MAX);
	model->set_compare(&counter, 100);
	pass(1000);
	assert_int_equal(fake_deadline, UINT64_MAX);
}

/* A host timer that fires too early is armed again and delivers nothing. */
static void test_early_host_timer(void **state)
{
	(void)state;
	start(100000000, 1000);
	model->set_compare(&counter, 100);
	fake_now += 995;
	timer_disarm(&vcpu, &counter.timer);
	counter.timer.fire(&counter.timer);
	assert_int_equal(matches, 0);
	assert_true(counter.timer.armed);
	assert_int_equal(fake_deadline, 2000);
	pass(5);
	assert_int_equal(matches, 1);
}

/* The match may program the next one, as a guest that was interrupted does. */
static void rearm(struct guest_counter *c)
{
	matches++;
	if (matches < 5)
		model->set_compare(c, c->compare + 100);
}

static void test_match_programs_next(void **state)
{
	(void)state;
	start(100000000, 1000);
	counter.match = rearm;
	model->set_compare(&counter, 100);
	pass(2500);
	assert_int_equal(matches, 2);
	pass(1000000);
	assert_int_equal(matches, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TIMER_MODEL_TESTS,
		cmocka_unit_test(test_precise_deadline),
		cmocka_unit_test(test_idle_costs_nothing),
		cmocka_unit_test(test_early_host_timer),
		cmocka_unit_test(test_match_programs_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
