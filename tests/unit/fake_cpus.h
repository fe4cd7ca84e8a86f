/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests see of fake_cpus.c. */
#ifndef TESTS_FAKE_CPUS_H
#define TESTS_FAKE_CPUS_H

#define FAKE_MAX_CPUS 16u

/** What plat_cpus() returns. Threads are never ended: a test program has at most one VM with several. */
extern unsigned fake_cpus;

/** Raises ATTN_TIMER in the calling CPU's word if its deadline has passed: there are no interrupts. */
void fake_cpu_look(void);

#endif
