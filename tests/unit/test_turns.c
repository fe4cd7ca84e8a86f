/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: features/smp/lock.c features/smp/run.c features/smp/stop.c features/smp/turns.c features/smp/counted.c */
/* sources: core/smp.c core/vm.c core/timer.c core/memory.c core/bus.c core/console.c core/io.c core/feature.c core/log.c */
/* sources: core/payload.c core/elf.c tests/unit/fake_cpus.c */
/* Three vCPUs on one CPU: none has it for as long as it likes while another has something to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <husk/vm.h>

#include "features/smp/smp.h"
#include "tests/unit/fake_cpus.h"

#define VCPUS 3u
/* Of looks at its attention word that a vCPU has in one run: much longer than any turn. */
#define ENOUGH 20000000u

static struct vm vm;
static struct vcpu vcpus[VCPUS];
static unsigned runs[VCPUS];
static struct timer timer;
static unsigned fired;
static bool too_long;

static enum engine_exit (*act)(unsigned id);

/* Guest code that goes on until the vCPU is to look up, or waits at once. */
static enum engine_exit run(struct vcpu *v)
{
	runs[v->id]++;
	if (act(v->id) == ENGINE_IDLE)
		return ENGINE_IDLE;
	for (unsigned n = 0; vcpu_attention(v) == 0; n++) {
		fake_cpu_look();
		if (n == ENOUGH) {
			too_long = true;
			vm_request(&vm, VM_RESET);
		}
	}
	return ENGINE_ATTENTION;
}

static uint64_t get_register(struct vcpu *v, unsigned n)
{
	(void)v;
	return n;
}

static const struct engine engine = { .name = "test", .run = run, .get_register = get_register };
static const struct timer_model timer_model = { .name = "test" };

static void run_all(enum engine_exit (*action)(unsigned id))
{
	act = action;
	too_long = false;
	memset(runs, 0, sizeof(runs));
	if (vm.nr_vcpus == 0) {
		vm.engine = &engine;
		vm.timer = &timer_model;
		vm.run = run;
		for (unsigned n = 0; n < VCPUS; n++) {
			vcpus[n] = (struct vcpu){ .vm = &vm, .id = n };
			vm.vcpus[vm.nr_vcpus++] = &vcpus[n];
		}
		assert_int_equal(smp_start(&vm), 0);
	}
	smp_run(&vm);
	vm.request = VM_KEEP_RUNNING;
	assert_false(too_long);
}

/* The first one's wait begins a turn of the second, and the third has work, too. */
static enum engine_exit wait_first(unsigned id)
{
	if (id == 0)
		return ENGINE_IDLE;
	if (runs[1] > 1 && runs[2] > 1)
		vm_request(&vm, VM_RESET);
	return ENGINE_ATTENTION;
}

static void test_a_wait_leaves_turns_to_the_others(void **state)
{
	(void)state;
	run_all(wait_first);
}

static void on_timer(struct timer *t)
{
	(void)t;
	fired++;
	vm_request(&vm, VM_RESET);
}

static enum engine_exit run_first(unsigned id)
{
	return id == 0 ? ENGINE_ATTENTION : ENGINE_IDLE;
}

/* Time goes by while the first one runs, which has no timer of its own to be interrupted by. */
static void test_a_timer_wakes_one_beside_a_busy_one(void **state)
{
	(void)state;
	timer.fire = on_timer;
	for (unsigned n = 1; n < VCPUS; n++) {
		fired = 0;
		timer_arm(&vcpus[n], &timer, plat_time_ns() + 1000000);
		run_all(run_first);
		assert_int_equal(fired, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_wait_leaves_turns_to_the_others),
		cmocka_unit_test(test_a_timer_wakes_one_beside_a_busy_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
