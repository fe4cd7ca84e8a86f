/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the boot loader tells: the memory map, the command line and where ACPI's
 * tables are. One parser per boot protocol; both copy everything they need, so
 * that the loader's memory can be used afterwards.
 *
 * The parsers are pure: they reach memory through a phys_view only, and trust
 * nothing that they read there.
 */
#ifndef PC_BOOT_INFO_H
#define PC_BOOT_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_MAX_REGIONS  128u
#define BOOT_MAX_RESERVED 16u
#define BOOT_CMDLINE      1024u
#define BOOT_RSDP         36u

/** Readable bytes at physical address pa, or NULL if [pa, pa + size) cannot be reached. */
typedef const void *phys_view(uint64_t pa, uint64_t size);

/** A line of the memory map, as the firmware reports it: not sorted, perhaps overlapping. */
struct boot_region {
	uint64_t base, size;
	bool ram; /**< usable RAM; otherwise in use by firmware or devices */
};

/** Everything the boot loader told. */
struct boot_info {
	const char *protocol;            /**< "PVH" or "Multiboot2" */
	char command_line[BOOT_CMDLINE]; /**< words separated by one blank */
	uint8_t rsdp[BOOT_RSDP];         /**< copy of ACPI's root pointer */
	size_t rsdp_size;                /**< 20, 36, or 0 if the loader told none */
	struct boot_region regions[BOOT_MAX_REGIONS];
	unsigned nr_regions;
	struct boot_region reserved[BOOT_MAX_RESERVED]; /**< what the loader put into RAM: its own tables, modules */
	unsigned nr_reserved;
};

/**
 * Reads a PVH start_info (Xen, public/arch-x86/hvm/start_info.h), versions 0 and 1. Returns 0, -EFAULT if it cannot be
 * reached, or -EINVAL if it is none. Version 0 has no memory map: nr_regions is then 0.
 */
int pvh_parse(phys_view *view, uint64_t start_info, struct boot_info *out);

/** Reads a Multiboot2 information structure. Returns 0, -EFAULT or -EINVAL. */
int multiboot2_parse(phys_view *view, uint64_t information, struct boot_info *out);

/** Adds a line to the memory map; returns false if the map is full. */
bool boot_add_region(struct boot_info *info, uint64_t base, uint64_t size, bool ram);

/** Notes a piece of RAM that is in use. */
void boot_add_reserved(struct boot_info *info, uint64_t base, uint64_t size);

/** Sets the command line from at most `size` bytes of text: printable characters, runs of blanks made one. */
void boot_set_command_line(struct boot_info *info, const char *text, size_t size);

#endif
