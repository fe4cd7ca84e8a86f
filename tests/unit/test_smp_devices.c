/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: features/smp/lock.c features/smp/run.c features/smp/stop.c features/smp/turns.c features/smp/counted.c */
/* sources: core/smp.c core/vm.c core/timer.c core/memory.c core/bus.c core/console.c core/io.c core/feature.c core/log.c */
/* sources: core/payload.c core/elf.c core/block.c features/uart-ns16550/uart_ns16550.c features/virtio/device.c */
/* sources: features/virtio/queue.c features/virtio-mmio/virtio_mmio.c features/virtio-blk/virtio_blk.c */
/* sources: features/virtio-net/control.c features/virtio-net/filter.c features/virtio-net/receive.c */
/* sources: features/virtio-net/rings.c features/virtio-net/steer.c features/virtio-net/transmit.c */
/* sources: features/virtio-net/virtio_net.c arch/x86_64/linux/block-file/file.c arch/x86_64/linux/block-file/open.c */
/* sources: arch/x86_64/linux/block-file/worker.c tests/unit/fake_cpus.c tests/unit/fake_threads.c */
/*
 * Devices that several vCPUs use at the same time: a disk in a file with a queue for each, a network card with a pair of
 * queues for each, a serial port. The thread sanitizer builds this program, too (tests/functional/test_threads.py).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <husk/vm.h>

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "features/smp/smp.h"
#include "features/uart-ns16550/uart_ns16550.h"
#include "features/virtio-blk/virtio_blk.h"
#include "features/virtio-mmio/virtio_mmio.h"
#include "features/virtio-net/virtio_net.h"
#include "tests/unit/fake_cpus.h"

#define VCPUS  4u
#define CPUS   3u
#define ROUNDS 60u

#define RAM      0x100000u
#define RAM_SIZE 0x80000u
#define UART     0x10000u
#define SIZE     8u /**< of a queue */
#define SECTOR   512u
#define FRAME    60u
#define HEADER   sizeof(struct net_header)

enum { DISK, CARD, DEVICES };

/* --- the machine */

static struct vm vm;
static struct device *devices[DEVICES];
static struct virtio_blk disk;
static struct virtio_net card;
static struct uart_ns16550 uart;

static void on_irq(void *controller, unsigned n, bool level)
{
	(void)controller;
	(void)n;
	for (unsigned i = 0; level && i < VCPUS; i++)
		vcpu_kick(vm.vcpus[i], ATTN_IRQ);
}

static int plug(struct vm *v, unsigned slot, struct device *dev, struct irq_line *irq)
{
	(void)v;
	devices[slot] = dev;
	irq_connect(irq, on_irq, NULL, slot);
	return 0;
}

static const struct machine machine = { .name = "test", .plug = plug };

int plat_entropy(void *buf, size_t size)
{
	memset(buf, 0x42, size);
	return 0;
}

/* As engines do: a register is accessed under the VM's lock. */
static uint32_t get(unsigned device, uint64_t offset)
{
	uint32_t value;

	vm_lock(&vm);
	value = (uint32_t)devices[device]->ops->read(devices[device], offset, 4);
	vm_unlock(&vm);
	return value;
}

static void put(unsigned device, uint64_t offset, uint32_t value)
{
	vm_lock(&vm);
	devices[device]->ops->write(devices[device], offset, 4, value);
	vm_unlock(&vm);
}

/* --- a network that gives back what is sent */

static struct {
	uint8_t bytes[FRAME];
} wire[SIZE];
static unsigned on_wire;

static int on_transmit(struct net *n, const struct net_header *h, const struct io_vector *v, unsigned nr)
{
	(void)n;
	(void)h;
	if (on_wire == SIZE)
		return -EAGAIN;
	io_vectors_read(v, nr, 0, wire[on_wire++].bytes, FRAME);
	io_kick(&vm);
	return 0;
}

static void on_commit(struct net *n)
{
	(void)n;
}

static int on_receive(struct net *n, struct net_header *h, const struct io_vector *v, unsigned nr)
{
	(void)n;
	if (on_wire == 0)
		return -EAGAIN;
	*h = (struct net_header){ 0 };
	io_vectors_write(v, nr, 0, wire[0].bytes, FRAME);
	memmove(wire, wire + 1, --on_wire * sizeof(wire[0]));
	io_kick(&vm);
	return FRAME;
}

static void on_accept_offload(struct net *n, uint32_t offload)
{
	(void)n;
	(void)offload;
}

static const struct net_ops net_ops = {
	.transmit = on_transmit, .commit = on_commit, .receive = on_receive, .accept_offload = on_accept_offload
};
static struct net net = { .ops = &net_ops, .name = "test", .link = true };

/* --- the guest's drivers: rings and buffers belong to one vCPU each */

/** A queue of the guest. Its page in RAM: descriptors, rings, and buffers of 512 bytes behind them. */
struct ring {
	unsigned device, queue;
	uint16_t taken; /**< used entries */
};

struct cpu {
	struct vcpu vcpu; /* first */
	struct ring requests, sends, receives;
	unsigned sectors, frames, wrong;
	bool asked, sent;
};

