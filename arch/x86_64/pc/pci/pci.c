/* SPDX-License-Identifier: BSD-2-Clause */
/* See pci.h. What devices say is checked: a broken one must not take the host along. */
#include "arch/x86_64/pc/pci/pci.h"

#include <errno.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/vm.h>

#include "arch/x86_64/pc/apic.h"
#include "arch/x86_64/pc/memory.h"
#include "arch/x86_64/pc/trap.h"
#include "arch/x86_64/pc/x86.h"

#define PAGE 4096u

#define NO_DEVICE UINT32_MAX

/* PCI_HEADER */
#define HEADER_MULTIFUNCTION (1u << 23)
#define HEADER_TYPE(v)       ((v) >> 16 & 0x7f)
#define HEADER_BRIDGE        1u
/* PCI-to-PCI Bridge Architecture 1.2, 3.2.5 */
#define BRIDGE_BUSES          0x18u
#define BRIDGE_SECONDARY(v)   ((v) >> 8 & 0xff)
#define BRIDGE_SUBORDINATE(v) ((v) >> 16 & 0xff)

#define COMMAND_MEMORY     (1u << 1)
#define COMMAND_MASTER     (1u << 2)
#define COMMAND_NO_INTX    (1u << 10)
#define STATUS_CAP_LIST    (1u << 20)
#define BAR_IO             (1u << 0)
#define BAR_64             (1u << 2)
#define BAR_ADDRESS        (~(uint64_t)0xf)
#define CAPABILITIES_FIRST 0x40u

/* 6.8.2: MSI-X */
#define MSIX_CONTROL_ENABLE (1u << 31)
#define MSIX_CONTROL_MASK   (1u << 30)
#define MSIX_SIZE(v)        (((v) >> 16 & 0x7ff) + 1)
#define MSIX_TABLE          4u
#define MSIX_ENTRY          16u
/* Intel SDM 3A, 10.11: fixed delivery, edge; the address names the CPU. */
#define MSI_ADDRESS(apic) (0xfee00000u | (apic) << 12)

static uint32_t *attention;

static void interrupt(void)
{
	plat_kick(attention, ATTN_IO);
}

uint16_t pci_read16(pci_address a, unsigned offset)
{
	return (uint16_t)(pci_read(a, offset & ~3u) >> (offset & 2) * 8);
}

uint8_t pci_read8(pci_address a, unsigned offset)
{
	return (uint8_t)(pci_read(a, offset & ~3u) >> (offset & 3) * 8);
}

/** A search that goes on over buses. */
struct search {
	pci_match *match;
	unsigned left; /* matches to pass over */
	pci_address found;
};

/* Looks at one function. Returns true if it is the one. */
static bool look_at(struct search *s, pci_address a)
{
	uint32_t id = pci_read(a, PCI_VENDOR);

	if (id == NO_DEVICE || !s->match(a, id, pci_read(a, PCI_CLASS) >> 8))
		return false;
	s->found = a;
	return s->left-- == 0;
}

/* Last bus that there is, by what the firmware wrote into the bridges of a bus. */
static unsigned last_bus(unsigned bus, unsigned last, pci_address a)
{
	uint32_t buses;

	if (HEADER_TYPE(pci_read(a, PCI_HEADER)) != HEADER_BRIDGE)
		return last;
	buses = pci_read(a, BRIDGE_BUSES);
	/* A bridge that nobody has set up leads nowhere. */
	if (BRIDGE_SECONDARY(buses) <= bus || BRIDGE_SUBORDINATE(buses) < last)
		return last;
	return BRIDGE_SUBORDINATE(buses);
}

int pci_find(pci_match *match, unsigned n, pci_address *out)
{
	struct search s = { .match = match, .left = n };
	unsigned last = 0;

	for (unsigned bus = 0; bus <= last; bus++) {
		for (unsigned device = 0; device < 32; device++) {
			pci_address first = (pci_address)(bus << 8 | device << 3);
			unsigned functions = 1;

			if (pci_read(first, PCI_VENDOR) == NO_DEVICE)
				continue;
			if ((pci_read(first, PCI_HEADER) & HEADER_MULTIFUNCTION) != 0)
				functions = 8;
			for (unsigned f = 0; f < functions; f++) {
				pci_address a = (pci_address)(first | f);

				if (look_at(&s, a)) {
					*out = a;
					return 0;
				}
				last = last_bus(bus, last, a);
			}
		}
	}
	return -ENODEV;
}

unsigned pci_capability(pci_address a, unsigned id, unsigned at)
{
	unsigned next;

	if ((pci_read(a, PCI_COMMAND) & STATUS_CAP_LIST) == 0)
		return 0;
	next = at == 0 ? pci_read8(a, PCI_CAP_LIST) : pci_read8(a, at + 1);
	/* No more than fit in configuration space: a list may go round. */
	for (unsigned i = 0; i < 48; i++) {
		next &= ~3u;
		if (next < CAPABILITIES_FIRST)
			return 0;
		if (pci_read8(a, next) == id)
			return next;
		next = pci_read8(a, next + 1);
	}
	return 0;
}

uint64_t pci_map(pci_address a, unsigned bar, uint64_t offset, uint64_t size)
{
	uint32_t low;
	uint64_t base;

	if (bar > 5 || size == 0)
		return 0;
	low = pci_read(a, PCI_BAR0 + 4 * bar);
	if ((low & BAR_IO) != 0)
		return 0;
	base = low & BAR_ADDRESS;
	if ((low & BAR_64) != 0 && bar < 5)
		base |= (uint64_t)pci_read(a, PCI_BAR0 + 4 * bar + 4) << 32;
	if (base == 0 || __builtin_add_overflow(base, offset, &base) || base + size < base)
		return 0;
	for (uint64_t page = base & ~(uint64_t)(PAGE - 1); page < base + size; page += PAGE) {
		if (memory_map_device(page) != 0)
			return 0;
	}
	return base;
}

int pci_enable(pci_address a, struct vm *vm)
{
	unsigned msix = pci_capability(a, PCI_CAP_MSIX, 0);
	uint32_t control, where;
	uint64_t table;

	if (msix == 0)
		return -ENOTSUP;
	pci_write(a, PCI_COMMAND,
		  (pci_read(a, PCI_COMMAND) & 0xffff) | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
	control = pci_read(a, msix);
	where = pci_read(a, msix + MSIX_TABLE);
	table = pci_map(a, where & 7, where & ~7u, (uint64_t)MSIX_SIZE(control) * MSIX_ENTRY);
	if (table == 0)
		return -ENOTSUP;
	attention = &vm->vcpus[0]->attention;
	trap_set_device(interrupt);
	pci_write(a, msix, control | MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK);
	for (unsigned i = 0; i < MSIX_SIZE(control); i++) {
		mmio_write32(table + i * MSIX_ENTRY, MSI_ADDRESS(apic_id()));
		mmio_write32(table + i * MSIX_ENTRY + 4, 0);
		mmio_write32(table + i * MSIX_ENTRY + 8, VECTOR_DEVICE);
		mmio_write32(table + i * MSIX_ENTRY + 12, 0);
	}
	pci_write(a, msix, (control | MSIX_CONTROL_ENABLE) & ~MSIX_CONTROL_MASK);
	return 0;
}

HUSK_FEATURE(pci) = {
	.name = "pci",
	.purpose = "PCI devices of the computer, with MSI-X",
	.level = FEATURE_HOST,
};
