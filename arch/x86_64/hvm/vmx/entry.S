/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * int vmx_enter(uint64_t gpr[16], const uint32_t *attention, bool launched, uint64_t *host_rsp): runs the guest of the
 * current VMCS once. Returns 0 without running it if *attention is not 0, 1 after an exit, 2 if the CPU refused to enter.
 *
 * Interrupts are off from the look at the attention word to the guest, where they end it at once, whatever the guest's
 * own flag is ("external-interrupt exiting"); they are still pending then, and taken by STI, or, where the CPU has
 * acknowledged them, handled by run.c. RSP, RIP, RFLAGS and
 * segments are switched by the CPU. *host_rsp is what the VMCS has for RSP.
 */
#define HOST_RSP 0x6c14

	.section .text.vmx_enter, "ax"
	.globl vmx_enter
	.type vmx_enter, @function
vmx_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi
	cli
	xor %eax, %eax
	cmpl $0, (%rsi)
	jne 4f
	cmp %rsp, (%rcx)
	je 1f
	mov %rsp, (%rcx)
	mov $HOST_RSP, %eax
	vmwrite %rsp, %rax
1:	test %edx, %edx
	mov 0*8(%rdi), %rax
	mov 1*8(%rdi), %rcx
	mov 2*8(%rdi), %rdx
	mov 3*8(%rdi), %rbx
	mov 5*8(%rdi), %rbp
	mov 6*8(%rdi), %rsi
	mov 8*8(%rdi), %r8
	mov 9*8(%rdi), %r9
	mov 10*8(%rdi), %r10
	mov 11*8(%rdi), %r11
	mov 12*8(%rdi), %r12
	mov 13*8(%rdi), %r13
	mov 14*8(%rdi), %r14
	mov 15*8(%rdi), %r15
	mov 7*8(%rdi), %rdi
	jne 2f
	vmlaunch
	jmp 3f
2:	vmresume
3:	mov $2, %eax
	jmp 4f

	.globl vmx_exited
vmx_exited:
	push %rdi
	mov 8(%rsp), %rdi
	mov %rax, 0*8(%rdi)
	pop %rax
	mov %rcx, 1*8(%rdi)
	mov %rdx, 2*8(%rdi)
	mov %rbx, 3*8(%rdi)
	mov %rbp, 5*8(%rdi)
	mov %rsi, 6*8(%rdi)
	mov %rax, 7*8(%rdi)
	mov %r8, 8*8(%rdi)
	mov %r9, 9*8(%rdi)
	mov %r10, 10*8(%rdi)
	mov %r11, 11*8(%rdi)
	mov %r12, 12*8(%rdi)
	mov %r13, 13*8(%rdi)
	mov %r14, 14*8(%rdi)
	mov %r15, 15*8(%rdi)
	mov $1, %eax
4:	sti
	pop %rdi
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.size vmx_enter, . - vmx_enter

	.section .note.GNU-stack, "", @progbits
