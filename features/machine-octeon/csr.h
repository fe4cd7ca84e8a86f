/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control and status registers of the chip other than CIU and UARTs: one table
 * of registers, shown to the bus through a few windows.
 */
#ifndef MACHINE_OCTEON_CSR_H
#define MACHINE_OCTEON_CSR_H

#include <stdint.h>

#include <husk/bus.h>
#include <husk/device.h>

/** Most registers that keep what is written to them. */
#define CSR_MAX_STORED 16u

/** Windows the table is seen through. */
#define CSR_WINDOWS 7u

struct csr_set;

/** One window of the address space. */
struct csr_window {
	struct device dev; /* first: what the bus knows */
	struct csr_set *set;
};

/** The registers of one board. Zero-initialised, then csr_init(). */
struct csr_set {
	struct csr_window window[CSR_WINDOWS];
	uint64_t stored[CSR_MAX_STORED]; /**< contents of the registers that are storage */
	uint64_t rst_boot;               /**< MIO_RST_BOOT: clock ratios */
	uint64_t (*io_clock)(void *ctx); /**< I/O clock cycles since some start, for IPD_CLK_COUNT */
	void *ctx;
	uint64_t unknown; /**< accesses in the windows to registers that are not in the table */
};

/**
 * MIO_RST_BOOT for a core clock: c_mul (bits 35:30) and pnr_mul (29:24) times 50 MHz are the core's and the I/O clock.
 * Both get the ratio nearest to counter_hz, 1 to 63, so that a guest which scales one clock to the other by them finds
 * them equal, as they are here.
 */
uint64_t csr_rst_boot(uint64_t counter_hz);

/** Prepares the registers; io_clock(ctx) is asked whenever the guest reads the I/O clock count. */
void csr_init(struct csr_set *set, uint64_t counter_hz, uint64_t (*io_clock)(void *ctx), void *ctx);

/** Attaches the windows to a bus. Returns 0 or what bus_attach() says. */
int csr_attach(struct csr_set *set, struct bus *bus);

/** Name of the register at a physical address, or NULL if it is not in the table. */
const char *csr_name(uint64_t address);

#endif
