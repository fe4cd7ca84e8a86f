/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c core/console.c core/io.c core/log.c tests/unit/fake_platform.c */
/* The console: escape keys, input that waits for room, time stamps, cursor. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/chardev.h>
#include <husk/console.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "tests/unit/fake_platform.h"

/** A port that takes `room` bytes. */
struct probe {
	struct console_port port;
	char got[2048];
	size_t size, room;
	unsigned breaks, focused;
	bool asks_for_more; /* calls console_room() from input() */
};

/** A line whose other end is a text to type and one that was printed. */
struct fake_line {
	struct chardev chardev;
	const char *typed;
	char printed[64];
	unsigned polls;
};

static struct vm vm;
static struct vcpu vcpu;
static struct fake_line line;
static unsigned line_changes;
static struct probe uart, second, monitor;
static enum vm_request requested;

void vm_request(struct vm *asked, enum vm_request what)
{
	assert_ptr_equal(asked, &vm);
	requested = what;
}

static struct probe *probe(struct console_port *port)
{
	return (struct probe *)port;
}

static size_t probe_room(struct console_port *port)
{
	return probe(port)->room;
}

static void probe_input(struct console_port *port, const uint8_t *data, size_t size)
{
	struct probe *p = probe(port);

	assert_true(size > 0 && size <= p->room && p->size + size < sizeof(p->got));
	memcpy(p->got + p->size, data, size);
	p->size += size;
	p->room -= size;
	if (p->asks_for_more) {
		p->room++;
		console_room(port);
	}
}

static void probe_break(struct console_port *port)
{
	probe(port)->breaks++;
}

static void probe_focused(struct console_port *port)
{
	probe(port)->focused++;
}

static void make(struct probe *p, const char *name)
{
	*p = (struct probe){ .port = { .name = name,
				       .room = probe_room,
				       .input = probe_input,
				       .send_break = probe_break,
				       .focused = probe_focused },
			     .room = 1000 };
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	log_guest_output(true);
	requested = VM_KEEP_RUNNING;
	vcpu = (struct vcpu){ .id = 0 };
	vm = (struct vm){ .vcpus = { &vcpu }, .nr_vcpus = 1 };
	console_init(&vm.console, &vm);
	make(&uart, "uart0");
	make(&second, "uart1");
	make(&monitor, "monitor");
	assert_int_equal(console_attach(&vm.console, &uart.port), 0);
	assert_int_equal(console_attach(&vm.console, &second.port), 0);
	return 0;
}

static int setup_with_monitor(void **state)
{
	setup(state);
	console_attach_monitor(&vm.console, &monitor.port);
	return 0;
}

/** Types a literal, which may hold NUL, and lets the console look. */
#define type(text) type_bytes(text, sizeof(text) - 1)

static void type_bytes(const void *data, size_t size)
{
	fake_input(data, size);
	console_poll(&vm.console);
}

static void output(struct probe *p, const char *text)
{
	console_output(&p->port, (const uint8_t *)text, strlen(text));
}

static void test_input_goes_to_the_first_port(void **state)
{
	(void)state;
	type("ls\r\x03\0\xff");
	assert_int_equal(uart.size, 6);
	assert_memory_equal(uart.got, "ls\r\x03\0\xff", 6);
	assert_int_equal(second.size, 0);
}

/** Each port keeps what waits for it. */
static void test_input_goes_to_the_next_port(void **state)
{
	(void)state;
	uart.room = 1;
	type("ab\x01n");
	assert_non_null(strstr(fake_log, "husk: the keys go to uart1\n"));
	type("cd");
	assert_int_equal(second.size, 2);
	assert_memory_equal(second.got, "cd", 2);
	assert_int_equal(second.focused, 1);
	uart.room = 1000;
	console_room(&uart.port);
	assert_int_equal(uart.size, 1);
	type("\x01ne");
	assert_memory_equal(uart.got, "abe", 3);
}

/** The board's own console has the keys, wherever it comes in the order. */
static void test_extra_ports_come_second(void **state)
{
	(void)state;
	console_init(&vm.console, &vm);
	second.port.extra = true;
	assert_int_equal(console_attach(&vm.console, &second.port), 0);
	type("a");
	assert_int_equal(second.size, 1);
	assert_int_equal(console_attach(&vm.console, &uart.port), 0);
	type("b");
	assert_int_equal(uart.size, 1);
	assert_int_equal(second.size, 1);
}

