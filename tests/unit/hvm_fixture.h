/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU of engine hvm for tests: registers are variables, and entering the guest is a script of exits. */
#ifndef TESTS_HVM_FIXTURE_H
#define TESTS_HVM_FIXTURE_H

#include <husk/vm.h>

#include "arch/x86_64/hvm/hvm.h"

#define HVM_SCRIPT_MAX 16u

/** The vCPU, and the VM that it is the only one of. */
struct hvm_fixture {
	struct x86_cpu cpu; /* first */
	struct vm vm;
	struct params params;
	uint64_t controls[X86_CONTROLS];
	struct x86_segment segments[X86_SEGMENTS];
	struct hvm_exit script[HVM_SCRIPT_MAX]; /**< exits to come; then the attention word counts as set */
	unsigned script_size, script_at;
	struct x86_event injected; /**< by the last entry */
	int window;                /**< asked for by the last entry */
};

/** Makes the VM with `ram` bytes from address 0 on, in 64-bit mode without paging in force, and the on-demand timer. */
void hvm_fixture_init(struct hvm_fixture *f, uint64_t ram);

/** Adds an exit to the script; returns it for more members to be set. */
struct hvm_exit *hvm_fixture_exit(struct hvm_fixture *f, enum hvm_cause cause, uint8_t length);

#endif
