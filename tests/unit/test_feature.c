/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/feature.c core/log.c tests/unit/fake_platform.c */
/* The walk over linked features: order, providers, attachment. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>
#include <husk/log.h>

#include "tests/unit/fake_platform.h"

static char attached[64];
static int device_result;
static void *attached_vm;

static int attach_tool(struct vm *vm)
{
	attached_vm = vm;
	strcat(attached, "tool ");
	return 0;
}

static int attach_device(struct vm *vm)
{
	attached_vm = vm;
	strcat(attached, "device ");
	return device_result;
}

static const int first_engine, second_engine;

/* Not in the order of levels, so that the walk has something to sort. */
HUSK_FEATURE(tool) = { .name = "tool", .purpose = "a tool", .level = FEATURE_TOOL, .attach = attach_tool };
HUSK_FEATURE(device) = { .name = "device", .purpose = "a device", .level = FEATURE_DEVICE, .attach = attach_device };
HUSK_FEATURE(engine_none) = { .name = "engine-none", .purpose = "provides nothing", .level = FEATURE_ENGINE };
HUSK_FEATURE(engine_a) = {
	.name = "engine-a", .purpose = "the first engine", .level = FEATURE_ENGINE, .provides = &first_engine
};
HUSK_FEATURE(engine_b) = {
	.name = "engine-b", .purpose = "the second engine", .level = FEATURE_ENGINE, .provides = &second_engine
};
HUSK_FEATURE(host) = { .name = "host", .purpose = "a host", .level = FEATURE_HOST };

static int setup(void **state)
{
	(void)state;
	fake_reset();
	attached[0] = '\0';
	device_result = 0;
	return 0;
}

static int append_name(const struct feature *f, void *ctx)
{
	strcat(ctx, f->name);
	strcat(ctx, " ");
	return 0;
}

static void test_walk_is_in_order_of_levels(void **state)
{
	char names[128] = "";

	(void)state;
	assert_int_equal(feature_walk(append_name, names), 0);
	/* Only levels are ordered within one file: compilers choose the order of its variables. */
	assert_int_equal(strncmp(names, "host ", 5), 0);
	assert_string_equal(strstr(names, "device"), "device tool ");
	assert_int_equal(strlen(names), strlen("host engine-none engine-a engine-b device tool "));
}

static int stop_at_engine(const struct feature *f, void *ctx)
{
	unsigned *calls = ctx;

	(*calls)++;
	return f->level == FEATURE_ENGINE ? -EPERM : 0;
}

static void test_walk_stops_at_the_first_result(void **state)
{
	unsigned calls = 0;

	(void)state;
	assert_int_equal(feature_walk(stop_at_engine, &calls), -EPERM);
	assert_int_equal(calls, 2);
}

static void test_provider_is_one_that_provides(void **state)
{
	const void *p = feature_provider(FEATURE_ENGINE);

	(void)state;
	assert_true(p == &first_engine || p == &second_engine);
	assert_null(feature_provider(FEATURE_MACHINE));
	assert_null(feature_provider(FEATURE_DEVICE));
}

static void test_all_are_attached_in_order(void **state)
{
	int vm;

	(void)state;
	assert_int_equal(feature_attach_all((struct vm *)&vm), 0);
	assert_string_equal(attached, "device tool ");
	assert_ptr_equal(attached_vm, &vm);
	assert_string_equal(fake_log, "");
}

static void test_a_failure_ends_and_is_named(void **state)
{
	(void)state;
	device_result = -ENOMEM;
	assert_int_equal(feature_attach_all(NULL), -ENOMEM);
	assert_string_equal(attached, "device ");
	assert_string_equal(fake_log, "husk: error: feature device cannot start (error -12)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_walk_is_in_order_of_levels, setup),
		cmocka_unit_test_setup(test_walk_stops_at_the_first_result, setup),
		cmocka_unit_test_setup(test_provider_is_one_that_provides, setup),
		cmocka_unit_test_setup(test_all_are_attached_in_order, setup),
		cmocka_unit_test_setup(test_a_failure_ends_and_is_named, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
