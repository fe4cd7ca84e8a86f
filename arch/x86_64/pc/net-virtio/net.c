/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cards of the computer by virtio-net (virtio 1.2, 5.1). Frames are copied: what the guest gave is its own again at
 * once, and what arrives waits here until the guest has room.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_net.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/net.h>
#include <husk/vm.h>

#include "arch/x86_64/pc/virtio/virtio.h"
#include "arch/x86_64/pc/x86.h"

#define VENDOR_DEVICE 0x10411af4u /* 4.1.2: 0x1040 + 1 */
#define TRANSITIONAL  0x10001af4u

#define BIT(n)    ((uint64_t)1 << (n))
#define CONFIG(f) offsetof(struct virtio_net_config, f)

#define QUEUE_RECEIVE  0u
#define QUEUE_TRANSMIT 1u
#define QUEUE_CONTROL  2u

#define HEADER      sizeof(struct net_header)
#define RX_BUFFER   4096u
#define RX_BUFFERS  256u
#define TX_BUFFER   69632u /* NET_LARGE_MAX and a header, whole pages */
#define TX_BUFFERS  64u
#define MAX_OPEN    8u
#define PATIENCE_NS 1000000000u

_Static_assert(sizeof(struct net_header) == sizeof(struct virtio_net_hdr_v1), "virtio 1.2, 5.1.6");
_Static_assert(TX_BUFFER >= NET_LARGE_MAX + sizeof(struct net_header), "the largest frame fits");

/** A command to the device (5.1.6.5.6) and its answer. */
struct command {
	struct virtio_net_ctrl_hdr header;
	uint64_t offloads;
	uint8_t answer;
};

struct card {
	struct net net;
	struct vpci virtio;
	struct ring rx, tx, control;
	uint8_t *rx_buffers, *tx_buffers;
	uint16_t tx_free[TX_BUFFERS]; /* buffers that are free */
	unsigned nr_tx_free;
	bool tx_new, rx_new; /* since the device was told */
	struct command *command;
};

static bool is_card(pci_address a, uint32_t vendor_device, uint32_t class_code)
{
	(void)a;
	(void)class_code;
	return vendor_device == VENDOR_DEVICE || vendor_device == TRANSITIONAL;
}

/* --- sending */

static void take_sent(struct card *c)
{
	uint16_t buffer;
	uint32_t written;

	while (c->nr_tx_free < TX_BUFFERS && ring_take(&c->tx, &buffer, &written))
		c->tx_free[c->nr_tx_free++] = buffer;
}

static void commit(struct net *n)
{
	struct card *c = (struct card *)n;

	if (c->tx_new)
		ring_notify(&c->tx);
	if (c->rx_new)
		ring_notify(&c->rx);
	c->tx_new = c->rx_new = false;
}

static int transmit(struct net *n, const struct net_header *h, const struct io_vector *v, unsigned nr)
{
	struct card *c = (struct card *)n;
	uint64_t size = io_vectors_size(v, nr);
	struct io_vector frame;
	const struct ring_chain chain = { .out = &frame, .nr_out = 1 };
	struct net_header *header;
	uint16_t buffer;

	if (size == 0 || size > NET_LARGE_MAX)
		return -EINVAL;
	if (c->nr_tx_free == 0)
		take_sent(c);
	if (c->nr_tx_free == 0) {
		commit(n);
		return -EAGAIN;
	}
	buffer = c->tx_free[c->nr_tx_free - 1];
	header = (struct net_header *)(c->tx_buffers + (size_t)buffer * TX_BUFFER);
	*header = *h;
	header->num_buffers = 0;
	io_vectors_read(v, nr, 0, header + 1, (size_t)size);
	frame = (struct io_vector){ header, HEADER + (size_t)size };
	if (!ring_add(&c->tx, &chain, buffer))
		return -EAGAIN;
	c->nr_tx_free--;
	c->tx_new = true;
	return 0;
}

/* --- receiving */

static uint8_t *rx_buffer(const struct card *c, uint16_t buffer)
{
	return c->rx_buffers + (size_t)buffer * RX_BUFFER;
}

static void offer(struct card *c, uint16_t buffer)
{
	const struct io_vector room = { rx_buffer(c, buffer), RX_BUFFER };
	const struct ring_chain chain = { .in = &room, .nr_in = 1 };

	ring_add(&c->rx, &chain, buffer);
	c->rx_new = true;
}

