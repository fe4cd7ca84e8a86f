/* SPDX-License-Identifier: BSD-2-Clause */
/* Single-shot and periodic timers of a vCPU (Xen's public vcpu.h, and set_timer_op in xen.h). Both send VIRQ_TIMER. */
#include <stddef.h>

#include "features/event-channels/evtchn.h"
#include "features/timer-pv/timer_pv.h"

#define NS_PER_MS 1000000u

/* Shortest and longest period, Xen's. */
#define MIN_PERIOD_NS NS_PER_MS
#define MAX_PERIOD_NS (UINT64_MAX >> 2)

/* Timeouts that are further away than this, or negative, come from a guest that has calculated wrongly: Xen fires soon. */
#define SANE_TIMEOUT_NS  ((uint64_t)1 << 50)
#define EARLY_TIMEOUT_NS (100u * NS_PER_MS)

static void on_single(struct guest_counter *c)
{
	evtchn_raise_virq(c->vcpu, VIRQ_TIMER);
}

/* Periods that were missed altogether are left out. */
static void on_period(struct timer *t)
{
	struct timer_pv_vcpu *p = (struct timer_pv_vcpu *)((char *)t - offsetof(struct timer_pv_vcpu, periodic));
	uint64_t now = plat_time_ns(), missed = now > t->deadline ? (now - t->deadline) / p->period_ns : 0;

	timer_arm(p->vcpu, t, t->deadline + (missed + 1) * p->period_ns);
	evtchn_raise_virq(p->vcpu, VIRQ_TIMER);
}

void timer_pv_init(struct timer_pv_vcpu *t, struct vcpu *v)
{
	t->vcpu = v;
	t->single.vcpu = v;
	t->single.hz = 1000u * NS_PER_MS;
	t->single.match = on_single;
	t->periodic.fire = on_period;
}

static void set_single(const struct hypercall *h, uint64_t timeout_ns)
{
	h->vcpu->vm->timer->set_compare(&timer_pv_vcpu(h->vcpu)->single, timeout_ns);
}

/** Checks that a call is for the calling vCPU. Only its own CPU can arm a timer. */
static int check_own(const struct hypercall *h)
{
	if (xen_vcpu(xen_caller(h), h->args[1]) == NULL)
		return -XEN_ENOENT;
	return (uint32_t)h->args[1] == h->vcpu->id ? 0 : -XEN_EINVAL;
}

static int64_t set_singleshot(struct hypercall *h)
{
	/* Without the padding that only callers with 64-bit words have. */
	struct {
		uint64_t timeout_abs_ns;
		uint32_t flags;
	} __attribute__((packed)) arg;
	int error = check_own(h);

	if (error != 0)
		return error;
	if (xen_read_arg(h, 2, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	if ((arg.flags & VCPU_SSHOTTMR_future) != 0 && arg.timeout_abs_ns < plat_time_ns())
		return -XEN_ETIME;
	set_single(h, arg.timeout_abs_ns);
	return 0;
}
HYPERCALL(set_singleshot) = { __HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, set_singleshot };

static int64_t stop_singleshot(struct hypercall *h)
{
	int error = check_own(h);

	if (error == 0)
		set_single(h, TIMER_NEVER);
	return error;
}
HYPERCALL(stop_singleshot) = { __HYPERVISOR_vcpu_op, VCPUOP_stop_singleshot_timer, stop_singleshot };

static int64_t set_timer(struct hypercall *h)
{
	uint64_t timeout = h->args[0], now = plat_time_ns();

	/* Callers with 32-bit words pass the halves. */
	if (h->word == sizeof(uint32_t))
		timeout |= h->args[1] << 32;
	if (timeout == 0)
		timeout = TIMER_NEVER;
	else if ((int64_t)timeout < 0 || (timeout > now && timeout - now >= SANE_TIMEOUT_NS))
		timeout = now + EARLY_TIMEOUT_NS;
	set_single(h, timeout);
	return 0;
}
HYPERCALL(set_timer) = { __HYPERVISOR_set_timer_op, HYPERCALL_ANY_OP, set_timer };

static int64_t set_periodic(struct hypercall *h)
{
	struct timer_pv_vcpu *t = timer_pv_vcpu(h->vcpu);
	struct vcpu_set_periodic_timer arg;
	int error = check_own(h);

	if (error != 0)
		return error;
	if (xen_read_arg(h, 2, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	if (arg.period_ns < MIN_PERIOD_NS || arg.period_ns > MAX_PERIOD_NS)
		return -XEN_EINVAL;
	t->period_ns = arg.period_ns;
	timer_arm(h->vcpu, &t->periodic, plat_time_ns() + arg.period_ns);
	return 0;
}
HYPERCALL(set_periodic) = { __HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, set_periodic };

static int64_t stop_periodic(struct hypercall *h)
{
	int error = check_own(h);

	if (error == 0)
		timer_disarm(h->vcpu, &timer_pv_vcpu(h->vcpu)->periodic);
	return error;
}
HYPERCALL(stop_periodic) = { __HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, stop_periodic };
