/* SPDX-License-Identifier: BSD-2-Clause */
/* Central Interrupt Unit of Octeon I and II; register layout as in the comments of the map below. */
#include "features/machine-octeon/ciu.h"

#include <stddef.h>

#include <husk/log.h>

/* Register offsets in the block. Banks have one register for each output (2 * core + output) or each core. */
#define SUM0_BANK   0x0000u /* stride 8, by output */
#define SUM1        0x0108u /* one for all */
#define EN_BANK     0x0200u /* stride 16, by output: EN0, EN1 */
#define WDOG_BANK   0x0500u /* stride 8, by core */
#define POKE_BANK   0x0580u
#define MBOX_SET    0x0600u
#define MBOX_CLR    0x0680u
#define FUSE        0x0728u
#define SOFT_BIST   0x0738u
#define SOFT_RST    0x0740u
#define EN_W1C_BANK 0x2200u
#define EN_W1S_BANK 0x6200u

#define OUTPUT_REGS (CIU_CORES * CIU_OUTPUTS)

/* Mailbox bits 15:0 raise SUM0 bit 32, bits 31:16 bit 33. */
#define MBOX_SUM_LOW  (1ull << 32)
#define MBOX_SUM_HIGH (1ull << 33)

/* Sources latched on their rising edge and acknowledged by writing 1 to SUM: GMX and IPD drops, timers, MPI; NAND. */
static const uint64_t edge_sources[2] = {
	(7ull << 48) | (15ull << 52) | (1ull << 58),
	1ull << 47,
};

/** A register, taken apart. */
struct ciu_reg {
	enum {
		REG_UNKNOWN,
		REG_SUM0,
		REG_SUM1,
		REG_EN,
		REG_EN_W1C,
		REG_EN_W1S,
		REG_WDOG,
		REG_POKE,
		REG_MBOX_SET,
		REG_MBOX_CLR,
		REG_FUSE,
		REG_SOFT_BIST,
		REG_SOFT_RST,
	} kind;
	unsigned core, output, line;
};

uint64_t ciu_sum(const struct ciu *ciu, unsigned core, unsigned line)
{
	uint64_t sum = (ciu->level[line] & ~edge_sources[line]) | ciu->latched[line];

	if (line != 0)
		return sum;
	sum &= ~(MBOX_SUM_LOW | MBOX_SUM_HIGH);
	if ((ciu->core[core].mailbox & 0xffffu) != 0)
		sum |= MBOX_SUM_LOW;
	if ((ciu->core[core].mailbox >> 16) != 0)
		sum |= MBOX_SUM_HIGH;
	return sum;
}

/** Drives the outputs of one core from its sums and enables. */
static void update_core(struct ciu *ciu, unsigned core)
{
	uint64_t sum0 = ciu_sum(ciu, core, 0), sum1 = ciu_sum(ciu, core, 1);

	for (unsigned o = 0; o < CIU_OUTPUTS; o++) {
		const uint64_t *enable = ciu->core[core].enable[o];

		irq_set(&ciu->output[core][o], ((sum0 & enable[0]) | (sum1 & enable[1])) != 0);
	}
}

static void update_all(struct ciu *ciu)
{
	for (unsigned core = 0; core < ciu->cores; core++)
		update_core(ciu, core);
}

void ciu_input(void *controller, unsigned n, bool level)
{
	struct ciu *ciu = (struct ciu *)controller;
	unsigned line = (n / 64) & 1;
	uint64_t bit = 1ull << (n % 64), before = ciu->level[line];

	ciu->level[line] = level ? before | bit : before & ~bit;
	ciu->latched[line] |= ciu->level[line] & ~before & edge_sources[line];
	update_all(ciu);
}

/** True if offset is in a bank of `count` registers `stride` bytes apart; sets *index. */
static bool in_bank(uint64_t offset, uint64_t bank, unsigned stride, unsigned count, unsigned *index)
{
	if (offset < bank || offset >= bank + (uint64_t)stride * count)
		return false;
	*index = (unsigned)((offset - bank) / stride);
	return true;
}

