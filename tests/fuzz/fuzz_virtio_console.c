/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/fuzz/virtio_guest.c tests/unit/virtio_driver.c tests/unit/fake_platform.c features/virtio/device.c */
/* sources: features/virtio/queue.c features/virtio-mmio/virtio_mmio.c features/virtio-console/virtio_console.c */
/* sources: features/virtio-console/control.c core/console.c core/memory.c core/io.c core/log.c core/timer.c */
/* The consoles, with a user who types. */
#include <string.h>

#include "features/virtio-console/virtio_console.h"
#include "tests/fuzz/virtio_guest.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/virtio_driver.h"

static struct virtio_console console;

void vm_request(struct vm *vm, enum vm_request what)
{
	(void)vm;
	(void)what;
}

struct virtio_device *fuzz_make(void)
{
	static const char *const names[] = { "one", "the second" };

	memset(&console, 0, sizeof(console));
	console_init(&driver_vm.console, &driver_vm);
	fuzz_check(virtio_console_init(&console, names, 2, &driver_vm.memory, &driver_vm.console) == 0);
	return &console.virtio;
}

/** Keys, the switch to the next console among them. */
void fuzz_event(struct fuzz_input *in)
{
	uint8_t keys[64];
	unsigned size = fuzz_byte(in) % sizeof(keys);

	for (unsigned i = 0; i < size; i++)
		keys[i] = fuzz_byte(in);
	if (size % 8 == 2)
		memcpy(keys, "\1n", 2);
	if (fake_input_left() + size <= FAKE_INPUT_SIZE)
		fake_input(keys, size);
	fuzz_poll();
}

void fuzz_poll(void)
{
	console_poll(&driver_vm.console);
	/* What is shown is of no interest, and there is a lot of it. */
	fake_console_size = 0;
}

void fuzz_after_reset(void)
{
	for (unsigned i = 0; i < console.nr_ports; i++) {
		const struct virtio_console_port *p = &console.ports[i];

		fuzz_check(!p->open && !p->has_chain && p->news == 0 && p->port.queued <= CONSOLE_QUEUE);
	}
}
