/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c core/io.c core/vm.c core/bus.c core/console.c core/feature.c core/log.c core/memory.c core/timer.c */
/* sources: core/payload.c core/elf.c tests/unit/fake_platform.c tests/unit/elf_image.c */
/* A VM made of a scripted engine and machine: making it, requests, the run loop. */
#include "tests/unit/vm_fixture.h"

/* Making. */

static void test_a_vm_is_made_in_order(void **state)
{
	(void)state;
	params.vcpus = 2;
	assert_int_equal(vm_create(&params, &payload, &vm), 0);
	assert_string_equal(calls, "init create init create build attach ");
	assert_ptr_equal(vm->engine, &engine);
	assert_ptr_equal(vm->machine, &machine);
	assert_ptr_equal(vm->timer, &timer_model);
	assert_ptr_equal(vm->params, &params);
	assert_ptr_equal(vm->payload, &payload);
	assert_ptr_equal(vm->console.vm, vm);
	assert_int_equal(vm->vcpus[1]->id, 1);
	assert_ptr_equal(vm->vcpus[1]->vm, vm);
	assert_string_equal(fake_log, "");
}

static void expect_no_vm(int result, const char *line)
{
	fake_clear_text();
	assert_int_equal(vm_create(&params, &payload, &vm), result);
	assert_null(vm);
	assert_string_equal(fake_log, line);
}

static void test_missing_parts_of_the_image_are_named(void **state)
{
	(void)state;
	engine_feature.provides = NULL;
	expect_no_vm(-ENODEV, "husk: error: this image has no engine: "
			      "select one in `make menuconfig` and build it again\n");
	engine_feature.provides = &engine;
	machine_feature.provides = NULL;
	expect_no_vm(-ENODEV, "husk: error: this image has no machine: "
			      "select one in `make menuconfig` and build it again\n");
	machine_feature.provides = &machine;
	timer_feature.provides = NULL;
	expect_no_vm(-ENODEV, "husk: error: this image has no timer model: "
			      "select one in `make menuconfig` and build it again\n");
}

static void test_failures_end_the_making(void **state)
{
	(void)state;
	init_result = -EINVAL;
	expect_no_vm(-EINVAL, "husk: error: vCPU 0 of machine board cannot be made by engine scripted (error -22)\n");
	init_result = 0;
	create_result = -ENOMEM;
	expect_no_vm(-ENOMEM, "husk: error: vCPU 0 of machine board cannot be made by engine scripted (error -12)\n");
	create_result = 0;
	build_result = -EEXIST;
	expect_no_vm(-EEXIST, "husk: error: machine board cannot be built (error -17)\n");
	build_result = 0;
	attach_result = -EPERM;
	expect_no_vm(-EPERM, "husk: error: feature tool cannot start (error -1)\n");
}

static void test_devices_are_plugged_in_order(void **state)
{
	static struct device devices[MACHINE_SLOTS + 1];
	struct irq_line irq;

	(void)state;
	assert_int_equal(vm_create(&params, &payload, &vm), 0);
	for (unsigned n = 0; n <= MACHINE_SLOTS; n++) {
		devices[n] = (struct device){ .name = "more", .ops = &device_ops };
		assert_int_equal(vm_plug(vm, &devices[n], &irq), n < MACHINE_SLOTS ? 0 : -ENOSPC);
		if (n < MACHINE_SLOTS)
			assert_int_equal(devices[n].base, 0x2000 + n * 0x100);
	}
	assert_string_equal(fake_log,
			    "husk: error: more: the machine board has room for 8 devices and these are taken: "
			    "select fewer\n");
	fake_clear_text();
	vm->slots = 0;
	assert_int_equal(vm_plug(vm, &devices[0], &irq), -EEXIST);
	assert_string_equal(fake_log,
			    "husk: error: more cannot be plugged into slot 0 of the machine board (error -17)\n");
	assert_int_equal(vm->slots, 0);
}

static void test_missing_memory_is_named(void **state)
{
	char line[128];

	(void)state;
	fake_pages_left = sizeof(struct vm) - 1;
	snprintf(line, sizeof(line), "husk: error: the host has no memory for a VM (%zu KiB free): give it more\n",
		 (sizeof(struct vm) - 1) >> 10);
	expect_no_vm(-ENOMEM, line);
	fake_pages_left = sizeof(struct vm) + sizeof(struct test_vcpu) - 1;
	expect_no_vm(-ENOMEM, "husk: error: the host has no memory for a vCPU (0 KiB free): give it more\n");
}

