/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/virtio-net/virtio_net.c features/virtio-net/receive.c features/virtio-net/transmit.c */
/* sources: features/virtio-net/control.c features/virtio-net/filter.c features/virtio-net/steer.c features/virtio/device.c features/virtio/queue.c */
/* sources: features/virtio-mmio/virtio_mmio.c tests/unit/virtio_driver.c core/memory.c core/io.c core/log.c */
/* sources: features/virtio-net/rings.c tests/unit/fake_platform.c */
/* The network card against virtio 1.2, 5.1. */
#include "tests/unit/virtio_net_tests.h"

/* Features and configuration. */

static void test_features(void **state)
{
	(void)state;
	assert_true((card.virtio.features & FEATURE(CSUM)) != 0);
	assert_true((card.virtio.features & FEATURE(HOST_TSO4)) != 0);
	assert_true((card.virtio.features & FEATURE(HOST_TSO6)) == 0);
	assert_true((card.virtio.features & FEATURE(GUEST_TSO6)) != 0);
	assert_false(driver_negotiate(FEATURE(HOST_TSO4)));
	assert_false(driver_negotiate(FEATURE(GUEST_TSO4)));
	assert_false(driver_negotiate(FEATURE(CTRL_RX)));
	assert_false(driver_negotiate(FEATURE(HOST_TSO6) | FEATURE(CSUM)));
	driver_start(FEATURE(GUEST_CSUM) | FEATURE(GUEST_TSO4), 2);
	assert_int_equal(accepted, NET_CHECKSUM | NET_TSO4);
	driver_write(VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(accepted, 0);
}

static void test_addresses(void **state)
{
	static const char *const wrong[] = { "x",
					     "02:00:00:00:00",
					     "02:00:00:00:00:01:02",
					     "03:00:00:00:00:01",
					     "00:00:00:00:00:00",
					     "2:00:00:00:00:01",
					     "02-00-00-00-00-01",
					     "02:00:00:00:00:0g" };
	struct virtio_net_options options = plain;

	(void)state;
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG, 1), 2);
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG + 5, 1), 1);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		options.mac = wrong[i];
		assert_int_equal(virtio_net_init(&card, &options, &driver_vm.memory, &net), -EINVAL);
	}
	options.mac = "";
	assert_int_equal(virtio_net_init(&card, &options, &driver_vm.memory, &net), 0);
	assert_int_equal(card.config.mac[0], 2); /* of the fake entropy 1, 8, 15, … */
	assert_int_equal(card.config.mac[1], 8);
	net.has_mac = true;
	net.mac[5] = 77;
	assert_int_equal(virtio_net_init(&card, &plain, &driver_vm.memory, &net), 0);
	assert_int_equal(card.config.mac[5], 77);
}

static void test_link(void **state)
{
	(void)state;
	driver_start(FEATURE(STATUS), 2);
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG + 6, 2), VIRTIO_NET_S_LINK_UP);
	net.link = false;
	card.io.poll(&card.io);
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG + 6, 2), 0);
	assert_int_equal(driver_read(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_INTERRUPT_CONFIG);
	card.io.poll(&card.io);
	assert_int_equal(driver_read(VIRTIO_MMIO_CONFIG_GENERATION), 1);
}

/* Transmission. */

