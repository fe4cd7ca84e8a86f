/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine `hvm`: the guest runs on the CPU itself, in the mode that its virtualization has for that. */
#include <errno.h>

#include <husk/engine.h>
#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/x86_64/hvm/hvm.h"

/* Implementations in the image, collected by the linker. */
extern const struct hvm_ops *const __start_husk_hvm[] __attribute__((weak));
extern const struct hvm_ops *const __stop_husk_hvm[] __attribute__((weak));

int hvm_missing(const struct hvm_ops *o, const char *what)
{
	log_error("this computer's CPU has no %s: the engine hvm needs %s", what, o->needs);
	return -ENODEV;
}

const struct hvm_ops *hvm_start(void)
{
	const struct hvm_ops *const *o = __start_husk_hvm;

	while (o < __stop_husk_hvm && !(*o)->found())
		o++;
	if (o < __stop_husk_hvm)
		return (*o)->start() == 0 ? *o : NULL;
	for (o = __start_husk_hvm; o < __stop_husk_hvm; o++)
		hvm_missing(*o, (*o)->name);
	return NULL;
}

static int hvm_create(struct vcpu *v)
{
	struct x86_cpu *c = x86_cpu(v);
	int err;

	/* All vCPUs run on what the first one found. */
	c->hvm = v->id == 0 ? hvm_start() : x86_cpu(v->vm->vcpus[0])->hvm;
	if (c->hvm == NULL)
		return -ENODEV;
	err = c->hvm->create(c);
	if (err == 0)
		err = hvm_fpu_create(c);
	return err;
}

/* Nothing is kept that the reset of the CPU, which the machine does next, does not drop. */
static void hvm_flush(struct vcpu *v)
{
	(void)v;
}

/* The hardware hides exceptions within exceptions; a triple fault ends the guest. */
static uint64_t hvm_nested_exceptions(struct vcpu *v)
{
	(void)v;
	return 0;
}

static bool hvm_seen_user_mode(struct vcpu *v)
{
	return x86_cpu(v)->seen_user;
}

static const struct engine hvm_engine = {
	.name = "hvm",
	.vcpu_size = sizeof(struct x86_cpu),
	.create = hvm_create,
	.flush = hvm_flush,
	.run = hvm_run,
	.step = hvm_step,
	.registers = x86_registers,
	.nr_registers = X86_REGISTERS,
	.nr_details = X86_SEGMENTS,
	.get_register = x86_get_register,
	.set_register = x86_set_register,
	.translate = x86_translate,
	.print_state = x86_print_state,
	.nested_exceptions = hvm_nested_exceptions,
	.seen_user_mode = hvm_seen_user_mode,
};

/* The machine has given the VM its RAM by now. */
static int attach(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct x86_cpu *c = x86_cpu(vm->vcpus[i]);
		int err = c->hvm->map_memory(c);

		if (err != 0)
			return err;
	}
	return 0;
}

HUSK_FEATURE(engine_hvm) = {
	.name = "engine-hvm",
	.purpose = "runs the guest on the CPU itself (hardware virtualization)",
	.level = FEATURE_ENGINE,
	.provides = &hvm_engine,
	.attach = attach,
};
