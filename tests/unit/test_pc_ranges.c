/* SPDX-License-Identifier: BSD-2-Clause */
/* Free memory of host pc: whatever map the firmware gives, what is handed out is RAM and nobody else's. */
/* sources: arch/x86_64/pc/ranges.c arch/x86_64/pc/boot_info.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/pc/ranges.h"

#define MIB ((uint64_t)1 << 20)

static void expect_range(const struct ranges *rs, unsigned i, uint64_t base, uint64_t size)
{
	assert_true(i < rs->nr);
	assert_int_equal(rs->r[i].base, base);
	assert_int_equal(rs->r[i].size, size);
}

static void test_add_merges(void **state)
{
	struct ranges rs = { 0 };

	(void)state;
	ranges_add(&rs, 0x300000, 0x1000);
	ranges_add(&rs, 0x100000, 0x1000);
	ranges_add(&rs, 0x102000, 0x1000);
	assert_int_equal(rs.nr, 3);
	expect_range(&rs, 0, 0x100000, 0x1000);
	/* Touches one, overlaps another. */
	ranges_add(&rs, 0x101000, 0x1800);
	assert_int_equal(rs.nr, 2);
	expect_range(&rs, 0, 0x100000, 0x3000);
	expect_range(&rs, 1, 0x300000, 0x1000);
	assert_int_equal(ranges_total(&rs), 0x4000);
}

static void test_add_shrinks_to_pages(void **state)
{
	struct ranges rs = { 0 };

	(void)state;
	ranges_add(&rs, 0x100001, 0x2fff);
	expect_range(&rs, 0, 0x101000, 0x2000);
	/* Less than a page is nothing, and so is what wraps at the very end. */
	ranges_add(&rs, 0x200800, 0x1000);
	ranges_add(&rs, UINT64_MAX - 100, 50);
	ranges_add(&rs, 0x400000, 0);
	assert_int_equal(rs.nr, 1);
}

static void test_remove_splits_and_grows(void **state)
{
	struct ranges rs = { 0 };

	(void)state;
	ranges_add(&rs, 0x100000, 0x10000);
	ranges_remove(&rs, 0x104fff, 2);
	assert_int_equal(rs.nr, 2);
	expect_range(&rs, 0, 0x100000, 0x4000);
	expect_range(&rs, 1, 0x106000, 0xa000);
	ranges_remove(&rs, 0x0, 0x101000);
	expect_range(&rs, 0, 0x101000, 0x3000);
	ranges_remove(&rs, 0x10f800, UINT64_MAX - 0x10f800);
	expect_range(&rs, 1, 0x106000, 0x9000);
	ranges_remove(&rs, 0, 0);
	assert_int_equal(rs.nr, 2);
	ranges_remove(&rs, 0, UINT64_MAX);
	assert_int_equal(rs.nr, 0);
}

static void test_take_is_high_and_aligned(void **state)
{
	struct ranges rs = { 0 };

	(void)state;
	ranges_add(&rs, 1 * MIB, 15 * MIB);
	ranges_add(&rs, 4096 * MIB, 3 * MIB);
	assert_int_equal(ranges_take(&rs, 1, 1, UINT64_MAX), 4099 * MIB - 4096);
	assert_int_equal(ranges_take(&rs, 2 * MIB, 2 * MIB, UINT64_MAX), 4096 * MIB);
	/* What is left of that range: no room for it there any more. */
	assert_int_equal(ranges_take(&rs, 2 * MIB, 2 * MIB, UINT64_MAX), 14 * MIB);
	assert_int_equal(ranges_take(&rs, 4096, 4096, 4096 * MIB), 14 * MIB - 4096);
	assert_int_equal(ranges_take(&rs, 4096, 4096, 8 * MIB + 100), 8 * MIB - 4096);
	assert_int_equal(ranges_take(&rs, 64 * MIB, 4096, UINT64_MAX), 0);
	assert_int_equal(ranges_take(&rs, 0, 4096, UINT64_MAX), 0);
	assert_int_equal(ranges_take(&rs, UINT64_MAX, 4096, UINT64_MAX), 0);
	assert_int_equal(ranges_take(&rs, 4096, (uint64_t)1 << 63, UINT64_MAX), 0);
	assert_int_equal(ranges_total(&rs), 18 * MIB - 4 * MIB - 3 * 4096);
}

