/* SPDX-License-Identifier: BSD-2-Clause */
/* One vCPU. */
#include "arch/mips64/guest/atomic.h"
#include "arch/mips64/guest/isa.h"
#include "arch/mips64/guest/mmu.h"

bool mips_replace(void *host, unsigned size, uint64_t old, uint64_t value)
{
	(void)old;
	mips_host_write(host, size, value);
	return true;
}

mips_exec *mips_sync(unsigned stype)
{
	(void)stype;
	return mips_exec_nop;
}
