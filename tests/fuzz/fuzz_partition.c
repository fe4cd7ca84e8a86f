/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/pc/disk/partition.c tests/unit/partition_disk.c */
/* Partition tables made by a fuzzer, whose header's checksum is corrected so that it gets behind it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/partition_disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct partition p;

	if (size < 2)
		return 0;
	memset(partition_disk, 0, sizeof(partition_disk));
	/* The partition entries of the MBR, then the header, then the table. */
	for (size_t i = 2; i < size; i++)
		partition_disk[(PARTITION_MBR + i - 2) % PARTITION_DISK_SIZE] = data[i];
	partition_disk_put(510, 0xaa55, 2);
	if (data[0] & 1) {
		uint32_t header_size;

		memcpy(&header_size, partition_disk + PARTITION_GPT + 12, sizeof(header_size));
		partition_disk_make_gpt();
		if ((data[0] & 2) == 0)
			partition_disk_put(PARTITION_GPT + 12, header_size, 4);
		partition_disk_seal();
	}
	if (partition_disk_find(data[1], &p) != 0)
		return 0;
	if (p.size == 0 || p.start == 0 || p.start % PARTITION_DISK_SECTOR != 0 ||
	    p.size % PARTITION_DISK_SECTOR != 0 || p.start > PARTITION_DISK_SIZE ||
	    p.size > PARTITION_DISK_SIZE - p.start)
		abort();
	return 0;
}