static void line_write(struct chardev *c, const void *data, size_t size)
{
	struct fake_line *l = (struct fake_line *)c;

	if (c->connected)
		strncat(l->printed, data, size);
}

static size_t line_read(struct chardev *c, void *buf, size_t size)
{
	struct fake_line *l = (struct fake_line *)c;
	size_t n = strnlen(l->typed, size);

	memcpy(buf, l->typed, n);
	l->typed += n;
	return n;
}

static void line_poll(struct chardev *c)
{
	((struct fake_line *)c)->polls++;
}

static void on_line_changed(struct console_port *port)
{
	assert_ptr_equal(port, &second.port);
	line_changes++;
}

/** Three ports, of which the second has a line of its own. */
static void make_line(void)
{
	static const struct chardev_ops ops = { .write = line_write, .read = line_read, .poll = line_poll };

	line = (struct fake_line){ .chardev = { .ops = &ops, .name = "line" }, .typed = "" };
	line_changes = 0;
	vm.io_clients = NULL;
	console_init(&vm.console, &vm);
	make(&second, "second");
	make(&uart, "uart0");
	make(&monitor, "uart1");
	second.port.line = &line.chardev;
	second.port.line_changed = on_line_changed;
	assert_int_equal(console_attach(&vm.console, &second.port), 0);
	assert_int_equal(console_attach(&vm.console, &uart.port), 0);
	assert_int_equal(console_attach(&vm.console, &monitor.port), 0);
}

static void test_a_line_of_its_own(void **state)
{
	(void)state;
	make_line();
	output(&second, "nobody is there");
	line.chardev.connected = true;
	io_poll(&vm);
	assert_int_equal(line_changes, 1);
	assert_int_equal(line.polls, 1);
	output(&second, "hello\r\n");
	assert_string_equal(line.printed, "hello\r\n");
	assert_string_equal(fake_console, "");
	assert_int_equal(vm.console.output_bytes, 22); /* the guest is not silent */
	/* Escapes are bytes as others. */
	line.typed = "ab\x01x";
	second.room = 3;
	io_poll(&vm);
	assert_int_equal(second.size, 3);
	assert_int_equal(requested, VM_KEEP_RUNNING);
	second.room = 1;
	second.asks_for_more = true;
	console_room(&second.port);
	assert_memory_equal(second.got, "ab\x01x", 4);
	line.chardev.connected = false;
	io_poll(&vm);
	io_poll(&vm);
	assert_int_equal(line_changes, 2);
	io_poll(&vm);
	assert_int_equal(line.polls, 5);
}

static void test_keys_do_not_go_to_a_line(void **state)
{
	(void)state;
	make_line();
	type("a\x01nb\x01nc");
	assert_int_equal(second.size, 0);
	assert_int_equal(uart.size, 2);
	assert_memory_equal(uart.got, "ac", 2);
	assert_memory_equal(monitor.got, "b", 1);
	type("\x01h");
	assert_non_null(strstr(fake_log, "next of 2 consoles"));
	vm.io_clients = NULL;
	console_init(&vm.console, &vm);
	assert_int_equal(console_attach(&vm.console, &second.port), 0);
	type("nobody takes it\x01n");
	assert_int_equal(second.size, 0);
	assert_non_null(strstr(fake_log, "the guest has no other console"));
}

static void test_number_of_ports_is_bounded(void **state)
{
	static struct probe more;

	(void)state;
	for (unsigned i = 2; i < CONSOLE_MAX_PORTS; i++)
		assert_int_equal(console_attach(&vm.console, &more.port), 0);
	assert_int_equal(console_attach(&vm.console, &more.port), -ENOSPC);
}

static void test_a_console_without_ports_drops_input(void **state)
{
	char much[CONSOLE_QUEUE * 2];

	(void)state;
	console_init(&vm.console, &vm);
	memset(much, 'x', sizeof(much));
	type_bytes(much, sizeof(much));
	type("\001b\001x");
	assert_int_equal(fake_input_left(), 0);
	assert_int_equal(requested, VM_QUIT);
}

static void test_escape_quits(void **state)
{
	(void)state;
	type("a\001xb");
	assert_int_equal(requested, VM_QUIT);
	assert_string_equal(uart.got, "ab");
}

