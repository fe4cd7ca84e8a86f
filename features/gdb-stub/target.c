/* SPDX-License-Identifier: BSD-2-Clause */
#include "features/gdb-stub/target.h"

#include <stdio.h>
#include <string.h>

static int find_register(const struct engine *e, const char *name)
{
	for (unsigned n = 0; n < e->nr_registers; n++)
		if (strcmp(e->registers[n].name, name) == 0)
			return (int)n;
	return -1;
}

void gdb_registers_init(struct gdb_registers *r, const struct gdb_target *target, const struct engine *engine,
			bool big_endian)
{
	r->target = target;
	r->engine = engine;
	r->big_endian = big_endian;
	for (unsigned n = 0; n < target->nr_registers; n++)
		r->numbers[n] = find_register(engine, target->registers[n].engine_name);
}

/* Place in a value, in bits, of byte n as it is sent. */
static unsigned shift_of(const struct gdb_registers *r, unsigned n)
{
	return 8 * (r->big_endian ? r->target->bytes - 1 - n : n);
}

void gdb_register_put(const struct gdb_registers *r, struct vcpu *v, unsigned n, struct gdb_packet *out)
{
	uint64_t value;

	if (r->numbers[n] < 0) {
		for (unsigned i = 0; i < r->target->bytes; i++)
			gdb_put_text(out, "xx");
		return;
	}
	value = r->engine->get_register(v, (unsigned)r->numbers[n]);
	for (unsigned i = 0; i < r->target->bytes; i++) {
		uint8_t byte = (uint8_t)(value >> shift_of(r, i));

		gdb_put_bytes(out, &byte, 1);
	}
}

bool gdb_register_take(const struct gdb_registers *r, struct vcpu *v, unsigned n, struct gdb_scan *in)
{
	uint64_t value = 0;
	uint8_t byte;

	if (n >= r->target->nr_registers)
		return false;
	for (unsigned i = 0; i < r->target->bytes; i++) {
		if (!gdb_scan_bytes(in, &byte, 1))
			return false;
		value |= (uint64_t)byte << shift_of(r, i);
	}
	if (r->numbers[n] >= 0)
		r->engine->set_register(v, (unsigned)r->numbers[n], value);
	return true;
}

/* The description is made anew for each part of it that is asked for; only that part is kept. */
struct window {
	uint64_t at, from, to; /* position in the whole, and what is wanted */
	struct gdb_packet *out;
};

static void emit(struct window *w, const char *text)
{
	for (; *text != '\0'; text++, w->at++)
		if (w->at >= w->from && w->at < w->to)
			gdb_put(w->out, text, 1);
}

static void emit_register(struct window *w, const struct gdb_target *t, unsigned n)
{
	const struct gdb_register *r = &t->registers[n];
	char line[160];

	snprintf(line, sizeof(line), "<reg name=\"%s\" bitsize=\"%u\" regnum=\"%u\" type=\"%s\"/>\n", r->name,
		 8 * t->bytes, n, r->type);
	emit(w, line);
}

static void emit_feature(struct window *w, const struct gdb_target *t, unsigned feature)
{
	emit(w, "<feature name=\"");
	emit(w, t->features[feature]);
	emit(w, "\">\n");
	for (unsigned n = 0; n < t->nr_registers; n++)
		if (t->registers[n].feature == feature)
			emit_register(w, t, n);
	emit(w, "</feature>\n");
}

bool gdb_target_describe(const struct gdb_target *t, uint64_t offset, uint64_t size, struct gdb_packet *out)
{
	struct window w = { .from = offset, .to = offset + size < offset ? UINT64_MAX : offset + size, .out = out };

	emit(&w, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n");
	/* The architecture is left to the kernel's file, which knows its vendor's extensions. */
	if (t->architecture != NULL) {
		emit(&w, "<architecture>");
		emit(&w, t->architecture);
		emit(&w, "</architecture>\n");
	}
	for (unsigned feature = 0; feature < t->nr_features; feature++)
		emit_feature(&w, t, feature);
	emit(&w, "</target>\n");
	return w.to >= w.at;
}
