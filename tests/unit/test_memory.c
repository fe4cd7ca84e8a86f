/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c core/memory.c core/log.c tests/unit/fake_platform.c */
/* The guest physical map: regions, bounds of any 64-bit range, code marks. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>
#include <husk/memory.h>

#include "tests/unit/fake_platform.h"

#define PAGE GUEST_PAGE_SIZE
#define TOP  (UINT64_MAX & GUEST_PAGE_MASK) /* the last page, which no region may reach */

static struct memory memory;
static struct {
	uint64_t gpa, size;
	uint8_t now; /* first byte when the callback came */
} written[16];
static unsigned nr_written;

/* Two regions that touch, and one apart that ends at the top. */
static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	memory = (struct memory){ .nr_ram = 0 };
	nr_written = 0;
	assert_int_equal(memory_add_ram(&memory, 4 * PAGE, 2 * PAGE), 0);
	assert_int_equal(memory_add_ram(&memory, TOP - 2 * PAGE, 2 * PAGE), 0);
	assert_int_equal(memory_add_ram(&memory, 2 * PAGE, 2 * PAGE), 0);
	return 0;
}

static void test_regions_are_sorted(void **state)
{
	(void)state;
	assert_int_equal(memory.nr_ram, 3);
	assert_int_equal(memory.ram[0].gpa, 2 * PAGE);
	assert_int_equal(memory.ram[1].gpa, 4 * PAGE);
	assert_int_equal(memory.ram[2].gpa, TOP - 2 * PAGE);
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(memory_region(&memory, memory.ram[i].gpa), &memory.ram[i]);
}

static void test_wrong_regions_are_refused(void **state)
{
	(void)state;
	assert_int_equal(memory_add_ram(&memory, 64 * PAGE, 0), -EINVAL);
	assert_int_equal(memory_add_ram(&memory, 64 * PAGE + 1, PAGE), -EINVAL);
	assert_int_equal(memory_add_ram(&memory, 64 * PAGE, PAGE + 8), -EINVAL);
	assert_int_equal(memory_add_ram(&memory, TOP, PAGE), -EINVAL);
	assert_int_equal(memory_add_ram(&memory, TOP, 2 * PAGE), -EINVAL);
	assert_int_equal(memory_add_ram(&memory, 64 * PAGE, TOP), -EINVAL);
	assert_int_equal(memory_add_ram(&memory, 2 * PAGE, PAGE), -EEXIST);
	assert_int_equal(memory_add_ram(&memory, PAGE, 2 * PAGE), -EEXIST);
	assert_int_equal(memory_add_ram(&memory, 5 * PAGE, PAGE), -EEXIST);
	assert_int_equal(memory_add_ram(&memory, 0, 32 * PAGE), -EEXIST);
	assert_int_equal(memory_add_ram(&memory, 6 * PAGE, TOP - 6 * PAGE), -EEXIST);
	assert_int_equal(memory.nr_ram, 3);
}

static void test_number_of_regions_is_bounded(void **state)
{
	(void)state;
	for (unsigned i = 3; i < MEMORY_MAX_RAM; i++)
		assert_int_equal(memory_add_ram(&memory, (16 + 2 * i) * PAGE, PAGE), 0);
	assert_int_equal(memory_add_ram(&memory, 128 * PAGE, PAGE), -ENOSPC);
}

static void test_missing_host_memory_is_explained(void **state)
{
	(void)state;
	fake_pages_left = (uint64_t)120 << 20;
	assert_int_equal(memory_add_ram(&memory, (uint64_t)1 << 32, (uint64_t)256 << 20), -ENOMEM);
	assert_string_equal(fake_log, "husk: error: the guest needs 256 MiB of RAM but the host has 120 MiB free: "
				      "give the host more memory or lower RAM_MB\n");
	assert_int_equal(memory.nr_ram, 3);
	/* Enough for the RAM, not for its code marks. */
	fake_pages_left = PAGE;
	assert_int_equal(memory_add_ram(&memory, (uint64_t)1 << 32, PAGE), -ENOMEM);
	assert_int_equal(memory.nr_ram, 3);
}

static void test_borrow_keeps_to_one_region(void **state)
{
	uint8_t *base = memory.ram[0].hva;

	(void)state;
	assert_ptr_equal(memory_borrow(&memory, 2 * PAGE, 2 * PAGE), base);
	assert_ptr_equal(memory_borrow(&memory, 4 * PAGE - 1, 1), base + 2 * PAGE - 1);
	assert_ptr_equal(memory_borrow(&memory, 3 * PAGE, 0), base + PAGE);
	assert_null(memory_borrow(&memory, 4 * PAGE - 1, 2));
	assert_null(memory_borrow(&memory, 2 * PAGE - 1, 1));
	assert_null(memory_borrow(&memory, 2 * PAGE - 1, 2));
	assert_null(memory_borrow(&memory, 6 * PAGE, 0));
	assert_null(memory_borrow(&memory, 2 * PAGE, 2 * PAGE + 1));
}

