/* SPDX-License-Identifier: BSD-2-Clause */
/* See xen_fixture.h. */
#include "tests/unit/xen_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>

#include "tests/unit/fake_platform.h"

/* Where arguments are put: behind the middle of a page, so that long ones cross into the next. */
#define ARGUMENT (XEN_RAM / 2 + 4096 - 16)

struct vm xen_vm;
struct vcpu xen_vcpus[XEN_VCPUS];
unsigned xen_upcalls[XEN_VCPUS];
uint8_t xen_vectors[XEN_VCPUS];
uint64_t xen_callback;
void (*xen_on_upcall)(struct vcpu *);
unsigned xen_word;
struct hypercall xen_last;

static const struct params params = { .version = "1.2", .config = "test", .core_digest = "0123456789abcdef" };

/* The CPU */

static int translate(struct vcpu *v, uint64_t gva, uint64_t *gpa)
{
	uint64_t offset = gva - (xen_word == 8 ? XEN_GVA : XEN_GVA_32);

	(void)v;
	if (offset >= XEN_RAM || (offset & GUEST_PAGE_MASK) == (XEN_UNMAPPED_GPA ^ GUEST_PAGE_SIZE))
		return -EFAULT;
	*gpa = offset ^ GUEST_PAGE_SIZE;
	return 0;
}

static const struct engine engine = { .name = "none", .translate = translate };

static void upcall(struct vcpu *v)
{
	xen_upcalls[v->id]++;
	if (xen_on_upcall != NULL)
		xen_on_upcall(v);
}

static int set_callback(struct vm *vm, uint64_t via)
{
	(void)vm;
	if (via == 0xbad)
		return -XEN_EINVAL;
	xen_callback = via;
	return 0;
}

static int set_upcall_vector(struct vcpu *v, uint8_t vector)
{
	xen_vectors[v->id] = vector;
	return 0;
}

static const struct xen_memory_entry *memory_map(struct vm *vm, unsigned *count)
{
	static const struct xen_memory_entry map[] = { { 0, XEN_RAM, 1 },
						       { XEN_SPECIAL_GPA, XEN_SPECIAL_PAGES * 4096, 2 } };

	(void)vm;
	*count = 2;
	return map;
}

const struct xen_arch xen_arch = {
	.capabilities = "xen-3.0-x86_64 hvm-3.0-x86_64",
	.upcall = upcall,
	.set_callback = set_callback,
	.set_upcall_vector = set_upcall_vector,
	.memory_map = memory_map,
	.special_gpa = XEN_SPECIAL_GPA,
};

/* The domain */

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "xen fixture: %s\n%s", what, fake_log);
	abort();
}

void xen_start(unsigned nr_vcpus)
{
	fake_reset();
	fake_time_scale = (struct plat_time_scale){ .zero = 1000, .ns_per_tick = 1ull << 31 };
	fake_now = 5000000000;
	log_set_level(LOG_INFO);
	log_guest_output(true);
	memset(&xen_vm, 0, sizeof(xen_vm));
	memset(xen_vcpus, 0, sizeof(xen_vcpus));
	memset(xen_upcalls, 0, sizeof(xen_upcalls));
	memset(xen_vectors, 0, sizeof(xen_vectors));
	xen_callback = 0;
	xen_on_upcall = NULL;
	xen_word = 8;
	xen_vm.params = &params;
	xen_vm.engine = &engine;
	xen_vm.timer = feature_provider(FEATURE_TIMER);
	xen_vm.nr_vcpus = nr_vcpus;
	for (unsigned i = 0; i < nr_vcpus; i++) {
		xen_vcpus[i].vm = &xen_vm;
		xen_vcpus[i].id = i;
		xen_vm.vcpus[i] = &xen_vcpus[i];
	}
	console_init(&xen_vm.console, &xen_vm);
	must(memory_add_ram(&xen_vm.memory, 0, XEN_RAM) == 0, "no RAM");
	must(memory_add_ram(&xen_vm.memory, XEN_SPECIAL_GPA, XEN_SPECIAL_PAGES * 4096) == 0, "no special pages");
	plat_cpu_bind(&xen_vcpus[0].attention);
	must(feature_attach_all(&xen_vm) == 0, "a feature cannot be attached");
	feature_reset_all(&xen_vm);
}

void xen_restart(void)
{
	for (unsigned i = 0; i < xen_vm.nr_vcpus; i++)
		timer_disarm_guest(&xen_vcpus[i]);
	feature_reset_all(&xen_vm);
}

int64_t xen_call_args(unsigned v, uint64_t nr, const uint64_t args[HYPERCALL_ARGS])
{
	xen_last = (struct hypercall){ .vcpu = &xen_vcpus[v], .word = xen_word, .nr = nr };
	for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
		xen_last.args[i] = xen_word == 8 ? args[i] : (uint32_t)args[i];
	return hypercall_dispatch(&xen_last);
}

uint64_t xen_gva(uint64_t gpa)
{
	return (xen_word == 8 ? XEN_GVA : XEN_GVA_32) + (gpa ^ GUEST_PAGE_SIZE);
}

void *xen_ram(uint64_t gpa)
{
	return memory_borrow(&xen_vm.memory, gpa, 1);
}

/** As the guest sees its memory: byte by byte. */
static uint8_t *argument(size_t n)
{
	uint64_t gpa;

	must(translate(&xen_vcpus[0], (xen_word == 8 ? XEN_GVA : XEN_GVA_32) + ARGUMENT + n, &gpa) == 0, "argument");
	return xen_ram(gpa);
}

uint64_t xen_put(const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*argument(i) = ((const uint8_t *)data)[i];
	return (xen_word == 8 ? XEN_GVA : XEN_GVA_32) + ARGUMENT;
}

void xen_get(void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)data)[i] = *argument(i);
}

int64_t xen_op(unsigned v, uint64_t nr, uint64_t op, void *arg, size_t size)
{
	int64_t result = xen_call(v, nr, op, xen_put(arg, size));

	xen_get(arg, size);
	return result;
}

int64_t xen_vcpu_op(unsigned v, uint64_t op, uint64_t target, void *arg, size_t size)
{
	int64_t result = xen_call(v, __HYPERVISOR_vcpu_op, op, target, arg != NULL ? xen_put(arg, size) : 0);

	if (arg != NULL)
		xen_get(arg, size);
	return result;
}

void xen_pass(uint64_t ns)
{
	uint64_t end = fake_now + ns;

	while (fake_deadline <= end) {
		fake_advance(fake_deadline > fake_now ? fake_deadline - fake_now : 0);
		vcpu_take_attention(&xen_vcpus[0]);
		timer_run_due(&xen_vcpus[0]);
	}
	fake_now = end;
}
