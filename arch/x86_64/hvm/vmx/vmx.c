/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel VMX behind hvm.h: what is switched on, made and reset. Section numbers are of the Intel SDM, volume 3C. */
#include "arch/x86_64/hvm/vmx/vmx.h"

#include <errno.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/option.h>
#include <husk/platform.h>

#include "arch/x86_64/hvm/msr.h"
#include "arch/x86_64/hvm/nested.h"
#include "arch/x86_64/hvm/vmx/insn.h"
#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/trap.h"
#include "arch/x86_64/pc/x86.h"

#define CPUID1_ECX_VMX (1u << 5)
#define CR4_VMXE       (1u << 13)
#define CR0_TASK_FPU   CR0_TS /* while a guest runs, the FPU is its own */

/*
 * 25.1.3, in ticks of the TSC: PAUSEs no further apart than the gap are a loop, and one that goes on for longer than the
 * window exits. PAUSE itself takes up to 140 cycles (since Skylake); who holds a lock and runs gives it back in less than
 * the window, which is some microseconds.
 */
#define PAUSE_GAP    256u
#define PAUSE_WINDOW 8192u

/* Descriptors of a TSS: 3A, figure 7-4. */
struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

void vmx_exited(void); /* entry.S: where exits arrive */

struct vmx_capabilities vmx_capabilities;
static bool known; /* they are */

/* Given before the VM is made, constant from then on. */
static bool plain;

static int set_plain(const char *value)
{
	plain = strcmp(value, "plain") == 0;
	return plain || strcmp(value, "full") == 0 ? 0 : -EINVAL;
}

HUSK_OPTION(vmx) = { "vmx=", "MODE", "plain: use no optional part of VMX, full: all there is (the default)",
		     set_plain };

/* --- switching it on */

static bool vmx_found(void)
{
	return (cpuid(1, 0).ecx & CPUID1_ECX_VMX) != 0;
}

/* 23.7: the lock is firmware's to set; if it has not, we do. */
static bool allowed_by_firmware(void)
{
	uint64_t control = rdmsr(MSR_FEATURE_CONTROL);

	if ((control & FEATURE_CONTROL_LOCK) == 0) {
		control |= FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX;
		wrmsr(MSR_FEATURE_CONTROL, control);
	}
	return (control & FEATURE_CONTROL_VMX) != 0;
}

static int vmx_start(void)
{
	struct vmx_capabilities can;
	struct vmx_cpu *cpu;
	const char *missing;

	if (!allowed_by_firmware())
		return hvm_missing(&vmx_ops, "VMX (its firmware has switched it off)");
	missing = vmx_find_capabilities(rdmsr, plain, &can);
	if (missing != NULL)
		return hvm_missing(&vmx_ops, missing);
	/* Other CPUs start while the first one runs its vCPU by these, and are as it is. */
	if (!known)
		vmx_capabilities = can;
	known = true;
	cpu = plat_pages_alloc(sizeof(*cpu), VMX_PAGE);
	if (cpu == NULL)
		return -ENOMEM;
	memcpy(cpu->region, &vmx_capabilities.revision, sizeof(vmx_capabilities.revision));
	/* 23.8: what VMX operation fixes. The host runs with paging and protection anyway. */
	write_cr0((read_cr0() | vmx_capabilities.cr0_fixed0) & vmx_capabilities.cr0_fixed1);
	write_cr4((read_cr4() | CR4_VMXE | vmx_capabilities.cr4_fixed0) & vmx_capabilities.cr4_fixed1);
	if (!vmx_on((uintptr_t)cpu->region))
		return hvm_missing(&vmx_ops, "VMX that works (VMXON fails)");
	cpu_this()->hvm = cpu;
	log_debug("VMX: controls %x %x %x, EPT and VPID %llx%s", (unsigned)vmx_capabilities.pin,
		  (unsigned)vmx_capabilities.cpu, (unsigned)vmx_capabilities.cpu2,
		  (unsigned long long)vmx_capabilities.ept_vpid,
		  vmx_capabilities.posted      ? ", delivers interrupts itself, also of other CPUs"
		  : vmx_capabilities.apic != 0 ? ", delivers interrupts itself"
					       : "");
	return 0;
}

/* --- a vCPU */

static const uint32_t live_msrs[VMX_LIVE_MSRS] = { MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK, MSR_KERNEL_GS_BASE };

