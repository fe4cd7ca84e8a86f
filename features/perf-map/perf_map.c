/* SPDX-License-Identifier: BSD-2-Clause */
/* Tells perf the names of translated code, as it is made. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/option.h>
#include <husk/vm.h>

#include "features/engine-dbt/observer.h"
#include "features/perf-map/file.h"
#include "features/perf-map/jitdump.h"
#include "features/perf-map/symbols.h"

#define NAME_MAX 256

static struct {
	int map, dump; /* descriptors, -1 if there is no such file */
	bool wants_dump;
	uint64_t units;
	struct perf_symbols symbols;
} perf = { .map = -1, .dump = -1 };

static void name_of(char name[static NAME_MAX], uint64_t pc)
{
	const struct perf_symbol *s = perf_symbols_find(&perf.symbols, pc);

	if (s == NULL)
		snprintf(name, NAME_MAX, "0x%" PRIx64, pc);
	else if (s->value == pc)
		snprintf(name, NAME_MAX, "%s", s->name);
	else
		snprintf(name, NAME_MAX, "%s+0x%" PRIx64, s->name, pc - s->value);
}

static void emitted(const struct dbt_unit *u)
{
	char name[NAME_MAX], line[NAME_MAX + 40];
	int length;

	name_of(name, u->pc);
	/* Lines of "START SIZE NAME", hexadecimal; the rest of the line is the name. */
	length = snprintf(line, sizeof(line), "%" PRIxPTR " %zx %s\n", (uintptr_t)u->code, u->bytes, name);
	if (perf.map >= 0 && !perf_write(perf.map, line, (size_t)length))
		log_debug("the perf map is not complete");
	if (perf.dump >= 0)
		jitdump_add(perf.dump, perf.units, u->code, u->bytes, name);
	perf.units++;
}

/* Later lines for the same place count; the jitdump tells them apart by time. */
static void flushed(struct vm *vm)
{
	(void)vm;
}

DBT_OBSERVER(perf_map) = { .emitted = emitted, .flushed = flushed };

static int attach(struct vm *vm)
{
	int err = perf_symbols_load(&perf.symbols, vm->payload);

	if (err != 0)
		return err;
	perf.map = perf_create("perf", "map");
	if (perf.wants_dump)
		perf.dump = jitdump_open();
	return 0;
}

HUSK_FEATURE(perf_map) = {
	.name = "perf-map",
	.purpose = "tells perf the guest's names of translated code",
	.level = FEATURE_TOOL,
	.attach = attach,
};

static int given_jitdump(const char *value)
{
	(void)value;
	perf.wants_dump = true;
	return 0;
}

HUSK_OPTION(jitdump) = { "jitdump", "", "write translated code to /tmp/jit-PID.dump for perf inject", given_jitdump };
