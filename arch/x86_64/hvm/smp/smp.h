/* SPDX-License-Identifier: BSD-2-Clause */
/* Several vCPUs of engine hvm: how they start and stop. All on the vCPU's own CPU. */
#ifndef HVM_SMP_SMP_H
#define HVM_SMP_SMP_H

#include <stdint.h>

#include "arch/x86_64/hvm/cpu.h"

/** INIT: the vCPU is reset and waits for a start-up message. The boot vCPU ignores it, with a line at level debug. */
void x86_smp_init(struct x86_cpu *c);

/** One that waits to be started is reset, and runs from then on; whoever calls this sets where. */
void x86_smp_begin(struct x86_cpu *c);

/** Start-up message: one that waits for it begins in real mode at the start of page `vector`. */
void x86_smp_start_up(struct x86_cpu *c, uint8_t vector);

#endif
