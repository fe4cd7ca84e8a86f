/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot protocols of host pc: PVH start_info and Multiboot2 information, well formed and damaged. */
/* sources: arch/x86_64/pc/boot_info.c arch/x86_64/pc/pvh.c arch/x86_64/pc/multiboot2.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arch/x86_64/pc/boot_info.h"
#include "tests/unit/pc_memory.h"

#define INFO   0x1100u
#define MAP    0x2000u
#define TEXT   0x3000u
#define RSDP   0x3100u
#define MODULE 0x3200u
#define END    (PC_MEMORY_BASE + PC_MEMORY_SIZE)

static struct boot_info info;

static int reset(void **state)
{
	(void)state;
	pc_memory_reset();
	info = (struct boot_info){ 0 };
	return 0;
}

static void make_pvh(uint32_t version)
{
	pc_put(INFO, 0x336ec578, 4);
	pc_put(INFO + 4, version, 4);
	pc_put(INFO + 12, 1, 4);
	pc_put(INFO + 16, MODULE, 8);
	pc_put(INFO + 24, TEXT, 8);
	pc_put(INFO + 32, RSDP, 8);
	pc_put(INFO + 40, MAP, 8);
	pc_put(INFO + 48, 2, 4);
	pc_put(MODULE, 0x5000000, 8);
	pc_put(MODULE + 8, 0x1234, 8);
	strcpy((char *)pc_at(TEXT), "log=debug  x");
	memcpy(pc_at(RSDP), "RSD PTR ", 8);
	pc_put(MAP, 0x100000, 8);
	pc_put(MAP + 8, 0x7f00000, 8);
	pc_put(MAP + 16, 1, 4);
	pc_put(MAP + 24, 0xf0000000, 8);
	pc_put(MAP + 32, 0x1000, 8);
	pc_put(MAP + 40, 2, 4);
}

static void test_pvh(void **state)
{
	(void)state;
	make_pvh(1);
	assert_int_equal(pvh_parse(pc_view, INFO, &info), 0);
	assert_string_equal(info.protocol, "PVH");
	assert_string_equal(info.command_line, "log=debug x");
	assert_int_equal(info.rsdp_size, 36);
	assert_memory_equal(info.rsdp, "RSD PTR ", 8);
	assert_int_equal(info.nr_regions, 2);
	assert_int_equal(info.regions[0].base, 0x100000);
	assert_int_equal(info.regions[0].size, 0x7f00000);
	assert_true(info.regions[0].ram);
	assert_false(info.regions[1].ram);
	assert_int_equal(info.nr_reserved, 2);
	assert_int_equal(info.reserved[0].base, INFO);
	assert_int_equal(info.reserved[1].base, 0x5000000);
	assert_int_equal(info.reserved[1].size, 0x1234);
}

static void test_pvh_version_0(void **state)
{
	(void)state;
	make_pvh(0);
	assert_int_equal(pvh_parse(pc_view, INFO, &info), 0);
	assert_int_equal(info.nr_regions, 0);
	assert_string_equal(info.command_line, "log=debug x");
}

static void test_pvh_damaged(void **state)
{
	(void)state;
	assert_int_equal(pvh_parse(pc_view, INFO, &info), -EINVAL);
	assert_int_equal(pvh_parse(pc_view, END - 8, &info), -EFAULT);
	assert_int_equal(pvh_parse(pc_view, 0, &info), -EFAULT);
	make_pvh(1);
	/* Everything it points to is out of reach, and there is more than there can be. */
	pc_put(INFO + 12, UINT32_MAX, 4);
	pc_put(INFO + 16, UINT64_MAX - 10, 8);
	pc_put(INFO + 24, END - 4, 8);
	pc_put(INFO + 32, END - 19, 8);
	pc_put(INFO + 40, END - 24 * 3, 8);
	pc_put(INFO + 48, UINT32_MAX, 4);
	assert_int_equal(pvh_parse(pc_view, INFO, &info), 0);
	assert_int_equal(info.nr_regions, 3);
	assert_int_equal(info.rsdp_size, 0);
	assert_string_equal(info.command_line, "");
}

static void test_pvh_long_map(void **state)
{
	(void)state;
	make_pvh(1);
	pc_put(INFO + 48, 400, 4);
	assert_int_equal(pvh_parse(pc_view, INFO, &info), 0);
	assert_int_equal(info.nr_regions, BOOT_MAX_REGIONS);
}

/* --- Multiboot2 */

static uint64_t at;

static uint64_t tag(uint32_t type, uint32_t size)
{
	uint64_t body = at + 8;

	pc_put(at, type, 4);
	pc_put(at + 4, size + 8, 4);
	at += (size + 8 + 7) & ~7u;
	return body;
}

