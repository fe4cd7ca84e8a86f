/* SPDX-License-Identifier: BSD-2-Clause */
/* See virtio_driver.h. */
#include "tests/unit/virtio_driver.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_platform.h"

struct vm driver_vm;
struct vcpu driver_vcpu;
bool driver_irq;
unsigned driver_irqs;
unsigned driver_code_written;

static struct device *plugged;
static uint16_t taken[16]; /* used entries, by queue */

static void on_irq(void *controller, unsigned n, bool level)
{
	(void)controller;
	(void)n;
	driver_irq = level;
	driver_irqs += level;
}

/* In place of core/vm.c. */
int vm_plug(struct vm *vm, struct device *dev, struct irq_line *irq)
{
	(void)vm;
	plugged = dev;
	irq_connect(irq, on_irq, NULL, 0);
	return 0;
}

static void on_code_written(void *ctx, uint64_t gpa, uint64_t size)
{
	(void)ctx;
	(void)gpa;
	(void)size;
	driver_code_written++;
}

void driver_new_guest(void)
{
	struct memory *m = &driver_vm.memory;

	driver_vcpu = (struct vcpu){ .vm = &driver_vm };
	driver_vm = (struct vm){ .vcpus = { &driver_vcpu }, .nr_vcpus = 1 };
	driver_irq = false;
	driver_irqs = driver_code_written = 0;
	memset(taken, 0, sizeof(taken));
	if (memory_add_ram(m, DRIVER_RAM, DRIVER_RAM_SPLIT - DRIVER_RAM) != 0 ||
	    memory_add_ram(m, DRIVER_RAM_SPLIT, DRIVER_RAM + DRIVER_RAM_SIZE - DRIVER_RAM_SPLIT) != 0 ||
	    memory_add_ram(m, DRIVER_HIGH, DRIVER_HIGH_SIZE) != 0)
		abort();
	m->code_written = on_code_written;
}

void driver_plug(struct virtio_device *d)
{
	if (virtio_mmio_plug(&driver_vm, d) != 0)
		abort();
}

uint64_t driver_read_any(uint64_t offset, unsigned size)
{
	return plugged->ops->read(plugged, offset, size);
}

void driver_write_any(uint64_t offset, unsigned size, uint64_t value)
{
	plugged->ops->write(plugged, offset, size, value);
}

uint32_t driver_read(uint64_t offset)
{
	return (uint32_t)driver_read_any(offset, 4);
}

void driver_write(uint64_t offset, uint32_t value)
{
	driver_write_any(offset, 4, value);
}

bool driver_negotiate(uint64_t features)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	features |= VIRTIO_FEATURE(VIRTIO_F_VERSION_1);
	driver_write(VIRTIO_MMIO_STATUS, 0);
	driver_write(VIRTIO_MMIO_STATUS, status);
	for (unsigned half = 0; half < 2; half++) {
		driver_write(VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
		driver_write(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * half));
	}
	driver_write(VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_FEATURES_OK);
	return (driver_read(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK) != 0;
}

struct vring driver_ring(unsigned n)
{
	struct vring ring;

	vring_init(&ring, DRIVER_QUEUE_SIZE, driver_memory(DRIVER_RING(n)), 256);
	return ring;
}

static uint64_t gpa_of(unsigned n, const void *hva)
{
	return DRIVER_RING(n) + (uint64_t)((const uint8_t *)hva - (const uint8_t *)driver_memory(DRIVER_RING(n)));
}

static void write_address(uint64_t low, uint64_t gpa)
{
	driver_write(low, (uint32_t)gpa);
	driver_write(low + 4, (uint32_t)(gpa >> 32));
}

void driver_queue(unsigned n)
{
	struct vring ring = driver_ring(n);

	memset(driver_memory(DRIVER_RING(n)), 0, 0x1000);
	taken[n] = 0;
	driver_write(VIRTIO_MMIO_QUEUE_SEL, n);
	driver_write(VIRTIO_MMIO_QUEUE_NUM, DRIVER_QUEUE_SIZE);
	write_address(VIRTIO_MMIO_QUEUE_DESC_LOW, gpa_of(n, ring.desc));
	write_address(VIRTIO_MMIO_QUEUE_AVAIL_LOW, gpa_of(n, ring.avail));
	write_address(VIRTIO_MMIO_QUEUE_USED_LOW, gpa_of(n, ring.used));
	driver_write(VIRTIO_MMIO_QUEUE_READY, 1);
}

void driver_ok(void)
{
	driver_write(VIRTIO_MMIO_STATUS, driver_read(VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK);
}

void driver_start(uint64_t features, unsigned queues)
{
	if (!driver_negotiate(features))
		abort();
	for (unsigned n = 0; n < queues; n++)
		driver_queue(n);
	driver_ok();
}

void *driver_memory(uint64_t gpa)
{
	void *host = memory_borrow(&driver_vm.memory, gpa, 1);

	if (host == NULL)
		abort();
	return host;
}

void driver_add(unsigned n, uint16_t head, const struct driver_buffer *b, unsigned nr)
{
	struct vring ring = driver_ring(n);

	for (unsigned i = 0; i < nr; i++) {
		bool last = i + 1 == nr;

		ring.desc[head + i] = (struct vring_desc){
			.addr = b[i].gpa,
			.len = b[i].size,
			.flags = (uint16_t)((b[i].write ? VRING_DESC_F_WRITE : 0) | (last ? 0 : VRING_DESC_F_NEXT)),
			.next = (uint16_t)(last ? 0 : head + i + 1),
		};
	}
	ring.avail->ring[ring.avail->idx % DRIVER_QUEUE_SIZE] = head;
	ring.avail->idx++;
}

void driver_notify(unsigned n)
{
	driver_write(VIRTIO_MMIO_QUEUE_NOTIFY, n);
}

bool driver_take_used(unsigned n, struct driver_used *used)
{
	struct vring ring = driver_ring(n);
	const struct vring_used_elem *e = &ring.used->ring[taken[n] % DRIVER_QUEUE_SIZE];

	if (ring.used->idx == taken[n])
		return false;
	*used = (struct driver_used){ .id = e->id, .length = e->len };
	taken[n]++;
	return true;
}
