/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables from guest physical to host physical addresses: nested paging of AMD SVM, EPT of Intel VMX. Both have four
 * levels of 512 entries and the same places for addresses; what else is in an entry differs.
 */
#ifndef HVM_NESTED_H
#define HVM_NESTED_H

#include <stdint.h>

#include <husk/memory.h>

/** Bits of entries. An entry with none of those of `table` is empty. */
struct nested_format {
	uint64_t table; /**< of an entry that points to a table */
	uint64_t page;  /**< of one that maps a page of RAM */
	uint64_t large; /**< added if that page has more than 4 KiB */
	uint64_t write; /**< cleared where RAM is read-only */
	uint64_t fetch; /**< changed to the opposite where nothing is to be executed */
	/** Level of the largest pages: 2 (1 GiB), 1 (2 MiB) or 0 (4 KiB). */
	unsigned highest;
};

/**
 * Makes tables that map all RAM, in pages as large as its places allow and with the limits of memory_limit(). *root is the host physical address of the top
 * table. Returns 0 or -ENOMEM.
 */
int nested_build(const struct memory *m, const struct nested_format *f, uint64_t *root);

/**
 * The entry that maps the page of 4 KiB at gpa in tables with this top table, to be changed by the caller, who drops what
 * CPUs have cached of it. Where RAM is mapped by larger pages there is none. NULL: no memory for tables on the way.
 */
uint64_t *nested_entry(const struct nested_format *f, uint64_t root, uint64_t gpa);

#endif