static void test_full_list_drops_the_smallest(void **state)
{
	struct ranges rs = { 0 };

	(void)state;
	for (uint64_t i = 0; i < RANGES_MAX; i++)
		ranges_add(&rs, (i + 1) * MIB, (i + 2) * 4096);
	assert_int_equal(rs.nr, RANGES_MAX);
	/* Smaller than all: not taken. */
	ranges_add(&rs, 4096 * MIB, 4096);
	assert_int_equal(rs.nr, RANGES_MAX);
	expect_range(&rs, 0, 1 * MIB, 2 * 4096);
	ranges_add(&rs, 4096 * MIB, 100 * 4096);
	assert_int_equal(rs.nr, RANGES_MAX);
	expect_range(&rs, 0, 2 * MIB, 3 * 4096);
	expect_range(&rs, RANGES_MAX - 1, 4096 * MIB, 100 * 4096);
	assert_int_equal(rs.dropped, 3 * 4096);
	/* Splitting one in a full list. */
	ranges_remove(&rs, 4096 * MIB + 50 * 4096, 4096);
	for (unsigned i = 0; i < rs.nr; i++)
		assert_false(rs.r[i].base <= 4096 * MIB + 50 * 4096 &&
			     rs.r[i].base + rs.r[i].size > 4096 * MIB + 50 * 4096);
}

/* The map of a PC, out of order, with overlaps. */
static void test_from_boot(void **state)
{
	static struct boot_info info;
	struct ranges rs;

	(void)state;
	info = (struct boot_info){ 0 };
	boot_add_region(&info, 4096 * MIB, 1024 * MIB, true);
	boot_add_region(&info, 64 * MIB, 1 * MIB, false);
	boot_add_region(&info, 1 * MIB, 127 * MIB, true);
	boot_add_region(&info, 0, 0x9fc00, true);
	boot_add_region(&info, 0xf0000, 0x10000, false);
	boot_add_region(&info, 100 * MIB, 2048 * MIB, true);
	boot_add_region(&info, 3072 * MIB, 0, true);
	boot_add_region(&info, (uint64_t)1 << 50, 1024 * MIB, true);
	boot_add_region(&info, 0xfffff000ffffffff, 0xffffffff00000000, false);
	boot_add_reserved(&info, 16 * MIB + 5, 8 * MIB);
	ranges_from_boot(&rs, &info);
	assert_int_equal(rs.nr, 4);
	expect_range(&rs, 0, 1 * MIB, 15 * MIB);
	expect_range(&rs, 1, 24 * MIB + 4096, 40 * MIB - 4096);
	expect_range(&rs, 2, 65 * MIB, 2148 * MIB - 65 * MIB);
	expect_range(&rs, 3, 4096 * MIB, 1024 * MIB);
}

#define PAGES 512u

/* Random maps against a byte for each page. */
static void test_random_maps(void **state)
{
	struct ranges rs;

	(void)state;
	srand(7);
	for (unsigned round = 0; round < 2000; round++) {
		uint8_t ram[PAGES] = { 0 };

		rs = (struct ranges){ 0 };
		for (unsigned n = 0; n < 40; n++) {
			unsigned from = (unsigned)rand() % PAGES, count = (unsigned)rand() % (PAGES - from);
			unsigned add = rand() % 2;

			if (add)
				ranges_add(&rs, (uint64_t)from << 12, (uint64_t)count << 12);
			else
				ranges_remove(&rs, (uint64_t)from << 12, (uint64_t)count << 12);
			memset(ram + from, (int)add, count);
		}
		for (unsigned i = 0; i < rs.nr; i++) {
			assert_true(rs.r[i].size > 0);
			assert_true(i == 0 || rs.r[i - 1].base + rs.r[i - 1].size < rs.r[i].base);
			for (uint64_t p = rs.r[i].base >> 12; p < (rs.r[i].base + rs.r[i].size) >> 12; p++)
				assert_int_equal(ram[p]++, 1);
		}
		for (unsigned p = 0; p < PAGES; p++)
			assert_int_not_equal(ram[p], 1);
	}
}

static void test_command_line(void **state)
{
	static struct boot_info info;
	static char big[4 * BOOT_CMDLINE];

	(void)state;
	boot_set_command_line(&info, "  one \t two\x01\x80three  ", 100);
	assert_string_equal(info.command_line, "one two three");
	boot_set_command_line(&info, "abc", 2);
	assert_string_equal(info.command_line, "ab");
	memset(big, 'x', sizeof(big));
	boot_set_command_line(&info, big, sizeof(big));
	assert_int_equal(strlen(info.command_line), BOOT_CMDLINE - 1);
	boot_set_command_line(&info, "   ", 3);
	assert_string_equal(info.command_line, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_merges),
		cmocka_unit_test(test_add_shrinks_to_pages),
		cmocka_unit_test(test_remove_splits_and_grows),
		cmocka_unit_test(test_take_is_high_and_aligned),
		cmocka_unit_test(test_full_list_drops_the_smallest),
		cmocka_unit_test(test_from_boot),
		cmocka_unit_test(test_random_maps),
		cmocka_unit_test(test_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
