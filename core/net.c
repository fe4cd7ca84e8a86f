/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks: finding the back end that a spec names. */
#include <errno.h>
#include <string.h>

#include <husk/log.h>
#include <husk/net.h>

/* Kinds of back ends, collected by the linker. */
extern const struct net_driver *const __start_husk_net[] __attribute__((weak));
extern const struct net_driver *const __stop_husk_net[] __attribute__((weak));

static int no_driver(const char *spec)
{
	log_error("network '%s': this image has no such back end; select it in `make menuconfig` or use one of these",
		  spec);
	for (const struct net_driver *const *d = __start_husk_net; d < __stop_husk_net; d++)
		log_text("  %s%s%s\n", (*d)->scheme, (*d)->usage[0] != '\0' ? ":" : "", (*d)->usage);
	return -ENODEV;
}

int net_open(struct vm *vm, const char *spec, struct net **out)
{
	size_t length = strcspn(spec, ":");

	for (const struct net_driver *const *d = __start_husk_net; d < __stop_husk_net; d++) {
		if (strlen((*d)->scheme) == length && strncmp(spec, (*d)->scheme, length) == 0)
			return (*d)->open(vm, spec, spec + length + (spec[length] == ':'), out);
	}
	return no_driver(spec);
}
