/* SPDX-License-Identifier: BSD-2-Clause */
/* See x86_image.h. Offsets: ELF-64 Object File Format; Documentation/x86/boot.rst of the Linux source. */
#include "tests/unit/x86_image.h"

#include <string.h>

void x86_image_put(uint8_t *file, unsigned at, unsigned bytes, uint64_t value)
{
	memcpy(file + at, &value, bytes);
}

static void fill(uint8_t *file, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		file[i] = (uint8_t)(i - from + 1);
}

void x86_image_elf(uint8_t *file)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	memset(file, 0, X86_IMAGE_SIZE);
	memcpy(file, ident, sizeof(ident));
	x86_image_put(file, 16, 2, 2);  /* executable */
	x86_image_put(file, 18, 2, 62); /* x86-64 */
	x86_image_put(file, 24, 8, X86_IMAGE_LOAD);
	x86_image_put(file, 32, 8, 64); /* two program headers */
	x86_image_put(file, 54, 2, 56);
	x86_image_put(file, 56, 2, 2);
	x86_image_put(file, 64, 4, 1); /* PT_LOAD */
	x86_image_put(file, 64 + 8, 8, X86_IMAGE_TEXT);
	x86_image_put(file, 64 + 16, 8, X86_IMAGE_LOAD);
	x86_image_put(file, 64 + 24, 8, X86_IMAGE_LOAD);
	x86_image_put(file, 64 + 32, 8, X86_IMAGE_FILESZ);
	x86_image_put(file, 64 + 40, 8, X86_IMAGE_MEMSZ);
	x86_image_put(file, 120, 4, 4); /* PT_NOTE */
	x86_image_put(file, 120 + 8, 8, X86_IMAGE_NOTE);
	x86_image_put(file, 120 + 32, 8, 20);
	x86_image_put(file, X86_IMAGE_NOTE, 4, 4);
	x86_image_put(file, X86_IMAGE_NOTE + 4, 4, 4);
	x86_image_put(file, X86_IMAGE_NOTE + 8, 4, 18);
	memcpy(file + X86_IMAGE_NOTE + 12, "Xen", 4);
	x86_image_put(file, X86_IMAGE_NOTE + 16, 4, X86_IMAGE_ENTRY);
	fill(file, X86_IMAGE_TEXT, X86_IMAGE_TEXT + X86_IMAGE_FILESZ);
}

void x86_image_bzimage(uint8_t *file)
{
	memset(file, 0, X86_IMAGE_SIZE);
	x86_image_put(file, 0x1f1, 1, X86_IMAGE_SETUP / 512 - 1);
	x86_image_put(file, 0x201, 1, X86_IMAGE_HDR_SIZE - 0x202);
	memcpy(file + 0x202, "HdrS", 4);
	x86_image_put(file, 0x206, 2, 0x20f);
	x86_image_put(file, 0x236, 2, 1); /* has a 64-bit entry */
	x86_image_put(file, 0x238, 4, X86_IMAGE_CMDLINE);
	x86_image_put(file, 0x258, 8, X86_IMAGE_LOAD);
	x86_image_put(file, 0x260, 4, X86_IMAGE_INIT);
	fill(file, X86_IMAGE_SETUP, X86_IMAGE_SIZE);
}
