/* SPDX-License-Identifier: BSD-2-Clause */
/* The disks of the configuration, and their options on the command line. */
#include <errno.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/option.h>
#include <husk/vm.h>

#include "features/virtio-blk/virtio_blk.h"
#include "features/virtio-mmio/virtio_mmio.h"

#include <config/VIRTIO_BLK0_BACKEND.h>
#include <config/VIRTIO_BLK0_SERIAL.h>
#include <config/VIRTIO_BLK1_BACKEND.h>
#include <config/VIRTIO_BLK1_SERIAL.h>
#include <config/VIRTIO_BLK2_BACKEND.h>
#include <config/VIRTIO_BLK2_SERIAL.h>
#include <config/VIRTIO_BLK3_BACKEND.h>
#include <config/VIRTIO_BLK3_SERIAL.h>
#include <config/VIRTIO_BLK4_BACKEND.h>
#include <config/VIRTIO_BLK4_SERIAL.h>
#include <config/VIRTIO_BLK5_BACKEND.h>
#include <config/VIRTIO_BLK5_SERIAL.h>
#include <config/VIRTIO_BLK6_BACKEND.h>
#include <config/VIRTIO_BLK6_SERIAL.h>
#include <config/VIRTIO_BLK7_BACKEND.h>
#include <config/VIRTIO_BLK7_SERIAL.h>
#include <config/VIRTIO_BLK_COUNT.h>
#include <config/VIRTIO_BLK_QUEUES.h>
#include <config/VIRTIO_BLK_QUEUE_LOG2.h>

/** A disk as it is configured. */
struct configured {
	const char *name, *serial;
	const char *backend; /**< spec for block_open() */
};

static struct configured disks[] = {
	{ "disk0", CONFIG_VIRTIO_BLK0_SERIAL, CONFIG_VIRTIO_BLK0_BACKEND },
	{ "disk1", CONFIG_VIRTIO_BLK1_SERIAL, CONFIG_VIRTIO_BLK1_BACKEND },
	{ "disk2", CONFIG_VIRTIO_BLK2_SERIAL, CONFIG_VIRTIO_BLK2_BACKEND },
	{ "disk3", CONFIG_VIRTIO_BLK3_SERIAL, CONFIG_VIRTIO_BLK3_BACKEND },
	{ "disk4", CONFIG_VIRTIO_BLK4_SERIAL, CONFIG_VIRTIO_BLK4_BACKEND },
	{ "disk5", CONFIG_VIRTIO_BLK5_SERIAL, CONFIG_VIRTIO_BLK5_BACKEND },
	{ "disk6", CONFIG_VIRTIO_BLK6_SERIAL, CONFIG_VIRTIO_BLK6_BACKEND },
	{ "disk7", CONFIG_VIRTIO_BLK7_SERIAL, CONFIG_VIRTIO_BLK7_BACKEND },
};

static int add_disk(struct vm *vm, const struct configured *c)
{
	const struct virtio_blk_options options = {
		.name = c->name,
		.serial = c->serial,
		.queues = CONFIG_VIRTIO_BLK_QUEUES,
		.queue_size = 1u << CONFIG_VIRTIO_BLK_QUEUE_LOG2,
	};
	struct virtio_blk *disk = plat_pages_alloc(sizeof(*disk), GUEST_PAGE_SIZE);
	struct block *block;
	int rc;

	if (disk == NULL) {
		log_error("%s: the host has no memory for it; give it more", c->name);
		return -ENOMEM;
	}
	rc = block_open(vm, c->backend, &block);
	if (rc == 0)
		rc = virtio_blk_init(disk, &options, &vm->memory, block);
	if (rc == 0)
		rc = virtio_mmio_plug(vm, &disk->virtio);
	if (rc == 0)
		io_attach(vm, &disk->io);
	return rc;
}

static int attach(struct vm *vm)
{
	for (unsigned n = 0; n < CONFIG_VIRTIO_BLK_COUNT; n++) {
		int rc = add_disk(vm, &disks[n]);

		if (rc != 0)
			return rc;
	}
	return 0;
}

/** Keeps another spec for disk n. */
static int set_backend(unsigned n, const char *spec)
{
	disks[n].backend = option_keep(spec);
	return disks[n].backend != NULL ? 0 : -EINVAL;
}

#define DISK_OPTION(n)                                   \
	static int given_disk##n(const char *spec)       \
	{                                                \
		return set_backend(n, spec);             \
	}                                                \
	HUSK_OPTION(disk##n) = {                         \
		.name = "disk" #n "=",                   \
		.value = "SPEC",                         \
		.help = "where disk " #n "'s bytes are", \
		.given = given_disk##n,                  \
	}

DISK_OPTION(0);
#if CONFIG_VIRTIO_BLK_COUNT > 1
DISK_OPTION(1);
#endif
#if CONFIG_VIRTIO_BLK_COUNT > 2
DISK_OPTION(2);
#endif
#if CONFIG_VIRTIO_BLK_COUNT > 3
DISK_OPTION(3);
#endif
#if CONFIG_VIRTIO_BLK_COUNT > 4
DISK_OPTION(4);
#endif
#if CONFIG_VIRTIO_BLK_COUNT > 5
DISK_OPTION(5);
#endif
#if CONFIG_VIRTIO_BLK_COUNT > 6
DISK_OPTION(6);
#endif
#if CONFIG_VIRTIO_BLK_COUNT > 7
DISK_OPTION(7);
#endif

HUSK_FEATURE(virtio_blk) = {
	.name = "virtio-blk",
	.purpose = "disks for the guest",
	.level = FEATURE_DEVICE,
	.attach = attach,
};
