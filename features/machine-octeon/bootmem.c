/* SPDX-License-Identifier: BSD-2-Clause */
/* Free memory list of the boot loader. */
#include "features/machine-octeon/bootmem.h"

#include "features/machine-octeon/record.h"

static uint64_t round_down(uint64_t gpa)
{
	return gpa & ~(BOOTMEM_ALIGN - 1);
}

static uint64_t round_up(uint64_t gpa)
{
	return round_down(gpa + BOOTMEM_ALIGN - 1);
}

/** End of the reserved range that covers gpa, or gpa itself if none does. */
static uint64_t skip_reserved(const struct mips_boot_range *reserved, size_t count, uint64_t gpa)
{
	for (size_t i = 0; i < count; i++)
		if (reserved[i].start < reserved[i].end && round_down(reserved[i].start) <= gpa &&
		    gpa < round_up(reserved[i].end))
			return round_up(reserved[i].end);
	return gpa;
}

/** Start of the next reserved range above gpa, or `limit` if that comes first. */
static uint64_t next_reserved(const struct mips_boot_range *reserved, size_t count, uint64_t gpa, uint64_t limit)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t start = round_down(reserved[i].start);

		if (reserved[i].start < reserved[i].end && start > gpa && start < limit)
			limit = start;
	}
	return limit;
}

size_t bootmem_free_blocks(const struct memory *m, const struct mips_boot_range *reserved, size_t nr_reserved,
			   struct bootmem_block *blocks, size_t max)
{
	size_t count = 0;

	for (unsigned r = 0; r < m->nr_ram; r++) {
		uint64_t gpa = m->ram[r].gpa, end = gpa + m->ram[r].size;

		while (gpa < end && count < max) {
			uint64_t free = skip_reserved(reserved, nr_reserved, gpa);

			if (free != gpa) {
				gpa = free;
				continue;
			}
			gpa = next_reserved(reserved, nr_reserved, free, end);
			blocks[count++] = (struct bootmem_block){ .start = free, .size = gpa - free };
		}
	}
	return count;
}

struct bootmem_usable bootmem_usable(const struct bootmem_block *blocks, size_t count, uint64_t gpa)
{
	struct bootmem_usable usable = { 0 };

	for (size_t i = 0; i < count; i++) {
		uint64_t start = blocks[i].start > gpa ? blocks[i].start : round_up(gpa);
		uint64_t end = blocks[i].start + blocks[i].size;
		uint64_t bytes = start < end ? (end - start) / BOOTMEM_PIECE * BOOTMEM_PIECE : 0;

		if (bytes == 0)
			continue;
		usable.bytes += bytes;
		usable.end = start + bytes;
	}
	return usable;
}

int bootmem_write_list(struct memory *m, const struct bootmem_block *blocks, size_t count, bool big_endian)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t bytes[16];
		struct record header = { .bytes = bytes, .size = sizeof(bytes), .big_endian = big_endian };

		record_put64(&header, 0, i + 1 < count ? blocks[i + 1].start : 0);
		record_put64(&header, 8, blocks[i].size);
		int err = memory_write(m, blocks[i].start, bytes, sizeof(bytes));

		if (err < 0)
			return err;
	}
	return 0;
}
