/* SPDX-License-Identifier: BSD-2-Clause */
/* What every MIPS64 machine does with its payload before its own boot protocol. */
#ifndef MIPS64_BOOT_H
#define MIPS64_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/payload.h>

struct vm;

/** A kernel in guest RAM with what belongs to it. */
struct mips_boot {
	struct payload_entry kernel;
	const struct payload_part *initrd;  /**< or NULL */
	const struct payload_part *dtb;     /**< flattened device tree, checked */
	const struct payload_part *cmdline; /**< or NULL */
};

/** A range of guest physical memory that something lies in. */
struct mips_boot_range {
	const char *name; /**< for messages */
	uint64_t start, end;
};

/** Address of physical memory below 512 MiB in kseg0, the cached unmapped segment (PRA 4.3). */
static inline uint64_t mips_kseg0(uint64_t gpa)
{
	return 0xffffffff80000000ull | gpa;
}

/**
 * Gives vm its RAM: up to low_max bytes at address 0, the rest at high_base, at most high_max. Returns 0, -EINVAL if
 * that is too much, or -ENOMEM; an error has been logged in one line.
 */
int mips_boot_add_ram(struct vm *vm, uint64_t low_max, uint64_t high_base, uint64_t high_max);

/**
 * Bits of p_paddr that are the physical address in a MIPS kernel. Linkers put the virtual address there:
 * of kseg0 or kseg1 (512 MiB each), or of xkphys, which shows all of physical memory.
 */
uint64_t mips_boot_gpa_mask(const struct payload_part *kernel, bool big_endian);

/**
 * Loads kernel, device tree and initrd of vm's payload. Returns 0, -ENOENT if the kernel or the device tree is
 * missing, -ENOEXEC or -EBADMSG if one is not what it should be, -ENOMEM if one does not fit into RAM; an error
 * has been logged in one line.
 */
int mips_boot_load(struct vm *vm, bool big_endian, struct mips_boot *boot);

/** Range of a placed part; empty if part is NULL. */
struct mips_boot_range mips_boot_part_range(const char *name, const struct payload_part *part);

/** Returns 0 if no two of the ranges overlap, else -EBADMSG after logging which. Empty ranges never do. */
int mips_boot_check_ranges(const struct mips_boot_range *ranges, size_t count);

#endif
