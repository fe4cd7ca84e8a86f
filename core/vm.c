/* SPDX-License-Identifier: BSD-2-Clause */
/* One domain: making it, asking it, running it. */
#include <errno.h>
#include <inttypes.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

/* Making. */

static const void *need_provider(enum feature_level level, const char *what)
{
	const void *provider = feature_provider(level);

	if (provider == NULL)
		log_error("this image has no %s: select one in `make menuconfig` and build it again", what);
	return provider;
}

static int find_providers(struct vm *vm)
{
	vm->engine = need_provider(FEATURE_ENGINE, "engine");
	vm->machine = need_provider(FEATURE_MACHINE, "machine");
	vm->timer = need_provider(FEATURE_TIMER, "timer model");
	if (vm->engine == NULL || vm->machine == NULL || vm->timer == NULL)
		return -ENODEV;
	vm->run = vm->engine->run;
	return 0;
}

static int no_memory(const char *what)
{
	log_error("the host has no memory for %s (%" PRIu64 " KiB free): give it more", what, plat_pages_free() >> 10);
	return -ENOMEM;
}

static int add_vcpu(struct vm *vm)
{
	unsigned id = vm->nr_vcpus;
	struct vcpu *v = plat_pages_alloc(vm->engine->vcpu_size, GUEST_PAGE_SIZE);
	int rc;

	if (v == NULL)
		return no_memory("a vCPU");
	v->vm = vm;
	v->id = id;
	rc = vm->machine->init_vcpu(v);
	if (rc == 0)
		rc = vm->engine->create(v);
	if (rc != 0) {
		log_error("vCPU %u of machine %s cannot be made by engine %s (error %d)", id, vm->machine->name,
			  vm->engine->name, rc);
		return rc;
	}
	vm->vcpus[vm->nr_vcpus++] = v;
	return 0;
}

static int add_vcpus(struct vm *vm)
{
	uint32_t wanted = vm->params->vcpus;

	if (wanted == 0 || wanted > VM_MAX_VCPUS) {
		log_error("%" PRIu32 " vCPUs are configured; 1 to %u are possible", wanted, VM_MAX_VCPUS);
		return -EINVAL;
	}
	while (vm->nr_vcpus < wanted) {
		int rc = add_vcpu(vm);

		if (rc != 0)
			return rc;
	}
	return 0;
}

static int build(struct vm *vm)
{
	int rc = vm->machine->build(vm);

	if (rc != 0)
		log_error("machine %s cannot be built (error %d)", vm->machine->name, rc);
	return rc;
}

int vm_create(const struct params *params, const struct payload *payload, struct vm **out)
{
	struct vm *vm = plat_pages_alloc(sizeof(*vm), GUEST_PAGE_SIZE);
	int rc;

	if (vm == NULL)
		return no_memory("a VM");
	vm->params = params;
	vm->payload = payload;
	console_init(&vm->console, vm);
	rc = find_providers(vm);
	if (rc == 0)
		rc = add_vcpus(vm);
	if (rc == 0)
		rc = build(vm);
	if (rc == 0)
		rc = feature_attach_all(vm);
	if (rc == 0)
		*out = vm;
	return rc;
}

int vm_plug(struct vm *vm, struct device *dev, struct irq_line *irq)
{
	int rc;

	if (vm->machine->plug == NULL || vm->slots == MACHINE_SLOTS) {
		log_error("%s: the machine %s has room for %u devices and these are taken: select fewer", dev->name,
			  vm->machine->name, vm->machine->plug != NULL ? MACHINE_SLOTS : 0);
		return -ENOSPC;
	}
	rc = vm->machine->plug(vm, vm->slots, dev, irq);
	if (rc != 0) {
		log_error("%s cannot be plugged into slot %u of the machine %s (error %d)", dev->name, vm->slots,
			  vm->machine->name, rc);
		return rc;
	}
	vm->slots++;
	return 0;
}

/* Asking. */

