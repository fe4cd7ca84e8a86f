/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The view of a local APIC for CPUs that deliver a guest's interrupts by themselves (Intel SDM 3C, chapter 29): they take
 * its registers over while the guest runs. What the CPU only keeps, the APIC does.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/platform.h>
#include <husk/vm.h>

#include "features/local-apic/local_apic.h"

#define BASE_X2APIC (1u << 10) /* 3A, figure 10-26 */
#define BASE_ENABLE (1u << 11)
#define SVR_ENABLE  (1u << 8) /* 3A, figure 10-23 */

#define COMMAND_LOW  0x300u /* 3A, table 10-1 */
#define COMMAND_HIGH 0x310u

/** What the CPU is given of an APIC. */
struct view {
	struct x86_virtual_apic virtual; /* first */
	struct local_apic *apic;
};

static enum x86_apic_mode mode(const struct x86_virtual_apic *v)
{
	const struct local_apic *a = ((const struct view *)v)->apic;

	if ((a->base & BASE_ENABLE) == 0 || (a->spurious & SVR_ENABLE) == 0)
		return X86_APIC_OFF;
	return (a->base & BASE_X2APIC) != 0 ? X86_APIC_X2 : X86_APIC_X1;
}

static bool taken_over(const struct x86_interrupts *source)
{
	const struct local_apic *a =
		(const struct local_apic *)((const char *)source - offsetof(struct local_apic, source));

	return (a->cpu->hardware_apic >> mode(a->cpu->virtual_apic) & 1) != 0;
}

static void ended(struct x86_virtual_apic *v, uint8_t vector)
{
	struct local_apic *a = ((struct view *)v)->apic;

	if (a->eoi != NULL)
		a->eoi(a->eoi_ctx, vector);
}

/* Registers that CPUs read from the page (3C, 29.4.2), but those that they keep themselves: 3A, table 10-1, by 16 bytes */
static const uint8_t shown[] = { 0x02, 0x03, 0x0d, 0x0e, 0x0f, 0x28, 0x30, 0x31,
				 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x3e };

static void show(struct x86_virtual_apic *v, uint8_t *page)
{
	struct device *dev = &((struct view *)v)->apic->dev;

	for (unsigned i = 0; i < sizeof(shown); i++) {
		uint32_t value = (uint32_t)dev->ops->read(dev, shown[i] * 16u, sizeof(value));

		memcpy(page + shown[i] * 16u, &value, sizeof(value));
	}
}

static void write_register(struct device *dev, const uint8_t *page, unsigned offset)
{
	uint32_t value;

	memcpy(&value, page + offset, sizeof(value));
	dev->ops->write(dev, offset, sizeof(value), value);
}

/* Where a message goes is written before it is sent, and does not exit by itself. */
static void written(struct x86_virtual_apic *v, const uint8_t *page, unsigned offset)
{
	struct local_apic *a = ((struct view *)v)->apic;

	vm_lock(a->cpu->vcpu.vm);
	if (offset == COMMAND_LOW)
		write_register(&a->dev, page, COMMAND_HIGH);
	write_register(&a->dev, page, offset);
	vm_unlock(a->cpu->vcpu.vm);
}

static int attach(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct local_apic *a = local_apic_of(vm->vcpus[i]);
		struct view *v = plat_pages_alloc(sizeof(*v), GUEST_PAGE_SIZE);

		if (v == NULL)
			return -ENOMEM;
		v->apic = a;
		v->virtual.mode = mode;
		v->virtual.show = show;
		v->virtual.written = written;
		v->virtual.page = LOCAL_APIC_BASE;
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
	.purpose = "has the CPU itself be the local APIC, as far as it can",
	.level = FEATURE_DEVICE,
	.attach = attach,
};
