/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD SVM behind hvm.h. Section numbers are of the AMD64 Architecture Programmer's Manual, volume 2. */
#include <errno.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/option.h>
#include <husk/platform.h>

#include "arch/x86_64/hvm/hvm.h"
#include "arch/x86_64/hvm/msr.h"
#include "arch/x86_64/hvm/nested.h"
#include "arch/x86_64/hvm/svm/vmcb.h"
#include "arch/x86_64/pc/x86.h"

/* CPUID (APM 3, E.4) */
#define CPUID_EXTENDED_ECX_SVM  (1u << 2)
#define CPUID_EXTENDED_EDX_1GIB (1u << 26)
#define CPUID_SVM               0x8000000au
#define SVM_HAS_NPT             (1u << 0)
#define SVM_HAS_NEXT_RIP        (1u << 3)
#define SVM_HAS_CLEAN           (1u << 5)
#define SVM_HAS_FLUSH_ASID      (1u << 6)
#define SVM_HAS_DECODE          (1u << 7)
#define SVM_HAS_PAUSE_FILTER    (1u << 10)
#define SVM_HAS_VGIF            (1u << 16)

#define MSR_VM_CR       0xc0010114u
#define VM_CR_SVMDIS    (1u << 4)
#define MSR_VM_HSAVE_PA 0xc0010117u

#define PAGE       4096u
#define IOPM_SIZE  (3u * PAGE) /* 15.10.1 */
#define MSRPM_SIZE (2u * PAGE) /* 15.11 */

/*
 * 15.14.4: an exit for so many PAUSEs, in a row with at most so many cycles between two where the CPU can tell, since the
 * last entry where it cannot. PAUSE takes 40 to 65 cycles: who holds a lock and runs gives it back before that.
 */
#define PAUSE_COUNT     512u
#define PAUSE_THRESHOLD 256u

/** What belongs to a vCPU. All in pages of their own, because the hardware wants physical addresses. */
struct svm {
	struct vmcb vmcb;
	struct vmcb host; /**< for VMSAVE and VMLOAD of the host's own segments */
	uint8_t iopm[IOPM_SIZE];
	uint8_t msrpm[MSRPM_SIZE];
	uint32_t features; /**< SVM_HAS_* that are used */
	uint32_t v_intr;   /**< bits of the VMCB's that stay the same */
};

/* entry.S */
void svm_save_host(struct vmcb *host);
bool svm_enter(uint64_t *gpr, struct vmcb *vmcb, struct vmcb *host, const uint32_t *attention);
void svm_recall_interrupts(void);

static struct svm *svm(struct x86_cpu *c)
{
	return c->state;
}

/* Given before the VM is made, constant from then on. */
static bool plain;

static int set_plain(const char *value)
{
	plain = strcmp(value, "plain") == 0;
	return plain || strcmp(value, "full") == 0 ? 0 : -EINVAL;
}

HUSK_OPTION(svm) = { "svm=", "MODE", "plain: use no optional part of SVM, full: all there is (the default)",
		     set_plain };

/* --- switching it on */

static const struct hvm_ops svm_ops;

static bool svm_found(void)
{
	return cpuid(0x80000000u, 0).eax >= CPUID_SVM && (cpuid(0x80000001u, 0).ecx & CPUID_EXTENDED_ECX_SVM) != 0;
}

static int svm_start(void)
{
	void *save_area;

	/* 15.4: firmware can switch it off for good. */
	if ((rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) != 0)
		return hvm_missing(&svm_ops, "SVM (its firmware has switched it off)");
	if ((cpuid(CPUID_SVM, 0).edx & SVM_HAS_NPT) == 0)
		return hvm_missing(&svm_ops, "nested paging");
	save_area = plat_pages_alloc(PAGE, PAGE);
	if (save_area == NULL)
		return -ENOMEM;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | X86_EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, (uint64_t)(uintptr_t)save_area);
	return 0;
}

/* --- a vCPU */

/* 15.11: two bits an MSR, read and write; vectors of 2 KiB for the ranges from 0, 0xc0000000 and 0xc0010000 on. */
static void let_msr_through(struct svm *s, uint32_t msr, bool write)
{
	uint32_t at = (msr >= 0xc0000000u ? 0x800u * 4 : 0) + (msr & 0x1fffu);

	s->msrpm[at / 4] &= (uint8_t) ~((write ? 3u : 1u) << at % 4 * 2);
}

