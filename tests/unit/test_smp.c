/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: features/smp/lock.c features/smp/run.c features/smp/stop.c features/smp/turns.c features/smp/counted.c */
/* sources: core/smp.c core/vm.c core/timer.c core/memory.c core/bus.c core/console.c core/io.c core/feature.c core/log.c */
/* sources: core/payload.c core/elf.c tests/unit/fake_cpus.c */
/*
 * Several vCPUs on threads: locks exclude, stopped vCPUs stand still, every vCPU has its turn, what is kicked wakes up.
 * The thread sanitizer builds this program, too (tests/functional/test_threads.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <husk/vm.h>

#include "features/smp/smp.h"
#include "tests/unit/fake_cpus.h"

#define VCPUS  5u
#define CPUS   3u
#define ROUNDS 300u

struct cpu {
	struct vcpu vcpu; /* first */
	uint64_t inside;  /**< written in guest code, with nothing to protect it */
	uint64_t runs, fired;
	struct timer timer;
};

static struct vm vm;
static struct cpu cpu[VCPUS];
static uint64_t shared, resets, in_guest;

static enum engine_exit (*act)(struct cpu *c);

static enum engine_exit run(struct vcpu *v)
{
	struct cpu *c = (struct cpu *)v;
	enum engine_exit why = ENGINE_ATTENTION;

	c->runs++;
	__atomic_fetch_add(&in_guest, 1, __ATOMIC_RELAXED);
	while (vcpu_attention(v) == 0 && why == ENGINE_ATTENTION) {
		c->inside++;
		why = act(c);
		fake_cpu_look();
	}
	__atomic_fetch_sub(&in_guest, 1, __ATOMIC_RELAXED);
	return why;
}

static uint64_t get_register(struct vcpu *v, unsigned n)
{
	(void)v;
	return n;
}

static const struct engine engine = { .name = "test", .run = run, .get_register = get_register };
static const struct timer_model timer_model = { .name = "test" };

/* One VM for all tests: its threads stay. */
static void start(enum engine_exit (*action)(struct cpu *c))
{
	act = action;
	shared = 0;
	for (unsigned n = 0; n < VCPUS; n++) {
		cpu[n].inside = cpu[n].runs = cpu[n].fired = 0;
		cpu[n].vcpu.halted = false;
	}
	if (vm.nr_vcpus != 0)
		return;
	fake_cpus = CPUS;
	vm.engine = &engine;
	vm.timer = &timer_model;
	vm.run = run;
	for (unsigned n = 0; n < VCPUS; n++) {
		cpu[n].vcpu = (struct vcpu){ .vm = &vm, .id = n };
		vm.vcpus[vm.nr_vcpus++] = &cpu[n].vcpu;
	}
	assert_int_equal(smp_start(&vm), 0);
}

/* Runs the vCPUs until one of them asks for the end. */
static void run_all(void)
{
	smp_run(&vm);
	assert_int_equal(__atomic_load_n(&in_guest, __ATOMIC_RELAXED), 0);
	vm.request = VM_KEEP_RUNNING;
}

/* --- locks */

static enum engine_exit count_locked(struct cpu *c)
{
	vm_lock(&vm);
	vm_lock(&vm); /* the same CPU may take it again */
	shared++;
	vm_unlock(&vm);
	shared++;
	if (shared >= 2 * VCPUS * ROUNDS)
		vm_request(&vm, VM_RESET);
	vm_unlock(&vm);
	return c->inside % 16 == 0 ? ENGINE_IDLE : ENGINE_ATTENTION;
}

/* Kicked again and again, so that idle ones go on. */
static enum engine_exit count_and_kick(struct cpu *c)
{
	vcpu_kick(vm.vcpus[(c->vcpu.id + 1) % VCPUS], ATTN_IRQ);
	return count_locked(c);
}

static void test_locks_exclude(void **state)
{
	uint64_t all = 0;

	(void)state;
	start(count_and_kick);
	run_all();
	for (unsigned n = 0; n < VCPUS; n++)
		all += cpu[n].inside;
	assert_int_equal(shared, 2 * all);
	assert_true(shared >= 2 * VCPUS * ROUNDS);
	assert_int_equal(vm.lock.state, 0);
}

/* --- stopping */

static uint64_t moved, stops;

static void look_at_others(const struct cpu *self, bool nested)
{
	uint64_t before[VCPUS];

	for (unsigned n = 0; n < VCPUS; n++)
		before[n] = cpu[n].inside;
	if (nested) {
		smp_stop_others(&vm);
		smp_resume_others(&vm);
	}
	for (unsigned n = 0; n < VCPUS; n++)
		moved += &cpu[n] != self && cpu[n].inside != before[n];
	assert_true(smp_is_own(&self->vcpu));
	assert_false(smp_is_own(vm.vcpus[(self->vcpu.id + 1) % VCPUS]));
}

/* Some wait for the VM's lock, some for that of code, some run: who stops them finds none of them moving. */
static enum engine_exit stop_now_and_then(struct cpu *c)
{
	if (c->inside % 4 == c->vcpu.id % 4) {
		smp_lock(&vm.memory.code_lock);
		smp_stop_others(&vm);
		look_at_others(c, c->inside % 8 < 4);
		if (++stops >= ROUNDS)
			vm_request(&vm, VM_RESET);
		smp_resume_others(&vm);
		smp_unlock(&vm.memory.code_lock);
	} else if (c->inside % 4 == 3) {
		vm_lock(&vm);
		smp_lock(&vm.memory.code_lock);
		shared++;
		smp_unlock(&vm.memory.code_lock);
		vm_unlock(&vm);
	}
	return ENGINE_ATTENTION;
}