static void make_multiboot2(void)
{
	uint64_t body;

	at = INFO + 8;
	body = tag(1, 6);
	strcpy((char *)pc_at(body), " a  b");
	body = tag(15, 36);
	memcpy(pc_at(body), "RSD PTR new", 11);
	body = tag(14, 20);
	memcpy(pc_at(body), "RSD PTR old", 11);
	body = tag(3, 9);
	pc_put(body, 0x200000, 4);
	pc_put(body + 4, 0x280000, 4);
	body = tag(6, 8 + 2 * 24);
	pc_put(body, 24, 4);
	pc_put(body + 8, 0x100000, 8);
	pc_put(body + 16, 0x700000, 8);
	pc_put(body + 24, 1, 4);
	pc_put(body + 32, 0x800000, 8);
	pc_put(body + 40, 0x8000, 8);
	pc_put(body + 48, 4, 4);
	tag(99, 5);
	tag(0, 0);
	pc_put(INFO, at - INFO, 4);
}

static void test_multiboot2(void **state)
{
	(void)state;
	make_multiboot2();
	assert_int_equal(multiboot2_parse(pc_view, INFO, &info), 0);
	assert_string_equal(info.protocol, "Multiboot2");
	assert_string_equal(info.command_line, "a b");
	assert_int_equal(info.rsdp_size, 36);
	assert_memory_equal(info.rsdp, "RSD PTR new", 11);
	assert_int_equal(info.nr_regions, 2);
	assert_true(info.regions[0].ram);
	assert_int_equal(info.regions[1].base, 0x800000);
	assert_false(info.regions[1].ram);
	assert_int_equal(info.nr_reserved, 2);
	assert_int_equal(info.reserved[1].base, 0x200000);
	assert_int_equal(info.reserved[1].size, 0x80000);
}

static void test_multiboot2_damaged(void **state)
{
	(void)state;
	make_multiboot2();
	pc_put(INFO, 8, 4);
	assert_int_equal(multiboot2_parse(pc_view, INFO, &info), -EINVAL);
	pc_put(INFO, UINT32_MAX, 4);
	assert_int_equal(multiboot2_parse(pc_view, INFO, &info), -EINVAL);
	pc_put(INFO, END - INFO + 1, 4);
	assert_int_equal(multiboot2_parse(pc_view, INFO, &info), -EFAULT);
	assert_int_equal(multiboot2_parse(pc_view, END, &info), -EFAULT);
	/* A tag that is smaller than its header, one that is longer than the rest, none at the end. */
	pc_put(INFO, at - INFO, 4);
	pc_put(INFO + 12, 0, 4);
	assert_int_equal(multiboot2_parse(pc_view, INFO, &info), -EINVAL);
	pc_put(INFO + 12, 0xfffffff0, 4);
	assert_int_equal(multiboot2_parse(pc_view, INFO, &info), -EINVAL);
	pc_put(INFO + 12, 14, 4);
	pc_put(INFO, at - INFO - 8, 4);
	assert_int_equal(multiboot2_parse(pc_view, INFO, &info), 0);
}

/* Damage at random: no crash, no read outside, no endless loop; the sanitizers judge. */
static void damage(void (*make)(void), int (*parse)(phys_view *, uint64_t, struct boot_info *))
{
	srand(3);
	for (unsigned round = 0; round < 5000; round++) {
		reset(NULL);
		make();
		for (unsigned n = 0; n < 4; n++)
			pc_put(INFO + (unsigned)rand() % 256, (uint64_t)rand() << (rand() % 2 ? 0 : 40),
			       1u << rand() % 4);
		parse(pc_view, INFO, &info);
		assert_true(info.nr_regions <= BOOT_MAX_REGIONS && info.nr_reserved <= BOOT_MAX_RESERVED);
		assert_true(strlen(info.command_line) < BOOT_CMDLINE);
	}
}

static void make_pvh_1(void)
{
	make_pvh(1);
}

static void test_random_damage(void **state)
{
	(void)state;
	damage(make_pvh_1, pvh_parse);
	damage(make_multiboot2, multiboot2_parse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pvh, reset),
		cmocka_unit_test_setup(test_pvh_version_0, reset),
		cmocka_unit_test_setup(test_pvh_damaged, reset),
		cmocka_unit_test_setup(test_pvh_long_map, reset),
		cmocka_unit_test_setup(test_multiboot2, reset),
		cmocka_unit_test_setup(test_multiboot2_damaged, reset),
		cmocka_unit_test_setup_teardown(test_random_damage, reset, reset),
	};

	return cmocka_run_group_tests(tests, NULL, reset);
}
