/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the diagnosis: what is wrong with a guest, and how it is told. */
#ifndef DIAGNOSE_REPORT_H
#define DIAGNOSE_REPORT_H

#include <stdbool.h>

struct vcpu;
struct vm;

/** What is wrong. */
enum diagnose_reason {
	DIAGNOSE_NEVER_PRINTED,  /**< nothing came from the console since the start */
	DIAGNOSE_SPINNING,       /**< nothing came for a while, and the guest never idled */
	DIAGNOSE_EXCEPTION_LOOP, /**< exceptions within exceptions without end */
	DIAGNOSE_HALTED,         /**< waits with interrupts off, before any program ran */
	DIAGNOSE_REASONS
};

/** Prints everything that helps to find out why vCPU v got there; `ends` says that the run ends now. */
void diagnose_report(struct vm *vm, struct vcpu *v, enum diagnose_reason reason, bool ends);

#endif
