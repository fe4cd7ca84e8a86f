/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers of Intel VMX: fields of the virtual-machine control structure (Intel SDM 3D, appendix B), controls (3C, 24.6
 * to 24.8), reasons of exits (3D, appendix C), capability MSRs (3D, appendix A).
 */
#ifndef VMX_VMCS_H
#define VMX_VMCS_H

#include <stdint.h>

/* Capability MSRs */
#define MSR_FEATURE_CONTROL  0x3au
#define MSR_VMX_BASIC        0x480u
#define MSR_VMX_PIN          0x481u
#define MSR_VMX_CPU          0x482u
#define MSR_VMX_EXIT         0x483u
#define MSR_VMX_ENTRY        0x484u
#define MSR_VMX_MISC         0x485u
#define MSR_VMX_CR0_FIXED0   0x486u
#define MSR_VMX_CR0_FIXED1   0x487u
#define MSR_VMX_CR4_FIXED0   0x488u
#define MSR_VMX_CR4_FIXED1   0x489u
#define MSR_VMX_CPU2         0x48bu
#define MSR_VMX_EPT_VPID_CAP 0x48cu
#define MSR_VMX_TRUE_PIN     0x48du
#define MSR_VMX_TRUE_CPU     0x48eu
#define MSR_VMX_TRUE_EXIT    0x48fu
#define MSR_VMX_TRUE_ENTRY   0x490u

#define FEATURE_CONTROL_LOCK (1u << 0)
#define FEATURE_CONTROL_VMX  (1u << 2) /* outside of SMX */
#define BASIC_REVISION       0x7fffffffu
#define BASIC_TRUE           ((uint64_t)1 << 55)

/* Pin-based controls */
#define PIN_INTERRUPT   (1u << 0)
#define PIN_NMI         (1u << 3)
#define PIN_VIRTUAL_NMI (1u << 5)
#define PIN_PREEMPTION  (1u << 6)
#define PIN_POSTED      (1u << 7)

/* Primary processor-based controls */
#define CPU_INTERRUPT_WINDOW (1u << 2)
#define CPU_HLT              (1u << 7)
#define CPU_INVLPG           (1u << 9)
#define CPU_MWAIT            (1u << 10)
#define CPU_RDPMC            (1u << 11)
#define CPU_CR3_LOAD         (1u << 15)
#define CPU_CR3_STORE        (1u << 16)
#define CPU_CR8_LOAD         (1u << 19)
#define CPU_CR8_STORE        (1u << 20)
#define CPU_TPR_SHADOW       (1u << 21)
#define CPU_NMI_WINDOW       (1u << 22)
#define CPU_IO_BITMAPS       (1u << 25)
#define CPU_MSR_BITMAPS      (1u << 28)
#define CPU_MONITOR          (1u << 29)
#define CPU_SECONDARY        (1u << 31)

/* Secondary processor-based controls */
#define CPU2_APIC_ACCESSES  (1u << 0)
#define CPU2_EPT            (1u << 1)
#define CPU2_RDTSCP         (1u << 3)
#define CPU2_X2APIC         (1u << 4)
#define CPU2_VPID           (1u << 5)
#define CPU2_WBINVD         (1u << 6)
#define CPU2_UNRESTRICTED   (1u << 7)
#define CPU2_APIC_REGISTERS (1u << 8)
#define CPU2_APIC_DELIVERY  (1u << 9)
#define CPU2_PAUSE_LOOP     (1u << 10)

/* What an APIC that the CPU has taken over needs of them, by its mode */
#define CPU2_IN_X2APIC (CPU2_X2APIC | CPU2_APIC_DELIVERY)
#define CPU2_IN_XAPIC  (CPU2_APIC_ACCESSES | CPU2_APIC_REGISTERS | CPU2_APIC_DELIVERY)

/* Exit controls */
#define EXIT_SAVE_DEBUG (1u << 2)
#define EXIT_HOST_64    (1u << 9)
#define EXIT_ACK        (1u << 15) /* interrupts that exit are acknowledged, and their vectors told */
#define EXIT_SAVE_PAT   (1u << 18)
#define EXIT_LOAD_PAT   (1u << 19)
#define EXIT_SAVE_EFER  (1u << 20)
#define EXIT_LOAD_EFER  (1u << 21)

/* Entry controls */
#define ENTRY_LOAD_DEBUG (1u << 2)
#define ENTRY_IA32E      (1u << 9) /* the guest is in 64-bit or compatibility mode */
#define ENTRY_LOAD_PAT   (1u << 14)
#define ENTRY_LOAD_EFER  (1u << 15)

/* EPT_VPID_CAP (A.10) */
#define EPT_CAP_WALK_4        (1u << 6)
#define EPT_CAP_WB            (1u << 14)
#define EPT_CAP_2MIB          (1u << 16)
#define EPT_CAP_1GIB          (1u << 17)
#define EPT_CAP_INVEPT        (1u << 20)
#define EPT_CAP_INVEPT_SINGLE (1u << 25)
#define EPT_CAP_INVEPT_ALL    (1u << 26)
#define VPID_CAP_INVVPID      ((uint64_t)1 << 32)
#define VPID_CAP_SINGLE       ((uint64_t)1 << 41)
#define VPID_CAP_ALL          ((uint64_t)1 << 42)

