/* SPDX-License-Identifier: BSD-2-Clause */
/* Character devices: finding the back end that a spec names. */
#include <errno.h>
#include <string.h>

#include <husk/chardev.h>
#include <husk/log.h>

/* Kinds of back ends, collected by the linker. */
extern const struct chardev_driver *const __start_husk_chardev[] __attribute__((weak));
extern const struct chardev_driver *const __stop_husk_chardev[] __attribute__((weak));

static int no_driver(const char *spec)
{
	log_error("console '%s': this image has no such back end; select it in `make menuconfig` or use one of these",
		  spec);
	for (const struct chardev_driver *const *d = __start_husk_chardev; d < __stop_husk_chardev; d++)
		log_text("  %s%s%s\n", (*d)->scheme, (*d)->usage[0] != '\0' ? ":" : "", (*d)->usage);
	return -ENODEV;
}

int chardev_open(struct vm *vm, const char *spec, struct chardev **out)
{
	size_t length = strcspn(spec, ":");

	for (const struct chardev_driver *const *d = __start_husk_chardev; d < __stop_husk_chardev; d++) {
		if (strlen((*d)->scheme) == length && strncmp(spec, (*d)->scheme, length) == 0)
			return (*d)->open(vm, spec, spec + length + (spec[length] == ':'), out);
	}
	return no_driver(spec);
}
