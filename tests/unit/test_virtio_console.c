/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/virtio-console/virtio_console.c features/virtio-console/control.c core/console.c */
/* sources: features/virtio/device.c features/virtio/queue.c features/virtio-mmio/virtio_mmio.c */
/* sources: tests/unit/virtio_driver.c core/memory.c core/io.c core/log.c tests/unit/fake_platform.c */
/* The console device between a driver and the real console of husk. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>

#include "features/virtio-console/virtio_console.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/virtio_driver.h"

#define MULTIPORT VIRTIO_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT)
#define QUEUES    6u
#define DATA      DRIVER_BUFFERS
#define MESSAGES  (DRIVER_BUFFERS + 0x4000u) /**< from the device */

static struct virtio_console console;
static struct chardev line;
static const char *typed_on_line;
static char printed_on_line[64];

void vm_request(struct vm *vm, enum vm_request what)
{
	(void)vm;
	(void)what;
}

static void line_write(struct chardev *c, const void *data, size_t size)
{
	(void)c;
	strncat(printed_on_line, data, size);
}

static size_t line_read(struct chardev *c, void *buf, size_t size)
{
	size_t n = strnlen(typed_on_line, size);

	(void)c;
	memcpy(buf, typed_on_line, n);
	typed_on_line += n;
	return n;
}

static void line_poll(struct chardev *c)
{
	(void)c;
}

static void make(struct chardev *of_second)
{
	const struct virtio_console_options options[] = { { .name = "first" },
							  { .name = "second", .line = of_second } };

	driver_vm.io_clients = NULL;
	console_init(&driver_vm.console, &driver_vm);
	memset(&console, 0, sizeof(console));
	assert_int_equal(virtio_console_init(&console, options, 2, &driver_vm.memory, &driver_vm.console), 0);
	driver_plug(&console.virtio);
}

static int setup_with_line(void **state)
{
	static const struct chardev_ops ops = { .write = line_write, .read = line_read, .poll = line_poll };

	(void)state;
	fake_reset();
	driver_new_guest();
	line = (struct chardev){ .ops = &ops, .name = "line" };
	typed_on_line = "";
	printed_on_line[0] = '\0';
	make(&line);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	log_guest_output(true);
	driver_new_guest();
	make(NULL);
	return 0;
}

static void type(const char *text)
{
	fake_input(text, strlen(text));
	console_poll(&driver_vm.console);
}

static void add(unsigned queue, uint16_t head, uint64_t gpa, uint32_t size, bool write)
{
	driver_add(queue, head, &(struct driver_buffer){ gpa, size, write }, 1);
	driver_notify(queue);
}

static uint32_t used_length(unsigned queue)
{
	struct driver_used used;

	assert_true(driver_take_used(queue, &used));
	return used.length;
}

static void send_control(uint32_t id, uint16_t event, uint16_t value)
{
	*(struct virtio_console_control *)driver_memory(DATA) =
		(struct virtio_console_control){ .id = id, .event = event, .value = value };
	add(VIRTIO_CONSOLE_CONTROL_OUT, 0, DATA, sizeof(struct virtio_console_control), false);
	assert_int_equal(used_length(VIRTIO_CONSOLE_CONTROL_OUT), 0);
}

/** The next message of the device, in a buffer that is given now. */
static void assert_message(uint32_t id, uint16_t event, uint16_t value, const char *name)
{
	const struct virtio_console_control *m = driver_memory(MESSAGES);

	memset(driver_memory(MESSAGES), 0xff, 64);
	add(VIRTIO_CONSOLE_CONTROL_IN, 0, MESSAGES, 64, true);
	assert_int_equal(used_length(VIRTIO_CONSOLE_CONTROL_IN), sizeof(*m) + strlen(name));
	assert_int_equal(m->id, id);
	assert_int_equal(m->event, event);
	assert_int_equal(m->value, value);
	assert_memory_equal(m + 1, name, strlen(name));
}

