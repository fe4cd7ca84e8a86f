/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtual machine control block of AMD SVM: APM volume 2, chapter 15 and appendix B. */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include <stddef.h>
#include <stdint.h>

/* Intercepts, word 3 (offset 0x0c) and word 4 (offset 0x10) of the control area */
#define SVM_INTERCEPT_INTR      (1u << 0)
#define SVM_INTERCEPT_NMI       (1u << 1)
#define SVM_INTERCEPT_SMI       (1u << 2)
#define SVM_INTERCEPT_INIT      (1u << 3)
#define SVM_INTERCEPT_RDPMC     (1u << 15)
#define SVM_INTERCEPT_CPUID     (1u << 18)
#define SVM_INTERCEPT_RSM       (1u << 19)
#define SVM_INTERCEPT_IRET      (1u << 20)
#define SVM_INTERCEPT_INVD      (1u << 22)
#define SVM_INTERCEPT_PAUSE     (1u << 23)
#define SVM_INTERCEPT_HLT       (1u << 24)
#define SVM_INTERCEPT_INVLPGA   (1u << 26)
#define SVM_INTERCEPT_IO        (1u << 27)
#define SVM_INTERCEPT_MSR       (1u << 28)
#define SVM_INTERCEPT_FREEZE    (1u << 30)
#define SVM_INTERCEPT_SHUTDOWN  (1u << 31)
#define SVM_INTERCEPT4_VMRUN    (1u << 0)
#define SVM_INTERCEPT4_VMMCALL  (1u << 1)
#define SVM_INTERCEPT4_VMLOAD   (1u << 2)
#define SVM_INTERCEPT4_VMSAVE   (1u << 3)
#define SVM_INTERCEPT4_STGI     (1u << 4)
#define SVM_INTERCEPT4_CLGI     (1u << 5)
#define SVM_INTERCEPT4_SKINIT   (1u << 6)
#define SVM_INTERCEPT4_WBINVD   (1u << 9)
#define SVM_INTERCEPT4_MONITOR  (1u << 10)
#define SVM_INTERCEPT4_MWAIT    (1u << 11)
#define SVM_INTERCEPT4_MWAIT_IF (1u << 12)

/* TLB control (15.16.1) */
#define SVM_TLB_KEEP       0u
#define SVM_TLB_FLUSH_ALL  1u
#define SVM_TLB_FLUSH_ASID 3u /* with CPUID 8000000A EDX bit 6 */

/* Virtual interrupts (15.21.4) */
#define SVM_V_TPR_MASK     0xffu
#define SVM_V_IRQ          (1u << 8)
#define SVM_V_GIF          (1u << 9) /* 15.33: the guest's own GIF, with CPUID 8000000A EDX bit 16 */
#define SVM_V_PRIO_SHIFT   16u
#define SVM_V_IGN_TPR      (1u << 20)
#define SVM_V_INTR_MASKING (1u << 24)
#define SVM_V_GIF_ENABLE   (1u << 25)

/* Entries of nested page tables: present, writable, a user's, as every access is one (15.25.5) */
#define NPT_ALL   0x007ull
#define NPT_WRITE 0x002ull
#define NPT_LARGE 0x080ull
#define NPT_NX    ((uint64_t)1 << 63)

/* Clean bits (15.15.3): what has not changed since the last exit */
#define SVM_CLEAN_INTERCEPTS (1u << 0)
#define SVM_CLEAN_IOPM       (1u << 1)
#define SVM_CLEAN_ASID       (1u << 2)
#define SVM_CLEAN_TPR        (1u << 3)
#define SVM_CLEAN_NP         (1u << 4)
#define SVM_CLEAN_CRX        (1u << 5)
#define SVM_CLEAN_DRX        (1u << 6)
#define SVM_CLEAN_DT         (1u << 7)
#define SVM_CLEAN_SEG        (1u << 8)
#define SVM_CLEAN_CR2        (1u << 9)
#define SVM_CLEAN_LBR        (1u << 10)
#define SVM_CLEAN_ALL        0x7ffu

