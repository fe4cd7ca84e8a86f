/* SPDX-License-Identifier: BSD-2-Clause */
/* See fake_pci.h. */
#include "tests/unit/fake_pci.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "arch/x86_64/pc/apic.h"
#include "arch/x86_64/pc/memory.h"
#include "arch/x86_64/pc/trap.h"

#define MAX_DEVICES 16u

static struct {
	pci_address address;
	uint32_t space[64];
} devices[MAX_DEVICES];
static unsigned nr_devices;

static uint32_t *space_of(pci_address a)
{
	for (unsigned i = 0; i < nr_devices; i++)
		if (devices[i].address == a)
			return devices[i].space;
	return NULL;
}

uint32_t pci_read(pci_address a, unsigned offset)
{
	const uint32_t *space = space_of(a);

	return space == NULL || offset >= 256 ? UINT32_MAX : space[offset / 4];
}

void pci_write(pci_address a, unsigned offset, uint32_t value)
{
	uint32_t *space = space_of(a);

	if (space != NULL && offset < 256)
		space[offset / 4] = value;
}

void fake_pci_reset(void)
{
	memset(devices, 0, sizeof(devices));
	nr_devices = 0;
}

void fake_pci_add(pci_address a, uint32_t id, uint32_t class_code)
{
	devices[nr_devices].address = a;
	devices[nr_devices].space[PCI_VENDOR / 4] = id;
	devices[nr_devices].space[PCI_CLASS / 4] = class_code << 8;
	nr_devices++;
}

void fake_pci_add_bridge(pci_address a, uint8_t secondary, uint8_t subordinate)
{
	fake_pci_add(a, 0x12345678, 0x060400);
	pci_write(a, PCI_HEADER, 1u << 16);
	pci_write(a, 0x18, (uint32_t)subordinate << 16 | (uint32_t)secondary << 8);
}

void fake_pci_capability(pci_address a, uint8_t offset, uint8_t id, uint8_t next)
{
	pci_write(a, PCI_COMMAND, 1u << 20);
	pci_write(a, PCI_CAP_LIST, 0x40);
	pci_write(a, offset, (uint32_t)next << 8 | id);
}

/* --- the rest of host pc */

int memory_map_device(uint64_t pa)
{
	(void)pa;
	return -EINVAL;
}

uint32_t apic_id(void)
{
	return 0;
}

void trap_set_device(void (*handler)(void))
{
	(void)handler;
}
