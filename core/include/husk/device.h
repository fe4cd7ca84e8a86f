/* SPDX-License-Identifier: BSD-2-Clause */
/* What a device is to the bus: registers that are read and written. */
#ifndef HUSK_DEVICE_H
#define HUSK_DEVICE_H

#include <stdint.h>

struct device;

/** Operations of a device. `offset` is relative to its window, `size` 1, 2, 4 or 8 bytes, never crossing the window. */
struct device_ops {
	/** Value of a register, zero-extended, in the guest's view of that width. */
	uint64_t (*read)(struct device *dev, uint64_t offset, unsigned size);
	/** Writes a register; bits above `size` are 0. */
	void (*write)(struct device *dev, uint64_t offset, unsigned size, uint64_t value);
	/** Back to power-on state, at every guest reset. May be NULL. */
	void (*reset)(struct device *dev);
	/** One line of state for the monitor, through log_text(). May be NULL. */
	void (*describe)(struct device *dev);
};

/** Embedded as first member in a device's own state. */
struct device {
	const char *name; /**< unique within the machine, such as "uart0" */
	const struct device_ops *ops;
	uint64_t base, size;    /**< window, set by bus_attach() */
	uint64_t reads, writes; /**< accesses so far */
};

#endif
