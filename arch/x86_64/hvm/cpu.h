/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual x86-64 CPU on a host CPU with hardware virtualization: what is common to AMD SVM and Intel VMX.
 * Bits and layouts: Intel SDM volume 3A, AMD64 Architecture Programmer's Manual (APM) volume 2.
 */
#ifndef HVM_CPU_H
#define HVM_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/engine.h>
#include <husk/vcpu.h>
#include <husk/vm.h>

/* SDM 3A, 2.5; 2.2.1 (EFER); SDM 1, 3.4.3 (RFLAGS) */
#define X86_CR0_PE      (1u << 0)
#define X86_CR0_ET      (1u << 4)
#define X86_CR0_NE      (1u << 5)
#define X86_CR0_WP      (1u << 16)
#define X86_CR0_NW      (1u << 29)
#define X86_CR0_CD      (1u << 30)
#define X86_CR0_PG      (1u << 31)
#define X86_CR4_PSE     (1u << 4)
#define X86_CR4_PAE     (1u << 5)
#define X86_CR4_LA57    (1u << 12)
#define X86_CR4_OSXSAVE (1u << 18)
#define X86_EFER_SCE    (1u << 0)
#define X86_EFER_LME    (1u << 8)
#define X86_EFER_LMA    (1u << 10)
#define X86_EFER_NXE    (1u << 11)
#define X86_EFER_SVME   (1u << 12)
#define X86_RFLAGS_ONE  (1u << 1)
#define X86_RFLAGS_TF   (1u << 8)
#define X86_RFLAGS_IF   (1u << 9)
#define X86_RFLAGS_DF   (1u << 10)
#define X86_RFLAGS_RF   (1u << 16)

/* Exceptions: SDM 3A, table 6-1 */
#define X86_DB 1u
#define X86_UD 6u
#define X86_GP 13u
#define X86_PF 14u
#define X86_AC 17u
#define X86_MC 18u

/* Values after a reset (SDM 3A, table 9-1; PAT: 11.12.4) */
#define X86_PAT_RESET 0x0007040600070406ull
#define X86_DR6_RESET 0xffff0ff0u
#define X86_DR7_RESET 0x400u

/** General registers by their number in instructions (SDM 2A, 2.1.5): indexes of x86_cpu.gpr. */
enum { X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI, X86_GPRS = 16 };

/** Segment registers by their number in instructions, then the system's. */
enum x86_segment_number {
	X86_ES,
	X86_CS,
	X86_SS,
	X86_DS,
	X86_FS,
	X86_GS,
	X86_LDTR,
	X86_TR,
	X86_GDTR,
	X86_IDTR,
	X86_SEGMENTS
};

/* Attributes of a segment: bytes 5 and 6 of its descriptor without the limit (SDM 3A, 3.4.5). */
#define X86_SEG_DPL(attributes) ((attributes) >> 5 & 3u)
#define X86_SEG_PRESENT         (1u << 7)
#define X86_SEG_LONG            (1u << 9)  /**< code: 64 bits */
#define X86_SEG_BIG             (1u << 10) /**< D/B: 32 bits */
#define X86_SEG_CODE16          0x09bu
#define X86_SEG_DATA16          0x093u
#define X86_SEG_CODE32          0xc9bu /* present, accessed, readable code; D, G */
#define X86_SEG_CODE64          0xa9bu
#define X86_SEG_DATA32          0xc93u
#define X86_SEG_TSS             0x08bu /* busy TSS, 32 or 64 bits */
#define X86_SEG_LDT             0x082u

/** A segment register with its hidden part. */
struct x86_segment {
	uint16_t selector;
	uint16_t attributes; /**< X86_SEG_*; not used by GDTR and IDTR */
	uint32_t limit;      /**< in bytes */
	uint64_t base;
};

/** System registers that only the vendor's code has, see hvm_ops. */
enum x86_control { X86_CR0, X86_CR2, X86_CR3, X86_CR4, X86_CR8, X86_EFER, X86_DR6, X86_DR7, X86_CONTROLS };

/** Kinds of events, by their numbers in both vendors' injection fields (APM 2, 15.20; SDM 3C, 24.8.3). */
enum x86_event_type { X86_EVENT_INTERRUPT = 0, X86_EVENT_NMI = 2, X86_EVENT_EXCEPTION = 3, X86_EVENT_SOFTWARE = 4 };

/** An event that is delivered to the guest when it is entered. */
struct x86_event {
	bool valid, has_error;
	uint8_t type, vector;
	uint8_t length; /**< of the instruction, if it was one that raised it (INT n and the like) */
	uint32_t error;
};

struct x86_cpu;

