/* SPDX-License-Identifier: BSD-2-Clause */
/* Control and status registers of CN63XX that a kernel meets; see README.md for who reads what. */
#include "features/machine-octeon/csr.h"

#include <stddef.h>

#include <husk/log.h>

/** How a register behaves. */
enum csr_kind {
	CSR_CONST,    /**< reads as its value, writes are ignored */
	CSR_STORAGE,  /**< reads back what was written; value at reset as given */
	CSR_FUSE_CMD, /**< storage whose PEND bit never stays set: the fuse read is done at once, and gives 0 */
	CSR_RST_BOOT, /**< clock ratios of this board */
	CSR_IO_CLOCK, /**< counts I/O clock cycles */
};

/** One line of the table. */
struct csr {
	uint64_t address; /**< physical */
	const char *name;
	enum csr_kind kind;
	uint64_t value; /**< constant, or contents at reset */
};

/* MIO_FUS_RCMD: PEND starts a fuse read and stays set while it lasts, DAT is what it found. */
#define FUS_RCMD_PEND (1ull << 12)
#define FUS_RCMD_DAT  (0xffull << 16)

static const struct csr table[] = {
	/* Boot bus. Region 0 answers to the watchdog's upload of its NMI stub. */
	{ 0x1180000000080, "MIO_BOOT_LOC_CFG0", CSR_STORAGE, 0 },
	{ 0x1180000000088, "MIO_BOOT_LOC_CFG1", CSR_STORAGE, 0 },
	{ 0x1180000000090, "MIO_BOOT_LOC_ADR", CSR_STORAGE, 0 },
	{ 0x1180000000098, "MIO_BOOT_LOC_DAT", CSR_STORAGE, 0 },
	{ 0x11800000000f8, "MIO_BOOT_BIST_STAT", CSR_CONST, 0 },
	/* Fuses: everything present, but no crypto unit (bit 26), since coprocessor 2 is not modelled. */
	{ 0x1180000001410, "MIO_FUS_DAT2", CSR_CONST, 1ull << 26 },
	{ 0x1180000001418, "MIO_FUS_DAT3", CSR_CONST, 0 },
	{ 0x1180000001420, "MIO_FUS_PDF", CSR_CONST, 0 },
	{ 0x1180000001500, "MIO_FUS_RCMD", CSR_FUSE_CMD, 0 },
	/* Reset block. HOST_MODE (bit 6) of both PCIe ports is 0: endpoints, which a kernel leaves alone. */
	{ 0x1180000001600, "MIO_RST_BOOT", CSR_RST_BOOT, 0 },
	{ 0x1180000001618, "MIO_RST_CTL0", CSR_CONST, 0 },
	{ 0x1180000001620, "MIO_RST_CTL1", CSR_CONST, 0 },
	/* Random numbers: storage so that a driver finds what it set; the unit gives no numbers. */
	{ 0x1180040000000, "RNM_CTL_STATUS", CSR_STORAGE, 0 },
	/* Level 2 cache. Crippled (bits 35:34) tells the kernel not to lock lines in it. */
	{ 0x11800800007b8, "L2D_FUS3", CSR_CONST, 3ull << 34 },
	{ 0x1180080800000, "L2C_CTL", CSR_STORAGE, 0 },
	{ 0x1180080a00010, "L2C_TAD0_TAG", CSR_CONST, 0 },
	/* I/O bridge, packet input, scheduler: set up once by every kernel, without packet hardware to heed it. */
	{ 0x11800f0000000, "IOB_FAU_TIMEOUT", CSR_STORAGE, 0 },
	{ 0x14f0000000338, "IPD_CLK_COUNT", CSR_IO_CLOCK, 0 },
	{ 0x1670000000210, "POW_NW_TIM", CSR_STORAGE, 0 },
};

#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

/* Windows of the units above. CIU and UARTs have their own; the UARTs lie between boot bus and fuses. */
static const struct {
	const char *name;
	uint64_t base, size;
} windows[CSR_WINDOWS] = {
	{ "mio-boot", 0x1180000000000, 0x800 }, { "mio-fus-rst", 0x1180000001000, 0x1000 },
	{ "rnm", 0x1180040000000, 0x1000 },     { "l2c", 0x1180080000000, 0x1000000 },
	{ "iob", 0x11800f0000000, 0x1000 },     { "ipd", 0x14f0000000000, 0x1000 },
	{ "pow", 0x1670000000000, 0x1000 },
};