/* 24.6.9: a bit an MSR, set: it exits; 1 KiB each for reads and writes, of low and of high numbers. */
void vmx_pass_msr(struct vmx *s, uint32_t msr, bool write, bool pass)
{
	uint32_t at = (write ? 0x800u : 0) + (msr >= 0xc0000000u ? 0x400u : 0) + (msr & 0x1fffu) / 8;

	if (pass)
		s->msr_bitmap[at] &= (uint8_t) ~(1u << msr % 8);
	else
		s->msr_bitmap[at] |= (uint8_t)(1u << msr % 8);
}

static void fill_bitmaps(struct vmx *s)
{
	memset(s->msr_bitmap, 0xff, sizeof(s->msr_bitmap));
	for (unsigned i = 0; i < HVM_DIRECT_MSRS; i++) {
		vmx_pass_msr(s, hvm_direct_msrs[i], false, true);
		vmx_pass_msr(s, hvm_direct_msrs[i], true, true);
	}
	vmx_pass_msr(s, MSR_TSC, false, true);
	memset(s->io_bitmap, 0xff, sizeof(s->io_bitmap));
	for (unsigned i = 0; i < HVM_DIRECT_PORTS; i++)
		s->io_bitmap[hvm_direct_ports[i] / 8] &= (uint8_t) ~(1u << hvm_direct_ports[i] % 8);
}

static int vmx_create(struct x86_cpu *c)
{
	struct vmx *s = plat_pages_alloc(sizeof(*s), VMX_PAGE);

	if (s == NULL)
		return -ENOMEM;
	c->state = s;
	memcpy(s->vmcs, &vmx_capabilities.revision, sizeof(vmx_capabilities.revision));
	for (unsigned i = 0; i < VMX_LIVE_MSRS; i++)
		s->msrs[i].msr = live_msrs[i];
	fill_bitmaps(s);
	c->hardware_apic = vmx_capabilities.apic;
	return 0;
}

static int vmx_map_memory(struct x86_cpu *c)
{
	struct vmx *s = vmx_of(c);
	uint64_t can = plain ? 0 : vmx_capabilities.ept_vpid;
	const struct nested_format f = { .table = EPT_READ | EPT_WRITE | EPT_EXECUTE,
					 .page = EPT_READ | EPT_WRITE | EPT_EXECUTE | EPT_TYPE_WB,
					 .large = EPT_LARGE,
					 .write = EPT_WRITE,
					 .fetch = EPT_EXECUTE,
					 .highest = (can & EPT_CAP_1GIB) != 0   ? 2
						    : (can & EPT_CAP_2MIB) != 0 ? 1
										: 0 };
	int err = nested_build(&c->vcpu.vm->memory, &f, &s->ept_root);

	s->drop = true;
	s->apic_paged = false; /* nor is what was there before */
	return err;
}

static void vmx_reset(struct x86_cpu *c)
{
	static const struct x86_segment none = { .limit = 0xffff, .attributes = X86_SEG_DATA16 };
	static const struct x86_segment code = { .limit = 0xffff, .attributes = X86_SEG_CODE16 };
	static const struct x86_segment ldt = { .limit = 0xffff, .attributes = X86_SEG_LDT };
	static const struct x86_segment tss = { .limit = 0xffff, .attributes = X86_SEG_TSS };
	struct vmx *s = vmx_of(c);

	vmx_zero_fields(&s->state);
	for (unsigned n = X86_ES; n < X86_SEGMENTS; n++)
		vmx_set_segment(&s->state, n, n == X86_CS ? &code : n == X86_LDTR ? &ldt : n == X86_TR ? &tss : &none);
	vmx_set_field(&s->state, VMX_ENTRY, vmx_capabilities.entry);
	vmx_set_field(&s->state, VMX_PAT, X86_PAT_RESET);
	vmx_set_field(&s->state, VMX_DR7, X86_DR7_RESET);
	vmx_set(c, X86_CR0, X86_CR0_ET);
	vmx_set(c, X86_CR4, 0);
	memset(s->apic, 0, sizeof(s->apic));
	for (unsigned i = 0; i < VMX_LIVE_MSRS; i++)
		s->msrs[i].value = 0;
	s->cr2 = 0;
	s->dr6 = X86_DR6_RESET;
	/* Whatever of the old is in a CPU is not saved, and the new is loaded with the next entry. */
	if (s->cpu != NULL && s->cpu->loaded == c)
		s->cpu->loaded = NULL;
	s->drop = true;
}

/* --- its VMCS */