static void fill_msr_map(struct svm *s)
{
	memset(s->msrpm, 0xff, sizeof(s->msrpm));
	for (unsigned i = 0; i < HVM_DIRECT_MSRS; i++)
		let_msr_through(s, hvm_direct_msrs[i], true);
	let_msr_through(s, MSR_TSC, false);
}

static void fill_port_map(struct svm *s)
{
	memset(s->iopm, 0xff, sizeof(s->iopm));
	for (unsigned i = 0; i < HVM_DIRECT_PORTS; i++)
		s->iopm[hvm_direct_ports[i] / 8] &= (uint8_t) ~(1u << hvm_direct_ports[i] % 8);
}

static int svm_create(struct x86_cpu *c)
{
	struct svm *s = plat_pages_alloc(sizeof(*s), PAGE);

	if (s == NULL)
		return -ENOMEM;
	c->state = s;
	s->features = plain ? 0 : cpuid(CPUID_SVM, 0).edx;
	/* 15.33: an instruction for the GIF, should one ever not exit, is about the guest's own, not the host's. */
	s->v_intr = SVM_V_INTR_MASKING;
	if ((s->features & SVM_HAS_VGIF) != 0)
		s->v_intr |= SVM_V_GIF_ENABLE | SVM_V_GIF;
	fill_msr_map(s);
	fill_port_map(s);
	return 0;
}

/* 15.15: what the CPU may not take to be as it was at the last entry. */
static void changed(struct x86_cpu *c, uint32_t what)
{
	svm(c)->vmcb.clean &= ~what;
}

static int svm_map_memory(struct x86_cpu *c)
{
	struct svm *s = svm(c);
	bool huge = (cpuid(0x80000001u, 0).edx & CPUID_EXTENDED_EDX_1GIB) != 0;
	const struct nested_format f = { .table = NPT_ALL,
					 .page = NPT_ALL,
					 .large = NPT_LARGE,
					 .write = NPT_WRITE,
					 .fetch = NPT_NX,
					 .highest = huge ? 2 : 1 };

	changed(c, SVM_CLEAN_NP);
	return nested_build(&c->vcpu.vm->memory, &f, &s->vmcb.nested_cr3);
}

static void set_control_area(struct x86_cpu *c)
{
	struct svm *s = svm(c);
	struct vmcb *b = &s->vmcb;

	/* #DB and #AC too: delivering either can raise it again, without end and with nothing that ends the guest. */
	b->intercept_exceptions = 1u << X86_DB | 1u << X86_AC | 1u << X86_MC;
	b->intercept3 = SVM_INTERCEPT_INTR | SVM_INTERCEPT_NMI | SVM_INTERCEPT_INIT | SVM_INTERCEPT_RDPMC |
			SVM_INTERCEPT_CPUID | SVM_INTERCEPT_RSM | SVM_INTERCEPT_INVD | SVM_INTERCEPT_HLT |
			SVM_INTERCEPT_INVLPGA | SVM_INTERCEPT_IO | SVM_INTERCEPT_MSR | SVM_INTERCEPT_FREEZE |
			SVM_INTERCEPT_SHUTDOWN;
	b->intercept4 = SVM_INTERCEPT4_VMRUN | SVM_INTERCEPT4_VMMCALL | SVM_INTERCEPT4_VMLOAD | SVM_INTERCEPT4_VMSAVE |
			SVM_INTERCEPT4_STGI | SVM_INTERCEPT4_CLGI | SVM_INTERCEPT4_SKINIT | SVM_INTERCEPT4_WBINVD |
			SVM_INTERCEPT4_MONITOR | SVM_INTERCEPT4_MWAIT | SVM_INTERCEPT4_MWAIT_IF;
	if (c->spins != NULL && (s->features & SVM_HAS_PAUSE_FILTER) != 0) {
		b->intercept3 |= SVM_INTERCEPT_PAUSE;
		b->pause_count = PAUSE_COUNT;
		b->pause_threshold = PAUSE_THRESHOLD;
	}
	b->iopm = (uint64_t)(uintptr_t)s->iopm;
	b->msrpm = (uint64_t)(uintptr_t)s->msrpm;
	/* ASID 0 is the host's. A vCPU has its own, on whatever CPU it runs. */
	b->asid = c->vcpu.id + 1;
	b->nested_control = 1;
}

/* 15.16.1: at the next entry, of all that is cached or, where the CPU can, of this guest's only. */
static void flush_tlb(struct x86_cpu *c)
{
	struct svm *s = svm(c);

	s->vmcb.tlb_control = (s->features & SVM_HAS_FLUSH_ASID) != 0 ? SVM_TLB_FLUSH_ASID : SVM_TLB_FLUSH_ALL;
}