static struct cpu cpu[VCPUS];

static uint8_t *memory(uint64_t gpa)
{
	return memory_borrow(&vm.memory, gpa, 1);
}

static uint64_t page(const struct ring *r)
{
	return RAM + (r->device * 16 + r->queue) * 0x1000u;
}

static struct vring vring(const struct ring *r)
{
	struct vring v;

	vring_init(&v, SIZE, memory(page(r)), 64);
	return v;
}

static uint64_t buffer(const struct ring *r, unsigned n)
{
	return page(r) + 0x400 + n * 0x300u;
}

static void set_up(struct ring *r, unsigned device, unsigned queue)
{
	struct vring v;

	*r = (struct ring){ .device = device, .queue = queue };
	v = vring(r);
	put(device, VIRTIO_MMIO_QUEUE_SEL, queue);
	put(device, VIRTIO_MMIO_QUEUE_NUM, SIZE);
	put(device, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)page(r));
	put(device, VIRTIO_MMIO_QUEUE_AVAIL_LOW,
	    (uint32_t)(page(r) + (uint64_t)((uint8_t *)v.avail - memory(page(r)))));
	put(device, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)(page(r) + (uint64_t)((uint8_t *)v.used - memory(page(r)))));
	put(device, VIRTIO_MMIO_QUEUE_READY, 1);
}

static void describe(const struct ring *r, unsigned n, uint64_t gpa, uint32_t size, uint16_t flags)
{
	vring(r).desc[n] = (struct vring_desc){ .addr = gpa, .len = size, .flags = flags, .next = (uint16_t)(n + 1) };
}

static void offer(const struct ring *r)
{
	struct vring v = vring(r);
	uint16_t at = v.avail->idx;

	v.avail->ring[at % SIZE] = 0;
	__atomic_store_n(&v.avail->idx, (uint16_t)(at + 1), __ATOMIC_RELEASE);
	put(r->device, VIRTIO_MMIO_QUEUE_NOTIFY, r->queue);
}

static bool take(struct ring *r)
{
	struct vring v = vring(r);

	if (__atomic_load_n(&v.used->idx, __ATOMIC_ACQUIRE) == r->taken)
		return false;
	r->taken++;
	return true;
}

/* Each writes to a sector of its own, and reads it, in turn. */
static void use_disk(struct cpu *c)
{
	struct ring *r = &c->requests;
	bool write = c->sectors % 2 == 0;
	struct virtio_blk_outhdr *header = (struct virtio_blk_outhdr *)(void *)memory(buffer(r, 0));
	uint8_t *status = (uint8_t *)(header + 1), *data = memory(buffer(r, 1)),
		pattern = (uint8_t)(c->sectors / 2 * 16 + c->vcpu.id);

	if (c->asked) {
		if (!take(r))
			return;
		c->asked = false;
		c->wrong += *status != VIRTIO_BLK_S_OK || data[SECTOR - 1] != pattern;
		c->sectors++;
		return;
	}
	*header =
		(struct virtio_blk_outhdr){ .type = write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, .sector = c->vcpu.id };
	*status = 0xff;
	memset(data, write ? pattern : 0xee, SECTOR);
	describe(r, 0, buffer(r, 0), sizeof(*header), VRING_DESC_F_NEXT);
	describe(r, 1, buffer(r, 1), SECTOR, (uint16_t)(VRING_DESC_F_NEXT | (write ? 0 : VRING_DESC_F_WRITE)));
	describe(r, 2, buffer(r, 0) + sizeof(*header), 1, VRING_DESC_F_WRITE);
	c->asked = true;
	offer(r);
}

/* What each sends comes back to itself: its flow is its own. */
static void use_card(struct cpu *c)
{
	static const uint8_t udp[] = { 0x08, 0, 0x45, [11] = 17 };
	uint8_t *out = memory(buffer(&c->sends, 0)), *in = memory(buffer(&c->receives, 0));

	if (take(&c->receives)) {
		c->wrong += in[HEADER + 35] != c->vcpu.id + 1;
		c->frames++;
		offer(&c->receives);
	}
	if (c->sent) {
		c->sent = !take(&c->sends);
		return;
	}
	memset(out, 0, HEADER + FRAME);
	memcpy(out + HEADER + 12, udp, sizeof(udp));
	out[HEADER + 35] = (uint8_t)(c->vcpu.id + 1);
	describe(&c->sends, 0, buffer(&c->sends, 0), HEADER + FRAME, 0);
	c->sent = true;
	offer(&c->sends);
}

static void use_uart(const struct cpu *c)
{
	vm_lock(&vm);
	bus_write(&vm.mmio, UART, 1, 'a' + c->vcpu.id);
	bus_write(&vm.mmio, UART + 7, 1, c->vcpu.id);
	bus_read(&vm.mmio, UART + 5, 1);
	vm_unlock(&vm);
}

/* Whoever takes an interrupt tells all, because it may be that of another one's queue. */
static void take_interrupts(void)
{
	for (unsigned n = 0; n < DEVICES; n++) {
		uint32_t status = get(n, VIRTIO_MMIO_INTERRUPT_STATUS);

		if (status == 0)
			continue;
		put(n, VIRTIO_MMIO_INTERRUPT_ACK, status);
		for (unsigned i = 0; i < VCPUS; i++)
			vcpu_kick(vm.vcpus[i], ATTN_IRQ);
	}
}

