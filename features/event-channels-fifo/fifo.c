/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FIFO ABI (Xen's public event_channel.h; "Event Channels ABI", docs/designs of Xen): an event word per port in
 * pages that the guest gives (the event array), linked to a queue per priority; a control block per vCPU has the heads
 * of its queues and says which are not empty. The guest takes from the head, we add at the tail.
 *
 * All of that is the guest's memory and may hold anything. What we rely on, the tails, is kept here; a link that the
 * guest breaks loses its own events.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>

#include "features/event-channels/evtchn.h"

#define WORDS_PER_PAGE  ((unsigned)(GUEST_PAGE_SIZE / sizeof(event_word_t)))
#define MAX_ARRAY_PAGES ((EVTCHN_PORTS + WORDS_PER_PAGE - 1) / WORDS_PER_PAGE)

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)
#define BUSY    (1u << EVTCHN_FIFO_BUSY)

/** Queues of a vCPU. */
struct fifo_vcpu {
	struct evtchn_fifo_control_block *control; /**< in guest memory; NULL: not set up */
	uint32_t tails[EVTCHN_FIFO_MAX_QUEUES];    /**< port linked last, by priority; 0: none */
};

/** State of a domain. */
struct fifo {
	struct fifo_vcpu vcpus[VM_MAX_VCPUS];
	event_word_t *array[MAX_ARRAY_PAGES]; /**< in guest memory */
	unsigned array_pages;
};

static struct fifo *fifo_of(const struct evtchn_domain *e)
{
	return e->fifo;
}

/** Event word of a port, or NULL while the guest has given no page for it. */
static event_word_t *word_of(const struct fifo *f, unsigned port)
{
	unsigned page = port / WORDS_PER_PAGE;

	return page < f->array_pages ? &f->array[page][port % WORDS_PER_PAGE] : NULL;
}

static uint32_t load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

/* Linking. */

/**
 * Tries to link `port` behind the port of `word`, seen with value *seen. Returns 1 if it is, 0 if that port is not linked
 * itself any more, so that its queue is empty, or -1 if the word has changed: *seen is its value then.
 */
