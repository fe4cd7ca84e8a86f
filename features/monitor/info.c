/* SPDX-License-Identifier: BSD-2-Clause */
/* The command "info": the state of the guest and of the image. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/monitor.h>
#include <husk/timer.h>
#include <husk/vm.h>

#include "features/monitor/monitor.h"

#define NS_PER_S 1000000000u

static void print_registers(struct vm *vm, struct vcpu *v)
{
	const struct engine *e = vm->engine;
	unsigned listed = e->nr_registers - e->nr_details;

	log_text("vCPU %u at ", v->id);
	monitor_print_address(vm, e->get_register(v, 0));
	log_text("\n");
	for (unsigned i = 0; i < listed; i++)
		log_text("%-10s 0x%0*" PRIx64 "%s", e->registers[i].name, (int)(2 * e->registers[i].bytes),
			 e->get_register(v, i), i % 3 == 2 || i + 1 == listed ? "\n" : "  ");
}

static void info_registers(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		print_registers(vm, vm->vcpus[i]);
}

static void info_system(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		log_text("vCPU %u:\n", i);
		vm->engine->print_state(vm->vcpus[i]);
	}
}

static int print_feature(const struct feature *f, void *ctx)
{
	(void)ctx;
	log_text("%-20s %s\n", f->name, f->purpose);
	return 0;
}

static void info_features(struct vm *vm)
{
	log_text("husk %s, configuration %s, core %s\n", vm->params->version, vm->params->config,
		 vm->params->core_digest);
	feature_walk(print_feature, NULL);
}

static void info_devices(struct vm *vm)
{
	if (vm->machine->describe != NULL)
		vm->machine->describe(vm);
	for (unsigned i = 0; i < vm->mmio.nr_devices; i++) {
		struct device *d = vm->mmio.devices[i];
		log_text("%-10s 0x%" PRIx64 "-0x%" PRIx64 "  %" PRIu64 " reads, %" PRIu64 " writes\n", d->name, d->base,
			 d->base + d->size - 1, d->reads, d->writes);
		if (d->ops->describe == NULL)
			continue;
		log_text("  ");
		d->ops->describe(d);
	}
	bus_print_history(&vm->mmio);
}

static void info_memory(struct vm *vm)
{
	for (unsigned i = 0; i < vm->memory.nr_ram; i++) {
		const struct ram_region *r = &vm->memory.ram[i];
		log_text("RAM 0x%" PRIx64 "-0x%" PRIx64 "  %" PRIu64 " KiB\n", r->gpa, r->gpa + r->size - 1,
			 r->size / 1024);
	}
}

static void info_stats(struct vm *vm)
{
	uint64_t ns = plat_time_ns() - vm->started_ns;

	log_text("running for %" PRIu64 ".%03" PRIu64 " s, reset %" PRIu64 " times\n", ns / NS_PER_S,
		 ns % NS_PER_S / 1000000, vm->resets);
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct vcpu *v = vm->vcpus[i];
		log_text("vCPU %u: %" PRIu64 " instructions, idle %" PRIu64 " times, %" PRIu64 " nested exceptions\n",
			 i, v->instructions, v->idles, vm->engine->nested_exceptions(v));
	}
	log_text("console: %" PRIu64 " bytes of guest output\n", vm->console.output_bytes);
	log_text("bus: %" PRIu64 " accesses, %" PRIu64 " to addresses with no device\n", vm->mmio.count,
		 vm->mmio.unclaimed);
	log_text("engine %s, timer %s, machine %s, host %s\n", vm->engine->name, vm->timer->name, vm->machine->name,
		 plat_name);
}

static const struct {
	const char *name, *help;
	void (*print)(struct vm *vm);
} topics[] = {
	{ "registers", "registers by name", info_registers },
	{ "system", "system registers, TLB, last exceptions", info_system },
	{ "features", "what is in this image", info_features },
	{ "devices", "devices, their accesses and state", info_devices },
	{ "memory", "guest RAM", info_memory },
	{ "stats", "counts since the start", info_stats },
};

static int run_info(struct vm *vm, int argc, char **argv)
{
	unsigned n = sizeof(topics) / sizeof(topics[0]);

	for (unsigned i = 0; argc == 2 && i < n; i++) {
		if (strncmp(topics[i].name, argv[1], strlen(argv[1])) == 0) {
			topics[i].print(vm);
			return 0;
		}
	}
	if (argc == 2)
		log_text("there is no information about %s\n", argv[1]);
	for (unsigned i = 0; i < n; i++)
		log_text("info %-12s %s\n", topics[i].name, topics[i].help);
	return argc > 2 ? -EINVAL : 0;
}

MONITOR_COMMAND(info) = { "info", "TOPIC", "shows state; without a topic, the topics", run_info };
