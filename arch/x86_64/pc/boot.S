/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry from the boot loader, in 32-bit protected mode with paging off:
 *  - Multiboot2 (Specification 2.0, 3.2 and 3.3): EAX = magic, EBX = information
 *  - PVH (Xen docs/misc/pvh.pandoc): EBX = start_info; entry named by an ELF note
 * Switches to long mode on a temporary identity map of the first 4 GiB and calls
 * pc_main(protocol, structure).
 */
#include "arch/x86_64/pc/boot.h"

#define MB2_HEADER_MAGIC 0xe85250d6 /* 3.1.2 */
#define MB2_ARCH_I386    0
#define MB2_TAG_END      0
#define MB2_TAG_ALIGN    6 /* modules page aligned, 3.1.11 */

#define ELFNOTE_PHYS32_ENTRY 18 /* XEN_ELFNOTE_PHYS32_ENTRY, public/elfnote.h */

#define MSR_EFER      0xc0000080
#define EFER_LME_NXE  ((1 << 8) | (1 << 11))
#define CR4_PAE       (1 << 5)
#define CR0_PE_MP_NE  ((1 << 0) | (1 << 1) | (1 << 5))
#define CR0_WP_PG     ((1 << 16) | (1 << 31))
#define PTE_TABLE     0x03 /* present, writable */
#define PTE_LARGE     0x83 /* present, writable, 2 MiB */
#define COM1          0x3f8
#define DEBUG_EXIT     0xf4 /* see power.c */
#define CPUID_EXTENDED 0x80000001
#define BOOT_STACK_TOP (trap_stack_area + BOOT_PAGE + BOOT_STACK)

	.section .boot, "ax"
	.balign 8
multiboot2_header:
	.long MB2_HEADER_MAGIC
	.long MB2_ARCH_I386
	.long multiboot2_header_end - multiboot2_header
	.long -(MB2_HEADER_MAGIC + MB2_ARCH_I386 + (multiboot2_header_end - multiboot2_header))
	.short MB2_TAG_ALIGN, 0
	.long 8
	.short MB2_TAG_END, 0
	.long 8
multiboot2_header_end:

	.code32
	.globl start_multiboot2
start_multiboot2:
	mov %eax, %ebp
	jmp start32

	.globl start_pvh
start_pvh:
	mov $BOOT_PVH, %ebp

start32:
	cli
	cld
	mov $BOOT_STACK_TOP, %esp

	mov $0x80000000, %eax
	push %ebx
	cpuid
	cmp $CPUID_EXTENDED, %eax
	jb no_long_mode
	mov $CPUID_EXTENDED, %eax
	cpuid
	and $((1 << 29) | (1 << 20)), %edx /* long mode, no-execute */
	cmp $((1 << 29) | (1 << 20)), %edx
	jne no_long_mode
	pop %ebx

	/* Four page directories of 512 pages of 2 MiB. */
	mov $boot_directories, %edi
	mov $PTE_LARGE, %eax
	mov $2048, %ecx
1:	mov %eax, (%edi)
	movl $0, 4(%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 1b

	mov $boot_directories + PTE_TABLE, %eax
	mov $boot_pointers, %edi
	mov $4, %ecx
2:	mov %eax, (%edi)
	add $0x1000, %eax
	add $8, %edi
	loop 2b
	movl $boot_pointers + PTE_TABLE, boot_pml4

	mov %cr4, %eax
	or $CR4_PAE, %eax
	mov %eax, %cr4
	mov $boot_pml4, %eax
	mov %eax, %cr3
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_LME_NXE, %eax
	wrmsr
	mov $(CR0_PE_MP_NE | CR0_WP_PG), %eax
	mov %eax, %cr0
	lgdt boot_gdt_pointer
	ljmp $0x08, $start64

no_long_mode:
	mov $no_long_mode_text, %esi
3:	mov $COM1 + 5, %dx
	in %dx, %al
	test $0x20, %al
	jz 3b
	lodsb
	test %al, %al
	jz 4f
	mov $COM1, %dx
	out %al, %dx
	jmp 3b
4:	mov $1, %al /* HUSK_EXIT_HOST */
	out %al, $DEBUG_EXIT
	hlt
	jmp 4b

no_long_mode_text:
	.asciz "husk: this computer has no 64-bit mode with no-execute pages\r\n"

	.code64
start64:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $BOOT_STACK_TOP, %esp
	mov %ebp, %edi
	mov %ebx, %esi
	xor %ebp, %ebp
	call pc_main
5:	hlt
	jmp 5b

	.section .rodata.boot, "a"
	.balign 8
	.globl boot_gdt
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* code, 64 bits, accessed */
	.quad 0x00cf93000000ffff /* data */
boot_gdt_end:
boot_gdt_pointer:
	.short boot_gdt_end - boot_gdt - 1
	.long boot_gdt

	/* QEMU reads the value as wide as the ELF file's addresses. */
	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 8, ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.quad start_pvh

	.section .bss.boot, "aw", @nobits
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.skip 4096
boot_pointers:
	.skip 4096
boot_directories:
	.skip 4 * 4096

	.section .note.GNU-stack, "", @progbits
