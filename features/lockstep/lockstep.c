/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lockstep: stops at given instruction counts of vCPU 0 and writes digests of the guest's
 * state there, and all of it at the last one. tests/lockstep runs two images and compares.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/option.h>
#include <husk/vm.h>

#include "features/lockstep/output.h"
#include "features/lockstep/state.h"

/* What the command line said, and what came of it. */
static struct {
	struct vm *vm;
	struct lockstep_output records, dump;
	struct vcpu_stop next;
	uint64_t first, step, last;
	struct vcpu_stop fault;
	uint64_t fault_at, fault_register;
} lockstep = { .records = { .fd = -1 }, .dump = { .fd = -1 }, .fault_at = UINT64_MAX };

/* --- digests */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull; /* 2^64 / golden ratio: an odd number with mixed bits */
	return hash ^ hash >> 29;
}

struct digests {
	struct lockstep_visitor visitor; /* first */
	uint64_t part[LOCKSTEP_PARTS];
};

static void add_value(struct lockstep_visitor *self, enum lockstep_part part, const char *name, uint64_t value)
{
	struct digests *d = (struct digests *)self;

	(void)name;
	d->part[part] = mix(d->part[part], value);
}

/* Four lanes, so that multiplications overlap. */
static uint64_t digest_of_ram(const struct memory *m)
{
	uint64_t lane[4] = { 1, 2, 3, 4 };

	for (unsigned r = 0; r < m->nr_ram; r++) {
		const uint64_t *words = (const uint64_t *)(const void *)m->ram[r].hva;

		for (uint64_t n = 0; n < m->ram[r].size / 8; n += 4)
			for (unsigned k = 0; k < 4; k++)
				lane[k] = mix(lane[k], words[n + k]);
	}
	return mix(mix(mix(lane[0], lane[1]), lane[2]), lane[3]);
}

static void write_record(struct vcpu *v)
{
	struct digests d = { .visitor.value = add_value };
	struct lockstep_output *o = &lockstep.records;

	for (unsigned n = 0; n < v->vm->nr_vcpus; n++)
		lockstep_visit(v->vm->vcpus[n], &d.visitor);
	lockstep_print(o, "%" PRIu64 " %016" PRIx64, v->instructions, v->vm->engine->get_register(v, 0));
	for (unsigned n = 0; n < LOCKSTEP_PARTS; n++)
		lockstep_print(o, " %016" PRIx64, d.part[n]);
	lockstep_print(o, " %016" PRIx64 "\n", digest_of_ram(&v->vm->memory));
	lockstep_flush(o);
}

/* --- the whole state */

struct printer {
	struct lockstep_visitor visitor; /* first */
	unsigned vcpu;
};

static void print_value(struct lockstep_visitor *self, enum lockstep_part part, const char *name, uint64_t value)
{
	const struct printer *p = (const struct printer *)self;

	(void)part;
	if (p->vcpu != 0)
		lockstep_print(&lockstep.dump, "%u:", p->vcpu);
	lockstep_print(&lockstep.dump, "%s %016" PRIx64 "\n", name, value);
}

static void write_place(struct vcpu *v)
{
	uint64_t pc = v->vm->engine->get_register(v, 0), gpa, offset;
	const char *symbol = payload_symbol(v->vm->payload, pc, &offset);

	lockstep_print(&lockstep.dump, "@instructions %" PRIu64 "\n@cpu %s\n@byte_order %s\n", v->instructions,
		       lockstep_cpu(v), lockstep_is_big_endian(v) ? "big" : "little");
	if (symbol != NULL)
		lockstep_print(&lockstep.dump, "@symbol %.400s+0x%" PRIx64 "\n", symbol, offset);
	if (v->vm->engine->translate(v, pc, &gpa) == 0)
		lockstep_print(&lockstep.dump, "@pc_gpa %" PRIx64 "\n", gpa);
}

static void write_block(void)
{
	struct lockstep_block *b = &lockstep_block;

	if (b == NULL || b->size == 0)
		return;
	lockstep_print(&lockstep.dump, "@block %" PRIx64 " %" PRIx64 " %" PRIu64 " %" PRIx64 " ", b->pc, b->gpa,
		       b->guest_size, b->address);
	lockstep_print_bytes(&lockstep.dump, b->code, b->size);
	lockstep_print(&lockstep.dump, "\n");
}

