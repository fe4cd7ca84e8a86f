/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c core/payload.c core/elf.c core/memory.c core/log.c tests/unit/fake_platform.c tests/unit/elf_image.c */
/*
 * The ELF loader and the symbol lookup on files made by a fuzzer. The first byte
 * says how: the rest is the file itself, or a list of changes to a correct file,
 * which gets behind the header's checks at once.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <husk/log.h>
#include <husk/payload.h>
#include <husk/vm.h>

#include "tests/unit/elf_image.h"
#include "tests/unit/fake_platform.h"

#define RAM_SIZE 0x4000u

/* Bits of the first byte */
#define MODE_RAW  1u
#define MODE_BIG  2u
#define MODE_LAST 4u /**< the second region of RAM ends at the top of the address space */

/** Fields of the tables of the correct file: `count` entries, `stride` bytes apart, each with these fields. */
struct table {
	unsigned at, stride, count;
	unsigned fields;
	struct {
		uint8_t offset, bytes;
	} field[10];
};

static const struct table tables[] = {
	{ ELF_AT_EHDR,
	  64,
	  1,
	  10,
	  { { 4, 1 },
	    { 5, 1 },
	    { 16, 2 },
	    { 18, 2 },
	    { 24, 8 },
	    { 32, 8 },
	    { 40, 8 },
	    { 54, 2 },
	    { 56, 2 },
	    { 60, 2 } } },
	{ ELF_AT_PHDR, 56, 2, 6, { { 0, 4 }, { 8, 8 }, { 16, 8 }, { 24, 8 }, { 32, 8 }, { 40, 8 } } },
	{ ELF_AT_SHDR, 64, 5, 6, { { 4, 4 }, { 16, 8 }, { 24, 8 }, { 32, 8 }, { 40, 4 }, { 56, 8 } } },
	{ ELF_AT_SYMTAB, 24, 8, 4, { { 0, 4 }, { 4, 1 }, { 6, 2 }, { 8, 8 } } },
	{ ELF_AT_STRTAB, 1, 64, 1, { { 0, 1 } } },
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

/** What values are near to. */
static const uint64_t anchors[] = {
	0,          ELF_IMAGE_SIZE,    ELF_IMAGE_BASE,    ELF_IMAGE_GPA, ELF_IMAGE_GPA + RAM_SIZE, ELF_AT_STRTAB,
	UINT64_MAX, (uint64_t)1 << 63, (uint64_t)1 << 32,
};
#define ANCHORS (sizeof(anchors) / sizeof(anchors[0]))

/** One change: table and anchor, entry and field, and a signed distance from the anchor. */
#define CHANGE_BYTES 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void change(struct elf_image *image, const uint8_t *data)
{
	const struct table *t = &tables[data[0] % TABLES];
	uint64_t anchor = anchors[data[0] / TABLES % ANCHORS];
	unsigned field = data[1] % t->fields;
	unsigned entry = data[1] / t->fields % t->count;
	int16_t distance;

	memcpy(&distance, data + 2, sizeof(distance));
	elf_image_put(image, t->at + entry * t->stride + t->field[field].offset, t->field[field].bytes,
		      anchor + (uint64_t)(int64_t)distance);
}

/** The file in memory of exactly its size, so that the address sanitizer sees every byte too far. */
static uint8_t *make_file(uint8_t mode, const uint8_t *data, size_t size, size_t *file_size)
{
	struct elf_image image;
	const void *from = data;
	uint8_t *file;

	*file_size = size;
	if ((mode & MODE_RAW) == 0) {
		elf_image_init(&image, (mode & MODE_BIG) != 0);
		for (; size >= CHANGE_BYTES; size -= CHANGE_BYTES, data += CHANGE_BYTES)
			change(&image, data);
		/* What is left over cuts the file. */
		*file_size = sizeof(image.bytes) - (size != 0 ? data[0] : 0);
		from = image.bytes;
	}
	file = malloc(*file_size + 1);
	check(file != NULL);
	memcpy(file, from, *file_size);
	return realloc(file, *file_size != 0 ? *file_size : 1);
}

static void load(struct vm *vm, const struct payload_part *part, uint8_t mode)
{
	const struct payload_elf_want want = {
		.machine = 8,
		.big_endian = (mode & MODE_BIG) != 0,
		.gpa_mask = (mode & MODE_LAST) != 0 ? UINT64_MAX : ELF_IMAGE_MASK,
	};
	struct payload_entry entry = { .entry = 0 };

	fake_log[fake_log_size = 0] = '\0';
	if (payload_load_elf(vm, part, &want, &entry) != 0) {
		check(strchr(fake_log, '\n') == fake_log + fake_log_size - 1);
		return;
	}
	check(fake_log_size == 0);
	check(entry.gpa_low < entry.gpa_high);
	check(memory_region(&vm->memory, entry.gpa_low) != NULL);
	check(memory_region(&vm->memory, entry.gpa_high - 1) != NULL);
}

static void look_up(const struct payload *payload, uint64_t address)
{
	const struct payload_part *part = &payload->parts[0];
	uint64_t offset = 0;
	const char *name = payload_symbol(payload, address, &offset);

	if (name == NULL)
		return;
	check((const uint8_t *)name >= part->data && (const uint8_t *)name < part->data + part->size);
	check(strlen(name) > 0);
	check(offset <= address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm vm;
	struct payload_part part = { .kind = PAYLOAD_KERNEL, .name = "fuzzed" };
	const struct payload payload = { .recipe = "fuzz", .parts = &part, .count = 1 };
	uint8_t *file;
	size_t file_size;

	if (size == 0)
		return 0;
	if (vm.memory.nr_ram == 0) {
		check(memory_add_ram(&vm.memory, ELF_IMAGE_GPA, RAM_SIZE) == 0);
		check(memory_add_ram(&vm.memory, (UINT64_MAX & GUEST_PAGE_MASK) - RAM_SIZE, RAM_SIZE) == 0);
	}
	file = make_file(data[0], data + 1, size - 1, &file_size);
	part.data = file;
	part.size = file_size;
	load(&vm, &part, data[0]);
	for (uint64_t offset = 0; offset < 2 * ELF_IMAGE_TEXT; offset += 13)
		look_up(&payload, ELF_IMAGE_BASE + offset);
	look_up(&payload, 0);
	look_up(&payload, UINT64_MAX);
	free(file);
	return 0;
}
