/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of options that features keep. */
#include <stddef.h>
#include <string.h>

#include <husk/option.h>
#include <husk/platform.h>

const char *option_keep(const char *value)
{
	size_t size = strlen(value) + 1;
	char *copy = size > 1 ? plat_pages_alloc(size, 4096) : NULL;

	if (copy != NULL)
		memcpy(copy, value, size);
	return copy;
}
