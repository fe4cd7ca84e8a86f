/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/diagnose/diagnose.c features/diagnose/report.c */
/* sources: core/timer.c core/bus.c core/log.c tests/unit/fake_platform.c */
/* The rules of the diagnosis, second by second, on a guest whose behaviour the test sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "tests/unit/fake_platform.h"

#include <config/DIAGNOSE_EXIT.h>
#include <config/DIAGNOSE_SILENCE_S.h>

#define SILENCE  ((unsigned)CONFIG_DIAGNOSE_SILENCE_S)
#define SECOND   1000000000u
#define KERNEL   0xffffffff80001010u
#define PROGRAM  0x120001000u
#define POWEROFF (requested == VM_POWER_OFF)

extern const struct feature *const __start_husk_features[];

static struct vm vm;
static struct vcpu vcpu;
static enum vm_request requested;
static unsigned requests;

/* What the guest does during each second. */
static struct {
	bool prints, idles, seen_user_mode;
	uint64_t pc, nested, nested_per_second;
} guest;

void vm_request(struct vm *v, enum vm_request what)
{
	assert_ptr_equal(v, &vm);
	requested = what;
	requests++;
}

const char *payload_symbol(const struct payload *p, uint64_t address, uint64_t *offset)
{
	(void)p;
	*offset = address & 0xfff;
	return address >= 0xffffffff80001000 && address < 0xffffffff80003000 ? "do_something" : NULL;
}

static const struct engine_register registers[] = { { "pc", 8 }, { "sp", 8 }, { "ra", 8 }, { "epc", 8 } };

static uint64_t get_register(struct vcpu *v, unsigned n)
{
	(void)v;
	assert_in_range(n, 0, 3);
	return n == 0 ? guest.pc : 0xffffffff80002020;
}

static void print_state(struct vcpu *v)
{
	(void)v;
	log_text("the system state\n");
}

static uint64_t nested_exceptions(struct vcpu *v)
{
	(void)v;
	return guest.nested;
}

static bool seen_user_mode(struct vcpu *v)
{
	(void)v;
	return guest.seen_user_mode;
}

static const struct engine engine = {
	.registers = registers,
	.nr_registers = 4,
	.get_register = get_register,
	.print_state = print_state,
	.nested_exceptions = nested_exceptions,
	.seen_user_mode = seen_user_mode,
};

static int setup(void **state)
{
	(void)state;
	fake_reset();
	fake_now = 5;
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&guest, 0, sizeof(guest));
	guest.pc = KERNEL;
	requested = VM_KEEP_RUNNING;
	requests = 0;
	vm.engine = &engine;
	vm.console.vm = &vm;
	vm.vcpus[0] = &vcpu;
	vm.nr_vcpus = 1;
	vcpu.vm = &vm;
	log_set_level(LOG_INFO);
	assert_int_equal(__start_husk_features[0]->attach(&vm), 0);
	return 0;
}

/* Lets the guest go on for some seconds. */
static void pass(unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		vm.console.output_bytes += guest.prints;
		vcpu.idles += guest.idles;
		vcpu.instructions += 1000;
		guest.nested += guest.nested_per_second;
		fake_now += SECOND;
		timer_run_due(&vcpu);
	}
}

static unsigned reports(void)
{
	unsigned n = 0;

	for (const char *at = fake_log; (at = strstr(at, "---- report")) != NULL; at++)
		n++;
	return n;
}

static void assert_in_log(const char *text)
{
	if (strstr(fake_log, text) == NULL)
		fail_msg("'%s' is not in:\n%s", text, fake_log);
}

/* Silence. */

static void test_never_printed(void **state)
{
	(void)state;
	pass(SILENCE - 1);
	assert_int_equal(fake_log_size, 0);
	pass(1);
	assert_int_equal(reports(), 1);
	assert_in_log("husk: warning: the guest has printed nothing since it started\n");
	pass(10 * SILENCE);
	assert_int_equal(reports(), 1);
	assert_int_equal(requests, 0);
}

/* A guest that prints elsewhere and idles has printed nothing, too. */
static void test_never_printed_but_idle(void **state)
{
	(void)state;
	guest.idles = guest.seen_user_mode = true;
	pass(SILENCE);
	assert_int_equal(reports(), 1);
}

static void test_shell_prompt_is_no_silence(void **state)
{
	(void)state;
	guest.prints = true;
	pass(3);
	guest.prints = false;
	guest.idles = guest.seen_user_mode = true;
	pass(100 * SILENCE);
	assert_int_equal(reports(), 0);
}

static void test_spinning(void **state)
{
	(void)state;
	guest.prints = true;
	pass(3);
	guest.prints = false;
	guest.idles = true;
	pass(2 * SILENCE);
	guest.idles = false;
	pass(SILENCE - 1);
	assert_int_equal(reports(), 0);
	pass(1);
	assert_int_equal(reports(), 1);
	assert_in_log("the guest is silent and never idles\n");
	pass(5 * SILENCE);
	assert_int_equal(reports(), 1);
	/* It prints again, and then hangs again: another silence. */
	guest.prints = true;
	pass(1);
	guest.prints = false;
	pass(SILENCE);
	assert_int_equal(reports(), 2);
}

static void test_computing_program_is_no_silence(void **state)
{
	(void)state;
	guest.prints = true;
	pass(1);
	guest.prints = false;
	guest.seen_user_mode = true;
	guest.pc = PROGRAM;
	pass(5 * SILENCE);
	assert_int_equal(reports(), 0);
	guest.pc = KERNEL;
	pass(SILENCE);
	assert_int_equal(reports(), 1);
}