static void test_number_of_vcpus_is_bounded(void **state)
{
	(void)state;
	params.vcpus = 0;
	expect_no_vm(-EINVAL, "husk: error: 0 vCPUs are configured; 1 to 16 are possible\n");
	params.vcpus = VM_MAX_VCPUS + 1;
	expect_no_vm(-EINVAL, "husk: error: 17 vCPUs are configured; 1 to 16 are possible\n");
	params.vcpus = VM_MAX_VCPUS;
	create();
	assert_int_equal(vm->nr_vcpus, VM_MAX_VCPUS);
}

/* Requests. */

static void test_the_most_final_request_counts(void **state)
{
	(void)state;
	params.vcpus = 2;
	create();
	vm_request(vm, VM_RESET);
	assert_int_equal(vm->request, VM_RESET);
	assert_int_equal(vcpu_attention(vm->vcpus[0]), ATTN_REQUEST);
	assert_int_equal(vcpu_attention(vm->vcpus[1]), ATTN_REQUEST);
	vm_request(vm, VM_QUIT);
	vm_request(vm, VM_RESET);
	vm_request(vm, VM_POWER_OFF);
	assert_int_equal(vm->request, VM_QUIT);
	vm_request(vm, VM_CRASH);
	vm_request(vm, VM_KEEP_RUNNING);
	assert_int_equal(vm->request, VM_CRASH);
}

/* Running. */

static enum engine_exit ask_power_off(struct vcpu *v)
{
	vm_request(v->vm, VM_POWER_OFF);
	return ENGINE_ATTENTION;
}

static enum engine_exit ask_reset(struct vcpu *v)
{
	vm_request(v->vm, VM_RESET);
	return ENGINE_ATTENTION;
}

static enum engine_exit ask_crash(struct vcpu *v)
{
	vm_request(v->vm, VM_CRASH);
	return ENGINE_ATTENTION;
}

static enum engine_exit idle(struct vcpu *v)
{
	assert_int_equal(v->vm->request, VM_KEEP_RUNNING);
	return ENGINE_IDLE;
}

static enum engine_exit halt(struct vcpu *v)
{
	(void)v;
	return ENGINE_HALTED;
}

static void test_power_off_is_success(void **state)
{
	(void)state;
	create();
	fake_now = 55;
	script[0] = ask_power_off;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_string_equal(calls, "load ");
	assert_int_equal(vm->started_ns, 55);
	assert_string_equal(fake_log, "husk: guest powered off\n");
}

static void test_crash_is_the_guests(void **state)
{
	(void)state;
	create();
	script[0] = ask_crash;
	assert_int_equal(vm_run(vm), HUSK_EXIT_GUEST);
}

static void test_a_payload_that_does_not_load_ends_the_run(void **state)
{
	(void)state;
	create();
	load_result = -EBADMSG;
	assert_int_equal(vm_run(vm), HUSK_EXIT_PAYLOAD);
	assert_int_equal(runs, 0);
}

static void never(struct timer *t)
{
	(void)t;
	fail_msg("a timer of the guest survived its reset");
}

static struct timer guest_timer = { .fire = never };
static struct timer tool_timer = { .fire = never, .keep = true };

static enum engine_exit arm_and_reset(struct vcpu *v)
{
	timer_arm(v, &guest_timer, 1000);
	timer_arm(v, &tool_timer, 2000);
	bus_read(&v->vm->mmio, 0x9000, 4);
	fake_now = 500;
	return ask_reset(v);
}

static enum engine_exit after_reset(struct vcpu *v)
{
	assert_false(guest_timer.armed);
	assert_true(tool_timer.armed);
	assert_int_equal(v->vm->mmio.count, 0);
	assert_int_equal(v->vm->started_ns, 500);
	return ask_power_off(v);
}

static void test_reset_starts_again_from_the_payload(void **state)
{
	(void)state;
	guest_timer.armed = tool_timer.armed = false;
	create();
	script[0] = arm_and_reset;
	script[1] = after_reset;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_string_equal(calls, "load device-reset flush load ");
	assert_int_equal(vm->resets, 1);
	assert_string_equal(fake_log, "husk: guest reset\nhusk: guest powered off\n");
}

