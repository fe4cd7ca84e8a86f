/* SPDX-License-Identifier: BSD-2-Clause */
/* Partition tables: GPT by the UEFI Specification 2.10, section 5.3; MBR by 5.2. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "arch/x86_64/pc/disk/disk.h"

#define MAX_SECTOR       4096u
#define MBR_ENTRIES      446u
#define MBR_ENTRY        16u
#define MBR_PROTECTIVE   0xeeu
#define MBR_EXTENDED     0x05u
#define MBR_EXTENDED_LBA 0x0fu
#define GPT_HEADER_MIN   92u
#define GPT_ENTRY_MIN    128u
#define GPT_ENTRY_MAX    4096u
#define GPT_MAX_ENTRIES  1024u

static uint64_t get(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, p, size);
	return v;
}

/* CRC-32 of ISO 3309, as the UEFI Specification has it. */
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

/* A range of sectors as bytes, if it is inside of the disk. */
static int take(uint64_t first, uint64_t count, uint64_t size, uint32_t sector, struct partition *out)
{
	uint64_t sectors = size / sector;

	if (first == 0 || count == 0 || first >= sectors || count > sectors - first)
		return -EINVAL;
	*out = (struct partition){ first * sector, count * sector };
	return 0;
}

static int find_in_mbr(const uint8_t *mbr, uint64_t size, uint32_t sector, unsigned number, struct partition *out)
{
	const uint8_t *e = mbr + MBR_ENTRIES + (number - 1) * MBR_ENTRY;

	/* Logical partitions are not looked for. */
	if (number > 4 || e[4] == 0 || e[4] == MBR_EXTENDED || e[4] == MBR_EXTENDED_LBA)
		return -ENOENT;
	return take(get(e + 8, 4), get(e + 12, 4), size, sector, out);
}

static bool header_is_good(uint8_t *h, uint32_t sector)
{
	uint32_t size = (uint32_t)get(h + 12, 4), crc = (uint32_t)get(h + 16, 4);

	if (memcmp(h, "EFI PART", 8) != 0 || size < GPT_HEADER_MIN || size > sector)
		return false;
	memset(h + 16, 0, 4);
	return crc32(h, size) == crc;
}

static int find_in_gpt(partition_read *read, void *ctx, uint64_t size, uint32_t sector, unsigned number,
		       struct partition *out)
{
	static const uint8_t unused[16];
	uint8_t block[MAX_SECTOR];
	uint64_t table, at, first;
	uint32_t count, entry;
	int rc = read(ctx, sector, block, sector);

	if (rc != 0)
		return rc;
	if (!header_is_good(block, sector))
		return -EINVAL;
	table = get(block + 72, 8);
	count = (uint32_t)get(block + 80, 4);
	entry = (uint32_t)get(block + 84, 4);
	if (entry < GPT_ENTRY_MIN || entry > GPT_ENTRY_MAX || (entry & (entry - 1)) != 0 || table >= size / sector)
		return -EINVAL;
	if (number > count || number > GPT_MAX_ENTRIES)
		return -ENOENT;
	at = table * sector + (uint64_t)(number - 1) * entry;
	rc = read(ctx, at & ~(uint64_t)(sector - 1), block, sector);
	if (rc != 0)
		return rc;
	at &= sector - 1;
	if (memcmp(block + at, unused, sizeof(unused)) == 0)
		return -ENOENT;
	first = get(block + at + 32, 8);
	return take(first, get(block + at + 40, 8) - first + 1, size, sector, out);
}

int partition_find(partition_read *read, void *ctx, uint64_t size, uint32_t sector, unsigned number,
		   struct partition *out)
{
	uint8_t mbr[MAX_SECTOR];
	int rc;

	if (sector > MAX_SECTOR || number == 0)
		return -EINVAL;
	rc = read(ctx, 0, mbr, sector);
	if (rc != 0)
		return rc;
	if (get(mbr + 510, 2) != 0xaa55)
		return -EINVAL;
	if (mbr[MBR_ENTRIES + 4] == MBR_PROTECTIVE)
		return find_in_gpt(read, ctx, size, sector, number, out);
	return find_in_mbr(mbr, size, sector, number, out);
}
