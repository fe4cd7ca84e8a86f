/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Xen domain on the fake host: a VM whose engine runs nothing, with RAM and special pages, the features that the test
 * links, and a CPU that makes hypercalls and counts its upcalls.
 */
#ifndef TESTS_XEN_FIXTURE_H
#define TESTS_XEN_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "features/xen-abi/xen.h"

#define XEN_RAM         (1ull << 20)
#define XEN_SPECIAL_GPA 0xfeff8000ull

/** Virtual addresses of RAM: neighbouring pages are swapped, so that what is in a row for the guest is not in RAM. */
#define XEN_GVA    0xffff888000000000ull
#define XEN_GVA_32 0xc0000000ull

/** Page of RAM that no virtual address leads to. */
#define XEN_UNMAPPED_GPA 0xa0000ull

/** Most vCPUs of the fixture. */
#define XEN_VCPUS 4u

extern struct vm xen_vm;
extern struct vcpu xen_vcpus[XEN_VCPUS];
extern unsigned xen_upcalls[XEN_VCPUS];      /**< calls of xen_arch.upcall */
extern uint8_t xen_vectors[XEN_VCPUS];       /**< last xen_arch.set_upcall_vector */
extern uint64_t xen_callback;                /**< last xen_arch.set_callback; 0xbad is refused */
extern void (*xen_on_upcall)(struct vcpu *); /**< called for each upcall, or NULL */
extern unsigned xen_word;                    /**< of the caller: 8 after xen_start() */
extern struct hypercall xen_last;            /**< the last call, as the handler left it */

/** A new domain with that many vCPUs, attached and reset. Forgets all counts. */
void xen_start(unsigned nr_vcpus);

/** The guest starts again. */
void xen_restart(void);

/** A hypercall of vCPU v; missing arguments are 0. */
int64_t xen_call_args(unsigned v, uint64_t nr, const uint64_t args[HYPERCALL_ARGS]);
#define xen_call(v, nr, ...) xen_call_args(v, nr, (const uint64_t[HYPERCALL_ARGS]){ __VA_ARGS__ })

/** Virtual address of a physical one, for callers with xen_word. */
uint64_t xen_gva(uint64_t gpa);

/** Host address of guest RAM. */
void *xen_ram(uint64_t gpa);

/** Copies to, and from, the guest's structure for arguments, which crosses pages. Returns its virtual address. */
uint64_t xen_put(const void *data, size_t size);
void xen_get(void *data, size_t size);

/** Call of a group with a pointer to *arg, which has the guest's version afterwards. */
int64_t xen_op(unsigned v, uint64_t nr, uint64_t op, void *arg, size_t size);

/** Likewise for vcpu_op, which has the vCPU in between. */
int64_t xen_vcpu_op(unsigned v, uint64_t op, uint64_t target, void *arg, size_t size);

/** Moves time on as the run loop of vCPU 0 would see it. */
void xen_pass(uint64_t ns);

#endif
