/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading 64-bit ELF files of either byte order that may be cut, wrong or malicious.
 * Layouts and constants: System V ABI, chapters 4 and 5 (object files, program loading).
 */
#ifndef CORE_ELF_H
#define CORE_ELF_H

#include <stdbool.h>
#include <stdint.h>

/* e_type, p_type, sh_type, special section indexes, symbol types */
#define ELF_ET_EXEC    2u
#define ELF_PT_LOAD    1u
#define ELF_PT_NOTE    4u
#define ELF_SHT_SYMTAB 2u
#define ELF_SHT_STRTAB 3u
#define ELF_SHN_UNDEF  0u
#define ELF_STT_NOTYPE 0u
#define ELF_STT_FUNC   2u

/** An open file. Every table named here lies inside the file. */
struct elf {
	const uint8_t *data;
	uint64_t size;
	bool big_endian;
	uint16_t type, machine;
	uint64_t entry;
	uint64_t phoff, shoff;
	uint16_t phnum, shnum;
};

/** A program header. */
struct elf_segment {
	uint32_t type;
	uint64_t offset, vaddr, paddr, filesz, memsz;
};

/** A section header. */
struct elf_section {
	uint32_t type, link;
	uint64_t addr, offset, size, entsize;
};

/** A symbol. */
struct elf_symbol {
	uint32_t name;
	uint8_t type;
	uint16_t section;
	uint64_t value;
};

/** What elf_open() found wrong. */
enum elf_error { ELF_OK, ELF_NOT_ELF, ELF_NOT_64, ELF_BAD_HEADER, ELF_CUT };

/** Opens a file of `size` bytes; *elf refers to data from then on. */
enum elf_error elf_open(struct elf *elf, const void *data, uint64_t size);

/** True if [offset, offset + size) lies in the file. */
bool elf_holds(const struct elf *elf, uint64_t offset, uint64_t size);

/** Program header n < phnum. */
struct elf_segment elf_segment(const struct elf *elf, unsigned n);

/** A note of a PT_NOTE segment. */
struct elf_note {
	const char *owner; /**< NUL-terminated, in the file */
	uint32_t type, size;
	const uint8_t *value; /**< size bytes, in the file */
};

/**
 * Reads the note at *offset of a segment and moves *offset to the next. Returns false at the end, or where the
 * segment is damaged.
 */
bool elf_next_note(const struct elf *elf, const struct elf_segment *s, uint64_t *offset, struct elf_note *out);

/** Section header n < shnum. */
struct elf_section elf_section(const struct elf *elf, unsigned n);

/** Symbol n of a symbol table that holds it and lies in the file. */
struct elf_symbol elf_symbol(const struct elf *elf, const struct elf_section *table, uint64_t n);

/** Symbols in a table; 0 if it does not lie in the file or has entries of another size. */
uint64_t elf_symbol_count(const struct elf *elf, const struct elf_section *table);

/** String at `offset` of a string table, or NULL if that lies outside or the table does not end in NUL. */
const char *elf_string(const struct elf *elf, const struct elf_section *table, uint64_t offset);

#endif
