/* SPDX-License-Identifier: BSD-2-Clause */
/* What an Octeon boot loader leaves in memory for the kernel: descriptors, arguments, free memory. */
#ifndef MACHINE_OCTEON_BOOTINFO_H
#define MACHINE_OCTEON_BOOTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/memory.h>

/* Where the structures are, in guest physical memory. */
#define BOOT_DESCRIPTOR 0x10000u /* struct octeon_boot_descriptor */
#define BOOT_INFO       0x11000u /* struct cvmx_bootinfo */
#define BOOT_BOOTMEM    0x12000u /* struct cvmx_bootmem_desc */
#define BOOT_NAMED      0x13000u /* its named blocks */
#define BOOT_STRINGS    0x16000u /* arguments */
#define BOOT_END        0x20000u

/** Arguments that the descriptor has room for; more go into the last one, blanks and all. */
#define BOOT_MAX_ARGS 64u

/** What is to be said to the kernel. */
struct bootinfo {
	bool big_endian;
	uint32_t cores;         /**< cores 0 .. cores - 1 exist */
	uint64_t ram_bytes;     /**< all of the RAM */
	uint64_t eclock_hz;     /**< rate of Count and CvmCount */
	uint64_t fdt;           /**< physical address of the device tree */
	uint64_t free_head;     /**< first block of the free list */
	const uint8_t *cmdline; /**< text, or NULL */
	size_t cmdline_size;
};

/**
 * Writes everything between BOOT_DESCRIPTOR and BOOT_END. Returns 0, -EFAULT if that is no RAM, or -E2BIG if
 * the command line does not fit; the error has been logged.
 */
int bootinfo_write(struct memory *m, const struct bootinfo *info);

/** True if `word` stands in the text on its own, between blanks. */
bool bootinfo_has_word(const uint8_t *text, size_t size, const char *word);

#endif
