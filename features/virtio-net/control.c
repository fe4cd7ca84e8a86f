/* SPDX-License-Identifier: BSD-2-Clause */
/* The control queue (virtio 1.2, 5.1.6.5): commands with their answer. */
#include <errno.h>
#include <string.h>

#include "features/virtio-net/virtio_net.h"

/** A command: its data follow. */
struct command {
	struct virtio_net_ctrl_hdr head;
	struct io_vector *data;
	unsigned nr_data;
};

/** Takes `size` bytes of data. Returns 0, or -EINVAL if there are fewer. */
static int take(struct command *c, void *buf, size_t size)
{
	return virtio_take_front(&c->data, &c->nr_data, buf, size) == size ? 0 : -EINVAL;
}

/* Receive mode (5.1.6.5.1): one byte that switches something on or off. */
static int set_mode(struct virtio_net *card, struct command *c)
{
	bool *const modes[] = {
		[VIRTIO_NET_CTRL_RX_PROMISC] = &card->filter.everything,
		[VIRTIO_NET_CTRL_RX_ALLMULTI] = &card->filter.all_multicast,
		[VIRTIO_NET_CTRL_RX_ALLUNI] = &card->filter.all_unicast,
		[VIRTIO_NET_CTRL_RX_NOMULTI] = &card->filter.no_multicast,
		[VIRTIO_NET_CTRL_RX_NOUNI] = &card->filter.no_unicast,
		[VIRTIO_NET_CTRL_RX_NOBCAST] = &card->filter.no_broadcast,
	};
	unsigned feature =
		c->head.cmd <= VIRTIO_NET_CTRL_RX_ALLMULTI ? VIRTIO_NET_F_CTRL_RX : VIRTIO_NET_F_CTRL_RX_EXTRA;
	uint8_t on;

	if (c->head.cmd >= sizeof(modes) / sizeof(modes[0]) || !virtio_has(&card->virtio, feature) ||
	    take(c, &on, sizeof(on)) != 0)
		return -EINVAL;
	*modes[c->head.cmd] = on != 0;
	return 0;
}

/* Lists of addresses and the own one (5.1.6.5.2). */

static int take_list(struct command *c, struct net_filter_list *list)
{
	uint8_t address[MAC_SIZE];
	__virtio32 entries;

	if (take(c, &entries, sizeof(entries)) != 0)
		return -EINVAL;
	for (uint32_t i = 0; i < entries; i++) {
		if (take(c, address, sizeof(address)) != 0)
			return -EINVAL;
		if (list->count < NET_FILTER_MAX)
			memcpy(list->address[list->count++], address, MAC_SIZE);
		else
			list->overflow = true;
	}
	return 0;
}

static int set_lists(struct virtio_net *card, struct command *c)
{
	struct net_filter_list unicast = { 0 }, multicast = { 0 };

	if (!virtio_has(&card->virtio, VIRTIO_NET_F_CTRL_RX) || take_list(c, &unicast) != 0 ||
	    take_list(c, &multicast) != 0)
		return -EINVAL;
	card->filter.unicast = unicast;
	card->filter.multicast = multicast;
	return 0;
}

static int set_address(struct virtio_net *card, struct command *c)
{
	uint8_t address[MAC_SIZE];

	if (!virtio_has(&card->virtio, VIRTIO_NET_F_CTRL_MAC_ADDR) || take(c, address, sizeof(address)) != 0)
		return -EINVAL;
	memcpy(card->filter.own, address, MAC_SIZE);
	memcpy(card->config.mac, address, MAC_SIZE);
	return 0;
}

static int set_addresses(struct virtio_net *card, struct command *c)
{
	switch (c->head.cmd) {
	case VIRTIO_NET_CTRL_MAC_TABLE_SET: return set_lists(card, c);
	case VIRTIO_NET_CTRL_MAC_ADDR_SET: return set_address(card, c);
	default: return -EINVAL;
	}
}

/* Pairs of queues (5.1.6.5.6). */
static int set_pairs(struct virtio_net *card, struct command *c)
{
	__virtio16 pairs;

	if (c->head.cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || !virtio_has(&card->virtio, VIRTIO_NET_F_MQ) ||
	    take(c, &pairs, sizeof(pairs)) != 0 || pairs == 0 || pairs > card->nr_pairs)
		return -EINVAL;
	virtio_net_set_pairs(card, pairs);
	return 0;
}

static int run(struct virtio_net *card, struct command *c)
{
	if (take(c, &c->head, sizeof(c->head)) != 0)
		return -EINVAL;
	switch (c->head.class) {
	case VIRTIO_NET_CTRL_RX: return set_mode(card, c);
	case VIRTIO_NET_CTRL_MAC: return set_addresses(card, c);
	case VIRTIO_NET_CTRL_MQ: return set_pairs(card, c);
	default: return -EINVAL;
	}
}

void virtio_net_control(struct virtio_net *card)
{
	struct virtqueue *q = &card->queues[virtio_net_control_queue(card)];
	struct io_vector vectors[VIRTIO_NET_SEGMENTS];
	struct virtio_chain chain = { .vectors = vectors, .room = VIRTIO_NET_SEGMENTS };

	virtqueue_ignore(q);
	while (virtqueue_next(q, &chain) > 0) {
		const struct io_vector *in = vectors + chain.nr_out;
		struct command c = { .data = vectors, .nr_data = chain.nr_out };
		uint8_t answer;

		if (chain.nr_in == 0) {
			virtio_fail(&card->virtio, virtio_net_control_queue(card),
				    "a command has no place for its answer");
			break;
		}
		answer = run(card, &c) == 0 ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
		io_vectors_write(in, chain.nr_in, 0, &answer, sizeof(answer));
		virtio_announce(&card->virtio, in, 1);
		virtqueue_give(q, chain.head, sizeof(answer));
	}
	virtqueue_flush(q);
}
