/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions of Intel VMX (Intel SDM 3C, chapter 30). All need a CPU in VMX operation; those on fields a current VMCS. */
#ifndef VMX_INSN_H
#define VMX_INSN_H

#include <stdbool.h>
#include <stdint.h>

/** Enters VMX operation with the region at this physical address. False: the CPU refuses. */
static inline bool vmx_on(uint64_t region)
{
	bool failed;

	__asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(region) : "memory");
	return !failed;
}

/** Writes a VMCS back to its memory and makes it not current, not launched. */
static inline void vmx_clear(uint64_t vmcs)
{
	__asm__ volatile("vmclear %0" : : "m"(vmcs) : "memory", "cc");
}

/** Makes a VMCS current. */
static inline void vmx_make_current(uint64_t vmcs)
{
	__asm__ volatile("vmptrld %0" : : "m"(vmcs) : "memory", "cc");
}

/** A field of the current VMCS; 0 if this CPU has no such field. */
static inline uint64_t vmx_read(uint64_t field)
{
	uint64_t value = 0;

	__asm__ volatile("vmread %1, %0" : "+r"(value) : "r"(field) : "memory", "cc");
	return value;
}

/** Sets a field of the current VMCS; nothing if this CPU has no such field. */
static inline void vmx_write(uint64_t field, uint64_t value)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"(field), "r"(value) : "memory", "cc");
}

/** What INVEPT and INVVPID drop. */
enum vmx_invalidate { VMX_SINGLE = 1, VMX_ALL = 2 };

/** Drops what is cached of the tables of an EPT pointer. */
static inline void vmx_invept(uint64_t kind, uint64_t pointer)
{
	const uint64_t descriptor[2] = { pointer, 0 };

	__asm__ volatile("invept %1, %0" : : "r"(kind), "m"(descriptor) : "memory", "cc");
}

/** Drops the translations of a VPID. */
static inline void vmx_invvpid(uint64_t kind, uint16_t vpid)
{
	const uint64_t descriptor[2] = { vpid, 0 };

	__asm__ volatile("invvpid %1, %0" : : "r"(kind), "m"(descriptor) : "memory", "cc");
}

#endif
