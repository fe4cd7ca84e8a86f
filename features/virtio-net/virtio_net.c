/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio network card: features, configuration, events. Sections are those of virtio 1.2. */
#include "features/virtio-net/virtio_net.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <husk/log.h>
#include <husk/platform.h>

#include <linux/virtio_ids.h>

static struct virtio_net *card_of(struct virtio_device *d)
{
	return (struct virtio_net *)d;
}

/* Offloads: those of the network, and the features by which the driver asks for them (5.1.3). */

static const struct {
	uint32_t offload; /**< enum net_offload */
	unsigned transmit, receive;
} offloads[] = {
	{ NET_CHECKSUM, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM },
	{ NET_TSO4, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_GUEST_TSO4 },
	{ NET_TSO6, VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_GUEST_TSO6 },
	{ NET_ECN, VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_GUEST_ECN },
};

#define NR_OFFLOADS (sizeof(offloads) / sizeof(offloads[0]))

static uint64_t features_of(const struct net *net, unsigned pairs)
{
	uint64_t features = (pairs > 1 ? VIRTIO_FEATURE(VIRTIO_NET_F_MQ) : 0) | VIRTIO_FEATURE(VIRTIO_NET_F_MAC) |
			    VIRTIO_FEATURE(VIRTIO_NET_F_STATUS) | VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) |
			    VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX) |
			    VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX_EXTRA) |
			    (net->has_mac ? 0 : VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR));

	for (unsigned i = 0; i < NR_OFFLOADS; i++) {
		if ((net->transmit_offload & offloads[i].offload) != 0)
			features |= VIRTIO_FEATURE(offloads[i].transmit);
		if ((net->receive_offload & offloads[i].offload) != 0)
			features |= VIRTIO_FEATURE(offloads[i].receive);
	}
	return features;
}

static uint32_t receive_offload(const struct virtio_net *card)
{
	uint32_t offload = 0;

	for (unsigned i = 0; i < NR_OFFLOADS; i++) {
		if (virtio_has(&card->virtio, offloads[i].receive))
			offload |= offloads[i].offload;
	}
	return offload;
}

/** True if a feature of the set needs another that is not in it (5.1.3.1). */
static bool net_accept(struct virtio_device *d, uint64_t f)
{
	static const struct {
		unsigned feature, needs;
	} rules[] = {
		{ VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_CSUM },
		{ VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_CSUM },
		{ VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_CSUM },
		{ VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_CSUM },
		{ VIRTIO_NET_F_CTRL_RX, VIRTIO_NET_F_CTRL_VQ },
		{ VIRTIO_NET_F_CTRL_RX_EXTRA, VIRTIO_NET_F_CTRL_VQ },
		{ VIRTIO_NET_F_CTRL_MAC_ADDR, VIRTIO_NET_F_CTRL_VQ },
		{ VIRTIO_NET_F_MQ, VIRTIO_NET_F_CTRL_VQ },
	};
	uint64_t guest_tso = VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6);
	uint64_t host_tso = VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO6);

	(void)d;
	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if ((f & VIRTIO_FEATURE(rules[i].feature)) != 0 && (f & VIRTIO_FEATURE(rules[i].needs)) == 0)
			return false;
	}
	return ((f & VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN)) == 0 || (f & guest_tso) != 0) &&
	       ((f & VIRTIO_FEATURE(VIRTIO_NET_F_HOST_ECN)) == 0 || (f & host_tso) != 0);
}

/* Events. */

static void look_at_link(struct virtio_net *card)
{
	uint16_t status = card->net->link ? VIRTIO_NET_S_LINK_UP : 0;

	if (card->config.status == status)
		return;
	card->config.status = status;
	virtio_config_changed(&card->virtio);
}

static void net_poll(struct io_client *io)
{
	struct virtio_net *card = (struct virtio_net *)((char *)io - offsetof(struct virtio_net, io));

	look_at_link(card);
	if (virtio_net_poll_lent(card))
		return;
	for (unsigned n = 0; n < card->nr_pairs; n++) {
		if (card->pairs[n].outgoing.held)
			virtio_net_transmit(card, &card->pairs[n]);
	}
	net_commit(card->net);
	virtio_net_receive(card);
}

unsigned virtio_net_control_queue(const struct virtio_net *card)
{
	return VIRTIO_NET_RECEIVE(virtio_has(&card->virtio, VIRTIO_NET_F_MQ) ? card->nr_pairs : 1);
}

static bool is_receive(unsigned n)
{
	return n % 2 == 0;
}

/** Notifications of both directions. */
static void notify_frames(struct virtio_net *card, unsigned n)
{
	if (card->lent)
		card->net->rings->kick(card->net, is_receive(n) ? NET_RING_RECEIVE : NET_RING_TRANSMIT);
	else if (is_receive(n))
		virtio_net_receive(card);
	else
		virtio_net_transmit(card, &card->pairs[n / 2]);
}

/* Queues behind the control queue are there for drivers that agree on more. */
static void net_notify(struct virtio_device *d, unsigned n)
{
	unsigned control = virtio_net_control_queue(card_of(d));

	if (n < control)
		notify_frames(card_of(d), n);
	if (n != control)
		return;
	virtio_net_control(card_of(d));
	/* A command that breaks the rules stops the whole device. */
	if (!virtio_is_running(d))
		virtio_net_take_back(card_of(d));
}

static void net_start(struct virtio_device *d)
{
	net_accept_offload(card_of(d)->net, receive_offload(card_of(d)));
	virtio_net_lend(card_of(d));
	for (unsigned n = 0; n < d->nr_queues; n++)
		virtio_notify(d, n);
}

