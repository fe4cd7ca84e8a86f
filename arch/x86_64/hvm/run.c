/* SPDX-License-Identifier: BSD-2-Clause */
/* The run loop: deliver what is pending, enter the guest, handle why it came back. */
#include <string.h>

#include "arch/x86_64/hvm/hvm.h"

void x86_add_interrupts(struct x86_cpu *c, struct x86_interrupts *source)
{
	struct x86_interrupts **end = &c->interrupts;

	while (*end != NULL)
		end = &(*end)->next;
	*end = source;
}

void x86_add_extension(struct x86_cpu *c, struct x86_extension *extension)
{
	struct x86_extension **end = &c->extensions;

	while (*end != NULL)
		end = &(*end)->next;
	*end = extension;
}

#define OPCODE_HLT       0xf4
#define EVENT_TYPE_SHIFT 8u
#define EVENT_ERROR      (1u << 11)
#define EVENT_VALID      (1u << 31)

uint32_t hvm_event_word(const struct x86_event *e)
{
	if (!e->valid)
		return 0;
	return EVENT_VALID | (e->has_error ? EVENT_ERROR : 0) | (uint32_t)e->type << EVENT_TYPE_SHIFT | e->vector;
}

struct x86_event hvm_event(uint32_t word, uint32_t error)
{
	return (struct x86_event){ .valid = (word & EVENT_VALID) != 0,
				   .has_error = (word & EVENT_ERROR) != 0,
				   .type = word >> EVENT_TYPE_SHIFT & 7,
				   .vector = (uint8_t)word,
				   .error = error };
}

/* SDM 3A, 10.8.3.1: CR8 holds off vectors of its class and below. */
static bool allowed(struct x86_cpu *c, const struct x86_interrupts *source, int vector)
{
	if ((c->rflags & X86_RFLAGS_IF) == 0)
		return false;
	return source->ignores_priority || (unsigned)vector >> 4 > c->hvm->get(c, X86_CR8);
}

/* Vector that wants to be delivered, and its source; -1: none. What the CPU delivers by itself only ends sleep here. */
static int pending_vector(struct x86_cpu *c, struct x86_interrupts **source)
{
	if (c->vcpu.debug.hold_interrupts)
		return -1;
	for (struct x86_interrupts *s = c->interrupts; s != NULL; s = s->next) {
		int vector = s->pending(s);

		if (vector < 0)
			continue;
		if (s->taken_over != NULL && s->taken_over(s)) {
			if (allowed(c, s, vector))
				c->idle = c->sleep = false;
			continue;
		}
		*source = s;
		return vector;
	}
	return -1;
}

/* NMIs do not nest: from delivery to the end of the IRET that follows (SDM 3A, 6.7.1). */
static void prepare_nmi(struct x86_cpu *c)
{
	if (c->nmi_blocked && !c->watch_iret && c->rip != c->iret_rip)
		c->nmi_blocked = false;
	if (!c->nmi_pending || c->nmi_blocked || c->shadow || c->inject.valid)
		return;
	c->inject = (struct x86_event){ .valid = true, .type = X86_EVENT_NMI, .vector = 2 };
	c->nmi_pending = c->idle = false;
	c->nmi_blocked = c->watch_iret = true;
}

void hvm_window_taken(struct x86_cpu *c)
{
	if (c->window_source->accepted != NULL)
		c->window_source->accepted(c->window_source, (uint8_t)c->window);
	c->window = -1;
}

/*
 * STI, HLT is how a guest waits for interrupts without losing one in between (SDM 2B, STI): the HLT is over with the
 * one that is pending. Not every CPU in software remembers, at the entry, that it stands between the two.
 */
static void finish_sti(struct x86_cpu *c)
{
	uint8_t opcode;

	if (x86_fetch(c, &opcode, 1) == 1 && opcode == OPCODE_HLT)
		hvm_advance(c, 1);
}

