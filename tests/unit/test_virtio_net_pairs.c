/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/virtio-net/virtio_net.c features/virtio-net/receive.c features/virtio-net/transmit.c */
/* sources: features/virtio-net/control.c features/virtio-net/filter.c features/virtio-net/steer.c features/virtio/device.c features/virtio/queue.c */
/* sources: features/virtio-mmio/virtio_mmio.c tests/unit/virtio_driver.c core/memory.c core/io.c core/log.c */
/* sources: features/virtio-net/rings.c tests/unit/fake_platform.c */
/* The network card with several pairs of queues (virtio 1.2, 5.1.6.5.6). */
#include "tests/unit/virtio_net_tests.h"

#define PAIRS 3u

static int setup_pairs(void **state)
{
	struct virtio_net_options options = plain;

	(void)state;
	options.pairs = PAIRS;
	return setup_with(&options);
}

static uint8_t set_pairs(uint16_t pairs)
{
	return command_of(VIRTIO_NET_RECEIVE(PAIRS), VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, 2);
}

static void start_pairs(uint16_t pairs)
{
	driver_start(FEATURE(MQ) | FEATURE(CTRL_VQ), VIRTIO_NET_RECEIVE(PAIRS) + 1);
	assert_int_equal(set_pairs(pairs), VIRTIO_NET_OK);
}

/** A frame of UDP over IPv4 between ports 1 and `port`; to the guest or from it. */
static void make_flow(uint8_t *frame, uint8_t port, bool to_guest)
{
	static const uint8_t ip[] = { 0x08, 0, 0x45, [11] = 17 };

	memset(frame, 0, 60);
	memcpy(frame + 12, ip, sizeof(ip));
	frame[0] = 2;
	frame[5] = 1;
	frame[26 + 3] = to_guest ? 8 : 9;
	frame[30 + 3] = to_guest ? 9 : 8;
	frame[34 + 1] = to_guest ? port : 1;
	frame[36 + 1] = to_guest ? 1 : port;
}

static void arrive_flow(uint8_t port)
{
	make_flow(arriving[nr_arriving].bytes, port, true);
	arriving[nr_arriving++].size = 60;
	card.io.poll(&card.io);
}

static void send_flow(uint8_t port, unsigned pair)
{
	memset(data(0), 0, HEADER);
	make_flow(data(0) + HEADER, port, false);
	add(VIRTIO_NET_TRANSMIT(pair), 0, HEADER + 60, false);
	assert_int_equal(used(VIRTIO_NET_TRANSMIT(pair)).id, 0);
}

static void test_pairs_are_agreed_on(void **state)
{
	uint16_t pairs = PAIRS;

	(void)state;
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG + 8, 2), PAIRS);
	assert_false(driver_negotiate(FEATURE(MQ)));
	start_pairs(PAIRS);
	assert_int_equal(card.active, PAIRS);
	assert_int_equal(set_pairs(0), VIRTIO_NET_ERR);
	assert_int_equal(set_pairs(PAIRS + 1), VIRTIO_NET_ERR);
	assert_int_equal(set_pairs(2), VIRTIO_NET_OK);
	assert_int_equal(card.active, 2);
	/* A driver that does not know of them: the control queue is where it always was. */
	driver_start(CONTROL, VIRTIO_NET_RECEIVE(PAIRS) + 1);
	assert_int_equal(card.active, 1);
	assert_int_equal(command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, 2), VIRTIO_NET_ERR);
	driver_notify(VIRTIO_NET_RECEIVE(PAIRS));
	driver_notify(VIRTIO_NET_TRANSMIT(2));
	assert_int_equal(driver_read(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
}

static void test_network_with_own_rings_has_one_pair(void **state)
{
	static const struct net_ring_ops rings;
	struct virtio_net_options options = plain;

	(void)state;
	net.rings = &rings;
	options.pairs = PAIRS;
	assert_int_equal(virtio_net_init(&card, &options, &driver_vm.memory, &net), 0);
	assert_int_equal(card.virtio.nr_queues, 3);
	assert_int_equal(card.virtio.features & FEATURE(MQ), 0);
}

/* Answers come where the questions were sent from, whatever comes in between. */
static void test_flows_stay_on_their_pair(void **state)
{
	(void)state;
	start_pairs(PAIRS);
	for (uint8_t port = 10; port < 22; port++) {
		unsigned pair = port % PAIRS;

		send_flow(port, pair);
		add(VIRTIO_NET_RECEIVE(pair), 1, 2000, true);
		arrive_flow(port);
		assert_int_equal(used(VIRTIO_NET_RECEIVE(pair)).length, HEADER + 60);
		assert_int_equal(data(1)[HEADER + 35], port);
		assert_int_equal(data(1)[10], 1); /* buffers */
	}
	assert_int_equal(card.received, 12);
	/* Only one is used: nothing comes to the others. */
	assert_int_equal(set_pairs(1), VIRTIO_NET_OK);
	for (uint16_t n = 1; n <= 6; n++)
		add(VIRTIO_NET_RECEIVE(0), n, 2000, true);
	for (uint16_t n = 1; n <= 6; n++) {
		arrive_flow((uint8_t)(10 + n));
		assert_int_equal(used(VIRTIO_NET_RECEIVE(0)).id, n);
	}
}

/* What has arrived waits for buffers of its pair, until the driver gives some or uses other pairs. */
static void test_frame_waits_for_its_pair(void **state)
{
	(void)state;
	start_pairs(2);
	send_flow(10, 1);
	send_flow(11, 0);
	add(VIRTIO_NET_RECEIVE(0), 1, 2000, true);
	arrive_flow(10);
	arrive_flow(11);
	assert_none_used(VIRTIO_NET_RECEIVE(0));
	add(VIRTIO_NET_RECEIVE(1), 2, 40, true);
	assert_int_equal(used(VIRTIO_NET_RECEIVE(0)).id, 1);
	assert_int_equal(card.dropped, 1); /* the buffer is too small */
	assert_none_used(VIRTIO_NET_RECEIVE(1));

	send_flow(12, 1);
	driver_write(VIRTIO_MMIO_QUEUE_SEL, VIRTIO_NET_RECEIVE(1));
	driver_write(VIRTIO_MMIO_QUEUE_READY, 0);
	arrive_flow(12);
	add(VIRTIO_NET_RECEIVE(0), 3, 2000, true);
	assert_none_used(VIRTIO_NET_RECEIVE(0));
	assert_int_equal(set_pairs(1), VIRTIO_NET_OK);
	assert_int_equal(used(VIRTIO_NET_RECEIVE(0)).id, 3);

	start_pairs(2);
	send_flow(12, 1);
	arrive_flow(12);
	driver_start(0, 2);
	add(VIRTIO_NET_RECEIVE(0), 4, 2000, true);
	assert_none_used(VIRTIO_NET_RECEIVE(0)); /* it went with the reset */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pairs_are_agreed_on, setup_pairs),
		cmocka_unit_test_setup(test_network_with_own_rings_has_one_pair, setup_pairs),
		cmocka_unit_test_setup(test_flows_stay_on_their_pair, setup_pairs),
		cmocka_unit_test_setup(test_frame_waits_for_its_pair, setup_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
