/* SPDX-License-Identifier: BSD-2-Clause */
/* What the Xen ABI needs from the guest's CPU and board: one constant, defined by the glue that is linked in. */
#ifndef XEN_ABI_ARCH_H
#define XEN_ABI_ARCH_H

#include <stdint.h>

struct vcpu;
struct vm;

/** One entry of XENMEM_memory_map: the format of BIOS call INT 15h, AX = E820h (ACPI 6.4, 15.1). */
struct xen_memory_entry {
	uint64_t address; /**< first byte, guest physical */
	uint64_t size;    /**< bytes */
	uint32_t type;    /**< 1 is RAM, 2 reserved (table 15.374 there) */
} __attribute__((packed));

/** The guest's CPU and board. */
struct xen_arch {
	const char *capabilities; /**< of XENVER_capabilities: kinds of guest, separated by blanks */
	/**
	 * vcpu_info.evtchn_upcall_pending of v has become 1: makes the vCPU take its upcall and wakes it. Not called
	 * again while it stays 1. From any CPU.
	 */
	void (*upcall)(struct vcpu *v);
	/**
	 * HVM_PARAM_CALLBACK_IRQ was written (params.h): how all vCPUs without a vector of their own take upcalls.
	 * Returns 0 or a negative XEN_E...; the caller keeps the value.
	 */
	int (*set_callback)(struct vm *vm, uint64_t via);
	/** HVMOP_set_evtchn_upcall_vector: v takes upcalls through its interrupt controller. 0 or negative XEN_E... */
	int (*set_upcall_vector)(struct vcpu *v, uint8_t vector);
	/** The memory map that the guest was started with; *count entries, which stay what and where they are. */
	const struct xen_memory_entry *(*memory_map)(struct vm *vm, unsigned *count);
	/** Guest physical address of XEN_SPECIAL_PAGES pages of RAM that the map calls reserved. */
	uint64_t special_gpa;
};

/** Pages that back ends share with the guest, by number from xen_arch.special_gpa. */
enum xen_special_page { XEN_SPECIAL_STORE = 1, XEN_SPECIAL_CONSOLE = 2, XEN_SPECIAL_PAGES = 8 };

/** The one in this image. */
extern const struct xen_arch xen_arch;

#endif
