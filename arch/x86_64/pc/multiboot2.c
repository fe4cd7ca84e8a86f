/* SPDX-License-Identifier: BSD-2-Clause */
/* The Multiboot2 information structure: Multiboot2 Specification 2.0, section 3.6. */
#include "arch/x86_64/pc/boot_info.h"

#include <errno.h>
#include <string.h>

#define TAG_END      0u
#define TAG_CMDLINE  1u
#define TAG_MODULE   3u
#define TAG_MMAP     6u
#define TAG_RSDP_OLD 14u
#define TAG_RSDP_NEW 15u

#define MMAP_RAM 1u

/* More than any loader writes; a longer one is taken as damaged. */
#define MAX_INFORMATION (1u << 20)

struct tag {
	uint32_t type, size;
};

struct mmap_entry {
	uint64_t base, length;
	uint32_t type, reserved;
};

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* body: entry_size, entry_version, entries. */
static void read_mmap(const uint8_t *body, size_t size, struct boot_info *out)
{
	struct mmap_entry e;
	size_t step;

	if (size < 8)
		return;
	step = get32(body);
	if (step < sizeof(e))
		return;
	for (size_t at = 8; at <= size && size - at >= step; at += step) {
		memcpy(&e, body + at, sizeof(e));
		if (!boot_add_region(out, e.base, e.length, e.type == MMAP_RAM))
			return;
	}
}

/* body: first byte, one past the last. */
static void read_module(const uint8_t *body, size_t size, struct boot_info *out)
{
	if (size >= 8 && get32(body + 4) > get32(body))
		boot_add_reserved(out, get32(body), get32(body + 4) - get32(body));
}

/* The new tag has the longer structure, wins over the old one whatever their order. */
static void read_rsdp(const uint8_t *body, size_t size, struct boot_info *out)
{
	if (size > BOOT_RSDP)
		size = BOOT_RSDP;
	if (size < 20 || size <= out->rsdp_size)
		return;
	memcpy(out->rsdp, body, size);
	out->rsdp_size = size;
}

static void read_tag(uint32_t type, const uint8_t *body, size_t size, struct boot_info *out)
{
	switch (type) {
	case TAG_CMDLINE: boot_set_command_line(out, (const char *)body, size); break;
	case TAG_MODULE: read_module(body, size, out); break;
	case TAG_MMAP: read_mmap(body, size, out); break;
	case TAG_RSDP_OLD:
	case TAG_RSDP_NEW: read_rsdp(body, size, out); break;
	default: break;
	}
}

int multiboot2_parse(phys_view *view, uint64_t information, struct boot_info *out)
{
	const uint8_t *p = view(information, 8);
	uint32_t total;

	if (p == NULL)
		return -EFAULT;
	total = get32(p);
	if (total < 16 || total > MAX_INFORMATION)
		return -EINVAL;
	p = view(information, total);
	if (p == NULL)
		return -EFAULT;
	out->protocol = "Multiboot2";
	boot_add_reserved(out, information, total);
	/* Tags start at multiples of 8 (section 3.6.2). */
	for (uint32_t at = 8; total - at >= sizeof(struct tag);) {
		struct tag tag;

		memcpy(&tag, p + at, sizeof(tag));
		if (tag.type == TAG_END)
			return 0;
		if (tag.size < sizeof(tag) || tag.size > total - at)
			return -EINVAL;
		read_tag(tag.type, p + at + sizeof(tag), tag.size - sizeof(tag), out);
		if (total - at - tag.size < 8)
			return 0;
		at += (tag.size + 7) & ~7u;
	}
	return 0;
}
