/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers by number, guest virtual memory. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <husk/memory.h>

#include "arch/x86_64/hvm/hvm.h"
#include "arch/x86_64/hvm/walk.h"

/* x86_get_register() counts on this order. */
enum {
	REG_RIP,
	REG_GPR,
	REG_RFLAGS = REG_GPR + X86_GPRS,
	REG_CONTROL,
	REG_SELECTOR = REG_CONTROL + X86_CONTROLS,
	REG_BASE = REG_SELECTOR + X86_SEGMENTS,
	REGISTERS = REG_BASE + X86_SEGMENTS,
};

const struct engine_register x86_registers[] = {
	{ "rip", 8 },       { "rax", 8 },     { "rcx", 8 },       { "rdx", 8 },     { "rbx", 8 },
	{ "rsp", 8 },       { "rbp", 8 },     { "rsi", 8 },       { "rdi", 8 },     { "r8", 8 },
	{ "r9", 8 },        { "r10", 8 },     { "r11", 8 },       { "r12", 8 },     { "r13", 8 },
	{ "r14", 8 },       { "r15", 8 },     { "rflags", 8 },    { "cr0", 8 },     { "cr2", 8 },
	{ "cr3", 8 },       { "cr4", 8 },     { "cr8", 8 },       { "efer", 8 },    { "dr6", 8 },
	{ "dr7", 8 },       { "es", 2 },      { "cs", 2 },        { "ss", 2 },      { "ds", 2 },
	{ "fs", 2 },        { "gs", 2 },      { "ldtr", 2 },      { "tr", 2 },      { "gdtr", 2 },
	{ "idtr", 2 },      { "es_base", 8 }, { "cs_base", 8 },   { "ss_base", 8 }, { "ds_base", 8 },
	{ "fs_base", 8 },   { "gs_base", 8 }, { "ldtr_base", 8 }, { "tr_base", 8 }, { "gdtr_base", 8 },
	{ "idtr_base", 8 },
};
_Static_assert(sizeof(x86_registers) / sizeof(x86_registers[0]) == REGISTERS && REGISTERS == X86_REGISTERS,
	       "a name for each register");

uint64_t x86_get_register(struct vcpu *v, unsigned n)
{
	struct x86_cpu *c = x86_cpu(v);
	struct x86_segment s;

	if (n == REG_RIP)
		return c->rip;
	if (n < REG_RFLAGS)
		return c->gpr[n - REG_GPR];
	if (n == REG_RFLAGS)
		return c->rflags;
	if (n < REG_SELECTOR)
		return c->hvm->get(c, n - REG_CONTROL);
	if (n >= REGISTERS)
		return 0;
	c->hvm->get_segment(c, (n - REG_SELECTOR) % X86_SEGMENTS, &s);
	return n < REG_BASE ? s.selector : s.base;
}

void x86_set_register(struct vcpu *v, unsigned n, uint64_t value)
{
	struct x86_cpu *c = x86_cpu(v);
	struct x86_segment s;

	if (n == REG_RIP) {
		c->rip = value;
	} else if (n < REG_RFLAGS) {
		c->gpr[n - REG_GPR] = value;
	} else if (n == REG_RFLAGS) {
		c->rflags = value | X86_RFLAGS_ONE;
	} else if (n < REG_SELECTOR) {
		c->hvm->set(c, n - REG_CONTROL, value);
	} else if (n < REGISTERS) {
		c->hvm->get_segment(c, (n - REG_SELECTOR) % X86_SEGMENTS, &s);
		if (n < REG_BASE)
			s.selector = (uint16_t)value;
		else
			s.base = value;
		c->hvm->set_segment(c, (n - REG_SELECTOR) % X86_SEGMENTS, &s);
	}
}

bool x86_is_64bit(struct x86_cpu *c)
{
	struct x86_segment cs;

	if ((c->hvm->get(c, X86_EFER) & X86_EFER_LMA) == 0)
		return false;
	c->hvm->get_segment(c, X86_CS, &cs);
	return (cs.attributes & X86_SEG_LONG) != 0;
}

unsigned x86_cpl(struct x86_cpu *c)
{
	struct x86_segment ss;

	c->hvm->get_segment(c, X86_SS, &ss);
	return X86_SEG_DPL(ss.attributes);
}

int x86_translate(struct vcpu *v, uint64_t gva, uint64_t *gpa)
{
	struct x86_cpu *c = x86_cpu(v);
	const struct x86_paging paging = { .cr0 = c->hvm->get(c, X86_CR0),
					   .cr3 = c->hvm->get(c, X86_CR3),
					   .cr4 = c->hvm->get(c, X86_CR4),
					   .efer = c->hvm->get(c, X86_EFER) };

	return x86_walk(&v->vm->memory, &paging, gva, gpa);
}

/* Host memory of the part of [gva, gva + *size) that lies in one page, whose size *size becomes. */
static uint8_t *borrow(struct x86_cpu *c, uint64_t gva, uint64_t *size)
{
	uint64_t gpa, left = GUEST_PAGE_SIZE - (gva & ~GUEST_PAGE_MASK);

	if (*size > left)
		*size = left;
	return x86_translate(&c->vcpu, gva, &gpa) == 0 ? memory_borrow(&c->vcpu.vm->memory, gpa, *size) : NULL;
}

static int copy(struct x86_cpu *c, uint64_t gva, uint8_t *buf, uint64_t size, bool write, uint64_t *bad)
{
	while (size > 0) {
		uint64_t part = size;
		uint8_t *host = borrow(c, gva, &part);

		if (host == NULL) {
			if (bad != NULL)
				*bad = gva;
			return -EFAULT;
		}
		if (write)
			memcpy(host, buf, part);
		else
			memcpy(buf, host, part);
		gva += part;
		buf += part;
		size -= part;
	}
	return 0;
}

int x86_read_virtual(struct x86_cpu *c, uint64_t gva, void *buf, uint64_t size, uint64_t *bad)
{
	return copy(c, gva, buf, size, false, bad);
}

int x86_write_virtual(struct x86_cpu *c, uint64_t gva, const void *buf, uint64_t size, uint64_t *bad)
{
	return copy(c, gva, (uint8_t *)(uintptr_t)buf, size, true, bad);
}

unsigned x86_fetch(struct x86_cpu *c, uint8_t *bytes, unsigned size)
{
	struct x86_segment cs = { 0 };
	unsigned n = 0;

	if (!x86_is_64bit(c))
		c->hvm->get_segment(c, X86_CS, &cs);
	while (n < size) {
		uint64_t part = size - n;
		const uint8_t *host = borrow(c, cs.base + c->rip + n, &part);

		if (host == NULL)
			break;
		memcpy(bytes + n, host, part);
		n += (unsigned)part;
	}
	return n;
}
