/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers of the CPU: RDRAND (Intel SDM vol. 1, 7.3.17; AMD64 manual vol. 3, RDRAND). */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <husk/platform.h>

#include "arch/x86_64/pc/x86.h"

#define CPUID1_ECX_RDRAND (1u << 30)

/* It may fail for a moment when all CPUs ask at once; ten attempts in a row mean that it is broken (vol. 1, 7.3.17.1). */
#define ATTEMPTS 10

static bool rdrand(uint64_t *value)
{
	bool ok = false;

	for (int i = 0; i < ATTEMPTS && !ok; i++)
		__asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok));
	return ok;
}

int plat_entropy(void *buf, size_t size)
{
	uint8_t *to = buf;

	if ((cpuid(1, 0).ecx & CPUID1_ECX_RDRAND) == 0)
		return -ENODEV;
	while (size != 0) {
		uint64_t value;
		size_t n = size < sizeof(value) ? size : sizeof(value);

		if (!rdrand(&value))
			return -ENODEV;
		memcpy(to, &value, n);
		to += n;
		size -= n;
	}
	return 0;
}