void vm_request(struct vm *vm, enum vm_request what)
{
	uint32_t now = __atomic_load_n(&vm->request, __ATOMIC_RELAXED);

	while (now < (uint32_t)what && !__atomic_compare_exchange_n(&vm->request, &now, (uint32_t)what, false,
								    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		continue;
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		vcpu_kick(vm->vcpus[i], ATTN_REQUEST);
}

bool vm_is_requested(const struct vm *vm)
{
	return __atomic_load_n(&vm->request, __ATOMIC_RELAXED) != VM_KEEP_RUNNING;
}

static enum vm_request take_request(struct vm *vm)
{
	return (enum vm_request)__atomic_exchange_n(&vm->request, VM_KEEP_RUNNING, __ATOMIC_ACQUIRE);
}

/* Running. */

bool vcpu_idle_begin(struct vcpu *v)
{
	const struct vm *vm = v->vm;

	v->idles++;
	if (vm->timer->skip_idle != NULL && vm->timer->skip_idle(v))
		return true;
	if (vm->idle != NULL)
		vm->idle(v, true);
	return false;
}

void vcpu_idle_end(struct vcpu *v)
{
	if (v->vm->idle != NULL)
		v->vm->idle(v, false);
}

/** The end of a guest that nobody else wants to judge. */
static void power_off_halted(struct vcpu *v)
{
	struct vm *vm = v->vm;
	uint64_t pc = vm->engine->get_register(v, 0), offset = 0;
	const char *symbol = payload_symbol(vm->payload, pc, &offset);

	if (symbol != NULL)
		log_info("guest halted for good at 0x%" PRIx64 " (%s+0x%" PRIx64 "): powering off", pc, symbol, offset);
	else
		log_info("guest halted for good at 0x%" PRIx64 ": powering off", pc);
	vm_request(vm, VM_POWER_OFF);
}

static bool are_all_halted(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		if (!__atomic_load_n(&vm->vcpus[i]->halted, __ATOMIC_RELAXED))
			return false;
	return true;
}

/** A tool may leave it halted, for its user to look around. Another vCPU that runs may start it again. */
static void handle_halt(struct vcpu *v)
{
	__atomic_store_n(&v->halted, true, __ATOMIC_RELAXED);
	if (!are_all_halted(v->vm))
		return;
	if (v->vm->halted != NULL)
		v->vm->halted(v->vm, v);
	else
		power_off_halted(v);
}

/**
 * Handles what is pending. The word is taken before anything is looked at, so that what comes up meanwhile is
 * seen in the next round. ATTN_IRQ is the engine's: it looks at interrupts whenever it starts.
 */
static void handle_attention(struct vcpu *v)
{
	uint32_t pending;

	vcpu_run_stops(v);
	pending = vcpu_take_attention(v);
	if ((pending & (ATTN_TIMER | ATTN_CONSOLE | ATTN_IO)) == 0)
		return;
	vm_lock(v->vm);
	/* A debugger that lets the guest go on raises it again. */
	if ((pending & ATTN_TIMER) && !v->vm->stopped)
		timer_run_due(v);
	if (pending & ATTN_CONSOLE)
		console_poll(&v->vm->console);
	if (pending & ATTN_IO)
		io_poll(v->vm);
	vm_unlock(v->vm);
}

bool vcpu_turn(struct vcpu *v)
{
	enum engine_exit why;

	handle_attention(v);
	if (vm_is_requested(v->vm))
		return false;
	__atomic_store_n(&v->halted, false, __ATOMIC_RELAXED);
	smp_enter(v);
	why = v->vm->run(v);
	smp_leave(v);
	if (why != ENGINE_HALTED)
		return why == ENGINE_IDLE;
	vm_lock(v->vm);
	handle_halt(v);
	vm_unlock(v->vm);
	return true;
}

/* One vCPU, if the feature `smp` does not take the place of these (husk/smp.h). */

__attribute__((weak)) int smp_start(struct vm *vm)
{
	plat_cpu_bind(&vm->vcpus[0]->attention);
	return 0;
}

/** Sleeps until something is pending for v, unless its time can be skipped: plat_wait() may come back early. */
static void wait(struct vcpu *v)
{
	if (vcpu_idle_begin(v))
		return;
	while (vcpu_attention(v) == 0)
		plat_wait(&v->attention);
	vcpu_idle_end(v);
}

__attribute__((weak)) void smp_run(struct vm *vm)
{
	struct vcpu *v = vm->vcpus[0];

	while (!vm_is_requested(vm))
		if (vcpu_turn(v))
			wait(v);
}

static int start(struct vm *vm)
{
	vm->started_ns = plat_time_ns();
	feature_reset_all(vm);
	return vm->machine->load(vm);
}

static int reset(struct vm *vm)
{
	log_info("guest reset");
	vm->resets++;
	bus_reset(&vm->mmio);
	bus_reset(&vm->ports);
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		timer_disarm_guest(vm->vcpus[i]);
		vm->engine->flush(vm->vcpus[i]);
	}
	return start(vm);
}

/** Does what was asked. Returns true if the guest goes on; *status is set either way. */
static bool handle_request(struct vm *vm, enum husk_exit *status)
{
	*status = HUSK_EXIT_OK;
	switch (take_request(vm)) {
	case VM_KEEP_RUNNING: return true;
	case VM_RESET:
		if (reset(vm) == 0)
			return true;
		*status = HUSK_EXIT_PAYLOAD;
		return false;
	case VM_CRASH: *status = HUSK_EXIT_GUEST; return false;
	case VM_POWER_OFF: log_info("guest powered off"); break;
	case VM_QUIT: log_info("ended by the user"); break;
	}
	return false;
}

enum husk_exit vm_run(struct vm *vm)
{
	enum husk_exit status;

	if (smp_start(vm) != 0)
		return HUSK_EXIT_HOST;
	if (start(vm) != 0)
		return HUSK_EXIT_PAYLOAD;
	/* Input may have come and timers may have been armed before this CPU was bound to hear of them. */
	vcpu_kick(vm->vcpus[0], ATTN_CONSOLE | ATTN_TIMER | ATTN_IO);
	do {
		smp_run(vm);
		console_flush(&vm->console);
	} while (handle_request(vm, &status));
	return status;
}
