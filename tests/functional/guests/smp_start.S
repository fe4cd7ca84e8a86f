/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry of the test guest with several cores, on the octeon board: all come here, each takes its own stack. */

	.set noreorder
	.set noat

	/* EBase points here. The only exceptions are interrupts of mailboxes, which count. */
	.section .vectors, "ax"
	.globl vectors
	.type vectors, @function
vectors:
	.rept 0x180 / 8
	b	broken
	 nop
	.endr
	.org 0x180
	b	broken
	 nop
	.org 0x200
	dmfc0	$26, $15, 1
	andi	$26, $26, 0x3ff
	dsll	$26, $26, 3
	lui	$27, %hi(mailbox_clear)
	ld	$27, %lo(mailbox_clear)($27)
	daddu	$27, $27, $26
	ld	$26, 0($27)
	sd	$26, 0($27)	/* clears what was read */
	dmfc0	$26, $15, 1
	andi	$26, $26, 0x3ff
	dsll	$26, $26, 7
	lui	$27, %hi(interrupts)
	addiu	$27, $27, %lo(interrupts)
	daddu	$27, $27, $26
	ld	$26, 0($27)
	daddiu	$26, $26, 1
	sd	$26, 0($27)
	eret
broken:
	b	broken
	 nop
	.size vectors, . - vectors

	.text
	.globl _start
	.type _start, @function
_start:
	dmfc0	$4, $15, 1
	andi	$4, $4, 0x3ff
	lui	$29, %hi(stacks + 8192)
	addiu	$29, $29, %lo(stacks + 8192)
	dsll	$8, $4, 13
	daddu	$29, $29, $8
	jal	main
	 nop
1:	b	1b
	 nop
	.size _start, . - _start

	/* call_barrier(f): calls f() with the hazard of changed code cleared. */
	.globl call_barrier
	.type call_barrier, @function
call_barrier:
	jr.hb	$4
	 nop
	.size call_barrier, . - call_barrier

	.data
	.balign 8
	.globl mailbox_clear
mailbox_clear:
	.dword	0x9001070000000680
	.bss
	.balign 128
	.globl interrupts
interrupts:
	.space 16 * 128
	.balign 16
stacks:
	.space 16 * 8192
