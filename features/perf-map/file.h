/* SPDX-License-Identifier: BSD-2-Clause */
/* Files by the names that perf expects, in /tmp. */
#ifndef PERF_MAP_FILE_H
#define PERF_MAP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** This process. */
unsigned perf_pid(void);

/**
 * Makes /tmp/BASE-PID.EXTENSION anew, owned by the user, and opens it for writing. Returns its descriptor, or -1 after
 * logging one line.
 */
int perf_create(const char *base, const char *extension);

/** Writes all of it; false if that failed. */
bool perf_write(int fd, const void *data, size_t size);

/** Maps the first page of a file executable, by which perf learns that the file exists. False if the system refuses. */
bool perf_announce(int fd);

#endif
