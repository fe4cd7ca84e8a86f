/* SPDX-License-Identifier: BSD-2-Clause */
/* Entering the guest, and what exits mean. Section and table numbers are of the Intel SDM, volume 3C. */
#include <string.h>

#include "arch/x86_64/hvm/vmx/diagnose.h"
#include "arch/x86_64/hvm/vmx/insn.h"
#include "arch/x86_64/hvm/vmx/vmx.h"
#include "arch/x86_64/pc/clock.h"
#include "arch/x86_64/pc/trap.h"
#include "arch/x86_64/pc/x86.h"

#define REASON(reason) ((reason)&0xffffu)

/* What vmx_enter() returns. */
enum { NOT_ENTERED, EXITED, REFUSED };

int vmx_enter(uint64_t *gpr, const uint32_t *attention, bool launched, uint64_t *host_rsp);

/* --- before */

/* 26.2.1.3: real mode has no error codes. */
static void write_event(struct x86_cpu *c, struct vmx *s)
{
	struct x86_event e = c->inject;
	uint32_t word;

	if (e.has_error && (vmx_get(c, X86_CR0) & X86_CR0_PE) == 0)
		e.has_error = false;
	word = hvm_event_word(&e);
	if (word == s->event)
		return;
	s->event = word;
	vmx_write(VMCS_ENTRY_EVENT, word);
	vmx_write(VMCS_ENTRY_ERROR, e.error);
	vmx_write(VMCS_ENTRY_LENGTH, e.length);
}

/*
 * 26.3.1.5: an NMI that is delivered blocks others by itself; a single step that waits behind STI or MOV SS has to be
 * noted as pending.
 */
static void write_blocking(struct x86_cpu *c, struct vmx *s)
{
	uint64_t was = vmx_get_field(&s->state, VMX_BLOCKING);
	uint64_t now = was & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS | BLOCKING_NMI);

	if (c->shadow)
		now |= was & (BLOCKING_STI | BLOCKING_MOV_SS);
	if (c->nmi_blocked && !(c->inject.valid && c->inject.type == X86_EVENT_NMI))
		now |= BLOCKING_NMI;
	if (now != was)
		vmx_set_field(&s->state, VMX_BLOCKING, now);
	if (c->shadow) {
		uint64_t pending = vmx_get_field(&s->state, VMX_PENDING_DEBUG) & ~PENDING_BS;

		vmx_set_field(&s->state, VMX_PENDING_DEBUG,
			      (c->rflags & X86_RFLAGS_TF) != 0 ? pending | PENDING_BS : pending);
	}
}

/* An interrupt that waits for CR8 to fall has the CPU tell of that; one that waits for the flag, of the flag. */
static void write_windows(struct x86_cpu *c, struct vmx *s)
{
	uint32_t controls = s->cpu_controls & ~(CPU_INTERRUPT_WINDOW | CPU_NMI_WINDOW), threshold = 0;

	if (c->window >= 0) {
		uint32_t class = (uint32_t)c->window >> 4;

		if (c->window_source->ignores_priority || class > vmx_get(c, X86_CR8))
			controls |= CPU_INTERRUPT_WINDOW;
		else
			threshold = class;
	}
	if (c->nmi_pending)
		controls |= CPU_NMI_WINDOW;
	if (controls != s->cpu_controls) {
		s->cpu_controls = controls;
		vmx_write(VMCS_CPU, controls);
	}
	if (threshold != s->tpr_threshold) {
		s->tpr_threshold = threshold;
		vmx_write(VMCS_TPR_THRESHOLD, threshold);
	}
}

/*
 * 25.5.1: the CPU counts down by the TSC, divided, and exits at 0. That spares an interrupt of the host's timer, and
 * arming it, for each deadline, at the price of a count for each entry, of which there are few for a deadline.
 */
