/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between vCPUs. The state of an APIC belongs to its vCPU's CPU; others leave messages here and kick the vCPU,
 * which takes them before it enters guest code again. Of vectors the CPU itself can be told, if it takes them while the
 * guest runs. Sections are of the Intel SDM, volume 3A.
 */
#include <errno.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/platform.h>
#include <husk/vm.h>

#include "arch/x86_64/hvm/hvm.h"
#include "arch/x86_64/hvm/posted.h"
#include "arch/x86_64/hvm/smp/smp.h"
#include "features/local-apic/local_apic.h"

/* posted_messages: the vector of the last start-up message in the low byte. */
#define POSTED_START_UP (1u << 8)
#define POSTED_INIT     (1u << 9)
#define POSTED_NMI      (1u << 10)

static bool is_own(const struct local_apic *a)
{
	return smp_is_own(&a->cpu->vcpu);
}

static void kick(struct local_apic *a)
{
	vcpu_kick(&a->cpu->vcpu, ATTN_IRQ);
}

/* --- leaving them */

/* The end of a level-triggered interrupt exits, which has to be arranged for before it is delivered. */
static void post_level(struct local_apic *a, uint8_t vector)
{
	__atomic_fetch_or(&a->posted_level[vector / 32], 1u << vector % 32, __ATOMIC_SEQ_CST);
	kick(a);
}

static void post_edge(struct local_apic *a, uint8_t vector)
{
	struct x86_posted *p = a->cpu->posted;
	uint32_t entered;

	if (!x86_post(p, vector))
		return;
	entered = x86_posted_entered(p);
	if (entered != 0)
		a->cpu->hvm->notify(entered - 1);
	else
		kick(a);
}

static void post_vector(struct local_apic *a, uint8_t vector, bool level)
{
	/* Vectors below 16 are errors (10.5.2), which is not for the CPU to see. */
	if (level || vector < 16)
		post_level(a, vector);
	else
		post_edge(a, vector);
}

void local_apic_raise(struct local_apic *a, uint8_t vector, bool level)
{
	if (is_own(a))
		local_apic_raise_own(a, vector, level);
	else
		post_vector(a, vector, level);
}

/* A start-up message counts for a vCPU that waits for it, of which the last one before it looks is as good as any. */
static void post_start_up(struct local_apic *a, uint8_t vector)
{
	uint32_t before = __atomic_load_n(&a->posted_messages, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(&a->posted_messages, &before, (before & ~0xffu) | POSTED_START_UP | vector,
					    false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		continue;
	kick(a);
}

/* An INIT makes messages from before it void. */
static void post_init(struct local_apic *a)
{
	__atomic_store_n(&a->posted_messages, POSTED_INIT, __ATOMIC_SEQ_CST);
	kick(a);
}

static void post_nmi(struct local_apic *a)
{
	__atomic_fetch_or(&a->posted_messages, POSTED_NMI, __ATOMIC_SEQ_CST);
	kick(a);
}

void local_apic_receive(struct local_apic *a, const struct local_apic_message *m)
{
	switch (m->delivery) {
	case LOCAL_APIC_FIXED:
	case LOCAL_APIC_LOWEST:
		if (is_own(a))
			local_apic_receive_own(a, m);
		else
			post_vector(a, m->vector, m->level);
		break;
	case LOCAL_APIC_NMI: post_nmi(a); break;
	case LOCAL_APIC_INIT: post_init(a); break;
	case LOCAL_APIC_START_UP: post_start_up(a, m->vector); break;
	default: local_apic_receive_own(a, m); break;
	}
}

/* --- taking them */

static void raise(struct local_apic *a, const uint32_t vectors[8], bool level)
{
	for (unsigned i = 0; i < 8; i++) {
		for (uint32_t bits = vectors[i]; bits != 0; bits &= bits - 1)
			local_apic_raise_own(a, (uint8_t)(32 * i + (unsigned)__builtin_ctz(bits)), level);
	}
}

static void take_level(struct local_apic *a, uint32_t bits[8])
{
	for (unsigned i = 0; i < 8; i++) {
		bits[i] = __atomic_load_n(&a->posted_level[i], __ATOMIC_RELAXED);
		if (bits[i] != 0)
			bits[i] = __atomic_exchange_n(&a->posted_level[i], 0, __ATOMIC_SEQ_CST);
	}
}

static void take_vectors(struct local_apic *a)
{
	uint32_t bits[8];

	if (x86_take_posted(a->cpu->posted, bits))
		raise(a, bits, false);
	take_level(a, bits);
	raise(a, bits, true);
}

static void forget(struct local_apic *a)
{
	uint32_t bits[8];

	x86_take_posted(a->cpu->posted, bits);
	take_level(a, bits);
}

/* 8.4.2: INIT makes a CPU wait for a start-up message, which one that does not wait ignores. */
static void take_messages(struct local_apic *a)
{
	uint32_t messages = __atomic_exchange_n(&a->posted_messages, 0, __ATOMIC_SEQ_CST);

	if ((messages & POSTED_INIT) != 0) {
		forget(a);
		x86_smp_init(a->cpu);
	}
	if ((messages & POSTED_START_UP) != 0)
		x86_smp_start_up(a->cpu, (uint8_t)messages);
	if ((messages & POSTED_NMI) != 0)
		local_apic_receive_own(a, &(struct local_apic_message){ .delivery = LOCAL_APIC_NMI });
}

static void take(struct x86_extension *x, struct x86_cpu *c)
{
	struct local_apic *a = (struct local_apic *)x;

	(void)c;
	if (__atomic_load_n(&a->posted_messages, __ATOMIC_RELAXED) != 0)
		take_messages(a);
	take_vectors(a);
}

static void reset(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct local_apic *a = local_apic_of(vm->vcpus[i]);

		__atomic_store_n(&a->posted_messages, 0, __ATOMIC_SEQ_CST);
		forget(a);
	}
}

/* Behind the APICs themselves, which are of the level before. */
static int attach(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct local_apic *a = local_apic_of(vm->vcpus[i]);

		/* A page each: what the CPU writes shares no cache line with anything else. */
		a->cpu->posted = plat_pages_alloc(sizeof(*a->cpu->posted), GUEST_PAGE_SIZE);
		if (a->cpu->posted == NULL)
			return -ENOMEM;
		a->extension.take = take;
	}
	return 0;
}

HUSK_FEATURE(local_apic_smp) = {
	.name = "local-apic-smp",
	.purpose = "messages between local APICs of several vCPUs",
	.level = FEATURE_TIMER,
	.attach = attach,
	.reset = reset,
};
