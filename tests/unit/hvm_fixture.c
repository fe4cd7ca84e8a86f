/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/hvm_fixture.h"

#include <stdlib.h>
#include <string.h>

#include <husk/feature.h>

#include "tests/unit/fake_platform.h"

static struct hvm_fixture *of_cpu(struct x86_cpu *c)
{
	return (struct hvm_fixture *)c;
}

static void reset(struct x86_cpu *c)
{
	memset(of_cpu(c)->controls, 0, sizeof(of_cpu(c)->controls));
	memset(of_cpu(c)->segments, 0, sizeof(of_cpu(c)->segments));
}

static void enter(struct x86_cpu *c, struct hvm_exit *exit)
{
	struct hvm_fixture *f = of_cpu(c);

	f->injected = c->inject;
	f->window = c->window;
	if (f->script_at == f->script_size) {
		exit->cause = HVM_ATTENTION;
		return;
	}
	c->inject.valid = false;
	*exit = f->script[f->script_at++];
}

static uint64_t get(struct x86_cpu *c, enum x86_control which)
{
	return of_cpu(c)->controls[which];
}

static void set(struct x86_cpu *c, enum x86_control which, uint64_t value)
{
	of_cpu(c)->controls[which] = value;
}

static void get_segment(struct x86_cpu *c, enum x86_segment_number n, struct x86_segment *out)
{
	*out = of_cpu(c)->segments[n];
}

static void set_segment(struct x86_cpu *c, enum x86_segment_number n, const struct x86_segment *s)
{
	of_cpu(c)->segments[n] = *s;
}

static int map_memory(struct x86_cpu *c)
{
	(void)c;
	return 0;
}

static const char *exit_name(uint64_t code)
{
	(void)code;
	return "exit";
}

static const struct hvm_ops ops = {
	.name = "fixture",
	.reset = reset,
	.map_memory = map_memory,
	.enter = enter,
	.get = get,
	.set = set,
	.get_segment = get_segment,
	.set_segment = set_segment,
	.exit_name = exit_name,
};

/* The FPU is the hardware's business. */
void hvm_fpu_reset(struct x86_cpu *c)
{
	(void)c;
}

static const struct engine engine = {
	.name = "hvm",
	.registers = x86_registers,
	.nr_registers = X86_REGISTERS,
	.get_register = x86_get_register,
	.translate = x86_translate,
};

static const struct payload no_payload = { .recipe = "none" };

void hvm_fixture_init(struct hvm_fixture *f, uint64_t ram)
{
	memset(f, 0, sizeof(*f));
	f->cpu.hvm = &ops;
	f->cpu.vcpu.vm = &f->vm;
	f->vm.vcpus[0] = &f->cpu.vcpu;
	f->vm.nr_vcpus = 1;
	f->vm.engine = &engine;
	f->vm.params = &f->params;
	f->vm.payload = &no_payload;
	f->params.ram_bytes = ram;
	f->vm.timer = feature_provider(FEATURE_TIMER);
	console_init(&f->vm.console, &f->vm);
	if (ram != 0 && memory_add_ram(&f->vm.memory, 0, ram) != 0)
		abort();
	fake_time_scale = (struct plat_time_scale){ .zero = 1000, .ns_per_tick = (uint64_t)1 << 31 };
	x86_reset(&f->cpu);
	f->controls[X86_EFER] = X86_EFER_LMA | X86_EFER_LME;
	f->segments[X86_CS].attributes = X86_SEG_CODE64;
}

struct hvm_exit *hvm_fixture_exit(struct hvm_fixture *f, enum hvm_cause cause, uint8_t length)
{
	struct hvm_exit *x = &f->script[f->script_size++];

	*x = (struct hvm_exit){ .cause = cause, .length = length };
	return x;
}