/** Line of the table for an address, or NULL. */
static const struct csr *find(uint64_t address)
{
	for (size_t i = 0; i < TABLE_SIZE; i++)
		if (table[i].address == address)
			return &table[i];
	return NULL;
}

const char *csr_name(uint64_t address)
{
	const struct csr *csr = find(address);

	return csr != NULL ? csr->name : NULL;
}

/** True if the register keeps what is written to it. */
static bool is_stored(const struct csr *csr)
{
	return csr->kind == CSR_STORAGE || csr->kind == CSR_FUSE_CMD;
}

/** Where a stored register is kept: its place among the stored ones. */
static uint64_t *storage(struct csr_set *set, const struct csr *csr)
{
	size_t place = 0;

	for (const struct csr *c = table; c < csr; c++)
		place += is_stored(c);
	return &set->stored[place % CSR_MAX_STORED];
}

/** Counts an access to a register that is not in the table and names it at level debug. */
static void note_unknown(struct csr_window *w, uint64_t address, const char *what)
{
	w->set->unknown++;
	log_debug("%s: %s of unmodelled CSR 0x%llx", w->dev.name, what, (unsigned long long)address);
}

static uint64_t read_csr(struct csr_window *w, uint64_t address)
{
	const struct csr *csr = find(address);

	if (csr == NULL) {
		note_unknown(w, address, "read");
		return 0;
	}
	switch (csr->kind) {
	case CSR_STORAGE:
	case CSR_FUSE_CMD: return *storage(w->set, csr);
	case CSR_RST_BOOT: return w->set->rst_boot;
	case CSR_IO_CLOCK: return w->set->io_clock(w->set->ctx);
	default: return csr->value;
	}
}

static void write_csr(struct csr_window *w, uint64_t address, uint64_t value)
{
	const struct csr *csr = find(address);

	if (csr == NULL) {
		note_unknown(w, address, "write");
		return;
	}
	if (csr->kind == CSR_FUSE_CMD)
		value &= ~(FUS_RCMD_PEND | FUS_RCMD_DAT);
	if (is_stored(csr))
		*storage(w->set, csr) = value;
}

/* Registers are 64 bits wide; a narrower load sees its part, a narrower store writes 0 to the rest. */
static uint64_t csr_read(struct device *dev, uint64_t offset, unsigned size)
{
	uint64_t value = read_csr((struct csr_window *)dev, dev->base + (offset & ~7ull)) >> (8 * (offset & 7));

	return size >= 8 ? value : value & ((1ull << (8 * size)) - 1);
}

static void csr_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	(void)size;
	write_csr((struct csr_window *)dev, dev->base + (offset & ~7ull), value << (8 * (offset & 7)));
}

/** Registers whose window this is go back to their contents at reset. */
static void csr_reset(struct device *dev)
{
	struct csr_window *w = (struct csr_window *)dev;

	for (const struct csr *c = table; c < table + TABLE_SIZE; c++)
		if (is_stored(c) && c->address - dev->base < dev->size)
			*storage(w->set, c) = c->value;
}

static const struct device_ops csr_ops = {
	.read = csr_read,
	.write = csr_write,
	.reset = csr_reset,
};

uint64_t csr_rst_boot(uint64_t counter_hz)
{
	uint64_t ratio = (counter_hz + 25000000) / 50000000;

	if (ratio < 1)
		ratio = 1;
	if (ratio > 63)
		ratio = 63;
	return ratio << 30 | ratio << 24;
}

void csr_init(struct csr_set *set, uint64_t counter_hz, uint64_t (*io_clock)(void *ctx), void *ctx)
{
	*set = (struct csr_set){ .rst_boot = csr_rst_boot(counter_hz), .io_clock = io_clock, .ctx = ctx };
	for (unsigned i = 0; i < CSR_WINDOWS; i++)
		set->window[i] = (struct csr_window){
			.dev = { .name = windows[i].name, .ops = &csr_ops },
			.set = set,
		};
}

int csr_attach(struct csr_set *set, struct bus *bus)
{
	for (unsigned i = 0; i < CSR_WINDOWS; i++) {
		int err = bus_attach(bus, &set->window[i].dev, windows[i].base, windows[i].size);

		if (err < 0)
			return err;
	}
	return 0;
}
