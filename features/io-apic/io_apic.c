/* SPDX-License-Identifier: BSD-2-Clause */
/* Section numbers are of Intel's 82093AA data sheet (290566-001). */
#include "features/io-apic/io_apic.h"

#include <errno.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "features/local-apic/local_apic.h"
#include "features/machine-pvh/pvh.h"

/* 3.1, 3.2 */
#define WINDOW_SELECT 0x00u
#define WINDOW_DATA   0x10u
#define REG_ID        0u
#define REG_VERSION   1u
#define REG_PINS      0x10u /* two registers a pin */
#define VERSION       (0x11u | (IO_APIC_PINS - 1) << 16)

/* 3.2.4 */
#define PIN_VECTOR     0xffu
#define PIN_REMOTE_IRR (1u << 14)
#define PIN_LEVEL      (1u << 15)
#define PIN_MASKED     (1u << 16)
#define PIN_WRITABLE   0xff0000000001afffull

static struct io_apic *of_device(struct device *dev)
{
	return (struct io_apic *)dev;
}

/* Sends the message of a pin whose condition is there. */
static void deliver(struct io_apic *io, unsigned n)
{
	uint64_t pin = io->redirection[n];
	const struct local_apic_message m = { .destination = (uint32_t)(pin >> 56),
					      .logical = (pin >> 11 & 1) != 0,
					      .level = (pin & PIN_LEVEL) != 0,
					      .delivery = pin >> 8 & 7,
					      .vector = (uint8_t)pin };

	if (m.level)
		io->redirection[n] |= PIN_REMOTE_IRR;
	local_apic_send(io->vm, &m);
}

/* A level-triggered pin sends once, and again after the end of the interrupt if the line is still high. */
static void look_at_level(struct io_apic *io, unsigned n)
{
	uint64_t pin = io->redirection[n];

	if ((io->lines >> n & 1) != 0 && (pin & (PIN_LEVEL | PIN_MASKED | PIN_REMOTE_IRR)) == PIN_LEVEL)
		deliver(io, n);
}

void io_apic_input(void *controller, unsigned n, bool level)
{
	struct io_apic *io = controller;

	if (n >= IO_APIC_PINS)
		return;
	io->lines = level ? io->lines | 1u << n : io->lines & ~(1u << n);
	if ((io->redirection[n] & PIN_LEVEL) != 0)
		look_at_level(io, n);
	else if (level && (io->redirection[n] & PIN_MASKED) == 0)
		deliver(io, n);
}

static void end_of_interrupt(void *ctx, uint8_t vector)
{
	struct io_apic *io = ctx;

	for (unsigned n = 0; n < IO_APIC_PINS; n++) {
		if ((io->redirection[n] & PIN_VECTOR) != vector || (io->redirection[n] & PIN_REMOTE_IRR) == 0)
			continue;
		io->redirection[n] &= ~(uint64_t)PIN_REMOTE_IRR;
		look_at_level(io, n);
	}
}

static uint32_t read_register(const struct io_apic *io)
{
	unsigned n = io->select - REG_PINS;

	if (io->select == REG_ID)
		return io->id;
	if (io->select == REG_VERSION)
		return VERSION;
	if (n / 2 < IO_APIC_PINS)
		return (uint32_t)(io->redirection[n / 2] >> 32 * (n % 2));
	return 0;
}

static void write_register(struct io_apic *io, uint32_t value)
{
	unsigned n = io->select - REG_PINS, shift = 32 * (n % 2);
	uint64_t *pin = &io->redirection[n / 2 < IO_APIC_PINS ? n / 2 : 0];
	uint64_t mask = PIN_WRITABLE & (uint64_t)UINT32_MAX << shift;

	if (io->select == REG_ID)
		io->id = value & 0x0f000000u;
	if (n / 2 >= IO_APIC_PINS)
		return;
	*pin = (*pin & ~mask) | ((uint64_t)value << shift & mask);
	if ((*pin & PIN_LEVEL) == 0)
		*pin &= ~(uint64_t)PIN_REMOTE_IRR;
	look_at_level(io, n / 2);
}

static uint64_t io_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct io_apic *io = of_device(dev);

	(void)size;
	return offset == WINDOW_SELECT ? io->select : offset == WINDOW_DATA ? read_register(io) : 0;
}

static void io_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct io_apic *io = of_device(dev);

	(void)size;
	if (offset == WINDOW_SELECT)
		io->select = (uint32_t)value & 0xff;
	else if (offset == WINDOW_DATA)
		write_register(io, (uint32_t)value);
}

static void io_reset(struct device *dev)
{
	struct io_apic *io = of_device(dev);

	io->id = io->select = 0;
	for (unsigned n = 0; n < IO_APIC_PINS; n++)
		io->redirection[n] = PIN_MASKED;
}

static void io_describe(struct device *dev)
{
	const struct io_apic *io = of_device(dev);

	for (unsigned n = 0; n < IO_APIC_PINS; n++) {
		if ((io->redirection[n] & PIN_MASKED) == 0)
			log_text("pin %u: vector %02x, %s, line %s\n", n, (unsigned)(io->redirection[n] & PIN_VECTOR),
				 (io->redirection[n] & PIN_LEVEL) != 0 ? "level" : "edge",
				 (io->lines >> n & 1) != 0 ? "high" : "low");
	}
}

static const struct device_ops io_ops = {
	.read = io_read,
	.write = io_write,
	.reset = io_reset,
	.describe = io_describe,
};

static int attach(struct vm *vm)
{
	struct io_apic *io = plat_pages_alloc(sizeof(*io), 4096);

	if (io == NULL)
		return -ENOMEM;
	io->vm = vm;
	io->dev.name = "ioapic";
	io->dev.ops = &io_ops;
	io_reset(&io->dev);
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct local_apic *a = local_apic_of(vm->vcpus[i]);

		a->eoi = end_of_interrupt;
		a->eoi_ctx = io;
	}
	pvh_board(vm)->gsi_input = io_apic_input;
	pvh_board(vm)->gsi_controller = io;
	return bus_attach(&vm->mmio, &io->dev, IO_APIC_BASE, IO_APIC_SIZE);
}

/* Attached before devices, which connect their lines. */
HUSK_FEATURE(io_apic) = {
	.name = "io-apic",
	.purpose = "I/O APIC of x86 guests: interrupt lines of devices",
	.level = FEATURE_MACHINE,
	.attach = attach,
};
