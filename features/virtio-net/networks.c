/* SPDX-License-Identifier: BSD-2-Clause */
/* The cards of the configuration, and their options on the command line. */
#include <errno.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/option.h>
#include <husk/vm.h>

#include "features/virtio-net/virtio_net.h"
#include "features/virtio-mmio/virtio_mmio.h"

#include <config/VIRTIO_NET0_BACKEND.h>
#include <config/VIRTIO_NET0_MAC.h>
#include <config/VIRTIO_NET1_BACKEND.h>
#include <config/VIRTIO_NET1_MAC.h>
#include <config/VIRTIO_NET2_BACKEND.h>
#include <config/VIRTIO_NET2_MAC.h>
#include <config/VIRTIO_NET3_BACKEND.h>
#include <config/VIRTIO_NET3_MAC.h>
#include <config/VIRTIO_NET4_BACKEND.h>
#include <config/VIRTIO_NET4_MAC.h>
#include <config/VIRTIO_NET5_BACKEND.h>
#include <config/VIRTIO_NET5_MAC.h>
#include <config/VIRTIO_NET6_BACKEND.h>
#include <config/VIRTIO_NET6_MAC.h>
#include <config/VIRTIO_NET7_BACKEND.h>
#include <config/VIRTIO_NET7_MAC.h>
#include <config/VIRTIO_NET_COUNT.h>
#include <config/VIRTIO_NET_PAIRS.h>
#include <config/VIRTIO_NET_QUEUE_LOG2.h>

/** A card as it is configured. */
struct configured {
	const char *name, *mac;
	const char *backend; /**< spec for net_open() */
};

static struct configured cards[] = {
	{ "net0", CONFIG_VIRTIO_NET0_MAC, CONFIG_VIRTIO_NET0_BACKEND },
	{ "net1", CONFIG_VIRTIO_NET1_MAC, CONFIG_VIRTIO_NET1_BACKEND },
	{ "net2", CONFIG_VIRTIO_NET2_MAC, CONFIG_VIRTIO_NET2_BACKEND },
	{ "net3", CONFIG_VIRTIO_NET3_MAC, CONFIG_VIRTIO_NET3_BACKEND },
	{ "net4", CONFIG_VIRTIO_NET4_MAC, CONFIG_VIRTIO_NET4_BACKEND },
	{ "net5", CONFIG_VIRTIO_NET5_MAC, CONFIG_VIRTIO_NET5_BACKEND },
	{ "net6", CONFIG_VIRTIO_NET6_MAC, CONFIG_VIRTIO_NET6_BACKEND },
	{ "net7", CONFIG_VIRTIO_NET7_MAC, CONFIG_VIRTIO_NET7_BACKEND },
};

static int add_card(struct vm *vm, const struct configured *c)
{
	const struct virtio_net_options options = {
		.name = c->name,
		.mac = c->mac,
		.queue_size = 1u << CONFIG_VIRTIO_NET_QUEUE_LOG2,
		.pairs = CONFIG_VIRTIO_NET_PAIRS,
	};
	struct virtio_net *card = plat_pages_alloc(sizeof(*card), GUEST_PAGE_SIZE);
	struct net *net;
	int rc;

	if (card == NULL) {
		log_error("%s: the host has no memory for it; give it more", c->name);
		return -ENOMEM;
	}
	rc = net_open(vm, c->backend, &net);
	if (rc == 0)
		rc = virtio_net_init(card, &options, &vm->memory, net);
	if (rc == 0)
		rc = virtio_mmio_plug(vm, &card->virtio);
	if (rc == 0)
		io_attach(vm, &card->io);
	return rc;
}

static int attach(struct vm *vm)
{
	for (unsigned n = 0; n < CONFIG_VIRTIO_NET_COUNT; n++) {
		int rc = add_card(vm, &cards[n]);

		if (rc != 0)
			return rc;
	}
	return 0;
}

/** Keeps another spec for card n. */
static int set_backend(unsigned n, const char *spec)
{
	cards[n].backend = option_keep(spec);
	return cards[n].backend != NULL ? 0 : -EINVAL;
}

#define NET_OPTION(n)                                       \
	static int given_net##n(const char *spec)           \
	{                                                   \
		return set_backend(n, spec);                \
	}                                                   \
	HUSK_OPTION(net##n) = {                             \
		.name = "net" #n "=",                       \
		.value = "SPEC",                            \
		.help = "what card " #n " is connected to", \
		.given = given_net##n,                      \
	}

NET_OPTION(0);
#if CONFIG_VIRTIO_NET_COUNT > 1
NET_OPTION(1);
#endif
#if CONFIG_VIRTIO_NET_COUNT > 2
NET_OPTION(2);
#endif
#if CONFIG_VIRTIO_NET_COUNT > 3
NET_OPTION(3);
#endif
#if CONFIG_VIRTIO_NET_COUNT > 4
NET_OPTION(4);
#endif
#if CONFIG_VIRTIO_NET_COUNT > 5
NET_OPTION(5);
#endif
#if CONFIG_VIRTIO_NET_COUNT > 6
NET_OPTION(6);
#endif
#if CONFIG_VIRTIO_NET_COUNT > 7
NET_OPTION(7);
#endif

HUSK_FEATURE(virtio_net) = {
	.name = "virtio-net",
	.purpose = "network cards for the guest",
	.level = FEATURE_DEVICE,
	.attach = attach,
};
