/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/xen-console/console_io.c features/xen-console/ring.c features/xen-abi/hvm_op.c */
/* sources: features/event-channels/evtchn.c features/event-channels/evtchn_op.c */
/* sources: features/event-channels-2l/two_level.c features/xen-abi/domain.c */
/* sources: core/hypercall.c core/io.c core/memory.c core/bus.c core/console.c core/feature.c */
/* sources: core/log.c core/timer.c core/payload.c core/elf.c core/vm.c tests/unit/fake_platform.c */
/* sources: tests/unit/xen_fixture.c features/timer-on-demand/on_demand.c */
/* The console ring as a guest uses it and as it should not, and console_io. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "features/xen-console/xen_console.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/xen_fixture.h"

#include <xen/hvm/hvm_op.h>

static struct xencons_interface *ring;
static uint32_t port;

static uint64_t get_param(uint32_t index)
{
	struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };

	assert_int_equal(xen_op(0, __HYPERVISOR_hvm_op, HVMOP_get_param, &param, sizeof(param)), 0);
	return param.value;
}

static int setup(void **state)
{
	(void)state;
	xen_start(1);
	ring = xen_ram(get_param(HVM_PARAM_CONSOLE_PFN) << 12);
	port = (uint32_t)get_param(HVM_PARAM_CONSOLE_EVTCHN);
	assert_non_null(ring);
	assert_int_not_equal(port, 0);
	return 0;
}

static void notify(void)
{
	struct evtchn_send arg = { .port = port };

	assert_int_equal(xen_op(0, __HYPERVISOR_event_channel_op, EVTCHNOP_send, &arg, sizeof(arg)), 0);
}

/* Puts as much as there is room for into the ring. Returns how much. */
static size_t guest_puts(const char *text)
{
	size_t n = 0;

	while (text[n] != '\0' && ring->out_prod - ring->out_cons < sizeof(ring->out))
		ring->out[MASK_XENCONS_IDX(ring->out_prod++, ring->out)] = text[n++];
	return n;
}

static void guest_gets(char *text, size_t max)
{
	size_t n = 0;

	while (ring->in_cons != ring->in_prod && n < max)
		text[n++] = ring->in[MASK_XENCONS_IDX(ring->in_cons++, ring->in)];
	text[n] = '\0';
}

static bool take_upcall(void)
{
	struct vcpu_info *info = xen_domain(&xen_vm)->vcpus[0].info;
	bool pending = info->evtchn_upcall_pending != 0;

	info->evtchn_upcall_pending = 0;
	info->evtchn_pending_sel = 0;
	((struct shared_info *)(void *)xen_domain(&xen_vm)->shared)->evtchn_pending[0] = 0;
	return pending;
}

static void test_output(void **state)
{
	(void)state;
	guest_puts("hello\n");
	assert_string_equal(fake_console, "");
	notify();
	assert_string_equal(fake_console, "hello\n");
	assert_int_equal(ring->out_cons, 6);
	/* It may wait for room. */
	assert_true(take_upcall());
	/* Nothing new, nothing to tell. */
	notify();
	assert_string_equal(fake_console, "hello\n");
	assert_false(take_upcall());
}

/* Much more than fits, with indexes that wrap. */
static void test_output_wraps(void **state)
{
	static char text[9000], got[9000];
	size_t done = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + i % 26);
	ring->out_prod = ring->out_cons = UINT32_MAX - 100;
	while (done < sizeof(text) - 1) {
		done += guest_puts(text + done);
		notify();
	}
	memcpy(got, fake_console, sizeof(got));
	assert_string_equal(got, text);
}

static void test_input(void **state)
{
	char text[2000];

	(void)state;
	fake_input("ls\r", 3);
	console_poll(&xen_vm.console);
	assert_true(take_upcall());
	guest_gets(text, sizeof(text) - 1);
	assert_string_equal(text, "ls\r");
	notify();
	assert_false(take_upcall());
}

/* What does not fit waits, and comes when the guest says that it has read. */
static void test_input_waits(void **state)
{
	char sent[2001], text[2001];
	size_t got = 0;

	(void)state;
	for (size_t i = 0; i < 2000; i++)
		sent[i] = (char)('A' + i % 26);
	sent[2000] = '\0';
	fake_input(sent, 2000);
	for (unsigned round = 0; round < 20 && got < 2000; round++) {
		console_poll(&xen_vm.console);
		guest_gets(text + got, 2000 - got);
		got = strlen(text);
		notify();
	}
	assert_string_equal(text, sent);
	assert_int_equal(fake_input_left(), 0);
}

