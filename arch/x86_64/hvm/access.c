/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses of the guest that go to devices: ports, and memory that is not RAM. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <husk/log.h>

#include "arch/x86_64/hvm/emulate.h"
#include "arch/x86_64/hvm/hvm.h"

static uint64_t mask_of(unsigned bytes)
{
	return bytes == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * bytes) - 1;
}

/* A bus that nobody answers on reads as all ones. */
static uint64_t read_bus(struct bus *bus, uint64_t address, unsigned size)
{
	uint64_t value = bus_read(bus, address, size);

	return bus_find(bus, address, size) != NULL ? value : mask_of(size);
}

/* --- ports */

/* The POST display, and its substitute. */
const uint16_t hvm_direct_ports[HVM_DIRECT_PORTS] = { 0x80, 0xed };

/*
 * INS and OUTS, one element an exit: RIP stays until the last of a repeated one, so that interrupts come in between
 * (SDM 2A, REP). Segment overrides are ignored: where bases are not 0, code uses none.
 */
static void string_port(struct x86_cpu *c, const struct hvm_exit *x)
{
	uint64_t limit = x86_is_64bit(c) ? UINT64_MAX : UINT32_MAX;
	uint64_t *index = &c->gpr[x->in ? X86_RDI : X86_RSI], value = 0;
	uint64_t step = (c->rflags & X86_RFLAGS_DF) != 0 ? -(uint64_t)x->size : x->size;
	struct x86_segment s = { 0 };
	int err;

	if (x->repeat && (c->gpr[X86_RCX] & limit) == 0) {
		hvm_advance(c, x->length);
		return;
	}
	if (!x86_is_64bit(c))
		c->hvm->get_segment(c, x->in ? X86_ES : X86_DS, &s);
	if (x->in) {
		value = read_bus(&c->vcpu.vm->ports, x->port, x->size);
		err = x86_write_virtual(c, s.base + (*index & limit), &value, x->size, NULL);
	} else {
		err = x86_read_virtual(c, s.base + (*index & limit), &value, x->size, NULL);
		if (err == 0)
			bus_write(&c->vcpu.vm->ports, x->port, x->size, value);
	}
	if (err != 0) {
		x86_raise(c, X86_GP, 0);
		return;
	}
	*index = (*index + step) & limit;
	if (x->repeat)
		c->gpr[X86_RCX] = (c->gpr[X86_RCX] - 1) & limit;
	if (!x->repeat || c->gpr[X86_RCX] == 0)
		hvm_advance(c, x->length);
}

static void port(struct x86_cpu *c, const struct hvm_exit *x)
{
	struct bus *bus = &c->vcpu.vm->ports;
	uint64_t mask = mask_of(x->size);

	if (x->string) {
		string_port(c, x);
		return;
	}
	if (!x->in)
		bus_write(bus, x->port, x->size, c->gpr[X86_RAX] & mask);
	else if (x->size == 4) /* SDM 1, 3.4.1.1: 32-bit results are zero-extended */
		c->gpr[X86_RAX] = read_bus(bus, x->port, 4);
	else
		c->gpr[X86_RAX] = (c->gpr[X86_RAX] & ~mask) | read_bus(bus, x->port, x->size);
	hvm_advance(c, x->length);
}

void hvm_port(struct x86_cpu *c, const struct hvm_exit *x)
{
	vm_lock(c->vcpu.vm);
	port(c, x);
	vm_unlock(c->vcpu.vm);
}

/* --- memory */

/** The operand in memory: of a device that only this CPU sees, an address on the bus, or read-only memory. */
struct place {
	struct vm *vm;
	uint64_t gpa;
	struct device *own; /**< or NULL */
	bool rom;
};

static uint64_t read_place(void *ctx, unsigned size)
{
	const struct place *p = ctx;
	uint64_t value = 0;

	if (p->own != NULL)
		return p->own->ops->read(p->own, p->gpa - p->own->base, size);
	if (!p->rom)
		return read_bus(&p->vm->mmio, p->gpa, size);
	memory_read(&p->vm->memory, p->gpa, &value, size);
	return value;
}

static void write_place(void *ctx, unsigned size, uint64_t value)
{
	const struct place *p = ctx;

	if (p->own != NULL)
		p->own->ops->write(p->own, p->gpa - p->own->base, size, value);
	else if (!p->rom)
		bus_write(&p->vm->mmio, p->gpa, size, value);
	else
		log_debug("write to 0x%" PRIx64 ", which is read-only, ignored", p->gpa);
}

static struct device *own_device(const struct x86_cpu *c, uint64_t gpa)
{
	for (const struct x86_extension *x = c->extensions; x != NULL; x = x->next) {
		if (x->device != NULL && gpa - x->device->base < x->device->size)
			return x->device;
	}
	return NULL;
}

static enum x86_code code_width(struct x86_cpu *c)
{
	struct x86_segment cs;

	if (x86_is_64bit(c))
		return X86_CODE64;
	c->hvm->get_segment(c, X86_CS, &cs);
	return (cs.attributes & X86_SEG_BIG) != 0 ? X86_CODE32 : X86_CODE16;
}

static void refuse(struct x86_cpu *c, const struct hvm_exit *x, const uint8_t *bytes, unsigned n, const char *why)
{
	char text[160], code[3 * HVM_INSTRUCTION + 1] = "";

	for (unsigned i = 0; i < n; i++)
		snprintf(code + 3 * i, sizeof(code) - 3 * i, " %02x", bytes[i]);
	snprintf(text, sizeof(text), "%s at address 0x%" PRIx64 ", where it has no %s; its code:%s", why, x->gpa,
		 memory_region(&c->vcpu.vm->memory, x->gpa) != NULL ? "such RAM" : "RAM", code);
	x86_give_up(c, text);
}

void hvm_memory(struct x86_cpu *c, const struct hvm_exit *x)
{
	struct vm *vm = c->vcpu.vm;
	uint64_t page = 1;
	unsigned limits = memory_limits(&vm->memory, x->gpa, &page);
	struct place place = { .vm = vm, .gpa = x->gpa, .own = own_device(c, x->gpa) };
	const struct x86_operand operand = { .read = read_place, .write = write_place, .ctx = &place };
	uint8_t bytes[HVM_INSTRUCTION];
	unsigned n = x->nr_bytes;
	struct x86_insn insn;

	if (memory_region(&vm->memory, x->gpa) != NULL) {
		place.rom = x->write && (limits & MEMORY_READ_ONLY) != 0;
		/* A page of RAM that came into being after the tables were made. */
		if (!place.rom && !(x->fetch && (limits & MEMORY_NO_EXECUTE) != 0)) {
			if (c->hvm->map_memory(c) != 0)
				x86_give_up(c, "there is no memory for its page tables");
			return;
		}
	}
	if (x->fetch) {
		refuse(c, x, bytes, 0, "it executes");
		return;
	}
	if (n > 0)
		memcpy(bytes, x->bytes, sizeof(bytes));
	else
		n = x86_fetch(c, bytes, sizeof(bytes));
	if (x86_decode(bytes, n, code_width(c), &insn) != 0) {
		refuse(c, x, bytes, n, "it uses an instruction that husk does not know for devices,");
		return;
	}
	vm_lock(c->vcpu.vm);
	x86_execute(&insn, c->gpr, &c->rflags, &operand);
	vm_unlock(c->vcpu.vm);
	hvm_advance(c, insn.length);
}
