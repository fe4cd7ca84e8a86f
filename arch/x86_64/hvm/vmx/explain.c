/* SPDX-License-Identifier: BSD-2-Clause */
/* Says why an entry failed, about the VMCS that is current. */
#include <inttypes.h>

#include <husk/log.h>

#include "arch/x86_64/hvm/vmx/diagnose.h"
#include "arch/x86_64/hvm/vmx/insn.h"
#include "arch/x86_64/hvm/vmx/vmx.h"
#include "arch/x86_64/pc/x86.h"

#define NO_ENTRY "VM entry fails: "

static uint64_t read_current(void *ctx, uint64_t field)
{
	(void)ctx;
	return vmx_read(field);
}

static struct vmx_subject current(void)
{
	return (struct vmx_subject){ .read = read_current,
				     .can = &vmx_capabilities,
				     .address_bits = cpuid(0x80000008u, 0).eax & 0xff };
}

void vmx_explain_refusal(uint32_t error)
{
	const struct vmx_subject now = current();
	struct vmx_finding f;

	log_error(NO_ENTRY "%s (VM-instruction error %" PRIu32 ")", vmx_instruction_error(error), error);
	if (vmx_check_controls(&now, &f))
		log_error(NO_ENTRY "%s is 0x%" PRIx64 ": %s", f.field, f.value, f.rule);
}

/* 26.7, 26.8 */
void vmx_explain_exit(uint32_t reason, uint64_t qualification, const struct vmx_msr *msrs)
{
	const struct vmx_subject now = current();
	struct vmx_finding f;

	switch (reason & 0xffff) {
	case REASON_MSR_LOAD:
		if (qualification - 1 < VMX_LIVE_MSRS)
			log_error(NO_ENTRY "MSR 0x%" PRIx32 " cannot have the value 0x%" PRIx64,
				  msrs[qualification - 1].msr, msrs[qualification - 1].value);
		break;
	case REASON_MACHINE_CHECK: log_error(NO_ENTRY "the computer has had a machine check"); break;
	default:
		if (vmx_check_guest(&now, &f))
			log_error(NO_ENTRY "the guest's %s is 0x%" PRIx64 ": %s", f.field, f.value, f.rule);
		else
			log_error(NO_ENTRY
				  "the guest's state breaks a rule that husk does not know (qualification %" PRIu64 ")",
				  qualification);
		break;
	}
}
