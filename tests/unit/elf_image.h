/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small correct MIPS64 kernel as an ELF file, for tests that damage it: one
 * loaded segment with bss, one that is not loaded, sections and symbols.
 */
#ifndef TESTS_ELF_IMAGE_H
#define TESTS_ELF_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#define ELF_IMAGE_BASE  0xffffffff80100000u /**< virtual address of the text */
#define ELF_IMAGE_GPA   0x100000u           /**< where it is loaded */
#define ELF_IMAGE_MASK  0x1fffffffu         /**< physical bits of a kseg0 address */
#define ELF_IMAGE_ENTRY (ELF_IMAGE_BASE + 0x10)
#define ELF_IMAGE_TEXT  0x40u   /**< bytes in the file, valued 1, 2, 3 ... */
#define ELF_IMAGE_MEMSZ 0x1000u /**< bytes in memory */

/** Offsets in the file. */
enum elf_image_offset {
	ELF_AT_EHDR = 0,
	ELF_AT_PHDR = 0x40, /**< 2 entries of 56 bytes: loaded, not loaded */
	ELF_AT_TEXT = 0x100,
	ELF_AT_SYMTAB = 0x180, /**< 8 entries of 24 bytes, see elf_image.c */
	ELF_AT_STRTAB = 0x240,
	ELF_AT_SHDR = 0x300, /**< 5 entries of 64 bytes: null, text, bss, symbols, strings */
	ELF_IMAGE_SIZE = 0x440,
};

/** The file. */
struct elf_image {
	uint8_t bytes[ELF_IMAGE_SIZE];
	bool big_endian;
};

/** Makes a correct file of either byte order. */
void elf_image_init(struct elf_image *image, bool big_endian);

/** Changes a field of 1, 2, 4 or 8 bytes. */
void elf_image_put(struct elf_image *image, unsigned offset, unsigned bytes, uint64_t value);

#endif