/* The next buffer of a frame that goes over several; the device has put all of them there at once (5.1.6.4). */
static bool next_buffer(struct card *c, uint16_t *buffer, uint32_t *size)
{
	if (!ring_take(&c->rx, buffer, size))
		return false;
	*size = *size < RX_BUFFER ? *size : RX_BUFFER;
	return true;
}

static int receive(struct net *n, struct net_header *h, const struct io_vector *v, unsigned nr)
{
	struct card *c = (struct card *)n;
	uint64_t room = io_vectors_size(v, nr), done = 0;
	uint32_t size, skip = HEADER;
	uint16_t buffer, more;
	bool fits = true;

	if (!next_buffer(c, &buffer, &size)) {
		commit(n);
		return -EAGAIN;
	}
	memcpy(h, rx_buffer(c, buffer), HEADER);
	more = vpci_has(&c->virtio, VIRTIO_NET_F_MRG_RXBUF) ? h->num_buffers : 1;
	do {
		uint32_t bytes = size > skip ? size - skip : 0;

		fits = fits && done + bytes <= room;
		if (fits)
			io_vectors_write(v, nr, done, rx_buffer(c, buffer) + skip, bytes);
		done += bytes;
		skip = 0;
		offer(c, buffer);
	} while (more-- > 1 && next_buffer(c, &buffer, &size));
	h->num_buffers = 1;
	return fits && done != 0 && done <= NET_LARGE_MAX ? (int)done : -EMSGSIZE;
}

/* --- offloads */

static const struct {
	enum net_offload offload;
	unsigned guest, host;
} offloads[] = {
	{ NET_CHECKSUM, VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_CSUM },
	{ NET_TSO4, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_HOST_TSO4 },
	{ NET_TSO6, VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_HOST_TSO6 },
	{ NET_ECN, VIRTIO_NET_F_GUEST_ECN, VIRTIO_NET_F_HOST_ECN },
};

#define NR_OFFLOADS (sizeof(offloads) / sizeof(offloads[0]))

/* Sends a command and waits for its end, which is soon: nothing leaves the device. */
static void control(struct card *c, uint64_t value)
{
	const struct io_vector out[] = { { &c->command->header, sizeof(c->command->header) },
					 { &c->command->offloads, sizeof(c->command->offloads) } };
	const struct io_vector in = { &c->command->answer, 1 };
	const struct ring_chain chain = { .out = out, .nr_out = 2, .in = &in, .nr_in = 1 };
	uint64_t start = plat_time_ns();
	uint16_t token;
	uint32_t written;

	c->command->header =
		(struct virtio_net_ctrl_hdr){ VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET };
	c->command->offloads = value;
	if (!ring_add(&c->control, &chain, 0))
		return;
	ring_notify(&c->control);
	while (!ring_take(&c->control, &token, &written) && plat_time_ns() - start < PATIENCE_NS)
		cpu_relax();
}

static void accept_offload(struct net *n, uint32_t offload)
{
	struct card *c = (struct card *)n;
	uint64_t bits = 0;

	if (n->receive_offload == 0)
		return;
	for (unsigned i = 0; i < NR_OFFLOADS; i++)
		if ((offload & offloads[i].offload) != 0)
			bits |= BIT(offloads[i].guest);
	control(c, bits);
}

static const struct net_ops ops = {
	.transmit = transmit, .commit = commit, .receive = receive, .accept_offload = accept_offload
};

/* --- opening */

/* What is received may be changed under way only with a control queue and buffers that take large frames. */
static void describe(struct card *c)
{
	bool can_change = vpci_has(&c->virtio, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);

	for (unsigned i = 0; i < NR_OFFLOADS; i++) {
		if (vpci_has(&c->virtio, offloads[i].host))
			c->net.transmit_offload |= offloads[i].offload;
		if (can_change && vpci_has(&c->virtio, offloads[i].guest))
			c->net.receive_offload |= offloads[i].offload;
	}
	c->net.has_mac = vpci_has(&c->virtio, VIRTIO_NET_F_MAC);
	for (unsigned i = 0; i < sizeof(c->net.mac); i++)
		c->net.mac[i] = vpci_config8(&c->virtio, CONFIG(mac) + i);
	c->net.link = !vpci_has(&c->virtio, VIRTIO_NET_F_STATUS) ||
		      (vpci_config16(&c->virtio, CONFIG(status)) & VIRTIO_NET_S_LINK_UP) != 0;
}

