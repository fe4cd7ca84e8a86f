/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the feature share. CPUs are the host's; each runs one vCPU, or several in turn. */
#ifndef HUSK_FEATURES_SMP_H
#define HUSK_FEATURES_SMP_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/vm.h>

/** Where a vCPU is, as far as those who want to stop it care. */
enum smp_where {
	SMP_OUT,  /**< not in its engine's run() */
	SMP_HELD, /**< in it, but waiting for a lock, and going nowhere while it is stopped */
	SMP_IN,   /**< in it */
};

/** What is kept of a vCPU; vcpu.smp. */
struct smp_vcpu {
	struct vcpu *vcpu;
	struct smp_cpu *cpu;
	uint32_t where;        /**< enum smp_where */
	bool idle;             /**< has nothing to do until its attention word is not 0; its CPU's */
	uint64_t deadline;     /**< of its first timer; its CPU's */
	uint64_t time;         /**< instructions executed and passed, if they are time */
	struct vcpu_stop stop; /**< end of its turn, if instructions are time */
};

/** A CPU of the host. */
struct smp_cpu {
	struct smp *smp;
	struct smp_vcpu *vcpus[VM_MAX_VCPUS]; /**< that run here */
	unsigned nr_vcpus;
	unsigned number;
	struct smp_vcpu *current; /**< whose attention word the host knows as this CPU's */
	uint64_t turn_end;        /**< plat_time_ns() at which another vCPU has its turn */
	uint64_t armed;           /**< what the host was told, if there are several vCPUs */
};

/** Of a VM; vm.smp. */
struct smp {
	struct vm *vm;
	struct smp_vcpu vcpus[VM_MAX_VCPUS];
	unsigned nr_cpus;
	uint32_t stopping; /**< 1 while others are stopped; waited for */
	uint32_t changes;  /**< counts vCPUs that go out or are held; waited for */
	uint32_t depth;    /**< of nested stops */
	uint32_t round;    /**< counts the times that CPUs were sent to run vCPUs; waited for */
	uint32_t running;  /**< CPUs but the first that have not come back; waited for */
};

/** The CPU that calls; without vCPUs before smp_start(). */
struct smp_cpu *smp_cpu(void);

/** CPU of the host by number. */
struct smp_cpu *smp_cpu_at(unsigned number);

/** A vCPU in run() waits for a lock; and has it. */
void smp_hold(struct smp_vcpu *v);
void smp_come_back(struct smp_vcpu *v);

/** Runs the vCPUs of the calling CPU until the VM has a request. */
void smp_take_turns(struct smp_cpu *cpu);

/** The same by instructions instead of time, for all vCPUs on one CPU. */
void smp_take_counted_turns(struct smp_cpu *cpu);

/** True if it has something to do: guest code, what its attention word asks for, or a stop that it has reached. */
bool smp_has_work(const struct smp_vcpu *v);

/** The next one behind the present one of a CPU, or that itself if no other has work; NULL if none has. */
struct smp_vcpu *smp_next_with_work(const struct smp_cpu *cpu);

/**
 * The host knows one deadline for all vCPUs of the CPU, and raises ATTN_TIMER for the one that runs: passes that on to
 * those whose timers are due.
 */
void smp_raise_due(struct smp_cpu *cpu);

/** Tells the host which deadline of the CPU's vCPUs is next; with others_wait the end of the turn is one, too. */
void smp_share_deadline(struct smp_cpu *cpu, bool others_wait);

/**
 * The deadline of a CPU with several vCPUs may have passed, and been taken for that of the vCPU's own timers, or gone to
 * another one, since it was armed: v, about to run, has ATTN_TIMER then.
 */
void smp_recheck_deadline(struct smp_vcpu *v);

/** Makes a vCPU the one that the calling CPU runs. */
void smp_switch(struct smp_cpu *cpu, struct smp_vcpu *v);

#endif
