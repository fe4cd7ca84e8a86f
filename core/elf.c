/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading hostile 64-bit ELF files, see elf.h. */
#include <stddef.h>
#include <string.h>

#include "elf.h"

#define EHDR_SIZE 64u
#define PHDR_SIZE 56u
#define SHDR_SIZE 64u
#define SYM_SIZE  24u
#define NOTE_SIZE 12u

/* e_ident */
#define EI_CLASS    4u
#define EI_DATA     5u
#define EI_VERSION  6u
#define CLASS_64    2u
#define DATA_LITTLE 1u
#define DATA_BIG    2u

/* Values that say "the real number is in section header 0"; kernels have no 65,000 segments or sections. */
#define PN_XNUM 0xffffu

static uint64_t get(const struct elf *elf, uint64_t offset, unsigned bytes)
{
	const uint8_t *p = elf->data + offset;
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[elf->big_endian ? i : bytes - 1 - i];
	return v;
}

static uint16_t get16(const struct elf *elf, uint64_t offset)
{
	return (uint16_t)get(elf, offset, 2);
}

static uint32_t get32(const struct elf *elf, uint64_t offset)
{
	return (uint32_t)get(elf, offset, 4);
}

static uint64_t get64(const struct elf *elf, uint64_t offset)
{
	return get(elf, offset, 8);
}

bool elf_holds(const struct elf *elf, uint64_t offset, uint64_t size)
{
	return offset <= elf->size && size <= elf->size - offset;
}

static enum elf_error check_ident(const uint8_t *ident)
{
	static const uint8_t magic[] = { 0x7f, 'E', 'L', 'F' };

	if (memcmp(ident, magic, sizeof(magic)) != 0)
		return ELF_NOT_ELF;
	if (ident[EI_CLASS] != CLASS_64)
		return ELF_NOT_64;
	if (ident[EI_VERSION] != 1 || (ident[EI_DATA] != DATA_LITTLE && ident[EI_DATA] != DATA_BIG))
		return ELF_BAD_HEADER;
	return ELF_OK;
}

static void read_header(struct elf *elf)
{
	elf->big_endian = elf->data[EI_DATA] == DATA_BIG;
	elf->type = get16(elf, 16);
	elf->machine = get16(elf, 18);
	elf->entry = get64(elf, 24);
	elf->phoff = get64(elf, 32);
	elf->shoff = get64(elf, 40);
	elf->phnum = get16(elf, 56);
	elf->shnum = get16(elf, 60);
}

enum elf_error elf_open(struct elf *elf, const void *data, uint64_t size)
{
	enum elf_error error;

	*elf = (struct elf){ .data = data, .size = size };
	if (size < EHDR_SIZE)
		return size >= 4 && memcmp(data, "\177ELF", 4) == 0 ? ELF_CUT : ELF_NOT_ELF;
	error = check_ident(data);
	if (error != ELF_OK)
		return error;
	read_header(elf);
	if (elf->phnum == PN_XNUM || (elf->phnum != 0 && get16(elf, 54) != PHDR_SIZE))
		return ELF_BAD_HEADER;
	if (elf->shnum != 0 && get16(elf, 58) != SHDR_SIZE)
		return ELF_BAD_HEADER;
	if (!elf_holds(elf, elf->phoff, (uint64_t)elf->phnum * PHDR_SIZE) ||
	    !elf_holds(elf, elf->shoff, (uint64_t)elf->shnum * SHDR_SIZE))
		return ELF_CUT;
	return ELF_OK;
}

struct elf_segment elf_segment(const struct elf *elf, unsigned n)
{
	uint64_t at = elf->phoff + (uint64_t)n * PHDR_SIZE;

	return (struct elf_segment){
		.type = get32(elf, at),
		.offset = get64(elf, at + 8),
		.vaddr = get64(elf, at + 16),
		.paddr = get64(elf, at + 24),
		.filesz = get64(elf, at + 32),
		.memsz = get64(elf, at + 40),
	};
}

/* System V ABI, chapter 5, "Note Section": name and value are padded to multiples of 4 bytes. */
bool elf_next_note(const struct elf *elf, const struct elf_segment *s, uint64_t *offset, struct elf_note *out)
{
	uint64_t at = s->offset + *offset, left, name_size, value_size, name_room;

	if (!elf_holds(elf, s->offset, s->filesz) || *offset > s->filesz || s->filesz - *offset < NOTE_SIZE)
		return false;
	left = s->filesz - *offset - NOTE_SIZE;
	name_size = get32(elf, at);
	value_size = get32(elf, at + 4);
	name_room = (name_size + 3) & ~3ull;
	if (name_size == 0 || name_room > left || value_size > left - name_room)
		return false;
	out->owner = (const char *)elf->data + at + NOTE_SIZE;
	if (out->owner[name_size - 1] != '\0')
		return false;
	out->type = get32(elf, at + 8);
	out->size = (uint32_t)value_size;
	out->value = elf->data + at + NOTE_SIZE + name_room;
	*offset += NOTE_SIZE + name_room + ((value_size + 3) & ~3ull);
	return true;
}

struct elf_section elf_section(const struct elf *elf, unsigned n)
{
	uint64_t at = elf->shoff + (uint64_t)n * SHDR_SIZE;

	return (struct elf_section){
		.type = get32(elf, at + 4),
		.addr = get64(elf, at + 16),
		.offset = get64(elf, at + 24),
		.size = get64(elf, at + 32),
		.link = get32(elf, at + 40),
		.entsize = get64(elf, at + 56),
	};
}

uint64_t elf_symbol_count(const struct elf *elf, const struct elf_section *table)
{
	if (table->entsize != SYM_SIZE || !elf_holds(elf, table->offset, table->size))
		return 0;
	return table->size / SYM_SIZE;
}

struct elf_symbol elf_symbol(const struct elf *elf, const struct elf_section *table, uint64_t n)
{
	uint64_t at = table->offset + n * SYM_SIZE;

	return (struct elf_symbol){
		.name = get32(elf, at),
		.type = elf->data[at + 4] & 0xf,
		.section = get16(elf, at + 6),
		.value = get64(elf, at + 8),
	};
}

const char *elf_string(const struct elf *elf, const struct elf_section *table, uint64_t offset)
{
	const uint8_t *strings;

	if (!elf_holds(elf, table->offset, table->size) || offset >= table->size)
		return NULL;
	strings = elf->data + table->offset;
	/* The table's last byte has to be NUL, so that every string in it ends there at the latest. */
	return strings[table->size - 1] == '\0' ? (const char *)strings + offset : NULL;
}