static void test_stopped_ones_stand_still(void **state)
{
	(void)state;
	moved = stops = 0;
	start(stop_now_and_then);
	run_all();
	assert_true(stops >= ROUNDS);
	assert_int_equal(moved, 0);
}

/* --- turns */

/* Never waits, and ends when all have been there: two CPUs have two vCPUs each. */
static enum engine_exit run_on(struct cpu *c)
{
	bool all = true;

	__atomic_store_n(&cpu[c->vcpu.id].fired, 1, __ATOMIC_RELAXED);
	for (unsigned n = 0; n < VCPUS; n++)
		all = all && __atomic_load_n(&cpu[n].fired, __ATOMIC_RELAXED) != 0;
	if (all)
		vm_request(&vm, VM_RESET);
	return ENGINE_ATTENTION;
}

static void test_each_has_its_turn(void **state)
{
	(void)state;
	start(run_on);
	run_all();
	for (unsigned n = 0; n < VCPUS; n++)
		assert_true(cpu[n].runs > 0);
}

/* Who spins gives its turn away, if it shares its CPU: no vCPU has two in a row then. */
static unsigned last[CPUS];
static uint64_t in_a_row;

static enum engine_exit give_way(struct cpu *c)
{
	unsigned *runner = &last[c->vcpu.id % CPUS];

	if (smp_shares_cpu(&c->vcpu) && *runner == c->vcpu.id + 1)
		__atomic_fetch_add(&in_a_row, 1, __ATOMIC_RELAXED);
	*runner = c->vcpu.id + 1;
	if (c->runs >= ROUNDS && smp_shares_cpu(&c->vcpu))
		vm_request(&vm, VM_RESET);
	smp_end_turn(&c->vcpu);
	return ENGINE_ATTENTION;
}

static void test_spinning_ones_give_way(void **state)
{
	(void)state;
	start(give_way);
	in_a_row = 0;
	memset(last, 0, sizeof(last));
	run_all();
	assert_int_equal(in_a_row, 0);
	assert_true(cpu[0].runs >= ROUNDS / 2 || cpu[1].runs >= ROUNDS / 2);
	for (unsigned n = 0; n < VCPUS; n++)
		assert_int_equal(smp_shares_cpu(&cpu[n].vcpu), n % CPUS != CPUS - 1);
}

/* A ring: each waits until the one before it kicks it, whether it shares its CPU or not. */
static uint64_t token;

static enum engine_exit pass_on(struct cpu *c)
{
	uint64_t now = __atomic_load_n(&token, __ATOMIC_ACQUIRE);

	if (now % VCPUS != c->vcpu.id)
		return ENGINE_IDLE;
	if (now >= (uint64_t)VCPUS * ROUNDS)
		vm_request(&vm, VM_RESET);
	__atomic_store_n(&token, now + 1, __ATOMIC_RELEASE);
	vcpu_kick(vm.vcpus[(now + 1) % VCPUS], ATTN_IRQ);
	return ENGINE_IDLE;
}

static void test_kicked_ones_wake_up(void **state)
{
	(void)state;
	token = 0;
	start(pass_on);
	run_all();
	assert_true(token > (uint64_t)VCPUS * ROUNDS);
}

/* --- timers */

static void on_timer(struct timer *t)
{
	struct cpu *c = (struct cpu *)((char *)t - offsetof(struct cpu, timer));

	c->fired++;
	shared++;
	if (shared >= 4 * VCPUS)
		vm_request(&vm, VM_RESET);
	else
		/* Armed here for another vCPU. */
		timer_arm(vm.vcpus[(c->vcpu.id + 1) % VCPUS], &cpu[(c->vcpu.id + 1) % VCPUS].timer,
			  plat_time_ns() + 100000);
}

static enum engine_exit sleep_on(struct cpu *c)
{
	(void)c;
	return ENGINE_IDLE;
}

static void test_timers_of_all(void **state)
{
	(void)state;
	start(sleep_on);
	for (unsigned n = 0; n < VCPUS; n++)
		cpu[n].timer = (struct timer){ .fire = on_timer };
	timer_arm(vm.vcpus[VCPUS - 1], &cpu[VCPUS - 1].timer, plat_time_ns() + 100000);
	run_all();
	for (unsigned n = 0; n < VCPUS; n++)
		assert_true(cpu[n].fired >= 3);
}

/* --- the end of all */

static void on_halted(struct vm *v, struct vcpu *which)
{
	(void)which;
	resets++;
	vm_request(v, VM_POWER_OFF);
}

/* All but one halt; that one waits for them, and then does, too. */
static enum engine_exit halt_after_others(struct cpu *c)
{
	for (unsigned n = 1; n < VCPUS && c->vcpu.id == 0; n++)
		if (!__atomic_load_n(&vm.vcpus[n]->halted, __ATOMIC_RELAXED))
			return ENGINE_ATTENTION;
	if (c->vcpu.id == 0)
		assert_int_equal(__atomic_load_n(&resets, __ATOMIC_RELAXED), 0);
	return ENGINE_HALTED;
}

static void test_halted_when_all_are(void **state)
{
	(void)state;
	vm.halted = on_halted;
	resets = 0;
	start(halt_after_others);
	run_all();
	assert_int_equal(resets, 1);
	vm.halted = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locks_exclude),          cmocka_unit_test(test_stopped_ones_stand_still),
		cmocka_unit_test(test_each_has_its_turn),      cmocka_unit_test(test_kicked_ones_wake_up),
		cmocka_unit_test(test_timers_of_all),          cmocka_unit_test(test_halted_when_all_are),
		cmocka_unit_test(test_spinning_ones_give_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
