/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames from the guest (virtio 1.2, 5.1.6.2). */
#include <errno.h>

#include "features/virtio-net/virtio_net.h"

/** True if the driver has agreed with the device on what the header asks for. */
static bool is_agreed(const struct virtio_net *card, const struct net_header *h)
{
	const struct virtio_device *d = &card->virtio;

	if ((h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0 && !virtio_has(d, VIRTIO_NET_F_CSUM))
		return false;
	if ((h->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0 && !virtio_has(d, VIRTIO_NET_F_HOST_ECN))
		return false;
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE: return true;
	case VIRTIO_NET_HDR_GSO_TCPV4: return virtio_has(d, VIRTIO_NET_F_HOST_TSO4);
	case VIRTIO_NET_HDR_GSO_TCPV6: return virtio_has(d, VIRTIO_NET_F_HOST_TSO6);
	default: return false;
	}
}

/** Takes the next frame apart. Returns as virtqueue_next(). */
static int take_frame(struct virtio_net *card, struct virtio_net_pair *pair)
{
	struct virtio_net_outgoing *o = &pair->outgoing;
	int rc;

	o->chain.vectors = o->vectors;
	o->chain.room = VIRTIO_NET_SEGMENTS;
	rc = virtqueue_next(pair->transmit, &o->chain);
	if (rc <= 0)
		return rc;
	o->frame = o->vectors;
	o->nr_frame = o->chain.nr_out;
	if (virtio_take_front(&o->frame, &o->nr_frame, &o->header, sizeof(o->header)) != sizeof(o->header))
		return virtio_fail(&card->virtio, (unsigned)(pair->transmit - card->queues), "a frame has no header");
	/* What only has a meaning for frames to the driver. */
	o->header.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	o->header.num_buffers = 0;
	return 1;
}

/** Sends the frame that was taken, or drops it; -EAGAIN: not yet. */
static int send_frame(struct virtio_net *card, struct virtio_net_pair *pair)
{
	struct virtio_net_outgoing *o = &pair->outgoing;
	int rc = -EINVAL;

	if (is_agreed(card, &o->header))
		rc = net_transmit(card->net, &o->header, o->frame, o->nr_frame);
	o->held = rc == -EAGAIN;
	if (o->held)
		return rc;
	card->sent += rc == 0;
	card->dropped += rc != 0;
	if (card->active > 1)
		net_steer(&card->steering, net_flow(o->frame, o->nr_frame), (unsigned)(pair - card->pairs));
	virtqueue_give(pair->transmit, o->chain.head, 0);
	return 0;
}

void virtio_net_transmit(struct virtio_net *card, struct virtio_net_pair *pair)
{
	virtqueue_ignore(pair->transmit);
	while (pair->outgoing.held || take_frame(card, pair) > 0) {
		if (send_frame(card, pair) != 0)
			break;
	}
	net_commit(card->net);
	virtqueue_flush(pair->transmit);
}
