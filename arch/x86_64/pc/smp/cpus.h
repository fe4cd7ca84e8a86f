/* SPDX-License-Identifier: BSD-2-Clause */
/* Several CPUs under host pc: what is kept of each. */
#ifndef PC_SMP_CPUS_H
#define PC_SMP_CPUS_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/vm.h>

#include "arch/x86_64/pc/cpu.h"

/** As many as there may be vCPUs. */
#define PC_CPUS VM_MAX_VCPUS

/** A CPU. */
struct pc_processor {
	struct pc_cpu cpu;     /**< first: what cpu_this() finds */
	struct trap_cpu *trap; /**< stacks and tables; NULL: the boot CPU, which has its own */
	bool online;           /**< has started; the members up to `stopped` change while others look at them */
	uint64_t tsc;          /**< its counter then */
	void (*fn)(void *);    /**< what it was told to run; set after `argument` */
	void *argument;
	bool stopped; /**< has halted for good */
};

/** All of them, the boot CPU first. */
extern struct pc_processor pc_processors[PC_CPUS];
extern unsigned pc_nr_processors;

/** The calling CPU. */
static inline struct pc_processor *pc_processor(void)
{
	return (struct pc_processor *)cpu_this();
}

/** What a CPU does once it is online: waits for plat_cpu_start(). */
_Noreturn void pc_wait_for_work(struct pc_processor *p);

/** True once cpu_stop_others() has been called: locks may be held by CPUs that have stopped. */
bool pc_is_stopping(void);

#endif
