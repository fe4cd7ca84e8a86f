/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots for devices of other features: virtio devices, which a guest finds in ACPI's namespace by the hardware id that
 * Linux's virtio_mmio knows.
 */
#include <string.h>

#include "features/machine-pvh/pvh.h"

/* Between the end of low RAM and the APICs. */
#define SLOT_BASE   0xd0000000u
#define SLOT_STRIDE 0x1000u

/* Behind the inputs that a PC's own devices have. */
#define SLOT_GSI 16u

_Static_assert(MACHINE_SLOTS <= 10, "one digit");

int pvh_plug(struct vm *vm, unsigned slot, struct device *dev, struct irq_line *irq)
{
	struct pvh_slot *s = &pvh_board(vm)->slots[slot];
	struct pvh_acpi_device *d = &s->acpi;
	int err;

	memcpy(s->name, "VIO0", sizeof(s->name));
	s->name[3] = (char)('0' + slot);
	*d = (struct pvh_acpi_device){ .name = s->name,
				       .hid = "LNRO0005",
				       .uid = slot,
				       .memory = SLOT_BASE + slot * SLOT_STRIDE,
				       .memory_size = MACHINE_SLOT_SIZE,
				       .gsi = (int)(SLOT_GSI + slot),
				       .level = true };
	err = bus_attach(&vm->mmio, dev, d->memory, d->memory_size);
	if (err != 0)
		return err;
	pvh_connect(vm, irq, (unsigned)d->gsi);
	return pvh_add_device(vm, d);
}
