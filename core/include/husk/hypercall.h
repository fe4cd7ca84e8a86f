/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls: a numbered call → handler table that features add to. The core knows neither the numbers nor what they
 * mean; an image without a handler answers nothing. Registers and instruction are the CPU's part (its machine or engine
 * fills in struct hypercall), structures in guest memory are the handlers'.
 */
#ifndef HUSK_HYPERCALL_H
#define HUSK_HYPERCALL_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

#define HYPERCALL_ARGS 6u

/*
 * The two errors that the core itself answers with. Their numbers are those of Xen's public errno.h and of Linux on most
 * CPUs; the C library's ENOSYS is another one.
 */
#define HYPERCALL_EFAULT 14
#define HYPERCALL_ENOSYS 38

/** One call of a guest, from the CPU to the handler and back. */
struct hypercall {
	struct vcpu *vcpu;             /**< who calls; the handler runs on its CPU */
	unsigned word;                 /**< bytes of the caller's long and pointers: 4 or 8 */
	uint64_t nr;                   /**< number of the call */
	uint64_t args[HYPERCALL_ARGS]; /**< as the caller's registers had them, zero-extended from `word` bytes */
	/**
	 * Set by the handler: a part is done and `args` say what is left. The result is void then; the CPU gets `args`
	 * back and executes the call again, after a look at its attention word. So no call takes long.
	 */
	bool again;
	/**
	 * Set by the handler: the vCPU goes idle behind the call until an interrupt can be taken or its attention word
	 * is not zero, whichever is first. The guest goes on then, whether what it waits for has come or not.
	 */
	bool idle;
};

/** Does the call and returns the caller's result: a value from 0 on, or a negative error number of the ABI. */
typedef int64_t hypercall_function(struct hypercall *h);

/** Operation number of a handler that takes all calls of its number. */
#define HYPERCALL_ANY_OP UINT32_MAX

/** One entry of the table. */
struct hypercall_handler {
	uint32_t nr; /**< number of the call */
	uint32_t op; /**< first argument that it answers, for calls that are groups; HYPERCALL_ANY_OP otherwise */
	hypercall_function *call;
};

/** Adds a handler to the image, used as `HYPERCALL(sched_yield) = { __HYPERVISOR_sched_op, SCHEDOP_yield, fn };` */
#define HYPERCALL(id)                                                                        \
	static const struct hypercall_handler hypercall_##id;                                \
	static const struct hypercall_handler *const hypercall_entry_##id                    \
		__attribute__((used, retain, section("husk_hypercalls"))) = &hypercall_##id; \
	static const struct hypercall_handler hypercall_##id

/** Finds the handler and runs it. Returns its result, or -HYPERCALL_ENOSYS if nobody answers such a call. */
int64_t hypercall_dispatch(struct hypercall *h);

/**
 * Copies from the caller's memory at a virtual address, which is taken modulo its word size. Returns 0, or
 * -HYPERCALL_EFAULT if a part of it is not mapped to RAM; *buf is undefined then.
 */
int hypercall_read(const struct hypercall *h, uint64_t gva, void *buf, uint64_t size);

/** Copies to the caller's memory. Returns 0 or -HYPERCALL_EFAULT; what lies before the first bad page is written then. */
int hypercall_write(const struct hypercall *h, uint64_t gva, const void *buf, uint64_t size);

#endif
