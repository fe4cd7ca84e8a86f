/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two things: host timers, any number on the one deadline a CPU has; and guest
 * counters, a tick count with a compare value, run by the timer model in the image.
 */
#ifndef HUSK_TIMER_H
#define HUSK_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/platform.h>
#include <husk/smp.h>

struct vcpu;

/** Deadline of a timer that is not armed. */
#define TIMER_NEVER UINT64_MAX

/**
 * A one-shot host timer of one vCPU. It may be armed and disarmed on any CPU; who does so is alone with it: its vCPU, for
 * timers that are the vCPU's own, or who holds the lock of the VM. Embedded in its owner; zeroed memory is a valid unarmed timer. */
struct timer {
	struct timer *next;            /**< in the queue, sorted by deadline */
	uint64_t deadline;             /**< plat_time_ns() time */
	void (*fire)(struct timer *t); /**< on the vCPU's own CPU, outside guest code, the VM locked; may re-arm */
	bool armed;
	bool keep; /**< stays armed over guest resets: a tool's timer, not the guest's */
};

/** Armed timers of one vCPU, earliest first. */
struct timer_queue {
	struct smp_lock lock;
	struct timer *first;
	bool running; /**< timer_run_due() is at work and arms the host at its end */
};

/** Arms t for `deadline`; replaces an earlier arming; TIMER_NEVER disarms. */
void timer_arm(struct vcpu *vcpu, struct timer *t, uint64_t deadline);

/** Disarms t if it is armed. */
void timer_disarm(struct vcpu *vcpu, struct timer *t);

/**
 * Fires the timers that are due and arms the host for the next. One that fire() re-arms for a past time
 * waits for the next call, so that the guest gets to run in between. Called by the run loop.
 */
void timer_run_due(struct vcpu *vcpu);

/** Disarms all timers but those marked `keep`, at guest reset. */
void timer_disarm_guest(struct vcpu *vcpu);

/**
 * A count of instructions at which a vCPU leaves guest code, embedded in its owner; zeroed memory is one that is not
 * set. Engines look at them only in images whose timer model counts instructions, and are exact there.
 */
struct vcpu_stop {
	struct vcpu_stop *next;               /**< of the same vCPU, sorted by `at` */
	uint64_t at;                          /**< vcpu.instructions */
	void (*reached)(struct vcpu_stop *s); /**< by the run loop, outside guest code; may set it again */
	bool set;
};

/** Sets s to `at`, or moves it there. One that is due already is reached before the next guest instruction. */
void vcpu_stop_set(struct vcpu *v, struct vcpu_stop *s, uint64_t at);

/** Takes s back if it is set. */
void vcpu_stop_clear(struct vcpu *v, struct vcpu_stop *s);

/** Takes back and calls the stops that are due. Called by the run loop. */
void vcpu_run_stops(struct vcpu *v);

/**
 * A guest counter: counts at `hz`, and matches when it reaches `compare`. 64 bits wide; a machine with a
 * 32-bit counter extends its compare value to the next one after the present count.
 */
struct guest_counter {
	struct vcpu *vcpu;
	uint64_t hz;                            /**< ticks per second, 1 Hz to 10 GHz */
	uint64_t offset;                        /**< ticks added to the host's time scaled to hz */
	uint64_t compare;                       /**< tick at which it matches */
	bool armed;                             /**< compare is waited for */
	void (*match)(struct guest_counter *c); /**< called once when compare is reached */
	struct timer timer;                     /**< the model's */
	struct vcpu_stop stop;                  /**< the same, for one that counts instructions */
};

/** A timer model: when and how a guest counter's match is noticed. Features implement it. */
struct timer_model {
	const char *name;
	/**
	 * Counters go by guest instructions. Engines then keep vcpu.instructions exact, the instruction being executed
	 * included, whenever they call anybody; leave guest code at vcpu_stop_at(); and after each instruction they take
	 * an interrupt that is pending and fetch from where the guest's TLB says now. So all of them do the same.
	 */
	bool by_instructions;
	/** Starts the counter at 0 with no match armed; its vcpu, hz and match are set. */
	void (*start)(struct guest_counter *c);
	/** Ticks now. Delivers a match that has become due, so that readers never see a stale one. */
	uint64_t (*read)(struct guest_counter *c);
	/** Sets the count; an armed compare keeps its value. */
	void (*write)(struct guest_counter *c, uint64_t count);
	/** Arms the next match at tick `compare`; one in the past matches at once (by instructions: before the next). */
	void (*set_compare)(struct guest_counter *c, uint64_t compare);
	/**
	 * The vCPU waits for an interrupt: lets its time go on to the next match at once. Returns false if no counter is
	 * armed. NULL: time goes on by itself.
	 */
	bool (*skip_idle)(struct vcpu *v);
	/** by_instructions only: instructions until the first match of a counter of v; UINT64_MAX if none is armed. */
	uint64_t (*until_match)(const struct vcpu *v);
	/** by_instructions only: lets time go on for v as if it had executed n instructions, at most until_match(). */
	void (*pass)(struct vcpu *v, uint64_t n);
};

/**
 * Host nanoseconds → ticks of hz (at most 10 GHz), rounded down, exact over the whole range: no drift, never
 * backwards. Modulo 2^64, which is 58 years at 10 GHz. Without a division, cheap enough for every guest read.
 */
uint64_t timer_ns_to_ticks(uint64_t ns, uint64_t hz);

/** Ticks of hz → host nanoseconds, rounded up, so that a deadline is never early. Saturates at TIMER_NEVER; so does hz = 0. */
uint64_t timer_ticks_to_ns(uint64_t ticks, uint64_t hz);

/** Ticks of a counter now. For timer models: everybody else asks the model, which also delivers matches. */
static inline uint64_t guest_counter_ticks(const struct guest_counter *c)
{
	return timer_ns_to_ticks(plat_time_ns(), c->hz) + c->offset;
}

/** Makes a counter stand at `count` now. For timer models. */
static inline void guest_counter_set(struct guest_counter *c, uint64_t count)
{
	c->offset = count - timer_ns_to_ticks(plat_time_ns(), c->hz);
}

#endif
