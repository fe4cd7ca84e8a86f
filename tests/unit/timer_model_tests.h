/* SPDX-License-Identifier: BSD-2-Clause */
/* What every timer model promises, run against the one that is linked in, with the host's clock in hand. */
#ifndef TESTS_TIMER_MODEL_TESTS_H
#define TESTS_TIMER_MODEL_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>
#include <husk/timer.h>
#include <husk/vcpu.h>

#include "tests/unit/fake_platform.h"

static struct vcpu vcpu;
static struct guest_counter counter;
static const struct timer_model *model;
static unsigned matches;
static uint64_t match_count; /* the count when it matched last */

extern const struct feature *const __start_husk_features[];

static void on_match(struct guest_counter *c)
{
	matches++;
	match_count = guest_counter_ticks(c);
}

/* A counter of that rate, started when the host's clock stood at `now`. */
static void start(uint64_t hz, uint64_t now)
{
	fake_reset();
	fake_now = now;
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&counter, 0, sizeof(counter));
	matches = 0;
	plat_cpu_bind(&vcpu.attention);
	model = __start_husk_features[0]->provides;
	counter.vcpu = &vcpu;
	counter.hz = hz;
	counter.match = on_match;
	model->start(&counter);
}

/* Moves time on as a run loop would see it: in steps from one host deadline to the next. */
static void pass(uint64_t ns)
{
	uint64_t end = fake_now + ns;

	while (fake_deadline <= end) {
		fake_advance(fake_deadline > fake_now ? fake_deadline - fake_now : 0);
		vcpu_take_attention(&vcpu);
		timer_run_due(&vcpu);
	}
	fake_now = end;
}

static void test_count_follows_host_time(void **state)
{
	static const uint64_t rates[] = { 1, 3, 1000000, 99999999, 100000000, 3000000000, 10000000000 };

	(void)state;
	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		start(rates[i], 123456789);
		assert_int_equal(model->read(&counter), 0);
		fake_now += 7000000000;
		uint64_t count = model->read(&counter);
		assert_in_range(count, 7 * rates[i] - 1, 7 * rates[i] + 1);
	}
}

static void test_count_is_exact_over_a_year(void **state)
{
	const uint64_t year = (uint64_t)365 * 86400;

	(void)state;
	start(100000000, 0);
	fake_now = year * 1000000000;
	assert_int_equal(model->read(&counter), year * 100000000);
}

static void test_write(void **state)
{
	(void)state;
	start(100000000, 555);
	model->write(&counter, UINT64_C(0xfffffff0));
	assert_int_equal(model->read(&counter), UINT64_C(0xfffffff0));
	fake_now += 1000;
	assert_int_equal(model->read(&counter), UINT64_C(0xfffffff0) + 100);
	model->write(&counter, 0);
	assert_int_equal(model->read(&counter), 0);
}

/* A guest that polls Count sees the match at the first read that shows it, with no host timer involved. */
static void test_read_delivers(void **state)
{
	(void)state;
	start(100000000, 42);
	model->set_compare(&counter, 1000);
	fake_now += 9990;
	assert_int_equal(model->read(&counter), 999);
	assert_int_equal(matches, 0);
	fake_now += 10;
	assert_int_equal(model->read(&counter), 1000);
	assert_int_equal(matches, 1);
	model->read(&counter);
	pass(100000000);
	assert_int_equal(matches, 1);
}

static void test_past_compare_matches_at_once(void **state)
{
	(void)state;
	start(100000000, 42);
	fake_now += 1000;
	model->set_compare(&counter, 100);
	assert_int_equal(matches, 1);
	model->set_compare(&counter, 99);
	assert_int_equal(matches, 2);
	pass(100000000);
	assert_int_equal(matches, 2);
}

static void test_new_compare_replaces(void **state)
{
	(void)state;
	start(100000000, 42);
	model->set_compare(&counter, 1000000);
	model->set_compare(&counter, 3000000);
	pass(20000000);
	assert_int_equal(matches, 0);
	pass(20000000);
	assert_int_equal(matches, 1);
	assert_true(match_count >= 3000000);
}

static void test_write_shifts_match(void **state)
{
	(void)state;
	start(100000000, 42);
	model->set_compare(&counter, 10000000);
	model->write(&counter, 9000000);
	pass(12000000);
	assert_int_equal(matches, 1);
	model->set_compare(&counter, 20000000);
	model->write(&counter, 0);
	pass(190000000);
	assert_int_equal(matches, 1);
	pass(12000000);
	assert_int_equal(matches, 2);
	model->set_compare(&counter, 90000000);
	model->write(&counter, 90000000);
	assert_int_equal(matches, 3);
}

static void test_start_again_forgets(void **state)
{
	(void)state;
	start(100000000, 42);
	model->set_compare(&counter, 1000000);
	pass(5000000);
	model->start(&counter);
	assert_int_equal(model->read(&counter), 0);
	pass(50000000);
	assert_int_equal(matches, 0);
	model->set_compare(&counter, 10000000);
	pass(60000000);
	assert_int_equal(matches, 1);
}

/* Never early, whatever the rate does to rounding. */
static void test_never_early(void **state)
{
	static const uint64_t rates[] = { 7, 32768, 3579545, 99999989, 3000000000, 10000000000 };

	(void)state;
	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		start(rates[i], 1);
		for (uint64_t n = 1; n < 50; n++) {
			uint64_t compare = model->read(&counter) + n;
			unsigned before = matches;
			model->set_compare(&counter, compare);
			pass(timer_ticks_to_ns(n, rates[i]) + 2000000);
			assert_int_equal(matches, before + 1);
			assert_true(match_count >= compare);
		}
	}
}

static void test_unreachable_compare(void **state)
{
	(void)state;
	start(100000000, 42);
	model->set_compare(&counter, UINT64_MAX);
	pass(1000000000);
	assert_int_equal(matches, 0);
	model->set_compare(&counter, model->read(&counter) + 1000);
	pass(2000000);
	assert_int_equal(matches, 1);
}

#define TIMER_MODEL_TESTS                                                                                         \
	cmocka_unit_test(test_count_follows_host_time), cmocka_unit_test(test_count_is_exact_over_a_year),        \
		cmocka_unit_test(test_write), cmocka_unit_test(test_read_delivers),                               \
		cmocka_unit_test(test_past_compare_matches_at_once), cmocka_unit_test(test_new_compare_replaces), \
		cmocka_unit_test(test_write_shifts_match), cmocka_unit_test(test_start_again_forgets),            \
		cmocka_unit_test(test_never_early), cmocka_unit_test(test_unreachable_compare)

#endif
