/* SPDX-License-Identifier: BSD-2-Clause */
/* One domain: memory, buses, vCPUs, console, and what it was asked to do. */
#ifndef HUSK_VM_H
#define HUSK_VM_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/bus.h>
#include <husk/console.h>
#include <husk/engine.h>
#include <husk/io.h>
#include <husk/machine.h>
#include <husk/memory.h>
#include <husk/params.h>
#include <husk/payload.h>
#include <husk/platform.h>
#include <husk/smp.h>
#include <husk/vcpu.h>

#define VM_MAX_VCPUS 16u

/** What a VM can be asked to do. A later, more final request replaces an earlier one. */
enum vm_request {
	VM_KEEP_RUNNING,
	VM_RESET,     /**< start again from the payload */
	VM_POWER_OFF, /**< the guest is done */
	VM_QUIT,      /**< the user is done */
	VM_CRASH,     /**< the guest cannot go on */
};

/** A domain. Made once by vm_create(), lives to the end of the run. */
struct vm {
	const struct params *params;
	const struct payload *payload;
	const struct engine *engine;
	const struct machine *machine;
	const struct timer_model *timer;
	struct smp_lock lock; /**< of all that is not a vCPU's own: see smp.h */
	struct memory memory;
	struct bus mmio;
	struct bus ports; /**< I/O ports, of machines that have them */
	struct console console;
	struct vcpu *vcpus[VM_MAX_VCPUS];
	unsigned nr_vcpus;
	struct io_client *io_clients; /**< polled for ATTN_IO, see io_attach() */
	unsigned slots;               /**< of the machine, taken by vm_plug() */
	void *board;                  /**< the machine's own state */
	void *smp;                    /**< state of the feature `smp`, or NULL */
	void *hypercalls;             /**< state of the features that answer hypercalls (hypercall.h), or NULL */
	uint32_t request;             /**< enum vm_request */
	uint64_t resets;              /**< times the guest was started again */
	uint64_t started_ns;          /**< plat_time_ns() of the last start */
	/** Runs a vCPU for the run loop: engine->run, unless a debugger in the image stands in between. */
	enum engine_exit (*run)(struct vcpu *v);
	void *run_ctx; /**< the debugger's own state, for run() */
	bool stopped;  /**< a debugger holds the guest, which is why nothing happens; timers wait, too */
	/** A vCPU is about to go idle, or has been: for a feature that accounts for it. NULL: nobody does. */
	void (*idle)(struct vcpu *v, bool begin);
	/**
	 * All vCPUs wait and nothing can wake them. Set by a tool that wants to judge it; it calls
	 * vm_request(), or leaves the guest halted for its user to look around: called again whenever a timer or
	 * input made the vCPU look and nothing changed. NULL: the run ends as a power-off.
	 */
	void (*halted)(struct vm *vm, struct vcpu *v);
	void *halted_ctx; /**< the tool's own state, for halted() */
};

/**
 * Makes a VM from the image's parameters, payload and features. Returns 0 or a negative errno after
 * logging the reason; *out is then not set.
 */
int vm_create(const struct params *params, const struct payload *payload, struct vm **out);

/**
 * Puts a device into the machine's next free slot, see machine.plug(). For features that bring devices, when they are
 * attached. Returns 0, or a negative errno after logging the reason and the remedy.
 */
int vm_plug(struct vm *vm, struct device *dev, struct irq_line *irq);

/** Takes the lock of the VM, see smp.h, and gives it back. */
static inline void vm_lock(struct vm *vm)
{
	smp_lock(&vm->lock);
}

static inline void vm_unlock(struct vm *vm)
{
	smp_unlock(&vm->lock);
}

/** Asks the VM to stop, reset or end, and wakes it. Safe from any CPU. */
void vm_request(struct vm *vm, enum vm_request what);

/** True while a request waits to be done: vCPUs are not run then. */
bool vm_is_requested(const struct vm *vm);

/**
 * Handles what is pending for v and runs it once, on the calling CPU. Returns true if it then has nothing to do until
 * its attention word is not 0. For the run loop.
 */
bool vcpu_turn(struct vcpu *v);

/** v begins to wait. Returns true if it need not, because its time was skipped. For the run loop, as is the other. */
bool vcpu_idle_begin(struct vcpu *v);
void vcpu_idle_end(struct vcpu *v);

/** Runs the VM from its payload until it ends; resets on the way. Returns the status of the run. */
enum husk_exit vm_run(struct vm *vm);

/** Everything: banner, VM, run. The hosts call it when they are ready, on a stack of at least 64 KiB. */
enum husk_exit husk_main(void);

#endif
