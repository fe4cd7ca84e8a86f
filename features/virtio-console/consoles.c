/* SPDX-License-Identifier: BSD-2-Clause */
/* The consoles of the configuration. */
#include <errno.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "features/virtio-console/virtio_console.h"
#include "features/virtio-mmio/virtio_mmio.h"

#include <config/VIRTIO_CONSOLE0_NAME.h>
#include <config/VIRTIO_CONSOLE1_NAME.h>
#include <config/VIRTIO_CONSOLE2_NAME.h>
#include <config/VIRTIO_CONSOLE3_NAME.h>
#include <config/VIRTIO_CONSOLE_PORTS.h>

static const char *const names[VIRTIO_CONSOLE_MAX_PORTS] = {
	CONFIG_VIRTIO_CONSOLE0_NAME,
	CONFIG_VIRTIO_CONSOLE1_NAME,
	CONFIG_VIRTIO_CONSOLE2_NAME,
	CONFIG_VIRTIO_CONSOLE3_NAME,
};

static int attach(struct vm *vm)
{
	struct virtio_console *c = plat_pages_alloc(sizeof(*c), GUEST_PAGE_SIZE);
	int rc;

	if (c == NULL) {
		log_error("console: the host has no memory for it; give it more");
		return -ENOMEM;
	}
	rc = virtio_console_init(c, names, CONFIG_VIRTIO_CONSOLE_PORTS, &vm->memory, &vm->console);
	return rc == 0 ? virtio_mmio_plug(vm, &c->virtio) : rc;
}

HUSK_FEATURE(virtio_console) = {
	.name = "virtio-console",
	.purpose = "consoles for the guest, beside its serial ports",
	.level = FEATURE_DEVICE,
	.attach = attach,
};
