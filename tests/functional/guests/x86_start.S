/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry of the x86 test guest by PVH: to 64-bit mode on an identity map of 4 GiB, the first 2 MiB of which are pages of
 * 4 KiB with one hole, at 0x1000; then guest_main(). Exceptions go to guest_exception(), with the frame that the CPU pushes.
 */
	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:
	cld
	mov $stack_top, %esp
	/* four directories of 512 pages of 2 MiB */
	mov $directories, %edi
	mov $0x83, %eax
	mov $2048, %ecx
1:	mov %eax, (%edi)
	movl $0, 4(%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 1b
	/* the first 2 MiB by 4 KiB */
	mov $small_pages, %edi
	mov $3, %eax
	mov $512, %ecx
2:	mov %eax, (%edi)
	add $0x1000, %eax
	add $8, %edi
	loop 2b
	movl $0, small_pages + 8
	movl $small_pages + 3, directories
	mov $directories + 3, %eax
	mov $pointers, %edi
	mov $4, %ecx
3:	mov %eax, (%edi)
	add $0x1000, %eax
	add $8, %edi
	loop 3b
	movl $pointers + 3, top
	mov $top, %eax
	mov %eax, %cr3
	mov %cr4, %eax
	or $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
	mov %eax, %cr4
	mov $0xc0000080, %ecx
	rdmsr
	or $0x100, %eax
	wrmsr
	mov $0x80000013, %eax
	mov %eax, %cr0
	lgdt gdt_pointer
	ljmp $8, $start64
	.code64
start64:
	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	call guest_main
4:	hlt
	jmp 4b

	/* Stubs of 16 bytes, one a vector, that make frames alike: vector, error code, then the CPU's. */
	.balign 16
	.globl stubs
stubs:
	vector = 0
	.rept 256
	.balign 16
	.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
	.else
	pushq $0
	.endif
	pushq $vector
	jmp common
	vector = vector + 1
	.endr
common:
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	lea 9*8(%rsp), %rdi
	call guest_exception
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	add $16, %rsp
	iretq

	.data
	.balign 8
gdt:	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.short . - gdt - 1
	.long gdt

	.bss
	.balign 4096
top:	.skip 4096
pointers: .skip 4096
directories: .skip 4 * 4096
small_pages: .skip 4096
	.skip 16384
stack_top:

	.section .note.GNU-stack, "", @progbits
