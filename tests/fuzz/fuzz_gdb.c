/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/gdb-stub/server.c features/gdb-stub/query.c features/gdb-stub/resume.c features/gdb-stub/state.c */
/* sources: features/gdb-stub/points.c features/gdb-stub/packet.c features/gdb-stub/target.c features/gdb-stub/mips64.c */
/* sources: core/memory.c core/log.c tests/unit/fake_platform.c tests/unit/gdb_fixture.c */
/*
 * A debugger that sends anything. The first byte says how: the rest is the bytes on the
 * line, or lines that are each put into a correct frame, which gets behind the sum. The
 * guest runs a little after each.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/gdb_fixture.h"

/* Bits of the first byte */
#define MODE_RAW   1u
#define MODE_BIG   2u
#define MODE_HOOKS 4u
#define MODE_EVENT 8u /**< the guest reaches something after each packet */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(uint8_t mode)
{
	if ((mode & MODE_EVENT) != 0)
		fixture_event = DEBUG_WATCHPOINT;
	fixture_vm.vcpus[0]->attention = 0;
	gdb_run(&fixture_gdb, fixture_vm.vcpus[0]);
	if (fixture_gdb.stopped != fixture_vm.stopped || fixture_gdb.nr_points > GDB_MAX_POINTS)
		abort();
}

static void send_lines(uint8_t mode, const uint8_t *data, size_t size)
{
	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end != NULL ? (size_t)(end - data) : size;

		fixture_ask_bytes(data, length);
		run(mode);
		length += end != NULL;
		data += length;
		size -= length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	fixture_start((data[0] & MODE_BIG) != 0, (data[0] & MODE_HOOKS) != 0);
	if ((data[0] & MODE_RAW) != 0)
		gdb_input(&fixture_gdb, data + 1, size - 1);
	else
		send_lines(data[0], data + 1, size - 1);
	run(data[0]);
	gdb_peer(&fixture_gdb, false);
	if (fixture_gdb.stopped || fixture_gdb.nr_points != 0)
		abort();
	fixture_end();
	return 0;
}
