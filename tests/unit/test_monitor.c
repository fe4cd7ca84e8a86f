/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/monitor/monitor.c features/monitor/commands.c features/monitor/info.c features/monitor/dump.c */
/* sources: core/console.c core/io.c core/log.c core/memory.c core/bus.c core/feature.c tests/unit/fake_platform.c */
/* The monitor as a user types at it, through the real console, on a VM with a fake engine. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>
#include <husk/monitor.h>
#include <husk/timer.h>
#include <husk/vm.h>

#include "features/monitor/monitor.h"
#include "tests/unit/fake_platform.h"

static struct vm vm;
static struct vcpu vcpu;
static struct monitor monitor;
static enum vm_request requested;
static char arguments[256]; /* of the last command "probe" */

/* The VM around the monitor. */

void vm_request(struct vm *v, enum vm_request what)
{
	assert_ptr_equal(v, &vm);
	requested = what;
}

const char *payload_symbol(const struct payload *p, uint64_t address, uint64_t *offset)
{
	(void)p;
	*offset = address - 0x80001000;
	return address >= 0x80001000 && address < 0x80002000 ? "start_kernel" : NULL;
}

static const struct engine_register registers[] = { { "pc", 8 }, { "sp", 8 }, { "status", 4 } };

static uint64_t get_register(struct vcpu *v, unsigned n)
{
	static const uint64_t values[] = { 0x80001010, 0x2000, 0xff01 };

	assert_ptr_equal(v, &vcpu);
	return values[n];
}

/* Virtual pages 0x80000000 to 0x80001fff are physical 0x2000, 0x80002000 on is a device. */
static int translate(struct vcpu *v, uint64_t gva, uint64_t *gpa)
{
	(void)v;
	if (gva < 0x80000000 || gva >= 0x80003000)
		return -EFAULT;
	*gpa = gva < 0x80002000 ? gva - 0x80000000 + 0x2000 : gva + 0x10000000;
	return 0;
}

static void print_state(struct vcpu *v)
{
	(void)v;
	log_text("the system state\n");
}

static uint64_t nested_exceptions(struct vcpu *v)
{
	(void)v;
	return 77;
}

static const struct engine engine = {
	.name = "fake",
	.registers = registers,
	.nr_registers = 3,
	.get_register = get_register,
	.translate = translate,
	.print_state = print_state,
	.nested_exceptions = nested_exceptions,
};

static void describe_machine(struct vm *v)
{
	(void)v;
	log_text("a board\n");
}

static uint64_t device_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return 0;
}

static void device_describe(struct device *dev)
{
	log_text("%s is fine\n", dev->name);
}

static const struct device_ops device_ops = { .read = device_read, .describe = device_describe };
static const struct machine machine = { .name = "board", .describe = describe_machine };
static const struct timer_model timer = { .name = "some-timer" };
static const struct params params = { .version = "9.9", .config = "test", .core_digest = "abcd" };

static int run_probe(struct vm *v, int argc, char **argv)
{
	assert_ptr_equal(v, &vm);
	arguments[0] = '\0';
	for (int i = 0; i < argc; i++) {
		strcat(arguments, argv[i]);
		strcat(arguments, "|");
	}
	assert_null(argv[argc]);
	return argc == 3 ? -EINVAL : 0;
}

MONITOR_COMMAND(probe) = { "probe", "[A]", "is for this test", run_probe };

static struct device device;

static int setup(void **state)
{
	(void)state;
	fake_reset();
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&device, 0, sizeof(device));
	vm.params = &params;
	vm.engine = &engine;
	vm.machine = &machine;
	vm.timer = &timer;
	vm.vcpus[0] = &vcpu;
	vm.nr_vcpus = 1;
	vcpu.vm = &vm;
	vcpu.instructions = 123456;
	requested = VM_KEEP_RUNNING;
	arguments[0] = '\0';
	log_set_level(LOG_INFO);
	assert_int_equal(memory_add_ram(&vm.memory, 0x2000, 0x3000), 0);
	device = (struct device){ .name = "dev0", .ops = &device_ops };
	assert_int_equal(bus_attach(&vm.mmio, &device, 0x90002000, 0x10), 0);
	console_init(&vm.console, &vm);
	monitor_init(&monitor, &vm);
	return 0;
}

