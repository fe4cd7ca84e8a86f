/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 2-level ABI (Xen's public xen.h, struct shared_info): a bit per port in evtchn_pending, one in evtchn_mask, and in
 * each vCPU's evtchn_pending_sel a bit for each word of evtchn_pending. Words are the guest's; its byte order is ours,
 * so that bits may be worked on in units of 32.
 */
#include <husk/feature.h>

#include "features/event-channels/evtchn.h"
#include "features/xen-abi/layout.h"

/** A bit in memory shared with the guest. */
struct bit {
	uint32_t *word;
	uint32_t mask;
};

static struct bit bit_at(uint8_t *bitmap, unsigned n)
{
	return (struct bit){ (uint32_t *)bitmap + n / 32, 1u << n % 32 };
}

static bool test(struct bit b)
{
	return (__atomic_load_n(b.word, __ATOMIC_SEQ_CST) & b.mask) != 0;
}

static bool test_and_set(struct bit b)
{
	return (__atomic_fetch_or(b.word, b.mask, __ATOMIC_SEQ_CST) & b.mask) != 0;
}

static bool test_and_clear(struct bit b)
{
	return (__atomic_fetch_and(b.word, ~b.mask, __ATOMIC_SEQ_CST) & b.mask) != 0;
}

static struct bit pending_bit(const struct evtchn_domain *e, unsigned port)
{
	return bit_at(e->xen->shared + xen_pending_offset(), port);
}

static struct bit mask_bit(const struct evtchn_domain *e, unsigned port)
{
	return bit_at(e->xen->shared + xen_mask_offset(e->xen->word), port);
}

/** Tells the port's vCPU in which word of evtchn_pending to look, unless it knows already. */
static void select(struct evtchn_domain *e, unsigned port)
{
	struct xen_vcpu *v = evtchn_vcpu(e, port);
	unsigned word = e->xen->word;

	/* The selector is the second word of struct vcpu_info. */
	if (!test_and_set(bit_at((uint8_t *)v->info + word, port / xen_word_bits(word))))
		xen_upcall(v);
}

static bool set_pending(struct evtchn_domain *e, unsigned port)
{
	if (test_and_set(pending_bit(e, port)))
		return false;
	if (!test(mask_bit(e, port)))
		select(e, port);
	return true;
}

static void clear_pending(struct evtchn_domain *e, unsigned port)
{
	test_and_clear(pending_bit(e, port));
}

static void unmask(struct evtchn_domain *e, unsigned port)
{
	if (test_and_clear(mask_bit(e, port)) && test(pending_bit(e, port)))
		select(e, port);
}

static bool is_pending(struct evtchn_domain *e, unsigned port)
{
	return test(pending_bit(e, port));
}

static const struct evtchn_abi two_level = {
	.name = "2-level",
	.set_pending = set_pending,
	.clear_pending = clear_pending,
	.unmask = unmask,
	.is_pending = is_pending,
};

static int attach(struct vm *vm)
{
	evtchn_domain(vm)->initial_abi = &two_level;
	return 0;
}

/* Attached before the first reset of event channels, which starts with this ABI. */
HUSK_FEATURE(event_channels_2l) = {
	.name = "event-channels-2l",
	.purpose = "2-level ABI of event channels: bitmaps in the shared page",
	.level = FEATURE_DEVICE,
	.attach = attach,
};
