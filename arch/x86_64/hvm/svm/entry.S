/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bool svm_enter(uint64_t gpr[16], vmcb, host_vmcb, const uint32_t *attention): runs the guest once (APM 2, 15.5).
 * Returns false without running it if *attention is not 0.
 *
 * Between CLGI and STGI the host takes no interrupt of any kind (15.17). The look at the attention word is in there,
 * so that what comes after it ends the guest at once: with V_INTR_MASKING it is the host's interrupt flag that counts
 * while the guest runs, which is why STI follows CLGI. What ended the guest is taken after STGI.
 * VMRUN switches RAX, RSP and most system registers; VMLOAD and VMSAVE those that system calls and segments need.
 */
	.section .text.svm_enter, "ax"
	.globl svm_enter
	.type svm_enter, @function
svm_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	clgi
	sti
	cmpl $0, (%rcx)
	jne 1f
	push %rdx
	push %rsi
	push %rdi
	mov %rsi, %rax
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
	vmload %rax
	vmrun %rax
	vmsave %rax
	/* RAX and RSP are the host's again. */
	push %rdi
	mov 8(%rsp), %rdi
	mov %rcx, 1*8(%rdi)
	mov %rdx, 2*8(%rdi)
	mov %rbx, 3*8(%rdi)
	mov %rbp, 5*8(%rdi)
	mov %rsi, 6*8(%rdi)
	mov %r8, 8*8(%rdi)
	mov %r9, 9*8(%rdi)
	mov %r10, 10*8(%rdi)
	mov %r11, 11*8(%rdi)
	mov %r12, 12*8(%rdi)
	mov %r13, 13*8(%rdi)
	mov %r14, 14*8(%rdi)
	mov %r15, 15*8(%rdi)
	pop %rcx
	mov %rcx, 7*8(%rdi)
	add $16, %rsp
	pop %rax
	vmload %rax /* the host's */
	stgi
	mov $1, %eax
2:	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
1:	stgi
	xor %eax, %eax
	jmp 2b
	.size svm_enter, . - svm_enter

/* void svm_save_host(host_vmcb): keeps what svm_enter() loads after each run. */
	.section .text.svm_save_host, "ax"
	.globl svm_save_host
	.type svm_save_host, @function
svm_save_host:
	mov %rdi, %rax
	vmsave %rax
	ret
	.size svm_save_host, . - svm_save_host

/*
 * void svm_recall_interrupts(void): for after a run with a virtual interrupt. QEMU's VMRUN notes it among the CPU's
 * requests without a lock, and may overwrite what the host's local APIC asks for at that moment: the host would wait for
 * its timer for good. CR8, which is 0 anyway, has QEMU look at its APIC again.
 */
	.section .text.svm_recall_interrupts, "ax"
	.globl svm_recall_interrupts
	.type svm_recall_interrupts, @function
svm_recall_interrupts:
	xor %eax, %eax
	mov %rax, %cr8
	ret
	.size svm_recall_interrupts, . - svm_recall_interrupts

	.section .note.GNU-stack, "", @progbits