static void test_no_range_wraps(void **state)
{
	static const uint64_t sizes[] = { 1, PAGE, 2 * PAGE + 1, UINT64_MAX - 2 * PAGE, TOP, UINT64_MAX };
	static const uint64_t starts[] = { 0, 1, 2 * PAGE - 1, 6 * PAGE, TOP, UINT64_MAX - 1, UINT64_MAX };
	uint8_t byte = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		for (unsigned j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			assert_null(memory_borrow(&memory, starts[i], sizes[j]));
			assert_int_equal(memory_read(&memory, starts[i], &byte, sizes[j]), -EFAULT);
			assert_int_equal(memory_write(&memory, starts[i], &byte, sizes[j]), -EFAULT);
			assert_int_equal(memory_zero(&memory, starts[i], sizes[j]), -EFAULT);
		}
	}
	/* From inside RAM. */
	assert_null(memory_borrow(&memory, 3 * PAGE, UINT64_MAX));
	assert_null(memory_borrow(&memory, 3 * PAGE, UINT64_MAX - 3 * PAGE + 1));
	assert_int_equal(memory_read(&memory, 3 * PAGE, &byte, UINT64_MAX), -EFAULT);
	assert_int_equal(memory_zero(&memory, TOP - PAGE, UINT64_MAX - TOP + PAGE + 1), -EFAULT);
}

static void test_copies_cross_regions_that_touch(void **state)
{
	uint8_t in[16], out[16];

	(void)state;
	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i + 1);
	assert_int_equal(memory_write(&memory, 4 * PAGE - 8, in, sizeof(in)), 0);
	assert_memory_equal(memory.ram[0].hva + 2 * PAGE - 8, in, 8);
	assert_memory_equal(memory.ram[1].hva, in + 8, 8);
	assert_int_equal(memory_read(&memory, 4 * PAGE - 8, out, sizeof(out)), 0);
	assert_memory_equal(out, in, sizeof(in));
	assert_int_equal(memory_zero(&memory, 4 * PAGE - 4, 8), 0);
	assert_int_equal(memory_read(&memory, 4 * PAGE - 8, out, sizeof(out)), 0);
	assert_int_equal(out[3], 4);
	assert_int_equal(out[4], 0);
	assert_int_equal(out[11], 0);
	assert_int_equal(out[12], 13);
}

static void test_a_failed_copy_changes_nothing(void **state)
{
	uint8_t data[PAGE + 1], out[2] = { 0xaa, 0xaa };

	(void)state;
	memset(data, 0x55, sizeof(data));
	assert_int_equal(memory_write(&memory, 5 * PAGE, data, sizeof(data)), -EFAULT);
	assert_int_equal(memory.ram[1].hva[PAGE], 0);
	memory.ram[1].hva[2 * PAGE - 1] = 7;
	assert_int_equal(memory_zero(&memory, 6 * PAGE - 1, 2), -EFAULT);
	assert_int_equal(memory.ram[1].hva[2 * PAGE - 1], 7);
	assert_int_equal(memory_read(&memory, 6 * PAGE - 1, out, 2), -EFAULT);
	assert_int_equal(out[0], 0xaa);
}

static void test_nothing_is_copied_anywhere(void **state)
{
	(void)state;
	assert_int_equal(memory_read(&memory, 0, NULL, 0), 0);
	assert_int_equal(memory_zero(&memory, UINT64_MAX, 0), 0);
}

static void on_written(void *ctx, uint64_t gpa, uint64_t size)
{
	assert_ptr_equal(ctx, &memory);
	assert_true(nr_written < sizeof(written) / sizeof(written[0]));
	written[nr_written].gpa = gpa;
	written[nr_written].size = size;
	written[nr_written].now = *(uint8_t *)memory_borrow(&memory, gpa, 1);
	nr_written++;
}

static void listen(void)
{
	memory.code_written = on_written;
	memory.code_ctx = &memory;
}

static void test_marks_are_per_page_and_in_ram(void **state)
{
	(void)state;
	memory_mark_code(&memory, 3 * PAGE + 123, true);
	assert_true(memory_is_code(&memory, 3 * PAGE));
	assert_true(memory_is_code(&memory, 4 * PAGE - 1));
	assert_false(memory_is_code(&memory, 3 * PAGE - 1));
	assert_false(memory_is_code(&memory, 4 * PAGE));
	memory_mark_code(&memory, 3 * PAGE, false);
	assert_false(memory_is_code(&memory, 3 * PAGE));
	memory_mark_code(&memory, 0, true);
	memory_mark_code(&memory, UINT64_MAX, true);
	assert_false(memory_is_code(&memory, 0));
	assert_false(memory_is_code(&memory, UINT64_MAX));
}

