/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paravirtual time of a Xen guest. System time is plat_time_ns(): the guest computes it from its CPU's counter by the
 * factors in struct vcpu_time_info, and asks for timers in it.
 */
#ifndef TIMER_PV_TIMER_PV_H
#define TIMER_PV_TIMER_PV_H

#include <stdbool.h>
#include <stdint.h>

#include "features/xen-abi/xen.h"

#include <xen/vcpu.h>

/** Where a vCPU is, and has been how long (struct vcpu_runstate_info). */
struct timer_pv_runstate {
	uint32_t state;                      /**< RUNSTATE_... */
	uint64_t since;                      /**< system time of the last change */
	uint64_t time[RUNSTATE_offline + 1]; /**< nanoseconds in each state, up to `since` */
	/* Copy for the guest, which may lie on two pages. */
	unsigned word;       /**< of the guest's structure; 0: the guest wants none */
	unsigned first_size; /**< bytes on the first page */
	uint64_t gpa[2];     /**< of the first byte, and of the second page */
};

/** A vCPU's timers. */
struct timer_pv_vcpu {
	struct guest_counter single; /**< single-shot: a counter of system time, run by the image's timer model */
	struct timer periodic;
	uint64_t period_ns;
	struct vcpu *vcpu;
	struct timer_pv_runstate runstate;
};

/** Time of a domain, at xen_domain.time. */
struct timer_pv {
	struct xen_domain *xen;
	struct vcpu_time_info factors; /**< what every vCPU is told, without the version */
	struct timer_pv_vcpu vcpus[VM_MAX_VCPUS];
};

/** The vCPU's part of it. */
static inline struct timer_pv_vcpu *timer_pv_vcpu(const struct vcpu *v)
{
	return &xen_domain(v->vm)->time->vcpus[v->id];
}

/** Puts the clock where the guest looks for it: shared_info and each vcpu_info. */
void timer_pv_publish(struct xen_domain *d);

/** Prepares the timers of a vCPU. */
void timer_pv_init(struct timer_pv_vcpu *t, struct vcpu *v);

/** Starts the accounting of a vCPU that runs. */
void timer_pv_runstate_reset(struct timer_pv_vcpu *t);

/** A vCPU begins or ends being idle. */
void timer_pv_idle(struct vcpu *v, bool begin);

#endif