static uint64_t tss_base(void)
{
	struct table_pointer gdt;
	const uint64_t *d;

	__asm__ volatile("sgdt %0" : "=m"(gdt));
	d = (const uint64_t *)(uintptr_t)(gdt.base + SELECTOR_TSS);
	return (d[0] >> 16 & 0xffffff) | (d[0] >> 56 << 24) | d[1] << 32;
}

/* 24.5: what exits load. Those of SYSENTER are 0, as nobody uses it. */
static void write_host_state(void)
{
	struct table_pointer gdt, idt;

	__asm__ volatile("sgdt %0\n\tsidt %1" : "=m"(gdt), "=m"(idt));
	vmx_write(VMCS_HOST_CS, SELECTOR_CODE);
	vmx_write(VMCS_HOST_SS, SELECTOR_DATA);
	vmx_write(VMCS_HOST_DS, SELECTOR_DATA);
	vmx_write(VMCS_HOST_ES, SELECTOR_DATA);
	vmx_write(VMCS_HOST_TR, SELECTOR_TSS);
	vmx_write(VMCS_HOST_TR_BASE, tss_base());
	vmx_write(VMCS_HOST_GDTR_BASE, gdt.base);
	vmx_write(VMCS_HOST_IDTR_BASE, idt.base);
	vmx_write(VMCS_HOST_GS_BASE, rdmsr(MSR_GS_BASE));
	vmx_write(VMCS_HOST_CR0, read_cr0() | CR0_TASK_FPU);
	vmx_write(VMCS_HOST_CR3, read_cr3());
	vmx_write(VMCS_HOST_CR4, read_cr4());
	vmx_write(VMCS_HOST_EFER, rdmsr(MSR_EFER));
	vmx_write(VMCS_HOST_PAT, rdmsr(MSR_PAT));
	vmx_write(VMCS_HOST_RIP, (uintptr_t)vmx_exited);
}

/* Fields that stay as they are; a VMCS that was cleared has no defined ones (24.11.3). */
static void write_controls(struct x86_cpu *c)
{
	const struct vmx_capabilities *can = &vmx_capabilities;
	struct vmx *s = vmx_of(c);

	vmx_write(VMCS_PIN, can->pin);
	vmx_write(VMCS_CPU, can->cpu);
	s->cpu_controls = can->cpu;
	s->cpu2_controls = c->spins != NULL ? can->cpu2 : can->cpu2 & ~CPU2_PAUSE_LOOP;
	vmx_write(VMCS_CPU2, s->cpu2_controls);
	vmx_write(VMCS_PAUSE_GAP, PAUSE_GAP);
	vmx_write(VMCS_PAUSE_WINDOW, PAUSE_WINDOW);
	vmx_write(VMCS_EXIT, can->exit);
	s->posted = false;
	if (can->posted && c->posted != NULL) {
		vmx_write(VMCS_EXIT, can->exit | EXIT_ACK);
		vmx_write(VMCS_POSTED_VECTOR, VECTOR_POSTED);
		vmx_write(VMCS_POSTED, (uintptr_t)c->posted);
	}
	/* #DB and #AC too: delivering either can raise it again, without end and with nothing that ends the guest. */
	vmx_write(VMCS_EXCEPTIONS, 1u << X86_DB | 1u << X86_AC | 1u << X86_MC);
	vmx_write(VMCS_CR0_MASK, vmx_cr0_mask());
	vmx_write(VMCS_CR4_MASK, vmx_cr4_mask());
	vmx_write(VMCS_IO_BITMAP_A, (uintptr_t)s->io_bitmap);
	vmx_write(VMCS_IO_BITMAP_B, (uintptr_t)s->io_bitmap + VMX_PAGE);
	vmx_write(VMCS_MSR_BITMAP, (uintptr_t)s->msr_bitmap);
	vmx_write(VMCS_ENTRY_MSR_LOAD, (uintptr_t)s->msrs);
	vmx_write(VMCS_LINK_POINTER, UINT64_MAX); /* 26.3.1.5 */
	vmx_write(VMCS_VIRTUAL_APIC, (uintptr_t)s->apic);
	vmx_write(VMCS_APIC_ACCESS, (uintptr_t)s->apic_access);
	/* VPID 0 is the host's. A vCPU has its own, on whatever CPU it runs. */
	vmx_write(VMCS_VPID, c->vcpu.id + 1);
	vmx_write(VMCS_FAULT_MASK, 0);
	vmx_write(VMCS_FAULT_MATCH, 0);
	vmx_write(VMCS_CR3_TARGETS, 0);
	vmx_write(VMCS_EXIT_MSR_STORES, 0);
	vmx_write(VMCS_EXIT_MSR_LOADS, 0);
	vmx_write(VMCS_ENTRY_MSR_LOADS, 0);
	vmx_write(VMCS_ENTRY_EVENT, 0);
	vmx_write(VMCS_TPR_THRESHOLD, 0);
	vmx_write(VMCS_PREEMPTION_TIMER, 0);
	for (unsigned i = 0; i < 4; i++) {
		vmx_write(VMCS_EOI_EXIT + 2 * i, 0);
		s->eoi_exits[i] = 0;
	}
	s->apic_mode = X86_APIC_OFF;
	s->nr_msrs = s->event = s->tpr_threshold = s->timer = 0;
}

