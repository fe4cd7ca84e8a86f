/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/lockstep/output.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/linux/syscall.h"

/* Longest text of one call. */
#define LINE_MAX 512u

static void write_all(const struct lockstep_output *o, const void *data, size_t size)
{
	const char *from = data;

	while (size > 0) {
		long done = linux_call3_retry(__NR_write, o->fd, (long)from, (long)size);

		if (done <= 0) {
			log_error("lockstep: descriptor %d cannot be written (kernel error %ld)", o->fd, -done);
			plat_exit(HUSK_EXIT_HOST);
		}
		from += done;
		size -= (size_t)done;
	}
}

void lockstep_flush(struct lockstep_output *o)
{
	if (o->fd >= 0)
		write_all(o, o->buffer, o->used);
	o->used = 0;
}

void lockstep_print(struct lockstep_output *o, const char *format, ...)
{
	va_list args;

	if (sizeof(o->buffer) - o->used < LINE_MAX)
		lockstep_flush(o);
	va_start(args, format);
	o->used += (size_t)vsnprintf(o->buffer + o->used, LINE_MAX, format, args);
	va_end(args);
}

void lockstep_print_bytes(struct lockstep_output *o, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		lockstep_print(o, "%02x", bytes[i]);
}

void lockstep_write(struct lockstep_output *o, const void *data, size_t size)
{
	lockstep_flush(o);
	if (o->fd >= 0)
		write_all(o, data, size);
}
