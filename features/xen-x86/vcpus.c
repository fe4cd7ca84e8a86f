/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several vCPUs of a Xen guest on x86: VCPUOP_initialise, _up, _down and _is_up (Xen's public vcpu.h and
 * hvm/hvm_vcpu.h). A guest may as well start them by their local APICs; both ways lead to the same state. The state of
 * a vCPU belongs to its own CPU, so that what it is to start with waits here.
 */
#include <errno.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/hvm/hvm.h"
#include "arch/x86_64/hvm/smp/smp.h"
#include "features/xen-abi/xen.h"

#include <xen/hvm/hvm_vcpu.h>
#include <xen/vcpu.h>

/** What is kept of a vCPU. */
struct vcpu_start {
	struct x86_extension extension; /* first */
	struct vcpu_hvm_context context;
	bool initialised; /**< `context` is what it is to start with; read on its own CPU, written under the VM's lock */
};

static struct vcpu_start *starts;

#define PAGING (X86_CR0_PG | X86_CR0_PE)
#define LONG   (X86_EFER_LME | X86_EFER_LMA)

/* --- a context */

/* What the CPU would refuse to run with must not come from a guest. Reserved bits of CR4 are the CPU's to judge. */
static bool is_valid_64(const struct vcpu_hvm_x86_64 *r)
{
	return (r->cr0 & PAGING) == PAGING && r->cr0 >> 32 == 0 && (r->cr4 & X86_CR4_PAE) != 0 &&
	       (r->efer & LONG) == LONG && (r->efer & ~(uint64_t)(LONG | X86_EFER_NXE | X86_EFER_SCE)) == 0;
}

/* 32 bits without long mode; those who want compatibility mode start in 64 bits. */
static bool is_valid_32(const struct vcpu_hvm_x86_32 *r)
{
	return (r->cr0 & X86_CR0_PE) != 0 && (r->efer & ~(uint64_t)(X86_EFER_NXE | X86_EFER_SCE)) == 0 &&
	       ((r->cs_ar | r->ds_ar | r->ss_ar | r->es_ar | r->tr_ar) & 0xf000) == 0 && (r->cs_ar & X86_SEG_LONG) == 0;
}

static void start_64(struct x86_cpu *c, const struct vcpu_hvm_x86_64 *r)
{
	static const struct x86_segment code = { .attributes = X86_SEG_CODE64, .limit = UINT32_MAX };
	static const struct x86_segment data = { .attributes = X86_SEG_DATA32, .limit = UINT32_MAX };
	static const struct x86_segment tss = { .attributes = X86_SEG_TSS, .limit = 0x67 };
	const uint64_t gpr[] = { r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi };

	for (unsigned n = 0; n < sizeof(gpr) / sizeof(gpr[0]); n++)
		c->gpr[n] = gpr[n];
	c->rip = r->rip;
	c->rflags = r->rflags | X86_RFLAGS_ONE;
	c->hvm->set(c, X86_CR3, r->cr3);
	c->hvm->set(c, X86_CR4, r->cr4);
	c->hvm->set(c, X86_EFER, r->efer);
	c->hvm->set(c, X86_CR0, r->cr0 | X86_CR0_ET);
	for (unsigned n = X86_ES; n <= X86_GS; n++)
		c->hvm->set_segment(c, n, n == X86_CS ? &code : &data);
	c->hvm->set_segment(c, X86_TR, &tss);
}

static void set_segment(struct x86_cpu *c, enum x86_segment_number n, uint32_t base, uint32_t limit,
			uint16_t attributes)
{
	const struct x86_segment s = { .attributes = attributes, .limit = limit, .base = base };

	c->hvm->set_segment(c, n, &s);
}

static void start_32(struct x86_cpu *c, const struct vcpu_hvm_x86_32 *r)
{
	const uint32_t gpr[] = { r->eax, r->ecx, r->edx, r->ebx, r->esp, r->ebp, r->esi, r->edi };

	for (unsigned n = 0; n < sizeof(gpr) / sizeof(gpr[0]); n++)
		c->gpr[n] = gpr[n];
	c->rip = r->eip;
	c->rflags = r->eflags | X86_RFLAGS_ONE;
	c->hvm->set(c, X86_CR3, r->cr3);
	c->hvm->set(c, X86_CR4, r->cr4);
	c->hvm->set(c, X86_EFER, r->efer);
	c->hvm->set(c, X86_CR0, r->cr0 | X86_CR0_ET);
	set_segment(c, X86_CS, r->cs_base, r->cs_limit, r->cs_ar);
	set_segment(c, X86_DS, r->ds_base, r->ds_limit, r->ds_ar);
	set_segment(c, X86_ES, r->es_base, r->es_limit, r->es_ar);
	set_segment(c, X86_SS, r->ss_base, r->ss_limit, r->ss_ar);
	set_segment(c, X86_FS, 0, UINT32_MAX, X86_SEG_DATA32);
	set_segment(c, X86_GS, 0, UINT32_MAX, X86_SEG_DATA32);
	set_segment(c, X86_TR, r->tr_base, r->tr_limit, r->tr_ar);
}