/* Before each start, the first included, and before the machine loads. */
static void test_features_are_reset(void **state)
{
	(void)state;
	tool_feature.reset = tool_reset;
	create();
	script[0] = ask_reset;
	script[1] = ask_power_off;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_string_equal(calls, "reset load device-reset flush reset load ");
	tool_feature.reset = NULL;
}

static void test_every_vcpu_is_reset(void **state)
{
	(void)state;
	params.vcpus = 3;
	create();
	script[0] = ask_reset;
	script[1] = ask_reset;
	script[2] = ask_power_off;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_string_equal(calls, "load device-reset flush flush flush load device-reset flush flush flush load ");
	assert_int_equal(vm->resets, 2);
}

static void test_a_reset_that_does_not_load_ends_the_run(void **state)
{
	(void)state;
	create();
	load_fails_at = 2;
	script[0] = ask_reset;
	assert_int_equal(vm_run(vm), HUSK_EXIT_PAYLOAD);
}

static unsigned fires;

static void on_fire(struct timer *t)
{
	(void)t;
	fires++;
}

static struct timer wake = { .fire = on_fire };

static enum engine_exit arm_and_idle(struct vcpu *v)
{
	timer_arm(v, &wake, 7000);
	return ENGINE_IDLE;
}

static void test_idle_waits_for_the_timer(void **state)
{
	(void)state;
	fires = 0;
	wake.armed = false;
	create();
	script[0] = arm_and_idle;
	script[1] = ask_power_off;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_int_equal(fires, 1);
	assert_int_equal(fake_now, 7000);
	assert_int_equal(fake_waits, 1);
	assert_int_equal(vm->vcpus[0]->idles, 1);
}

static void on_idle(struct vcpu *v, bool begin)
{
	assert_ptr_equal(v, vm->vcpus[0]);
	assert_int_equal(fake_now, begin ? 0 : 7000);
	call(begin ? "idle" : "busy");
}

/* Whoever accounts for it hears of both ends. */
static void test_idle_is_told(void **state)
{
	(void)state;
	wake.armed = false;
	create();
	vm->idle = on_idle;
	script[0] = arm_and_idle;
	script[1] = ask_power_off;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_string_equal(calls, "load idle busy ");
}

static void test_timers_armed_before_the_run_are_not_lost(void **state)
{
	(void)state;
	fires = 0;
	wake.armed = false;
	create();
	/* Due before the CPU is bound: the host tells nobody. */
	timer_arm(vm->vcpus[0], &wake, 10);
	fake_advance(20);
	assert_int_equal(vcpu_attention(vm->vcpus[0]), 0);
	script[0] = ask_power_off;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_int_equal(fires, 1);
}

static enum engine_exit kicked_and_idle(struct vcpu *v)
{
	plat_kick(&v->attention, ATTN_IRQ);
	return ENGINE_IDLE;
}

static void test_no_wakeup_is_lost(void **state)
{
	(void)state;
	create();
	script[0] = kicked_and_idle;
	script[1] = ask_power_off;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_int_equal(fake_waits, 0);
}

static void return_early(void)
{
	if (fake_waits == 5)
		plat_kick(&vm->vcpus[0]->attention, ATTN_IRQ);
}

static void test_waits_that_end_early_do_not_run_the_guest(void **state)
{
	(void)state;
	create();
	fake_on_wait = return_early;
	script[0] = idle;
	script[1] = ask_power_off;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_int_equal(fake_waits, 5);
	assert_int_equal(vm->vcpus[0]->idles, 1);
}

static void type_quit(void)
{
	fake_input("\001x", 2);
}

static void test_the_user_quits_an_idle_guest(void **state)
{
	(void)state;
	create();
	fake_on_wait = type_quit;
	script[0] = idle;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_string_equal(fake_log, "husk: ended by the user\n");
}

static void test_input_before_the_start_is_seen(void **state)
{
	(void)state;
	create();
	fake_input("\001x", 2);
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_int_equal(runs, 0);
}

static void end_later(void)
{
	if (fake_waits == 3)
		vm_request(vm, VM_POWER_OFF);
}

static void test_end_of_input_does_not_end_the_guest(void **state)
{
	(void)state;
	create();
	fake_eof = true;
	fake_on_wait = end_later;
	script[0] = idle;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_int_equal(runs, 1);
	assert_int_equal(fake_waits, 3);
}

