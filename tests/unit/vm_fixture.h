/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM made of a scripted engine and machine. For test_vm.c, which includes it once. */
#ifndef TESTS_VM_FIXTURE_H
#define TESTS_VM_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>
#include <husk/irq.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "tests/unit/elf_image.h"
#include "tests/unit/fake_platform.h"

/** The engine's vCPU. */
struct test_vcpu {
	struct vcpu vcpu;
	uint64_t made_by; /* set by the machine */
};

/** What the engine does when it is run for the n-th time. */
typedef enum engine_exit step(struct vcpu *v);

static struct params params;
static struct payload payload;
static struct vm *vm;
static step *script[16];
static unsigned runs;
static char calls[512];
static int init_result, create_result, build_result, load_result, attach_result;
static unsigned load_fails_at, loads; /* the load that fails, 0: none */
static struct elf_image image;
static struct payload_part kernel;

static void call(const char *name)
{
	assert_true(strlen(calls) + strlen(name) + 2 < sizeof(calls));
	strcat(calls, name);
	strcat(calls, " ");
}

/* Engine */

static int engine_create(struct vcpu *v)
{
	assert_int_equal(((struct test_vcpu *)v)->made_by, 42);
	call("create");
	return create_result;
}

static void engine_flush(struct vcpu *v)
{
	(void)v;
	call("flush");
}

static enum engine_exit engine_run(struct vcpu *v)
{
	assert_true(runs < sizeof(script) / sizeof(script[0]));
	assert_non_null(script[runs]);
	return script[runs++](v);
}

static uint64_t engine_get_register(struct vcpu *v, unsigned n)
{
	(void)v;
	assert_int_equal(n, 0);
	return ELF_IMAGE_BASE + 0x24;
}

static const struct engine engine = {
	.name = "scripted",
	.vcpu_size = sizeof(struct test_vcpu),
	.create = engine_create,
	.flush = engine_flush,
	.run = engine_run,
	.get_register = engine_get_register,
};

/* Machine */

static void device_reset(struct device *dev)
{
	(void)dev;
	call("device-reset");
}

static const struct device_ops device_ops = { .reset = device_reset };
static struct device device = { .name = "device", .ops = &device_ops };

static int machine_init_vcpu(struct vcpu *v)
{
	assert_non_null(v->vm);
	((struct test_vcpu *)v)->made_by = 42;
	call("init");
	return init_result;
}

static int machine_build(struct vm *m)
{
	assert_int_equal(bus_attach(&m->mmio, &device, 0x1000, 0x100), 0);
	call("build");
	return build_result;
}

static int machine_load(struct vm *m)
{
	assert_ptr_equal(fake_attention, &m->vcpus[0]->attention);
	call("load");
	loads++;
	return loads == load_fails_at ? -EBADMSG : load_result;
}

static int machine_plug(struct vm *m, unsigned slot, struct device *dev, struct irq_line *irq)
{
	assert_non_null(irq);
	return bus_attach(&m->mmio, dev, 0x2000 + slot * 0x100u, 0x100);
}

static const struct machine machine = {
	.plug = machine_plug,
	.name = "board",
	.init_vcpu = machine_init_vcpu,
	.build = machine_build,
	.load = machine_load,
};

static const struct timer_model timer_model = { .name = "clock" };

/* Features. `provides` is what the core finds, so that a test can take one away. */

static int tool_attach(struct vm *m)
{
	assert_int_equal(m->nr_vcpus, m->params->vcpus);
	call("attach");
	return attach_result;
}

static void tool_reset(struct vm *m)
{
	assert_int_equal(m->started_ns, fake_now);
	call("reset");
}

static struct feature engine_feature = { .name = "engine", .level = FEATURE_ENGINE, .provides = &engine };
static struct feature machine_feature = { .name = "machine", .level = FEATURE_MACHINE, .provides = &machine };
static struct feature timer_feature = { .name = "timer", .level = FEATURE_TIMER, .provides = &timer_model };
static struct feature tool_feature = { .name = "tool", .level = FEATURE_TOOL, .attach = tool_attach };
#define ENTRY __attribute__((used, retain, section("husk_features")))
static const struct feature *const entries[] ENTRY = { &engine_feature, &machine_feature, &timer_feature,
						       &tool_feature };

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	log_guest_output(true);
	params = (struct params){ .vcpus = 1, .ram_bytes = 1 << 20 };
	elf_image_init(&image, false);
	kernel = (struct payload_part){
		.kind = PAYLOAD_KERNEL, .name = "vmlinux", .data = image.bytes, .size = sizeof(image.bytes)
	};
	payload = (struct payload){ .recipe = "test", .parts = &kernel, .count = 1 };
	engine_feature.provides = &engine;
	machine_feature.provides = &machine;
	timer_feature.provides = &timer_model;
	memset(script, 0, sizeof(script));
	calls[0] = '\0';
	runs = loads = load_fails_at = 0;
	init_result = create_result = build_result = load_result = attach_result = 0;
	vm = NULL;
	return 0;
}

static void create(void)
{
	assert_int_equal(vm_create(&params, &payload, &vm), 0);
	calls[0] = '\0';
}

#endif