static void start_ports(void)
{
	driver_start(MULTIPORT, QUEUES);
	send_control(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	assert_message(0, VIRTIO_CONSOLE_PORT_ADD, 0, "");
	assert_message(1, VIRTIO_CONSOLE_PORT_ADD, 0, "");
}

static void test_ports_are_announced(void **state)
{
	(void)state;
	assert_int_equal(driver_read(VIRTIO_MMIO_CONFIG + 4), 2);
	start_ports();
	send_control(1, VIRTIO_CONSOLE_PORT_READY, 1);
	assert_message(1, VIRTIO_CONSOLE_CONSOLE_PORT, 1, "");
	assert_message(1, VIRTIO_CONSOLE_PORT_NAME, 1, "second");
	assert_message(1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	send_control(0, VIRTIO_CONSOLE_PORT_READY, 1);
	assert_message(0, VIRTIO_CONSOLE_CONSOLE_PORT, 1, "");
	assert_message(0, VIRTIO_CONSOLE_PORT_NAME, 1, "first");
	/* Of no meaning: a failure, a port that there is none of, an unknown event. */
	send_control(0, VIRTIO_CONSOLE_PORT_READY, 0);
	send_control(2, VIRTIO_CONSOLE_PORT_READY, 1);
	send_control(UINT32_MAX, VIRTIO_CONSOLE_PORT_OPEN, 1);
	send_control(0, 99, 1);
	assert_message(0, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
}

static void test_output(void **state)
{
	(void)state;
	start_ports();
	memcpy(driver_memory(DATA), "hello", 5);
	add(1, 0, DATA, 5, false);
	assert_string_equal(fake_console, "hello");
	add(5, 0, DATA, 2, false);
	assert_string_equal(fake_console, "hellohe");
	assert_int_equal(used_length(1), 0);
	assert_int_equal(used_length(5), 0);
}

static void test_input_waits_for_a_buffer(void **state)
{
	(void)state;
	start_ports();
	type("abc");
	add(0, 0, DATA, 2, true);
	assert_int_equal(console.ports[0].port.queued, 3); /* not open */
	send_control(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_int_equal(used_length(0), 2);
	assert_int_equal(console.ports[0].port.queued, 1);
	add(0, 1, DATA + 0x100, 64, true);
	assert_int_equal(used_length(0), 1);
	assert_memory_equal(driver_memory(DATA + 0x100), "c", 1);
	add(0, 2, DATA, 64, true);
	type("xyz");
	assert_int_equal(used_length(0), 3);
	assert_memory_equal(driver_memory(DATA), "xyz", 3);
	send_control(0, VIRTIO_CONSOLE_PORT_OPEN, 0);
	add(0, 3, DATA, 64, true);
	type("!");
	assert_int_equal(console.ports[0].port.queued, 1);
}

static void test_input_of_the_second(void **state)
{
	(void)state;
	start_ports();
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	add(4, 0, DATA, 0, true); /* an empty buffer comes back as it is */
	add(4, 1, DATA, 64, true);
	type("\1nhi");
	assert_int_equal(used_length(4), 0);
	assert_int_equal(used_length(4), 2);
	assert_memory_equal(driver_memory(DATA), "hi", 2);
}

static void test_driver_that_knows_one_port(void **state)
{
	(void)state;
	driver_start(0, 2);
	add(0, 0, DATA, 64, true);
	type("k");
	assert_int_equal(used_length(0), 1);
	memcpy(driver_memory(DATA), "o", 1);
	add(1, 0, DATA, 1, false);
	assert_string_equal(fake_console, "o");
}

static void test_reset(void **state)
{
	struct driver_used used;

	(void)state;
	start_ports();
	send_control(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	send_control(0, VIRTIO_CONSOLE_PORT_READY, 1);
	add(0, 0, DATA, 64, true);
	type("");
	assert_int_equal(driver_vm.console.ports[0]->room(driver_vm.console.ports[0]), 64);
	driver_write(VIRTIO_MMIO_STATUS, 0);
	type("lost in between");
	assert_false(driver_take_used(0, &used));
	start_ports();
	assert_false(console.ports[0].open);
	assert_false(console.ports[0].has_chain);
	assert_int_equal(console.ports[0].news, 0);
}

static void test_broken_control(void **state)
{
	(void)state;
	start_ports();
	add(VIRTIO_CONSOLE_CONTROL_OUT, 0, DATA, 3, false); /* too short: ignored */
	assert_int_equal(used_length(VIRTIO_CONSOLE_CONTROL_OUT), 0);
	add(VIRTIO_CONSOLE_CONTROL_OUT, 0, 0, 8, false);
	assert_true((driver_read(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0);
	type("x");
	memcpy(driver_memory(DATA), "q", 1);
	add(1, 1, DATA, 1, false);
	assert_null(strstr(fake_console, "q"));
}

static void test_names(void **state)
{
	static const struct virtio_console_options longest[] = { { .name = "1234567890123456789012345678901" } };
	static const struct virtio_console_options longer[] = { { .name = "12345678901234567890123456789012" } };

	(void)state;
	memset(&console, 0, sizeof(console));
	assert_int_equal(virtio_console_init(&console, longer, 1, &driver_vm.memory, &driver_vm.console), -EINVAL);
	assert_non_null(strstr(fake_log, "is longer than 31"));
	memset(&console, 0, sizeof(console));
	assert_int_equal(virtio_console_init(&console, longest, 1, &driver_vm.memory, &driver_vm.console), 0);
}

/** The guest is told who comes and goes at the other end, once it has asked. */
static void test_a_line(void **state)
{
	(void)state;
	start_ports();
	line.connected = true;
	io_poll(&driver_vm);
	assert_int_equal(console.ports[1].news, 0); /* it has not taken the port yet */
	send_control(1, VIRTIO_CONSOLE_PORT_READY, 1);
	assert_message(1, VIRTIO_CONSOLE_CONSOLE_PORT, 1, "");
	assert_message(1, VIRTIO_CONSOLE_PORT_NAME, 1, "second");
	assert_message(1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	line.connected = false;
	io_poll(&driver_vm);
	assert_message(1, VIRTIO_CONSOLE_PORT_OPEN, 0, "");
	line.connected = true;
	io_poll(&driver_vm);
	assert_message(1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	memcpy(driver_memory(DATA), "out", 3);
	add(5, 0, DATA, 3, false);
	assert_string_equal(printed_on_line, "out");
	assert_string_equal(fake_console, "");
	typed_on_line = "in";
	io_poll(&driver_vm); /* not open: it waits */
	add(4, 0, DATA, 64, true);
	assert_string_equal(typed_on_line, "in");
	send_control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_int_equal(used_length(4), 2);
	assert_memory_equal(driver_memory(DATA), "in", 2);
	/* After a reset it is another driver, which has not asked. */
	driver_write(VIRTIO_MMIO_STATUS, 0);
	line.connected = false;
	io_poll(&driver_vm);
	assert_int_equal(console.ports[1].news, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_line, setup_with_line),
		cmocka_unit_test_setup(test_ports_are_announced, setup),
		cmocka_unit_test_setup(test_output, setup),
		cmocka_unit_test_setup(test_input_waits_for_a_buffer, setup),
		cmocka_unit_test_setup(test_input_of_the_second, setup),
		cmocka_unit_test_setup(test_driver_that_knows_one_port, setup),
		cmocka_unit_test_setup(test_reset, setup),
		cmocka_unit_test_setup(test_broken_control, setup),
		cmocka_unit_test_setup(test_names, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
