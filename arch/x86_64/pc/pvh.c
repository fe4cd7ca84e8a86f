/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PVH boot protocol: Xen's docs/misc/pvh.pandoc, structures of
 * public/arch-x86/hvm/start_info.h.
 */
#include "arch/x86_64/pc/boot_info.h"

#include <errno.h>
#include <string.h>

#define START_MAGIC   0x336ec578u /* XEN_HVM_START_MAGIC_VALUE */
#define MEMMAP_RAM    1u          /* XEN_HVM_MEMMAP_TYPE_RAM */
#define MAX_MODULES   8u
#define MAX_MAP_LINES 4096u

/* struct hvm_start_info; the last three fields are there from version 1. */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp;
	uint64_t memmap;
	uint32_t memmap_entries, reserved;
};

#define START_INFO_V0 40u

struct memmap_entry {
	uint64_t addr, size;
	uint32_t type, reserved;
};

struct modlist_entry {
	uint64_t paddr, size, cmdline, reserved;
};

static void read_memory_map(phys_view *view, const struct start_info *si, struct boot_info *out)
{
	for (uint32_t i = 0; i < si->memmap_entries && i < MAX_MAP_LINES; i++) {
		struct memmap_entry e;
		const void *p = view(si->memmap + i * sizeof(e), sizeof(e));

		if (p == NULL)
			return;
		memcpy(&e, p, sizeof(e));
		if (!boot_add_region(out, e.addr, e.size, e.type == MEMMAP_RAM))
			return;
	}
}

static void read_modules(phys_view *view, const struct start_info *si, struct boot_info *out)
{
	for (uint32_t i = 0; i < si->nr_modules && i < MAX_MODULES; i++) {
		struct modlist_entry m;
		const void *p = view(si->modlist + i * sizeof(m), sizeof(m));

		if (p == NULL)
			return;
		memcpy(&m, p, sizeof(m));
		boot_add_reserved(out, m.paddr, m.size);
	}
}

/* The length of the text is not told: take what is there up to the limit. */
static void read_command_line(phys_view *view, uint64_t pa, struct boot_info *out)
{
	for (size_t size = BOOT_CMDLINE; pa != 0 && size > 0; size /= 2) {
		const char *text = view(pa, size);

		if (text == NULL)
			continue;
		boot_set_command_line(out, text, size);
		return;
	}
}

static void read_rsdp(phys_view *view, uint64_t pa, struct boot_info *out)
{
	static const size_t sizes[] = { BOOT_RSDP, 20 };

	for (unsigned i = 0; pa != 0 && i < 2; i++) {
		const void *p = view(pa, sizes[i]);

		if (p == NULL)
			continue;
		memcpy(out->rsdp, p, sizes[i]);
		out->rsdp_size = sizes[i];
		return;
	}
}

int pvh_parse(phys_view *view, uint64_t start_info, struct boot_info *out)
{
	struct start_info si = { 0 };
	const void *p = view(start_info, START_INFO_V0);

	if (p == NULL)
		return -EFAULT;
	memcpy(&si, p, START_INFO_V0);
	if (si.magic != START_MAGIC)
		return -EINVAL;
	out->protocol = "PVH";
	boot_add_reserved(out, start_info, sizeof(si));
	p = view(start_info, sizeof(si));
	if (si.version >= 1 && p != NULL) {
		memcpy(&si, p, sizeof(si));
		read_memory_map(view, &si, out);
	}
	read_modules(view, &si, out);
	read_command_line(view, si.cmdline, out);
	read_rsdp(view, si.rsdp, out);
	return 0;
}