static void write_dump(struct vcpu *v)
{
	struct printer printer = { .visitor.value = print_value };
	const struct memory *m = &v->vm->memory;

	if (lockstep.dump.fd < 0)
		return;
	write_place(v);
	write_block();
	for (; printer.vcpu < v->vm->nr_vcpus; printer.vcpu++)
		lockstep_visit(v->vm->vcpus[printer.vcpu], &printer.visitor);
	for (unsigned r = 0; r < m->nr_ram; r++) {
		lockstep_print(&lockstep.dump, "@ram %" PRIx64 " %" PRIu64 "\n", m->ram[r].gpa, m->ram[r].size);
		lockstep_write(&lockstep.dump, m->ram[r].hva, m->ram[r].size);
	}
	lockstep_flush(&lockstep.dump);
}

/* --- stops */

static void on_stop(struct vcpu_stop *s)
{
	struct vcpu *v = lockstep.vm->vcpus[0];
	uint64_t at = s->at;

	write_record(v);
	if (lockstep.last - at >= lockstep.step && lockstep.step != 0) {
		vcpu_stop_set(v, s, at + lockstep.step);
		return;
	}
	write_dump(v);
	vm_request(lockstep.vm, VM_QUIT);
}

static void on_fault(struct vcpu_stop *s)
{
	struct vcpu *v = lockstep.vm->vcpus[0];
	const struct engine *e = v->vm->engine;
	unsigned n = (unsigned)lockstep.fault_register;

	(void)s;
	if (n < e->nr_registers)
		e->set_register(v, n, e->get_register(v, n) ^ 1);
}

static int attach(struct vm *vm)
{
	lockstep.vm = vm;
	lockstep.next.reached = on_stop;
	lockstep.fault.reached = on_fault;
	/* Set first, it is reached first: the record of the same instruction shows the fault. */
	if (lockstep.fault_at != UINT64_MAX)
		vcpu_stop_set(vm->vcpus[0], &lockstep.fault, lockstep.fault_at);
	if (lockstep.records.fd >= 0)
		vcpu_stop_set(vm->vcpus[0], &lockstep.next, lockstep.first);
	return 0;
}

HUSK_FEATURE(lockstep) = {
	.name = "lockstep",
	.purpose = "writes digests of the guest's state for comparison",
	.level = FEATURE_TOOL,
	.attach = attach,
};

/* --- options */

/* Numbers, decimal or 0x hexadecimal, with a colon in between. */
static int scan(const char *text, uint64_t *to[], unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		char *end;

		if (*text < '0' || *text > '9')
			return -EINVAL;
		*to[n] = strtoull(text, &end, 0);
		if (*end != (n + 1 < count ? ':' : '\0'))
			return -EINVAL;
		text = end + 1;
	}
	return 0;
}

static int given_descriptor(const char *value, struct lockstep_output *o)
{
	uint64_t fd = 0, *to[] = { &fd };

	if (scan(value, to, 1) != 0 || fd > INT32_MAX)
		return -EINVAL;
	o->fd = (int)fd;
	return 0;
}

static int given_records(const char *value)
{
	return given_descriptor(value, &lockstep.records);
}

static int given_dump(const char *value)
{
	return given_descriptor(value, &lockstep.dump);
}

static int given_at(const char *value)
{
	uint64_t *to[] = { &lockstep.first, &lockstep.step, &lockstep.last };

	return scan(value, to, 3) == 0 && lockstep.first <= lockstep.last ? 0 : -EINVAL;
}

static int given_block(const char *value)
{
	uint64_t pc = 0, *to[] = { &pc };

	if (scan(value, to, 1) != 0)
		return -EINVAL;
	if (&lockstep_block != NULL)
		lockstep_block.wanted = pc;
	return 0;
}

static int given_fault(const char *value)
{
	uint64_t *to[] = { &lockstep.fault_at, &lockstep.fault_register };

	return scan(value, to, 2);
}

HUSK_OPTION(lockstep) = { "lockstep=", "FD", "write digests of the state to file descriptor FD", given_records };
HUSK_OPTION(lockstep_at) = { "lockstep-at=", "FIRST:STEP:LAST", "at these counts of instructions; end at the last",
			     given_at };
HUSK_OPTION(lockstep_dump) = { "lockstep-dump=", "FD", "write the whole state at the last one to descriptor FD",
			       given_dump };
HUSK_OPTION(lockstep_block) = { "lockstep-block=", "PC", "dump the host code made of guest address PC, too",
				given_block };
HUSK_OPTION(lockstep_fault) = { "lockstep-fault=", "N:REG", "flip bit 0 of register REG after N instructions",
				given_fault };