static void test_a_halted_guest_is_powered_off(void **state)
{
	(void)state;
	create();
	script[0] = halt;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_string_equal(fake_log, "husk: guest halted for good at 0xffffffff80100024 (last+0x4): powering off\n"
				      "husk: guest powered off\n");
}

static void test_a_halted_guest_without_symbols_is_powered_off(void **state)
{
	(void)state;
	payload.count = 0;
	create();
	script[0] = halt;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_non_null(strstr(fake_log, "husk: guest halted for good at 0xffffffff80100024: powering off\n"));
}

static void judge_crash(struct vm *m, struct vcpu *v)
{
	assert_ptr_equal(m->vcpus[0], v);
	call("halted");
	vm_request(m, VM_CRASH);
}

static void judge_nothing(struct vm *m, struct vcpu *v)
{
	(void)m;
	(void)v;
	call("halted");
}

static void test_a_tool_judges_a_halted_guest(void **state)
{
	(void)state;
	create();
	vm->halted = judge_crash;
	script[0] = halt;
	assert_int_equal(vm_run(vm), HUSK_EXIT_GUEST);
	assert_string_equal(calls, "load halted ");
}

static void test_a_tool_may_leave_it_halted(void **state)
{
	(void)state;
	create();
	vm->halted = judge_nothing;
	fake_on_wait = type_quit;
	script[0] = halt;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_string_equal(calls, "load halted ");
	assert_int_equal(fake_waits, 1);
}

static void port_flush(struct console_port *port)
{
	console_output(port, (const uint8_t *)"rest", 4);
}

static struct console_port port = { .name = "port", .flush = port_flush };

static void test_output_held_back_is_not_lost_at_the_end(void **state)
{
	(void)state;
	create();
	assert_int_equal(console_attach(&vm->console, &port), 0);
	script[0] = ask_power_off;
	assert_int_equal(vm_run(vm), HUSK_EXIT_OK);
	assert_string_equal(fake_console, "rest");
	assert_string_equal(fake_log, "\nhusk: guest powered off\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_vm_is_made_in_order, setup),
		cmocka_unit_test_setup(test_missing_parts_of_the_image_are_named, setup),
		cmocka_unit_test_setup(test_failures_end_the_making, setup),
		cmocka_unit_test_setup(test_devices_are_plugged_in_order, setup),
		cmocka_unit_test_setup(test_missing_memory_is_named, setup),
		cmocka_unit_test_setup(test_number_of_vcpus_is_bounded, setup),
		cmocka_unit_test_setup(test_the_most_final_request_counts, setup),
		cmocka_unit_test_setup(test_power_off_is_success, setup),
		cmocka_unit_test_setup(test_crash_is_the_guests, setup),
		cmocka_unit_test_setup(test_a_payload_that_does_not_load_ends_the_run, setup),
		cmocka_unit_test_setup(test_reset_starts_again_from_the_payload, setup),
		cmocka_unit_test_setup(test_every_vcpu_is_reset, setup),
		cmocka_unit_test_setup(test_a_reset_that_does_not_load_ends_the_run, setup),
		cmocka_unit_test_setup(test_idle_waits_for_the_timer, setup),
		cmocka_unit_test_setup(test_idle_is_told, setup),
		cmocka_unit_test_setup(test_features_are_reset, setup),
		cmocka_unit_test_setup(test_timers_armed_before_the_run_are_not_lost, setup),
		cmocka_unit_test_setup(test_no_wakeup_is_lost, setup),
		cmocka_unit_test_setup(test_waits_that_end_early_do_not_run_the_guest, setup),
		cmocka_unit_test_setup(test_the_user_quits_an_idle_guest, setup),
		cmocka_unit_test_setup(test_input_before_the_start_is_seen, setup),
		cmocka_unit_test_setup(test_end_of_input_does_not_end_the_guest, setup),
		cmocka_unit_test_setup(test_a_halted_guest_is_powered_off, setup),
		cmocka_unit_test_setup(test_a_halted_guest_without_symbols_is_powered_off, setup),
		cmocka_unit_test_setup(test_a_tool_judges_a_halted_guest, setup),
		cmocka_unit_test_setup(test_a_tool_may_leave_it_halted, setup),
		cmocka_unit_test_setup(test_output_held_back_is_not_lost_at_the_end, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
