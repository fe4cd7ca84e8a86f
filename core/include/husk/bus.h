/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest physical addresses (or ports) → device operations, with a record of the last accesses. */
#ifndef HUSK_BUS_H
#define HUSK_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/device.h>

#define BUS_MAX_DEVICES 32u
#define BUS_HISTORY     16u

/** One access, for reports. */
struct bus_access {
	uint64_t address, value;
	uint8_t size;
	bool write;
	const struct device *dev; /**< NULL: nobody claims the address */
};

/** An address space of devices. Zero-initialised is an empty bus. */
struct bus {
	struct device *devices[BUS_MAX_DEVICES]; /**< sorted by base */
	unsigned nr_devices;
	uint64_t unclaimed;                     /**< accesses that no device took, over all resets */
	struct bus_access history[BUS_HISTORY]; /**< ring, newest at (count - 1) % BUS_HISTORY */
	uint64_t count;                         /**< accesses since the last reset */
};

/**
 * Gives dev the window [base, base + size). Returns 0, -EEXIST if it overlaps another's, -EINVAL if
 * it is empty or wraps, -ENOSPC. The device is not owned by the bus and must outlive it.
 */
int bus_attach(struct bus *bus, struct device *dev, uint64_t base, uint64_t size);

/** Device whose window holds all of [address, address + size), or NULL. */
struct device *bus_find(const struct bus *bus, uint64_t address, unsigned size);

/**
 * Reads 1, 2, 4 or 8 bytes. An address nobody claims (any other size, or bytes beyond the window's end, too) reads
 * as 0, is counted, and named at level debug.
 */
uint64_t bus_read(struct bus *bus, uint64_t address, unsigned size);

/** Writes 1, 2, 4 or 8 bytes; ignored, counted and named at level debug where nobody claims the address. */
void bus_write(struct bus *bus, uint64_t address, unsigned size, uint64_t value);

/** Resets every device in address order and forgets the history; the counters of accesses go on. */
void bus_reset(struct bus *bus);

/** Prints the last accesses, oldest first, with log_text(). */
void bus_print_history(const struct bus *bus);

#endif