/* Low addresses without user mode are firmware or a bare-metal guest: it hangs. */
static void test_low_address_without_user_mode(void **state)
{
	(void)state;
	guest.prints = true;
	pass(1);
	guest.prints = false;
	guest.pc = PROGRAM;
	pass(SILENCE);
	assert_int_equal(reports(), 1);
}

/* A host that slept for an hour has not looked at a silent guest for an hour. */
static void test_suspended_host(void **state)
{
	(void)state;
	pass(SILENCE / 2);
	fake_now += (uint64_t)3600 * SECOND;
	pass(1);
	assert_int_equal(reports(), 0);
	pass(SILENCE);
	assert_int_equal(reports(), 1);
}

static void test_reset_starts_again(void **state)
{
	(void)state;
	guest.prints = true;
	pass(1);
	guest.prints = false;
	pass(SILENCE);
	assert_int_equal(reports(), 1);
	vm.resets++;
	timer_disarm_guest(&vcpu);
	fake_clear_text();
	pass(SILENCE - 1);
	assert_int_equal(reports(), 0);
	pass(1);
	assert_int_equal(reports(), 1);
	assert_in_log("has printed nothing since it started");
}

/* Exception loops. */

static void test_exception_loop(void **state)
{
	(void)state;
	guest.prints = true;
	pass(5);
	guest.nested_per_second = 1000000;
	pass(1);
	assert_int_equal(reports(), 0);
	pass(1);
	assert_int_equal(reports(), 1);
	assert_in_log("the guest takes exceptions within exceptions without end");
	assert_int_equal(requests, CONFIG_DIAGNOSE_EXIT);
	assert_int_equal(requested, CONFIG_DIAGNOSE_EXIT ? VM_CRASH : VM_KEEP_RUNNING);
	pass(2 * SILENCE);
	assert_int_equal(reports(), 1);
}

static void test_nested_exceptions_are_no_loop(void **state)
{
	(void)state;
	guest.prints = true;
	guest.nested = 5000; /* high, but not growing: it came out of it in between */
	pass(50);
	guest.nested = 0;
	guest.nested_per_second = 10;
	pass(50);
	assert_int_equal(reports(), 0);
}

/* Halts. */

static void test_halt_before_any_program(void **state)
{
	(void)state;
	vm.halted(&vm, &vcpu);
	assert_int_equal(reports(), 1);
	assert_in_log("waits with interrupts off and has never run a program");
	assert_int_equal(requested, CONFIG_DIAGNOSE_EXIT ? VM_CRASH : VM_KEEP_RUNNING);
	/* Where the run goes on, the core asks again whenever something wakes it. */
	pass(2 * SILENCE);
	vm.halted(&vm, &vcpu);
	assert_int_equal(reports(), 1);
	vm.resets++;
	vm.halted(&vm, &vcpu);
	assert_int_equal(reports(), 2);
}

static void test_halt_is_power_off(void **state)
{
	(void)state;
	guest.seen_user_mode = true;
	vm.halted(&vm, &vcpu);
	assert_true(POWEROFF);
	assert_int_equal(reports(), 0);
	assert_string_equal(fake_log, "husk: the guest waits with interrupts off at 0xffffffff80001010 "
				      "(do_something+0x10): a power-off\n");
	guest.pc = PROGRAM;
	fake_clear_text();
	vm.halted(&vm, &vcpu);
	assert_string_equal(fake_log, "husk: the guest waits with interrupts off at 0x0000000120001000: a power-off\n");
}

/* The report itself. */

static void flush_port(struct console_port *port)
{
	(void)port;
	log_text("held back\n");
}

static void test_report(void **state)
{
	static struct console_port port = { .name = "uart0", .flush = flush_port };

	(void)state;
	vm.console.ports[vm.console.nr_ports++] = &port;
	bus_read(&vm.mmio, 0x1234, 4);
	pass(SILENCE);
	assert_true(strncmp(fake_log, "held back\n", 10) == 0);
	assert_in_log("pc  0xffffffff80001010 (do_something+0x10)\n");
	assert_in_log("ra  0xffffffff80002020 (do_something+0x20)\n");
	assert_in_log("epc 0xffffffff80002020 (do_something+0x20)\n");
	assert_null(strstr(fake_log, "sp  0x"));
	assert_in_log("the system state\n");
	assert_in_log("read  4 bytes at 0x1234");
	assert_in_log(" bytes printed, 1 accesses to addresses with no device\n");
	assert_in_log("raise DIAGNOSE_SILENCE_S");
	assert_in_log("Ctrl-A x ends the run\n");
	assert_null(strstr(fake_log, "Ctrl-A c"));
	assert_in_log("---- end of report ----\n");
}

static void test_one_look_a_second(void **state)
{
	(void)state;
	unsigned before = fake_deadlines;
	pass(20);
	assert_int_equal(fake_deadlines - before, 20);
	assert_int_equal(fake_deadline, fake_now + SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_never_printed, setup),
		cmocka_unit_test_setup(test_never_printed_but_idle, setup),
		cmocka_unit_test_setup(test_shell_prompt_is_no_silence, setup),
		cmocka_unit_test_setup(test_spinning, setup),
		cmocka_unit_test_setup(test_computing_program_is_no_silence, setup),
		cmocka_unit_test_setup(test_low_address_without_user_mode, setup),
		cmocka_unit_test_setup(test_suspended_host, setup),
		cmocka_unit_test_setup(test_reset_starts_again, setup),
		cmocka_unit_test_setup(test_exception_loop, setup),
		cmocka_unit_test_setup(test_nested_exceptions_are_no_loop, setup),
		cmocka_unit_test_setup(test_halt_before_any_program, setup),
		cmocka_unit_test_setup(test_halt_is_power_off, setup),
		cmocka_unit_test_setup(test_report, setup),
		cmocka_unit_test_setup(test_one_look_a_second, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
