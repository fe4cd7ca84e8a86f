/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: features/virtio-net/steer.c core/smp.c core/io.c core/log.c tests/unit/fake_platform.c */
/* Flows of frames: both directions are one, ports tell them apart where there are some, and any bytes may come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "features/virtio-net/steer.h"

/* Ethernet, a VLAN tag or none, and IP with what follows. */
struct frame {
	uint8_t bytes[128];
	unsigned ip; /**< where IP begins */
};

static struct frame start(uint16_t type, bool vlan)
{
	struct frame f = { .ip = vlan ? 18 : 14 };

	if (vlan) {
		f.bytes[12] = 0x81;
		f.bytes[15] = 7;
	}
	f.bytes[f.ip - 2] = (uint8_t)(type >> 8);
	f.bytes[f.ip - 1] = (uint8_t)type;
	return f;
}

static struct frame ipv4(const char *from, const char *to, uint8_t protocol, unsigned options, bool vlan)
{
	struct frame f = start(0x0800, vlan);

	f.bytes[f.ip] = (uint8_t)(0x45 + options);
	f.bytes[f.ip + 9] = protocol;
	memcpy(f.bytes + f.ip + 12, from, 4);
	memcpy(f.bytes + f.ip + 16, to, 4);
	memcpy(f.bytes + f.ip + 20 + 4 * options, from + 4, 2);
	memcpy(f.bytes + f.ip + 22 + 4 * options, to + 4, 2);
	return f;
}

static struct frame ipv6(const char *from, const char *to, uint8_t protocol)
{
	struct frame f = start(0x86dd, false);

	f.bytes[f.ip] = 0x60;
	f.bytes[f.ip + 6] = protocol;
	memcpy(f.bytes + f.ip + 8, from, 16);
	memcpy(f.bytes + f.ip + 24, to, 16);
	memcpy(f.bytes + f.ip + 40, from + 16, 2);
	memcpy(f.bytes + f.ip + 42, to + 16, 2);
	return f;
}

static unsigned flow(struct frame f)
{
	/* In pieces, as a driver may have cut it. */
	const struct io_vector v[] = { { f.bytes, 13 }, { f.bytes + 13, 20 }, { f.bytes + 33, sizeof(f.bytes) - 33 } };

	return net_flow(v, 3);
}

#define HERE  "\x0a\x01\x02\x03\x04\x05"
#define THERE "\xc0\xa8\x07\x09\x00\x50"
#define OTHER "\xc0\xa8\x07\x09\x01\xbb"

static void test_directions_are_one_flow(void **state)
{
	(void)state;
	for (unsigned options = 0; options <= 10; options += 5) {
		assert_int_equal(flow(ipv4(HERE, THERE, 6, options, false)), flow(ipv4(THERE, HERE, 6, options, true)));
		assert_int_not_equal(flow(ipv4(HERE, THERE, 6, options, false)),
				     flow(ipv4(HERE, OTHER, 6, options, false)));
	}
	assert_int_equal(flow(ipv6("0123456789abcdefgh", "ABCDEFGHIJKLMNOPQR", 17)),
			 flow(ipv6("ABCDEFGHIJKLMNOPQR", "0123456789abcdefgh", 17)));
	assert_int_not_equal(flow(ipv6("0123456789abcdefgh", "ABCDEFGHIJKLMNOPQR", 17)),
			     flow(ipv6("0123456789abcdefgh", "ABCDEFGHIJKLMNOPQS", 17)));
}

/* Pieces of one datagram belong together, though only the first has ports; other protocols have none. */
static void test_flows_without_ports(void **state)
{
	struct frame first = ipv4(HERE, THERE, 17, 0, false), second = ipv4(HERE, OTHER, 17, 0, false);

	(void)state;
	first.bytes[first.ip + 6] = 0x20;
	second.bytes[second.ip + 7] = 0xb9;
	assert_int_equal(flow(first), flow(second));
	assert_int_equal(flow(ipv4(HERE, THERE, 1, 0, false)), flow(ipv4(HERE, OTHER, 1, 0, false)));
	assert_int_equal(flow(start(0x0806, false)), flow(start(0x0806, true)));
}

/* Connections of one computer do not all come to the same CPU. */
static void test_flows_spread(void **state)
{
	char there[] = THERE;
	bool seen[4] = { false };
	const struct net_steering none = { 0 };

	(void)state;
	for (unsigned n = 0; n < 32; n++) {
		there[5] = (char)n;
		seen[net_steered(&none, flow(ipv4(HERE, there, 6, 0, false)), 4)] = true;
	}
	for (unsigned n = 0; n < 4; n++)
		assert_true(seen[n]);
}

static void test_steering(void **state)
{
	struct net_steering s = { 0 };

	(void)state;
	assert_int_equal(net_steered(&s, 7, 4), 3);
	net_steer(&s, 7, 1);
	assert_int_equal(net_steered(&s, 7, 4), 1);
	assert_int_equal(net_steered(&s, 7, 2), 1);
	assert_int_equal(net_steered(&s, 7, 1), 0); /* that pair is not used any more */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directions_are_one_flow),
		cmocka_unit_test(test_flows_without_ports),
		cmocka_unit_test(test_flows_spread),
		cmocka_unit_test(test_steering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
