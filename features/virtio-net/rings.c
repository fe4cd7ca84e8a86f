/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings that a back end works on by itself (struct net_ring_ops): lending them, and taking them back. */
#include "features/virtio-net/virtio_net.h"

#include <linux/virtio_config.h>

/* What the driver has agreed on and the side that works on the rings has to know. */
#define RING_FEATURES                                                                       \
	(VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF))

static const unsigned queue_of[NET_RINGS] = {
	[NET_RING_RECEIVE] = VIRTIO_NET_RECEIVE(0),
	[NET_RING_TRANSMIT] = VIRTIO_NET_TRANSMIT(0),
};

/** Goes on with the queues where the back end has stopped: all that it took is used, and shown to the driver. */
static void resume(struct virtio_net *card, const struct net_ring rings[NET_RINGS])
{
	for (unsigned i = 0; i < NET_RINGS; i++) {
		struct virtqueue *q = &card->queues[queue_of[i]];

		q->next_avail = q->next_used = q->published = rings[i].next;
	}
}

void virtio_net_lend(struct virtio_net *card)
{
	struct net_ring rings[NET_RINGS];
	bool moved;

	if (card->net->rings == NULL)
		return;
	for (unsigned i = 0; i < NET_RINGS; i++) {
		const struct virtqueue *q = &card->queues[queue_of[i]];

		if (!q->ready)
			return;
		rings[i] = (struct net_ring){ .descriptors = q->descriptors,
					      .avail = q->avail,
					      .used = q->used,
					      .size = q->size,
					      .next = q->next_avail };
	}
	card->lent = card->net->rings->take(card->net, card->virtio.driver_features & RING_FEATURES, rings) == 0;
	if (card->lent)
		return;
	moved = rings[NET_RING_RECEIVE].next != card->pairs[0].receive->next_avail ||
		rings[NET_RING_TRANSMIT].next != card->pairs[0].transmit->next_avail;
	resume(card, rings);
	if (moved)
		virtio_interrupt(&card->virtio, VIRTIO_INTERRUPT_QUEUE);
}

void virtio_net_take_back(struct virtio_net *card)
{
	struct net_ring rings[NET_RINGS];

	if (!card->lent)
		return;
	card->lent = false;
	card->returned = true;
	card->net->rings->give_back(card->net, rings);
	resume(card, rings);
}

bool virtio_net_poll_lent(struct virtio_net *card)
{
	if (card->lent) {
		if (card->net->rings->called(card->net))
			virtio_interrupt(&card->virtio, VIRTIO_INTERRUPT_QUEUE);
		return true;
	}
	if (card->returned) {
		card->returned = false;
		/* An interrupt too many does no harm, and nobody else would look for what was to be sent. */
		virtio_interrupt(&card->virtio, VIRTIO_INTERRUPT_QUEUE);
		virtio_net_transmit(card, &card->pairs[0]);
	}
	return false;
}
