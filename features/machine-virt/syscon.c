/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset register of the Malta board. It reads as 0, so that a read-modify-write of the reset value always writes. */
#include "features/machine-virt/syscon.h"

static uint64_t syscon_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return 0;
}

static void syscon_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct syscon *s = (struct syscon *)dev;

	(void)size;
	if (offset == 0 && value == SYSCON_RESET)
		s->reset(s->ctx);
}

static const struct device_ops syscon_ops = {
	.read = syscon_read,
	.write = syscon_write,
};

int syscon_init(struct syscon *s, struct bus *bus, void (*reset)(void *ctx), void *ctx)
{
	*s = (struct syscon){ .dev = { .name = "syscon", .ops = &syscon_ops }, .reset = reset, .ctx = ctx };
	return bus_attach(bus, &s->dev, SYSCON_BASE, SYSCON_SIZE);
}
