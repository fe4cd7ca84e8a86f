/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions about the stub and the target, and commands of the monitor. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <husk/log.h>
#include <husk/monitor.h>

#include "features/gdb-stub/server.h"

/* NULL in an image without the monitor. */
extern void monitor_execute(struct vm *vm, char *line) __attribute__((weak));

#define COMMAND_MAX 128u

static void supported(struct gdb *g)
{
	gdb_put_text(&g->out, "PacketSize=");
	gdb_put_number(&g->out, GDB_PACKET_MAX);
	gdb_put_text(&g->out, ";QStartNoAckMode+;qXfer:features:read+;vContSupported+");
}

static void describe_target(struct gdb *g, struct gdb_scan *s)
{
	uint64_t offset, size;
	bool last;

	if (!gdb_scan_text(s, "target.xml:") || !gdb_scan_number(s, &offset) || !gdb_scan_text(s, ",") ||
	    !gdb_scan_number(s, &size) || gdb_scan_left(s) != 0) {
		gdb_put_text(&g->out, GDB_EINVAL);
		return;
	}
	/* One byte says whether there is more. */
	size = size < GDB_PACKET_MAX - 1 ? size : GDB_PACKET_MAX - 1;
	gdb_put_text(&g->out, "m");
	last = gdb_target_describe(g->registers.target, offset, size, &g->out);
	if (last)
		g->out.data[0] = 'l';
}

static void list_threads(struct gdb *g)
{
	gdb_put_text(&g->out, "m");
	for (unsigned i = 0; i < g->vm->nr_vcpus; i++) {
		gdb_put_text(&g->out, i == 0 ? "" : ",");
		gdb_put_number(&g->out, i + 1);
	}
}

static void describe_thread(struct gdb *g, struct gdb_scan *s)
{
	char text[32];
	unsigned vcpu;

	if (!gdb_scan_thread(g, s, &vcpu)) {
		gdb_put_text(&g->out, GDB_EINVAL);
		return;
	}
	snprintf(text, sizeof(text), "vCPU %u of %s", vcpu, g->vm->engine->name);
	gdb_put_bytes(&g->out, text, strlen(text));
}

/* Text for the user of the debugger, in packets of their own before the reply. */
static void print(void *ctx, const char *text, size_t size)
{
	struct gdb *g = ctx;

	while (size > 0) {
		size_t n = size < 512 ? size : 512;

		gdb_put_text(&g->out, "O");
		gdb_put_bytes(&g->out, text, n);
		gdb_send_packet(g);
		text += n;
		size -= n;
	}
}

static void run_command(struct gdb *g, struct gdb_scan *s)
{
	char line[COMMAND_MAX] = { 0 };
	size_t size = gdb_scan_left(s) / 2;

	if (size >= sizeof(line) || gdb_scan_left(s) % 2 != 0 || !gdb_scan_bytes(s, (uint8_t *)line, size)) {
		gdb_put_text(&g->out, GDB_EINVAL);
		return;
	}
	log_redirect(print, g);
	if (monitor_execute != NULL)
		monitor_execute(g->vm, line);
	else
		log_text("this image has no monitor: build it with MONITOR\n");
	log_redirect(NULL, NULL);
	gdb_put_ok(g);
}

bool gdb_query(struct gdb *g, struct gdb_scan *s)
{
	if (gdb_scan_text(s, "Supported"))
		supported(g);
	else if (gdb_scan_text(s, "Xfer:features:read:"))
		describe_target(g, s);
	else if (gdb_scan_text(s, "fThreadInfo"))
		list_threads(g);
	else if (gdb_scan_text(s, "sThreadInfo"))
		gdb_put_text(&g->out, "l");
	else if (gdb_scan_text(s, "ThreadExtraInfo,"))
		describe_thread(g, s);
	else if (gdb_scan_text(s, "Rcmd,"))
		run_command(g, s);
	else if (gdb_scan_text(s, "Attached"))
		gdb_put_text(&g->out, "1"); /* so that the debugger detaches when it ends, and does not kill */
	else if (gdb_scan_text(s, "Symbol:"))
		gdb_put_ok(g);
	else if (gdb_scan_left(s) == 1 && gdb_scan_text(s, "C")) {
		gdb_put_text(&g->out, "QC");
		gdb_put_number(&g->out, g->vcpu + 1);
	} else
		return false;
	return true;
}

bool gdb_set(struct gdb *g, struct gdb_scan *s)
{
	if (!gdb_scan_text(s, "StartNoAckMode") || gdb_scan_left(s) != 0)
		return false;
	/* This packet has been acknowledged. */
	gdb_put_ok(g);
	g->no_ack = true;
	return true;
}
