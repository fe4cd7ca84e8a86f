/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI devices of the computer: PCI Local Bus Specification 3.0, whose section numbers
 * these are. The firmware has given them addresses.
 */
#ifndef PC_PCI_H
#define PC_PCI_H

#include <stdbool.h>
#include <stdint.h>

struct vm;

/** Place of a device: bits 15:8 bus, 7:3 device, 2:0 function. */
typedef uint16_t pci_address;

/* Configuration space, 6.1 */
#define PCI_VENDOR   0x00u
#define PCI_COMMAND  0x04u
#define PCI_CLASS    0x08u /* revision in bits 7:0, class code in 31:8 */
#define PCI_HEADER   0x0cu
#define PCI_BAR0     0x10u
#define PCI_CAP_LIST 0x34u

/** Capability identifiers (appendix H). */
#define PCI_CAP_VENDOR 0x09u
#define PCI_CAP_MSIX   0x11u

/* ports.c */

/** Reads 32 bits of configuration space at an offset below 256, a multiple of 4. */
uint32_t pci_read(pci_address a, unsigned offset);

/** Writes 32 bits. */
void pci_write(pci_address a, unsigned offset, uint32_t value);

/* pci.c */

/** Whether a device is the one that is looked for. */
typedef bool pci_match(pci_address a, uint32_t vendor_device, uint32_t class_code);

/** The n-th device, in the order of buses, that `match` takes. Returns 0 and sets *out, or -ENODEV. */
int pci_find(pci_match *match, unsigned n, pci_address *out);

/** Next capability `id` behind `at` (0: the first one). Returns its offset, or 0 if there is none. */
unsigned pci_capability(pci_address a, unsigned id, unsigned at);

/** 8 or 16 bits of configuration space. */
uint8_t pci_read8(pci_address a, unsigned offset);
uint16_t pci_read16(pci_address a, unsigned offset);

/**
 * Maps `size` bytes at `offset` of a memory BAR (0 to 5), uncached. Returns the address, or 0 if the BAR has none, is no
 * memory, or cannot be mapped.
 */
uint64_t pci_map(pci_address a, unsigned bar, uint64_t offset, uint64_t size);

/**
 * Switches a device on: memory, bus master, and all entries of its MSI-X table to VECTOR_DEVICE at this CPU, which raises
 * ATTN_IO in the boot vCPU of vm. Returns 0, or -ENOTSUP if it has no usable MSI-X.
 */
int pci_enable(pci_address a, struct vm *vm);

#endif
