/* SPDX-License-Identifier: BSD-2-Clause */
/* What C cannot say: the first instruction, changing stacks, and where the kernel comes back to. */

#include <asm/unistd.h>

	.text

/* The kernel enters here with rsp at argc (psABI x86-64, 3.4.1). */
	.globl	_start
	.type	_start, @function
_start:
	xor	%ebp, %ebp
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	host_start
	ud2
	.size	_start, . - _start

/* _Noreturn void host_call_on_stack(void *top, void (*fn)(void)) */
	.globl	host_call_on_stack
	.type	host_call_on_stack, @function
host_call_on_stack:
	xor	%ebp, %ebp
	mov	%rdi, %rsp
	call	*%rsi
	ud2
	.size	host_call_on_stack, . - host_call_on_stack

/*
 * long host_clone(unsigned long flags, void *top, void (*fn)(void *), void *argument)
 * The child has the parent's registers but rax and rsp. The kernel reads r8 only with CLONE_SETTLS.
 */
	.globl	host_clone
	.type	host_clone, @function
host_clone:
	mov	%rdx, %r9
	mov	%rcx, %r8
	xor	%edx, %edx
	xor	%r10d, %r10d
	mov	$__NR_clone, %eax
	syscall
	test	%rax, %rax
	jz	1f
	ret
1:	xor	%ebp, %ebp
	mov	%r8, %rdi
	call	*%r9
	xor	%edi, %edi
	mov	$__NR_exit, %eax
	syscall
	ud2
	.size	host_clone, . - host_clone

	.globl	host_signal_return
	.type	host_signal_return, @function
host_signal_return:
	mov	$__NR_rt_sigreturn, %eax
	syscall
	ud2
	.size	host_signal_return, . - host_signal_return

	.section .note.GNU-stack, "", @progbits
