/* SPDX-License-Identifier: BSD-2-Clause */
/* See partition_disk.h. Fields are those of the UEFI Specification 2.10, 5.2 and 5.3. */
#include "tests/unit/partition_disk.h"

#include <errno.h>
#include <string.h>

#define HEADER_SIZE (PARTITION_GPT + 12)
#define HEADER_CRC  (PARTITION_GPT + 16)

uint8_t partition_disk[PARTITION_DISK_SIZE];

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
	if (size > PARTITION_DISK_SIZE || offset > PARTITION_DISK_SIZE - size)
		return -EIO;
	memcpy(buf, partition_disk + offset, size);
	return 0;
}

void partition_disk_put(unsigned at, uint64_t value, unsigned size)
{
	memcpy(partition_disk + at, &value, size);
}

void partition_disk_make_mbr(uint8_t type, uint32_t first, uint32_t count)
{
	partition_disk[PARTITION_MBR + 4] = type;
	partition_disk_put(PARTITION_MBR + 8, first, 4);
	partition_disk_put(PARTITION_MBR + 12, count, 4);
	partition_disk_put(510, 0xaa55, 2);
}

void partition_disk_make_gpt(void)
{
	partition_disk_make_mbr(0xee, 1, PARTITION_DISK_SIZE / PARTITION_DISK_SECTOR - 1);
	memcpy(partition_disk + PARTITION_GPT, "EFI PART", 8);
	partition_disk_put(HEADER_SIZE, 92, 4);
}

void partition_disk_seal(void)
{
	uint32_t size;

	memcpy(&size, partition_disk + HEADER_SIZE, sizeof(size));
	if (size > PARTITION_DISK_SECTOR)
		return;
	partition_disk_put(HEADER_CRC, 0, 4);
	partition_disk_put(HEADER_CRC, crc32(partition_disk + PARTITION_GPT, size), 4);
}

int partition_disk_find(unsigned number, struct partition *out)
{
	return partition_find(read_disk, NULL, PARTITION_DISK_SIZE, PARTITION_DISK_SECTOR, number, out);
}
