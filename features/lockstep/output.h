/* SPDX-License-Identifier: BSD-2-Clause */
/* Output to a file descriptor that whoever started the image has opened. */
#ifndef LOCKSTEP_OUTPUT_H
#define LOCKSTEP_OUTPUT_H

#include <stddef.h>

/** A descriptor and what waits to be written to it. */
struct lockstep_output {
	int fd; /**< -1: nothing is written */
	size_t used;
	char buffer[4096];
};

/** Adds text. */
void lockstep_print(struct lockstep_output *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Adds `size` bytes in hexadecimal. */
void lockstep_print_bytes(struct lockstep_output *o, const void *data, size_t size);

/** Writes `size` bytes as they are, behind what waits. */
void lockstep_write(struct lockstep_output *o, const void *data, size_t size);

/** Writes what waits. */
void lockstep_flush(struct lockstep_output *o);

#endif
