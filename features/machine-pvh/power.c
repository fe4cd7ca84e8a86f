/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports of the board itself: sleep control, sleep status and reset registers (ACPI specification 6.4, 4.8.3.7 and
 * 4.8.3.6), and the place of a timer that is not there.
 */
#include "features/machine-pvh/pvh.h"

#include <stddef.h>

#define SLEEP_CONTROL 0u
#define RESET         2u
#define SIZE          3u

#define TIMER_PORT  0x40u /* Intel 8254 on a PC */
#define TIMER_PORTS 4u

#define SLEEP_ENABLE  (1u << 5)
#define SLEEP_TYPE(v) ((v) >> 2 & 7u)
#define S5            5u

static struct pvh *of_device(struct device *dev)
{
	return (struct pvh *)((char *)dev - offsetof(struct pvh, power));
}

/* The status register always reads as 0: there is no sleep that a guest wakes from. */
static uint64_t power_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return 0;
}

static void power_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	(void)size;
	if (offset == SLEEP_CONTROL && (value & SLEEP_ENABLE) != 0 && SLEEP_TYPE(value) == S5)
		vm_request(of_device(dev)->vm, VM_POWER_OFF);
	else if (offset == RESET && value == 1)
		vm_request(of_device(dev)->vm, VM_RESET);
}

/*
 * Linux resets reduced hardware by EFI, and where there is none by a jump to the BIOS's entry in real mode:
 * mov dx, PVH_POWER_PORT + RESET; mov al, 1; out dx, al; hlt; jmp to the hlt.
 */
void pvh_write_reset_vector(struct pvh *board)
{
	static const uint8_t code[] = {
		0xba, (PVH_POWER_PORT + RESET) & 0xff, PVH_POWER_PORT >> 8, 0xb0, 0x01, 0xee, 0xf4, 0xeb, 0xfd
	};

	memory_write(&board->vm->memory, PVH_RESET_VECTOR, code, sizeof(code));
}

static const struct device_ops power_ops = {
	.read = power_read,
	.write = power_write,
};

/*
 * Linux looks for an 8254 before it knows the ACPI tables, and takes a counter that stands at 0xff, which is what
 * absent ports read as, for one that counts slowly: 100,000 reads. One that stands at 0 is dismissed at once.
 */
static uint64_t no_timer_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return 0;
}

static void no_timer_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	(void)dev;
	(void)offset;
	(void)size;
	(void)value;
}

static const struct device_ops no_timer_ops = {
	.read = no_timer_read,
	.write = no_timer_write,
};

int pvh_power_init(struct pvh *board)
{
	int err;

	board->no_timer.name = "no-timer";
	board->no_timer.ops = &no_timer_ops;
	err = bus_attach(&board->vm->ports, &board->no_timer, TIMER_PORT, TIMER_PORTS);
	if (err != 0)
		return err;

	board->power.name = "power";
	board->power.ops = &power_ops;
	return bus_attach(&board->vm->ports, &board->power, PVH_POWER_PORT, SIZE);
}