static int try_link(event_word_t *word, event_word_t *seen, unsigned port)
{
	event_word_t with_link = (*seen & ~(BUSY | EVTCHN_FIFO_LINK_MASK)) | port;

	if ((*seen & LINKED) == 0)
		return 0;
	return __atomic_compare_exchange_n(word, seen, with_link, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ? 1 : -1;
}

/**
 * Links `port` behind the tail. All that a guest may do to a linked word is to set and clear MASKED, and to clear
 * PENDING and LINKED. BUSY keeps a well-behaved one from clearing MASKED, so that four attempts are enough; another one
 * gets a broken queue. Returns true if the port is linked, false if the queue is empty.
 */
static bool link_to_tail(event_word_t *tail, unsigned port)
{
	event_word_t seen = load(tail);
	int linked = try_link(tail, &seen, port);

	if (linked >= 0)
		return linked != 0;
	seen = __atomic_fetch_or(tail, BUSY, __ATOMIC_SEQ_CST) | BUSY;
	for (unsigned i = 0; i < 4; i++) {
		linked = try_link(tail, &seen, port);
		if (linked > 0)
			return true;
		if (linked == 0)
			break;
	}
	__atomic_fetch_and(tail, ~BUSY, __ATOMIC_SEQ_CST);
	if (linked < 0)
		log_debug("event channel %u: the guest does not let it be linked", port);
	return linked != 0;
}

/** Puts a port at the end of its queue and tells the vCPU if the queue was empty. LINKED has just been set. */
static void enqueue(struct evtchn_domain *e, unsigned port)
{
	struct fifo *f = fifo_of(e);
	struct evtchn *ch = &e->ports[port];
	struct fifo_vcpu *q = &f->vcpus[ch->vcpu];
	uint32_t *old_tail = &f->vcpus[ch->last_vcpu].tails[ch->last_priority];
	uint32_t *tail = &q->tails[ch->priority];
	bool linked = false;

	/*
	 * It was not linked, so the queue where it was the last one is empty: linking to it there would join queues. That
	 * includes its present queue, where it would be linked to itself.
	 */
	if (*old_tail == port)
		*old_tail = 0;
	ch->last_vcpu = ch->vcpu;
	ch->last_priority = ch->priority;
	if (*tail != 0)
		linked = link_to_tail(word_of(f, *tail), port);
	if (!linked)
		__atomic_store_n(&q->control->head[ch->priority], port, __ATOMIC_SEQ_CST);
	*tail = port;
	if (!linked &&
	    (__atomic_fetch_or(&q->control->ready, 1u << ch->priority, __ATOMIC_SEQ_CST) & 1u << ch->priority) == 0)
		xen_upcall(&e->xen->vcpus[ch->vcpu]);
}

/* The ABI. */

static bool set_pending(struct evtchn_domain *e, unsigned port)
{
	const struct fifo *f = fifo_of(e);
	event_word_t *word = word_of(f, port), before;

	if (word == NULL) {
		e->ports[port].pending = true;
		return false;
	}
	before = __atomic_fetch_or(word, PENDING, __ATOMIC_SEQ_CST);
	/* Without a control block the guest must not unmask: the event is dropped then, but for PENDING. */
	if ((load(word) & (MASKED | LINKED)) == 0 && f->vcpus[e->ports[port].vcpu].control != NULL &&
	    (__atomic_fetch_or(word, LINKED, __ATOMIC_SEQ_CST) & LINKED) == 0)
		enqueue(e, port);
	return (before & PENDING) == 0;
}

/* It stays linked; the guest takes it from the queue and sees that there is nothing. */
static void clear_pending(struct evtchn_domain *e, unsigned port)
{
	event_word_t *word = word_of(fifo_of(e), port);

	if (word != NULL)
		__atomic_fetch_and(word, ~PENDING, __ATOMIC_SEQ_CST);
}

static void unmask(struct evtchn_domain *e, unsigned port)
{
	event_word_t *word = word_of(fifo_of(e), port);

	if (word == NULL)
		return;
	__atomic_fetch_and(word, ~MASKED, __ATOMIC_SEQ_CST);
	if ((load(word) & PENDING) != 0)
		set_pending(e, port);
}

static bool is_pending(struct evtchn_domain *e, unsigned port)
{
	const event_word_t *word = word_of(fifo_of(e), port);

	return word != NULL && (load(word) & PENDING) != 0;
}

static const struct evtchn_abi fifo_abi = {
	.name = "FIFO",
	.set_pending = set_pending,
	.clear_pending = clear_pending,
	.unmask = unmask,
	.is_pending = is_pending,
	.has_priorities = true,
};

/* Setting up. */

/** Forgets what an earlier use left, when the domain starts with this ABI. */
static void start(struct evtchn_domain *e)
{
	memset(e->fifo, 0, sizeof(struct fifo));
	for (unsigned port = 0; port < EVTCHN_PORTS; port++) {
		e->ports[port].last_vcpu = 0;
		e->ports[port].last_priority = 0;
	}
	evtchn_set_abi(e, &fifo_abi);
}

static int64_t init_control(struct hypercall *h)
{
	struct evtchn_domain *e = evtchn_domain(h->vcpu->vm);
	struct evtchn_init_control arg;
	struct evtchn_fifo_control_block *control;

	if (xen_read_arg(h, 1, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	if (xen_vcpu(e->xen, arg.vcpu) == NULL)
		return -XEN_ENOENT;
	if (arg.offset > GUEST_PAGE_SIZE - sizeof(*control) || arg.offset % sizeof(uint64_t) != 0)
		return -XEN_EINVAL;
	control = xen_guest_page(e->xen, arg.control_gfn, arg.offset, sizeof(*control));
	if (control == NULL || (e->abi == &fifo_abi && fifo_of(e)->vcpus[arg.vcpu].control != NULL))
		return -XEN_EINVAL;
	arg.link_bits = EVTCHN_FIFO_LINK_BITS;
	if (xen_write_arg(h, 1, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	if (e->abi != &fifo_abi)
		start(e);
	fifo_of(e)->vcpus[arg.vcpu].control = control;
	return 0;
}
HYPERCALL(evtchn_init_control) = { __HYPERVISOR_event_channel_op, EVTCHNOP_init_control, init_control };

static int64_t expand_array(struct hypercall *h)
{
	struct evtchn_domain *e = evtchn_domain(h->vcpu->vm);
	struct fifo *f = fifo_of(e);
	struct evtchn_expand_array arg;
	event_word_t *page;
	unsigned first;

	if (xen_read_arg(h, 1, &arg, sizeof(arg)) != 0)
		return -XEN_EFAULT;
	if (e->abi != &fifo_abi)
		return -XEN_EOPNOTSUPP;
	if (f->array_pages == MAX_ARRAY_PAGES)
		return -XEN_ENOSPC;
	page = xen_guest_page(e->xen, arg.array_gfn, 0, GUEST_PAGE_SIZE);
	if (page == NULL)
		return -XEN_EINVAL;
	first = f->array_pages * WORDS_PER_PAGE;
	f->array[f->array_pages++] = page;
	evtchn_flush_pending(e, first, first + WORDS_PER_PAGE - 1);
	return 0;
}
HYPERCALL(evtchn_expand_array) = { __HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, expand_array };

static int attach(struct vm *vm)
{
	struct evtchn_domain *e = evtchn_domain(vm);

	e->fifo = plat_pages_alloc(sizeof(struct fifo), GUEST_PAGE_SIZE);
	if (e->fifo != NULL)
		return 0;
	log_error("the host has no memory for event channels");
	return -ENOMEM;
}

HUSK_FEATURE(event_channels_fifo) = {
	.name = "event-channels-fifo",
	.purpose = "FIFO ABI of event channels: queues with priorities in guest memory",
	.level = FEATURE_DEVICE,
	.attach = attach,
};
