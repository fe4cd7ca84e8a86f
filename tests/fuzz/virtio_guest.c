/* SPDX-License-Identifier: BSD-2-Clause */
/* See virtio_guest.h. */
#include "tests/fuzz/virtio_guest.h"

#include <stdlib.h>
#include <string.h>

#include <husk/log.h>
#include <husk/timer.h>

#include "tests/unit/fake_platform.h"
#include "tests/unit/virtio_driver.h"

#define QUEUES  4u
#define BUFFERS 16u /**< of 4 KiB each */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct virtio_device *device;

uint8_t fuzz_byte(struct fuzz_input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

uint16_t fuzz_word(struct fuzz_input *in)
{
	uint8_t low = fuzz_byte(in);

	return (uint16_t)(low | fuzz_byte(in) << 8);
}

void fuzz_check(bool condition)
{
	if (!condition)
		abort();
}

void fuzz_check_vectors(const struct io_vector *v, unsigned nr)
{
	const struct memory *m = &driver_vm.memory;

	for (unsigned i = 0; i < nr; i++) {
		bool inside = false;

		for (unsigned r = 0; r < m->nr_ram; r++) {
			uint64_t offset = (uint64_t)((uintptr_t)v[i].base - (uintptr_t)m->ram[r].hva);

			inside |= offset < m->ram[r].size && v[i].size <= m->ram[r].size - offset;
		}
		fuzz_check(inside && v[i].size != 0);
	}
}

/** A number near to one that matters. */
static uint64_t number(struct fuzz_input *in)
{
	static const uint64_t anchors[] = {
		0,
		DRIVER_RAM,
		DRIVER_BUFFERS,
		DRIVER_RAM_SPLIT,
		DRIVER_RAM + DRIVER_RAM_SIZE,
		DRIVER_HIGH,
		DRIVER_HIGH + DRIVER_HIGH_SIZE,
		UINT32_MAX,
	};
	uint64_t anchor = anchors[fuzz_byte(in) % 8];

	return anchor + (uint64_t)(int64_t)(int16_t)fuzz_word(in);
}

/* Steps. */

static void access_register(struct fuzz_input *in, bool write)
{
	unsigned size = 1u << (fuzz_byte(in) % 4);
	uint64_t offset = fuzz_word(in) % (MACHINE_SLOT_SIZE - size + 1);

	if (write)
		driver_write_any(offset, size, number(in) & (UINT64_MAX >> (64 - 8 * size)));
	else
		driver_read_any(offset, size);
}

/** Registers as a driver uses them, which random offsets seldom hit. */
static void set_register(struct fuzz_input *in)
{
	static const uint16_t registers[] = {
		VIRTIO_MMIO_DRIVER_FEATURES_SEL, VIRTIO_MMIO_DRIVER_FEATURES, VIRTIO_MMIO_QUEUE_SEL,
		VIRTIO_MMIO_QUEUE_NUM,           VIRTIO_MMIO_QUEUE_READY,     VIRTIO_MMIO_QUEUE_NOTIFY,
		VIRTIO_MMIO_INTERRUPT_ACK,       VIRTIO_MMIO_STATUS,          VIRTIO_MMIO_QUEUE_DESC_LOW,
		VIRTIO_MMIO_QUEUE_AVAIL_LOW,     VIRTIO_MMIO_QUEUE_USED_LOW,  VIRTIO_MMIO_QUEUE_DESC_HIGH,
		VIRTIO_MMIO_QUEUE_RESET,
	};
	uint16_t offset = registers[fuzz_byte(in) % (sizeof(registers) / sizeof(registers[0]))];

	driver_write(offset, (uint32_t)number(in));
}

/** Goes through the start as a driver does, with some of the features. */
static void start(struct fuzz_input *in)
{
	uint64_t wanted = fuzz_word(in) | (uint64_t)fuzz_word(in) << 16;

	if (!driver_negotiate(wanted & device->features))
		return;
	for (unsigned n = 0; n < device->nr_queues && n < 16; n++)
		driver_queue(n);
	driver_ok();
}

static unsigned queue(struct fuzz_input *in)
{
	return fuzz_byte(in) % device->nr_queues;
}

static void add_chain(struct fuzz_input *in)
{
	struct driver_buffer b[4];
	unsigned n = queue(in), nr = 1u + fuzz_byte(in) % 4;
	uint16_t head = fuzz_byte(in) % (DRIVER_QUEUE_SIZE - nr + 1);

	for (unsigned i = 0; i < nr; i++) {
		uint8_t how = fuzz_byte(in);

		b[i].write = (how & 1) != 0;
		b[i].size = fuzz_word(in);
		b[i].gpa = (how & 2) != 0 ? number(in) : DRIVER_BUFFERS + (how >> 2) % BUFFERS * 0x1000u;
	}
	driver_add(n, head, b, nr);
}

/** Bytes into the rings, or into a buffer. */
static void write_memory(struct fuzz_input *in, uint64_t gpa)
{
	unsigned size = fuzz_byte(in) % 32;

	for (unsigned i = 0; i < size; i++)
		*(uint8_t *)driver_memory(gpa + i) = fuzz_byte(in);
}

/** Makes a descriptor of a ring, or of a table in a buffer. */
static void write_descriptor(struct fuzz_input *in)
{
	uint8_t where = fuzz_byte(in);
	uint64_t gpa = (where & 1) != 0 ? DRIVER_BUFFERS + (where >> 1) % BUFFERS * 0x1000u
					: DRIVER_RING((where >> 1) % QUEUES);
	struct vring_desc *d = driver_memory(gpa + fuzz_byte(in) % 16 * sizeof(*d));

	d->addr = number(in);
	d->len = fuzz_word(in);
	d->flags = fuzz_byte(in) & 7;
	d->next = fuzz_byte(in) % 16;
}

static void reset(void)
{
	driver_write(VIRTIO_MMIO_STATUS, 0);
	fuzz_after_reset();
}

static void step(struct fuzz_input *in)
{
	static const char steps[] = "SAnMBDWRrTEPX";
	uint8_t which = fuzz_byte(in);

	if (which == 0 || strchr(steps, which) == NULL)
		which = (uint8_t)steps[which % (sizeof(steps) - 1)];
	switch (which) {
	case 'S': start(in); break;
	case 'A': add_chain(in); break;
	case 'n': driver_notify(queue(in)); break;
	case 'M': write_memory(in, DRIVER_RING(fuzz_byte(in) % QUEUES) + fuzz_word(in) % 0x400u); break;
	case 'B': write_memory(in, DRIVER_BUFFERS + fuzz_byte(in) % BUFFERS * 0x1000u); break;
	case 'D': write_descriptor(in); break;
	case 'W': access_register(in, true); break;
	case 'R': access_register(in, false); break;
	case 'r': set_register(in); break;
	case 'T':
		fake_advance((uint64_t)fuzz_word(in) * 100000);
		timer_run_due(&driver_vcpu);
		break;
	case 'E': fuzz_event(in); break;
	case 'P': fuzz_poll(); break;
	default: reset(); break;
	}
}

/** Whatever the guest did, the host has complained about it once at most, and the line says what the registers say. */
static void check_device(void)
{
	const char *first = strstr(fake_log, "breaks the rules");

	fuzz_check(first == NULL || strstr(first + 1, "breaks the rules") == NULL);
	fuzz_check(driver_irq == (driver_read(VIRTIO_MMIO_INTERRUPT_STATUS) != 0));
	fuzz_check((device->status & VIRTIO_CONFIG_S_NEEDS_RESET) == 0 || !virtio_is_running(device));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { .data = data, .size = size };

	fake_reset();
	log_set_level(LOG_INFO);
	log_guest_output(true);
	driver_new_guest();
	plat_cpu_bind(&driver_vcpu.attention);
	device = fuzz_make();
	driver_plug(device);
	while (in.size != 0) {
		step(&in);
		check_device();
	}
	fuzz_poll();
	reset();
	return 0;
}
