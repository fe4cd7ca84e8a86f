/* SPDX-License-Identifier: BSD-2-Clause */
/* The report about a guest that is in trouble. */
#include <inttypes.h>
#include <string.h>

#include <husk/log.h>
#include <husk/vm.h>

#include "features/diagnose/report.h"

#include <config/DIAGNOSE_SILENCE_S.h>

#define NS_PER_S 1000000000u

struct text {
	const char *what;   /* goes on after "the guest" */
	const char *advice; /* lines for somebody who built an image that does not work */
	bool may_be_slow;   /* it may just not have come far enough yet */
};

static const struct text texts[DIAGNOSE_REASONS] = {
	[DIAGNOSE_NEVER_PRINTED] = {
		.what = "has printed nothing since it started",
		.advice = "  - does its command line name a console that this board has (console=...)?\n"
			  "  - was its kernel built for this board and byte order?\n"
			  "  - is the memory large enough for kernel and initrd?\n",
		.may_be_slow = true,
	},
	[DIAGNOSE_SPINNING] = {
		.what = "is silent and never idles",
		.advice = "  - its last messages above tell what it was about to do\n"
			  "  - do the last device accesses show that it polls for something?\n",
		.may_be_slow = true,
	},
	[DIAGNOSE_EXCEPTION_LOOP] = {
		.what = "takes exceptions within exceptions without end",
		.advice = "  - the oldest of the last exceptions is the one to look at; epc is where it came from\n"
			  "  - was its kernel built for this board, CPU and byte order?\n"
			  "  - do kernel, initrd and device tree overlap in memory?\n",
	},
	[DIAGNOSE_HALTED] = {
		.what = "waits with interrupts off and has never run a program: nothing can wake it",
		.advice = "  - its last messages above tell why it gave up\n"
			  "  - was its kernel built for this board, and is the initrd the one it needs?\n",
	},
};

static void print_address(struct vm *vm, uint64_t address)
{
	uint64_t offset = 0;
	const char *symbol = payload_symbol(vm->payload, address, &offset);

	log_text("0x%016" PRIx64, address);
	if (symbol != NULL)
		log_text(" (%s+0x%" PRIx64 ")", symbol, offset);
}

static void print_code_register(struct vm *vm, struct vcpu *v, unsigned n)
{
	log_text("%-4s", vm->engine->registers[n].name);
	print_address(vm, vm->engine->get_register(v, n));
	log_text("\n");
}

/* The program counter, and return and exception address where the CPU has registers for them. */
static void print_place(struct vm *vm, struct vcpu *v)
{
	print_code_register(vm, v, 0);
	for (unsigned n = 1; n < vm->engine->nr_registers; n++) {
		const char *name = vm->engine->registers[n].name;
		if (strcmp(name, "ra") == 0 || strcmp(name, "epc") == 0)
			print_code_register(vm, v, n);
	}
}

static void print_counts(struct vm *vm, struct vcpu *v)
{
	log_text("%" PRIu64 " instructions in %" PRIu64 " s, idle %" PRIu64 " times, %" PRIu64
		 " bytes printed, %" PRIu64 " accesses to addresses with no device\n",
		 v->instructions, (plat_time_ns() - vm->started_ns) / NS_PER_S, v->idles, vm->console.output_bytes,
		 vm->mmio.unclaimed);
}

static void print_advice(struct vm *vm, const struct text *t, bool ends)
{
	log_text("what to try:\n");
	log_text("%s", t->advice);
	if (t->may_be_slow)
		log_text("  - if it is only slow, raise DIAGNOSE_SILENCE_S in the configuration (it is %u s)\n",
			 CONFIG_DIAGNOSE_SILENCE_S);
	if (vm->mmio.unclaimed > 0)
		log_text("  - at log level debug each access to an address with no device is named\n");
	if (ends)
		return;
	if (vm->console.monitor != NULL)
		log_text("  - Ctrl-A c opens the monitor: 'info registers' twice shows whether it moves\n");
	log_text("  - Ctrl-A x ends the run\n");
}

void diagnose_report(struct vm *vm, struct vcpu *v, enum diagnose_reason reason, bool ends)
{
	const struct text *t = &texts[reason];

	console_flush(&vm->console);
	if (ends)
		log_error("the guest %s; the run ends", t->what);
	else
		log_warn("the guest %s", t->what);
	log_text("---- report about vCPU %u ----\n", v->id);
	print_place(vm, v);
	print_counts(vm, v);
	vm->engine->print_state(v);
	bus_print_history(&vm->mmio);
	print_advice(vm, t, ends);
	log_text("---- end of report ----\n");
}
