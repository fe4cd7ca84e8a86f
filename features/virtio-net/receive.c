/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames to the guest (virtio 1.2, 5.1.6.3 and 5.1.6.4). A back end puts a frame right into the driver's buffers, as
 * many as the largest frame may need; those that it did not need serve the next.
 */
#include <errno.h>
#include <string.h>

#include "features/virtio-net/virtio_net.h"

static bool is_mergeable(const struct virtio_net *card)
{
	return virtio_has(&card->virtio, VIRTIO_NET_F_MRG_RXBUF);
}

/** Bytes of buffers that the largest frame needs. */
static uint64_t wanted(const struct virtio_net *card)
{
	bool large = virtio_has(&card->virtio, VIRTIO_NET_F_GUEST_TSO4) ||
		     virtio_has(&card->virtio, VIRTIO_NET_F_GUEST_TSO6);

	return sizeof(struct net_header) + (large ? NET_LARGE_MAX : NET_FRAME_MAX);
}

/* The stock. */

/** Takes one more buffer of the driver; false if there is none. */
static bool add_buffer(struct virtio_net *card, struct virtio_net_pair *pair)
{
	struct virtio_net_stock *s = &pair->stock;
	struct virtio_chain chain = { .vectors = s->vectors + s->nr_vectors, .room = VIRTIO_NET_SEGMENTS };
	uint64_t size;

	if (virtqueue_next(pair->receive, &chain) <= 0)
		return false;
	size = io_vectors_size(chain.vectors, chain.nr_in);
	/* Room for the header in each, so that a frame finds it wherever it begins (5.1.6.3.1). */
	if (chain.nr_out != 0 || size < sizeof(struct net_header)) {
		virtio_fail(&card->virtio, (unsigned)(pair->receive - card->queues),
			    "a buffer has no room for a header, or is to be read");
		return false;
	}
	s->buffers[s->nr_buffers++] =
		(struct virtio_net_buffer){ .head = chain.head, .nr_vectors = (uint16_t)chain.nr_in, .size = size };
	s->nr_vectors += chain.nr_in;
	s->size += size;
	return true;
}

/**
 * Fills the stock. False: it is not enough for a frame, and the driver tells when it has more. If all of its buffers
 * together are not, frames have to do with those.
 */
static bool fill_stock(struct virtio_net *card, struct virtio_net_pair *pair)
{
	struct virtio_net_stock *s = &pair->stock;
	uint64_t want = wanted(card);

	if (!is_mergeable(card))
		return s->nr_buffers != 0 || add_buffer(card, pair);
	while (s->size < want && s->nr_vectors + VIRTIO_NET_SEGMENTS <= VIRTIO_NET_VECTORS) {
		if (!add_buffer(card, pair))
			return s->nr_buffers == pair->receive->size;
	}
	return true;
}

/** Takes the oldest buffers out of the stock. */
static void remove_buffers(struct virtio_net_stock *s, unsigned nr_buffers)
{
	unsigned nr_vectors = 0;

	for (unsigned i = 0; i < nr_buffers; i++) {
		nr_vectors += s->buffers[i].nr_vectors;
		s->size -= s->buffers[i].size;
	}
	s->nr_buffers -= nr_buffers;
	s->nr_vectors -= nr_vectors;
	memmove(s->buffers, s->buffers + nr_buffers, s->nr_buffers * sizeof(s->buffers[0]));
	memmove(s->vectors, s->vectors + nr_vectors, s->nr_vectors * sizeof(s->vectors[0]));
}

/* Frames. */

/** Gives the driver a frame of `size` bytes, which lies in the oldest buffers behind the header's place. */
static void deliver(struct virtio_net *card, struct virtio_net_pair *pair, struct net_header *h, uint64_t size)
{
	struct virtio_net_stock *s = &pair->stock;
	unsigned nr_buffers = 0, nr_vectors = 0;
	uint64_t left = size + sizeof(*h);

	while (left != 0) {
		const struct virtio_net_buffer *b = &s->buffers[nr_buffers++];
		uint64_t n = left < b->size ? left : b->size;

		virtqueue_give(pair->receive, b->head, (uint32_t)n);
		nr_vectors += b->nr_vectors;
		left -= n;
	}
	h->num_buffers = (uint16_t)nr_buffers;
	io_vectors_write(s->vectors, s->buffers[0].nr_vectors, 0, h, sizeof(*h));
	virtio_announce(&card->virtio, s->vectors, nr_vectors);
	remove_buffers(s, nr_buffers);
	card->received++;
}

