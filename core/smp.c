/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One vCPU on one CPU: what an image without the feature `smp` has of husk/smp.h. The feature's functions take the place
 * of these when the image is linked. smp_start() and smp_run() are in vm.c.
 */
#include <husk/smp.h>
#include <husk/vm.h>

#define REPLACEABLE __attribute__((weak))

REPLACEABLE void smp_lock(struct smp_lock *lock)
{
	(void)lock;
}

REPLACEABLE void smp_unlock(struct smp_lock *lock)
{
	(void)lock;
}

REPLACEABLE void smp_fence(void) {}

REPLACEABLE bool smp_stop_others(struct vm *vm)
{
	(void)vm;
	return true;
}

REPLACEABLE void smp_resume_others(struct vm *vm)
{
	(void)vm;
}

REPLACEABLE bool smp_is_own(const struct vcpu *v)
{
	(void)v;
	return true;
}

REPLACEABLE void smp_enter(struct vcpu *v)
{
	(void)v;
}

REPLACEABLE void smp_leave(struct vcpu *v)
{
	(void)v;
}

REPLACEABLE bool smp_shares_cpu(const struct vcpu *v)
{
	(void)v;
	return false;
}

REPLACEABLE void smp_end_turn(struct vcpu *v)
{
	(void)v;
}

REPLACEABLE void vcpu_kick(struct vcpu *v, uint32_t bits)
{
	plat_kick(&v->attention, bits);
}

REPLACEABLE void smp_deadline(struct vcpu *v, uint64_t deadline_ns)
{
	(void)v;
	plat_deadline_set(deadline_ns);
}