static void svm_reset(struct x86_cpu *c)
{
	struct vmcb *b = &svm(c)->vmcb;
	uint64_t root = b->nested_cr3;

	memset(b, 0, sizeof(*b));
	b->nested_cr3 = root;
	set_control_area(c);
	b->v_intr = svm(c)->v_intr;
	b->efer = X86_EFER_SVME;
	b->pat = X86_PAT_RESET;
	/* Segments and the like of the CPU that is here: VMRUN and VMLOAD put the guest's in their place (15.5.1). */
	svm_save_host(&svm(c)->host);
	b->dr6 = X86_DR6_RESET;
	b->dr7 = X86_DR7_RESET;
	flush_tlb(c);
}

/* --- running */

/*
 * 15.21.4: a virtual interrupt, which the guest gets as soon as it takes any. Also at once, if it can be: an interrupt
 * that EVENTINJ has delivered, QEMU 7.2 may deliver a second time, whatever the guest's IF.
 */
static uint32_t window_word(const struct x86_cpu *c)
{
	if (c->window < 0)
		return 0;
	return SVM_V_IRQ | (c->window_source->ignores_priority ? SVM_V_IGN_TPR : 0) |
	       (uint32_t)c->window >> 4 << SVM_V_PRIO_SHIFT;
}

static void before(struct x86_cpu *c, struct vmcb *b)
{
	uint32_t v_intr = (b->v_intr & SVM_V_TPR_MASK) | svm(c)->v_intr | window_word(c);
	uint32_t intercepts = (b->intercept3 & ~SVM_INTERCEPT_IRET) | (c->watch_iret ? SVM_INTERCEPT_IRET : 0);

	b->rip = c->rip;
	b->rflags = c->rflags;
	b->rax = c->gpr[X86_RAX];
	b->rsp = c->gpr[X86_RSP];
	b->interrupt_shadow = c->shadow;
	b->event = hvm_event_word(&c->inject);
	b->event_error = c->inject.error;
	if (b->intercept3 != intercepts) {
		b->intercept3 = intercepts;
		changed(c, SVM_CLEAN_INTERCEPTS);
	}
	if (b->v_intr != v_intr || b->v_vector != (uint8_t)c->window) {
		b->v_intr = v_intr;
		b->v_vector = (uint8_t)c->window;
		changed(c, SVM_CLEAN_TPR);
	}
}

static void after(struct x86_cpu *c, struct vmcb *b)
{
	if (c->window >= 0)
		svm_recall_interrupts();
	c->rip = b->rip;
	c->rflags = b->rflags;
	c->gpr[X86_RAX] = b->rax;
	c->gpr[X86_RSP] = b->rsp;
	c->shadow = (b->interrupt_shadow & 1) != 0;
	c->inject = hvm_event(b->exit_event, b->exit_event_error);
	if (c->window >= 0 && (b->v_intr & SVM_V_IRQ) == 0)
		hvm_window_taken(c);
	if (b->cpl == 3)
		c->seen_user = true;
	b->tlb_control = SVM_TLB_KEEP;
	b->clean = (svm(c)->features & SVM_HAS_CLEAN) != 0 ? SVM_CLEAN_ALL : 0;
}

static void decode_port(const struct vmcb *b, struct hvm_exit *x)
{
	uint32_t info = (uint32_t)b->exit_info1;

	x->cause = HVM_PORT;
	x->port = (uint16_t)(info >> SVM_IO_PORT_SHIFT);
	x->size = info >> SVM_IO_SIZE_SHIFT & 7;
	x->in = (info & SVM_IO_IN) != 0;
	x->string = (info & SVM_IO_STRING) != 0;
	x->repeat = (info & SVM_IO_REPEAT) != 0;
	x->length = (uint8_t)(b->exit_info2 - b->rip); /* 15.10.2: the next rip, on every CPU */
}

static void decode_memory(const struct x86_cpu *c, const struct vmcb *b, struct hvm_exit *x)
{
	x->cause = HVM_MEMORY;
	x->gpa = b->exit_info2;
	x->write = (b->exit_info1 & SVM_NPF_WRITE) != 0;
	x->fetch = (b->exit_info1 & SVM_NPF_FETCH) != 0;
	x->nr_bytes = 0;
	if ((((const struct svm *)c->state)->features & SVM_HAS_DECODE) != 0) {
		x->nr_bytes = b->nr_bytes & 15;
		memcpy(x->bytes, b->bytes, sizeof(x->bytes));
	}
}