/** The vectors of the stock that a frame may use, behind the header's place. Returns how many. */
static unsigned frame_vectors(const struct virtio_net *card, const struct virtio_net_stock *s, struct io_vector *frame)
{
	unsigned nr = is_mergeable(card) ? s->nr_vectors : s->buffers[0].nr_vectors, all = nr;
	struct io_vector *v = frame;
	struct net_header place;

	memcpy(frame, s->vectors, nr * sizeof(frame[0]));
	virtio_take_front(&v, &nr, &place, sizeof(place));
	memmove(frame, frame + (all - nr), nr * sizeof(frame[0]));
	return nr;
}

/** True if the driver wants the frame that has arrived; size: as net_receive() says. Counts it if not. */
static bool is_wanted(struct virtio_net *card, const struct io_vector *frame, unsigned nr, int size)
{
	uint8_t destination[MAC_SIZE] = { 0 };
	bool accepted;

	if (size < 0) {
		card->dropped++;
		return false;
	}
	io_vectors_read(frame, nr, 0, destination, sizeof(destination));
	accepted = net_filter_accepts(&card->filter, destination);
	card->filtered += !accepted;
	return accepted;
}

/** One pair: frames go right into its buffers. */
static void receive_directly(struct virtio_net *card, struct virtio_net_pair *pair)
{
	struct io_vector frame[VIRTIO_NET_VECTORS];
	struct net_header h;

	virtqueue_ignore(pair->receive);
	while (virtio_is_running(&card->virtio) && fill_stock(card, pair)) {
		unsigned nr = frame_vectors(card, &pair->stock, frame);
		int size = net_receive(card->net, &h, frame, nr);

		if (size == -EAGAIN)
			break;
		if (is_wanted(card, frame, nr, size))
			deliver(card, pair, &h, (uint64_t)size);
	}
	virtqueue_flush(pair->receive);
}

/* Several pairs: a frame's flow has to be known before its buffers are. */

static bool holds_frame(const struct virtio_net *card)
{
	return card->arrived != NULL && card->arrived->held;
}

static void steer(struct virtio_net *card)
{
	struct virtio_net_arrived *a = card->arrived;
	const struct io_vector v = { a->bytes, a->size };

	a->pair = net_steered(&card->steering, net_flow(&v, 1), card->active);
}

/** Has a frame that the driver wants; false if none has arrived. */
static bool take_arrived(struct virtio_net *card)
{
	struct virtio_net_arrived *a = card->arrived;
	const struct io_vector v = { a->bytes, sizeof(a->bytes) };

	while (!a->held) {
		int size = net_receive(card->net, &a->header, &v, 1);

		if (size == -EAGAIN)
			return false;
		a->held = is_wanted(card, &v, 1, size);
		a->size = (uint32_t)size;
		if (a->held)
			steer(card);
	}
	return true;
}

/** Copies the frame to where its pair has room; false: that has to wait. */
static bool pass_on(struct virtio_net *card, struct virtio_net_arrived *a)
{
	struct virtio_net_pair *pair = &card->pairs[a->pair];
	struct io_vector frame[VIRTIO_NET_VECTORS];
	unsigned nr;

	virtqueue_ignore(pair->receive);
	if (!fill_stock(card, pair))
		return false;
	a->held = false;
	nr = frame_vectors(card, &pair->stock, frame);
	if (io_vectors_write(frame, nr, 0, a->bytes, a->size) == a->size)
		deliver(card, pair, &a->header, a->size);
	else
		card->dropped++;
	return true;
}

static void receive_steered(struct virtio_net *card)
{
	while (virtio_is_running(&card->virtio) && take_arrived(card) && pass_on(card, card->arrived))
		continue;
	for (unsigned n = 0; n < card->nr_pairs; n++)
		virtqueue_flush(card->pairs[n].receive);
}

void virtio_net_set_pairs(struct virtio_net *card, unsigned pairs)
{
	card->active = pairs;
	card->steering = (struct net_steering){ 0 };
	if (!holds_frame(card))
		return;
	/* Its old pair may have no one who looks after it. */
	steer(card);
	virtio_net_receive(card);
}

void virtio_net_receive(struct virtio_net *card)
{
	if (card->active > 1 || holds_frame(card))
		receive_steered(card);
	else
		receive_directly(card, &card->pairs[0]);
}
