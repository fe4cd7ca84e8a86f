/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: tests/unit/fake_platform.c */
/* The fake host itself, as far as other tests build on it: memory for code keeps what platform.h promises. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_platform.h"

#define LIMIT ((uint64_t)1 << 31)

static int setup(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

static int triple(int x)
{
	return 3 * x;
}

/* jmp rel32 to `target`, made for the place where it runs. */
static void put_jump(const struct plat_code *code, size_t at, int (*target)(int))
{
	int32_t distance = (int32_t)((intptr_t)target - (intptr_t)(code->execute + at + 5));

	code->write[at] = 0xe9;
	memcpy(code->write + at + 1, &distance, sizeof(distance));
}

static void test_code_runs_and_reaches_functions(void **state)
{
	struct plat_code code;

	(void)state;
	assert_int_equal(plat_code_alloc(10000, &code), 0);
	assert_int_equal(code.size, 12288);
	assert_true((uint64_t)code.execute + code.size <= LIMIT && (uint64_t)code.write + code.size <= LIMIT);
	for (size_t i = 0; i < code.size; i++)
		assert_int_equal(code.execute[i], 0);
	put_jump(&code, 12000, triple);
	assert_int_equal(((int (*)(int))(uintptr_t)(code.execute + 12000))(14), 42);
}

static void test_code_can_be_refused(void **state)
{
	struct plat_code code = { .size = 1 };

	(void)state;
	assert_int_equal(plat_code_alloc(0, &code), -ENOMEM);
	assert_int_equal(plat_code_alloc(SIZE_MAX, &code), -ENOMEM);
	assert_int_equal(plat_code_alloc((size_t)LIMIT, &code), -ENOMEM);
	fake_pages_left = 4096;
	assert_int_equal(plat_code_alloc(8192, &code), -ENOMEM);
	fake_code_error = -ENOSYS;
	assert_int_equal(plat_code_alloc(4096, &code), -ENOSYS);
	assert_int_equal(code.size, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_code_runs_and_reaches_functions, setup),
		cmocka_unit_test_setup(test_code_can_be_refused, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