/* A guest whose indexes are nonsense is told of once and gets no input. */
static void test_broken_ring(void **state)
{
	const char *first;

	(void)state;
	ring->out_prod = 5000;
	notify();
	notify();
	assert_string_equal(fake_console, "");
	first = strstr(fake_log, "ring is broken: it has 0x1388 bytes of 2048");
	assert_non_null(first);
	assert_null(strstr(first + 1, "ring is broken"));
	ring->in_prod = 0;
	ring->in_cons = 5;
	fake_input("x", 1);
	console_poll(&xen_vm.console);
	assert_int_equal(ring->in_prod, 0);
	/* Good again. */
	ring->out_cons = 0;
	ring->out_prod = 0;
	ring->in_cons = 0;
	guest_puts("fine");
	notify();
	assert_string_equal(fake_console, "fine");
	assert_int_equal(ring->in_prod, 1);
}

static void test_closed_port(void **state)
{
	struct evtchn_close arg = { .port = port };

	(void)state;
	assert_int_equal(xen_op(0, __HYPERVISOR_event_channel_op, EVTCHNOP_close, &arg, sizeof(arg)), 0);
	fake_input("x", 1);
	console_poll(&xen_vm.console);
	assert_int_equal(ring->in_prod, 0);
	assert_false(take_upcall());
	/* Output without an event comes at the end. */
	guest_puts("last words");
	console_flush(&xen_vm.console);
	assert_string_equal(fake_console, "last words");
}

static void test_restart(void **state)
{
	(void)state;
	guest_puts("dying");
	xen_restart();
	assert_string_equal(fake_console, "dying");
	assert_int_equal(ring->out_prod, 0);
	assert_int_equal(get_param(HVM_PARAM_CONSOLE_EVTCHN), port);
	guest_puts(" again");
	notify();
	assert_string_equal(fake_console, "dying again");
}

static void test_console_io(void **state)
{
	static char text[3001];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(xen_call(0, __HYPERVISOR_console_io, CONSOLEIO_write, 6, xen_put("early\n", 6)), 0);
	assert_string_equal(fake_console, "early\n");
	fake_clear_text();
	assert_int_equal(xen_call(0, __HYPERVISOR_console_io, CONSOLEIO_write, 3000, xen_put(text, 3000)), 0);
	assert_string_equal(fake_console, text);
	/* In pieces, if something is pending. */
	fake_clear_text();
	xen_vcpus[0].attention = ATTN_IRQ;
	assert_int_equal(xen_call(0, __HYPERVISOR_console_io, CONSOLEIO_write, 3000, xen_put(text, 3000)), 0);
	assert_true(xen_last.again);
	assert_int_equal(xen_last.args[1], 3000 - 256);
	while (xen_last.again)
		assert_int_equal(
			xen_call(0, __HYPERVISOR_console_io, CONSOLEIO_write, xen_last.args[1], xen_last.args[2]), 0);
	assert_string_equal(fake_console, text);
	assert_int_equal(xen_call(0, __HYPERVISOR_console_io, CONSOLEIO_write, 1, 0), -XEN_EFAULT);
	assert_int_equal(xen_call(0, __HYPERVISOR_console_io, CONSOLEIO_write, 1u << 31, XEN_GVA), -XEN_EINVAL);
	assert_int_equal(xen_call(0, __HYPERVISOR_console_io, CONSOLEIO_read, 1, XEN_GVA), -XEN_EPERM);
	assert_int_equal(xen_call(0, __HYPERVISOR_console_io, 2, 1, XEN_GVA), -XEN_ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_output, setup),      cmocka_unit_test_setup(test_output_wraps, setup),
		cmocka_unit_test_setup(test_input, setup),       cmocka_unit_test_setup(test_input_waits, setup),
		cmocka_unit_test_setup(test_broken_ring, setup), cmocka_unit_test_setup(test_closed_port, setup),
		cmocka_unit_test_setup(test_restart, setup),     cmocka_unit_test_setup(test_console_io, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