/** Registers that exist once for each output of each core. */
static bool find_output_reg(uint64_t offset, struct ciu_reg *r)
{
	unsigned index;

	if (in_bank(offset, SUM0_BANK, 8, OUTPUT_REGS, &index))
		r->kind = REG_SUM0;
	else if (in_bank(offset, EN_BANK, 16, OUTPUT_REGS, &index))
		r->kind = REG_EN;
	else if (in_bank(offset, EN_W1C_BANK, 16, OUTPUT_REGS, &index))
		r->kind = REG_EN_W1C;
	else if (in_bank(offset, EN_W1S_BANK, 16, OUTPUT_REGS, &index))
		r->kind = REG_EN_W1S;
	else
		return false;
	r->core = index / CIU_OUTPUTS;
	r->output = index % CIU_OUTPUTS;
	r->line = r->kind == REG_SUM0 ? 0 : (unsigned)(offset >> 3) & 1;
	return true;
}

/** Registers that exist once for each core. */
static bool find_core_reg(uint64_t offset, struct ciu_reg *r)
{
	if (in_bank(offset, WDOG_BANK, 8, CIU_CORES, &r->core))
		r->kind = REG_WDOG;
	else if (in_bank(offset, POKE_BANK, 8, CIU_CORES, &r->core))
		r->kind = REG_POKE;
	else if (in_bank(offset, MBOX_SET, 8, CIU_CORES, &r->core))
		r->kind = REG_MBOX_SET;
	else if (in_bank(offset, MBOX_CLR, 8, CIU_CORES, &r->core))
		r->kind = REG_MBOX_CLR;
	else
		return false;
	return true;
}

/** Takes a register offset (a multiple of 8) apart. Registers of cores that are absent are unknown. */
static struct ciu_reg find_reg(const struct ciu *ciu, uint64_t offset)
{
	struct ciu_reg r = { .kind = REG_UNKNOWN };

	if (find_output_reg(offset, &r) || find_core_reg(offset, &r)) {
		if (r.core >= ciu->cores)
			r.kind = REG_UNKNOWN;
		return r;
	}
	switch (offset) {
	case SUM1: r.kind = REG_SUM1; break;
	case FUSE: r.kind = REG_FUSE; break;
	case SOFT_BIST: r.kind = REG_SOFT_BIST; break;
	case SOFT_RST: r.kind = REG_SOFT_RST; break;
	default: break;
	}
	return r;
}

/** Counts an access to a register that is not modelled and names it at level debug. */
static void note_unknown(struct ciu *ciu, uint64_t offset, const char *what)
{
	ciu->unknown++;
	log_debug("ciu: %s of unmodelled register 0x%llx", what, (unsigned long long)(CIU_BASE + offset));
}

static uint64_t read_reg(struct ciu *ciu, uint64_t offset)
{
	struct ciu_reg r = find_reg(ciu, offset);
	const struct ciu_core *core = &ciu->core[r.core];

	switch (r.kind) {
	case REG_SUM0: return ciu_sum(ciu, r.core, 0);
	case REG_SUM1: return ciu_sum(ciu, 0, 1);
	case REG_EN:
	case REG_EN_W1C:
	case REG_EN_W1S: return core->enable[r.output][r.line];
	case REG_WDOG: return core->watchdog;
	case REG_MBOX_SET:
	case REG_MBOX_CLR: return core->mailbox;
	case REG_FUSE: return (1ull << ciu->cores) - 1;
	case REG_POKE:
	case REG_SOFT_BIST:
	case REG_SOFT_RST: return 0;
	default: note_unknown(ciu, offset, "read"); return 0;
	}
}

/** Writes a mailbox; the sums of its core follow. */
static void write_mailbox(struct ciu *ciu, unsigned core, uint32_t mailbox)
{
	ciu->core[core].mailbox = mailbox;
	update_core(ciu, core);
	if (ciu->mailbox_used != NULL)
		ciu->mailbox_used(ciu->ctx);
}

