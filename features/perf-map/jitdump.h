/* SPDX-License-Identifier: BSD-2-Clause */
/* perf's jitdump: a file with names, places, times and bytes of generated code (Linux, tools/perf/Documentation/jitdump-specification.txt). */
#ifndef PERF_MAP_JITDUMP_H
#define PERF_MAP_JITDUMP_H

#include <stddef.h>
#include <stdint.h>

/** Makes the file and tells perf. Returns its descriptor, or -1 after logging one line. */
int jitdump_open(void);

/** Adds a piece of code with its name; `number` is another one each time. */
void jitdump_add(int fd, uint64_t number, const void *code, size_t bytes, const char *name);

#endif
