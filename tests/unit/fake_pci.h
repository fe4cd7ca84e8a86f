/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration space of PCI devices that tests make up, and what else of host pc the PCI code wants. */
#ifndef TESTS_FAKE_PCI_H
#define TESTS_FAKE_PCI_H

#include <stdint.h>

#include "arch/x86_64/pc/pci/pci.h"

/** No devices. */
void fake_pci_reset(void);

/** A device without capabilities. `id` is device << 16 | vendor. */
void fake_pci_add(pci_address a, uint32_t id, uint32_t class_code);

/** A bridge to buses `secondary` to `subordinate`. */
void fake_pci_add_bridge(pci_address a, uint8_t secondary, uint8_t subordinate);

/** A capability at `offset`, with the next one at `next`; the one at 0x40 is the first. */
void fake_pci_capability(pci_address a, uint8_t offset, uint8_t id, uint8_t next);

#endif
