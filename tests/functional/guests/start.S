/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry and exception vectors of the test guest. The frame's layout is that of struct frame in guest.h. */
#include "frame.h"

	.set noreorder
	.set noat

	/* EBase points here. Each vector passes its own offset on in k1. */
	.section .vectors, "ax"
	.globl vectors
	.type vectors, @function
vectors:
	j	trap
	 li	$27, 0x000	/* TLB refill */
	.org 0x080
	j	trap
	 li	$27, 0x080	/* XTLB refill */
	.org 0x180
	j	trap
	 li	$27, 0x180	/* general */
	.org 0x200
	j	trap
	 li	$27, 0x200	/* interrupt */
	.org 0x280
	.size vectors, . - vectors

	/* These take an exception at each exception. */
	.balign 4096
	.globl broken_vectors
	.type broken_vectors, @function
broken_vectors:
	.rept 0x280 / 8
	lw	$0, 0($0)
	nop
	.endr
	.size broken_vectors, . - broken_vectors

	.text
	.globl _start
	.type _start, @function
_start:
	lui	$29, %hi(stack_top)
	addiu	$29, $29, %lo(stack_top)
	/* The arguments of the boot protocol are those of main(). */
	jal	main
	 nop
1:	b	1b
	 nop
	.size _start, . - _start

	.type trap, @function
trap:
	lui	$26, %hi(frame)
	addiu	$26, $26, %lo(frame)
	.irp	r, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,28,29,30,31
	sd	$\r, (8 * \r)($26)
	.endr
	sd	$27, FRAME_VECTOR($26)
	mfhi	$8
	sd	$8, FRAME_HI($26)
	mflo	$8
	sd	$8, FRAME_LO($26)
	dmfc0	$8, $14
	sd	$8, FRAME_EPC($26)
	dmfc0	$8, $8
	sd	$8, FRAME_BADVADDR($26)
	mfc0	$8, $13
	sd	$8, FRAME_CAUSE($26)
	mfc0	$8, $12
	sd	$8, FRAME_STATUS($26)
	lui	$29, %hi(trap_stack_top)
	addiu	$29, $29, %lo(trap_stack_top)
	jal	on_trap
	 move	$4, $26
	/* on_trap() may have changed the frame. */
	lui	$26, %hi(frame)
	addiu	$26, $26, %lo(frame)
	ld	$8, FRAME_STATUS($26)
	mtc0	$8, $12
	ld	$8, FRAME_EPC($26)
	dmtc0	$8, $14
	ld	$8, FRAME_HI($26)
	mthi	$8
	ld	$8, FRAME_LO($26)
	mtlo	$8
	.irp	r, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,28,29,30,31
	ld	$\r, (8 * \r)($26)
	.endr
	ehb
	eret
	.size trap, . - trap

	/* run_program(status): enters the program with this Status. Comes back at program_done, where on_trap() sends us. */
	.globl run_program
	.type run_program, @function
run_program:
	lui	$26, %hi(kept)
	addiu	$26, $26, %lo(kept)
	.irp	r, 16,17,18,19,20,21,22,23,28,29,30,31
	sd	$\r, (8 * \r)($26)
	.endr
	lui	$8, PROGRAM_CODE >> 16
	dmtc0	$8, $14
	mtc0	$4, $12
	ehb
	eret
	.globl program_done
program_done:
	lui	$26, %hi(kept)
	addiu	$26, $26, %lo(kept)
	.irp	r, 16,17,18,19,20,21,22,23,28,29,30,31
	ld	$\r, (8 * \r)($26)
	.endr
	jr	$31
	 nop
	.size run_program, . - run_program

	/* A program: changes its data page, asks the kernel for its last word. Two pages, mapped as one pair. */
	.balign 8192
	.globl program
	.type program, @function
program:
	lui	$8, PROGRAM_DATA >> 16
	ori	$8, $8, PROGRAM_DATA & 0xffff
	lw	$9, 0($8)
	addiu	$9, $9, 1
	sw	$9, 0($8)
	move	$4, $9
	syscall
	b	.
	 nop
	.size program, . - program
	.balign 4096
	.globl program_data
program_data:
	.word	41
	.balign 4096

	.bss
	.balign 16
	.globl frame
frame:
	.space FRAME_SIZE
	.balign 16
kept:
	.space 8 * 32
	.balign 16
	.space 8192
stack_top:
	.space 8192
trap_stack_top:
