/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: features/uart-ns16550/uart_ns16550.c tests/unit/fake_platform.c */
/* The UART against the data sheet, between a bus and a console that only record. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>
#include <husk/vm.h>

#include "features/uart-ns16550/uart_ns16550.h"
#include "tests/unit/fake_platform.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
enum { THR = DATA, RBR = DATA, FCR = IIR };

static struct uart_ns16550 uart;
static struct bus bus;
static struct vcpu vcpu;
static struct vm vm;
static char output[1024];
static size_t output_size;
static unsigned outputs, rooms, debug_lines;
static bool line_level;
static unsigned line_changes;
static int attach_result;

/* The contracts around the UART. */

int bus_attach(struct bus *b, struct device *dev, uint64_t base, uint64_t size)
{
	assert_ptr_equal(b, &bus);
	dev->base = base;
	dev->size = size;
	return attach_result;
}

int console_attach(struct console *c, struct console_port *port)
{
	port->console = c;
	return 0;
}

void console_output(struct console_port *port, const uint8_t *data, size_t size)
{
	assert_ptr_equal(port, &uart.port);
	assert_true(output_size + size < sizeof(output));
	memcpy(output + output_size, data, size);
	output_size += size;
	output[output_size] = '\0';
	outputs++;
}

void console_room(struct console_port *port)
{
	assert_ptr_equal(port, &uart.port);
	rooms++;
}

void timer_arm(struct vcpu *v, struct timer *t, uint64_t deadline)
{
	assert_ptr_equal(v, &vcpu);
	t->deadline = deadline;
	t->armed = true;
}

void log_line(enum log_level level, const char *format, ...)
{
	(void)format;
	debug_lines += level == LOG_DEBUG;
}

void log_text(const char *format, ...)
{
	assert_non_null(strstr(format, "\n"));
}

static void on_line(void *controller, unsigned n, bool level)
{
	assert_null(controller);
	assert_int_equal(n, 7);
	line_level = level;
	line_changes++;
}

/* A port and shorthands. */

static int make(const struct uart_ns16550_options *options)
{
	fake_reset();
	memset(&uart, 0, sizeof(uart));
	memset(&bus, 0, sizeof(bus));
	memset(&vm, 0, sizeof(vm));
	vm.console.vm = &vm;
	vm.vcpus[0] = &vcpu;
	vm.nr_vcpus = 1;
	output_size = outputs = rooms = debug_lines = line_changes = 0;
	line_level = false;
	irq_connect(&uart.irq, on_line, NULL, 7);
	return uart_ns16550_init(&uart, options, &bus, &vm.console);
}

static int setup(void **state)
{
	const struct uart_ns16550_options options = { .name = "uart0", .base = 0x1000 };

	(void)state;
	attach_result = 0;
	return make(&options);
}

static uint8_t in(unsigned reg)
{
	return (uint8_t)uart.dev.ops->read(&uart.dev, reg, 1);
}

static void out(unsigned reg, unsigned value)
{
	uart.dev.ops->write(&uart.dev, reg, 1, value);
}

static size_t type(const char *text)
{
	size_t room = uart.port.room(&uart.port);
	size_t size = strlen(text) < room ? strlen(text) : room;

	uart.port.input(&uart.port, (const uint8_t *)text, size);
	return size;
}

/* Construction. */

static void test_reset_state(void **state)
{
	(void)state;
	assert_int_equal(in(IER), 0);
	assert_int_equal(in(IIR), 0x01);
	assert_int_equal(in(LCR), 0);
	assert_int_equal(in(MCR), 0);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(MSR), 0xb0);
	assert_int_equal(uart.dev.size, 8);
	assert_int_equal(line_changes, 0);
	uart.dev.ops->describe(&uart.dev);
}

static void test_reset_clears(void **state)
{
	(void)state;
	out(FCR, 0x01);
	type("abc");
	out(IER, 0x0f);
	out(SCR, 0x55);
	out(LCR, 0x03);
	assert_true(line_level);
	out(THR, 'x');
	uart.dev.ops->reset(&uart.dev);
	assert_false(line_level);
	assert_string_equal(output, "x");
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(IIR), 0x01);
	assert_int_equal(in(IER), 0);
	assert_int_equal(in(LCR), 0);
}

static void test_bad_options(void **state)
{
	const struct uart_ns16550_options shift = { .name = "u", .reg_shift = 4 };
	const struct uart_ns16550_options depth = { .name = "u", .depth = 65 };
	const struct uart_ns16550_options good = { .name = "u" };

	(void)state;
	assert_int_equal(make(&shift), -EINVAL);
	assert_int_equal(make(&depth), -EINVAL);
	attach_result = -EEXIST;
	assert_int_equal(make(&good), -EEXIST);
}

/* Receiver. */

static void test_receive_without_fifo(void **state)
{
	(void)state;
	assert_int_equal(type("ab"), 1);
	assert_int_equal(uart.port.room(&uart.port), 0);
	assert_int_equal(in(LSR), 0x61);
	assert_int_equal(in(RBR), 'a');
	assert_int_equal(rooms, 1);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(RBR), 0);
}

static void test_receive_fifo_wraps(void **state)
{
	(void)state;
	out(FCR, 0x01);
	assert_int_equal(uart.port.room(&uart.port), 16);
	for (unsigned round = 0; round < 20; round++) {
		assert_int_equal(type("0123456789abcdefXX"), 16);
		for (unsigned i = 0; i < 16; i++)
			assert_int_equal(in(RBR), "0123456789abcdef"[i]);
	}
	assert_int_equal(in(LSR), 0x60);
}

static void test_input_beyond_room_is_refused(void **state)
{
	(void)state;
	uart.port.input(&uart.port, (const uint8_t *)"abc", 3);
	assert_int_equal(in(RBR), 'a');
	assert_int_equal(in(LSR), 0x60);
}

static void test_receive_interrupts(void **state)
{
	static const unsigned levels[] = { 1, 4, 8, 14 };

	(void)state;
	out(IER, 0x01);
	for (unsigned t = 0; t < 4; t++) {
		out(FCR, t << 6 | 0x03);
		assert_int_equal(in(IIR), 0xc1);
		for (unsigned n = 1; n <= 16; n++) {
			assert_int_equal(type("x"), 1);
			assert_true(line_level);
			assert_int_equal(in(IIR), n < levels[t] ? 0xcc : 0xc4);
		}
		for (unsigned n = 15; n > 0; n--) {
			in(RBR);
			assert_int_equal(in(IIR), n < levels[t] ? 0xcc : 0xc4);
		}
		in(RBR);
		assert_false(line_level);
	}
}

static void test_receive_interrupt_without_fifo(void **state)
{
	(void)state;
	type("x");
	assert_false(line_level);
	out(IER, 0x01);
	assert_true(line_level);
	assert_int_equal(in(IIR), 0x04);
	in(RBR);
	assert_false(line_level);
	assert_int_equal(in(IIR), 0x01);
}

static void test_break(void **state)
{
	(void)state;
	out(FCR, 0x01);
	out(IER, 0x05);
	type("a");
	uart.port.send_break(&uart.port);
	type("b");
	/* The break is behind "a": only the summary bit tells of it. */
	assert_int_equal(in(IIR), 0xc4);
	assert_int_equal(in(LSR), 0xe1);
	assert_int_equal(in(RBR), 'a');
	assert_int_equal(in(IIR), 0xc6);
	assert_int_equal(in(LSR), 0xf1);
	assert_int_equal(in(LSR), 0x61);
	assert_int_equal(in(IIR), 0xc4);
	assert_int_equal(in(RBR), 0);
	assert_int_equal(in(RBR), 'b');
	assert_int_equal(in(LSR), 0x60);
}

static void test_break_waits_for_room(void **state)
{
	(void)state;
	type("a");
	uart.port.send_break(&uart.port);
	assert_int_equal(in(LSR), 0x61);
	assert_int_equal(in(RBR), 'a');
	assert_int_equal(in(LSR), 0x71);
	assert_int_equal(in(RBR), 0);
	assert_int_equal(in(LSR), 0x60);
}

static void test_fcr_clears(void **state)
{
	(void)state;
	out(FCR, 0x01);
	type("abc");
	uart.port.send_break(&uart.port);
	out(FCR, 0x02); /* without the enable bit: disables, which clears */
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(IIR), 0x01);
	out(FCR, 0x01);
	type("abc");
	out(FCR, 0xc1);
	assert_int_equal(in(LSR), 0x61);
	out(FCR, 0x03);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(uart.port.room(&uart.port), 16);
}

static void test_deep_fifo(void **state)
{
	const struct uart_ns16550_options options = { .name = "uart0", .depth = 64 };

	(void)state;
	assert_int_equal(make(&options), 0);
	out(FCR, 0xc1);
	out(IER, 0x01);
	assert_int_equal(uart.port.room(&uart.port), 64);
	for (unsigned i = 0; i < 61; i++)
		type("x");
	assert_int_equal(in(IIR), 0xcc);
	type("x");
	assert_int_equal(in(IIR), 0xc4);
}

/* Transmitter. */

static void test_thre_interrupt(void **state)
{
	(void)state;
	out(IER, 0x02);
	assert_true(line_level);
	assert_int_equal(in(IIR), 0x02);
	assert_false(line_level);
	assert_int_equal(in(IIR), 0x01);
	out(IER, 0x02); /* no edge */
	assert_false(line_level);
	out(THR, 'x');
	assert_true(line_level);
	assert_int_equal(in(IIR), 0x02);
	assert_int_equal(in(IIR), 0x01);
	out(IER, 0x00);
	out(IER, 0x02);
	assert_int_equal(in(IIR), 0x02);
}

/* IIR clears THRE only when THRE is what it shows. */
static void test_priorities(void **state)
{
	(void)state;
	out(FCR, 0x01);
	out(MCR, 0x10);
	out(IER, 0x0f);
	for (unsigned i = 0; i < 17; i++)
		out(THR, 'x');
	assert_int_equal(in(IIR), 0xc6);
	assert_int_equal(in(LSR), 0x63);
	assert_int_equal(in(IIR), 0xc4);
	out(FCR, 0x03);
	assert_int_equal(in(IIR), 0xc2);
	assert_int_equal(in(IIR), 0xc0);
	assert_true(line_level);
	assert_int_equal(in(MSR), 0x0b);
	assert_int_equal(in(IIR), 0xc1);
	assert_false(line_level);
}

static void test_output_in_batches(void **state)
{
	(void)state;
	for (const char *p = "hello\nwor"; *p != '\0'; p++) {
		assert_int_equal(in(LSR), 0x60);
		out(THR, *p);
		assert_int_equal(in(LCR), 0);
	}
	assert_string_equal(output, "hello\n");
	assert_int_equal(outputs, 1);
	assert_true(uart.flush.armed);
	uart.flush.armed = false;
	uart.flush.fire(&uart.flush);
	assert_string_equal(output, "hello\nwor");
	uart.flush.fire(&uart.flush);
	assert_int_equal(outputs, 2);
}

static void test_output_flushes(void **state)
{
	(void)state;
	fake_now = 5000;
	out(THR, 'a');
	assert_int_equal(uart.flush.deadline, 5000 + 2000000);
	fake_now = 9000;
	out(IER, 0);
	assert_string_equal(output, "a");
	out(THR, 'b');
	assert_int_equal(uart.flush.deadline, 5000 + 2000000); /* still armed: not touched */
	in(IIR);
	assert_string_equal(output, "ab");
	out(THR, 'c');
	console_flush(&vm.console); /* our fake console has no ports */
	uart.port.flush(&uart.port);
	assert_string_equal(output, "abc");
	for (unsigned i = 0; i < UART_NS16550_BATCH; i++)
		out(THR, 'd');
	assert_int_equal(output_size, 3 + UART_NS16550_BATCH);
	assert_int_equal(outputs, 4);
}

static void test_output_without_vcpu(void **state)
{
	(void)state;
	vm.nr_vcpus = 0;
	out(THR, 'a');
	assert_string_equal(output, "a");
}

/* Modem, loopback, divisor, scratch. */

static void test_loopback_modem(void **state)
{
	(void)state;
	out(MCR, 0x10);
	assert_int_equal(in(MSR), 0x0b); /* CTS, DSR, DCD fell */
	assert_int_equal(in(MSR), 0x00);
	out(MCR, 0x1f);
	assert_int_equal(in(MSR), 0xfb); /* RI rose: no TERI */
	out(MCR, 0x1b);
	assert_int_equal(in(MSR), 0xb4); /* RI fell: TERI */
	out(MCR, 0x12);
	assert_int_equal(in(MSR), 0x1a);
	out(MCR, 0xff);
	assert_int_equal(in(MCR), 0x1f);
}

static void test_loopback_data(void **state)
{
	(void)state;
	out(MCR, 0x10);
	assert_int_equal(uart.port.room(&uart.port), 0);
	out(THR, 'a');
	assert_int_equal(in(LSR), 0x61);
	out(THR, 'b');
	assert_int_equal(in(LSR), 0x63); /* overrun, and RBR holds the newer byte */
	assert_int_equal(in(RBR), 'b');
	assert_int_equal(rooms, 0);
	out(MCR, 0);
	assert_int_equal(rooms, 1);
	assert_int_equal(output_size, 0);
	assert_int_equal(uart.port.room(&uart.port), 1);
}

static void test_divisor_latch(void **state)
{
	(void)state;
	out(LCR, 0x83);
	out(DATA, 0x34);
	out(IER, 0x12);
	assert_int_equal(in(LCR), 0x83);
	assert_int_equal(in(DATA), 0x34);
	assert_int_equal(in(IER), 0x12);
	out(LCR, 0x03);
	assert_int_equal(in(IER), 0);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(output_size, 0);
}