static uint32_t done;

static enum engine_exit run(struct vcpu *v)
{
	struct cpu *c = (struct cpu *)v;
	bool was_done = c->sectors >= ROUNDS && c->frames >= ROUNDS;

	while (vcpu_attention(v) == 0) {
		take_interrupts();
		use_disk(c);
		use_card(c);
		use_uart(c);
		if (!was_done && c->sectors >= ROUNDS && c->frames >= ROUNDS) {
			was_done = true;
			if (__atomic_add_fetch(&done, 1, __ATOMIC_ACQ_REL) == VCPUS)
				vm_request(&vm, VM_RESET);
		}
		fake_cpu_look();
		if (c->asked && c->sent && vcpu_attention(v) == 0)
			return ENGINE_IDLE;
	}
	return ENGINE_ATTENTION;
}

static uint64_t get_register(struct vcpu *v, unsigned n)
{
	(void)v;
	return n;
}

static const struct engine engine = { .name = "test", .run = run, .get_register = get_register };
static const struct timer_model timer_model = { .name = "test" };

static void begin(unsigned device, uint64_t features)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK;

	features |= VIRTIO_FEATURE(VIRTIO_F_VERSION_1);
	for (unsigned half = 0; half < 2; half++) {
		put(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
		put(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * half));
	}
	put(device, VIRTIO_MMIO_STATUS, status);
	assert_int_equal(get(device, VIRTIO_MMIO_STATUS), status);
}

static void go(unsigned device)
{
	put(device, VIRTIO_MMIO_STATUS, get(device, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK);
}

static void start_drivers(void)
{
	uint64_t mq = VIRTIO_FEATURE(VIRTIO_NET_F_MQ) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ);

	begin(DISK, VIRTIO_FEATURE(VIRTIO_BLK_F_MQ));
	begin(CARD, mq);
	for (unsigned n = 0; n < VCPUS; n++) {
		struct cpu *c = &cpu[n];

		set_up(&c->requests, DISK, n);
		set_up(&c->receives, CARD, VIRTIO_NET_RECEIVE(n));
		set_up(&c->sends, CARD, VIRTIO_NET_TRANSMIT(n));
		describe(&c->receives, 0, buffer(&c->receives, 0), 0x200, VRING_DESC_F_WRITE);
	}
	go(DISK);
	go(CARD);
	vm_lock(&vm);
	virtio_net_set_pairs(&card, VCPUS);
	vm_unlock(&vm);
	for (unsigned n = 0; n < VCPUS; n++)
		offer(&cpu[n].receives);
}

static void plug_devices(const char *spec)
{
	static const struct virtio_blk_options d = {
		.name = "disk0", .serial = "", .queues = VCPUS, .queue_size = SIZE
	};
	static const struct virtio_net_options n = {
		.name = "net0", .mac = "02:00:00:00:00:01", .queue_size = SIZE, .pairs = VCPUS
	};
	static const struct uart_ns16550_options u = { .name = "uart0", .base = UART };
	struct block *block;

	assert_int_equal(block_open(&vm, spec, &block), 0);
	assert_int_equal(virtio_blk_init(&disk, &d, &vm.memory, block), 0);
	assert_int_equal(virtio_mmio_plug(&vm, &disk.virtio), 0);
	io_attach(&vm, &disk.io);
	assert_int_equal(virtio_net_init(&card, &n, &vm.memory, &net), 0);
	assert_int_equal(virtio_mmio_plug(&vm, &card.virtio), 0);
	io_attach(&vm, &card.io);
	assert_int_equal(uart_ns16550_init(&uart, &u, &vm.mmio, &vm.console), 0);
}

static void test_devices_serve_all(void **state)
{
	static char spec[] = "file:/var/tmp/husk-test-XXXXXX";
	int fd = mkstemp(spec + 5);

	(void)state;
	assert_true(fd >= 0 && ftruncate(fd, 64 * SECTOR) == 0);
	fake_cpus = CPUS;
	vm.engine = &engine;
	vm.timer = &timer_model;
	vm.machine = &machine;
	vm.run = run;
	console_init(&vm.console, &vm);
	assert_int_equal(memory_add_ram(&vm.memory, RAM, RAM_SIZE), 0);
	for (unsigned n = 0; n < VCPUS; n++) {
		cpu[n].vcpu = (struct vcpu){ .vm = &vm, .id = n };
		vm.vcpus[vm.nr_vcpus++] = &cpu[n].vcpu;
	}
	plug_devices(spec);
	start_drivers();
	assert_int_equal(smp_start(&vm), 0);
	smp_run(&vm);
	for (unsigned n = 0; n < VCPUS; n++) {
		assert_true(cpu[n].sectors >= ROUNDS && cpu[n].frames >= ROUNDS);
		assert_int_equal(cpu[n].wrong, 0);
	}
	close(fd);
	unlink(spec + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_devices_serve_all) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
