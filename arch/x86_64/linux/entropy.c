/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers of the kernel: getrandom(2). */
#include "arch/x86_64/linux/host.h"

#include <errno.h>

#include <linux/random.h>

#include "arch/x86_64/linux/syscall.h"

int plat_entropy(void *buf, size_t size)
{
	uint8_t *to = buf;

	while (size != 0) {
		/* Right after the kernel's start it has none yet, and says so rather than wait. */
		long got = linux_call3_retry(__NR_getrandom, (long)to, (long)size, GRND_NONBLOCK);

		if (got <= 0)
			return -ENODEV;
		to += got;
		size -= (size_t)got;
	}
	return 0;
}