static void test_transmit(void **state)
{
	(void)state;
	driver_start(FEATURE(CSUM), 2);
	*(struct net_header *)data(0) =
		(struct net_header){ .flags = 3, .csum_start = 34, .csum_offset = 6, .num_buffers = 5 };
	memset(data(0) + HEADER, 0x42, 100);
	add(VIRTIO_NET_TRANSMIT(0), 0, HEADER + 100, false);
	assert_int_equal(nr_sent, 1);
	assert_int_equal(sent.size, 100);
	assert_int_equal(sent.bytes[99], 0x42);
	assert_int_equal(sent_header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(sent_header.csum_start, 34);
	assert_int_equal(sent_header.num_buffers, 0);
	assert_int_equal(used(VIRTIO_NET_TRANSMIT(0)).length, 0);
	assert_true(nr_commits != 0);
}

static void test_transmit_waits_for_room(void **state)
{
	(void)state;
	driver_start(0, 2);
	full = true;
	add(VIRTIO_NET_TRANSMIT(0), 0, HEADER + 60, false);
	add(VIRTIO_NET_TRANSMIT(0), 1, HEADER + 61, false);
	assert_none_used(VIRTIO_NET_TRANSMIT(0));
	full = false;
	card.io.poll(&card.io);
	assert_int_equal(nr_sent, 2);
	assert_int_equal(sent.size, 61);
	assert_int_equal(used(VIRTIO_NET_TRANSMIT(0)).id, 0);
	assert_int_equal(used(VIRTIO_NET_TRANSMIT(0)).id, 1);
	/* Held back at a reset: gone. */
	full = true;
	add(VIRTIO_NET_TRANSMIT(0), 2, HEADER + 62, false);
	driver_write(VIRTIO_MMIO_STATUS, 0);
	full = false;
	card.io.poll(&card.io);
	assert_int_equal(nr_sent, 2);
}

static void test_transmit_asks_for_too_much(void **state)
{
	static const struct net_header wrong[] = { { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM },
						   { .gso_type = VIRTIO_NET_HDR_GSO_TCPV4 },
						   { .gso_type = VIRTIO_NET_HDR_GSO_TCPV6 },
						   { .gso_type = VIRTIO_NET_HDR_GSO_UDP },
						   { .gso_type = VIRTIO_NET_HDR_GSO_ECN } };

	(void)state;
	driver_start(0, 2);
	for (uint16_t i = 0; i < 5; i++) {
		memset(data(i), 0, HEADER);
		*(struct net_header *)data(i) = wrong[i];
		add(VIRTIO_NET_TRANSMIT(0), i, HEADER + 60, false);
		assert_int_equal(used(VIRTIO_NET_TRANSMIT(0)).id, i);
	}
	add(VIRTIO_NET_TRANSMIT(0), 6, HEADER + 5, false); /* no frame */
	assert_int_equal(used(VIRTIO_NET_TRANSMIT(0)).id, 6);
	assert_int_equal(nr_sent, 0);
	assert_int_equal(card.dropped, 6);
	add(VIRTIO_NET_TRANSMIT(0), 7, HEADER - 1, false);
	assert_true((driver_read(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0);
}

/* Receipt. */

static void test_receive(void **state)
{
	(void)state;
	driver_start(0, 2);
	arrive(0, 100);
	assert_int_equal(nr_arriving, 1);
	add(VIRTIO_NET_RECEIVE(0), 0, 2000, true);
	assert_int_equal(nr_arriving, 0);
	assert_int_equal(used(VIRTIO_NET_RECEIVE(0)).length, HEADER + 100);
	assert_int_equal(((struct net_header *)data(0))->flags, 7);
	assert_int_equal(((struct net_header *)data(0))->num_buffers, 1);
	assert_int_equal(data(0)[HEADER + 99], 99);
	assert_true(driver_irq);
	/* One buffer a frame, and one that is too small loses it. */
	add(VIRTIO_NET_RECEIVE(0), 1, 50, true);
	add(VIRTIO_NET_RECEIVE(0), 2, 2000, true);
	arrive(0, 100);
	assert_none_used(VIRTIO_NET_RECEIVE(0));
	arrive(0, 20);
	assert_int_equal(used(VIRTIO_NET_RECEIVE(0)).id, 1);
	assert_int_equal(card.dropped, 1);
}

static void test_mergeable_buffers(void **state)
{
	struct driver_used u;

	(void)state;
	driver_start(FEATURE(MRG_RXBUF), 2);
	memory_mark_code(&driver_vm.memory, DATA + 1 * STRIDE, true);
	add(VIRTIO_NET_RECEIVE(0), 0, 512, true);
	add(VIRTIO_NET_RECEIVE(0), 1, 512, true);
	arrive(0, 700);
	assert_none_used(VIRTIO_NET_RECEIVE(0)); /* a frame might be larger than both */
	add(VIRTIO_NET_RECEIVE(0), 2, 512, true);
	add(VIRTIO_NET_RECEIVE(0), 3, 512, true);
	u = used(VIRTIO_NET_RECEIVE(0));
	assert_int_equal(u.id, 0);
	assert_int_equal(u.length, 512);
	u = used(VIRTIO_NET_RECEIVE(0));
	assert_int_equal(u.id, 1);
	assert_int_equal(u.length, HEADER + 700 - 512);
	assert_none_used(VIRTIO_NET_RECEIVE(0));
	assert_int_equal(((struct net_header *)data(0))->num_buffers, 2);
	assert_int_equal(data(0)[HEADER + 6], 6);
	assert_int_equal(data(1)[0], (512 - HEADER) & 0xff);
	assert_int_equal(data(1)[HEADER + 700 - 512 - 1], 699 & 0xff);
	assert_int_equal(driver_code_written, 1);
	/* What was left serves the next. */
	add(VIRTIO_NET_RECEIVE(0), 0, 512, true);
	add(VIRTIO_NET_RECEIVE(0), 1, 512, true);
	arrive(0, 60);
	assert_int_equal(used(VIRTIO_NET_RECEIVE(0)).id, 2);
	assert_int_equal(((struct net_header *)data(2))->num_buffers, 1);
}

static void test_large_frames(void **state)
{
	unsigned size = 60000;

	(void)state;
	driver_start(FEATURE(MRG_RXBUF) | FEATURE(GUEST_CSUM) | FEATURE(GUEST_TSO4), 2);
	for (uint16_t i = 0; i < 5; i++)
		add(VIRTIO_NET_RECEIVE(0), i, 0x4000, true);
	arrive(0, size);
	for (unsigned left = size + HEADER; left != 0;) {
		struct driver_used u = used(VIRTIO_NET_RECEIVE(0));

		assert_int_equal(u.length, left < 0x4000 ? left : 0x4000);
		left -= u.length;
	}
	assert_int_equal(((struct net_header *)data(0))->num_buffers, 4);
	assert_int_equal(card.pairs[0].stock.nr_buffers, 1);
}

/** If all of the driver's buffers together are too small for the largest frame, those that fit still come. */
static void test_small_queue(void **state)
{
	(void)state;
	driver_start(FEATURE(MRG_RXBUF) | FEATURE(GUEST_CSUM) | FEATURE(GUEST_TSO4), 2);
	for (uint16_t i = 0; i < 8; i++)
		add(VIRTIO_NET_RECEIVE(0), i, 256, true);
	arrive(0, 8 * 256 - HEADER + 1);
	assert_none_used(VIRTIO_NET_RECEIVE(0));
	assert_int_equal(card.dropped, 1);
	arrive(0, 8 * 256 - HEADER);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(used(VIRTIO_NET_RECEIVE(0)).length, 256);
}

static void test_broken_buffers(void **state)
{
	(void)state;
	driver_start(0, 2);
	add(VIRTIO_NET_RECEIVE(0), 0, 2000, false);
	assert_true((driver_read(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0);
	arrive(0, 60);
	assert_none_used(VIRTIO_NET_RECEIVE(0));
	driver_start(0, 2);
	add(VIRTIO_NET_RECEIVE(0), 0, HEADER - 1, true);
	assert_true((driver_read(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0);
}

static void test_reset_with_buffers(void **state)
{
	(void)state;
	driver_start(FEATURE(MRG_RXBUF), 2);
	add(VIRTIO_NET_RECEIVE(0), 0, 0x4000, true);
	card.io.poll(&card.io);
	assert_int_equal(card.pairs[0].stock.nr_buffers, 1);
	driver_start(FEATURE(MRG_RXBUF), 2);
	assert_int_equal(card.pairs[0].stock.nr_buffers, 0);
	arrive(0, 60);
	assert_none_used(VIRTIO_NET_RECEIVE(0));
	add(VIRTIO_NET_RECEIVE(0), 3, 0x4000, true);
	assert_int_equal(used(VIRTIO_NET_RECEIVE(0)).id, 3);
}

/* The control queue. */

static bool is_received(uint8_t destination)
{
	uint64_t before = card.received;

	arrive(destination, 60);
	return card.received != before;
}

static void test_filter(void **state)
{
	static const uint8_t on = 1, off = 0;
	uint8_t lists[20] = { 1, 0, 0, 0, 4, 0, 0, 0, 0, 1, 1, 0, 0, 0, 5, 0, 0, 0, 0, 1 };

	(void)state;
	driver_start(CONTROL, 3);
	for (uint16_t i = 1; i < 8; i++)
		add(VIRTIO_NET_RECEIVE(0), i, 2000, true);
	assert_true(is_received(8)); /* promiscuous at first */
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1), VIRTIO_NET_OK);
	assert_false(is_received(8));
	assert_true(is_received(2));  /* its own */
	assert_false(is_received(5)); /* multicast */
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, lists, sizeof(lists)),
			 VIRTIO_NET_OK);
	assert_true(is_received(4));
	assert_true(is_received(5));
	assert_false(is_received(7));
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, &on, 1), VIRTIO_NET_OK);
	assert_true(is_received(7));
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOUNI, &on, 1), VIRTIO_NET_OK);
	assert_false(is_received(2));
	/* Lists that end too early change nothing. */
	lists[0] = 2;
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, lists, sizeof(lists)),
			 VIRTIO_NET_ERR);
	assert_int_equal(card.filter.unicast.count, 1);
	assert_int_equal(card.filtered, 4);
}

