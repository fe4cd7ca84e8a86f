/* SPDX-License-Identifier: BSD-2-Clause */
/* Several vCPUs on an x86-64 host, whose order of memory accesses is TSO (SDM volume 3A, 9.2). */
#include "arch/mips64/guest/atomic.h"

#include <husk/smp.h>

#include "arch/mips64/guest/isa.h"

bool mips_replace(void *host, unsigned size, uint64_t old, uint64_t value)
{
	if (size == 4) {
		uint32_t seen = (uint32_t)old;

		return __atomic_compare_exchange_n((uint32_t *)host, &seen, (uint32_t)value, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_RELAXED);
	}
	return __atomic_compare_exchange_n((uint64_t *)host, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static const struct mips_insn *op_sync(struct mips_cpu *c, const struct mips_insn *i)
{
	(void)c;
	smp_fence();
	return i + 1;
}

mips_exec *mips_sync(unsigned stype)
{
	bool orders_nothing = stype == 4 || stype == 5 || (stype >= 0x11 && stype <= 0x13);

	return orders_nothing ? mips_exec_nop : op_sync;
}
