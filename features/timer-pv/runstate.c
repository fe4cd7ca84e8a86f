/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a vCPU ran and waited (Xen's public vcpu.h), by hypercall and as a copy in the guest's memory. */
#include <string.h>

#include "features/timer-pv/timer_pv.h"

#define STATES (RUNSTATE_offline + 1)

/* int state, uint64_t state_entry_time, uint64_t time[4], which x86 aligns to the word. */
#define MAX_SIZE (sizeof(uint64_t) * (2 + STATES))

static unsigned size_of(unsigned word)
{
	return word + (unsigned)sizeof(uint64_t) * (1 + STATES);
}

void timer_pv_runstate_reset(struct timer_pv_vcpu *t)
{
	t->runstate = (struct timer_pv_runstate){ .state = RUNSTATE_running, .since = plat_time_ns() };
}

/** The guest's structure, with `flags` in state_entry_time. Returns its size. */
static unsigned encode(const struct timer_pv_runstate *r, unsigned word, uint64_t flags, uint8_t out[static MAX_SIZE])
{
	uint64_t since = r->since | flags;

	memset(out, 0, MAX_SIZE);
	memcpy(out, &r->state, sizeof(r->state));
	memcpy(out + word, &since, sizeof(since));
	memcpy(out + word + sizeof(since), r->time, sizeof(r->time));
	return size_of(word);
}

/** Writes the guest's copy. The pages were RAM when it was registered, and RAM stays. */
static void write_copy(struct vm *vm, const struct timer_pv_runstate *r, const uint8_t *data, unsigned size)
{
	unsigned first = size < r->first_size ? size : r->first_size;

	memory_write(&vm->memory, r->gpa[0], data, first);
	memory_write(&vm->memory, r->gpa[1], data + first, size - first);
}

/**
 * Brings the guest's copy up to date. Other vCPUs may read it meanwhile: they are told by a flag, if the guest knows it,
 * which is in the copy before anything else changes and leaves it after all has.
 */
static void publish(struct vm *vm, const struct timer_pv_runstate *r)
{
	uint8_t data[MAX_SIZE];
	unsigned size;

	if (r->word == 0)
		return;
	if ((xen_domain(vm)->assists & 1u << VMASST_TYPE_runstate_update_flag) != 0) {
		size = encode(r, r->word, XEN_RUNSTATE_UPDATE, data);
		write_copy(vm, r, data, r->word + (unsigned)sizeof(uint64_t));
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		write_copy(vm, r, data, size);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	size = encode(r, r->word, 0, data);
	write_copy(vm, r, data, size);
}

static void change(struct timer_pv_runstate *r, uint32_t state)
{
	uint64_t now = plat_time_ns();

	r->time[r->state] += now - r->since;
	r->state = state;
	r->since = now;
}

void timer_pv_idle(struct vcpu *v, bool begin)
{
	struct timer_pv_runstate *r = &timer_pv_vcpu(v)->runstate;

	vm_lock(v->vm);
	change(r, begin ? RUNSTATE_blocked : RUNSTATE_running);
	publish(v->vm, r);
	vm_unlock(v->vm);
}

static int64_t get_runstate(struct hypercall *h)
{
	struct xen_vcpu *v = xen_vcpu(xen_caller(h), h->args[1]);
	struct timer_pv_runstate now;
	uint8_t data[MAX_SIZE];
	unsigned size;

	if (v == NULL)
		return -XEN_ENOENT;
	now = timer_pv_vcpu(v->vcpu)->runstate;
	now.time[now.state] += plat_time_ns() - now.since;
	size = encode(&now, h->word, 0, data);
	return xen_write_arg(h, 2, data, size);
}
HYPERCALL(get_runstate) = { __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, get_runstate };

/** Finds the pages of [gva, gva + size). Returns 0 or -XEN_EFAULT. */
static int find_pages(const struct hypercall *h, uint64_t gva, unsigned size, struct timer_pv_runstate *r)
{
	const struct engine *engine = h->vcpu->vm->engine;
	uint64_t left = GUEST_PAGE_SIZE - (gva & ~GUEST_PAGE_MASK);
	uint8_t data[MAX_SIZE];

	r->first_size = left < size ? (unsigned)left : size;
	/* Reading checks that all of it is RAM. */
	if (hypercall_read(h, gva, data, size) != 0 || engine->translate(h->vcpu, gva, &r->gpa[0]) != 0 ||
	    engine->translate(h->vcpu, gva + size - 1, &r->gpa[1]) != 0)
		return -XEN_EFAULT;
	r->gpa[1] &= GUEST_PAGE_MASK;
	return 0;
}

/* The address is virtual; where it is now is where it stays, as far as we care. Address 0 takes the copy back. */
static int64_t register_runstate(struct hypercall *h)
{
	struct xen_vcpu *v = xen_vcpu(xen_caller(h), h->args[1]);
	struct vcpu_register_runstate_memory_area arg;
	struct timer_pv_runstate *r, next;

	if (v == NULL)
		return -XEN_ENOENT;
	if (xen_read_arg(h, 2, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	r = &timer_pv_vcpu(v->vcpu)->runstate;
	next = *r;
	next.word = 0;
	if (arg.addr.p != 0) {
		next.word = h->word;
		if (h->word == sizeof(uint32_t))
			arg.addr.p = (uint32_t)arg.addr.p;
		if (find_pages(h, arg.addr.p, size_of(h->word), &next) != 0)
			return -XEN_EFAULT;
	}
	*r = next;
	publish(h->vcpu->vm, r);
	return 0;
}
HYPERCALL(register_runstate) = { __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, register_runstate };