/** Writes an enable; only its core's outputs can change. */
static void write_enable(struct ciu *ciu, const struct ciu_reg *r, uint64_t enable)
{
	ciu->core[r->core].enable[r->output][r->line] = enable;
	update_core(ciu, r->core);
}

/** Acknowledges edge sources. */
static void acknowledge(struct ciu *ciu, unsigned line, uint64_t bits)
{
	ciu->latched[line] &= ~bits;
	update_all(ciu);
}

static void write_reg(struct ciu *ciu, uint64_t offset, uint64_t value)
{
	struct ciu_reg r = find_reg(ciu, offset);
	struct ciu_core *core = &ciu->core[r.core];
	uint64_t enable = core->enable[r.output][r.line];

	switch (r.kind) {
	case REG_SUM0: acknowledge(ciu, 0, value); break;
	case REG_SUM1: acknowledge(ciu, 1, value); break;
	case REG_EN: write_enable(ciu, &r, value); break;
	case REG_EN_W1C: write_enable(ciu, &r, enable & ~value); break;
	case REG_EN_W1S: write_enable(ciu, &r, enable | value); break;
	case REG_WDOG: core->watchdog = value; break;
	case REG_POKE: core->pokes++; break;
	case REG_MBOX_SET: write_mailbox(ciu, r.core, core->mailbox | (uint32_t)value); break;
	case REG_MBOX_CLR: write_mailbox(ciu, r.core, core->mailbox & ~(uint32_t)value); break;
	case REG_SOFT_RST:
		if ((value & 1) != 0 && ciu->soft_reset != NULL)
			ciu->soft_reset(ciu->ctx);
		break;
	case REG_FUSE:
	case REG_SOFT_BIST: break;
	default: note_unknown(ciu, offset, "write"); break;
	}
}

/* Registers are 64 bits wide; a narrower load sees its part, a narrower store writes 0 to the rest. */
static uint64_t ciu_read(struct device *dev, uint64_t offset, unsigned size)
{
	uint64_t value = read_reg((struct ciu *)dev, offset & ~7ull) >> (8 * (offset & 7));

	return size >= 8 ? value : value & ((1ull << (8 * size)) - 1);
}

static void ciu_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	(void)size;
	write_reg((struct ciu *)dev, offset & ~7ull, value << (8 * (offset & 7)));
}

/** Power-on: nothing enabled, nothing latched. Inputs stay as their devices drive them. */
static void ciu_reset(struct device *dev)
{
	struct ciu *ciu = (struct ciu *)dev;

	for (unsigned core = 0; core < CIU_CORES; core++)
		ciu->core[core] = (struct ciu_core){ 0 };
	ciu->latched[0] = ciu->latched[1] = 0;
	update_all(ciu);
}

static void ciu_describe(struct device *dev)
{
	struct ciu *ciu = (struct ciu *)dev;

	for (unsigned c = 0; c < ciu->cores; c++) {
		const struct ciu_core *core = &ciu->core[c];

		log_text("ciu core %u: sum0 %llx sum1 %llx, IP2 enables %llx %llx, IP3 enables %llx %llx, mailbox %x\n",
			 c, (unsigned long long)ciu_sum(ciu, c, 0), (unsigned long long)ciu_sum(ciu, c, 1),
			 (unsigned long long)core->enable[0][0], (unsigned long long)core->enable[0][1],
			 (unsigned long long)core->enable[1][0], (unsigned long long)core->enable[1][1], core->mailbox);
	}
}

static const struct device_ops ciu_ops = {
	.read = ciu_read,
	.write = ciu_write,
	.reset = ciu_reset,
	.describe = ciu_describe,
};

void ciu_init(struct ciu *ciu, unsigned cores, void (*soft_reset)(void *ctx), void *ctx)
{
	*ciu = (struct ciu){
		.dev = { .name = "ciu", .ops = &ciu_ops },
		.cores = cores < 1           ? 1
			 : cores > CIU_CORES ? CIU_CORES
					     : cores,
		.soft_reset = soft_reset,
		.ctx = ctx,
	};
}