static void test_commands(void **state)
{
	static const uint8_t mac[6] = { 2, 1, 1, 1, 1, 1 }, on = 1;

	(void)state;
	driver_start(CONTROL, 3);
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6), VIRTIO_NET_OK);
	assert_memory_equal(card.filter.own, mac, 6);
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 5), VIRTIO_NET_ERR);
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, 9, mac, 6), VIRTIO_NET_ERR);
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, 6, &on, 1), VIRTIO_NET_ERR);
	assert_int_equal(command(VIRTIO_NET_CTRL_VLAN, 0, &on, 1), VIRTIO_NET_ERR);
	driver_start(FEATURE(CTRL_VQ), 3);
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, 0, &on, 1), VIRTIO_NET_ERR);
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6), VIRTIO_NET_ERR);
	add(VIRTIO_NET_RECEIVE(1), 0, 2, false);
	assert_true((driver_read(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0);
}

static void test_long_list(void **state)
{
	uint8_t lists[4 + 33 * 6 + 4] = { 33 };

	(void)state;
	driver_start(CONTROL, 3);
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, lists, sizeof(lists)),
			 VIRTIO_NET_OK);
	assert_int_equal(card.filter.unicast.count, NET_FILTER_MAX);
	card.filter.everything = false;
	assert_true(net_filter_accepts(&card.filter, (const uint8_t[]){ 2, 9, 9, 9, 9, 9 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_features, setup),
		cmocka_unit_test_setup(test_addresses, setup),
		cmocka_unit_test_setup(test_link, setup),
		cmocka_unit_test_setup(test_transmit, setup),
		cmocka_unit_test_setup(test_transmit_waits_for_room, setup),
		cmocka_unit_test_setup(test_transmit_asks_for_too_much, setup),
		cmocka_unit_test_setup(test_receive, setup),
		cmocka_unit_test_setup(test_mergeable_buffers, setup),
		cmocka_unit_test_setup(test_large_frames, setup),
		cmocka_unit_test_setup(test_small_queue, setup),
		cmocka_unit_test_setup(test_broken_buffers, setup),
		cmocka_unit_test_setup(test_reset_with_buffers, setup),
		cmocka_unit_test_setup(test_filter, setup),
		cmocka_unit_test_setup(test_commands, setup),
		cmocka_unit_test_setup(test_long_list, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
