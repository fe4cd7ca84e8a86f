/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Xen ABI's part that is x86: how a guest finds it (CPUID leaves, hypercall page), how it calls, and how upcalls
 * reach it. Sources: Xen's public headers arch-x86/cpuid.h, arch-x86/xen-x86_64.h and xen-x86_32.h, hvm/params.h.
 */
#include <errno.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/hypercall.h>
#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/hvm/hvm.h"
#include "features/local-apic/local_apic.h"
#include "features/machine-pvh/pvh.h"
#include "features/xen-abi/xen.h"

#include <xen/arch-x86/cpuid.h>
#include <xen/hvm/params.h>

#define LEAF_BASE       XEN_CPUID_FIRST_LEAF
#define LEAVES          5u
#define XEN_VERSION     (4u << 16 | 17u)
#define MSR_PAGE        0x40000000u /* ours to choose; this is what Xen has */
#define PAGE            4096u
#define ENTRY           32u /* bytes of an entry of the hypercall page */
#define ENTRY_IRET      23u /* __HYPERVISOR_iret: not for HVM guests */
#define CALLBACK_TYPE   56u /* bits 63:56 of HVM_PARAM_CALLBACK_IRQ */
#define CALLBACK_LINE   0u
#define CALLBACK_VECTOR 2u
#define LOWEST_VECTOR   0x10u
#define NS_PER_MS       1000000ull

/** A vCPU's part. */
struct xen_x86 {
	struct x86_extension extension; /* first */
	struct x86_interrupts source;   /**< the callback vector: no interrupt controller is asked */
	struct x86_cpu *cpu;
	uint8_t callback; /**< vector for all vCPUs, 0: none */
	uint8_t vector;   /**< this vCPU's own, by its local APIC, 0: none */
};

static struct xen_x86 *of_extension(struct x86_extension *x)
{
	return (struct xen_x86 *)x;
}

static struct xen_x86 *of_source(struct x86_interrupts *source)
{
	return (struct xen_x86 *)((char *)source - offsetof(struct xen_x86, source));
}

static struct xen_x86 *of_vcpu(struct vcpu *v)
{
	return x86_cpu(v)->xen;
}

/* --- how it is found */

static uint64_t tsc_khz(const struct plat_time_scale *s)
{
	return (NS_PER_MS << 32) / s->ns_per_tick;
}

/* Leaf 3: no flag, TSC mode 0 (default), the guest's TSC rate; or offset, factor and shift; or the host's rate. */
static void time_leaf(uint32_t subleaf, struct x86_cpuid *r)
{
	struct plat_time_scale s;
	uint64_t factor;

	if (!plat_time_scale(&s))
		return;
	factor = s.ns_per_tick;
	if (subleaf == 0) {
		r->ecx = (uint32_t)tsc_khz(&s);
	} else if (subleaf == 1) {
		r->ecx = (uint32_t)(factor >> 32 != 0 ? UINT32_MAX : factor);
	} else if (subleaf == 2) {
		r->eax = (uint32_t)tsc_khz(&s);
	}
}

static void cpuid(struct x86_extension *x, struct x86_cpu *c, uint32_t leaf, uint32_t subleaf, struct x86_cpuid *r)
{
	(void)x;
	if (leaf - LEAF_BASE > LEAVES)
		return;
	*r = (struct x86_cpuid){ 0 };
	switch (leaf - LEAF_BASE) {
	case 0:
		*r = (struct x86_cpuid){ .eax = LEAF_BASE + LEAVES,
					 .ebx = XEN_CPUID_SIGNATURE_EBX,
					 .ecx = XEN_CPUID_SIGNATURE_ECX,
					 .edx = XEN_CPUID_SIGNATURE_EDX };
		break;
	case 1: r->eax = XEN_VERSION; break;
	case 2: /* one page, by this MSR */
		r->eax = 1;
		r->ebx = MSR_PAGE;
		break;
	case 3: time_leaf(subleaf, r); break;
	case 4:
		r->eax = XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT | XEN_HVM_CPUID_UPCALL_VECTOR;
		r->ebx = c->vcpu.id;
		r->ecx = XEN_DOMID;
		break;
	default: break;
	}
}

/* mov eax, number; vmmcall or vmcall; ret. */
static void write_entry(const struct x86_cpu *c, uint8_t *entry, uint32_t number)
{
	static const uint8_t code[] = { 0xb8, 0, 0, 0, 0, 0, 0, 0, 0xc3 };
	static const uint8_t undefined[] = { 0x0f, 0x0b };

	if (number == ENTRY_IRET) {
		memcpy(entry, undefined, sizeof(undefined));
		return;
	}
	memcpy(entry, code, sizeof(code));
	memcpy(entry + 1, &number, sizeof(number));
	memcpy(entry + 5, c->hvm->call, sizeof(c->hvm->call));
}

/* The value is the address of the page, with the page's number, of which there is only 0, in the low bits. */
static enum x86_msr_result write_msr(struct x86_extension *x, struct x86_cpu *c, uint32_t msr, uint64_t value)
{
	uint8_t page[PAGE] = { 0 };

	(void)x;
	if (msr != MSR_PAGE)
		return X86_MSR_UNKNOWN;
	if (value % PAGE != 0)
		return X86_MSR_FAULT;
	for (uint32_t n = 0; n < PAGE / ENTRY; n++)
		write_entry(c, page + n * ENTRY, n);
	return memory_write(&c->vcpu.vm->memory, value, page, PAGE) == 0 ? X86_MSR_DONE : X86_MSR_FAULT;
}

