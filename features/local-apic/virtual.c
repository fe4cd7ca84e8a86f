/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The view of a local APIC for CPUs that deliver a guest's interrupts by themselves (Intel SDM 3C, 29.2): they take its
 * registers over while the guest runs, in x2APIC mode. In xAPIC mode they would need a page of registers to be mapped.
 */
#include <errno.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/platform.h>
#include <husk/vm.h>

#include "features/local-apic/local_apic.h"

#define BASE_X2APIC (1u << 10) /* 3A, figure 10-26 */
#define BASE_ENABLE (1u << 11)
#define SVR_ENABLE  (1u << 8) /* 3A, figure 10-23 */

/** What the CPU is given of an APIC. */
struct view {
	struct x86_virtual_apic virtual; /* first */
	struct local_apic *apic;
};

static bool is_ready(const struct x86_virtual_apic *v)
{
	const struct local_apic *a = ((const struct view *)v)->apic;
	uint64_t mode = BASE_X2APIC | BASE_ENABLE;

	return (a->base & mode) == mode && (a->spurious & SVR_ENABLE) != 0;
}

static bool taken_over(const struct x86_interrupts *source)
{
	const struct local_apic *a =
		(const struct local_apic *)((const char *)source - offsetof(struct local_apic, source));

	return a->cpu->hardware_apic && is_ready(a->cpu->virtual_apic);
}

static void ended(struct x86_virtual_apic *v, uint8_t vector)
{
	struct local_apic *a = ((struct view *)v)->apic;

	if (a->eoi != NULL)
		a->eoi(a->eoi_ctx, vector);
}

static int attach(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct local_apic *a = local_apic_of(vm->vcpus[i]);
		struct view *v = plat_pages_alloc(sizeof(*v), GUEST_PAGE_SIZE);

		if (v == NULL)
			return -ENOMEM;
		v->apic = a;
		v->virtual.is_ready = is_ready;
		v->virtual.ended = ended;
		v->virtual.request = a->request;
		v->virtual.service = a->service;
		v->virtual.level = a->level;
		a->source.taken_over = taken_over;
		a->cpu->virtual_apic = &v->virtual;
	}
	return 0;
}

HUSK_FEATURE(local_apic_virtual) = {
	.name = "local-apic-virtual",
	.purpose = "lets the CPU deliver interrupts of the local APIC by itself, where it can",
	.level = FEATURE_DEVICE,
	.attach = attach,
};
