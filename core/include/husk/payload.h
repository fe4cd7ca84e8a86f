/* SPDX-License-Identifier: BSD-2-Clause */
/* The embedded guest: a table of parts that the image composer generated, and the ELF loader. */
#ifndef HUSK_PAYLOAD_H
#define HUSK_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;

/** What a part is. */
enum payload_kind { PAYLOAD_KERNEL, PAYLOAD_INITRD, PAYLOAD_DTB, PAYLOAD_CMDLINE, PAYLOAD_DISK };

/** One part of the payload, constant in the image. */
struct payload_part {
	enum payload_kind kind;
	const char *name;    /**< file name for messages */
	const uint8_t *data; /**< in a section of its own */
	uint64_t size;       /**< bytes; a NUL that is not counted follows a command line */
	uint64_t gpa;        /**< where the composer placed it; 0 for ELF kernels and command lines */
};

/** The payload of an image. */
struct payload {
	const char *recipe; /**< name of the recipe that made it */
	const struct payload_part *parts;
	size_t count;
};

/** The payload of this image. */
extern const struct payload husk_payload;

/** First part of that kind, or NULL. */
const struct payload_part *payload_find(const struct payload *p, enum payload_kind kind);

/** What payload_load_elf() learned. */
struct payload_entry {
	uint64_t entry;    /**< virtual address of the first instruction */
	uint64_t gpa_low;  /**< first byte of guest RAM written */
	uint64_t gpa_high; /**< one past the last, bss included */
};

/** Kind of ELF file that a machine takes. */
struct payload_elf_want {
	uint16_t machine;  /**< e_machine, ELF specification (8 is EM_MIPS) */
	bool big_endian;   /**< byte order of the file */
	uint64_t gpa_mask; /**< p_paddr bits that are the physical address (MIPS: kseg0/xkphys segment bits off) */
};

/**
 * Loads the PT_LOAD segments of a 64-bit executable ELF into guest RAM and zeroes their bss; the entry has to be the
 * virtual or the physical address of a byte of one of them. RAM may be changed even if it fails.
 * Returns 0, -ENOEXEC (not the ELF wanted), -EBADMSG (truncated or inconsistent)
 * or -ENOMEM (outside guest RAM), after logging one line that names the part.
 */
int payload_load_elf(struct vm *vm, const struct payload_part *part, const struct payload_elf_want *want,
		     struct payload_entry *out);

/**
 * Finds a note in an ELF file, such as that with a kernel's entry for a boot protocol. Returns 0, with *value inside
 * the payload, or -ENOEXEC after logging one line if there is none.
 */
int payload_elf_note(const struct payload_part *part, const char *owner, uint32_t type, const uint8_t **value,
		     uint32_t *size);

/** Copies a whole part to its gpa. Returns 0 or -ENOMEM after logging one line. */
int payload_place(struct vm *vm, const struct payload_part *part);

/**
 * Nearest function symbol at or below `address` in an ELF kernel's symbol table.
 * Returns its name (inside the payload, constant) and sets *offset, or NULL if
 * there is no table or no symbol in the section that holds the address. Reads the
 * whole table: for reports, not for every instruction.
 */
const char *payload_symbol(const struct payload *p, uint64_t address, uint64_t *offset);

/**
 * Calls visit() for every symbol that payload_symbol() might name, in the order of the table; names are inside the
 * payload. For those who sort them, to ask often.
 */
void payload_visit_symbols(const struct payload *p, void (*visit)(void *ctx, uint64_t value, const char *name),
			   void *ctx);

#endif
