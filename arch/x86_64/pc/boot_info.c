/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/pc/boot_info.h"

bool boot_add_region(struct boot_info *info, uint64_t base, uint64_t size, bool ram)
{
	if (info->nr_regions == BOOT_MAX_REGIONS)
		return false;
	info->regions[info->nr_regions++] = (struct boot_region){ .base = base, .size = size, .ram = ram };
	return true;
}

void boot_add_reserved(struct boot_info *info, uint64_t base, uint64_t size)
{
	if (info->nr_reserved == BOOT_MAX_RESERVED)
		return;
	info->reserved[info->nr_reserved++] = (struct boot_region){ .base = base, .size = size };
}

void boot_set_command_line(struct boot_info *info, const char *text, size_t size)
{
	size_t n = 0;
	bool blank = false;

	for (size_t i = 0; i < size && text[i] != '\0'; i++) {
		if (text[i] <= ' ' || text[i] > '~') {
			blank = n > 0;
			continue;
		}
		if (n + blank + 1 >= sizeof(info->command_line))
			break;
		if (blank)
			info->command_line[n++] = ' ';
		blank = false;
		info->command_line[n++] = text[i];
	}
	info->command_line[n] = '\0';
}