/* Types and lets the console take it. */
static void type(const char *keys)
{
	fake_input(keys, strlen(keys));
	console_poll(&vm.console);
}

/* Enters the monitor once, then runs a line; its output is in fake_log. */
static const char *run(const char *line)
{
	if (!vm.console.monitor_active)
		type("\x01"
		     "c");
	fake_clear_text();
	type(line);
	type("\r");
	return fake_log;
}

#define assert_says(line, text)                                                            \
	do {                                                                               \
		if (strstr(run(line), text) == NULL)                                       \
			fail_msg("'%s' does not say '%s' but:\n%s", line, text, fake_log); \
	} while (0)

static void test_prompt(void **state)
{
	(void)state;
	type("\x01"
	     "c");
	assert_string_equal(fake_log, "(husk) ");
	type("probe\r");
	assert_string_equal(fake_log, "(husk) probe\n(husk) ");
	assert_string_equal(arguments, "probe|");
	type("\r");
	assert_string_equal(fake_log, "(husk) probe\n(husk) \n(husk) ");
	assert_int_equal(fake_console_size, 0);
}

static void test_line_editing(void **state)
{
	(void)state;
	run("prox\x7f"
	    "by\b\b"
	    "be a");
	assert_string_equal(arguments, "probe|a|");
	assert_non_null(strstr(fake_log, "prox\b \bby\b \b\b \bbe a\n"));
	run("garbage\x15"
	    "probe b");
	assert_string_equal(arguments, "probe|b|");
	run("garbage\x03"
	    "probe c");
	assert_string_equal(arguments, "probe|c|");
	run("\x7f\x7f\x02\x1b[Cprobe\xff d");
	assert_string_equal(arguments, "probe|d|");
}

static void test_line_ends(void **state)
{
	(void)state;
	run("");
	fake_clear_text();
	type("probe\r\n");
	assert_string_equal(fake_log, "probe\n(husk) ");
	fake_clear_text();
	type("probe\n\n");
	assert_string_equal(fake_log, "probe\n(husk) \n(husk) ");
}

static void test_long_line(void **state)
{
	char keys[300];

	(void)state;
	memset(keys, 'a', sizeof(keys));
	memcpy(keys, "probe ", 6);
	keys[250] = '\0';
	run(keys);
	assert_int_equal(strlen(monitor.history[0]), MONITOR_LINE - 1);
	assert_says("1 2 3 4 5 6 7 8 9", "more than 8 words");
}

static void test_history(void **state)
{
	(void)state;
	run("probe 1");
	run("probe 2");
	run("probe 2");
	run("\x1b[A");
	assert_string_equal(arguments, "probe|2|");
	run("\x1b[A\x1bOA");
	assert_string_equal(arguments, "probe|1|");
	run("\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[B");
	assert_string_equal(arguments, "probe|2|");
	run("\x1b[A\x1b[B\x1b[Bprobe x");
	assert_string_equal(arguments, "probe|x|");
	for (char n = 'a'; n < 'p'; n++) {
		char line[] = "probe ?";
		line[6] = n;
		run(line);
	}
	run("\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A");
	assert_string_equal(arguments, "probe|h|");
}

static void test_back_to_guest(void **state)
{
	(void)state;
	type("\x01"
	     "cpro\x01"
	     "c");
	assert_false(vm.console.monitor_active);
	run("probe 5");
	assert_string_equal(arguments, "probe|5|");
}

static void test_finding(void **state)
{
	(void)state;
	run("pro  7 ");
	assert_string_equal(arguments, "pro|7|");
	assert_says("nonsense", "nonsense: no such command");
	run("r"); /* only "reset" begins so */
	assert_int_equal(requested, VM_RESET);
	assert_says("probe 1 2", "usage: probe [A]\n");
	assert_says("x", "usage: x ADDRESS [COUNT]\n"); /* exact, though "xp" begins so */
}

static void test_help(void **state)
{
	static const char *const sorted[] = { "\nhelp ", "\ninfo ",  "\nlog ", "\nprobe ",
					      "\nquit ", "\nreset ", "\nx ",   "\nxp " };

	(void)state;
	const char *at = run("help");
	for (unsigned i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++) {
		at = strstr(at, sorted[i]);
		assert_non_null(at);
		at++;
	}
	assert_says("help probe", "is for this test\n");
	assert_null(strstr(fake_log, "quit"));
	assert_says("help nonsense", "no such command");
}

