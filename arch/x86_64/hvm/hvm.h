/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the engine wants of a vendor's virtualization: enter the guest, say why it came back, and give access to
 * registers that the hardware keeps. AMD's is in svm/, Intel's in vmx/.
 */
#ifndef HVM_HVM_H
#define HVM_HVM_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/hvm/cpu.h"

/** Why the guest was left. */
enum hvm_cause {
	HVM_ATTENTION, /**< not entered: the attention word is not zero */
	HVM_INTERRUPT, /**< a host interrupt, which was handled on the way */
	HVM_WINDOW,    /**< the guest takes interrupts now */
	HVM_CPUID,
	HVM_MSR_READ,
	HVM_MSR_WRITE,
	HVM_PORT,
	HVM_MEMORY, /**< access to a guest physical address that is not mapped that way */
	HVM_HALT,
	HVM_CALL,      /**< VMMCALL, VMCALL */
	HVM_EXCEPTION, /**< one that is intercepted */
	HVM_SHUTDOWN,  /**< triple fault */
	HVM_CACHE,     /**< INVD, WBINVD */
	HVM_IRET,      /**< about to return from an NMI's handler */
	HVM_FORBIDDEN, /**< an instruction that the virtual CPU does not have: #UD */
	HVM_COUNTERS,  /**< RDPMC: #GP */
	HVM_SPIN,      /**< the guest spins on PAUSE, and x86_cpu.spins wants to hear of it; PAUSE is executed again */
	HVM_INVALID,   /**< the hardware refused the guest's state */
	HVM_OWN,       /**< for the vendor's own handle() */
	HVM_UNKNOWN,
	HVM_CAUSES,
};
_Static_assert(HVM_CAUSES <= X86_EXIT_CAUSES, "counters of exits");

/** Longest instruction (SDM 2A, 2.3.11). */
#define HVM_INSTRUCTION 15u

/** An exit. Members beyond the first line count for the causes named. */
struct hvm_exit {
	enum hvm_cause cause;
	uint64_t code, info1, info2; /**< as the hardware has them, for reports */
	uint8_t length;              /**< of the instruction, 0 if the hardware does not tell */
	uint8_t vector;              /**< HVM_EXCEPTION */
	uint32_t error;              /**< HVM_EXCEPTION */
	/* HVM_PORT */
	uint16_t port;
	uint8_t size; /**< 1, 2 or 4 bytes */
	bool in, string, repeat;
	/* HVM_MEMORY */
	uint64_t gpa;
	bool write, fetch;
	uint8_t nr_bytes; /**< instruction bytes that the hardware gives, 0 if it gives none */
	uint8_t bytes[HVM_INSTRUCTION];
};

/** The contract. */
struct hvm_ops {
	const char *name;  /**< "SVM" */
	const char *needs; /**< what the engine needs of it, for messages: "AMD SVM with nested paging" */
	uint8_t call[3];   /**< its instruction for hypercalls */
	/** The CPU delivers c->window without an exit as soon as it can be taken; enter() calls hvm_window_taken() then. */
	bool delivers;
	/** Whether CPUID has it. */
	bool (*found)(void);
	/** Switches it on for the calling CPU. Returns 0, or -ENODEV or -ENOMEM after one line in the log. */
	int (*start)(void);
	/** Allocates and fills c->state, nested page tables included once RAM is there. Returns 0 or -ENOMEM. */
	int (*create)(struct x86_cpu *c);
	/**
	 * Sets everything that the vendor keeps to power-on values and drops cached translations. On the CPU that the
	 * vCPU runs on from then on, perhaps in turn with others.
	 */
	void (*reset)(struct x86_cpu *c);
	/** Maps guest RAM for the hardware; called once, when the machine is built. Returns 0 or -ENOMEM. */
	int (*map_memory)(struct x86_cpu *c);
	/**
	 * Runs the guest until something happens. Delivers c->inject and clears it (an event whose delivery was cut
	 * short is there again afterwards). When c->window can be taken, it is, see `delivers`, or there is an exit. Host
	 * interrupts are off from the look at the attention word to the guest, and end it.
	 */
	void (*enter)(struct x86_cpu *c, struct hvm_exit *exit);
	/**
	 * The vCPU is not entered for a while, and others than its CPU may look at its registers and set them. Not called
	 * if there is one vCPU only. NULL: they always may.
	 */
	void (*leave)(struct x86_cpu *c);
	uint64_t (*get)(struct x86_cpu *c, enum x86_control which);
	void (*set)(struct x86_cpu *c, enum x86_control which, uint64_t value);
	void (*get_segment)(struct x86_cpu *c, enum x86_segment_number n, struct x86_segment *out);
	void (*set_segment)(struct x86_cpu *c, enum x86_segment_number n, const struct x86_segment *s);
	/** Handles an exit whose cause is HVM_OWN. NULL: there is none. */
	void (*handle)(struct x86_cpu *c, const struct hvm_exit *exit);
	/** Has the CPU of that local APIC id take c->posted of the vCPU whose guest it runs. NULL: no CPU ever enters it. */
	void (*notify)(uint32_t id);
	/** Name of an exit code for reports. */
	const char *(*exit_name)(uint64_t code);
};

