/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the host `linux` share among themselves. */
#ifndef HUSK_LINUX_HOST_H
#define HUSK_LINUX_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/platform.h>

#define HOST_PAGE 4096u

/** Set of signals as the kernel takes it: bit n - 1 is signal n. */
typedef uint64_t host_signals;

/** Threads that run vCPUs, at most. */
#define HOST_MAX_CPUS 16u

/** A host thread that runs guest code, reached through its thread pointer. */
struct host_cpu {
	struct host_cpu *self; /**< must be first: read at fs:0 */
	uint32_t *attention;   /**< word of this CPU, NULL before plat_cpu_bind() */
	uint32_t sleeping;     /**< 1 while it may be waiting in the kernel */
	int timer;             /**< kernel's id of its deadline timer */
	bool has_timer;
	unsigned number;
};

/** The calling thread's CPU: the thread pointer is the structure, whose first member points to itself. */
static inline struct host_cpu *host_cpu_self(void)
{
	struct host_cpu *cpu;

	__asm__("mov %%fs:0, %0" : "=r"(cpu));
	return cpu;
}

/* entry.S */

/** Calls fn on another stack, whose highest address is `top`; fn does not return. */
_Noreturn void host_call_on_stack(void *top, void (*fn)(void));

/** Starts a thread of this process: fn(argument) on a stack that ends at `top`. Returns its id or a negative error. */
long host_clone(unsigned long flags, void *top, void (*fn)(void *), void *argument);

/** Where the kernel returns to after a signal handler. */
void host_signal_return(void);

/* start.c */

/** Ends the process with `status` after restoring the terminal; nothing else runs. */
_Noreturn void host_exit(int status);

/* memory.c */

/**
 * Reserves address space for `bytes` aligned to `align`, both multiples of a page, with a guard page on either side;
 * nothing of it is accessible yet. `flags` are added to those of mmap(). Returns its address, or 0 if there is no room.
 */
uintptr_t host_reserve(size_t bytes, size_t align, long flags);

/** Gives back what host_reserve() gave, and what was mapped there since; nothing if `at` is 0. */
void host_release(uintptr_t at, size_t bytes);

/** Stack of `bytes` (multiple of a page) with a guard page below. Returns its highest address, or NULL. */
void *host_stack_alloc(size_t bytes);

/* time.c */

/** Finds the kernel's clock functions; `vdso` is its image in this process, or NULL. */
void host_time_init(const void *vdso);

/* cpu.c */

/** Makes the calling thread a CPU, without an attention word yet; 0 is the first. Returns 0 or a negative kernel error. */
long host_cpu_init(unsigned number);

/** Sleeps while *word is `expected`; may return early. */
void host_futex_wait(const uint32_t *word, uint32_t expected);

/** Wakes everybody who sleeps on word. */
void host_futex_wake(uint32_t *word);

/** Signal handler of HOST_SIGNAL_DEADLINE. */
void host_cpu_deadline(int number, void *info, void *context);

/* thread.c */

/**
 * Starts a thread that runs fn(argument), with all signals but those of faults blocked: all others are for CPUs.
 * Returns its id, or a negative kernel error after logging one line that names `what`.
 */
long host_thread_start(const char *what, void (*fn)(void *), void *argument);

/** A lock, held for moments only. Zeroed: free. */
struct host_lock {
	uint32_t state; /**< 0 free, 1 held, 2 held and waited for; also a futex */
};

/** Takes the lock. */
void host_lock(struct host_lock *lock);

/** Gives the lock back. */
void host_unlock(struct host_lock *lock);

/* io.c */

/**
 * Makes a file (socket, TAP) non-blocking and has the kernel tell of all that happens to it, by SIGIO at the calling
 * CPU, which raises ATTN_IO. No thread waits, and nothing is asked while nothing happens. Returns 0 or a negative
 * kernel error.
 */
long host_io_watch(int fd);

/**
 * A number that is another one whenever something has happened to any watched file. Read it before a file is tried:
 * while it stays the same there is no need to try again.
 */
uint32_t host_io_events(void);

/** Signal handler of SIGIO. */
void host_io_signal(int number, void *info, void *context);

/** Raises bits in the word of CPU 0, if it is bound. For signal handlers of that CPU. */
void host_cpu_attend(uint32_t bits);

/* console.c */

/** Starts console input, which raises ATTN_CONSOLE in `attention`. Ends the run if the host cannot. */
void host_console_start(uint32_t *attention);

/** Has the input thread look again who has the terminal. Safe from signal handlers. */
void host_console_recheck(void);

/* signals.c */

/** Set of one signal. */
static inline host_signals host_signal_bit(int signal)
{
	return (host_signals)1 << (signal - 1);
}

/** Every signal but those of faults, which must stay deliverable. */
host_signals host_signals_all(void);

/** Blocks `set` in the calling thread; returns what was blocked before. */
host_signals host_signals_block(host_signals set);

/** Sets what is blocked in the calling thread. */
void host_signals_restore(host_signals set);

/** Signal of CPU deadlines; its value is the struct host_cpu. */
#define HOST_SIGNAL_DEADLINE 34

/** Signal that ends a wait of the input thread; nothing else. */
#define HOST_SIGNAL_RECHECK 35

/** Installs all signal handlers and the calling thread's stack for them. Returns 0 or a negative kernel error. */
long host_signals_init(void);

/** Gives the calling thread its own stack for fault reports. Returns 0 or a negative kernel error. */
long host_signal_stack(void);

/** Has the thread that handles terminal changes look at the terminal again. Safe from any thread. */
void host_signals_nudge(void);

/**
 * Does what a SIGHUP does, unless it is ignored: the terminal is gone, of which the kernel tells only the leader of its
 * session, and that may be a program that keeps it to itself, such as make.
 */
void host_signals_hang_up(void);

/* fault.c */

/** Signal handler for faults of the hypervisor: reports and ends the run. */
void host_fault(int signal, void *info, void *context);

/** Tells the fault report where the guard page of the main stack is. */
void host_fault_guard(uintptr_t guard);

#endif
