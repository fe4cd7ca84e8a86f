/* SPDX-License-Identifier: BSD-2-Clause */
/* Small correct x86 kernels, for tests that damage them. */
#ifndef TESTS_X86_IMAGE_H
#define TESTS_X86_IMAGE_H

#include <stdint.h>

#define X86_IMAGE_SIZE     0x1000u
#define X86_IMAGE_LOAD     0x200000u               /**< guest physical address that both want */
#define X86_IMAGE_ENTRY    (X86_IMAGE_LOAD + 0x10) /**< of the PVH note */
#define X86_IMAGE_TEXT     0x400u                  /**< offset of what is loaded of the ELF file, valued 1, 2, 3 ... */
#define X86_IMAGE_FILESZ   0x100u
#define X86_IMAGE_MEMSZ    0x2000u
#define X86_IMAGE_NOTE     0x200u /**< offset of the note: name and size, type at + 8, entry at + 16 */
#define X86_IMAGE_SETUP    0x400u /**< size of a bzImage's real-mode part */
#define X86_IMAGE_INIT     0x10000u
#define X86_IMAGE_CMDLINE  100u /**< longest command line that the bzImage takes */
#define X86_IMAGE_HDR_SIZE 0x268u

/** Makes a kernel with a PVH note: an ELF file, of X86_IMAGE_SIZE bytes. */
void x86_image_elf(uint8_t *file);

/** Makes a bzImage of X86_IMAGE_SIZE bytes, filled with 1, 2, 3 ... behind its real-mode part. */
void x86_image_bzimage(uint8_t *file);

/** Changes a field of so many bytes. */
void x86_image_put(uint8_t *file, unsigned at, unsigned bytes, uint64_t value);

#endif
