/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices by address: windows sorted by base, never overlapping. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <husk/bus.h>
#include <husk/log.h>

/** Number of windows that start at or below address; the last of them is the only one that can hold it. */
static unsigned windows_upto(const struct bus *bus, uint64_t address)
{
	unsigned low = 0, high = bus->nr_devices;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (bus->devices[middle]->base <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/** Last address of a window. */
static uint64_t last_of(const struct device *dev)
{
	return dev->base + (dev->size - 1);
}

int bus_attach(struct bus *bus, struct device *dev, uint64_t base, uint64_t size)
{
	unsigned at = windows_upto(bus, base);

	if (size == 0 || size - 1 > UINT64_MAX - base)
		return -EINVAL;
	if (at > 0 && last_of(bus->devices[at - 1]) >= base)
		return -EEXIST;
	if (at < bus->nr_devices && bus->devices[at]->base - base < size)
		return -EEXIST;
	if (bus->nr_devices == BUS_MAX_DEVICES)
		return -ENOSPC;
	memmove(&bus->devices[at + 1], &bus->devices[at], (bus->nr_devices - at) * sizeof(bus->devices[0]));
	bus->devices[at] = dev;
	bus->nr_devices++;
	dev->base = base;
	dev->size = size;
	return 0;
}

struct device *bus_find(const struct bus *bus, uint64_t address, unsigned size)
{
	unsigned at = windows_upto(bus, address);
	struct device *dev;

	if (at == 0 || size == 0)
		return NULL;
	dev = bus->devices[at - 1];
	if (size > dev->size || address - dev->base > dev->size - size)
		return NULL;
	return dev;
}

/** All bits of an access; 0 for a size that no device has to deal with. */
static uint64_t size_mask(unsigned size)
{
	switch (size) {
	case 1: return 0xff;
	case 2: return 0xffff;
	case 4: return 0xffffffff;
	case 8: return UINT64_MAX;
	default: return 0;
	}
}

static void record(struct bus *bus, const struct bus_access *a)
{
	bus->history[bus->count % BUS_HISTORY] = *a;
	bus->count++;
	if (a->dev != NULL)
		return;
	bus->unclaimed++;
	if (a->write)
		log_debug("write of 0x%" PRIx64 " (%u bytes) to 0x%" PRIx64 ", where there is nothing", a->value,
			  a->size, a->address);
	else
		log_debug("read of %u bytes from 0x%" PRIx64 ", where there is nothing", a->size, a->address);
}

uint64_t bus_read(struct bus *bus, uint64_t address, unsigned size)
{
	uint64_t mask = size_mask(size);
	struct device *dev = mask != 0 ? bus_find(bus, address, size) : NULL;
	struct bus_access a = { .address = address, .size = (uint8_t)size, .dev = dev };

	if (dev != NULL) {
		dev->reads++;
		a.value = dev->ops->read(dev, address - dev->base, size) & mask;
	}
	record(bus, &a);
	return a.value;
}

void bus_write(struct bus *bus, uint64_t address, unsigned size, uint64_t value)
{
	uint64_t mask = size_mask(size);
	struct device *dev = mask != 0 ? bus_find(bus, address, size) : NULL;
	struct bus_access a = {
		.address = address, .value = value & mask, .size = (uint8_t)size, .write = true, .dev = dev
	};

	/* Recorded first: the write may end in a report. */
	record(bus, &a);
	if (dev == NULL)
		return;
	dev->writes++;
	dev->ops->write(dev, address - dev->base, size, a.value);
}

void bus_reset(struct bus *bus)
{
	for (unsigned i = 0; i < bus->nr_devices; i++) {
		if (bus->devices[i]->ops->reset != NULL)
			bus->devices[i]->ops->reset(bus->devices[i]);
	}
	memset(bus->history, 0, sizeof(bus->history));
	bus->count = 0;
}

static void print_access(const struct bus_access *a)
{
	uint64_t offset = a->dev != NULL ? a->address - a->dev->base : 0;

	log_text("  %s %u bytes at 0x%" PRIx64 " %s+0x%" PRIx64 ": 0x%" PRIx64 "\n", a->write ? "write" : "read ",
		 a->size, a->address, a->dev != NULL ? a->dev->name : "nothing", offset, a->value);
}

void bus_print_history(const struct bus *bus)
{
	uint64_t n = bus->count < BUS_HISTORY ? bus->count : BUS_HISTORY;

	log_text("last device accesses (%" PRIu64 " since the guest started, %" PRIu64
		 " to addresses with no device):\n",
		 bus->count, bus->unclaimed);
	for (uint64_t i = bus->count - n; i < bus->count; i++)
		print_access(&bus->history[i % BUS_HISTORY]);
}