/* --- which vCPU a CPU has */

/* Registers that no VMCS has and the host does not use. */
static void save_live(struct vmx *s)
{
	s->cr2 = read_cr2();
	__asm__ volatile("mov %%dr6, %0" : "=r"(s->dr6));
	/* A vCPU that was loaded and not entered has its MSRs in memory still: those in the CPU are another's. */
	for (unsigned i = 0; i < VMX_LIVE_MSRS && s->nr_msrs == 0; i++)
		s->msrs[i].value = rdmsr(s->msrs[i].msr);
}

/* The MSRs are loaded by the CPU, with the next entry. */
static void load_live(struct vmx *s)
{
	__asm__ volatile("mov %0, %%cr2" : : "r"(s->cr2));
	__asm__ volatile("mov %0, %%dr6" : : "r"(s->dr6));
	s->nr_msrs = VMX_LIVE_MSRS;
	vmx_write(VMCS_ENTRY_MSR_LOADS, s->nr_msrs);
}

void vmx_load(struct x86_cpu *c)
{
	struct vmx_cpu *cpu = cpu_this()->hvm;
	struct vmx *s = vmx_of(c);

	if (cpu->loaded == c)
		return;
	if (cpu->loaded != NULL)
		save_live(vmx_of(cpu->loaded));
	cpu->loaded = c;
	if (s->cpu != cpu) {
		vmx_clear((uintptr_t)s->vmcs);
		vmx_make_current((uintptr_t)s->vmcs);
		write_controls(c);
		write_host_state();
		vmx_rewrite_fields(&s->state);
		s->cpu = cpu;
		s->launched = false;
		s->host_rsp = 0;
		s->drop = true;
	} else {
		vmx_make_current((uintptr_t)s->vmcs);
	}
	load_live(s);
}

/* The VMCS stays where it is; all else is in memory. */
static void vmx_leave(struct x86_cpu *c)
{
	struct vmx *s = vmx_of(c);

	if (s->cpu == NULL || s->cpu->loaded != c)
		return;
	vmx_learn_fields(&s->state);
	save_live(s);
	s->cpu->loaded = NULL;
}

void vmx_drop_translations(struct x86_cpu *c)
{
	uint64_t can = vmx_capabilities.ept_vpid;
	uint64_t pointer = vmx_of(c)->ept_root | EPTP_WB | EPTP_WALK_4;

	vmx_write(VMCS_EPT_POINTER, pointer);
	vmx_invept((can & EPT_CAP_INVEPT_SINGLE) != 0 ? VMX_SINGLE : VMX_ALL, pointer);
	if ((vmx_capabilities.cpu2 & CPU2_VPID) != 0)
		vmx_invvpid((can & VPID_CAP_SINGLE) != 0 ? VMX_SINGLE : VMX_ALL, (uint16_t)(c->vcpu.id + 1));
	vmx_of(c)->drop = false;
}

const struct hvm_ops vmx_ops = {
	.name = "VMX",
	.needs = "Intel VMX with EPT and unrestricted guest mode (since 2010)",
	.call = { 0x0f, 0x01, 0xc1 },
	.found = vmx_found,
	.start = vmx_start,
	.create = vmx_create,
	.reset = vmx_reset,
	.map_memory = vmx_map_memory,
	.enter = vmx_run,
	.leave = vmx_leave,
	.get = vmx_get,
	.set = vmx_set,
	.get_segment = vmx_load_segment,
	.set_segment = vmx_store_segment,
	.handle = vmx_handle,
	.notify = vmx_apic_notify,
	.exit_name = vmx_exit_name,
};

HVM_OPS(vmx) = &vmx_ops;

HUSK_FEATURE(hvm_vmx) = {
	.name = "hvm-vmx",
	.purpose = "Intel VMX with extended page tables, for the engine hvm",
	.level = FEATURE_CPU,
};
