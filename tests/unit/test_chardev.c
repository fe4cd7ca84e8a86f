/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c arch/x86_64/linux/chardev/fd_chardev.c arch/x86_64/linux/chardev-stream/stream.c */
/* sources: arch/x86_64/linux/chardev-pty/pty.c arch/x86_64/linux/chardev-file/file.c core/chardev.c */
/* sources: arch/x86_64/linux/socket/open.c arch/x86_64/linux/socket/socket.c core/io.c core/log.c */
/* sources: tests/unit/fake_platform.c tests/unit/fake_threads.c */
/* Back ends of consoles: sockets, pseudo-terminals and files of this system. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <husk/chardev.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/x86_64/linux/chardev/fd_chardev.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/fake_threads.h"

static struct vm vm;
static struct vcpu vcpu;
static char path[64], spec[96];

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	vm = (struct vm){ .vcpus = { &vcpu } };
	vcpu = (struct vcpu){ .vm = &vm };
	snprintf(path, sizeof(path), "/tmp/husk-chardev-%d", (int)getpid());
	unlink(path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static struct chardev *opened(const char *format)
{
	struct chardev *c = NULL;

	snprintf(spec, sizeof(spec), format, path);
	assert_int_equal(chardev_open(&vm, spec, &c), 0);
	return c;
}

static void print(struct chardev *c, const char *text)
{
	chardev_write(c, text, strlen(text));
}

static void assert_typed(struct chardev *c, const char *text)
{
	char got[64];

	fake_io_events++;
	assert_int_equal(chardev_read(c, got, sizeof(got)), strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

/** What the other end has got. */
static void assert_printed(int fd, const char *text)
{
	char got[64];

	assert_int_equal(read(fd, got, sizeof(got)), strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

/* --- sockets */

static int peer_connect(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void test_a_socket_takes_one_peer_after_another(void **state)
{
	struct chardev *c = opened("stream:%s,listen");

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		int peer;

		assert_false(c->connected);
		print(c, "nobody");
		peer = peer_connect();
		chardev_poll(c);
		assert_true(c->connected);
		print(c, "hello\r\n");
		assert_printed(peer, "hello\r\n");
		assert_typed(c, "");
		assert_int_equal(write(peer, "\x01n", 2), 2);
		assert_typed(c, "\x01n");
		close(peer);
		assert_typed(c, "");
		assert_false(c->connected);
		chardev_poll(c);
	}
}

/** A guest that reads nothing does not keep the next peer out. What the last one has sent can be read until then. */
static void test_peers_of_a_guest_that_reads_nothing(void **state)
{
	struct chardev *c = opened("stream:%s,listen");
	int first = peer_connect(), second;

	(void)state;
	chardev_poll(c);
	assert_int_equal(write(first, "bye", 3), 3);
	close(first);
	chardev_poll(c);
	assert_false(c->connected);
	print(c, "to nobody");
	assert_typed(c, "bye");
	first = peer_connect();
	chardev_poll(c);
	assert_int_equal(write(first, "ask", 3), 3);
	shutdown(first, SHUT_WR);
	chardev_poll(c);
	assert_typed(c, "ask");
	assert_typed(c, "");
	assert_true(c->connected);
	print(c, "answer");
	assert_printed(first, "answer");
	second = peer_connect();
	chardev_poll(c);
	assert_true(c->connected);
	print(c, "hello");
	assert_printed(second, "hello");
	assert_int_equal(write(second, "hi", 2), 2);
	assert_typed(c, "hi");
	close(first);
	close(second);
}

static void test_a_socket_that_connects(void **state)
{
	struct chardev *a = opened("stream:%s,listen"), *b = opened("stream:%s");

	(void)state;
	assert_true(b->connected);
	chardev_poll(a);
	print(b, "to a");
	assert_typed(a, "to a");
	print(a, "to b");
	assert_typed(b, "to b");
}

/** Nothing is lost as long as the buffer lasts; then, after a second of the clock of the tests, the newest is. */
static void test_a_peer_that_takes_nothing(void **state)
{
	struct chardev *c = opened("stream:%s,listen");
	static uint8_t large[16], got[4096];
	unsigned sent = 0, wrong = 0, size = 0;
	int peer = peer_connect();
	ssize_t n;

	(void)state;
	chardev_poll(c);
	fcntl(peer, F_SETFL, O_NONBLOCK);
	fake_now_step = 400000000;
	while (strstr(fake_log, "output is lost, because the other end takes none") == NULL) {
		memset(large, (int)sent++, sizeof(large));
		chardev_write(c, large, sizeof(large));
	}
	assert_true(sent > FD_CHARDEV_BUFFER / sizeof(large));
	fake_clear_text();
	print(c, "lost too");
	assert_string_equal(fake_log, "");
	do {
		while ((n = read(peer, got, sizeof(got))) > 0) {
			for (ssize_t i = 0; i < n; i++, size++)
				wrong += got[i] != (uint8_t)(size / sizeof(large));
		}
		chardev_poll(c);
	} while (((struct fd_chardev *)c)->nr_waiting != 0);
	while ((n = read(peer, got, sizeof(got))) > 0)
		size += (unsigned)n;
	assert_int_equal(wrong, 0);
	assert_true(size >= (sent - 1) * sizeof(large) && size <= sent * sizeof(large));
	print(c, "again");
	assert_printed(peer, "again");
	close(peer);
	print(c, "gone");
	assert_false(c->connected);
}

static void *read_slowly(void *argument)
{
	int fd = *(int *)argument;
	static size_t size;
	char got[64];
	ssize_t n;

	usleep(1000);
	while ((n = read(fd, got, sizeof(got))) > 0)
		size += (size_t)n;
	return &size;
}

/** A reader that goes on gets everything, however slow it is. */
static void test_a_slow_peer_is_waited_for(void **state)
{
	enum { LINES = 100000 };
	struct chardev *c = opened("stream:%s,listen");
	int peer = peer_connect();
	pthread_t reader;
	void *size;

	(void)state;
	chardev_poll(c);
	pthread_create(&reader, NULL, read_slowly, &peer);
	for (unsigned i = 0; i < LINES; i++)
		chardev_write(c, "0123456789", 10);
	while (((struct fd_chardev *)c)->nr_waiting != 0)
		chardev_poll(c);
	close(((struct fd_chardev *)c)->fd);
	pthread_join(reader, &size);
	assert_int_equal(*(size_t *)size, LINES * 10);
	assert_null(strstr(fake_log, "lost"));
	close(peer);
}

/* --- pseudo-terminals */

static void test_a_terminal(void **state)
{
	struct chardev *c = opened("pty:%s");
	int fd;

	(void)state;
	assert_non_null(strstr(fake_log, "it is /dev/pts/"));
	for (unsigned i = 0; i < 2; i++) {
		print(c, "nobody");
		assert_false(c->connected);
		fd = open(path, O_RDWR | O_NOCTTY);
		assert_true(fd >= 0);
		print(c, "\x01line\r\n");
		assert_true(c->connected);
		assert_printed(fd, "\x01line\r\n"); /* unchanged, and not what was printed before */
		assert_int_equal(write(fd, "\x03\r", 2), 2);
		assert_typed(c, "\x03\r");
		assert_typed(c, "");
		assert_int_equal(write(fd, "last", 4), 4);
		close(fd);
		chardev_poll(c);
		assert_false(c->connected);
		assert_typed(c, "last");
		assert_typed(c, "");
	}
	/* The link of an earlier run is taken over, a file is not. */
	opened("pty:%s");
	unlink(path);
	close(creat(path, 0600));
	assert_int_equal(chardev_open(&vm, spec, &c), -EIO);
	assert_non_null(strstr(fake_log, "name a path that is free"));
}

/* --- files */

static void test_a_file_grows(void **state)
{
	struct chardev *c = opened("file:%s");
	char got[8];
	int fd;

	(void)state;
	assert_true(c->connected);
	print(c, "one");
	print(opened("file:%s"), "two");
	assert_int_equal(chardev_read(c, got, sizeof(got)), 0);
	fd = open(path, O_RDONLY);
	assert_printed(fd, "onetwo");
	close(fd);
}

static void test_a_file_without_room(void **state)
{
	struct chardev *c = opened("file:/dev/full");

	(void)state;
	print(c, "x");
	assert_false(c->connected);
	assert_non_null(strstr(fake_log, "cannot be written any more"));
	fake_clear_text();
	print(c, "y");
	assert_string_equal(fake_log, "");
}

/* --- what is refused */

static void expect_refusal(const char *text, int error, const char *why)
{
	struct chardev *c = NULL;

	fake_clear_text();
	assert_int_equal(chardev_open(&vm, text, &c), error);
	assert_null(c);
	if (strstr(fake_log, why) == NULL)
		fail_msg("no '%s' in: %s", why, fake_log);
}

static void test_what_cannot_be_opened_is_explained(void **state)
{
	(void)state;
	expect_refusal("stream:", -EINVAL, "console 'stream:': write stream:PATH[,listen]");
	expect_refusal("stream:/tmp/no-such-folder/x", -ENOENT, "start the program that listens there first");
	expect_refusal("file:/tmp/no-such-folder/x", -ENOENT, "there is no folder for /tmp/no-such-folder/x; make it");
	expect_refusal("file:", -ENOENT, "make it");
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(spec, sizeof(spec), "file:%s", path);
	expect_refusal(spec, -ENXIO, "is a pipe that nobody reads");
	expect_refusal("screen", -ENODEV, "use one of these\n");
	assert_non_null(strstr(fake_log, "  pty:[PATH of a link to it]\n"));
	assert_non_null(strstr(fake_log, "  file:PATH\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_socket_takes_one_peer_after_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peers_of_a_guest_that_reads_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_socket_that_connects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_peer_that_takes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_slow_peer_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_terminal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_without_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_opened_is_explained, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN); /* as the host does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
