/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/fuzz/virtio_guest.c tests/unit/virtio_driver.c tests/unit/fake_platform.c features/virtio/device.c */
/* sources: features/virtio/queue.c features/virtio-mmio/virtio_mmio.c features/virtio-console/virtio_console.c */
/* sources: features/virtio-console/control.c core/console.c core/memory.c core/io.c core/log.c core/timer.c */
/* The consoles, with a user who types; the second has a line, at whose other end somebody comes, types and goes. */
#include <string.h>

#include "features/virtio-console/virtio_console.h"
#include "tests/fuzz/virtio_guest.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/virtio_driver.h"

static struct virtio_console console;
static struct chardev line;
static size_t typed_on_line;

void vm_request(struct vm *vm, enum vm_request what)
{
	(void)vm;
	(void)what;
}

static void line_write(struct chardev *c, const void *data, size_t size)
{
	fuzz_check_vectors(&(const struct io_vector){ (void *)(uintptr_t)data, size }, 1);
	(void)c;
}

static size_t line_read(struct chardev *c, void *buf, size_t size)
{
	size_t n = size < typed_on_line ? size : typed_on_line;

	(void)c;
	fuzz_check(size != 0);
	memset(buf, 'x', n);
	typed_on_line -= n;
	return n;
}

static void line_poll(struct chardev *c)
{
	(void)c;
}

struct virtio_device *fuzz_make(void)
{
	static const struct chardev_ops ops = { .write = line_write, .read = line_read, .poll = line_poll };
	static const struct virtio_console_options options[] = { { .name = "one" },
								 { .name = "the second", .line = &line } };

	line = (struct chardev){ .ops = &ops, .name = "line" };
	typed_on_line = 0;
	driver_vm.io_clients = NULL;
	memset(&console, 0, sizeof(console));
	console_init(&driver_vm.console, &driver_vm);
	fuzz_check(virtio_console_init(&console, options, 2, &driver_vm.memory, &driver_vm.console) == 0);
	return &console.virtio;
}

/** Somebody at the line. */
static void line_event(unsigned what)
{
	line.connected = (what & 1) != 0;
	typed_on_line += line.connected ? what : 0;
	fuzz_poll();
}

/** Keys, the switch to the next console among them, or what happens on the line. */
void fuzz_event(struct fuzz_input *in)
{
	uint8_t keys[64];
	unsigned what = fuzz_byte(in), size = what % sizeof(keys);

	if (what >= 128) {
		line_event(what - 128);
		return;
	}
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
	io_poll(&driver_vm);
	/* What is shown is of no interest, and there is a lot of it. */
	fake_console_size = 0;
}

void fuzz_after_reset(void)
{
	for (unsigned i = 0; i < console.nr_ports; i++) {
		const struct virtio_console_port *p = &console.ports[i];

		fuzz_check(!p->open && !p->ready && !p->has_chain && p->news == 0 && p->port.queued <= CONSOLE_QUEUE);
	}
}
