/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several vCPUs on several CPUs. The feature `smp` implements what is declared here. An image without it has the core's
 * own versions (core/smp.c), for the one vCPU that it then has: they lock nothing, and the core's objects are the same.
 *
 * The lock rule. Who may touch what, while vCPUs run:
 *
 * 1. A vCPU's own state (registers, TLB, what its engine caches for it, its counters) belongs to the CPU that runs the
 *    vCPU. Others stop it first, smp_stop_others(). Its attention word is for everybody, by vcpu_kick().
 * 2. All else of the guest's computer is under the lock of the VM, vm_lock(): buses and devices, interrupt lines and
 *    controllers, consoles, disks and networks, the state of hypercalls, vm_plug(). Whoever calls them holds it: the
 *    run loop around fire(), console_poll(), io_poll() and halted(); engines around bus_read(), bus_write() and
 *    hypercall_dispatch(). So a device is written as if there were one vCPU, and nobody calls it twice at a time.
 * 3. What engines make of guest code, and the marks of memory.h that say so, are under memory.code_lock. Engines take
 *    it; code_written() is called without it.
 * 4. Guest RAM has no lock. Accesses to aligned 1, 2, 4 or 8 bytes are single ones. Announce writes after they are made
 *    (memory.h).
 * 5. Queues of timers have locks of their own (timer.h); hosts have theirs.
 *
 * Take them in this order: VM, code, timers, host. Who has stopped others holds code_lock and must not take the VM's
 * lock then. Locks are only for CPUs that run vCPUs, not for other threads of a host, and never for interrupt or signal
 * handlers.
 */
#ifndef HUSK_SMP_H
#define HUSK_SMP_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;

/** A lock. Zeroed: free. One CPU may take it several times, and gives it back as often. */
struct smp_lock {
	uint32_t state; /**< 0 free, 1 held, 2 held and waited for: see plat_word_wait() */
	uint32_t owner; /**< number of the CPU that holds it, plus 1; of meaning to that CPU only */
	uint32_t depth; /**< times that it took it */
};

/** Takes a lock; who waits for one in guest code (in an engine's run()) counts as stopped meanwhile. */
void smp_lock(struct smp_lock *lock);

/** Gives it back. */
void smp_unlock(struct smp_lock *lock);

/** What was stored before is seen by all CPUs before anything is loaded after. */
void smp_fence(void);

/**
 * Stops all vCPUs but the caller's: returns when each of them is out of guest code or waits for a lock in it, and none
 * goes on before smp_resume_others(). The caller holds memory.code_lock (so there is one at a time) and keeps it until
 * then. Their state may be read and written meanwhile. May be nested.
 * Returns true if all are out of their engine's run(), so that none will return into code that it had entered.
 */
bool smp_stop_others(struct vm *vm);

/** Lets them go on. */
void smp_resume_others(struct vm *vm);

/** True if the state of v is the caller's: v is what the calling CPU runs, or nothing runs. */
bool smp_is_own(const struct vcpu *v);

/** Before and after an engine's run() or step(): called by the run loop. smp_enter() waits while v is stopped. */
void smp_enter(struct vcpu *v);
void smp_leave(struct vcpu *v);

/** True if other vCPUs wait for their turns on the CPU of v. The same from smp_start() on. */
bool smp_shares_cpu(const struct vcpu *v);

/**
 * v, which the calling CPU runs, waits for something that another vCPU does: its turn ends when its engine's run()
 * returns, for which ATTN_STOP is raised, and another vCPU with work has one.
 */
void smp_end_turn(struct vcpu *v);

/** Has the CPU of v look at the queue of its timers, of which the first is now due at `deadline_ns`. For timer.c. */
void smp_deadline(struct vcpu *v, uint64_t deadline_ns);

/** Starts the CPUs that the VM's vCPUs need, once. Returns 0 or a negative errno after logging one line. */
int smp_start(struct vm *vm);

/** Runs all vCPUs until the VM has a request; returns on the CPU of vCPU 0, when no other vCPU runs any more. */
void smp_run(struct vm *vm);

#endif