static void test_simple_registers(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		out(SCR, v);
		out(LCR, v);
		assert_int_equal(in(SCR), v);
		assert_int_equal(in(LCR), v);
	}
	out(LCR, 0);
	out(IER, 0xff);
	assert_int_equal(in(IER), 0x0f);
	out(IER, 0);
	out(LSR, 0xff);
	out(MSR, 0xff);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(MSR), 0xb0);
}

/* Octeon. */

static uint64_t in64(unsigned reg)
{
	return uart.dev.ops->read(&uart.dev, (uint64_t)reg * 8, 8);
}

static void out64(unsigned reg, uint64_t value)
{
	uart.dev.ops->write(&uart.dev, (uint64_t)reg * 8, 8, value);
}

static void test_designware(void **state)
{
	const struct uart_ns16550_options options = {
		.name = "uart0", .size = 0x400, .reg_shift = 3, .depth = 64, .designware = true
	};

	(void)state;
	assert_int_equal(make(&options), 0);
	assert_int_equal(uart.dev.size, 0x400);
	assert_int_equal(in64(LSR), 0x60);
	out64(0x08, 'h');
	out64(THR, 'i');
	out64(0x08, '\n');
	assert_string_equal(output, "hi\n");
	out64(0x0a, 0x01);
	assert_int_equal(in64(IIR), 0xc1);
	out64(0x10, 0x1b);
	out64(0x11, 0x02);
	out64(LCR, 0x80);
	assert_int_equal(in64(0), 0x1b);
	assert_int_equal(in64(1), 0x02);
	assert_int_equal(in64(LCR), 0x80);
	assert_int_equal(in64(0x10), 0x1b);
	assert_int_equal(in64(0x27), 0);
	assert_int_equal(debug_lines, 0);
	out64(0x27, 1);
	assert_int_equal(in64(0x30), 0);
	assert_int_equal(in64(0x7f), 0);
	assert_int_equal(debug_lines, 3);
}

static void test_plain_has_no_designware(void **state)
{
	const struct uart_ns16550_options options = { .name = "uart0", .size = 0x400, .reg_shift = 3 };

	(void)state;
	assert_int_equal(make(&options), 0);
	out64(0x08, 'h');
	out64(0x10, 1);
	assert_int_equal(in64(0x27), 0);
	assert_int_equal(debug_lines, 3);
	assert_int_equal(output_size, 0);
}

/* Any width at any place in a register's stride is an access to the register. */
static void test_widths(void **state)
{
	const struct uart_ns16550_options options = { .name = "uart0", .reg_shift = 2 };

	(void)state;
	assert_int_equal(make(&options), 0);
	assert_int_equal(uart.dev.size, 32);
	uart.dev.ops->write(&uart.dev, SCR * 4 + 3, 1, 0x5a);
	assert_int_equal(uart.dev.ops->read(&uart.dev, SCR * 4, 4), 0x5a);
	uart.dev.ops->write(&uart.dev, SCR * 4, 4, 0xffffff12);
	assert_int_equal(uart.dev.ops->read(&uart.dev, SCR * 4 + 2, 2), 0x12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_reset_state, setup),
		cmocka_unit_test_setup(test_reset_clears, setup),
		cmocka_unit_test_setup(test_bad_options, setup),
		cmocka_unit_test_setup(test_receive_without_fifo, setup),
		cmocka_unit_test_setup(test_receive_fifo_wraps, setup),
		cmocka_unit_test_setup(test_input_beyond_room_is_refused, setup),
		cmocka_unit_test_setup(test_receive_interrupts, setup),
		cmocka_unit_test_setup(test_receive_interrupt_without_fifo, setup),
		cmocka_unit_test_setup(test_break, setup),
		cmocka_unit_test_setup(test_break_waits_for_room, setup),
		cmocka_unit_test_setup(test_fcr_clears, setup),
		cmocka_unit_test_setup(test_deep_fifo, setup),
		cmocka_unit_test_setup(test_thre_interrupt, setup),
		cmocka_unit_test_setup(test_priorities, setup),
		cmocka_unit_test_setup(test_output_in_batches, setup),
		cmocka_unit_test_setup(test_output_flushes, setup),
		cmocka_unit_test_setup(test_output_without_vcpu, setup),
		cmocka_unit_test_setup(test_loopback_modem, setup),
		cmocka_unit_test_setup(test_loopback_data, setup),
		cmocka_unit_test_setup(test_divisor_latch, setup),
		cmocka_unit_test_setup(test_simple_registers, setup),
		cmocka_unit_test_setup(test_designware, setup),
		cmocka_unit_test_setup(test_plain_has_no_designware, setup),
		cmocka_unit_test_setup(test_widths, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