static void net_stop_queue(struct virtio_device *d, unsigned n)
{
	struct virtio_net *card = card_of(d);
	struct virtio_net_pair *pair = &card->pairs[n / 2];

	if (n >= virtio_net_control_queue(card))
		return;
	virtio_net_take_back(card);
	if (is_receive(n))
		pair->stock.nr_buffers = pair->stock.nr_vectors = 0, pair->stock.size = 0;
	else
		pair->outgoing.held = false;
}

static void net_reset(struct virtio_device *d)
{
	struct virtio_net *card = card_of(d);

	card->returned = false;
	if (card->arrived != NULL)
		card->arrived->held = false;
	virtio_net_set_pairs(card, 1);
	net_filter_reset(&card->filter, card->config.mac);
	net_accept_offload(card->net, 0);
}

static void net_describe(struct virtio_device *d)
{
	const struct virtio_net *card = card_of(d);
	const uint8_t *m = card->config.mac;

	log_text(", %s: MAC %02x:%02x:%02x:%02x:%02x:%02x, link %s, %" PRIu64 " frames received, %" PRIu64
		 " sent, %" PRIu64 " filtered, %" PRIu64 " dropped, %u of %u pairs of queues%s",
		 card->net->name, m[0], m[1], m[2], m[3], m[4], m[5], card->net->link ? "up" : "down", card->received,
		 card->sent, card->filtered, card->dropped, card->active, card->nr_pairs,
		 card->lent ? ", rings lent to the back end" : "");
}

static const struct virtio_device_ops net_ops = {
	.accept = net_accept,
	.start = net_start,
	.notify = net_notify,
	.stop_queue = net_stop_queue,
	.reset = net_reset,
	.describe = net_describe,
};

/* Making. */

/** Reads a MAC address that somebody may have: six bytes in hexadecimal, no group address, not all zeroes. */
static int parse_mac(const char *text, uint8_t mac[MAC_SIZE])
{
	static const uint8_t nobody[MAC_SIZE];

	for (unsigned i = 0; i < MAC_SIZE; i++) {
		if (strspn(text, "0123456789abcdefABCDEF") != 2 || text[2] != (i < MAC_SIZE - 1 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)strtoul(text, NULL, 16);
		text += 3;
	}
	return (mac[0] & 1) != 0 || memcmp(mac, nobody, MAC_SIZE) == 0 ? -EINVAL : 0;
}

/** An address that nobody else is likely to have: locally administered, the rest by chance (IEEE 802, 8.2). */
static int invent_mac(uint8_t mac[MAC_SIZE])
{
	int rc = plat_entropy(mac, MAC_SIZE);

	mac[0] = (uint8_t)((mac[0] & ~1u) | 2u);
	return rc;
}

static int choose_mac(struct virtio_net *card, const struct virtio_net_options *options)
{
	int rc = 0;

	if (card->net->has_mac) {
		memcpy(card->config.mac, card->net->mac, MAC_SIZE);
	} else if (options->mac[0] != '\0') {
		rc = parse_mac(options->mac, card->config.mac);
		if (rc != 0)
			log_error("%s: '%s' is no MAC address of a card: six bytes like 02:00:00:12:34:56, the first "
				  "even",
				  options->name, options->mac);
	} else {
		rc = invent_mac(card->config.mac);
		if (rc != 0)
			log_error("%s: the host has no random numbers for a MAC address: set one", options->name);
	}
	return rc;
}

/** A network that works on the rings itself knows one pair. */
static int make_pairs(struct virtio_net *card, const struct virtio_net_options *options)
{
	card->nr_pairs = card->net->rings != NULL ? 1 : options->pairs;
	card->active = 1;
	card->pairs = plat_pages_alloc(card->nr_pairs * sizeof(card->pairs[0]), 0);
	if (card->nr_pairs > 1)
		card->arrived = plat_pages_alloc(sizeof(*card->arrived), 0);
	if (card->pairs == NULL || (card->nr_pairs > 1 && card->arrived == NULL)) {
		log_error("%s: the host has no memory for its queues; give it more", options->name);
		return -ENOMEM;
	}
	for (unsigned n = 0; n < card->nr_pairs; n++) {
		card->pairs[n].receive = &card->queues[VIRTIO_NET_RECEIVE(n)];
		card->pairs[n].transmit = &card->queues[VIRTIO_NET_TRANSMIT(n)];
	}
	return 0;
}

int virtio_net_init(struct virtio_net *card, const struct virtio_net_options *options, struct memory *memory,
		    struct net *net)
{
	int rc;

	card->net = net;
	card->io.poll = net_poll;
	rc = choose_mac(card, options);
	if (rc == 0)
		rc = make_pairs(card, options);
	if (rc != 0)
		return rc;
	card->config.status = net->link ? VIRTIO_NET_S_LINK_UP : 0;
	card->config.max_virtqueue_pairs = (uint16_t)card->nr_pairs;
	card->virtio.name = options->name;
	card->virtio.ops = &net_ops;
	card->virtio.id = VIRTIO_ID_NET;
	card->virtio.features = features_of(net, card->nr_pairs);
	card->virtio.config = &card->config;
	card->virtio.config_size = sizeof(card->config);
	card->virtio.queues = card->queues;
	card->virtio.nr_queues = VIRTIO_NET_RECEIVE(card->nr_pairs) + 1;
	virtio_init(&card->virtio, memory, options->queue_size);
	net_filter_reset(&card->filter, card->config.mac);
	return 0;
}
