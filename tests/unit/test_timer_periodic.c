/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/timer-periodic/periodic.c core/timer.c tests/unit/fake_platform.c */
/* The periodic timer model: the common promises, and a tick that neither stops nor drifts. */
#include "tests/unit/timer_model_tests.h"

#include <config/TIMER_TICK_HZ.h>

#define PERIOD (1000000000u / CONFIG_TIMER_TICK_HZ)

static void test_tick_never_stops(void **state)
{
	(void)state;
	start(100000000, 42);
	unsigned before = fake_deadlines;
	pass(1000000000);
	assert_in_range(fake_deadlines - before, CONFIG_TIMER_TICK_HZ, CONFIG_TIMER_TICK_HZ + 1);
	assert_in_range(fake_deadline, fake_now + 1, fake_now + PERIOD);
}

static void test_match_waits_for_tick(void **state)
{
	(void)state;
	start(100000000, 0);
	model->set_compare(&counter, 10);
	pass(PERIOD - 1);
	assert_int_equal(matches, 0);
	pass(1);
	assert_int_equal(matches, 1);
}

/* Late ticks move no later one, and missed ones are not made up for. */
static void test_no_drift(void **state)
{
	(void)state;
	start(100000000, 0);
	for (unsigned n = 1; n < 100; n++) {
		fake_now = (uint64_t)n * PERIOD + 300;
		timer_run_due(&vcpu);
		assert_int_equal(counter.timer.deadline, (uint64_t)(n + 1) * PERIOD);
	}
	unsigned before = fake_deadlines;
	fake_now = (uint64_t)200 * PERIOD + 300;
	timer_run_due(&vcpu);
	assert_int_equal(counter.timer.deadline, (uint64_t)201 * PERIOD);
	assert_true(fake_deadlines - before <= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TIMER_MODEL_TESTS,
		cmocka_unit_test(test_tick_never_stops),
		cmocka_unit_test(test_match_waits_for_tick),
		cmocka_unit_test(test_no_drift),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