static uint64_t wanted_features(void)
{
	uint64_t bits = BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_MRG_RXBUF);

	for (unsigned i = 0; i < NR_OFFLOADS; i++)
		bits |= BIT(offloads[i].host);
	return bits;
}

/* Large frames to us are agreed on only if they can be switched off again, for guests that do not know them. */
static uint64_t changeable_features(void)
{
	uint64_t bits = BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);

	for (unsigned i = 0; i < NR_OFFLOADS; i++)
		bits |= BIT(offloads[i].guest);
	return bits;
}

static int agree(struct card *c, pci_address pci, struct vm *vm)
{
	const uint64_t needed =
		BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
	int rc = vpci_init(&c->virtio, pci, wanted_features() | changeable_features(), vm);

	if (rc == 0 && (c->virtio.features & needed) != needed)
		rc = vpci_init(&c->virtio, pci, wanted_features(), vm);
	return rc;
}

static int start(struct card *c, pci_address pci, struct vm *vm)
{
	int rc = agree(c, pci, vm);

	if (rc == 0)
		rc = vpci_queue(&c->virtio, QUEUE_RECEIVE, RX_BUFFERS, &c->rx);
	if (rc == 0)
		rc = vpci_queue(&c->virtio, QUEUE_TRANSMIT, RING_MAX, &c->tx);
	if (rc == 0 && vpci_has(&c->virtio, VIRTIO_NET_F_CTRL_VQ))
		rc = vpci_queue(&c->virtio, QUEUE_CONTROL, RING_MAX, &c->control);
	if (rc != 0)
		return rc;
	describe(c);
	c->rx_buffers = plat_pages_alloc((size_t)RX_BUFFERS * RX_BUFFER, 0);
	c->tx_buffers = plat_pages_alloc((size_t)TX_BUFFERS * TX_BUFFER, 0);
	c->command = plat_pages_alloc(sizeof(*c->command), 0);
	if (c->rx_buffers == NULL || c->tx_buffers == NULL || c->command == NULL)
		return -ENOMEM;
	for (uint16_t i = 0; i < c->rx.size; i++)
		offer(c, i);
	for (uint16_t i = 0; i < TX_BUFFERS && i < c->tx.size; i++)
		c->tx_free[c->nr_tx_free++] = i;
	vpci_start(&c->virtio);
	c->net.ops = &ops;
	commit(&c->net);
	accept_offload(&c->net, 0);
	return 0;
}

static int find(const char *spec, const char *arguments, pci_address *out)
{
	static pci_address in_use[MAX_OPEN];
	static unsigned nr_in_use;
	char *end;
	unsigned long number = strtoul(arguments, &end, 10);

	if (*arguments < '0' || *arguments > '9' || *end != '\0' || number > 255) {
		log_error("network '%s': write virtio-net:N, with the number of the card, from 0 on", spec);
		return -EINVAL;
	}
	if (pci_find(is_card, (unsigned)number, out) != 0) {
		log_error("network '%s': this computer has no such PCI device (virtio-net number %lu, from 0 on); add "
			  "one, or "
			  "name another",
			  spec, number);
		return -ENODEV;
	}
	for (unsigned i = 0; i < nr_in_use; i++) {
		if (in_use[i] == *out) {
			log_error("network '%s': the card is in use by another network of this guest; name another",
				  spec);
			return -EBUSY;
		}
	}
	if (nr_in_use < MAX_OPEN)
		in_use[nr_in_use++] = *out;
	return 0;
}

static int open(struct vm *vm, const char *spec, const char *arguments, struct net **out)
{
	struct card *c;
	pci_address pci;
	int rc = find(spec, arguments, &pci);

	if (rc != 0)
		return rc;
	c = plat_pages_alloc(sizeof(*c), 0);
	rc = c == NULL ? -ENOMEM : start(c, pci, vm);
	if (rc == -ENOMEM)
		log_error("network '%s': the host has no memory for it", spec);
	else if (rc != 0)
		log_error("network '%s': the card is no virtio 1.0 device with MSI-X; have it made one", spec);
	if (rc != 0)
		return rc;
	c->net.name = spec;
	*out = &c->net;
	return 0;
}

HUSK_NET_DRIVER(virtio_net) = { .scheme = "virtio-net", .usage = "N", .open = open };

HUSK_FEATURE(net_virtio) = {
	.name = "net-virtio",
	.purpose = "networks on virtio-net PCI cards of the computer",
	.level = FEATURE_DEVICE,
};
