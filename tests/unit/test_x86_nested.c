/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/hvm/nested.c core/memory.c core/log.c core/smp.c tests/unit/fake_platform.c */
/* Nested page tables map all RAM and nothing else, in pages as large as they may be, in either vendor's format. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/hvm/nested.h"
#include "tests/unit/fake_platform.h"

#define KIB     0x400ull
#define MIB     0x100000ull
#define GIB     0x40000000ull
#define ADDRESS 0x000ffffffffff000ull

/* The bits of EPT, and of SVM's tables. */
static const struct nested_format ept = { .table = 7, .page = 0x37, .large = 0x80, .highest = 2 };
static const struct nested_format npt = { .table = 7, .page = 7, .large = 0x80, .highest = 2 };

static struct memory memory;
static uint64_t root;

static int setup(void **state)
{
	(void)state;
	fake_reset();
	memset(&memory, 0, sizeof(memory));
	return 0;
}

/* RAM that is only mapped, never touched: its addresses are what counts. */
static void add(uint64_t gpa, uint64_t hpa, uint64_t size)
{
	memory.ram[memory.nr_ram++] = (struct ram_region){ .gpa = gpa, .size = size, .hva = (uint8_t *)(uintptr_t)hpa };
}

/* Entry that maps gpa; its level goes to *level. 0: none does. */
static uint64_t lookup(const struct nested_format *f, uint64_t gpa, unsigned *level)
{
	const uint64_t *table = (const uint64_t *)(uintptr_t)root;

	for (*level = 3;; (*level)--) {
		uint64_t entry = table[gpa >> (12 + 9 * *level) & 511];

		if (entry == 0 || *level == 0 || (entry & f->large) != 0)
			return entry;
		assert_int_equal(entry & ~ADDRESS, f->table);
		table = (const uint64_t *)(uintptr_t)(entry & ADDRESS);
	}
}

static void expect(const struct nested_format *f, uint64_t gpa, uint64_t hpa, unsigned want)
{
	unsigned level;
	uint64_t entry = lookup(f, gpa, &level), offset = gpa & (((uint64_t)1 << (12 + 9 * want)) - 1);

	assert_int_equal(level, want);
	assert_int_equal((entry & ADDRESS) + offset, hpa);
	assert_int_equal(entry & ~ADDRESS, f->page | (want > 0 ? f->large : 0));
}

static void expect_nothing(const struct nested_format *f, uint64_t gpa)
{
	unsigned level;

	assert_int_equal(lookup(f, gpa, &level), 0);
}

static void test_sizes_of_pages(void **state)
{
	(void)state;
	/* From an odd page on: 4 KiB, then 2 MiB, then 1 GiB, and down again. */
	add(GIB - 2 * MIB - 4 * KIB, 5 * GIB - 2 * MIB - 4 * KIB, GIB + 2 * (2 * MIB + 4 * KIB));
	assert_int_equal(nested_build(&memory, &ept, &root), 0);
	expect_nothing(&ept, GIB - 2 * MIB - 8 * KIB);
	expect(&ept, GIB - 2 * MIB - 4 * KIB, 5 * GIB - 2 * MIB - 4 * KIB, 0);
	expect(&ept, GIB - 2 * MIB, 5 * GIB - 2 * MIB, 1);
	expect(&ept, GIB + 0x123456, 5 * GIB + 0x123456, 2);
	expect(&ept, 2 * GIB + MIB, 6 * GIB + MIB, 1);
	expect(&ept, 2 * GIB + 2 * MIB, 6 * GIB + 2 * MIB, 0);
	expect_nothing(&ept, 2 * GIB + 2 * MIB + 4 * KIB);
	expect_nothing(&ept, 0);
}

static void test_places_that_do_not_match(void **state)
{
	(void)state;
	add(0, 2 * GIB + 2 * MIB, 2 * GIB);
	add(4 * GIB, 8 * GIB + 4 * KIB, 4 * MIB);
	assert_int_equal(nested_build(&memory, &npt, &root), 0);
	expect(&npt, GIB, 3 * GIB + 2 * MIB, 1);
	expect(&npt, 4 * GIB + 2 * MIB, 8 * GIB + 2 * MIB + 4 * KIB, 0);
	expect_nothing(&npt, 3 * GIB);
}

static void test_highest_level(void **state)
{
	struct nested_format f = ept;

	(void)state;
	add(0, 0, GIB);
	f.highest = 1;
	assert_int_equal(nested_build(&memory, &f, &root), 0);
	expect(&f, 0, 0, 1);
	f.highest = 0;
	assert_int_equal(nested_build(&memory, &f, &root), 0);
	expect(&f, GIB - 4 * KIB, GIB - 4 * KIB, 0);
}

static void test_no_memory(void **state)
{
	(void)state;
	add(0, 0, 4 * MIB);
	fake_pages_left = 2 * 4096;
	assert_int_equal(nested_build(&memory, &npt, &root), -ENOMEM);
	fake_pages_left = 0;
	assert_int_equal(nested_build(&memory, &npt, &root), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sizes_of_pages, setup),
		cmocka_unit_test_setup(test_places_that_do_not_match, setup),
		cmocka_unit_test_setup(test_highest_level, setup),
		cmocka_unit_test_setup(test_no_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
