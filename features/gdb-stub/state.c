/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers and memory of the guest. */
#include <errno.h>

#include <husk/memory.h>

#include "features/gdb-stub/server.h"

/* Registers. */

void gdb_read_registers(struct gdb *g)
{
	for (unsigned n = 0; n < g->registers.target->nr_registers; n++)
		gdb_register_put(&g->registers, gdb_vcpu(g), n, &g->out);
}

void gdb_write_registers(struct gdb *g, struct gdb_scan *s)
{
	const struct gdb_target *t = g->registers.target;

	if (gdb_scan_left(s) != (size_t)2 * t->bytes * t->nr_registers) {
		gdb_put_text(&g->out, GDB_EINVAL);
		return;
	}
	/* A register that is not known here comes back as it was sent, as x. */
	for (unsigned n = 0; n < t->nr_registers; n++) {
		struct gdb_scan one = { .at = s->at, .end = s->at + (size_t)2 * t->bytes };

		gdb_register_take(&g->registers, gdb_vcpu(g), n, &one);
		s->at = one.end;
	}
	gdb_put_ok(g);
}

void gdb_read_register(struct gdb *g, struct gdb_scan *s)
{
	uint64_t n;

	if (!gdb_scan_number(s, &n) || gdb_scan_left(s) != 0 || n >= g->registers.target->nr_registers)
		gdb_put_text(&g->out, GDB_EINVAL);
	else
		gdb_register_put(&g->registers, gdb_vcpu(g), (unsigned)n, &g->out);
}

void gdb_write_register(struct gdb *g, struct gdb_scan *s)
{
	const struct gdb_target *t = g->registers.target;
	uint64_t n;

	if (gdb_scan_number(s, &n) && gdb_scan_text(s, "=") && n < t->nr_registers &&
	    gdb_scan_left(s) == (size_t)2 * t->bytes && gdb_register_take(&g->registers, gdb_vcpu(g), (unsigned)n, s))
		gdb_put_ok(g);
	else
		gdb_put_text(&g->out, GDB_EINVAL);
}

/* Memory: RAM at guest virtual addresses. To read from a device would disturb it. */

#define BUFFER 256u

/* RAM from gva on, up to the end of its page. Returns how many bytes of `size`, 0 if there is no RAM. */
static uint64_t find_ram(const struct gdb *g, uint64_t gva, uint64_t size, uint64_t *gpa)
{
	uint64_t in_page = GUEST_PAGE_SIZE - gva % GUEST_PAGE_SIZE;

	if (g->vm->engine->translate(gdb_vcpu(g), gva, gpa) != 0 || memory_borrow(&g->vm->memory, *gpa, 1) == NULL)
		return 0;
	return size < in_page ? size : in_page;
}

/* True if all of it is RAM. */
static bool is_ram(const struct gdb *g, uint64_t gva, uint64_t size)
{
	while (size > 0) {
		uint64_t gpa, n = find_ram(g, gva, size, &gpa);

		if (n == 0)
			return false;
		gva += n;
		size -= n;
	}
	return true;
}

void gdb_read_memory(struct gdb *g, struct gdb_scan *s)
{
	uint64_t gva, size, gpa, n;

	if (!gdb_scan_number(s, &gva) || !gdb_scan_text(s, ",") || !gdb_scan_number(s, &size) ||
	    gdb_scan_left(s) != 0) {
		gdb_put_text(&g->out, GDB_EINVAL);
		return;
	}
	/* A short reply says that there is no more. */
	size = size < GDB_PACKET_MAX / 2 ? size : GDB_PACKET_MAX / 2;
	while (size > 0 && (n = find_ram(g, gva, size < BUFFER ? size : BUFFER, &gpa)) != 0) {
		uint8_t bytes[BUFFER];

		if (memory_read(&g->vm->memory, gpa, bytes, n) != 0)
			break;
		gdb_put_bytes(&g->out, bytes, n);
		gva += n;
		size -= n;
	}
	if (size > 0 && g->out.length == 0)
		gdb_put_text(&g->out, GDB_EFAULT);
}

static bool take_bytes(struct gdb_scan *s, bool binary, uint8_t *bytes, uint64_t size)
{
	if (!binary)
		return gdb_scan_bytes(s, bytes, size);
	for (uint64_t i = 0; i < size; i++)
		bytes[i] = *s->at++;
	return true;
}

static const char *write_memory(struct gdb *g, uint64_t gva, uint64_t size, struct gdb_scan *s, bool binary)
{
	uint64_t gpa, n;

	if (!is_ram(g, gva, size))
		return GDB_EFAULT;
	for (; size > 0; gva += n, size -= n) {
		uint8_t bytes[BUFFER];

		n = find_ram(g, gva, size < BUFFER ? size : BUFFER, &gpa);
		if (n == 0 || !take_bytes(s, binary, bytes, n))
			return GDB_EINVAL;
		if (memory_write(&g->vm->memory, gpa, bytes, n) != 0)
			return GDB_EFAULT;
	}
	return "OK";
}

void gdb_write_memory(struct gdb *g, struct gdb_scan *s, bool binary)
{
	uint64_t gva, size;

	/* All of the data has to be there before anything is written. */
	if (gdb_scan_number(s, &gva) && gdb_scan_text(s, ",") && gdb_scan_number(s, &size) && gdb_scan_text(s, ":") &&
	    size <= GDB_PACKET_MAX && gdb_scan_left(s) == (binary ? size : 2 * size))
		gdb_put_text(&g->out, write_memory(g, gva, size, s, binary));
	else
		gdb_put_text(&g->out, GDB_EINVAL);
}
