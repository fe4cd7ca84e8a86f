/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One entry stub per interrupt vector, 16 bytes each, so that the IDT can be
 * computed. All lead to trap_dispatch(struct trap_frame *).
 */
	.section .text.vectors, "ax"
	.balign 16
	.globl vector_stubs
vector_stubs:
	vector = 0
	.rept 256
	.balign 16
	/* The CPU pushes an error code for these (Intel SDM 3A, table 6-1; 21, 29, 30: AMD64 2, table 8-1). */
	.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
	.else
	pushq $0
	.endif
	pushq $vector
	jmp vector_common
	vector = vector + 1
	.endr

vector_common:
	push %rax
	push %rcx
	push %rdx
	push %rbx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	cld
	mov %rsp, %rdi
	call trap_dispatch
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	pop %rcx
	pop %rax
	add $16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