static void test_only_marked_pages_are_announced(void **state)
{
	uint8_t data[3 * PAGE];

	(void)state;
	memset(data, 9, sizeof(data));
	listen();
	memory_mark_code(&memory, 3 * PAGE, true);
	memory_mark_code(&memory, 4 * PAGE, true);
	memory.ram[0].hva[PAGE] = 1;
	assert_int_equal(memory_write(&memory, 2 * PAGE + 16, data, 2 * PAGE), 0);
	assert_int_equal(nr_written, 2);
	assert_int_equal(written[0].gpa, 3 * PAGE);
	assert_int_equal(written[0].size, PAGE);
	assert_int_equal(written[0].now, 9); /* when the bytes have changed */
	assert_int_equal(written[1].gpa, 4 * PAGE);
	assert_int_equal(written[1].size, 16);
	assert_int_equal(memory_zero(&memory, 3 * PAGE + 5, 1), 0);
	assert_int_equal(nr_written, 3);
	assert_int_equal(written[2].gpa, 3 * PAGE + 5);
	assert_int_equal(written[2].size, 1);
	assert_int_equal(memory_write(&memory, 5 * PAGE, data, PAGE), 0);
	assert_int_equal(nr_written, 3);
}

static void test_announcements_end_where_ram_ends(void **state)
{
	(void)state;
	listen();
	memory_mark_code(&memory, 5 * PAGE, true);
	memory_announce_write(&memory, 6 * PAGE - 4, UINT64_MAX);
	assert_int_equal(nr_written, 1);
	assert_int_equal(written[0].size, 4);
	memory_announce_write(&memory, 0, UINT64_MAX);
	memory_announce_write(&memory, 5 * PAGE, 0);
	assert_int_equal(nr_written, 1);
	assert_int_equal(memory_write(&memory, 6 * PAGE - 1, "xy", 2), -EFAULT);
	assert_int_equal(nr_written, 1);
}

static void expect_limits(uint64_t gpa, uint64_t most, unsigned what, uint64_t size)
{
	assert_int_equal(memory_limits(&memory, gpa, &most), what);
	assert_int_equal(most, size);
}

static void test_limits(void **state)
{
	(void)state;
	expect_limits(4 * PAGE, 2 * PAGE, 0, 2 * PAGE);
	assert_int_equal(memory_limit(&memory, 8 * PAGE, 2 * PAGE, MEMORY_NO_EXECUTE), 0);
	assert_int_equal(memory_limit(&memory, 5 * PAGE, 2 * PAGE, MEMORY_READ_ONLY), 0);
	assert_int_equal(memory_limit(&memory, TOP - PAGE, PAGE, MEMORY_READ_ONLY | MEMORY_NO_EXECUTE), 0);
	expect_limits(4 * PAGE, 100 * PAGE, 0, PAGE);
	expect_limits(5 * PAGE, 100 * PAGE, MEMORY_READ_ONLY, 2 * PAGE);
	expect_limits(7 * PAGE - 1, 100 * PAGE, MEMORY_READ_ONLY, 1);
	expect_limits(7 * PAGE, 100 * PAGE, 0, PAGE);
	expect_limits(8 * PAGE, PAGE, MEMORY_NO_EXECUTE, PAGE);
	expect_limits(10 * PAGE, 100 * PAGE, 0, 100 * PAGE);
	expect_limits(TOP - 1, 100 * PAGE, MEMORY_READ_ONLY | MEMORY_NO_EXECUTE, 1);
	expect_limits(TOP, PAGE, 0, PAGE);
}

static void test_wrong_limits_are_refused(void **state)
{
	(void)state;
	assert_int_equal(memory_limit(&memory, PAGE / 2, PAGE, MEMORY_READ_ONLY), -EINVAL);
	assert_int_equal(memory_limit(&memory, PAGE, PAGE + 1, MEMORY_READ_ONLY), -EINVAL);
	assert_int_equal(memory_limit(&memory, PAGE, 0, MEMORY_READ_ONLY), -EINVAL);
	assert_int_equal(memory_limit(&memory, TOP, 2 * PAGE, MEMORY_READ_ONLY), -EINVAL);
	for (unsigned i = 0; i < MEMORY_MAX_LIMITS; i++)
		assert_int_equal(memory_limit(&memory, i * PAGE, PAGE, MEMORY_READ_ONLY), 0);
	assert_int_equal(memory_limit(&memory, 0x1000 * PAGE, PAGE, MEMORY_READ_ONLY), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_regions_are_sorted, setup),
		cmocka_unit_test_setup(test_wrong_regions_are_refused, setup),
		cmocka_unit_test_setup(test_number_of_regions_is_bounded, setup),
		cmocka_unit_test_setup(test_missing_host_memory_is_explained, setup),
		cmocka_unit_test_setup(test_borrow_keeps_to_one_region, setup),
		cmocka_unit_test_setup(test_no_range_wraps, setup),
		cmocka_unit_test_setup(test_copies_cross_regions_that_touch, setup),
		cmocka_unit_test_setup(test_a_failed_copy_changes_nothing, setup),
		cmocka_unit_test_setup(test_nothing_is_copied_anywhere, setup),
		cmocka_unit_test_setup(test_marks_are_per_page_and_in_ram, setup),
		cmocka_unit_test_setup(test_only_marked_pages_are_announced, setup),
		cmocka_unit_test_setup(test_announcements_end_where_ram_ends, setup),
		cmocka_unit_test_setup(test_limits, setup),
		cmocka_unit_test_setup(test_wrong_limits_are_refused, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
