/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/pc/disk/partition.c tests/unit/partition_disk.c */
/* Partition tables, whole and damaged. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/partition_disk.h"

#define SECTOR  PARTITION_DISK_SECTOR
#define SECTORS (PARTITION_DISK_SIZE / SECTOR)
#define ENTRY_5 (2 * SECTOR + 4 * 128) /* of the GPT's table */

static int setup(void **state)
{
	(void)state;
	memset(partition_disk, 0, sizeof(partition_disk));
	return 0;
}

static void test_mbr(void **state)
{
	struct partition p;

	(void)state;
	assert_int_equal(partition_disk_find(1, &p), -EINVAL);
	partition_disk_make_mbr(0x83, 64, 50);
	assert_int_equal(partition_disk_find(1, &p), 0);
	assert_int_equal(p.start, 64 * SECTOR);
	assert_int_equal(p.size, 50 * SECTOR);
	assert_int_equal(partition_disk_find(2, &p), -ENOENT);
	assert_int_equal(partition_disk_find(5, &p), -ENOENT);
	assert_int_equal(partition_disk_find(0, &p), -EINVAL);
	partition_disk_make_mbr(0x05, 64, 50);
	assert_int_equal(partition_disk_find(1, &p), -ENOENT);
	partition_disk_make_mbr(0x83, 64, SECTORS - 63);
	assert_int_equal(partition_disk_find(1, &p), -EINVAL);
	partition_disk_make_mbr(0x83, 0, 1);
	assert_int_equal(partition_disk_find(1, &p), -EINVAL);
	partition_disk_make_mbr(0x83, UINT32_MAX, UINT32_MAX);
	assert_int_equal(partition_disk_find(1, &p), -EINVAL);
}

/* A table of 128 entries, of which the fifth is used. */
static void make_table(void)
{
	partition_disk_make_gpt();
	partition_disk_put(PARTITION_GPT + 8, 0x10000, 4);
	partition_disk_put(PARTITION_GPT + 72, 2, 8);
	partition_disk_put(PARTITION_GPT + 80, 128, 4);
	partition_disk_put(PARTITION_GPT + 84, 128, 4);
	partition_disk_seal();
	partition_disk[ENTRY_5] = 1;
	partition_disk_put(ENTRY_5 + 32, 40, 8);
	partition_disk_put(ENTRY_5 + 40, 89, 8);
}

static void test_gpt(void **state)
{
	struct partition p;
	uint32_t crc;

	(void)state;
	make_table();
	memcpy(&crc, partition_disk + PARTITION_GPT + 16, sizeof(crc));
	assert_int_equal(crc, 0xcf70cace); /* as Python's zlib.crc32 has it */
	assert_int_equal(partition_disk_find(5, &p), 0);
	assert_int_equal(p.start, 40 * SECTOR);
	assert_int_equal(p.size, 50 * SECTOR);
	assert_int_equal(partition_disk_find(1, &p), -ENOENT);
	assert_int_equal(partition_disk_find(129, &p), -ENOENT);
	partition_disk_put(ENTRY_5 + 40, 39, 8);
	assert_int_equal(partition_disk_find(5, &p), -EINVAL);
	partition_disk_put(ENTRY_5 + 40, SECTORS, 8);
	assert_int_equal(partition_disk_find(5, &p), -EINVAL);
}

static void test_damaged_headers(void **state)
{
	struct partition p;

	(void)state;
	make_table();
	partition_disk[PARTITION_GPT + 72] = 3; /* and the checksum is wrong */
	assert_int_equal(partition_disk_find(5, &p), -EINVAL);
	make_table();
	partition_disk_put(PARTITION_GPT + 84, 96, 4); /* no power of two */
	partition_disk_seal();
	assert_int_equal(partition_disk_find(5, &p), -EINVAL);
	make_table();
	partition_disk_put(PARTITION_GPT + 72, UINT64_MAX, 8);
	partition_disk_seal();
	assert_int_equal(partition_disk_find(5, &p), -EINVAL);
	make_table();
	partition_disk_put(PARTITION_GPT + 12, 91, 4);
	partition_disk_seal();
	assert_int_equal(partition_disk_find(5, &p), -EINVAL);
	partition_disk_put(PARTITION_GPT + 12, SECTOR + 1, 4);
	assert_int_equal(partition_disk_find(5, &p), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_mbr, setup),
		cmocka_unit_test_setup(test_gpt, setup),
		cmocka_unit_test_setup(test_damaged_headers, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