static const struct hvm_code codes[] = {
	{ SVM_EXIT_INTR, HVM_INTERRUPT, "INTR" },
	{ SVM_EXIT_NMI, HVM_INTERRUPT, "NMI" },
	{ SVM_EXIT_INIT, HVM_INTERRUPT, "INIT" },
	{ SVM_EXIT_CPUID, HVM_CPUID, "CPUID" },
	{ SVM_EXIT_PAUSE, HVM_SPIN, "PAUSE" },
	{ SVM_EXIT_HLT, HVM_HALT, "HLT" },
	{ SVM_EXIT_VMMCALL, HVM_CALL, "VMMCALL" },
	{ SVM_EXIT_SHUTDOWN, HVM_SHUTDOWN, "SHUTDOWN" },
	{ SVM_EXIT_INVD, HVM_CACHE, "INVD" },
	{ SVM_EXIT_WBINVD, HVM_CACHE, "WBINVD" },
	{ SVM_EXIT_RDPMC, HVM_COUNTERS, "RDPMC" },
	{ SVM_EXIT_IRET, HVM_IRET, "IRET" },
	{ SVM_EXIT_RSM, HVM_FORBIDDEN, "RSM" },
	{ SVM_EXIT_INVLPGA, HVM_FORBIDDEN, "INVLPGA" },
	{ SVM_EXIT_FREEZE, HVM_INTERRUPT, "FERR_FREEZE" },
	{ SVM_EXIT_VMRUN, HVM_FORBIDDEN, "VMRUN" },
	{ SVM_EXIT_VMLOAD, HVM_FORBIDDEN, "VMLOAD" },
	{ SVM_EXIT_VMSAVE, HVM_FORBIDDEN, "VMSAVE" },
	{ SVM_EXIT_STGI, HVM_FORBIDDEN, "STGI" },
	{ SVM_EXIT_CLGI, HVM_FORBIDDEN, "CLGI" },
	{ SVM_EXIT_SKINIT, HVM_FORBIDDEN, "SKINIT" },
	{ SVM_EXIT_MONITOR, HVM_FORBIDDEN, "MONITOR" },
	{ SVM_EXIT_MWAIT, HVM_FORBIDDEN, "MWAIT" },
	{ SVM_EXIT_MWAIT_IF, HVM_FORBIDDEN, "MWAIT" },
	{ SVM_EXIT_MSR, HVM_MSR_READ, "MSR" },
	{ SVM_EXIT_IOIO, HVM_PORT, "IOIO" },
	{ SVM_EXIT_NPF, HVM_MEMORY, "NPF" },
};

static const struct hvm_code *find_code(uint64_t code)
{
	return hvm_find_code(codes, sizeof(codes) / sizeof(codes[0]), code);
}

static const char *svm_exit_name(uint64_t code)
{
	const struct hvm_code *known = find_code(code);

	if (known != NULL)
		return known->name;
	if (code == SVM_EXIT_INVALID)
		return "INVALID";
	return code - SVM_EXIT_EXCEPTION < 32 ? "exception" : "?";
}

static void decode(const struct x86_cpu *c, const struct vmcb *b, struct hvm_exit *x)
{
	const struct hvm_code *known = find_code(b->exit_code);

	x->code = b->exit_code;
	x->info1 = b->exit_info1;
	x->info2 = b->exit_info2;
	x->length = 0;
	switch (b->exit_code) {
	case SVM_EXIT_IOIO: decode_port(b, x); return;
	case SVM_EXIT_NPF: decode_memory(c, b, x); return;
	case SVM_EXIT_MSR: x->cause = b->exit_info1 == 0 ? HVM_MSR_READ : HVM_MSR_WRITE; break;
	case SVM_EXIT_INVALID: x->cause = HVM_INVALID; return;
	default: x->cause = known != NULL ? known->cause : HVM_UNKNOWN; break;
	}
	if (b->exit_code - SVM_EXIT_EXCEPTION < 32) {
		x->cause = HVM_EXCEPTION;
		x->vector = (uint8_t)(b->exit_code - SVM_EXIT_EXCEPTION);
		x->error = (uint32_t)b->exit_info1;
	} else if ((((const struct svm *)c->state)->features & SVM_HAS_NEXT_RIP) != 0 &&
		   b->next_rip - b->rip <= HVM_INSTRUCTION) {
		x->length = (uint8_t)(b->next_rip - b->rip); /* 15.7.1; not for interrupts */
	}
}