/* MISC (A.6) */
#define MISC_TIMER_RATE 0x1fu
#define MISC_STORES_LMA (1u << 5)

/* Entries and pointer of the extended page tables (28.2.2, 24.6.11) */
#define EPT_READ    (1u << 0)
#define EPT_WRITE   (1u << 1)
#define EPT_EXECUTE (1u << 2)
#define EPT_TYPE_WB (6u << 3)
#define EPT_LARGE   (1u << 7)
#define EPTP_WB     6u
#define EPTP_WALK_4 (3u << 3)

/* Fields. The upper bits tell the width: 0 16 bits, 2 64 bits, 4 32 bits, 6 natural. */
enum vmcs_field {
	VMCS_VPID = 0x0000,
	VMCS_POSTED_VECTOR = 0x0002,
	VMCS_GUEST_SELECTOR = 0x0800, /* + 2 * ES CS SS DS FS GS LDTR TR */
	VMCS_GUEST_INTERRUPT = 0x0810,
	VMCS_HOST_ES = 0x0c00,
	VMCS_HOST_CS = 0x0c02,
	VMCS_HOST_SS = 0x0c04,
	VMCS_HOST_DS = 0x0c06,
	VMCS_HOST_FS = 0x0c08,
	VMCS_HOST_GS = 0x0c0a,
	VMCS_HOST_TR = 0x0c0c,
	VMCS_IO_BITMAP_A = 0x2000,
	VMCS_IO_BITMAP_B = 0x2002,
	VMCS_MSR_BITMAP = 0x2004,
	VMCS_ENTRY_MSR_LOAD = 0x200a,
	VMCS_VIRTUAL_APIC = 0x2012,
	VMCS_APIC_ACCESS = 0x2014,
	VMCS_POSTED = 0x2016,
	VMCS_EPT_POINTER = 0x201a,
	VMCS_EOI_EXIT = 0x201c, /* + 2 * 0 to 3: 64 vectors each */
	VMCS_GUEST_PHYSICAL = 0x2400,
	VMCS_LINK_POINTER = 0x2800,
	VMCS_GUEST_DEBUGCTL = 0x2802,
	VMCS_GUEST_PAT = 0x2804,
	VMCS_GUEST_EFER = 0x2806,
	VMCS_GUEST_PDPTE = 0x280a, /* + 2 * 0 to 3 */
	VMCS_HOST_PAT = 0x2c00,
	VMCS_HOST_EFER = 0x2c02,
	VMCS_PIN = 0x4000,
	VMCS_CPU = 0x4002,
	VMCS_EXCEPTIONS = 0x4004,
	VMCS_FAULT_MASK = 0x4006,
	VMCS_FAULT_MATCH = 0x4008,
	VMCS_CR3_TARGETS = 0x400a,
	VMCS_EXIT = 0x400c,
	VMCS_EXIT_MSR_STORES = 0x400e,
	VMCS_EXIT_MSR_LOADS = 0x4010,
	VMCS_ENTRY = 0x4012,
	VMCS_ENTRY_MSR_LOADS = 0x4014,
	VMCS_ENTRY_EVENT = 0x4016,
	VMCS_ENTRY_ERROR = 0x4018,
	VMCS_ENTRY_LENGTH = 0x401a,
	VMCS_TPR_THRESHOLD = 0x401c,
	VMCS_CPU2 = 0x401e,
	VMCS_PAUSE_GAP = 0x4020,
	VMCS_PAUSE_WINDOW = 0x4022,
	VMCS_INSTRUCTION_ERROR = 0x4400,
	VMCS_REASON = 0x4402,
	VMCS_EXIT_EVENT = 0x4404,
	VMCS_EXIT_ERROR = 0x4406,
	VMCS_VECTORING_EVENT = 0x4408,
	VMCS_VECTORING_ERROR = 0x440a,
	VMCS_EXIT_LENGTH = 0x440c,
	VMCS_GUEST_LIMIT = 0x4800,  /* + 2 * ES CS SS DS FS GS LDTR TR GDTR IDTR */
	VMCS_GUEST_ACCESS = 0x4814, /* + 2 * ES CS SS DS FS GS LDTR TR */
	VMCS_GUEST_BLOCKING = 0x4824,
	VMCS_GUEST_ACTIVITY = 0x4826,
	VMCS_GUEST_SYSENTER_CS = 0x482a,
	VMCS_PREEMPTION_TIMER = 0x482e,
	VMCS_HOST_SYSENTER_CS = 0x4c00,
	VMCS_CR0_MASK = 0x6000,
	VMCS_CR4_MASK = 0x6002,
	VMCS_CR0_SHADOW = 0x6004,
	VMCS_CR4_SHADOW = 0x6006,
	VMCS_QUALIFICATION = 0x6400,
	VMCS_GUEST_CR0 = 0x6800,
	VMCS_GUEST_CR3 = 0x6802,
	VMCS_GUEST_CR4 = 0x6804,
	VMCS_GUEST_BASE = 0x6806, /* + 2 * ES CS SS DS FS GS LDTR TR GDTR IDTR */
	VMCS_GUEST_DR7 = 0x681a,
	VMCS_GUEST_RSP = 0x681c,
	VMCS_GUEST_RIP = 0x681e,
	VMCS_GUEST_RFLAGS = 0x6820,
	VMCS_GUEST_PENDING_DEBUG = 0x6822,
	VMCS_GUEST_SYSENTER_ESP = 0x6824,
	VMCS_GUEST_SYSENTER_EIP = 0x6826,
	VMCS_HOST_CR0 = 0x6c00,
	VMCS_HOST_CR3 = 0x6c02,
	VMCS_HOST_CR4 = 0x6c04,
	VMCS_HOST_FS_BASE = 0x6c06,
	VMCS_HOST_GS_BASE = 0x6c08,
	VMCS_HOST_TR_BASE = 0x6c0a,
	VMCS_HOST_GDTR_BASE = 0x6c0c,
	VMCS_HOST_IDTR_BASE = 0x6c0e,
	VMCS_HOST_SYSENTER_ESP = 0x6c10,
	VMCS_HOST_SYSENTER_EIP = 0x6c12,
	VMCS_HOST_RSP = 0x6c14, /* entry.S knows this one */
	VMCS_HOST_RIP = 0x6c16,
};

