/* SPDX-License-Identifier: BSD-2-Clause */
/* What the entry code, the linker script and the C code of host pc share. Also read by the assembler. */
#ifndef PC_BOOT_H
#define PC_BOOT_H

/* How the image was entered: Multiboot2's own magic (3.3), and a number of ours for PVH. */
#define BOOT_MULTIBOOT2 0x36d76289
#define BOOT_PVH        0x50564800

#define BOOT_PAGE  4096
#define BOOT_STACK (128 << 10) /* size of the main stack, the second member of trap_stack_area (trap.c) */

#ifndef __ASSEMBLER__
#include <stdint.h>

/** Bounds of the image's parts, from the linker script; all page aligned, addresses are physical and virtual. */
extern uint8_t image_start[], image_text_end[], image_rodata_end[], image_data_end[], image_end[];

/** Continues in C; never returns. */
_Noreturn void pc_main(uint32_t protocol, uint32_t structure);
#endif

#endif
