/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host memory: free pages and the page tables. Virtual addresses are physical
 * addresses; what is not RAM, image or a device in use is not mapped.
 */
#ifndef PC_MEMORY_H
#define PC_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "arch/x86_64/pc/boot_info.h"

/** Physical addresses that the entry code's temporary map reaches. */
#define MEMORY_EARLY_LIMIT ((uint64_t)1 << 32)

/** phys_view of the temporary map. */
const void *memory_early_view(uint64_t pa, uint64_t size);

/** Collects free RAM, builds the final page tables and switches to them. Ends the run if there is too little memory. */
void memory_init(const struct boot_info *info);

/**
 * Maps the page of a device register, uncached. Returns 0, -EINVAL if the address is no device's (RAM, image, out
 * of range) or -ENOMEM.
 */
int memory_map_device(uint64_t pa);

/** Maps a page of RAM that is not husk's to give, such as one below 1 MiB. Returns 0, -EINVAL or -ENOMEM. */
int memory_map_page(uint64_t pa);

/** plat_ram_alloc() for one CPU at a time. */
void *memory_take(size_t bytes, size_t align);

/** Takes memory that plat_pages_alloc() gave out of reach, for guard pages. Page aligned. Returns 0 or -ENOMEM. */
int memory_unmap(uint64_t base, uint64_t size);

#endif
