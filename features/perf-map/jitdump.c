/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/perf-map/jitdump.h"

#include <string.h>

#include <husk/log.h>
#include <husk/platform.h>

#include "features/perf-map/file.h"

#define JITDUMP_MAGIC   0x4a695444u /* "JiTD" */
#define JITDUMP_VERSION 1u
#define JIT_CODE_LOAD   0u
#define EM_X86_64       62u

struct header {
	uint32_t magic, version, total_size, elf_mach, pad, pid;
	uint64_t timestamp, flags;
};

/* JIT_CODE_LOAD. The name with its NUL and the code follow. */
struct code_load {
	uint32_t id, total_size;
	uint64_t timestamp;
	uint32_t pid, tid;
	uint64_t vma, code_addr, code_size, code_index;
};

int jitdump_open(void)
{
	const struct header h = {
		.magic = JITDUMP_MAGIC,
		.version = JITDUMP_VERSION,
		.total_size = sizeof(h),
		.elf_mach = EM_X86_64,
		.pid = perf_pid(),
		.timestamp = plat_time_ns(), /* CLOCK_MONOTONIC: perf record -k mono */
	};
	int fd = perf_create("jit", "dump");

	if (fd >= 0 && (!perf_write(fd, &h, sizeof(h)) || !perf_announce(fd)))
		log_warn("/tmp/jit-%u.dump cannot be written or mapped executable: perf inject will not find it",
			 h.pid);
	return fd;
}

void jitdump_add(int fd, uint64_t number, const void *code, size_t bytes, const char *name)
{
	size_t name_size = strlen(name) + 1;
	const struct code_load r = {
		.id = JIT_CODE_LOAD,
		.total_size = (uint32_t)(sizeof(r) + name_size + bytes),
		.timestamp = plat_time_ns(),
		.pid = perf_pid(),
		.tid = perf_pid(),
		.vma = (uint64_t)(uintptr_t)code,
		.code_addr = (uint64_t)(uintptr_t)code,
		.code_size = bytes,
		.code_index = number,
	};

	if (!perf_write(fd, &r, sizeof(r)) || !perf_write(fd, name, name_size) || !perf_write(fd, code, bytes))
		log_debug("the jitdump is not complete");
}
