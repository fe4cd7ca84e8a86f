/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/linux/net-vhost/calls.c */
/* The system calls of vhost-net on what any kernel has: eventfds and flags of a file. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/vhost.h>

#include "arch/x86_64/linux/net-vhost/vhost.h"
#include "arch/x86_64/linux/syscall.h"

static void test_events_count_and_are_lowered_at_once(void **state)
{
	long waits = vhost_event(true), never = vhost_event(false);

	(void)state;
	assert_true(waits >= 0 && never >= 0);
	assert_int_equal(fcntl((int)waits, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl((int)never, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl((int)waits, F_GETFD) & fcntl((int)never, F_GETFD), FD_CLOEXEC);
	vhost_event_raise((int)waits);
	assert_int_equal(vhost_event_wait((int)waits), 0);
	vhost_event_raise((int)never);
	vhost_event_raise((int)never);
	assert_int_equal(vhost_event_wait((int)never), 0);
	assert_int_equal(vhost_event_wait((int)never), -LINUX_EAGAIN);
	vhost_close((int)waits);
	vhost_close((int)never);
	assert_true(vhost_event_wait((int)never) < 0);
}

static void test_signals_alone_are_switched(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	assert_int_equal(vhost_tap_signals(fds[0], true), 0);
	assert_int_equal(fcntl(fds[0], F_GETFL) & (O_ASYNC | O_NONBLOCK), O_ASYNC | O_NONBLOCK);
	assert_int_equal(vhost_tap_signals(fds[0], false), 0);
	assert_int_equal(fcntl(fds[0], F_GETFL) & (O_ASYNC | O_NONBLOCK), O_NONBLOCK);
	close(fds[0]);
	close(fds[1]);
	assert_true(vhost_tap_signals(fds[0], true) < 0);
}

static void test_what_is_no_such_device_refuses(void **state)
{
	long event = vhost_event(false);

	(void)state;
	assert_int_equal(vhost_ioctl((int)event, VHOST_SET_OWNER, NULL), -25 /* ENOTTY */);
	vhost_close((int)event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_count_and_are_lowered_at_once),
		cmocka_unit_test(test_signals_alone_are_switched),
		cmocka_unit_test(test_what_is_no_such_device_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
