/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits to actions. */
#include <inttypes.h>
#include <stdio.h>

#include <husk/log.h>

#include "arch/x86_64/hvm/emulate.h"
#include "arch/x86_64/hvm/hvm.h"

const char *const hvm_cause_names[HVM_CAUSES] = {
	[HVM_ATTENTION] = "attention", [HVM_INTERRUPT] = "interrupt", [HVM_WINDOW] = "window",
	[HVM_CPUID] = "cpuid",         [HVM_MSR_READ] = "rdmsr",      [HVM_MSR_WRITE] = "wrmsr",
	[HVM_PORT] = "port",           [HVM_MEMORY] = "memory",       [HVM_HALT] = "hlt",
	[HVM_CALL] = "hypercall",      [HVM_EXCEPTION] = "exception", [HVM_SHUTDOWN] = "shutdown",
	[HVM_CACHE] = "cache",         [HVM_FORBIDDEN] = "forbidden", [HVM_COUNTERS] = "rdpmc",
	[HVM_IRET] = "iret",           [HVM_INVALID] = "invalid",     [HVM_OWN] = "registers",
	[HVM_UNKNOWN] = "unknown",     [HVM_SPIN] = "spin",
};

#define DR6_BS (1u << 14) /* SDM 3B, 17.2.3: a single step */

const struct hvm_code *hvm_find_code(const struct hvm_code *codes, unsigned n, uint64_t code)
{
	for (unsigned i = 0; i < n; i++) {
		if (codes[i].code == code)
			return &codes[i];
	}
	return NULL;
}

/* Bytes of the opcode of the instructions that exit without telling their length. */
static unsigned opcode_bytes(enum hvm_cause cause)
{
	switch (cause) {
	case HVM_HALT: return 1;
	case HVM_CALL: return 3;
	default: return 2;
	}
}

static unsigned length_of(struct x86_cpu *c, const struct hvm_exit *x)
{
	uint8_t bytes[HVM_INSTRUCTION];
	unsigned n;

	if (x->length != 0)
		return x->length;
	n = x86_fetch(c, bytes, sizeof(bytes));
	return x86_prefixed_length(bytes, n, opcode_bytes(x->cause), x86_is_64bit(c));
}

void hvm_advance(struct x86_cpu *c, unsigned length)
{
	c->rip += length;
	if (!x86_is_64bit(c))
		c->rip = (uint32_t)c->rip;
	c->shadow = false;
	c->rflags &= ~(uint64_t)X86_RFLAGS_RF;
	if (c->stepping) {
		c->stepping = false;
	} else if ((c->rflags & X86_RFLAGS_TF) != 0) {
		/* SDM 3B, 17.3.1.4: BS tells of a single step. */
		c->hvm->set(c, X86_DR6, c->hvm->get(c, X86_DR6) | DR6_BS);
		x86_raise(c, X86_DB, 0);
	}
}

static void read_msr(struct x86_cpu *c, unsigned length)
{
	uint64_t value;

	if (!hvm_read_msr(c, (uint32_t)c->gpr[X86_RCX], &value)) {
		x86_raise(c, X86_GP, 0);
		return;
	}
	c->gpr[X86_RAX] = (uint32_t)value;
	c->gpr[X86_RDX] = value >> 32;
	hvm_advance(c, length);
}

static void write_msr(struct x86_cpu *c, unsigned length)
{
	uint64_t value = c->gpr[X86_RDX] << 32 | (uint32_t)c->gpr[X86_RAX];

	if (hvm_write_msr(c, (uint32_t)c->gpr[X86_RCX], value))
		hvm_advance(c, length);
	else
		x86_raise(c, X86_GP, 0);
}

static void call(struct x86_cpu *c, unsigned length)
{
	enum x86_call_result result = X86_CALL_UNKNOWN;

	for (struct x86_extension *x = c->extensions; x != NULL && result == X86_CALL_UNKNOWN; x = x->next) {
		if (x->call != NULL)
			result = x->call(x, c);
	}
	if (result == X86_CALL_DONE)
		hvm_advance(c, length);
	else if (result == X86_CALL_UNKNOWN)
		x86_raise(c, X86_UD, 0);
}

/* Exceptions of the guest that are looked at on the way, and go on to it. */
static void exception(struct x86_cpu *c, const struct hvm_exit *x)
{
	if (x->vector == X86_MC)
		return; /* the host's, which its own handler has seen */
	if (x->vector == X86_DB && (c->stepping || c->step_iret)) {
		c->hvm->set(c, X86_DR6, c->hvm->get(c, X86_DR6) & ~(uint64_t)DR6_BS);
		c->stepping = c->step_iret = false;
		return;
	}
	x86_raise(c, x->vector, x->error);
}

static void give_up(struct x86_cpu *c, const struct hvm_exit *x, const char *what)
{
	char why[96];

	snprintf(why, sizeof(why), "%s (exit 0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ")", what, x->code, x->info1,
		 x->info2);
	x86_give_up(c, why);
}

void hvm_handle_exit(struct x86_cpu *c, const struct hvm_exit *x)
{
	switch (x->cause) {
	case HVM_CPUID:
		hvm_cpuid(c);
		hvm_advance(c, length_of(c, x));
		break;
	case HVM_MSR_READ: read_msr(c, length_of(c, x)); break;
	case HVM_MSR_WRITE: write_msr(c, length_of(c, x)); break;
	case HVM_CALL: call(c, length_of(c, x)); break;
	case HVM_CACHE: hvm_advance(c, length_of(c, x)); break; /* caches are coherent: nothing to do */
	case HVM_HALT:
		hvm_advance(c, length_of(c, x));
		c->idle = true;
		break;
	case HVM_PORT: hvm_port(c, x); break;
	case HVM_MEMORY: hvm_memory(c, x); break;
	case HVM_EXCEPTION: exception(c, x); break;
	case HVM_IRET:
		c->watch_iret = false;
		c->iret_rip = c->rip;
		c->step_iret = c->nmi_pending;
		if (c->step_iret)
			c->rflags |= X86_RFLAGS_TF;
		break;
	case HVM_OWN: c->hvm->handle(c, x); break;
	case HVM_SPIN: c->spins(c); break;
	case HVM_FORBIDDEN: x86_raise(c, X86_UD, 0); break;
	case HVM_COUNTERS: x86_raise(c, X86_GP, 0); break;
	case HVM_SHUTDOWN: x86_give_up(c, "it took an exception that it could not handle (triple fault)"); break;
	case HVM_INVALID: give_up(c, x, "the CPU refuses its state"); break;
	case HVM_UNKNOWN: give_up(c, x, "it left for a reason that husk does not know"); break;
	default: break;
	}
}
