/* SPDX-License-Identifier: BSD-2-Clause */
/* The embedded guest: its parts, loading them, and names for its addresses. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <husk/log.h>
#include <husk/payload.h>
#include <husk/vm.h>

#include "elf.h"

const struct payload_part *payload_find(const struct payload *p, enum payload_kind kind)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->parts[i].kind == kind)
			return &p->parts[i];
	}
	return NULL;
}

/** Says that a part does not fit into the guest's RAM. */
static int no_ram(const struct payload_part *part, uint64_t gpa, uint64_t size)
{
	log_error("payload '%s' needs guest RAM from 0x%" PRIx64 " on for 0x%" PRIx64
		  " bytes, which the guest does not have: raise RAM_MB",
		  part->name, gpa, size);
	return -ENOMEM;
}

int payload_place(struct vm *vm, const struct payload_part *part)
{
	if (memory_write(&vm->memory, part->gpa, part->data, part->size) != 0)
		return no_ram(part, part->gpa, part->size);
	return 0;
}

/* Loading. */

static int not_wanted(const struct payload_part *part, const char *why)
{
	log_error("payload '%s' cannot be loaded: %s", part->name, why);
	return -ENOEXEC;
}

static int inconsistent(const struct payload_part *part, const char *why)
{
	log_error("payload '%s' is damaged: %s", part->name, why);
	return -EBADMSG;
}

static int open_part(struct elf *elf, const struct payload_part *part)
{
	switch (elf_open(elf, part->data, part->size)) {
	case ELF_OK: return 0;
	case ELF_NOT_ELF: return not_wanted(part, "it is not an ELF file");
	case ELF_NOT_64: return not_wanted(part, "it is a 32-bit ELF file");
	case ELF_CUT: return inconsistent(part, "its headers lie beyond the end of the file");
	default: return inconsistent(part, "its ELF header is malformed");
	}
}

static int check_kind(const struct elf *elf, const struct payload_part *part, const struct payload_elf_want *want)
{
	if (elf->machine != want->machine) {
		log_error("payload '%s' cannot be loaded: it is for another CPU (ELF machine %u, this guest is %u)",
			  part->name, elf->machine, want->machine);
		return -ENOEXEC;
	}
	if (elf->big_endian != want->big_endian)
		return not_wanted(part, elf->big_endian ? "it is big-endian, this guest is little-endian"
							: "it is little-endian, this guest is big-endian");
	if (elf->type != ELF_ET_EXEC)
		return not_wanted(part, "it is not an executable ELF file");
	return 0;
}

/** What is known after some of the segments; low starts at the top, high at 0. */
struct loading {
	struct vm *vm;
	const struct payload_part *part;
	const struct payload_elf_want *want;
	uint64_t entry, low, high;
	bool entry_seen;
};

static int load_segment(struct loading *l, const struct elf *elf, const struct elf_segment *s)
{
	struct memory *m = &l->vm->memory;
	uint64_t gpa = s->paddr & l->want->gpa_mask;

	if (s->filesz > s->memsz)
		return inconsistent(l->part, "a segment is larger in the file than in memory");
	if (!elf_holds(elf, s->offset, s->filesz))
		return inconsistent(l->part, "a segment lies beyond the end of the file");
	/* Zeroing may not wrap behind what the first write found to be RAM. */
	if (gpa > UINT64_MAX - s->memsz || memory_write(m, gpa, elf->data + s->offset, s->filesz) != 0 ||
	    memory_zero(m, gpa + s->filesz, s->memsz - s->filesz) != 0)
		return no_ram(l->part, gpa, s->memsz);
	if (gpa < l->low)
		l->low = gpa;
	if (gpa + s->memsz > l->high)
		l->high = gpa + s->memsz;
	/* The entry is a virtual address for most, a physical one for kernels that start with paging off. */
	if (l->entry - s->vaddr < s->memsz || l->entry - gpa < s->memsz)
		l->entry_seen = true;
	return 0;
}

static int load_segments(struct loading *l, const struct elf *elf)
{
	for (unsigned i = 0; i < elf->phnum; i++) {
		struct elf_segment s = elf_segment(elf, i);
		int rc = 0;

		if (s.type == ELF_PT_LOAD && s.memsz != 0)
			rc = load_segment(l, elf, &s);
		if (rc != 0)
			return rc;
	}
	if (l->high == 0)
		return inconsistent(l->part, "it has nothing to load");
	if (!l->entry_seen)
		return inconsistent(l->part, "its entry point lies outside of what it loads");
	return 0;
}

int payload_load_elf(struct vm *vm, const struct payload_part *part, const struct payload_elf_want *want,
		     struct payload_entry *out)
{
	struct loading l = { .vm = vm, .part = part, .want = want, .low = UINT64_MAX };
	struct elf elf;
	int rc = open_part(&elf, part);

