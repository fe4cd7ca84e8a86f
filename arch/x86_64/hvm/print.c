/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said about a vCPU: its state, its last exits, why it cannot go on. */
#include <inttypes.h>

#include <husk/log.h>
#include <husk/monitor.h>

#include "arch/x86_64/hvm/hvm.h"

static void print_symbol(struct x86_cpu *c, uint64_t address)
{
	uint64_t offset = 0;
	const char *symbol = payload_symbol(c->vcpu.vm->payload, address, &offset);

	if (symbol != NULL)
		log_text(" (%s+0x%" PRIx64 ")", symbol, offset);
}

static void print_registers(struct x86_cpu *c)
{
	for (unsigned n = 0; n < X86_REGISTERS - X86_SEGMENTS; n++)
		log_text("%-7s%0*" PRIx64 "%s", x86_registers[n].name, 2 * x86_registers[n].bytes,
			 x86_get_register(&c->vcpu, n), n % 3 == 2 ? "\n" : "  ");
	log_text("\n");
}

static void print_code(struct x86_cpu *c)
{
	uint8_t bytes[HVM_INSTRUCTION];
	unsigned n = x86_fetch(c, bytes, sizeof(bytes));

	log_text("code   ");
	for (unsigned i = 0; i < n; i++)
		log_text(" %02x", bytes[i]);
	log_text("%s\n", n == 0 ? " not mapped" : "");
}

static void print_history(struct x86_cpu *c)
{
	uint64_t first = c->exits > X86_EXIT_HISTORY ? c->exits - X86_EXIT_HISTORY : 0;

	log_text("last exits, oldest first:\n");
	for (uint64_t i = first; i < c->exits; i++) {
		const struct x86_exit_record *r = &c->history[i % X86_EXIT_HISTORY];

		log_text("  %-9s at 0x%016" PRIx64 ", 0x%" PRIx64 " 0x%" PRIx64 "\n", c->hvm->exit_name(r->code),
			 r->rip, r->info1, r->info2);
	}
}

void x86_print_state(struct vcpu *v)
{
	struct x86_cpu *c = x86_cpu(v);

	print_registers(c);
	print_code(c);
	for (struct x86_extension *x = c->extensions; x != NULL; x = x->next) {
		if (x->print != NULL)
			x->print(x);
	}
	print_history(c);
}

void x86_give_up(struct x86_cpu *c, const char *why)
{
	struct vm *vm = c->vcpu.vm;

	console_flush(&vm->console);
	log_error("the guest cannot go on: %s", why);
	log_text("---- report about vCPU %u ----\nrip    0x%016" PRIx64, c->vcpu.id, c->rip);
	print_symbol(c, c->rip);
	log_text("\n");
	x86_print_state(&c->vcpu);
	log_text("---- end of report ----\n");
	vm_request(vm, VM_CRASH);
}

static int print_exits(struct vm *vm, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		const struct x86_cpu *c = x86_cpu(vm->vcpus[i]);

		log_text("vCPU %u: %" PRIu64 " exits\n", i, c->exits);
		for (unsigned n = 0; n < HVM_CAUSES; n++) {
			if (c->causes[n] != 0)
				log_text("  %-10s %" PRIu64 "\n", hvm_cause_names[n], c->causes[n]);
		}
	}
	return 0;
}

MONITOR_COMMAND(exits) = { "exits", "", "how often the guest was left, by cause", print_exits };
