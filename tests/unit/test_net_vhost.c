/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/virtio-net/virtio_net.c features/virtio-net/receive.c features/virtio-net/transmit.c */
/* sources: features/virtio-net/control.c features/virtio-net/filter.c features/virtio-net/steer.c features/virtio-net/rings.c */
/* sources: features/virtio/device.c features/virtio/queue.c features/virtio-mmio/virtio_mmio.c core/memory.c */
/* sources: core/io.c core/log.c arch/x86_64/linux/net-vhost/rings.c arch/x86_64/linux/net-vhost/setup.c */
/* sources: tests/unit/virtio_driver.c tests/unit/fake_platform.c tests/unit/fake_vhost.c */
/* A network card whose rings the kernel works on: a driver on one side, a model of the kernel on the other. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>

#include "arch/x86_64/linux/syscall.h"
#include "features/virtio-net/virtio_net.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/fake_vhost.h"
#include "tests/unit/virtio_driver.h"

#define FEATURE(name) VIRTIO_FEATURE(VIRTIO_NET_F_##name)
#define RING(name)    VIRTIO_FEATURE(VIRTIO_RING_F_##name)
#define HEADER        12u
#define BUFFER(head)  (DRIVER_BUFFERS + (head)*0x1000u)

static struct virtio_net card;
static struct tap tap;
static unsigned nr_transmitted, nr_receives;
static uint32_t offload;

/* The usual path. */

static int on_transmit(struct net *n, const struct net_header *h, const struct io_vector *v, unsigned nr)
{
	(void)n, (void)h, (void)v, (void)nr;
	nr_transmitted++;
	return 0;
}

static void on_commit(struct net *n)
{
	(void)n;
}

static int on_receive(struct net *n, struct net_header *h, const struct io_vector *v, unsigned nr)
{
	(void)n, (void)h, (void)v, (void)nr;
	nr_receives++;
	return -EAGAIN;
}

static void on_accept_offload(struct net *n, uint32_t accepted)
{
	(void)n;
	offload = accepted;
}

static const struct net_ops ops = {
	.transmit = on_transmit, .commit = on_commit, .receive = on_receive, .accept_offload = on_accept_offload
};

static const struct virtio_net_options plain = {
	.name = "net0", .mac = "02:00:00:00:00:01", .queue_size = 8, .pairs = 1
};

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	driver_new_guest();
	kernel_reset();
	memset(&card, 0, sizeof(card));
	nr_transmitted = nr_receives = offload = 0;
	tap = (struct tap){ .net = { .ops = &ops,
				     .rings = &tap_rings,
				     .name = "tap:test",
				     .link = true,
				     .receive_offload = NET_CHECKSUM,
				     .transmit_offload = NET_CHECKSUM },
			    .vm = &driver_vm,
			    .fd = KERNEL_TAP };
	assert_int_equal(virtio_net_init(&card, &plain, &driver_vm.memory, &tap.net), 0);
	driver_plug(&card.virtio);
	io_attach(&driver_vm, &card.io);
	return 0;
}

/* The driver. */

static void add(unsigned queue, uint16_t head, uint32_t size)
{
	driver_add(queue, head,
		   &(struct driver_buffer){ BUFFER(queue * 16u + head), size, queue == VIRTIO_NET_RECEIVE(0) }, 1);
	driver_notify(queue);
}

static bool takes_used(unsigned queue, uint32_t head)
{
	struct driver_used used;

	return driver_take_used(queue, &used) && used.id == head;
}

static void acknowledge(void)
{
	driver_write(VIRTIO_MMIO_INTERRUPT_ACK, 3);
	driver_irqs = 0;
}

/* As the run loop does it. */
static void poll_io(void)
{
	kernel_run_threads();
	if ((__atomic_exchange_n(&driver_vcpu.attention, 0, __ATOMIC_SEQ_CST) & ATTN_IO) != 0)
		io_poll(&driver_vm);
}