static void write_timer(struct vmx *s)
{
	uint64_t due, now, count = UINT32_MAX;

	if ((vmx_capabilities.pin & PIN_PREEMPTION) == 0)
		return;
	due = clock_watch();
	now = rdtsc();
	if (due <= now)
		clock_look();
	if (due != UINT64_MAX)
		count = due <= now ? 0 : ((due - now) >> (vmx_capabilities.misc & MISC_TIMER_RATE)) + 1;
	if (count > UINT32_MAX)
		count = UINT32_MAX;
	if (count == s->timer)
		return;
	s->timer = (uint32_t)count;
	vmx_write(VMCS_PREEMPTION_TIMER, count);
}

static void before(struct x86_cpu *c, struct vmx *s)
{
	vmx_write(VMCS_GUEST_RIP, c->rip);
	vmx_write(VMCS_GUEST_RSP, c->gpr[X86_RSP]);
	vmx_write(VMCS_GUEST_RFLAGS, c->rflags);
	write_event(c, s);
	write_blocking(c, s);
	write_windows(c, s);
	vmx_apic_before(c, s);
	vmx_flush_fields(&s->state);
	if (s->drop)
		vmx_drop_translations(c);
	write_timer(s);
}

/* --- after */

static void after(struct x86_cpu *c, struct vmx *s)
{
	uint32_t vectoring = (uint32_t)vmx_read(VMCS_VECTORING_EVENT);
	uint64_t blocking;

	s->launched = true;
	s->event = 0; /* the CPU takes its valid bit away */
	vmx_forget_fields(&s->state);
	if (s->nr_msrs != 0) {
		s->nr_msrs = 0;
		vmx_write(VMCS_ENTRY_MSR_LOADS, 0);
	}
	c->rip = vmx_read(VMCS_GUEST_RIP);
	c->gpr[X86_RSP] = vmx_read(VMCS_GUEST_RSP);
	c->rflags = vmx_read(VMCS_GUEST_RFLAGS);
	vmx_apic_after(c, s);
	blocking = vmx_get_field(&s->state, VMX_BLOCKING);
	c->shadow = (blocking & (BLOCKING_STI | BLOCKING_MOV_SS)) != 0;
	/* The CPU itself sees the IRET that ends it. */
	c->nmi_blocked = c->watch_iret = (blocking & BLOCKING_NMI) != 0;
	c->inject = hvm_event(vectoring, 0);
	if (c->inject.valid) {
		c->inject.error = (uint32_t)vmx_read(VMCS_VECTORING_ERROR);
		c->inject.length = (uint8_t)vmx_read(VMCS_EXIT_LENGTH);
	}
	if (!c->seen_user)
		c->seen_user = x86_cpl(c) == 3;
}

static void decode_port(uint64_t q, struct hvm_exit *x)
{
	x->cause = HVM_PORT;
	x->port = IO_PORT(q);
	x->size = (uint8_t)IO_SIZE(q);
	x->in = (q & IO_IN) != 0;
	x->string = (q & IO_STRING) != 0;
	x->repeat = (q & IO_REPEAT) != 0;
}

/* 27.2.3: an IRET that faults has ended the blocking of NMIs already, and will be executed once more. */
static void block_again(struct x86_cpu *c)
{
	if (!c->inject.valid)
		c->nmi_blocked = c->watch_iret = true;
}

static void decode_memory(struct x86_cpu *c, uint64_t q, struct hvm_exit *x)
{
	x->cause = HVM_MEMORY;
	x->gpa = x->info2 = vmx_read(VMCS_GUEST_PHYSICAL);
	x->write = (q & EPT_VIOLATION_WRITE) != 0;
	x->fetch = (q & EPT_VIOLATION_FETCH) != 0;
	if ((q & EPT_VIOLATION_UNBLOCKS) != 0)
		block_again(c);
}

/* Reads and writes are carried out as on every other page of a device. */
static void decode_apic_access(struct x86_cpu *c, uint64_t q, struct hvm_exit *x)
{
	x->cause = HVM_MEMORY;
	x->gpa = x->info2 = vmx_apic_accessed(c, vmx_of(c), APIC_ACCESS_OFFSET(q));
	x->write = APIC_ACCESS_TYPE(q) == APIC_ACCESS_WRITE;
	x->fetch = APIC_ACCESS_TYPE(q) == APIC_ACCESS_FETCH;
}

