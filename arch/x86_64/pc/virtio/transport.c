/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio over PCI (4.1), modern devices. */
#include <errno.h>
#include <stddef.h>

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include <husk/feature.h>
#include <husk/platform.h>

#include "arch/x86_64/pc/virtio/virtio.h"
#include "arch/x86_64/pc/x86.h"

/* How long a reset may take, in ns. */
#define PATIENCE_NS 1000000000u

static volatile uint8_t *at8(const struct vpci *v, unsigned offset)
{
	return (volatile uint8_t *)(v->common + offset);
}

static volatile uint16_t *at16(const struct vpci *v, unsigned offset)
{
	return (volatile uint16_t *)(v->common + offset);
}

static volatile uint32_t *at32(const struct vpci *v, unsigned offset)
{
	return (volatile uint32_t *)(v->common + offset);
}

/* 4.1.4: maps the structure that a capability describes. Returns its address or 0. */
static uint64_t map_structure(pci_address pci, unsigned capability, uint32_t *length)
{
	uint32_t offset = pci_read(pci, capability + VIRTIO_PCI_CAP_OFFSET);

	*length = pci_read(pci, capability + VIRTIO_PCI_CAP_LENGTH);
	/* Doorbells may be a large area, of which a few pages are used. */
	return pci_map(pci, pci_read8(pci, capability + VIRTIO_PCI_CAP_BAR), offset, *length < 65536 ? *length : 65536);
}

static void find_structures(struct vpci *v)
{
	uint32_t length;

	for (unsigned c = 0; (c = pci_capability(v->pci, PCI_CAP_VENDOR, c)) != 0;) {
		uint8_t type = pci_read8(v->pci, c + VIRTIO_PCI_CAP_CFG_TYPE);

		if (type == VIRTIO_PCI_CAP_COMMON_CFG && v->common == 0) {
			v->common = map_structure(v->pci, c, &length);
			if (length < VIRTIO_PCI_COMMON_Q_USEDHI + 4)
				v->common = 0;
		} else if (type == VIRTIO_PCI_CAP_NOTIFY_CFG && v->notify == 0) {
			v->notify = map_structure(v->pci, c, &length);
			v->notify_multiplier = pci_read(v->pci, c + VIRTIO_PCI_NOTIFY_CAP_MULT);
		} else if (type == VIRTIO_PCI_CAP_DEVICE_CFG && v->config == 0) {
			v->config = map_structure(v->pci, c, &length);
			v->config_size = v->config != 0 ? length : 0;
		}
	}
}

static bool reset(const struct vpci *v)
{
	uint64_t start = plat_time_ns();

	*at8(v, VIRTIO_PCI_COMMON_STATUS) = 0;
	while (*at8(v, VIRTIO_PCI_COMMON_STATUS) != 0) {
		if (plat_time_ns() - start > PATIENCE_NS)
			return false;
		cpu_relax();
	}
	return true;
}

static void add_status(const struct vpci *v, uint8_t bits)
{
	*at8(v, VIRTIO_PCI_COMMON_STATUS) = *at8(v, VIRTIO_PCI_COMMON_STATUS) | bits;
}

static uint64_t device_features(const struct vpci *v)
{
	uint64_t low;

	*at32(v, VIRTIO_PCI_COMMON_DFSELECT) = 0;
	low = *at32(v, VIRTIO_PCI_COMMON_DF);
	*at32(v, VIRTIO_PCI_COMMON_DFSELECT) = 1;
	return low | (uint64_t)*at32(v, VIRTIO_PCI_COMMON_DF) << 32;
}

static void accept_features(const struct vpci *v)
{
	*at32(v, VIRTIO_PCI_COMMON_GFSELECT) = 0;
	*at32(v, VIRTIO_PCI_COMMON_GF) = (uint32_t)v->features;
	*at32(v, VIRTIO_PCI_COMMON_GFSELECT) = 1;
	*at32(v, VIRTIO_PCI_COMMON_GF) = (uint32_t)(v->features >> 32);
}

int vpci_init(struct vpci *v, pci_address pci, uint64_t wanted, struct vm *vm)
{
	const uint64_t needed = (uint64_t)1 << VIRTIO_F_VERSION_1;
	int rc = pci_enable(pci, vm);

	*v = (struct vpci){ .pci = pci };
	if (rc != 0)
		return rc;
	find_structures(v);
	if (v->common == 0 || v->notify == 0 || !reset(v))
		return -ENOTSUP;
	add_status(v, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(v, VIRTIO_CONFIG_S_DRIVER);
	v->features = device_features(v) & (wanted | needed);
	if ((v->features & needed) == 0)
		return -ENOTSUP;
	accept_features(v);
	add_status(v, VIRTIO_CONFIG_S_FEATURES_OK);
	return (*at8(v, VIRTIO_PCI_COMMON_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK) != 0 ? 0 : -ENOTSUP;
}

static void write_address(const struct vpci *v, unsigned low, const void *p)
{
	*at32(v, low) = (uint32_t)(uintptr_t)p;
	*at32(v, low + 4) = (uint32_t)((uintptr_t)p >> 32);
}

int vpci_queue(const struct vpci *v, uint16_t number, uint16_t most, struct ring *out)
{
	uint16_t size;
	void *memory;

	*at16(v, VIRTIO_PCI_COMMON_Q_SELECT) = number;
	size = *at16(v, VIRTIO_PCI_COMMON_Q_SIZE);
	if (size == 0 || (size & (size - 1)) != 0)
		return -ENOTSUP;
	size = size < most ? size : most;
	memory = plat_pages_alloc(ring_bytes(size), 0);
	if (memory == NULL)
		return -ENOMEM;
	ring_init(out, size, memory);
	out->number = number;
	out->notify = v->notify + (uint64_t)*at16(v, VIRTIO_PCI_COMMON_Q_NOFF) * v->notify_multiplier;
	*at16(v, VIRTIO_PCI_COMMON_Q_SIZE) = size;
	write_address(v, VIRTIO_PCI_COMMON_Q_DESCLO, out->desc);
	write_address(v, VIRTIO_PCI_COMMON_Q_AVAILLO, out->avail);
	write_address(v, VIRTIO_PCI_COMMON_Q_USEDLO, out->used);
	*at16(v, VIRTIO_PCI_COMMON_Q_MSIX) = 0;
	if (*at16(v, VIRTIO_PCI_COMMON_Q_MSIX) != 0)
		return -ENOTSUP; /* 4.1.5.1.3: it has no resources for the interrupt */
	*at16(v, VIRTIO_PCI_COMMON_Q_ENABLE) = 1;
	return 0;
}

void vpci_start(const struct vpci *v)
{
	add_status(v, VIRTIO_CONFIG_S_DRIVER_OK);
}

uint8_t vpci_config8(const struct vpci *v, unsigned offset)
{
	return offset < v->config_size ? *(volatile uint8_t *)(v->config + offset) : 0;
}

uint16_t vpci_config16(const struct vpci *v, unsigned offset)
{
	return offset + 2 <= v->config_size ? *(volatile uint16_t *)(v->config + offset) : 0;
}

uint32_t vpci_config32(const struct vpci *v, unsigned offset)
{
	return offset + 4 <= v->config_size ? *(volatile uint32_t *)(v->config + offset) : 0;
}

HUSK_FEATURE(pc_virtio) = {
	.name = "pc-virtio",
	.purpose = "the computer's own virtio devices on PCI",
	.level = FEATURE_HOST,
};
