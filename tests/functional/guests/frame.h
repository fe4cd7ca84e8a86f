/* SPDX-License-Identifier: BSD-2-Clause */
/* What the assembler and the C part of the test guest agree on. */
#ifndef GUEST_FRAME_H
#define GUEST_FRAME_H

#define FRAME_VECTOR   0x100
#define FRAME_HI       0x108
#define FRAME_LO       0x110
#define FRAME_EPC      0x118
#define FRAME_BADVADDR 0x120
#define FRAME_CAUSE    0x128
#define FRAME_STATUS   0x130
#define FRAME_SIZE     0x138

/* Where the program of the test guest finds its code and its data. */
#define PROGRAM_CODE 0x400000
#define PROGRAM_DATA 0x401000

#endif