/** Adds a vendor's implementation to the image, used as `HVM_OPS(svm) = &svm_ops;` */
#define HVM_OPS(id) static const struct hvm_ops *const hvm_entry_##id __attribute__((used, retain, section("husk_hvm")))

/** Virtualization of this computer, started; NULL after a line in the log for each that the image knows if it has none. */
const struct hvm_ops *hvm_start(void);

/** Says that something is missing for o->start(): "SVM (its firmware has switched it off)". Returns -ENODEV. */
int hvm_missing(const struct hvm_ops *o, const char *what);

/** A code of the hardware's for an exit that needs no more than its cause. */
struct hvm_code {
	uint32_t code;
	uint8_t cause; /**< enum hvm_cause */
	const char *name;
};

/** The code in a table of n; NULL: not in it. */
const struct hvm_code *hvm_find_code(const struct hvm_code *codes, unsigned n, uint64_t code);

/** An event as both vendors have it in a word (APM 2, 15.20; SDM 3C, 24.8.3), and back. */
uint32_t hvm_event_word(const struct x86_event *e);
struct x86_event hvm_event(uint32_t word, uint32_t error);

/** The guest has got c->window. */
void hvm_window_taken(struct x86_cpu *c);

/* The engine's functions of the same names, see engine.h. */
enum engine_exit hvm_run(struct vcpu *v);
enum engine_exit hvm_step(struct vcpu *v);

/** Goes on after an emulated instruction of `length` bytes; 0: it is looked at to find out. */
void hvm_advance(struct x86_cpu *c, unsigned length);

/** State components that the guest's CPU has, at most: x87, SSE, AVX. */
#define HVM_XCR0 7u

/** Answers CPUID with eax and ecx as they are, by the policy. */
void hvm_cpuid(struct x86_cpu *c);

/** RDMSR and WRMSR by the policy. False: the guest gets #GP. */
bool hvm_read_msr(struct x86_cpu *c, uint32_t msr, uint64_t *value);
bool hvm_write_msr(struct x86_cpu *c, uint32_t msr, uint64_t value);

#define HVM_DIRECT_PORTS 2u

/** Ports that only waste time, which kernels write to between others: access does not exit. */
extern const uint16_t hvm_direct_ports[HVM_DIRECT_PORTS];

/** Carries out an access to a port. */
void hvm_port(struct x86_cpu *c, const struct hvm_exit *exit);

/** Carries out an access to memory that is not RAM by decoding the instruction. */
void hvm_memory(struct x86_cpu *c, const struct hvm_exit *exit);

/** Switches on what the calling CPU needs for the FPU of guests. */
void hvm_fpu_start(void);

/** Does so, allocates the image of the guest's FPU and sets it to initial values. Returns 0 or -ENOMEM. */
int hvm_fpu_create(struct x86_cpu *c);

/** Back to initial values. */
void hvm_fpu_reset(struct x86_cpu *c);

/** Gives the FPU to the guest. The first FPU or SSE instruction of the host takes it away again, unasked. */
void hvm_fpu_load(struct x86_cpu *c);

/** XSETBV for register 0, where that exits. False: the policy's CPU refuses the value. */
bool hvm_fpu_set_xcr0(struct x86_cpu *c, uint64_t value);

/** Handles an exit. */
void hvm_handle_exit(struct x86_cpu *c, const struct hvm_exit *exit);

/** Names of causes, in the order of the enumeration. */
extern const char *const hvm_cause_names[HVM_CAUSES];

#endif
