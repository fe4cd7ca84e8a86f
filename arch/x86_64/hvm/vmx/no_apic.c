/* SPDX-License-Identifier: BSD-2-Clause */
/* An image whose local APIC no CPU takes over: apic.c has what this stands for. */
#include "arch/x86_64/hvm/vmx/vmx.h"

void vmx_apic_before(struct x86_cpu *c, struct vmx *s)
{
	(void)c;
	(void)s;
}

void vmx_apic_after(struct x86_cpu *c, struct vmx *s)
{
	(void)c;
	(void)s;
}

void vmx_apic_enter(struct x86_cpu *c, struct vmx *s)
{
	(void)c;
	(void)s;
}

void vmx_apic_leave(struct x86_cpu *c, struct vmx *s)
{
	(void)c;
	(void)s;
}

void vmx_apic_notify(uint32_t id)
{
	(void)id;
}

void vmx_apic_end(struct x86_cpu *c, uint8_t vector)
{
	(void)c;
	(void)vector;
}

uint64_t vmx_apic_accessed(struct x86_cpu *c, struct vmx *s, uint64_t offset)
{
	(void)c;
	(void)s;
	return offset;
}

void vmx_apic_written(struct x86_cpu *c, struct vmx *s, uint64_t offset)
{
	(void)c;
	(void)s;
	(void)offset;
}