/* --- how it calls */

static const uint8_t registers_64[HYPERCALL_ARGS] = { X86_RDI, X86_RSI, X86_RDX, 10, 8, 9 };
static const uint8_t registers_32[HYPERCALL_ARGS] = { X86_RBX, X86_RCX, X86_RDX, X86_RSI, X86_RDI, X86_RBP };

static enum x86_call_result call(struct x86_extension *x, struct x86_cpu *c)
{
	bool wide = x86_is_64bit(c);
	const uint8_t *registers = wide ? registers_64 : registers_32;
	uint64_t mask = wide ? UINT64_MAX : UINT32_MAX;
	struct hypercall h = { .vcpu = &c->vcpu, .word = wide ? 8 : 4, .nr = c->gpr[X86_RAX] & mask };
	int64_t result = -XEN_EPERM;

	(void)x;
	for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
		h.args[i] = c->gpr[registers[i]] & mask;
	if (x86_cpl(c) == 0) {
		vm_lock(c->vcpu.vm);
		result = hypercall_dispatch(&h);
		vm_unlock(c->vcpu.vm);
	}
	if (h.again) {
		for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
			c->gpr[registers[i]] = h.args[i] & mask;
		return X86_CALL_AGAIN;
	}
	c->gpr[X86_RAX] = (uint64_t)result & mask;
	c->sleep = h.idle;
	return X86_CALL_DONE;
}

/* --- how upcalls reach it */

/* The callback is there as long as the guest has not taken notice, with no end of interrupt to wait for. */
static int pending(struct x86_interrupts *source)
{
	const struct xen_x86 *x = of_source(source);

	if (x->callback == 0 || x->vector != 0 || !xen_upcall_pending(&x->cpu->vcpu))
		return -1;
	return x->callback;
}

static void upcall(struct vcpu *v)
{
	const struct xen_x86 *x = of_vcpu(v);

	if (x->vector != 0)
		local_apic_raise(local_apic_of(v), x->vector, false);
	else
		vcpu_kick(v, ATTN_IRQ);
}

/*
 * A line (type 0) is accepted and never driven: Linux names line 1 to tell that it uses per-vCPU vectors. 0 is none.
 * PCI devices there are not.
 */
static int set_callback(struct vm *vm, uint64_t via)
{
	uint64_t type = via >> CALLBACK_TYPE;
	uint8_t vector = type == CALLBACK_VECTOR ? (uint8_t)via : 0;

	if ((type != CALLBACK_LINE && type != CALLBACK_VECTOR) || (type == CALLBACK_VECTOR && vector < LOWEST_VECTOR)) {
		log_debug("callback 0x%llx refused", (unsigned long long)via);
		return -XEN_EINVAL;
	}
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		of_vcpu(vm->vcpus[i])->callback = vector;
	return 0;
}

static int set_upcall_vector(struct vcpu *v, uint8_t vector)
{
	of_vcpu(v)->vector = vector;
	return 0;
}

/* --- the board */

_Static_assert(sizeof(struct pvh_map_line) == sizeof(struct xen_memory_entry), "both are lines of E820");

static const struct xen_memory_entry *memory_map(struct vm *vm, unsigned *count)
{
	*count = pvh_board(vm)->nr_map;
	return (const struct xen_memory_entry *)pvh_board(vm)->map;
}

const struct xen_arch xen_arch = {
	.capabilities = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64",
	.upcall = upcall,
	.set_callback = set_callback,
	.set_upcall_vector = set_upcall_vector,
	.memory_map = memory_map,
	.special_gpa = PVH_SPECIAL,
};

/* --- the feature */

/* Of the domain: an INIT of a vCPU leaves it as it is, as on Xen. */
static void reset(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct xen_x86 *x = of_vcpu(vm->vcpus[i]);

		x->callback = x->vector = 0;
	}
}

static void print(struct x86_extension *extension)
{
	const struct xen_x86 *x = of_extension(extension);

	log_text("Xen: callback vector %02x, own vector %02x, upcall %s\n", x->callback, x->vector,
		 xen_upcall_pending(&x->cpu->vcpu) ? "pending" : "not pending");
}

static int add(struct vcpu *v)
{
	struct xen_x86 *x = plat_pages_alloc(sizeof(*x), PAGE);

	if (x == NULL)
		return -ENOMEM;
	x->cpu = x86_cpu(v);
	x->cpu->xen = x;
	x->extension.cpuid = cpuid;
	x->extension.write_msr = write_msr;
	x->extension.call = call;
	x->extension.print = print;
	x->source.pending = pending;
	x->source.ignores_priority = true;
	x86_add_extension(x->cpu, &x->extension);
	x86_add_interrupts(x->cpu, &x->source);
	return 0;
}

static int attach(struct vm *vm)
{
	int err = 0;

	for (unsigned i = 0; i < vm->nr_vcpus && err == 0; i++)
		err = add(vm->vcpus[i]);
	return err;
}

HUSK_FEATURE(xen_x86) = {
	.name = "xen-x86",
	.purpose = "Xen ABI on x86: CPUID leaves, hypercall page, upcalls",
	.level = FEATURE_CPU,
	.attach = attach,
	.reset = reset,
};