	if (rc == 0)
		rc = check_kind(&elf, part, want);
	l.entry = elf.entry;
	if (rc == 0)
		rc = load_segments(&l, &elf);
	if (rc == 0)
		*out = (struct payload_entry){ .entry = l.entry, .gpa_low = l.low, .gpa_high = l.high };
	return rc;
}

/* Notes. */

static bool find_note(const struct elf *elf, const char *owner, uint32_t type, struct elf_note *note)
{
	for (unsigned i = 0; i < elf->phnum; i++) {
		struct elf_segment s = elf_segment(elf, i);
		uint64_t at = 0;

		while (s.type == ELF_PT_NOTE && elf_next_note(elf, &s, &at, note)) {
			if (note->type == type && strcmp(note->owner, owner) == 0)
				return true;
		}
	}
	return false;
}

int payload_elf_note(const struct payload_part *part, const char *owner, uint32_t type, const uint8_t **value,
		     uint32_t *size)
{
	struct elf_note note;
	struct elf elf;
	int rc = open_part(&elf, part);

	if (rc != 0)
		return rc;
	if (!find_note(&elf, owner, type, &note)) {
		log_error("payload '%s' has no ELF note %s %" PRIu32 ": it is no kernel for this machine", part->name,
			  owner, type);
		return -ENOEXEC;
	}
	*value = note.value;
	*size = note.size;
	return 0;
}

/* Symbols. */

/** The best symbol so far. */
struct nearest {
	uint64_t address;
	const char *name; /**< NULL: none yet */
	uint64_t value;
	bool is_function;
};

/** True if the section that holds the symbol also holds the address; other symbols say nothing about it. */
static bool same_section(const struct elf *elf, const struct elf_symbol *s, uint64_t address)
{
	struct elf_section section;

	/* This also leaves out absolute symbols, whose index is above all sections. */
	if (s->section == ELF_SHN_UNDEF || s->section >= elf->shnum)
		return false;
	section = elf_section(elf, s->section);
	return address - section.addr < section.size;
}

/** True if the symbol is nearer than the best; a function is better than a label at the same place. */
static bool is_nearer(const struct nearest *best, const struct elf_symbol *s)
{
	if (s->value > best->address || (s->type != ELF_STT_FUNC && s->type != ELF_STT_NOTYPE))
		return false;
	if (best->name == NULL || s->value > best->value)
		return true;
	return s->value == best->value && s->type == ELF_STT_FUNC && !best->is_function;
}

/** The symbol table of the kernel, and its strings. */
struct symbols {
	struct elf elf;
	struct elf_section table, strings;
	uint64_t count; /**< 0 if there is no table */
};

static struct symbols find_symbols(const struct payload *p)
{
	const struct payload_part *kernel = payload_find(p, PAYLOAD_KERNEL);
	struct symbols s = { .count = 0 };

	if (kernel == NULL || elf_open(&s.elf, kernel->data, kernel->size) != ELF_OK)
		return s;
	for (unsigned i = 0; i < s.elf.shnum; i++) {
		s.table = elf_section(&s.elf, i);
		/* A file has one such section at most (System V ABI, chapter 4, sh_type). */
		if (s.table.type != ELF_SHT_SYMTAB)
			continue;
		if (s.table.link >= s.elf.shnum)
			return s;
		s.strings = elf_section(&s.elf, s.table.link);
		if (s.strings.type == ELF_SHT_STRTAB)
			s.count = elf_symbol_count(&s.elf, &s.table);
		return s;
	}
	return s;
}

/** Name of a symbol, or NULL for the compiler's own labels, which start with $ or a dot. */
static const char *name_of(const struct symbols *table, const struct elf_symbol *s)
{
	const char *name = elf_string(&table->elf, &table->strings, s->name);

	return name == NULL || name[0] == '\0' || name[0] == '$' || name[0] == '.' ? NULL : name;
}

const char *payload_symbol(const struct payload *p, uint64_t address, uint64_t *offset)
{
	const struct symbols table = find_symbols(p);
	struct nearest best = { .address = address };

	for (uint64_t i = 0; i < table.count; i++) {
		struct elf_symbol s = elf_symbol(&table.elf, &table.table, i);
		const char *name;

		if (!is_nearer(&best, &s) || !same_section(&table.elf, &s, address))
			continue;
		name = name_of(&table, &s);
		if (name != NULL)
			best = (struct nearest){ address, name, s.value, s.type == ELF_STT_FUNC };
	}
	if (best.name != NULL)
		*offset = address - best.value;
	return best.name;
}

void payload_visit_symbols(const struct payload *p, void (*visit)(void *ctx, uint64_t value, const char *name),
			   void *ctx)
{
	const struct symbols table = find_symbols(p);

	for (uint64_t i = 0; i < table.count; i++) {
		struct elf_symbol s = elf_symbol(&table.elf, &table.table, i);
		const char *name;

		if ((s.type != ELF_STT_FUNC && s.type != ELF_STT_NOTYPE) || !same_section(&table.elf, &s, s.value))
			continue;
		name = name_of(&table, &s);
		if (name != NULL)
			visit(ctx, s.value, name);
	}
}