/* Table 27-1: what an intercepted #DB would have put into DR6 is told instead; it also ends DR7.GD. */
static void take_debug_exception(struct x86_cpu *c, uint64_t q)
{
	vmx_set(c, X86_DR6, (vmx_get(c, X86_DR6) & ~0xfull) | (q & 0x600f));
	vmx_set(c, X86_DR7, vmx_get(c, X86_DR7) & ~((uint64_t)1 << 13));
}

/* NMIs and machine checks have happened to the host: its own handlers are for them (27.2.2). */
static void decode_exception(struct x86_cpu *c, uint64_t q, struct hvm_exit *x)
{
	uint32_t word = (uint32_t)vmx_read(VMCS_EXIT_EVENT);
	struct x86_event e = hvm_event(word, (uint32_t)vmx_read(VMCS_EXIT_ERROR));

	x->info2 = word;
	x->cause = HVM_INTERRUPT;
	if (e.type == X86_EVENT_NMI) {
		__asm__ volatile("int $2");
		return;
	}
	x->cause = HVM_EXCEPTION;
	x->vector = e.vector;
	x->error = e.error;
	if (e.vector == X86_MC)
		__asm__ volatile("int $18");
	else if (e.vector == X86_DB)
		take_debug_exception(c, q);
	if ((word & EVENT_UNBLOCKS) != 0)
		block_again(c);
}

/* 27.2.2: with EXIT_ACK the interrupt is not pending any more, and its vector is told. */
static void take_interrupt(void)
{
	struct x86_event e = hvm_event((uint32_t)vmx_read(VMCS_EXIT_EVENT), 0);
	uint64_t flags;

	if (!e.valid)
		return;
	flags = irq_save();
	trap_dispatch(&(struct trap_frame){ .vector = e.vector });
	irq_restore(flags);
}

static const struct hvm_code codes[] = {
	{ REASON_EXCEPTION, HVM_EXCEPTION, "exception" },
	{ REASON_INTERRUPT, HVM_INTERRUPT, "interrupt" },
	{ REASON_TRIPLE_FAULT, HVM_SHUTDOWN, "triple fault" },
	{ REASON_INIT, HVM_INTERRUPT, "INIT" },
	{ REASON_SIPI, HVM_INTERRUPT, "SIPI" },
	{ REASON_INTERRUPT_WINDOW, HVM_WINDOW, "window" },
	{ REASON_NMI_WINDOW, HVM_WINDOW, "NMI window" },
	{ REASON_TASK_SWITCH, HVM_OWN, "task switch" },
	{ REASON_CPUID, HVM_CPUID, "CPUID" },
	{ REASON_GETSEC, HVM_FORBIDDEN, "GETSEC" },
	{ REASON_HLT, HVM_HALT, "HLT" },
	{ REASON_INVD, HVM_CACHE, "INVD" },
	{ REASON_RDPMC, HVM_COUNTERS, "RDPMC" },
	{ REASON_RSM, HVM_FORBIDDEN, "RSM" },
	{ REASON_VMCALL, HVM_CALL, "VMCALL" },
	{ REASON_CR, HVM_OWN, "CR" },
	{ REASON_IO, HVM_PORT, "I/O" },
	{ REASON_RDMSR, HVM_MSR_READ, "RDMSR" },
	{ REASON_WRMSR, HVM_MSR_WRITE, "WRMSR" },
	{ REASON_GUEST_STATE, HVM_INVALID, "guest state" },
	{ REASON_MSR_LOAD, HVM_INVALID, "MSR load" },
	{ REASON_MWAIT, HVM_FORBIDDEN, "MWAIT" },
	{ REASON_MONITOR, HVM_FORBIDDEN, "MONITOR" },
	{ REASON_PAUSE, HVM_SPIN, "PAUSE" },
	{ REASON_MACHINE_CHECK, HVM_INVALID, "machine check" },
	{ REASON_TPR, HVM_WINDOW, "TPR" },
	{ REASON_APIC_ACCESS, HVM_MEMORY, "APIC access" },
	{ REASON_EOI, HVM_OWN, "EOI" },
	{ REASON_EPT, HVM_MEMORY, "EPT" },
	{ REASON_EPT_MISCONFIG, HVM_UNKNOWN, "EPT misconfiguration" },
	{ REASON_INVEPT, HVM_FORBIDDEN, "INVEPT" },
	{ REASON_PREEMPTION, HVM_INTERRUPT, "timer" },
	{ REASON_INVVPID, HVM_FORBIDDEN, "INVVPID" },
	{ REASON_WBINVD, HVM_CACHE, "WBINVD" },
	{ REASON_XSETBV, HVM_OWN, "XSETBV" },
	{ REASON_APIC_WRITE, HVM_OWN, "APIC write" },
};