/* --- on the vCPU's own CPU */

static void take(struct x86_extension *x, struct x86_cpu *c)
{
	struct vcpu_start *s = (struct vcpu_start *)x;

	if (!c->stopped || !__atomic_load_n(&s->initialised, __ATOMIC_ACQUIRE) ||
	    __atomic_load_n(&c->down, __ATOMIC_ACQUIRE))
		return;
	x86_smp_begin(c);
	if (s->context.mode == VCPU_HVM_MODE_64B)
		start_64(c, &s->context.cpu_regs.x86_64);
	else
		start_32(c, &s->context.cpu_regs.x86_32);
	__atomic_store_n(&s->initialised, false, __ATOMIC_RELEASE);
	log_debug("vCPU %u: starts at 0x%llx", c->vcpu.id, (unsigned long long)c->rip);
}

/* The reset of its local APIC has dropped a request for an upcall that is still pending. */
static void was_reset(struct x86_extension *x, struct x86_cpu *c)
{
	(void)x;
	if (xen_upcall_pending(&c->vcpu))
		xen_arch.upcall(&c->vcpu);
}

/* --- calls */

static struct x86_cpu *find(const struct hypercall *h)
{
	struct xen_vcpu *v = xen_vcpu(xen_caller(h), h->args[1]);

	return v != NULL ? x86_cpu(v->vcpu) : NULL;
}

static bool is_stopped(const struct x86_cpu *c)
{
	return __atomic_load_n(&c->stopped, __ATOMIC_ACQUIRE);
}

static void set_down(struct x86_cpu *c, bool down)
{
	__atomic_store_n(&c->down, down, __ATOMIC_SEQ_CST);
	vcpu_kick(&c->vcpu, ATTN_IRQ);
}

static int64_t initialise(struct hypercall *h)
{
	struct x86_cpu *c = find(h);
	struct vcpu_hvm_context context;
	struct vcpu_start *s;

	if (c == NULL)
		return -XEN_ENOENT;
	if (xen_read_arg(h, 2, &context, sizeof(context)) != 0)
		return -XEN_EFAULT;
	s = &starts[c->vcpu.id];
	if (!is_stopped(c) || __atomic_load_n(&s->initialised, __ATOMIC_ACQUIRE))
		return -XEN_EEXIST;
	if (context.mode == VCPU_HVM_MODE_64B
		    ? !is_valid_64(&context.cpu_regs.x86_64)
		    : context.mode != VCPU_HVM_MODE_32B || !is_valid_32(&context.cpu_regs.x86_32))
		return -XEN_EINVAL;
	s->context = context;
	__atomic_store_n(&c->down, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->initialised, true, __ATOMIC_SEQ_CST);
	return 0;
}
HYPERCALL(vcpu_initialise) = { __HYPERVISOR_vcpu_op, VCPUOP_initialise, initialise };

static int64_t up(struct hypercall *h)
{
	struct x86_cpu *c = find(h);

	if (c == NULL)
		return -XEN_ENOENT;
	if (is_stopped(c) && !starts[c->vcpu.id].initialised)
		return -XEN_EINVAL;
	set_down(c, false);
	return 0;
}
HYPERCALL(vcpu_up) = { __HYPERVISOR_vcpu_op, VCPUOP_up, up };

static int64_t down(struct hypercall *h)
{
	struct x86_cpu *c = find(h);

	if (c == NULL)
		return -XEN_ENOENT;
	set_down(c, true);
	return 0;
}
HYPERCALL(vcpu_down) = { __HYPERVISOR_vcpu_op, VCPUOP_down, down };

static int64_t is_up(struct hypercall *h)
{
	const struct x86_cpu *c = find(h);

	if (c == NULL)
		return -XEN_ENOENT;
	return !__atomic_load_n(&c->down, __ATOMIC_ACQUIRE) && (!is_stopped(c) || starts[c->vcpu.id].initialised);
}
HYPERCALL(vcpu_is_up) = { __HYPERVISOR_vcpu_op, VCPUOP_is_up, is_up };

/* --- the feature */

static void reset(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		starts[i].initialised = false;
}

static int attach(struct vm *vm)
{
	starts = plat_pages_alloc(vm->nr_vcpus * sizeof(*starts), GUEST_PAGE_SIZE);
	if (starts == NULL) {
		log_error("the host has no memory for vCPUs of the Xen domain");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		starts[i].extension.take = take;
		starts[i].extension.reset = was_reset;
		x86_add_extension(x86_cpu(vm->vcpus[i]), &starts[i].extension);
	}
	return 0;
}

/* Behind the local APICs, in extensions too. */
HUSK_FEATURE(xen_x86_smp) = {
	.name = "xen-x86-smp",
	.purpose = "several vCPUs of a Xen guest: start and stop by hypercall",
	.level = FEATURE_TIMER,
	.attach = attach,
	.reset = reset,
};
