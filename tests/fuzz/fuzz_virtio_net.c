/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/fuzz/virtio_guest.c tests/unit/virtio_driver.c tests/unit/fake_platform.c features/virtio/device.c */
/* sources: features/virtio/queue.c features/virtio-mmio/virtio_mmio.c features/virtio-net/virtio_net.c */
/* sources: features/virtio-net/receive.c features/virtio-net/transmit.c features/virtio-net/control.c */
/* sources: features/virtio-net/rings.c */
/* sources: features/virtio-net/filter.c features/virtio-net/steer.c core/memory.c core/io.c core/log.c core/timer.c */
/* The network card, on a network with frames of all sizes that is full at times. */
#include <errno.h>
#include <string.h>

#include "features/virtio-net/virtio_net.h"
#include "tests/fuzz/virtio_guest.h"
#include "tests/unit/virtio_driver.h"

static struct virtio_net card;
static bool full;
static uint8_t frame[NET_LARGE_MAX];
static unsigned arriving; /* size of the frame that waits, 0: none */
static uint32_t accepted;

static int on_transmit(struct net *n, const struct net_header *h, const struct io_vector *v, unsigned nr)
{
	static uint8_t sent[NET_LARGE_MAX];
	bool csum = (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;

	fuzz_check_vectors(v, nr);
	fuzz_check(!csum || (n->transmit_offload & NET_CHECKSUM) != 0);
	if (full)
		return -EAGAIN;
	return io_vectors_read(v, nr, 0, sent, sizeof(sent)) < 14 ? -EINVAL : 0;
}

static void on_commit(struct net *n)
{
	(void)n;
}

static int on_receive(struct net *n, struct net_header *h, const struct io_vector *v, unsigned nr)
{
	unsigned size = arriving;

	(void)n;
	if (size == 0)
		return -EAGAIN;
	fuzz_check(nr <= VIRTIO_NET_VECTORS);
	if (nr != 1 || v->base != card.arrived->bytes)
		fuzz_check_vectors(v, nr);
	arriving = 0;
	*h = (struct net_header){ .num_buffers = 7 };
	return io_vectors_write(v, nr, 0, frame, size) == size ? (int)size : -EMSGSIZE;
}

static void on_accept_offload(struct net *n, uint32_t offload)
{
	fuzz_check((offload & ~n->receive_offload) == 0);
	accepted = offload;
}

static const struct net_ops ops = {
	.transmit = on_transmit, .commit = on_commit, .receive = on_receive, .accept_offload = on_accept_offload
};
static struct net net;

struct virtio_device *fuzz_make(void)
{
	static const struct virtio_net_options options = {
		.name = "net0", .mac = "02:00:00:00:00:01", .queue_size = 8, .pairs = 3
	};

	memset(&card, 0, sizeof(card));
	net = (struct net){ .ops = &ops, .name = "fuzz", .transmit_offload = 7, .receive_offload = 15, .link = true };
	full = false;
	arriving = 0;
	fuzz_check(virtio_net_init(&card, &options, &driver_vm.memory, &net) == 0);
	return &card.virtio;
}

void fuzz_event(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);

	switch (what % 4) {
	case 0: full = !full; break;
	case 1: net.link = !net.link; break;
	default:
		frame[0] = what >> 2;
		arriving = 14 + fuzz_word(in) % (NET_LARGE_MAX - 14);
		if (what % 4 == 2)
			arriving = 14 + arriving % (NET_FRAME_MAX - 14);
	}
	fuzz_poll();
}

void fuzz_poll(void)
{
	card.io.poll(&card.io);
}

void fuzz_after_reset(void)
{
	fuzz_check(accepted == 0 && card.active == 1 && !card.arrived->held);
	for (unsigned n = 0; n < card.nr_pairs; n++) {
		const struct virtio_net_pair *p = &card.pairs[n];

		fuzz_check(!p->outgoing.held && p->stock.nr_buffers == 0 && p->stock.size == 0);
	}
}