static void svm_enter_guest(struct x86_cpu *c, struct hvm_exit *exit)
{
	struct svm *s = svm(c);

	before(c, &s->vmcb);
	hvm_fpu_load(c);
	if (!svm_enter(c->gpr, &s->vmcb, &s->host, &c->vcpu.attention)) {
		exit->cause = HVM_ATTENTION;
		return;
	}
	after(c, &s->vmcb);
	decode(c, &s->vmcb, exit);
}

/* --- registers */

static uint64_t svm_get(struct x86_cpu *c, enum x86_control which)
{
	const struct vmcb *b = &svm(c)->vmcb;

	switch (which) {
	case X86_CR0: return b->cr0;
	case X86_CR2: return b->cr2;
	case X86_CR3: return b->cr3;
	case X86_CR4: return b->cr4;
	case X86_CR8: return b->v_intr & 0xf;
	case X86_EFER: return b->efer & ~(uint64_t)X86_EFER_SVME;
	case X86_DR6: return b->dr6;
	case X86_DR7: return b->dr7;
	default: return 0;
	}
}

static void svm_set(struct x86_cpu *c, enum x86_control which, uint64_t value)
{
	struct vmcb *b = &svm(c)->vmcb;

	switch (which) {
	case X86_CR0: b->cr0 = value; break;
	case X86_CR2: b->cr2 = value; break;
	case X86_CR3: b->cr3 = value; break;
	case X86_CR4: b->cr4 = value; break;
	case X86_CR8: b->v_intr = (b->v_intr & ~SVM_V_TPR_MASK) | (value & 0xf); break;
	case X86_EFER: b->efer = value | X86_EFER_SVME; break;
	case X86_DR6: b->dr6 = value; break;
	case X86_DR7: b->dr7 = value; break;
	default: break;
	}
	if (which == X86_CR0 || which == X86_CR3 || which == X86_CR4)
		flush_tlb(c); /* as the guest's own writes to them do */
	changed(c, SVM_CLEAN_CRX | SVM_CLEAN_DRX | SVM_CLEAN_CR2 | SVM_CLEAN_TPR);
}

/* Places of our segment numbers in the VMCB. */
static const uint8_t segment_places[X86_SEGMENTS] = {
	[X86_ES] = 0, [X86_CS] = 1,   [X86_SS] = 2,   [X86_DS] = 3,   [X86_FS] = 4,
	[X86_GS] = 5, [X86_GDTR] = 6, [X86_LDTR] = 7, [X86_IDTR] = 8, [X86_TR] = 9
};

static void svm_get_segment(struct x86_cpu *c, enum x86_segment_number n, struct x86_segment *out)
{
	const struct vmcb_segment *s = &svm(c)->vmcb.segments[segment_places[n]];

	*out = (struct x86_segment){
		.selector = s->selector, .attributes = s->attributes, .limit = s->limit, .base = s->base
	};
}

static void svm_set_segment(struct x86_cpu *c, enum x86_segment_number n, const struct x86_segment *s)
{
	struct vmcb *b = &svm(c)->vmcb;

	b->segments[segment_places[n]] = (struct vmcb_segment){
		.selector = s->selector, .attributes = s->attributes, .limit = s->limit, .base = s->base
	};
	if (n == X86_SS)
		b->cpl = X86_SEG_DPL(s->attributes);
	changed(c, SVM_CLEAN_SEG | SVM_CLEAN_DT);
}

static const struct hvm_ops svm_ops = {
	.name = "SVM",
	.needs = "AMD SVM with nested paging (in QEMU: -cpu EPYC,+svm,+npt)",
	.call = { 0x0f, 0x01, 0xd9 },
	.delivers = true,
	.found = svm_found,
	.start = svm_start,
	.create = svm_create,
	.reset = svm_reset,
	.map_memory = svm_map_memory,
	.enter = svm_enter_guest,
	.get = svm_get,
	.set = svm_set,
	.get_segment = svm_get_segment,
	.set_segment = svm_set_segment,
	.exit_name = svm_exit_name,
};

HVM_OPS(svm) = &svm_ops;

HUSK_FEATURE(hvm_svm) = {
	.name = "hvm-svm",
	.purpose = "AMD SVM with nested paging, for the engine hvm",
	.level = FEATURE_CPU,
};
