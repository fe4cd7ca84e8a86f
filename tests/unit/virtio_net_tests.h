/* SPDX-License-Identifier: BSD-2-Clause */
/* A network card for tests: its driver, and a network that tests fill and look at. */
#ifndef TESTS_VIRTIO_NET_TESTS_H
#define TESTS_VIRTIO_NET_TESTS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>

#include "features/virtio-net/virtio_net.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/virtio_driver.h"

#define FEATURE(name) VIRTIO_FEATURE(VIRTIO_NET_F_##name)
#define CONTROL       (FEATURE(CTRL_VQ) | FEATURE(CTRL_RX) | FEATURE(CTRL_RX_EXTRA) | FEATURE(CTRL_MAC_ADDR))
#define HEADER        12u
#define DATA          DRIVER_BUFFERS
#define STRIDE        0x4000u /**< between buffers */

static struct virtio_net card;
static struct net net;

/* The network: frames that wait to be received, and the last that was sent. */
static struct {
	uint8_t bytes[NET_LARGE_MAX];
	unsigned size;
} arriving[4], sent;
static struct net_header sent_header;
static unsigned nr_arriving, nr_sent, nr_commits;
static bool full;
static uint32_t accepted;

static inline int on_transmit(struct net *n, const struct net_header *h, const struct io_vector *v, unsigned nr)
{
	assert_ptr_equal(n, &net);
	if (full)
		return -EAGAIN;
	sent_header = *h;
	sent.size = (unsigned)io_vectors_read(v, nr, 0, sent.bytes, sizeof(sent.bytes));
	if (sent.size < 14)
		return -EINVAL;
	nr_sent++;
	return 0;
}

static inline void on_commit(struct net *n)
{
	(void)n;
	nr_commits++;
}

static inline int on_receive(struct net *n, struct net_header *h, const struct io_vector *v, unsigned nr)
{
	unsigned size = arriving[0].size;

	(void)n;
	assert_true(nr <= VIRTIO_NET_VECTORS);
	if (nr_arriving == 0)
		return -EAGAIN;
	nr_arriving--;
	size = io_vectors_size(v, nr) < size ? 0 : (unsigned)io_vectors_write(v, nr, 0, arriving[0].bytes, size);
	memmove(arriving, arriving + 1, sizeof(arriving) - sizeof(arriving[0]));
	*h = (struct net_header){ .flags = 7, .num_buffers = 99 };
	return size != 0 ? (int)size : -EMSGSIZE;
}

static inline void on_accept_offload(struct net *n, uint32_t offload)
{
	(void)n;
	accepted = offload;
}

static const struct net_ops net_ops = {
	.transmit = on_transmit, .commit = on_commit, .receive = on_receive, .accept_offload = on_accept_offload
};

static const struct virtio_net_options plain = {
	.name = "net0", .mac = "02:00:00:00:00:01", .queue_size = 8, .pairs = 1
};

static inline int setup_with(const struct virtio_net_options *options)
{
	fake_reset();
	log_set_level(LOG_INFO);
	log_guest_output(true);
	driver_new_guest();
	memset(&card, 0, sizeof(card));
	nr_arriving = nr_sent = nr_commits = 0;
	full = false;
	accepted = 99;
	net = (struct net){ .ops = &net_ops,
			    .name = "test",
			    .link = true,
			    .transmit_offload = NET_CHECKSUM | NET_TSO4,
			    .receive_offload = NET_CHECKSUM | NET_TSO4 | NET_TSO6 };
	assert_int_equal(virtio_net_init(&card, options, &driver_vm.memory, &net), 0);
	driver_plug(&card.virtio);
	return 0;
}

static inline int setup(void **state)
{
	(void)state;
	return setup_with(&plain);
}

/* The driver. */

static inline void add(unsigned queue, uint16_t head, uint32_t size, bool write)
{
	driver_add(queue, head, &(struct driver_buffer){ DATA + head * STRIDE, size, write }, 1);
	driver_notify(queue);
}

static inline uint8_t *data(uint16_t head)
{
	return driver_memory(DATA + head * STRIDE);
}

static inline struct driver_used used(unsigned queue)
{
	struct driver_used u;

	assert_true(driver_take_used(queue, &u));
	return u;
}

static inline void assert_none_used(unsigned queue)
{
	struct driver_used u;

	assert_false(driver_take_used(queue, &u));
}

/** A frame arrives, the first byte of whose destination is given. */
static inline void arrive(uint8_t destination, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		arriving[nr_arriving].bytes[i] = (uint8_t)(i < 6 ? 0 : i);
	arriving[nr_arriving].bytes[0] = destination;
	arriving[nr_arriving].bytes[5] = 1;
	arriving[nr_arriving++].size = size;
	card.io.poll(&card.io);
}

/** Runs a command of a control queue; returns the answer. */
static inline uint8_t command_of(unsigned queue, uint8_t class, uint8_t cmd, const void *argument, unsigned size)
{
	const struct driver_buffer b[] = { { DATA, 2, false }, { DATA + 16, size, false }, { DATA + 8, 1, true } };

	data(0)[0] = class;
	data(0)[1] = cmd;
	data(0)[8] = 0x55;
	memcpy(data(0) + 16, argument, size);
	driver_add(queue, 0, b, 3);
	driver_notify(queue);
	assert_int_equal(used(queue).length, 1);
	return data(0)[8];
}

static inline uint8_t command(uint8_t class, uint8_t cmd, const void *argument, unsigned size)
{
	return command_of(VIRTIO_NET_RECEIVE(1), class, cmd, argument, size);
}

#endif
