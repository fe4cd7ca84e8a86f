/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Start of another CPU. A start-up message has it begin in real mode at a page below 1 MiB (Intel SDM 3A, 8.4.3), where
 * smp_trampoline is copied to: it goes to 64-bit mode at once (APM 2, 14.6.1 has the steps; paging and protection may be
 * switched on together), on the boot tables, which map the image as it is. There it takes its CPU from smp_start_cpu:
 * one that comes too late finds none and halts.
 */
#define MSR_EFER     0xc0000080
#define EFER_LME_NXE ((1 << 8) | (1 << 11))
#define CR4_PAE      (1 << 5)
#define CR0_VALUE    ((1 << 0) | (1 << 1) | (1 << 5) | (1 << 16) | (1 << 31)) /* PE MP NE WP PG; caches on */

	.section .rodata.smp_trampoline, "a"
	.globl smp_trampoline, smp_trampoline_end
	.code16
smp_trampoline:
	cli
	cld
	mov %cs, %ax
	mov %ax, %ds
	lgdtl gdt_pointer - smp_trampoline
	mov $CR4_PAE, %eax
	mov %eax, %cr4
	mov $boot_pml4, %eax
	mov %eax, %cr3
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_LME_NXE, %eax
	wrmsr
	mov $CR0_VALUE, %eax
	mov %eax, %cr0
	ljmpl $0x08, $smp_start64
	.balign 4
gdt_pointer:
	.short 3 * 8 - 1
	.long boot_gdt
smp_trampoline_end:

	.section .text.smp_start64, "ax"
	.code64
smp_start64:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	xor %edi, %edi
	xchg %rdi, smp_start_cpu
	test %rdi, %rdi
	jz 1f
	mov smp_start_tables, %rax
	mov %rax, %cr3
	mov smp_start_stack, %rsp
	xor %ebp, %ebp
	call smp_cpu_main
1:	hlt
	jmp 1b

	.section .note.GNU-stack, "", @progbits
