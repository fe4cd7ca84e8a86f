/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration mechanism #1 (PCI 3.0, 3.2.2.3.2). */
#include "arch/x86_64/pc/pci/pci.h"

#include "arch/x86_64/pc/x86.h"

#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA    0xcfcu
#define CONFIG_ENABLE  ((uint32_t)1 << 31)

uint32_t pci_read(pci_address a, unsigned offset)
{
	out32(CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)a << 8 | offset);
	return in32(CONFIG_DATA);
}

void pci_write(pci_address a, unsigned offset, uint32_t value)
{
	out32(CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)a << 8 | offset);
	out32(CONFIG_DATA, value);
}
