/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judges once a second whether the guest is in trouble, and when it halts for
 * good, whether it meant to. Costs nothing in between. The rules see the boot
 * vCPU, whose timer runs them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/timer.h>
#include <husk/vm.h>

#include "features/diagnose/report.h"

#include <config/DIAGNOSE_EXIT.h>
#include <config/DIAGNOSE_SILENCE_S.h>

#define NS_PER_S 1000000000u

/* Nested exceptions at two looks in a row, and between them, that make a loop: real ones take millions a second. */
#define LOOP_EXCEPTIONS 1000u

/*
 * State of the diagnosis of a VM. Time is counted in looks, a second each, so that a host that was suspended or
 * had no time for us does not make the guest look silent.
 */
struct diagnose {
	struct timer timer;
	struct vm *vm;
	uint64_t resets;      /* of the VM when the guest was started */
	uint64_t first_bytes; /* console output when it was started */
	uint64_t bytes;       /* console output at the last look */
	uint64_t idles;
	uint64_t nested;
	unsigned quiet_s; /* looks without output */
	unsigned busy_s;  /* looks without output during which it neither idled nor was seen in a program */
	bool silence_reported, loop_reported, halt_reported;
};

static struct diagnose *of_timer(struct timer *t)
{
	return (struct diagnose *)((char *)t - offsetof(struct diagnose, timer));
}

static void begin(struct diagnose *d)
{
	const struct vm *vm = d->vm;

	d->resets = vm->resets;
	d->first_bytes = d->bytes = vm->console.output_bytes;
	d->idles = vm->vcpus[0]->idles;
	d->nested = 0;
	d->quiet_s = d->busy_s = 0;
	d->silence_reported = d->loop_reported = d->halt_reported = false;
}

/* A run is ended by a crash only if it was asked for in the configuration; otherwise the user may look around. */
static void report_crash(struct vm *vm, struct vcpu *v, enum diagnose_reason reason)
{
	diagnose_report(vm, v, reason, CONFIG_DIAGNOSE_EXIT != 0);
	if (CONFIG_DIAGNOSE_EXIT != 0)
		vm_request(vm, VM_CRASH);
}

static void check_exception_loop(struct diagnose *d)
{
	struct vm *vm = d->vm;
	uint64_t before = d->nested;

	d->nested = vm->engine->nested_exceptions(vm->vcpus[0]);
	if (d->loop_reported || before <= LOOP_EXCEPTIONS || d->nested < before + LOOP_EXCEPTIONS)
		return;
	d->loop_reported = true;
	report_crash(vm, vm->vcpus[0], DIAGNOSE_EXCEPTION_LOOP);
}

/*
 * True if a program is being executed: a long computation says nothing about the kernel. Programs live in the
 * lower half of the address space, on every 64-bit architecture.
 */
static bool in_program(struct vm *vm, struct vcpu *v)
{
	return vm->engine->seen_user_mode(v) && vm->engine->get_register(v, 0) >> 63 == 0;
}

/* A guest that waits for input idles at least once between two looks: this timer itself ends its sleep. */
static void observe(struct diagnose *d)
{
	struct vm *vm = d->vm;
	struct vcpu *v = vm->vcpus[0];

	d->quiet_s++;
	d->busy_s++;
	if (v->idles != d->idles || in_program(vm, v))
		d->busy_s = 0;
	d->idles = v->idles;
	if (vm->console.output_bytes == d->bytes)
		return;
	d->bytes = vm->console.output_bytes;
	d->quiet_s = d->busy_s = 0;
	d->silence_reported = false;
}

static void check_silence(struct diagnose *d)
{
	observe(d);
	bool never = d->bytes == d->first_bytes;
	if (d->silence_reported || (never ? d->quiet_s : d->busy_s) < CONFIG_DIAGNOSE_SILENCE_S)
		return;
	d->silence_reported = true;
	diagnose_report(d->vm, d->vm->vcpus[0], never ? DIAGNOSE_NEVER_PRINTED : DIAGNOSE_SPINNING, false);
}

static void on_look(struct timer *t)
{
	struct diagnose *d = of_timer(t);

	timer_arm(d->vm->vcpus[0], t, plat_time_ns() + NS_PER_S);
	if (d->vm->resets != d->resets)
		begin(d);
	if (d->vm->stopped)
		return;
	check_exception_loop(d);
	if (!d->loop_reported && !d->halt_reported)
		check_silence(d);
}

static bool ran_a_program(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		if (vm->engine->seen_user_mode(vm->vcpus[i]))
			return true;
	}
	return false;
}

static void power_off(struct vm *vm, struct vcpu *v)
{
	uint64_t offset = 0, pc = vm->engine->get_register(v, 0);
	const char *symbol = payload_symbol(vm->payload, pc, &offset);

	if (symbol != NULL)
		log_info("the guest waits with interrupts off at 0x%016" PRIx64 " (%s+0x%" PRIx64 "): a power-off", pc,
			 symbol, offset);
	else
		log_info("the guest waits with interrupts off at 0x%016" PRIx64 ": a power-off", pc);
	vm_request(vm, VM_POWER_OFF);
}

/* Kernels power off a board that cannot be switched off by waiting for ever; one that never got anywhere gave up. */
static void on_halted(struct vm *vm, struct vcpu *v)
{
	struct diagnose *d = vm->halted_ctx;

	if (ran_a_program(vm)) {
		power_off(vm, v);
		return;
	}
	if (d->vm->resets != d->resets)
		begin(d);
	if (d->halt_reported)
		return;
	d->halt_reported = true;
	report_crash(vm, v, DIAGNOSE_HALTED);
}

static int diagnose_attach(struct vm *vm)
{
	struct diagnose *d = plat_pages_alloc(sizeof(*d), 4096);

	if (d == NULL)
		return -ENOMEM;
	d->vm = vm;
	d->timer.fire = on_look;
	d->timer.keep = true;
	begin(d);
	vm->halted = on_halted;
	vm->halted_ctx = d;
	timer_arm(vm->vcpus[0], &d->timer, plat_time_ns() + NS_PER_S);
	return 0;
}

HUSK_FEATURE(diagnose) = {
	.name = "diagnose",
	.purpose = "reports on a guest that is silent, loops in exceptions or gave up",
	.level = FEATURE_TOOL,
	.attach = diagnose_attach,
};
