/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c arch/x86_64/pc/disk/partition.c core/io.c tests/unit/fake_platform.c */
/* Partition tables made by a fuzzer, whose header's checksum is corrected so that it gets behind it. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/pc/disk/disk.h"

#define SIZE   65536u
#define SECTOR 512u

static uint8_t disk[SIZE];

static uint32_t crc32(const uint8_t *p, size_t size)
{
	uint32_t crc = UINT32_MAX;

	while (size-- > 0) {
		crc ^= *p++;
		for (unsigned i = 0; i < 8; i++)
			crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
	}
	return ~crc;
}

static int read_disk(void *ctx, uint64_t offset, void *buf, uint32_t size)
{
	(void)ctx;
	if (size > SIZE || offset > SIZE - size)
		return -EIO;
	memcpy(buf, disk + offset, size);
	return 0;
}

static void correct(uint8_t *header)
{
	uint32_t size, crc;

	memcpy(&size, header + 12, sizeof(size));
	if (size > SECTOR)
		return;
	memset(header + 16, 0, sizeof(crc));
	crc = crc32(header, size);
	memcpy(header + 16, &crc, sizeof(crc));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct partition p;

	if (size < 2)
		return 0;
	memset(disk, 0, sizeof(disk));
	/* The partition entries of the MBR, then the header, then the table. */
	for (size_t i = 2; i < size; i++)
		disk[(446 + i - 2) % SIZE] = data[i];
	memcpy(disk + 510, "\x55\xaa", 2);
	if (data[0] & 1) {
		disk[450] = 0xee;
		memcpy(disk + SECTOR, "EFI PART", 8);
		if (data[0] & 2)
			memcpy(disk + SECTOR + 12, "\x5c\0\0\0", 4);
		correct(disk + SECTOR);
	}
	if (partition_find(read_disk, NULL, SIZE, SECTOR, data[1], &p) != 0)
		return 0;
	if (p.size == 0 || p.start == 0 || p.start % SECTOR != 0 || p.size % SECTOR != 0 || p.start > SIZE ||
	    p.size > SIZE - p.start)
		abort();
	return 0;
}
