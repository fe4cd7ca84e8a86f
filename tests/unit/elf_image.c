/* SPDX-License-Identifier: BSD-2-Clause */
/* A small correct ELF file, see elf_image.h. */
#include <string.h>

#include "tests/unit/elf_image.h"

#define SYMBOLS 8u

/* Section indexes */
enum { SEC_NULL, SEC_TEXT, SEC_BSS, SEC_SYMTAB, SEC_STRTAB, SECTIONS };

static const char names[] = "\0_text\0start\0label\0$L1\0object\0last\0absolute";

static const struct {
	uint32_t name;
	uint8_t info;
	uint16_t section;
	uint64_t offset;
} symbols[SYMBOLS] = {
	{ 0, 0, 0, 0 },               /* the null symbol */
	{ 1, 0x10, SEC_TEXT, 0 },     /* _text, NOTYPE */
	{ 13, 0x10, SEC_TEXT, 0x10 }, /* label, NOTYPE */
	{ 7, 0x12, SEC_TEXT, 0x10 },  /* start, FUNC */
	{ 19, 0x00, SEC_TEXT, 0x14 }, /* $L1, the compiler's */
	{ 23, 0x11, SEC_TEXT, 0x18 }, /* object, OBJECT */
	{ 30, 0x02, SEC_TEXT, 0x20 }, /* last, FUNC */
	{ 35, 0x10, 0xfff1, 0x28 },   /* absolute, NOTYPE */
};

void elf_image_put(struct elf_image *image, unsigned offset, unsigned bytes, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++) {
		unsigned at = image->big_endian ? bytes - 1 - i : i;

		image->bytes[offset + at] = (uint8_t)(value >> (8 * i));
	}
}

static void put_header(struct elf_image *image)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 0, 1 };

	memcpy(image->bytes, ident, sizeof(ident));
	image->bytes[5] = image->big_endian ? 2 : 1;
	elf_image_put(image, 16, 2, 2); /* ET_EXEC */
	elf_image_put(image, 18, 2, 8); /* EM_MIPS */
	elf_image_put(image, 20, 4, 1);
	elf_image_put(image, 24, 8, ELF_IMAGE_ENTRY);
	elf_image_put(image, 32, 8, ELF_AT_PHDR);
	elf_image_put(image, 40, 8, ELF_AT_SHDR);
	elf_image_put(image, 52, 2, 64);
	elf_image_put(image, 54, 2, 56);
	elf_image_put(image, 56, 2, 2);
	elf_image_put(image, 58, 2, 64);
	elf_image_put(image, 60, 2, SECTIONS);
}

static void put_segment(struct elf_image *image, unsigned n, uint32_t type, uint64_t filesz, uint64_t memsz)
{
	unsigned at = ELF_AT_PHDR + n * 56;

	elf_image_put(image, at, 4, type);
	elf_image_put(image, at + 4, 4, 7);
	elf_image_put(image, at + 8, 8, ELF_AT_TEXT);
	elf_image_put(image, at + 16, 8, ELF_IMAGE_BASE);
	elf_image_put(image, at + 24, 8, ELF_IMAGE_BASE);
	elf_image_put(image, at + 32, 8, filesz);
	elf_image_put(image, at + 40, 8, memsz);
}

static void put_section(struct elf_image *image, unsigned n, uint32_t type, uint64_t addr, uint64_t offset,
			uint64_t size)
{
	unsigned at = ELF_AT_SHDR + n * 64;

	elf_image_put(image, at + 4, 4, type);
	elf_image_put(image, at + 16, 8, addr);
	elf_image_put(image, at + 24, 8, offset);
	elf_image_put(image, at + 32, 8, size);
}

static void put_symbols(struct elf_image *image)
{
	for (unsigned i = 0; i < SYMBOLS; i++) {
		unsigned at = ELF_AT_SYMTAB + i * 24;

		elf_image_put(image, at, 4, symbols[i].name);
		elf_image_put(image, at + 4, 1, symbols[i].info);
		elf_image_put(image, at + 6, 2, symbols[i].section);
		elf_image_put(image, at + 8, 8, i == 0 ? 0 : ELF_IMAGE_BASE + symbols[i].offset);
	}
	memcpy(image->bytes + ELF_AT_STRTAB, names, sizeof(names));
}

void elf_image_init(struct elf_image *image, bool big_endian)
{
	*image = (struct elf_image){ .big_endian = big_endian };
	put_header(image);
	put_segment(image, 0, 1, ELF_IMAGE_TEXT, ELF_IMAGE_MEMSZ); /* PT_LOAD */
	put_segment(image, 1, 4, UINT64_MAX, 0);                   /* PT_NOTE, whose fields nobody reads */
	for (unsigned i = 0; i < ELF_IMAGE_TEXT; i++)
		image->bytes[ELF_AT_TEXT + i] = (uint8_t)(i + 1);
	put_section(image, SEC_TEXT, 1, ELF_IMAGE_BASE, ELF_AT_TEXT, ELF_IMAGE_TEXT);
	put_section(image, SEC_BSS, 8, ELF_IMAGE_BASE + ELF_IMAGE_TEXT, 0, ELF_IMAGE_MEMSZ - ELF_IMAGE_TEXT);
	put_section(image, SEC_SYMTAB, 2, 0, ELF_AT_SYMTAB, SYMBOLS * 24);
	elf_image_put(image, ELF_AT_SHDR + SEC_SYMTAB * 64 + 40, 4, SEC_STRTAB); /* sh_link */
	elf_image_put(image, ELF_AT_SHDR + SEC_SYMTAB * 64 + 56, 8, 24);         /* sh_entsize */
	put_section(image, SEC_STRTAB, 3, 0, ELF_AT_STRTAB, sizeof(names));
	put_symbols(image);
}
