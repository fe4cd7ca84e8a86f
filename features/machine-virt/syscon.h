/* SPDX-License-Identifier: BSD-2-Clause */
/* The reset register of the Malta board: writing 0x42 starts the board again. */
#ifndef MACHINE_VIRT_SYSCON_H
#define MACHINE_VIRT_SYSCON_H

#include <husk/bus.h>
#include <husk/device.h>

#define SYSCON_BASE 0x1f000500ull
#define SYSCON_SIZE 4u

/** Value that resets. */
#define SYSCON_RESET 0x42u

/** The register. Zero-initialised, then syscon_init(). */
struct syscon {
	struct device dev; /* first: what the bus knows */
	void (*reset)(void *ctx);
	void *ctx;
};

/** Puts the register on a bus; reset(ctx) is called for each write of SYSCON_RESET. Returns what bus_attach() says. */
int syscon_init(struct syscon *s, struct bus *bus, void (*reset)(void *ctx), void *ctx);

#endif