/**
 * Something that raises interrupts: a local APIC, or the upcall of a paravirtual interface. Those registered first
 * win. A source that has something new kicks the vCPU with ATTN_IRQ.
 */
struct x86_interrupts {
	struct x86_interrupts *next; /**< set by x86_add_interrupts() */
	/** Vector that the source wants delivered now, or -1. Must not change anything. */
	int (*pending)(struct x86_interrupts *source);
	/** The vector it just named is being delivered. May be NULL. */
	void (*accepted)(struct x86_interrupts *source, uint8_t vector);
	bool ignores_priority; /**< delivered whatever CR8 says */
	/** True while the CPU delivers what is pending by itself. NULL: never. */
	bool (*taken_over)(const struct x86_interrupts *source);
};

/** How a local APIC is used: not at all, or by its page of registers (xAPIC mode), or by MSRs (x2APIC mode). */
enum x86_apic_mode { X86_APIC_OFF, X86_APIC_X1, X86_APIC_X2 };

/** A local APIC, for a CPU that takes its registers over while the guest runs. Called on the CPU of its vCPU. */
struct x86_virtual_apic {
	/** Its mode; X86_APIC_OFF also while it is disabled by software. */
	enum x86_apic_mode (*mode)(const struct x86_virtual_apic *v);
	/** The guest has ended a level-triggered interrupt. */
	void (*ended)(struct x86_virtual_apic *v, uint8_t vector);
	/**
	 * In xAPIC mode: puts what registers read as into a page of registers, at their offsets (SDM 3A, table 10-1), all
	 * but the task priority and the 256-bit ones.
	 */
	void (*show)(struct x86_virtual_apic *v, uint8_t *page);
	/** In xAPIC mode: the guest has written the register at an offset of the page, which has the value. */
	void (*written)(struct x86_virtual_apic *v, const uint8_t *page, unsigned offset);
	uint64_t page;               /**< guest physical address of the page of registers */
	uint32_t *request, *service; /**< 256 bits each, by vector, to be kept up to date at exits */
	const uint32_t *level;       /**< vectors whose end is told */
};

/** What became of an access to an MSR. */
enum x86_msr_result { X86_MSR_UNKNOWN, X86_MSR_DONE, X86_MSR_FAULT };

/** What became of a hypercall. AGAIN: it is executed once more, after a look at the attention word. */
enum x86_call_result { X86_CALL_UNKNOWN, X86_CALL_DONE, X86_CALL_AGAIN };

/** What CPUID answers. */
struct x86_cpuid {
	uint32_t eax, ebx, ecx, edx;
};

/**
 * What a feature adds to the CPU: asked in the order of registration, members may be NULL. Each feature embeds one in
 * its own state.
 */
struct x86_extension {
	struct x86_extension *next; /**< set by x86_add_extension() */
	/** Completes or replaces what the policy answers to CPUID. */
	void (*cpuid)(struct x86_extension *x, struct x86_cpu *c, uint32_t leaf, uint32_t subleaf,
		      struct x86_cpuid *out);
	/** MSRs of the feature. X86_MSR_FAULT raises #GP in the guest. */
	enum x86_msr_result (*read_msr)(struct x86_extension *x, struct x86_cpu *c, uint32_t msr, uint64_t *value);
	enum x86_msr_result (*write_msr)(struct x86_extension *x, struct x86_cpu *c, uint32_t msr, uint64_t value);
	/** VMMCALL or VMCALL. */
	enum x86_call_result (*call)(struct x86_extension *x, struct x86_cpu *c);
	/** Device in memory that only this CPU sees, with its base and size set; NULL: none now. */
	struct device *device;
	/** Prints a line of state for reports, with log_text(). */
	void (*print)(struct x86_extension *x);
	/** The CPU was reset. */
	void (*reset)(struct x86_extension *x, struct x86_cpu *c);
	/** In images for several vCPUs: takes what other vCPUs have left, before the guest is entered. */
	void (*take)(struct x86_extension *x, struct x86_cpu *c);
};

/** Why the guest was left, the last times, for reports. */
struct x86_exit_record {
	uint64_t rip, code, info1, info2;
};

#define X86_EXIT_HISTORY 16u
#define X86_EXIT_CAUSES  24u

struct hvm_ops;
struct local_apic;
struct x86_posted;
struct xen_x86;

