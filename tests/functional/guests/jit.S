/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program for user mode that makes code as it goes: a function that returns 1, then 2, and so on to 100, in its data
 * page. Its last word is their sum. Two pages, mapped as one pair; see check_jit() in code_checks.c.
 */
#include "frame.h"

	.set noreorder
	.set noat

	.text
	.balign 8192
	.globl jit_program
	.type jit_program, @function
jit_program:
	lui	$8, PROGRAM_DATA >> 16
	ori	$8, $8, PROGRAM_DATA & 0xffff
	lw	$11, 64($8)		/* with cache operations? */
	move	$4, $0
	li	$9, 1
1:	lui	$10, 0x2402		/* addiu $2, $0, ... */
	or	$10, $10, $9
	sw	$10, 0($8)
	beqz	$11, 2f
	 nop
	synci	0($8)
	sync
2:	jalr	$8
	 nop
	daddu	$4, $4, $2
	addiu	$9, $9, 1
	slti	$10, $9, 101
	bnez	$10, 1b
	 nop
	syscall
	b	.
	 nop
	.size jit_program, . - jit_program
	.balign 4096
	.globl jit_page
jit_page:
	.word	0
	jr	$31
	 nop
	.balign 64
	.word	0
	.balign 4096