static void test_escape_and_key_may_come_apart(void **state)
{
	(void)state;
	type("\001");
	assert_int_equal(requested, VM_KEEP_RUNNING);
	type("x");
	assert_int_equal(requested, VM_QUIT);
	assert_int_equal(uart.size, 0);
}

static void test_escape_twice_sends_it_once(void **state)
{
	(void)state;
	type("\001\001-\001a-");
	assert_string_equal(uart.got, "\001-\001-");
	type("x");
	assert_int_equal(requested, VM_KEEP_RUNNING);
}

static void test_unknown_keys_are_swallowed(void **state)
{
	(void)state;
	type("1\001z2\001\0033\001X4");
	assert_string_equal(uart.got, "1234");
	assert_int_equal(requested, VM_KEEP_RUNNING);
}

static void test_escape_sends_break(void **state)
{
	(void)state;
	type("\001b");
	assert_int_equal(uart.breaks, 1);
	assert_int_equal(second.breaks, 0);
	uart.port.send_break = NULL;
	type("\001b");
	assert_int_equal(uart.breaks, 1);
}

static void test_help_names_the_keys_there_are(void **state)
{
	(void)state;
	type("\001h");
	assert_non_null(strstr(fake_log, "C-a x    exit"));
	assert_null(strstr(fake_log, "monitor"));
	console_attach_monitor(&vm.console, &monitor.port);
	fake_clear_text();
	type("\001?");
	assert_non_null(strstr(fake_log, "C-a c "));
	assert_int_equal(uart.size, 0);
}

static void test_monitor_takes_the_input_and_gives_it_back(void **state)
{
	(void)state;
	type("one\001chelp\r\001ctwo");
	assert_string_equal(uart.got, "onetwo");
	assert_string_equal(monitor.got, "help\r");
	assert_int_equal(monitor.focused, 1);
	assert_int_equal(uart.focused, 1);
	assert_false(vm.console.monitor_active);
}

static void test_no_monitor_is_said(void **state)
{
	(void)state;
	type("\001cls");
	assert_string_equal(fake_log, "husk: this image has no monitor\n");
	assert_string_equal(uart.got, "ls");
}

static void test_monitor_works_while_the_guest_takes_nothing(void **state)
{
	char much[CONSOLE_QUEUE - 1];

	(void)state;
	uart.room = 0;
	memset(much, 'x', sizeof(much));
	type_bytes(much, sizeof(much));
	type("\001c");
	type("y\001c");
	type("\001cquit\001x");
	assert_string_equal(monitor.got, "yquit");
	assert_int_equal(requested, VM_QUIT);
	uart.room = 1000;
	console_room(&uart.port);
	assert_int_equal(uart.size, sizeof(much));
	assert_memory_equal(uart.got, much, sizeof(much));
}

static void test_monitor_without_room_loses_only_its_own(void **state)
{
	(void)state;
	monitor.room = 2;
	type("\001cabc\001cguest");
	assert_string_equal(monitor.got, "ab");
	assert_string_equal(uart.got, "guest");
}

static void test_input_waits_for_room(void **state)
{
	(void)state;
	uart.room = 2;
	type("hello");
	assert_string_equal(uart.got, "he");
	assert_int_equal(uart.port.queued, 3);
	uart.room = 1;
	console_room(&uart.port);
	assert_string_equal(uart.got, "hel");
	console_room(&second.port);
	assert_int_equal(second.size, 0);
	type("!");
	assert_string_equal(uart.got, "hel");
	uart.room = 100;
	console_room(&uart.port);
	assert_string_equal(uart.got, "hello!");
}

static void fill_pattern(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		text[i] = (char)('a' + i % 26);
}

static void test_no_input_is_lost_when_the_queue_is_full(void **state)
{
	char much[CONSOLE_QUEUE * 3];

	(void)state;
	uart.room = 0;
	fill_pattern(much, sizeof(much));
	plat_cpu_bind(&vcpu.attention);
	type_bytes(much, sizeof(much));
	assert_int_equal(uart.port.queued, CONSOLE_QUEUE);
	assert_int_equal(fake_input_left(), sizeof(much) - CONSOLE_QUEUE);
	for (unsigned rounds = 0; uart.size < sizeof(much); rounds++) {
		assert_true(rounds < sizeof(much));
		vcpu_take_attention(&vcpu);
		uart.room = 16;
		console_room(&uart.port);
		/* Room in a full queue has to bring the console back to the host's input. */
		if (fake_input_left() != 0)
			assert_int_equal(vcpu_attention(&vcpu), ATTN_CONSOLE);
		if (vcpu_attention(&vcpu) & ATTN_CONSOLE)
			console_poll(&vm.console);
	}
	assert_memory_equal(uart.got, much, sizeof(much));
}

