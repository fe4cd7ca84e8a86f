/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows of frames: addresses of IP, and ports where they are known. */
#include "features/virtio-net/steer.h"

#include <stdbool.h>
#include <string.h>

/* Of Ethernet (IEEE 802.3, 802.1Q), IPv4 (RFC 791) and IPv6 (RFC 8200). */
#define TYPE         12u
#define TYPE_VLAN    0x8100u
#define TYPE_IPV4    0x0800u
#define TYPE_IPV6    0x86ddu
#define VLAN_TAG     4u
#define IPV6_HEADER  40u
#define IPV4_PIECE   0x3fffu /**< offset, and more to come: where ports may be missing */
#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u

/** Enough for the longest headers up to the ports. */
#define HEADERS 84u

static uint32_t read16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/** Both addresses or ports in one word: in either order the same. */
static uint32_t both(const uint8_t *at, unsigned size)
{
	uint32_t word = 0;

	for (unsigned n = 0; n < size; n += 2)
		word ^= read16(at + n) << (n % 4 == 0 ? 16 : 0);
	return word;
}

static uint32_t ports(unsigned protocol, const uint8_t *at)
{
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP ? read16(at) ^ read16(at + 2) : 0;
}

static uint32_t flow_of_ipv4(const uint8_t *ip)
{
	unsigned size = (ip[0] & 0xfu) * 4;
	bool piece = (read16(ip + 6) & IPV4_PIECE) != 0;

	return both(ip + 12, 8) ^ (piece ? 0 : ports(ip[9], ip + size));
}

unsigned net_flow(const struct io_vector *v, unsigned nr)
{
	uint8_t frame[HEADERS] = { 0 };
	const uint8_t *ip = frame + TYPE;
	uint32_t type, word = 0;

	io_vectors_read(v, nr, 0, frame, sizeof(frame));
	if (read16(ip) == TYPE_VLAN)
		ip += VLAN_TAG;
	type = read16(ip);
	ip += 2;
	if (type == TYPE_IPV4)
		word = flow_of_ipv4(ip);
	else if (type == TYPE_IPV6)
		word = both(ip + 8, 32) ^ ports(ip[6], ip + IPV6_HEADER);
	return word * 0x9e3779b1u >> 24; /* neighbours far from each other (Knuth, 6.4) */
}

void net_steer(struct net_steering *s, unsigned flow, unsigned pair)
{
	s->pair[flow] = (uint8_t)(pair + 1);
}

unsigned net_steered(const struct net_steering *s, unsigned flow, unsigned pairs)
{
	unsigned pair = s->pair[flow];

	return pair != 0 && pair <= pairs ? pair - 1 : flow % pairs;
}