/* Access rights of segments (24.4.1): bits 7:0 as in descriptors, bits 15:12 as there 11:8 of X86_SEG_* */
#define ACCESS_UNUSABLE (1u << 16)

/* Interruptibility (24.4.2) */
#define BLOCKING_STI    (1u << 0)
#define BLOCKING_MOV_SS (1u << 1)
#define BLOCKING_NMI    (1u << 3)

/* Pending debug exceptions (table 24-4) */
#define PENDING_BS ((uint64_t)1 << 14)

/* Exit reasons */
#define REASON_EXCEPTION        0u
#define REASON_INTERRUPT        1u
#define REASON_TRIPLE_FAULT     2u
#define REASON_INIT             3u
#define REASON_SIPI             4u
#define REASON_INTERRUPT_WINDOW 7u
#define REASON_NMI_WINDOW       8u
#define REASON_TASK_SWITCH      9u
#define REASON_CPUID            10u
#define REASON_GETSEC           11u
#define REASON_HLT              12u
#define REASON_INVD             13u
#define REASON_RDPMC            15u
#define REASON_RSM              17u
#define REASON_VMCALL           18u
#define REASON_VMCLEAR          19u
#define REASON_VMXON            27u /* the last of VMX's own instructions that follow each other */
#define REASON_CR               28u
#define REASON_IO               30u
#define REASON_RDMSR            31u
#define REASON_WRMSR            32u
#define REASON_GUEST_STATE      33u
#define REASON_MSR_LOAD         34u
#define REASON_MWAIT            36u
#define REASON_MONITOR          39u
#define REASON_PAUSE            40u
#define REASON_MACHINE_CHECK    41u
#define REASON_TPR              43u
#define REASON_APIC_ACCESS      44u
#define REASON_EOI              45u
#define REASON_EPT              48u
#define REASON_EPT_MISCONFIG    49u
#define REASON_INVEPT           50u
#define REASON_PREEMPTION       52u
#define REASON_INVVPID          53u
#define REASON_WBINVD           54u
#define REASON_XSETBV           55u
#define REASON_APIC_WRITE       56u
#define REASON_ENTRY_FAILED     (1u << 31)

/* Qualification of an access to a control register (table 27-3) */
#define CR_NUMBER(q)   ((q)&15u)
#define CR_TYPE(q)     ((q) >> 4 & 3u)
#define CR_REGISTER(q) ((q) >> 8 & 15u)
#define CR_TO          0u
#define CR_FROM        1u

/* Qualification of an access to the APIC-access page (table 27-6) */
#define APIC_ACCESS_OFFSET(q) ((q)&0xfffu)
#define APIC_ACCESS_TYPE(q)   ((q) >> 12 & 15u)
#define APIC_ACCESS_WRITE     1u
#define APIC_ACCESS_FETCH     2u

/* Qualification of I/O (table 27-5) */
#define IO_SIZE(q) (((q)&7u) + 1)
#define IO_IN      (1u << 3)
#define IO_STRING  (1u << 4)
#define IO_REPEAT  (1u << 5)
#define IO_PORT(q) ((uint16_t)((q) >> 16))

/* Qualification of an EPT violation (table 27-7) */
#define EPT_VIOLATION_WRITE    (1u << 1)
#define EPT_VIOLATION_FETCH    (1u << 2)
#define EPT_VIOLATION_UNBLOCKS (1u << 12) /* it was in an IRET, which had ended the blocking of NMIs */

/* Event words: bit 12 of an exception's tells the same; of an NMI or exception the rest is hvm_event_word()'s */
#define EVENT_UNBLOCKS (1u << 12)

#endif