static const struct hvm_code *find_code(uint64_t code)
{
	return hvm_find_code(codes, sizeof(codes) / sizeof(codes[0]), REASON(code));
}

const char *vmx_exit_name(uint64_t code)
{
	const struct hvm_code *known = find_code(code);

	if (known != NULL)
		return known->name;
	return code - REASON_VMCLEAR <= REASON_VMXON - REASON_VMCLEAR ? "VMX" : "?";
}

static void decode(struct x86_cpu *c, struct hvm_exit *x)
{
	uint64_t q = vmx_read(VMCS_QUALIFICATION);
	const struct hvm_code *known;

	x->code = vmx_read(VMCS_REASON);
	x->info1 = q;
	x->info2 = 0;
	known = find_code(x->code);
	x->cause = known != NULL ? known->cause : HVM_UNKNOWN;
	x->length = (uint8_t)vmx_read(VMCS_EXIT_LENGTH); /* 27.2.5: of instructions that exit, on every CPU */
	x->nr_bytes = 0;
	if ((x->code & REASON_ENTRY_FAILED) != 0) {
		vmx_explain_exit((uint32_t)x->code, q, vmx_of(c)->msrs);
		x->cause = HVM_INVALID;
		return;
	}
	switch (REASON(x->code)) {
	case REASON_EXCEPTION: decode_exception(c, q, x); break;
	case REASON_INTERRUPT: take_interrupt(); break;
	case REASON_IO: decode_port(q, x); break;
	case REASON_EPT: decode_memory(c, q, x); break;
	case REASON_APIC_ACCESS: decode_apic_access(c, q, x); break;
	case REASON_PREEMPTION: clock_look(); break;
	default:
		if (x->code - REASON_VMCLEAR <= REASON_VMXON - REASON_VMCLEAR)
			x->cause = HVM_FORBIDDEN;
		break;
	}
}

/* 30.4: VMLAUNCH or VMRESUME itself has failed. */
static void decode_refusal(struct hvm_exit *x)
{
	*x = (struct hvm_exit){ .cause = HVM_INVALID, .code = REASON_ENTRY_FAILED };
	x->info1 = vmx_read(VMCS_INSTRUCTION_ERROR);
	vmx_explain_refusal((uint32_t)x->info1);
}

void vmx_run(struct x86_cpu *c, struct hvm_exit *exit)
{
	struct vmx *s = vmx_of(c);
	int outcome;

	vmx_load(c);
	before(c, s);
	hvm_fpu_load(c);
	vmx_apic_enter(c, s);
	outcome = vmx_enter(c->gpr, &c->vcpu.attention, s->launched, &s->host_rsp);
	vmx_apic_leave(c, s);
	switch (outcome) {
	case NOT_ENTERED: exit->cause = HVM_ATTENTION; break;
	case REFUSED: decode_refusal(exit); break;
	default:
		after(c, s);
		decode(c, exit);
		break;
	}
}
