/* SPDX-License-Identifier: BSD-2-Clause */
/* The serial port of machine pvh, and the I/O APIC that its interrupt needs. */
#include <errno.h>

#include <husk/feature.h>
#include <husk/platform.h>

#include "features/machine-pvh/pvh.h"
#include "features/uart-ns16550/uart_ns16550.h"

#define COM1     0x3f8u
#define COM1_GSI 4

static int attach(struct vm *vm)
{
	static const struct uart_ns16550_options options = { .name = "com1", .base = COM1 };
	static const struct pvh_acpi_device description = {
		.name = "COM1", .hid = "PNP0501", .uid = 1, .port = COM1, .port_size = 8, .gsi = COM1_GSI
	};
	struct uart_ns16550 *uart = plat_pages_alloc(sizeof(*uart), 4096);

	if (uart == NULL)
		return -ENOMEM;
	pvh_connect(vm, &uart->irq, COM1_GSI);
	int err = uart_ns16550_init(uart, &options, &vm->ports, &vm->console);
	return err == 0 ? pvh_add_device(vm, &description) : err;
}

HUSK_FEATURE(pvh_uart) = {
	.name = "pvh-uart",
	.purpose = "16550 serial port COM1 of the machine pvh",
	.level = FEATURE_DEVICE,
	.attach = attach,
};
