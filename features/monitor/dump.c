/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands "x" and "xp": guest memory in hexadecimal and ASCII. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <husk/log.h>
#include <husk/monitor.h>
#include <husk/vm.h>

#include "features/monitor/monitor.h"

#define COLUMNS       16u
#define DEFAULT_COUNT 64u
#define MAX_COUNT     4096u

/* Translates an address of the dump. Returns 0 or -EFAULT. */
typedef int translate(struct vm *vm, uint64_t address, uint64_t *gpa);

static int physical(struct vm *vm, uint64_t address, uint64_t *gpa)
{
	(void)vm;
	*gpa = address;
	return 0;
}

static int virtual(struct vm *vm, uint64_t address, uint64_t *gpa)
{
	return vm->engine->translate(vm->vcpus[0], address, gpa);
}

static void print_row(uint64_t address, const uint8_t *bytes, unsigned count)
{
	static const char digits[] = "0123456789abcdef";
	char hex[COLUMNS * 3 + 1], text[COLUMNS + 1];

	memset(hex, ' ', sizeof(hex) - 1);
	for (unsigned i = 0; i < count; i++) {
		hex[i * 3 + 1] = digits[bytes[i] >> 4];
		hex[i * 3 + 2] = digits[bytes[i] & 15];
		text[i] = bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : '.';
	}
	hex[sizeof(hex) - 1] = text[count] = '\0';
	log_text("0x%016" PRIx64 ":%s  %s\n", address, hex, text);
}

/* Reads byte by byte, because a row may cross into another page. Reading a device would disturb it: RAM only. */
static int read_row(struct vm *vm, translate *to_gpa, uint64_t address, uint8_t *bytes, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t gpa;
		if (to_gpa(vm, address + i, &gpa) < 0) {
			log_text("0x%016" PRIx64 " is not mapped\n", address + i);
			return -EFAULT;
		}
		if (memory_read(&vm->memory, gpa, &bytes[i], 1) < 0) {
			log_text("0x%016" PRIx64 " is at physical 0x%" PRIx64 ", which is not RAM\n", address + i, gpa);
			return -EFAULT;
		}
	}
	return 0;
}

static int dump(struct vm *vm, int argc, char **argv, translate *to_gpa)
{
	uint64_t address, count = DEFAULT_COUNT;

	if (argc < 2 || argc > 3 || monitor_number(vm, argv[1], &address) < 0)
		return -EINVAL;
	if (argc == 3 && monitor_number(vm, argv[2], &count) < 0)
		return -EINVAL;
	if (count > MAX_COUNT) {
		log_text("at most 0x%x bytes at a time\n", MAX_COUNT);
		count = MAX_COUNT;
	}
	for (uint64_t at = 0; at < count; at += COLUMNS) {
		uint8_t bytes[COLUMNS];
		unsigned n = count - at < COLUMNS ? (unsigned)(count - at) : COLUMNS;
		if (read_row(vm, to_gpa, address + at, bytes, n) < 0)
			break;
		print_row(address + at, bytes, n);
	}
	return 0;
}

static int run_x(struct vm *vm, int argc, char **argv)
{
	return dump(vm, argc, argv, virtual);
}

static int run_xp(struct vm *vm, int argc, char **argv)
{
	return dump(vm, argc, argv, physical);
}

MONITOR_COMMAND(x) = { "x", "ADDRESS [COUNT]", "dumps guest memory at a virtual address", run_x };
MONITOR_COMMAND(xp) = { "xp", "ADDRESS [COUNT]", "dumps guest memory at a physical address", run_xp };