/* Prepares the next entry: an interrupt to deliver, now or when the guest can take it. Ends HLT. */
static void prepare(struct x86_cpu *c)
{
	struct x86_interrupts *source = NULL;
	int vector;

	prepare_nmi(c);
	vector = pending_vector(c, &source);
	c->window = vector;
	c->window_source = source;
	if (vector < 0 || !allowed(c, source, vector))
		return;
	c->idle = c->sleep = false;
	if (c->shadow)
		finish_sti(c);
	if (c->hvm->delivers || c->shadow || c->inject.valid)
		return;
	c->inject = (struct x86_event){ .valid = true, .type = X86_EVENT_INTERRUPT, .vector = (uint8_t)vector };
	hvm_window_taken(c);
}

static void record(struct x86_cpu *c, const struct hvm_exit *x)
{
	c->causes[x->cause]++;
	c->history[c->exits++ % X86_EXIT_HISTORY] =
		(struct x86_exit_record){ .rip = c->rip, .code = x->code, .info1 = x->info1, .info2 = x->info2 };
}

/* Enters the guest once. Returns false if there was something else to do. */
static bool enter(struct x86_cpu *c)
{
	struct hvm_exit x;

	c->hvm->enter(c, &x);
	if (x.cause == HVM_ATTENTION)
		return false;
	record(c, &x);
	hvm_handle_exit(c, &x);
	return true;
}

/* A guest that has executed HLT, or asked to sleep. */
static enum engine_exit idle(struct x86_cpu *c)
{
	if (vcpu_attention(&c->vcpu) != 0)
		return ENGINE_ATTENTION;
	return (c->rflags & X86_RFLAGS_IF) != 0 ? ENGINE_IDLE : ENGINE_HALTED;
}

static enum engine_exit run(struct x86_cpu *c)
{
	do {
		prepare(c);
		if (c->idle)
			return idle(c);
		if (c->sleep) {
			c->sleep = false;
			return c->inject.valid || vcpu_attention(&c->vcpu) != 0 ? ENGINE_ATTENTION : ENGINE_IDLE;
		}
	} while (enter(c));
	return ENGINE_ATTENTION;
}

/* Other CPUs look only while this one is out of here. */
static enum engine_exit leave(struct x86_cpu *c, enum engine_exit why)
{
	if (c->vcpu.vm->nr_vcpus > 1 && c->hvm->leave != NULL)
		c->hvm->leave(c);
	return why;
}

enum engine_exit hvm_run(struct vcpu *v)
{
	return leave(x86_cpu(v), run(x86_cpu(v)));
}

/* With TF set, the guest raises #DB after one instruction, or we do if it was an emulated one. */
enum engine_exit hvm_step(struct vcpu *v)
{
	struct x86_cpu *c = x86_cpu(v);
	uint64_t trap = c->rflags & X86_RFLAGS_TF;

	prepare(c);
	if (c->idle)
		return idle(c);
	c->stepping = true;
	c->rflags |= X86_RFLAGS_TF;
	while (c->stepping && enter(c))
		continue;
	c->stepping = false;
	c->rflags = (c->rflags & ~(uint64_t)X86_RFLAGS_TF) | trap;
	return leave(c, ENGINE_ATTENTION);
}

void x86_raise(struct x86_cpu *c, uint8_t vector, uint32_t error)
{
	c->inject = (struct x86_event){ .valid = true,
					.type = X86_EVENT_EXCEPTION,
					.vector = vector,
					.has_error = vector == X86_GP || vector == X86_PF || vector == X86_AC,
					.error = error };
}

void x86_reset(struct x86_cpu *c)
{
	memset(c->gpr, 0, sizeof(c->gpr));
	c->rip = 0;
	c->rflags = X86_RFLAGS_ONE;
	c->inject.valid = false;
	c->nmi_pending = c->nmi_blocked = c->watch_iret = c->step_iret = false;
	c->shadow = c->idle = c->sleep = c->stepping = c->seen_user = false;
	c->window = -1;
	c->hvm->reset(c);
	hvm_fpu_reset(c);
	for (struct x86_extension *x = c->extensions; x != NULL; x = x->next) {
		if (x->reset != NULL)
			x->reset(x, c);
	}
}
