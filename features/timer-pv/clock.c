/* SPDX-License-Identifier: BSD-2-Clause */
/* System time and wall clock in shared pages (Xen's public xen.h: struct vcpu_time_info, struct shared_info). */
#include <errno.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>

#include "features/timer-pv/timer_pv.h"
#include "features/xen-abi/layout.h"

#include <xen/features.h>

#define NS_PER_S 1000000000u

/** Writes `factors` with Xen's protocol: while a reader may see a mixture, the version is odd, and then a new one. */
static void write_time(struct vcpu_time_info *to, const struct vcpu_time_info *factors)
{
	uint32_t version = __atomic_load_n(&to->version, __ATOMIC_RELAXED) | 1;
	struct vcpu_time_info next = *factors;

	__atomic_store_n(&to->version, version, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	next.version = version;
	*to = next;
	__atomic_store_n(&to->version, version + 1, __ATOMIC_RELEASE);
}

/** The wall clock when system time was 0; unknown is 1970. The version is as above. */
static void write_wallclock(struct xen_domain *d)
{
	uint32_t *at = (uint32_t *)(d->shared + xen_wallclock_offset(d->word));
	uint32_t *high = (uint32_t *)(d->shared + xen_wallclock_high_offset(d->word));
	uint64_t wall = plat_wallclock_ns();
	uint64_t zero = wall != 0 ? wall - plat_time_ns() : 0;
	uint32_t version = __atomic_load_n(&at[0], __ATOMIC_RELAXED) | 1;

	__atomic_store_n(&at[0], version, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	at[1] = (uint32_t)(zero / NS_PER_S);
	at[2] = (uint32_t)(zero % NS_PER_S);
	*high = (uint32_t)(zero / NS_PER_S >> 32);
	__atomic_store_n(&at[0], version + 1, __ATOMIC_RELEASE);
}

void timer_pv_publish(struct xen_domain *d)
{
	for (unsigned i = 0; i < d->vm->nr_vcpus; i++)
		write_time(&d->vcpus[i].info->time, &d->time->factors);
	write_wallclock(d);
}

/*
 * A second copy at an address of the guest's choice, for its user mode. The factors never change, so that nobody has to
 * remember where it is; address 0 takes it back.
 */
static int64_t register_time_area(struct hypercall *h)
{
	struct xen_domain *d = xen_caller(h);
	struct vcpu_register_time_memory_area arg;
	struct vcpu_time_info info = d->time->factors;

	if (xen_vcpu(d, h->args[1]) == NULL)
		return -XEN_ENOENT;
	if (xen_read_arg(h, 2, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	if (arg.addr.p == 0)
		return 0;
	info.version = 2;
	return hypercall_write(h, arg.addr.p, &info, sizeof(info));
}
HYPERCALL(register_time_area) = { __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_time_memory_area, register_time_area };

/**
 * system time = ((counter - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32: our own formula, as long as the
 * factor fits 32 bits. A counter of less than 1 GHz needs a shift, which rounds the factor down.
 */
static int make_factors(struct vcpu_time_info *out)
{
	struct plat_time_scale scale;
	int8_t shift = 0;

	if (!plat_time_scale(&scale))
		return -ENODEV;
	while (scale.ns_per_tick >> shift > UINT32_MAX)
		shift++;
	*out = (struct vcpu_time_info){ .tsc_timestamp = scale.zero,
					.tsc_to_system_mul = (uint32_t)(scale.ns_per_tick >> shift),
					.tsc_shift = shift,
					.flags = XEN_PVCLOCK_TSC_STABLE_BIT };
	return 0;
}

static void reset(struct vm *vm)
{
	struct xen_domain *d = xen_domain(vm);

	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct timer_pv_vcpu *t = &d->time->vcpus[i];

		vm->timer->start(&t->single);
		/* It counts system time. */
		t->single.offset = 0;
		timer_pv_runstate_reset(t);
	}
	timer_pv_publish(d);
}

static int attach(struct vm *vm)
{
	struct xen_domain *d = xen_domain(vm);
	struct timer_pv *time = plat_pages_alloc(sizeof(*time), GUEST_PAGE_SIZE);

	if (time == NULL) {
		log_error("the host has no memory for paravirtual timers");
		return -ENOMEM;
	}
	if (make_factors(&time->factors) != 0) {
		log_error("this host has no counter that a guest can tell the time from: leave out TIMER_PV");
		return -ENODEV;
	}
	time->xen = d;
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		timer_pv_init(&time->vcpus[i], vm->vcpus[i]);
	d->time = time;
	d->features |= 1u << XENFEAT_hvm_safe_pvclock;
	d->assists_offered |= 1u << VMASST_TYPE_runstate_update_flag;
	d->shared_moved = timer_pv_publish;
	vm->idle = timer_pv_idle;
	return 0;
}

HUSK_FEATURE(timer_pv) = {
	.name = "timer-pv",
	.purpose = "paravirtual time: clock in a shared page, timers by hypercall",
	.level = FEATURE_TIMER,
	.attach = attach,
	.reset = reset,
};