static unsigned lines_with(const char *text)
{
	unsigned n = 0;

	for (const char *at = fake_log; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

#define ALL_STEPS                                                                     \
	"SIGNALS_OFF SET_OWNER GET_FEATURES SET_FEATURES SET_MEM_TABLE SET_LOG_BASE " \
	"NUM0 BASE0 ADDR0 KICK0 CALL0 NUM1 BASE1 ADDR1 KICK1 CALL1 BACKEND0 BACKEND1 "

static void test_rings_are_handed_over_in_order(void **state)
{
	struct vring receive, transmit;

	(void)state;
	driver_start(FEATURE(MRG_RXBUF) | FEATURE(GUEST_CSUM), 2);
	assert_string_equal(kernel.calls, "OPEN " ALL_STEPS);
	assert_int_equal(kernel.threads, 1);
	assert_int_equal(offload, NET_CHECKSUM);
	/* What there was before the driver was ready is looked at. */
	assert_int_equal(kernel_event(kernel.rings[0].kick) * kernel_event(kernel.rings[1].kick), 1);
	receive = driver_ring(VIRTIO_NET_RECEIVE(0));
	transmit = driver_ring(VIRTIO_NET_TRANSMIT(0));
	assert_int_equal(kernel.rings[0].address.desc_user_addr, (uintptr_t)receive.desc);
	assert_int_equal(kernel.rings[0].address.avail_user_addr, (uintptr_t)receive.avail);
	assert_int_equal(kernel.rings[0].address.used_user_addr, (uintptr_t)receive.used);
	assert_int_equal(kernel.rings[1].address.desc_user_addr, (uintptr_t)transmit.desc);
	assert_int_equal(kernel.rings[1].address.used_user_addr, (uintptr_t)transmit.used);
	for (unsigned n = 0; n < 2; n++) {
		assert_int_equal(kernel.rings[n].num, DRIVER_QUEUE_SIZE);
		assert_int_equal(kernel.rings[n].base, 0);
		assert_int_equal(kernel.rings[n].backend, KERNEL_TAP);
		assert_int_equal(kernel.rings[n].address.flags, 0);
	}
	assert_int_not_equal(kernel.rings[0].kick, kernel.rings[1].kick);
	assert_int_equal(kernel.nr_regions, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(kernel.regions[i].guest_phys_addr, driver_vm.memory.ram[i].gpa);
		assert_int_equal(kernel.regions[i].memory_size, driver_vm.memory.ram[i].size);
		assert_int_equal(kernel.regions[i].userspace_addr, (uintptr_t)driver_vm.memory.ram[i].hva);
		assert_int_equal(kernel.regions[i].flags_padding, 0);
	}
	assert_string_equal(fake_log, "");
}

static void test_features_are_those_of_rings_as_agreed(void **state)
{
	const uint64_t version = VIRTIO_FEATURE(VIRTIO_F_VERSION_1), log = VIRTIO_FEATURE(VHOST_F_LOG_ALL);
	const uint64_t sets[] = { 0, RING(EVENT_IDX), RING(INDIRECT_DESC) | FEATURE(MRG_RXBUF),
				  RING(EVENT_IDX) | RING(INDIRECT_DESC) | FEATURE(MRG_RXBUF) };

	(void)state;
	for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		driver_start(sets[i] | FEATURE(CSUM) | FEATURE(MAC) | FEATURE(STATUS), 2);
		assert_int_equal(kernel.features, sets[i] | version | log);
	}
	/* An engine that caches no code needs no log. */
	driver_write(VIRTIO_MMIO_STATUS, 0);
	setup(NULL);
	driver_vm.memory.code_written = NULL;
	driver_start(0, 2);
	assert_int_equal(kernel.features, version);
	assert_null(strstr(kernel.calls, "LOG"));
	assert_non_null(strstr(kernel.calls, "BACKEND1"));
}

static void test_frames_and_interrupts(void **state)
{
	struct driver_used used;

	(void)state;
	driver_start(FEATURE(MRG_RXBUF), 2);
	poll_io();
	memset(driver_memory(BUFFER(16)), 'x', 100);
	add(VIRTIO_NET_TRANSMIT(0), 0, 100);
	assert_int_equal(nr_transmitted, 0);
	assert_int_equal(kernel_work(), 1);
	assert_int_equal(kernel.sent_size, 100);
	assert_int_equal(kernel.sent[99], 'x');
	assert_false(driver_irq);
	poll_io();
	assert_true(driver_irq);
	assert_int_equal(driver_read(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_INTERRUPT_QUEUE);
	assert_true(takes_used(VIRTIO_NET_TRANSMIT(0), 0));
	acknowledge();
	/* One more look finds nothing. */
	io_kick(&driver_vm);
	poll_io();
	assert_int_equal(driver_irqs, 0);

	add(VIRTIO_NET_RECEIVE(0), 2, 2048);
	assert_true(kernel_receive("hello", 5));
	poll_io();
	assert_int_equal(driver_irqs, 1);
	assert_true(driver_take_used(VIRTIO_NET_RECEIVE(0), &used));
	assert_int_equal(used.id, 2);
	assert_int_equal(used.length, HEADER + 5);
	assert_memory_equal((uint8_t *)driver_memory(BUFFER(2)) + HEADER, "hello", 5);
	assert_int_equal(nr_receives, 0);
}

static void test_the_engine_hears_of_code_that_is_overwritten(void **state)
{
	(void)state;
	driver_start(0, 2);
	memory_mark_code(&driver_vm.memory, BUFFER(1), true);
	memory_mark_code(&driver_vm.memory, BUFFER(3), true);
	add(VIRTIO_NET_RECEIVE(0), 1, 2048);
	assert_true(kernel_receive("code", 4));
	assert_int_equal(driver_code_written, 0);
	poll_io();
	assert_int_equal(driver_code_written, 1);
	io_kick(&driver_vm);
	poll_io();
	assert_int_equal(driver_code_written, 1);
	/* The log reaches the end of RAM. */
	memory_mark_code(&driver_vm.memory, DRIVER_HIGH, true);
	driver_add(VIRTIO_NET_RECEIVE(0), 2, &(struct driver_buffer){ DRIVER_HIGH, DRIVER_HIGH_SIZE, true }, 1);
	assert_true(kernel_receive("far", 3));
	poll_io();
	assert_int_equal(driver_code_written, 2);
	/* What comes last is told when the rings are taken back. */
	add(VIRTIO_NET_RECEIVE(0), 3, 2048);
	assert_true(kernel_receive("more", 4));
	driver_write(VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(driver_code_written, 3);
}

static void test_reset_while_running(void **state)
{
	(void)state;
	driver_start(FEATURE(MRG_RXBUF), 3);
	add(VIRTIO_NET_RECEIVE(0), 0, 2048);
	assert_true(kernel_receive("frame", 5));
	kernel.calls[0] = '\0';
	tap.empty = true;
	driver_write(VIRTIO_MMIO_STATUS, 0);
	/* What has arrived since is worth a look, though no signal has told of it. */
	assert_false(tap.empty);
	/* Once, though both queues are stopped. */
	assert_string_equal(kernel.calls, "BACKEND0=-1 GET0 BACKEND1=-1 GET1 CLOSE SIGNALS_ON ");
	assert_false(card.lent);
	assert_false(driver_irq);
	assert_int_equal(offload, 0);
	poll_io();
	assert_false(driver_irq);
	driver_write(VIRTIO_MMIO_STATUS, 0);
	assert_string_equal(kernel.calls, "BACKEND0=-1 GET0 BACKEND1=-1 GET1 CLOSE SIGNALS_ON ");
	assert_string_equal(fake_log, "");
}

static void test_second_start(void **state)
{
	(void)state;
	driver_start(FEATURE(MRG_RXBUF), 2);
	add(VIRTIO_NET_RECEIVE(0), 0, 2048);
	assert_true(kernel_receive("frame", 5));
	/* The thread has told of it, and nobody looks before the reset. */
	kernel_run_threads();
	driver_write(VIRTIO_MMIO_STATUS, 0);
	driver_vcpu.attention = 0;
	kernel.calls[0] = '\0';
	driver_start(FEATURE(MRG_RXBUF), 2);
	assert_string_equal(kernel.calls, "OPEN " ALL_STEPS);
	assert_int_equal(kernel.threads, 1);
	assert_int_equal(kernel.rings[0].base, 0);
	add(VIRTIO_NET_RECEIVE(0), 4, 2048);
	assert_true(kernel_receive("again", 5));
	acknowledge();
	poll_io();
	assert_int_equal(driver_irqs, 1);
	assert_true(takes_used(VIRTIO_NET_RECEIVE(0), 4));
	assert_int_equal(kernel_open_files(), 4);
}

static void test_a_queue_that_is_taken_back_leaves_the_other(void **state)
{
	(void)state;
	driver_start(FEATURE(MRG_RXBUF), 2);
	for (uint16_t i = 0; i < 3; i++)
		add(VIRTIO_NET_TRANSMIT(0), i, 100);
	assert_int_equal(kernel_work(), 3);
	add(VIRTIO_NET_TRANSMIT(0), 3, 100);
	poll_io();
	acknowledge();
	driver_write(VIRTIO_MMIO_QUEUE_SEL, VIRTIO_NET_RECEIVE(0));
	driver_write(VIRTIO_MMIO_QUEUE_READY, 0);
	assert_false(card.lent);
	assert_int_equal(nr_transmitted, 0);
	poll_io();
	assert_int_equal(nr_transmitted, 1);
	assert_true(driver_irq);
	for (uint16_t i = 0; i < 4; i++)
		assert_true(takes_used(VIRTIO_NET_TRANSMIT(0), i));
	assert_int_equal(driver_ring(VIRTIO_NET_TRANSMIT(0)).used->idx, 4);
}

static void test_a_broken_command_stops_the_kernel_too(void **state)
{
	(void)state;
	driver_start(FEATURE(CTRL_VQ), 3);
	driver_add(VIRTIO_NET_RECEIVE(1), 0, &(struct driver_buffer){ BUFFER(40), 2, false }, 1);
	driver_notify(VIRTIO_NET_RECEIVE(1));
	assert_int_equal(driver_read(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET, VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_false(card.lent);
	assert_int_equal(kernel.rings[0].backend, -1);
	add(VIRTIO_NET_TRANSMIT(0), 0, 100);
	poll_io();
	assert_int_equal(nr_transmitted, 0);
}

static void test_queues_that_are_not_ready_are_kept(void **state)
{
	(void)state;
	driver_start(0, 1);
	assert_string_equal(kernel.calls, "");
	add(VIRTIO_NET_RECEIVE(0), 0, 2048);
	assert_int_not_equal(nr_receives, 0);
}

/* The usual path works, and nothing is left open but what is kept. */
static void expect_usual_path(int open_files)
{
	assert_false(card.lent);
	assert_true(kernel.signals);
	assert_int_equal(kernel_open_files(), open_files);
	nr_receives = 0;
	add(VIRTIO_NET_TRANSMIT(0), 0, 100);
	assert_int_equal(nr_transmitted, 1);
	assert_true(takes_used(VIRTIO_NET_TRANSMIT(0), 0));
	add(VIRTIO_NET_RECEIVE(0), 0, 2048);
	assert_int_not_equal(nr_receives, 0);
}

static void test_each_step_may_fail(void **state)
{
	static const char *const steps[] = {
		"SIGNALS_OFF", "SET_OWNER", "GET_FEATURES", "SET_FEATURES", "SET_MEM_TABLE", "SET_LOG_BASE",
		"NUM0",        "BASE0",     "ADDR0",        "KICK0",        "CALL0",         "NUM1",
		"BASE1",       "ADDR1",     "KICK1",        "CALL1",        "BACKEND0",      "BACKEND1",
	};

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		char expected[512] = "OPEN " ALL_STEPS, *end;

		setup(state);
		kernel.fail = steps[i];
		driver_start(FEATURE(MRG_RXBUF), 2);
		/* Nothing of what comes behind is tried. */
		end = strstr(expected, steps[i]);
		assert_non_null(end);
		end[strlen(steps[i]) + 1] = '\0';
		if (strcmp(steps[i], "BACKEND1") == 0)
			strcat(expected, "BACKEND0=-1 GET0 ");
		strcat(expected, "SIGNALS_ON CLOSE ");
		assert_string_equal(kernel.calls, expected);
		assert_int_equal(lines_with("\n"), 1);
		assert_int_equal(lines_with("network 'tap:test': vhost-net cannot be used ("), 1);
		assert_int_equal(lines_with("kernel error 71"), 1);
		expect_usual_path(3);
		/* The next start tries again, and says no more. */
		driver_start(FEATURE(MRG_RXBUF), 2);
		assert_false(card.lent);
		assert_int_equal(lines_with("\n"), 1);
		kernel.fail = "";
		driver_start(FEATURE(MRG_RXBUF), 2);
		assert_true(card.lent);
		driver_write(VIRTIO_MMIO_STATUS, 0);
		assert_int_equal(kernel_open_files(), 3);
	}
}

static void test_frames_before_the_last_step_fails(void **state)
{
	(void)state;
	kernel.fail = "BACKEND1";
	kernel.arrives_early = true;
	assert_true(driver_negotiate(FEATURE(MRG_RXBUF)));
	driver_queue(VIRTIO_NET_RECEIVE(0));
	driver_queue(VIRTIO_NET_TRANSMIT(0));
	for (uint16_t i = 0; i < 2; i++)
		driver_add(VIRTIO_NET_RECEIVE(0), i, &(struct driver_buffer){ BUFFER(i), 2048, true }, 1);
	driver_ok();
	assert_false(card.lent);
	/* The kernel has used one buffer, which is not used again. */
	assert_int_equal(driver_ring(VIRTIO_NET_RECEIVE(0)).used->idx, 1);
	assert_int_equal(card.queues[VIRTIO_NET_RECEIVE(0)].next_used, 1);
	assert_int_equal(card.queues[VIRTIO_NET_RECEIVE(0)].next_avail - card.pairs[0].stock.nr_buffers, 1);
	poll_io();
	assert_true(driver_irq);
}

static void test_what_cannot_be_made(void **state)
{
	static const char *const steps[] = { "EVENT1", "EVENT2", "EVENT3", "THREAD" };

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		setup(state);
		kernel.fail = steps[i];
		driver_start(0, 2);
		assert_int_equal(lines_with(i < 3 ? "an eventfd: kernel error 71" : "a thread: kernel error 71"), 1);
		expect_usual_path(0);
		/* Not tried again. */
		kernel.fail = "";
		kernel.made = 0;
		driver_start(0, 2);
		assert_false(card.lent);
		assert_int_equal(kernel.made, 0);
		assert_int_equal(kernel_open_files(), 0);
	}
}

static void test_a_device_that_cannot_be_opened(void **state)
{
	static const struct {
		long error;
		const char *why;
	} cases[] = {
		{ LINUX_ENOENT, "there is no /dev/vhost-net (modprobe vhost_net); husk carries the frames itself\n" },
		{ LINUX_EACCES, "no permission to open /dev/vhost-net, give it to this user; husk carries" },
		{ LINUX_ENOMEM, "/dev/vhost-net cannot be opened (kernel error 12); husk carries" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(state);
		kernel.fail = "OPEN";
		kernel.error = cases[i].error;
		driver_start(0, 2);
		assert_int_equal(lines_with(cases[i].why), 1);
		assert_int_equal(kernel.threads, 0);
		expect_usual_path(0);
		driver_start(0, 2);
		assert_int_equal(lines_with("\n"), 1);
	}
}

static void test_a_kernel_without_a_feature(void **state)
{
	(void)state;
	kernel.known &= ~RING(EVENT_IDX);
	driver_start(RING(EVENT_IDX), 2);
	assert_string_equal(kernel.calls, "OPEN SIGNALS_OFF SET_OWNER GET_FEATURES SIGNALS_ON CLOSE ");
	assert_int_equal(lines_with("the features that the driver uses: kernel error 95"), 1);
	expect_usual_path(3);
	driver_start(0, 2);
	assert_true(card.lent);
}

static void test_a_ring_whose_base_the_kernel_does_not_tell(void **state)
{
	(void)state;
	driver_start(0, 2);
	add(VIRTIO_NET_TRANSMIT(0), 0, 100);
	assert_int_equal(kernel_work(), 1);
	kernel.fail = "GET1";
	driver_write(VIRTIO_MMIO_QUEUE_SEL, VIRTIO_NET_RECEIVE(0));
	driver_write(VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(card.queues[VIRTIO_NET_TRANSMIT(0)].next_avail, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rings_are_handed_over_in_order),
		TEST(test_features_are_those_of_rings_as_agreed),
		TEST(test_frames_and_interrupts),
		TEST(test_the_engine_hears_of_code_that_is_overwritten),
		TEST(test_reset_while_running),
		TEST(test_second_start),
		TEST(test_a_queue_that_is_taken_back_leaves_the_other),
		TEST(test_a_broken_command_stops_the_kernel_too),
		TEST(test_queues_that_are_not_ready_are_kept),
		TEST(test_each_step_may_fail),
		TEST(test_frames_before_the_last_step_fails),
		TEST(test_what_cannot_be_made),
		TEST(test_a_device_that_cannot_be_opened),
		TEST(test_a_kernel_without_a_feature),
		TEST(test_a_ring_whose_base_the_kernel_does_not_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
