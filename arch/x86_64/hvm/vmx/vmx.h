/* SPDX-License-Identifier: BSD-2-Clause */
/* State of a vCPU and of a host CPU under Intel VMX, and the parts that vmx.c is made of. */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/hvm/cpu.h"
#include "arch/x86_64/hvm/hvm.h"
#include "arch/x86_64/hvm/vmx/capabilities.h"
#include "arch/x86_64/hvm/vmx/state.h"

#define VMX_PAGE 4096u

/**
 * MSRs that neither the VMCS has nor the host uses: they stay in the CPU while its vCPU does. What vCPUs of both vendors
 * have to hand over (DR0 to DR3, TSC_AUX) is not our business.
 */
#define VMX_LIVE_MSRS 5u

/** An MSR for the CPU to load at entry (SDM 3C, table 24-15). */
struct vmx_msr {
	uint32_t msr, reserved;
	uint64_t value;
};

/** A host CPU in VMX operation. */
struct vmx_cpu {
	uint8_t region[VMX_PAGE]; /**< VMXON's */
	struct x86_cpu *loaded;   /**< vCPU whose VMCS is current, and whose registers are in the CPU; NULL: none */
};

/** What belongs to a vCPU. What the hardware wants by physical address comes first, in pages. */
struct vmx {
	uint8_t vmcs[VMX_PAGE];
	uint8_t apic[VMX_PAGE];        /**< virtual-APIC page: the task priority register, and what apic.c has there */
	uint8_t apic_access[VMX_PAGE]; /**< APIC-access page, whose address is all that counts */
	uint8_t io_bitmap[2 * VMX_PAGE];
	uint8_t msr_bitmap[VMX_PAGE];
	struct vmx_msr msrs[VMX_LIVE_MSRS] __attribute__((aligned(16)));
	uint64_t cr2, dr6; /**< and msrs: valid while the vCPU is not loaded */
	struct vmx_state state;
	struct vmx_cpu *cpu; /**< whose CPU has its VMCS; NULL: none has */
	bool launched;
	bool drop;         /**< cached translations are dropped before the next entry */
	uint64_t host_rsp; /**< what the VMCS has, and so on */
	uint32_t cpu_controls, cpu2_controls, tpr_threshold, event, nr_msrs, timer;
	uint64_t ept_root;
	enum x86_apic_mode apic_mode; /**< how the CPU has the local APIC taken over */
	bool apic_paged;              /**< the APIC-access page is mapped where the guest has its APIC */
	bool apic_shown;              /**< the virtual-APIC page has the values of its registers */
	bool posted;                  /**< in the guest, the CPU takes interrupts of other CPUs (PIN_POSTED) */
	uint64_t eoi_exits[4];        /**< vectors whose ends exit */
};

static inline struct vmx *vmx_of(struct x86_cpu *c)
{
	return c->state;
}

/** What this computer can do and how it is used, set by start(). */
extern struct vmx_capabilities vmx_capabilities;

/** The contract, for hvm_missing(). */
extern const struct hvm_ops vmx_ops;

/** Makes the vCPU the one whose VMCS is current on this CPU. */
void vmx_load(struct x86_cpu *c);

/** Drops what the CPU has cached of guest translations; the vCPU is loaded. */
void vmx_drop_translations(struct x86_cpu *c);

/** Lets accesses to an MSR through, or not. */
void vmx_pass_msr(struct vmx *s, uint32_t msr, bool write, bool pass);

/**
 * The local APIC before an entry and after an exit, for CPUs that take it over; the vCPU is loaded. In images without
 * LOCAL_APIC_VIRTUAL these do nothing (no_apic.c), and the others are not called.
 */
void vmx_apic_before(struct x86_cpu *c, struct vmx *s);
void vmx_apic_after(struct x86_cpu *c, struct vmx *s);

/**
 * Interrupts of other CPUs, right before an entry and as soon as the guest was left or was not entered. Host interrupts
 * are off from the first to the entry.
 */
void vmx_apic_enter(struct x86_cpu *c, struct vmx *s);
void vmx_apic_leave(struct x86_cpu *c, struct vmx *s);

/** hvm_ops.notify() */
void vmx_apic_notify(uint32_t id);

/** The guest has ended a level-triggered interrupt. */
void vmx_apic_end(struct x86_cpu *c, uint8_t vector);

/** The guest accesses its page of registers as the CPU does not do by itself. Returns the guest physical address. */
uint64_t vmx_apic_accessed(struct x86_cpu *c, struct vmx *s, uint64_t offset);

/** It has written a register there that the CPU only keeps. */
void vmx_apic_written(struct x86_cpu *c, struct vmx *s, uint64_t offset);

/** hvm_ops.enter() */
void vmx_run(struct x86_cpu *c, struct hvm_exit *exit);

/** hvm_ops.get(), .set(), .get_segment(), .set_segment() */
uint64_t vmx_get(struct x86_cpu *c, enum x86_control which);
void vmx_set(struct x86_cpu *c, enum x86_control which, uint64_t value);
void vmx_load_segment(struct x86_cpu *c, enum x86_segment_number n, struct x86_segment *out);
void vmx_store_segment(struct x86_cpu *c, enum x86_segment_number n, const struct x86_segment *s);

/** Bits of CR0 and CR4 whose changes exit: the CPU or the policy fixes them. */
uint64_t vmx_cr0_mask(void);
uint64_t vmx_cr4_mask(void);

/** hvm_ops.handle(): accesses to control registers, XSETBV, task switches. */
void vmx_handle(struct x86_cpu *c, const struct hvm_exit *exit);

/** hvm_ops.exit_name() */
const char *vmx_exit_name(uint64_t code);

#endif
