/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/timer-icount/icount.c core/timer.c tests/unit/fake_platform.c */
/* The timer model by instructions, and the stops of a vCPU that it is made of. */
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

extern const struct feature *const __start_husk_features[];

static struct vcpu vcpu;
static struct guest_counter counter;
static const struct timer_model *model;
static unsigned matches;
static uint64_t match_at; /* instructions when it matched last */

static void on_match(struct guest_counter *c)
{
	matches++;
	match_at = c->vcpu->instructions;
}

static int start(void **state)
{
	(void)state;
	fake_reset();
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&counter, 0, sizeof(counter));
	matches = 0;
	model = __start_husk_features[0]->provides;
	vcpu.instructions = 1000;
	counter.vcpu = &vcpu;
	counter.hz = 100000000;
	counter.match = on_match;
	model->start(&counter);
	return 0;
}

/* What an engine and the run loop do: on to the next stop, or as far as it goes. */
static void execute(uint64_t instructions)
{
	uint64_t end = vcpu.instructions + instructions;

	while (vcpu.instructions < end) {
		uint64_t stop = vcpu_stop_at(&vcpu);

		vcpu.instructions = stop < end ? stop : end;
		vcpu_run_stops(&vcpu);
	}
}

static void test_count_is_instructions(void **state)
{
	(void)state;
	assert_true(model->by_instructions);
	assert_int_equal(model->read(&counter), 0);
	execute(123);
	fake_now += 1000000000;
	assert_int_equal(model->read(&counter), 123);
	model->write(&counter, 77);
	assert_int_equal(model->read(&counter), 77);
	execute(1);
	assert_int_equal(model->read(&counter), 78);
}

static void test_match_at_its_instruction(void **state)
{
	(void)state;
	execute(5);
	model->set_compare(&counter, 100);
	execute(94);
	assert_int_equal(matches, 0);
	execute(50);
	assert_int_equal(matches, 1);
	assert_int_equal(match_at, 1100);
	execute(1000);
	assert_int_equal(matches, 1);
}

static void test_new_compare_replaces(void **state)
{
	(void)state;
	model->set_compare(&counter, 100);
	model->set_compare(&counter, 300);
	execute(299);
	assert_int_equal(matches, 0);
	execute(1);
	assert_int_equal(matches, 1);
}

static void test_past_compare_matches_before_the_next_instruction(void **state)
{
	(void)state;
	execute(500);
	model->set_compare(&counter, 100);
	assert_int_equal(vcpu_stop_at(&vcpu), vcpu.instructions);
	vcpu_run_stops(&vcpu);
	assert_int_equal(matches, 1);
}

static void test_write_moves_the_match(void **state)
{
	(void)state;
	model->set_compare(&counter, 100);
	model->write(&counter, 90);
	execute(10);
	assert_int_equal(match_at, 1010);
}

static void test_unreachable_compare(void **state)
{
	(void)state;
	model->set_compare(&counter, UINT64_MAX);
	assert_int_equal(vcpu_stop_at(&vcpu), UINT64_MAX);
	model->set_compare(&counter, 10);
	execute(10);
	assert_int_equal(matches, 1);
}

static void test_start_again_forgets(void **state)
{
	(void)state;
	model->set_compare(&counter, 100);
	execute(10);
	model->start(&counter);
	assert_int_equal(model->read(&counter), 0);
	execute(1000);
	assert_int_equal(matches, 0);
}

static void test_idle_is_skipped(void **state)
{
	(void)state;
	assert_false(model->skip_idle(&vcpu)); /* nothing to wait for */
	model->set_compare(&counter, 1000000);
	assert_true(model->skip_idle(&vcpu));
	assert_int_equal(vcpu.instructions, 1000);
	vcpu_run_stops(&vcpu);
	assert_int_equal(matches, 1);
	assert_int_equal(model->read(&counter), 1000000);
	/* What is due already needs no time. */
	model->set_compare(&counter, 1000000);
	assert_true(model->skip_idle(&vcpu));
	assert_int_equal(model->read(&counter), 1000000);
}

/* Counters of a vCPU agree on the time; a tool's stop is about instructions, which are not skipped. */
static unsigned tool_stops;

static void on_tool(struct vcpu_stop *s)
{
	(void)s;
	tool_stops++;
}

static void test_idle_is_skipped_by_all(void **state)
{
	struct guest_counter other = { .vcpu = &vcpu, .hz = 100000000, .match = on_match };
	struct vcpu_stop tool = { .reached = on_tool };

	(void)state;
	tool_stops = 0;
	model->start(&other);
	model->set_compare(&counter, 5000);
	model->set_compare(&other, 7000);
	vcpu_stop_set(&vcpu, &tool, 1500);
	assert_true(model->skip_idle(&vcpu));
	vcpu_run_stops(&vcpu);
	assert_int_equal(matches, 1);
	assert_int_equal(tool_stops, 0);
	assert_int_equal(model->read(&other), 5000);
	execute(499);
	assert_int_equal(tool_stops, 0);
	execute(1);
	assert_int_equal(tool_stops, 1);
	execute(1500);
	assert_int_equal(matches, 2);
	assert_int_equal(match_at, 3000);
}

static void test_stops_in_order(void **state)
{
	struct vcpu_stop a = { .reached = on_tool }, b = a, c = a;

	(void)state;
	vcpu_stop_set(&vcpu, &a, 1030);
	vcpu_stop_set(&vcpu, &b, 1010);
	vcpu_stop_set(&vcpu, &c, 1020);
	assert_int_equal(vcpu_stop_at(&vcpu), 1010);
	vcpu_stop_set(&vcpu, &b, 1040);
	assert_int_equal(vcpu_stop_at(&vcpu), 1020);
	vcpu_stop_clear(&vcpu, &c);
	vcpu_stop_clear(&vcpu, &c);
	assert_int_equal(vcpu_stop_at(&vcpu), 1030);
	vcpu_stop_clear(&vcpu, &a);
	vcpu_stop_clear(&vcpu, &b);
	assert_int_equal(vcpu_stop_at(&vcpu), UINT64_MAX);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_count_is_instructions),  TEST(test_match_at_its_instruction),
		TEST(test_new_compare_replaces),   TEST(test_past_compare_matches_before_the_next_instruction),
		TEST(test_write_moves_the_match),  TEST(test_unreachable_compare),
		TEST(test_start_again_forgets),    TEST(test_idle_is_skipped),
		TEST(test_idle_is_skipped_by_all), TEST(test_stops_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
