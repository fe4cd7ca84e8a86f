/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots for devices of other features: virtio devices, which a guest finds in ACPI's namespace by the hardware id that
 * Linux's virtio_mmio knows.
 */
#include <stddef.h>

#include "features/machine-pvh/pvh.h"

/* Between the end of low RAM and the APICs. */
#define SLOT_BASE   0xd0000000u
#define SLOT_STRIDE 0x1000u

/* Behind the inputs that a PC's own devices have. */
#define SLOT_GSI 16u

#define SLOT(n)                                                                                         \
	{                                                                                               \
		.name = "VIO" #n, .hid = "LNRO0005", .uid = (n), .memory = SLOT_BASE + (n)*SLOT_STRIDE, \
		.memory_size = MACHINE_SLOT_SIZE, .gsi = SLOT_GSI + (n), .level = true,                 \
	}

static const struct pvh_acpi_device slots[] = {
	SLOT(0), SLOT(1), SLOT(2), SLOT(3), SLOT(4), SLOT(5), SLOT(6), SLOT(7)
};
_Static_assert(sizeof(slots) / sizeof(slots[0]) == MACHINE_SLOTS, "one description each");

int pvh_plug(struct vm *vm, unsigned slot, struct device *dev, struct irq_line *irq)
{
	const struct pvh_acpi_device *d = &slots[slot];
	int err = bus_attach(&vm->mmio, dev, d->memory, d->memory_size);

	if (err != 0)
		return err;
	pvh_connect(vm, irq, (unsigned)d->gsi);
	return pvh_add_device(vm, d);
}