/** A vCPU of engine hvm. */
struct x86_cpu {
	struct vcpu vcpu; /* first: the core's view */
	uint64_t gpr[X86_GPRS];
	uint64_t rip, rflags;
	const struct hvm_ops *hvm;
	void *state;             /**< the vendor's own: VMCB and the like */
	struct x86_event inject; /**< delivered at the next entry */
	bool shadow;             /**< interrupts wait for one more instruction (after STI, MOV SS) */
	bool idle;               /**< executed HLT, or asked to sleep, and nothing has come since */
	bool sleep;              /**< run() comes back with ENGINE_IDLE once */
	bool nmi_pending;        /**< one waits to be delivered */
	bool nmi_blocked;        /**< one is being handled: none is delivered before its IRET */
	bool watch_iret;         /**< IRET exits */
	bool step_iret;          /**< TF is set to hear of the end of that IRET, because another NMI waits */
	uint64_t iret_rip;       /**< where that IRET was */
	struct local_apic *apic; /**< or NULL */
	struct xen_x86 *xen;     /**< the x86 part of the Xen ABI, or NULL */
	bool stopped;            /**< waits to be started; see smp/smp.h, as for the next */
	bool down;               /**< does not run, whatever its state; set from any CPU */
	/** Called when the guest spins on PAUSE for longer than a lock is held. NULL, as with a CPU of its own: it may. */
	void (*spins)(struct x86_cpu *c);
	bool stepping;                         /**< one instruction only: #DB comes back to us */
	bool seen_user;                        /**< has run in user mode since the last reset */
	int window;                            /**< vector that waits until the guest takes interrupts, or -1 */
	struct x86_interrupts *window_source;  /**< ...and where it is from */
	struct x86_virtual_apic *virtual_apic; /**< or NULL */
	uint8_t hardware_apic; /**< modes in which the CPU can take it over: bits 1 << enum x86_apic_mode */
	struct x86_interrupts *interrupts;
	struct x86_extension *extensions;
	void *fpu;                        /**< FXSAVE or XSAVE image of the guest while the host uses the FPU */
	uint64_t xcr0;                    /**< guest's, valid while fpu holds its state */
	uint64_t causes[X86_EXIT_CAUSES]; /**< exits by enum hvm_cause */
	uint64_t exits;                   /**< in all; newest of history at (exits - 1) % X86_EXIT_HISTORY */
	struct x86_exit_record history[X86_EXIT_HISTORY];
	struct x86_posted *posted; /**< interrupts that other CPUs leave, see posted.h; NULL: they do not */
};

/** The x86 view of a vCPU. */
static inline struct x86_cpu *x86_cpu(struct vcpu *v)
{
	return (struct x86_cpu *)v;
}

/** Adds a source of interrupts; it must outlive the vCPU. */
void x86_add_interrupts(struct x86_cpu *c, struct x86_interrupts *source);

/** Adds what a feature has; it must outlive the vCPU. */
void x86_add_extension(struct x86_cpu *c, struct x86_extension *extension);

/** Raises an exception in the guest, at the present rip; `error` counts for those that have a code. */
void x86_raise(struct x86_cpu *c, uint8_t vector, uint32_t error);

/** Power-on state: everything zero, paging off, interrupts off. The machine then sets what its boot protocol wants. */
void x86_reset(struct x86_cpu *c);

/** Privilege level of the guest, 0 to 3. */
unsigned x86_cpl(struct x86_cpu *c);

/** True if the guest executes 64-bit code. */
bool x86_is_64bit(struct x86_cpu *c);

/**
 * Copies from and to guest virtual memory by the guest's page tables, RAM only. Returns 0, or -EFAULT with *bad the
 * first address that is not mapped to RAM (bad may be NULL); part may be copied then.
 */
int x86_read_virtual(struct x86_cpu *c, uint64_t gva, void *buf, uint64_t size, uint64_t *bad);
int x86_write_virtual(struct x86_cpu *c, uint64_t gva, const void *buf, uint64_t size, uint64_t *bad);

/**
 * Reads instruction bytes at rip, as many of `size` as are mapped; returns how many.
 */
unsigned x86_fetch(struct x86_cpu *c, uint8_t *bytes, unsigned size);

/** The guest cannot go on: says `why`, reports registers, code and the last exits, and ends the run. */
void x86_give_up(struct x86_cpu *c, const char *why);

/* The engine's functions of the same names, see engine.h. */
uint64_t x86_get_register(struct vcpu *v, unsigned n);
void x86_set_register(struct vcpu *v, unsigned n, uint64_t value);
int x86_translate(struct vcpu *v, uint64_t gva, uint64_t *gpa);
void x86_print_state(struct vcpu *v);

/** What registers there are, in the order of x86_get_register(). */
extern const struct engine_register x86_registers[];
#define X86_REGISTERS (2u + X86_GPRS + X86_CONTROLS + 2u * X86_SEGMENTS)

#endif
