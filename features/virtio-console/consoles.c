/* SPDX-License-Identifier: BSD-2-Clause */
/* The consoles of the configuration, and their options on the command line. */
#include <errno.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/option.h>
#include <husk/vm.h>

#include "features/virtio-console/virtio_console.h"
#include "features/virtio-mmio/virtio_mmio.h"

#include <config/VIRTIO_CONSOLE0_BACKEND.h>
#include <config/VIRTIO_CONSOLE0_NAME.h>
#include <config/VIRTIO_CONSOLE1_BACKEND.h>
#include <config/VIRTIO_CONSOLE1_NAME.h>
#include <config/VIRTIO_CONSOLE2_BACKEND.h>
#include <config/VIRTIO_CONSOLE2_NAME.h>
#include <config/VIRTIO_CONSOLE3_BACKEND.h>
#include <config/VIRTIO_CONSOLE3_NAME.h>
#include <config/VIRTIO_CONSOLE_PORTS.h>

/** A console as it is configured. */
struct configured {
	const char *name;
	const char *backend; /**< spec for chardev_open(), or "" */
};

static struct configured consoles[VIRTIO_CONSOLE_MAX_PORTS] = {
	{ CONFIG_VIRTIO_CONSOLE0_NAME, CONFIG_VIRTIO_CONSOLE0_BACKEND },
	{ CONFIG_VIRTIO_CONSOLE1_NAME, CONFIG_VIRTIO_CONSOLE1_BACKEND },
	{ CONFIG_VIRTIO_CONSOLE2_NAME, CONFIG_VIRTIO_CONSOLE2_BACKEND },
	{ CONFIG_VIRTIO_CONSOLE3_NAME, CONFIG_VIRTIO_CONSOLE3_BACKEND },
};

/** Opens the lines of the consoles that have their own. */
static int open_lines(struct vm *vm, struct virtio_console_options *options)
{
	int rc = 0;

	for (unsigned n = 0; n < CONFIG_VIRTIO_CONSOLE_PORTS && rc == 0; n++) {
		options[n].name = consoles[n].name;
		if (consoles[n].backend[0] != '\0')
			rc = chardev_open(vm, consoles[n].backend, &options[n].line);
	}
	return rc;
}

static int attach(struct vm *vm)
{
	struct virtio_console_options options[VIRTIO_CONSOLE_MAX_PORTS] = { { .line = NULL } };
	struct virtio_console *c = plat_pages_alloc(sizeof(*c), GUEST_PAGE_SIZE);
	int rc;

	if (c == NULL) {
		log_error("console: the host has no memory for it; give it more");
		return -ENOMEM;
	}
	rc = open_lines(vm, options);
	if (rc == 0)
		rc = virtio_console_init(c, options, CONFIG_VIRTIO_CONSOLE_PORTS, &vm->memory, &vm->console);
	return rc == 0 ? virtio_mmio_plug(vm, &c->virtio) : rc;
}

/** Keeps another spec for console n. */
static int set_backend(unsigned n, const char *spec)
{
	consoles[n].backend = option_keep(spec);
	return consoles[n].backend != NULL ? 0 : -EINVAL;
}

#define CONSOLE_OPTION(n)                                      \
	static int given_console##n(const char *spec)          \
	{                                                      \
		return set_backend(n, spec);                   \
	}                                                      \
	HUSK_OPTION(console##n) = {                            \
		.name = "console" #n "=",                      \
		.value = "SPEC",                               \
		.help = "what console " #n " is connected to", \
		.given = given_console##n,                     \
	}

CONSOLE_OPTION(0);
#if CONFIG_VIRTIO_CONSOLE_PORTS > 1
CONSOLE_OPTION(1);
#endif
#if CONFIG_VIRTIO_CONSOLE_PORTS > 2
CONSOLE_OPTION(2);
#endif
#if CONFIG_VIRTIO_CONSOLE_PORTS > 3
CONSOLE_OPTION(3);
#endif

HUSK_FEATURE(virtio_console) = {
	.name = "virtio-console",
	.purpose = "consoles for the guest, beside its serial ports",
	.level = FEATURE_DEVICE,
	.attach = attach,
};