/* Exit codes (appendix C) */
#define SVM_EXIT_EXCEPTION 0x040u /* + vector */
#define SVM_EXIT_INTR      0x060u
#define SVM_EXIT_NMI       0x061u
#define SVM_EXIT_SMI       0x062u
#define SVM_EXIT_INIT      0x063u
#define SVM_EXIT_RDPMC     0x06fu
#define SVM_EXIT_CPUID     0x072u
#define SVM_EXIT_RSM       0x073u
#define SVM_EXIT_IRET      0x074u
#define SVM_EXIT_INVD      0x076u
#define SVM_EXIT_PAUSE     0x077u
#define SVM_EXIT_HLT       0x078u
#define SVM_EXIT_INVLPGA   0x07au
#define SVM_EXIT_IOIO      0x07bu
#define SVM_EXIT_MSR       0x07cu
#define SVM_EXIT_FREEZE    0x07eu
#define SVM_EXIT_SHUTDOWN  0x07fu
#define SVM_EXIT_VMRUN     0x080u
#define SVM_EXIT_VMMCALL   0x081u
#define SVM_EXIT_VMLOAD    0x082u
#define SVM_EXIT_VMSAVE    0x083u
#define SVM_EXIT_STGI      0x084u
#define SVM_EXIT_CLGI      0x085u
#define SVM_EXIT_SKINIT    0x086u
#define SVM_EXIT_WBINVD    0x089u
#define SVM_EXIT_MONITOR   0x08au
#define SVM_EXIT_MWAIT     0x08bu
#define SVM_EXIT_MWAIT_IF  0x08cu
#define SVM_EXIT_NPF       0x400u
#define SVM_EXIT_INVALID   UINT64_MAX

/* EXITINFO1 of IOIO (15.10.2) */
#define SVM_IO_IN         (1u << 0)
#define SVM_IO_STRING     (1u << 2)
#define SVM_IO_REPEAT     (1u << 3)
#define SVM_IO_SIZE_SHIFT 4u
#define SVM_IO_PORT_SHIFT 16u

/* EXITINFO1 of a nested page fault (15.25.6): the error code of a page fault, and more */
#define SVM_NPF_WRITE (1u << 1)
#define SVM_NPF_FETCH (1u << 4)

/** A segment register. */
struct vmcb_segment {
	uint16_t selector, attributes;
	uint32_t limit;
	uint64_t base;
};

/** The control area and the state save area. */
struct vmcb {
	uint32_t intercept_cr, intercept_dr, intercept_exceptions, intercept3, intercept4, intercept5;
	uint8_t reserved0[0x3c - 0x18];
	uint16_t pause_threshold, pause_count;
	uint64_t iopm, msrpm;
	uint64_t tsc_offset;
	uint32_t asid;
	uint8_t tlb_control, reserved1[3];
	uint32_t v_intr, v_vector; /**< V_TPR ... and V_INTR_VECTOR */
	uint64_t interrupt_shadow;
	uint64_t exit_code, exit_info1, exit_info2;
	uint32_t exit_event, exit_event_error;
	uint64_t nested_control; /**< bit 0: nested paging */
	uint8_t reserved2[0xa8 - 0x98];
	uint32_t event, event_error;
	uint64_t nested_cr3;
	uint64_t lbr_control;
	uint32_t clean, reserved3;
	uint64_t next_rip;
	uint8_t nr_bytes, bytes[15];
	uint8_t reserved4[0x400 - 0xe0];
	/* state save area */
	struct vmcb_segment segments[10]; /**< ES CS SS DS FS GS GDTR LDTR IDTR TR */
	uint8_t reserved5[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved6;
	uint64_t efer;
	uint8_t reserved7[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved8[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved9[0x5f8 - 0x5e0];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved10[0x668 - 0x648];
	uint64_t pat, debug_control, last_branch[4];
	uint8_t reserved11[0x1000 - 0x698];
};

#define VMCB_AT(member, offset) _Static_assert(offsetof(struct vmcb, member) == (offset), #member)
VMCB_AT(pause_threshold, 0x3c);
VMCB_AT(iopm, 0x40);
VMCB_AT(tsc_offset, 0x50);
VMCB_AT(asid, 0x58);
VMCB_AT(v_intr, 0x60);
VMCB_AT(interrupt_shadow, 0x68);
VMCB_AT(exit_code, 0x70);
VMCB_AT(exit_event, 0x88);
VMCB_AT(nested_control, 0x90);
VMCB_AT(event, 0xa8);
VMCB_AT(nested_cr3, 0xb0);
VMCB_AT(clean, 0xc0);
VMCB_AT(next_rip, 0xc8);
VMCB_AT(nr_bytes, 0xd0);
VMCB_AT(segments, 0x400);
VMCB_AT(cpl, 0x4cb);
VMCB_AT(efer, 0x4d0);
VMCB_AT(cr4, 0x548);
VMCB_AT(rip, 0x578);
VMCB_AT(rsp, 0x5d8);
VMCB_AT(rax, 0x5f8);
VMCB_AT(cr2, 0x640);
VMCB_AT(pat, 0x668);
_Static_assert(sizeof(struct vmcb) == 0x1000, "a VMCB is a page");

#endif