static void test_a_port_may_ask_for_more_inside_input(void **state)
{
	(void)state;
	uart.room = 1;
	uart.asks_for_more = true;
	type("abcdefgh");
	assert_string_equal(uart.got, "abcdefgh");
}

static void test_end_of_input_changes_nothing(void **state)
{
	(void)state;
	fake_eof = true;
	console_poll(&vm.console);
	console_poll(&vm.console);
	assert_int_equal(requested, VM_KEEP_RUNNING);
	assert_int_equal(uart.size, 0);
	assert_string_equal(fake_log, "");
}

static void test_output_is_passed_on_and_counted(void **state)
{
	(void)state;
	fake_now = 77;
	output(&uart, "one\r\n");
	output(&second, "two");
	output(&uart, "");
	assert_string_equal(fake_console, "one\r\ntwo");
	assert_int_equal(vm.console.output_bytes, 8);
	assert_int_equal(vm.console.output_ns, 77);
}

static void test_log_lines_start_on_a_fresh_line(void **state)
{
	(void)state;
	output(&uart, "login: ");
	log_info("a");
	output(&uart, "x\r\n");
	log_info("b");
	output(&uart, "y\n\r");
	log_info("c");
	output(&uart, "z\n");
	output(&uart, "\r");
	log_info("d");
	output(&uart, "\r");
	output(&uart, "$ \r");
	log_info("e");
	assert_string_equal(fake_log, "\nhusk: a\nhusk: b\nhusk: c\nhusk: d\n\nhusk: e\n");
}

static void test_time_stamps_start_lines(void **state)
{
	(void)state;
	vm.started_ns = 1000000;
	fake_now = vm.started_ns + 3723004 * (uint64_t)1000000;
	type("\001t");
	output(&uart, "one\r\ntw");
	output(&uart, "o\r\n");
	type("\001t");
	output(&uart, "three\n");
	assert_string_equal(fake_console, "[01:02:03.004] one\r\n[01:02:03.004] two\r\nthree\n");
	assert_int_equal(vm.console.output_bytes, strlen("one\r\ntwo\r\nthree\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_input_goes_to_the_first_port, setup),
		cmocka_unit_test_setup(test_input_goes_to_the_next_port, setup),
		cmocka_unit_test_setup(test_extra_ports_come_second, setup),
		cmocka_unit_test_setup(test_a_line_of_its_own, setup),
		cmocka_unit_test_setup(test_keys_do_not_go_to_a_line, setup),
		cmocka_unit_test_setup(test_number_of_ports_is_bounded, setup),
		cmocka_unit_test_setup(test_a_console_without_ports_drops_input, setup),
		cmocka_unit_test_setup(test_escape_quits, setup),
		cmocka_unit_test_setup(test_escape_and_key_may_come_apart, setup),
		cmocka_unit_test_setup(test_escape_twice_sends_it_once, setup),
		cmocka_unit_test_setup(test_unknown_keys_are_swallowed, setup),
		cmocka_unit_test_setup(test_escape_sends_break, setup),
		cmocka_unit_test_setup(test_help_names_the_keys_there_are, setup),
		cmocka_unit_test_setup(test_monitor_takes_the_input_and_gives_it_back, setup_with_monitor),
		cmocka_unit_test_setup(test_no_monitor_is_said, setup),
		cmocka_unit_test_setup(test_monitor_works_while_the_guest_takes_nothing, setup_with_monitor),
		cmocka_unit_test_setup(test_monitor_without_room_loses_only_its_own, setup_with_monitor),
		cmocka_unit_test_setup(test_input_waits_for_room, setup),
		cmocka_unit_test_setup(test_no_input_is_lost_when_the_queue_is_full, setup),
		cmocka_unit_test_setup(test_a_port_may_ask_for_more_inside_input, setup),
		cmocka_unit_test_setup(test_end_of_input_changes_nothing, setup),
		cmocka_unit_test_setup(test_output_is_passed_on_and_counted, setup),
		cmocka_unit_test_setup(test_log_lines_start_on_a_fresh_line, setup),
		cmocka_unit_test_setup(test_time_stamps_start_lines, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