static void test_control(void **state)
{
	(void)state;
	run("quit");
	assert_int_equal(requested, VM_QUIT);
	run("reset");
	assert_int_equal(requested, VM_RESET);
	requested = VM_KEEP_RUNNING;
	assert_says("reset now", "usage: reset");
	assert_int_equal(requested, VM_KEEP_RUNNING);
	run("log debug");
	assert_true(log_enabled(LOG_DEBUG));
	run("log error");
	assert_false(log_enabled(LOG_WARN));
	assert_says("log loud", "usage: log error|warn|info|debug");
	assert_says("log", "usage: log");
}

static void test_info(void **state)
{
	(void)state;
	assert_says("info", "info registers");
	assert_says("info weather", "no information about weather");
	assert_says("info registers", "vCPU 0 at 0x0000000080001010 (start_kernel+0x10)\n");
	assert_says("i r", "sp         0x0000000000002000  status     0x0000ff01\n");
	assert_says("info system", "the system state\n");
	assert_says("info features", "husk 9.9, configuration test, core abcd\n");
	assert_says("info features", "monitor              commands");
	bus_read(&vm.mmio, 0x90002000, 4);
	assert_says("info devices", "a board\n");
	assert_says("info devices", "dev0       0x90002000-0x9000200f  1 reads, 0 writes\n  dev0 is fine\n");
	assert_says("info memory", "RAM 0x2000-0x4fff  12 KiB\n");
	fake_now = vm.started_ns + 61002000000;
	assert_says("info stats", "running for 61.002 s");
	assert_says("info stats", "123456 instructions, idle 0 times, 77 nested");
	assert_says("info stats", "engine fake, timer some-timer, machine board");
}

static void test_dump(void **state)
{
	(void)state;
	assert_int_equal(memory_write(&vm.memory, 0x2000, "Hello\0\x7f~ world, 0123", 20), 0);
	assert_says("xp 0x2000 20",
		    "0x0000000000002000: 48 65 6c 6c 6f 00 7f 7e 20 77 6f 72 6c 64 2c 20  Hello..~ world, \n"
		    "0x0000000000002010: 30 31 32 33                                      0123\n");
	assert_says("x 0x80000000 5", "0x0000000080000000: 48 65 6c 6c 6f    ");
	assert_says("xp $sp 1", "0x0000000000002000: 48    ");
	assert_says("xp 8192 0x1", "0x0000000000002000: 48    ");
	assert_says("xp 0x4ff0 32", "0x0000000000005000 is at physical 0x5000, which is not RAM\n");
	assert_says("x 0x80002000", "is at physical 0x90002000, which is not RAM\n");
	assert_int_equal(device.reads, 0);
	assert_says("x 0x7fffffff", "0x000000007fffffff is not mapped\n");
	assert_says("xp 0x2000 0x10000", "at most 0x1000 bytes");
	assert_says("xp 0xfffffffffffffff8 32", "is not RAM\n");
	assert_says("xp 0x2000 0", "xp 0x2000 0\n(husk) ");
}

static void test_bad_numbers(void **state)
{
	static const char *const bad[] = { "xp 0x", "xp 12k", "xp -1", "xp +1", "xp 0x1g", "xp 99999999999999999999" };

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_says(bad[i], "is not a number: write");
	assert_says("xp $zz", "no register is called zz");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_prompt, setup),    cmocka_unit_test_setup(test_line_editing, setup),
		cmocka_unit_test_setup(test_line_ends, setup), cmocka_unit_test_setup(test_long_line, setup),
		cmocka_unit_test_setup(test_history, setup),   cmocka_unit_test_setup(test_back_to_guest, setup),
		cmocka_unit_test_setup(test_finding, setup),   cmocka_unit_test_setup(test_help, setup),
		cmocka_unit_test_setup(test_control, setup),   cmocka_unit_test_setup(test_info, setup),
		cmocka_unit_test_setup(test_dump, setup),      cmocka_unit_test_setup(test_bad_numbers, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
