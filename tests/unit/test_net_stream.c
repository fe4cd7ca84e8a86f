/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c arch/x86_64/linux/net-stream/frames.c arch/x86_64/linux/net-stream/stream.c */
/* sources: arch/x86_64/linux/socket/open.c arch/x86_64/linux/socket/socket.c core/net.c core/io.c core/log.c */
/* sources: tests/unit/fake_platform.c tests/unit/fake_threads.c */
/* Frames over real sockets of this system, and what peers may do to us. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <husk/log.h>
#include <husk/net.h>
#include <husk/vm.h>

#include "arch/x86_64/linux/net-stream/frames.h"
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
	snprintf(path, sizeof(path), "/tmp/husk-test-%d.sock", (int)getpid());
	unlink(path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

/* --- buffers */

static int take(struct frames *f, void *memory, size_t size)
{
	const struct io_vector v = { memory, size };

	return frames_take(f, &v, 1);
}

static void test_frames_come_in_pieces(void **state)
{
	static uint8_t memory[FRAMES_SIZE];
	const uint8_t bytes[] = { 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd' };
	struct frames f = { .bytes = memory };
	char out[8] = "";
	size_t room;

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(take(&f, out, sizeof(out)), -EAGAIN);
		*frames_room(&f, &room) = bytes[i];
		f.end++;
	}
	assert_int_equal(take(&f, out, sizeof(out)), 3);
	assert_string_equal(out, "abc");
	memcpy(frames_room(&f, &room), bytes + 7, 5);
	f.end += 5;
	assert_int_equal(take(&f, out, sizeof(out)), 1);
	assert_int_equal(take(&f, out, sizeof(out)), -EAGAIN);
	frames_room(&f, &room);
	assert_int_equal(room, FRAMES_SIZE);
}

static void test_frames_of_any_size_go_round_the_buffer(void **state)
{
	static uint8_t memory[FRAMES_SIZE], in[NET_LARGE_MAX], out[NET_LARGE_MAX];
	struct frames f = { .bytes = memory };
	size_t added = 0, taken = 0;

	(void)state;
	for (unsigned i = 0; taken < 300; i++) {
		size_t size = added * 7919 % NET_LARGE_MAX + 1;
		const struct io_vector v[] = { { in, size / 2 }, { in + size / 2, size - size / 2 } };

		memset(in, (int)added, size);
		if (i % 3 != 2 && frames_add(&f, v, 2) == 0)
			added++;
		if (i % 3 == 2 && added > taken) {
			size = taken * 7919 % NET_LARGE_MAX + 1;
			assert_int_equal(take(&f, out, sizeof(out)), size);
			assert_int_equal(out[0], (uint8_t)taken);
			assert_int_equal(out[size - 1], (uint8_t)taken);
			taken++;
		}
	}
}

static void test_lengths_that_no_frame_has(void **state)
{
	static uint8_t memory[FRAMES_SIZE], large[NET_LARGE_MAX + 1];
	struct frames f = { .bytes = memory };
	const struct io_vector none = { large, 0 }, much = { large, sizeof(large) };
	char out[2];

	(void)state;
	assert_int_equal(frames_add(&f, &none, 1), -EINVAL);
	assert_int_equal(frames_add(&f, &much, 1), -EINVAL);
	f.end = 4;
	assert_int_equal(take(&f, out, sizeof(out)), -EPROTO);
	memory[0] = 0x80;
	assert_int_equal(take(&f, out, sizeof(out)), -EPROTO);
	memcpy(memory, "\0\0\0\3abc\0\0\0\1d", 12);
	f.end = 12;
	assert_int_equal(take(&f, out, sizeof(out)), -EMSGSIZE);
	assert_int_equal(take(&f, out, sizeof(out)), 1);
	assert_int_equal(out[0], 'd');
}

/* --- sockets */

static struct net *opened(const char *format)
{
	struct net *n = NULL;

	snprintf(spec, sizeof(spec), format, path);
	assert_int_equal(net_open(&vm, spec, &n), 0);
	return n;
}

static int peer_connect(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fake_io_events++;
	return fd;
}

static int peer_listen(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int receive(struct net *n, char *memory, size_t size)
{
	const struct io_vector v = { memory, size };
	struct net_header h;
	int rc = net_receive(n, &h, &v, 1);

	if (rc >= 0)
		assert_int_equal(h.gso_type | h.flags, 0);
	return rc;
}

static void transmit(struct net *n, const char *text)
{
	const struct io_vector v = { (void *)(uintptr_t)text, strlen(text) };
	const struct net_header h = { 0 };

	assert_int_equal(net_transmit(n, &h, &v, 1), 0);
}

static void test_frames_both_ways(void **state)
{
	int listener = peer_listen(), peer;
	struct net *n = opened("stream:%s");
	char out[16] = "";

	(void)state;
	assert_true(n->link);
	assert_int_equal(n->transmit_offload | n->receive_offload, 0);
	peer = accept(listener, NULL, NULL);
	transmit(n, "ping");
	transmit(n, "pong");
	net_commit(n);
	assert_int_equal(read(peer, out, sizeof(out)), 16);
	assert_memory_equal(out, "\0\0\0\4ping\0\0\0\4pong", 16);
	assert_int_equal(receive(n, out, sizeof(out)), -EAGAIN);
	assert_int_equal(write(peer, "\0\0\0\2hi\0\0\0\1x", 11), 11);
	/* Nothing has told that there is something: not even a look is taken. */
	assert_int_equal(receive(n, out, sizeof(out)), -EAGAIN);
	fake_io_events++;
	assert_int_equal(receive(n, out, sizeof(out)), 2);
	assert_memory_equal(out, "hi", 2);
	assert_int_equal(receive(n, out, sizeof(out)), 1);
	assert_int_equal(receive(n, out, sizeof(out)), -EAGAIN);
	close(peer);
	fake_io_events++;
	assert_int_equal(receive(n, out, sizeof(out)), -EAGAIN);
	assert_false(n->link);
	assert_non_null(strstr(fake_log, "the peer is gone; the link is down\n"));
	transmit(n, "lost");
	net_commit(n);
	close(listener);
}

static void test_a_peer_that_takes_nothing_fills_the_buffer(void **state)
{
	int listener = peer_listen(), peer;
	struct net *n = opened("stream:%s");
	static uint8_t large[60000], got[64 + sizeof(large)];
	const struct io_vector v = { large, sizeof(large) };
	const struct net_header h = { 0 };
	size_t sent = 0, bytes = 0;
	ssize_t r;

	(void)state;
	peer = accept(listener, NULL, NULL);
	fcntl(peer, F_SETFL, O_NONBLOCK);
	while (net_transmit(n, &h, &v, 1) == 0)
		sent++;
	assert_true(sent > 3);
	assert_int_equal(net_transmit(n, &h, &v, 1), -EAGAIN);
	while ((r = read(peer, got, sizeof(got))) > 0) {
		bytes += (size_t)r;
		net_commit(n);
	}
	assert_int_equal(bytes, sent * (4 + sizeof(large)));
	assert_int_equal(net_transmit(n, &h, &v, 1), 0);
	close(peer);
	close(listener);
}

static void test_a_listener_takes_one_peer_after_another(void **state)
{
	struct net *n = opened("stream:%s,listen");
	char out[16];
	int peer;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_false(n->link);
		transmit(n, "nobody");
		assert_int_equal(receive(n, out, sizeof(out)), -EAGAIN);
		vcpu.attention = 0;
		peer = peer_connect();
		assert_int_equal(write(peer, "\0\0\0\2hi", 6), 6);
		assert_int_equal(receive(n, out, sizeof(out)), 2);
		assert_true(n->link);
		assert_int_equal(vcpu_attention(&vcpu), ATTN_IO);
		transmit(n, "yes");
		net_commit(n);
		assert_int_equal(read(peer, out, sizeof(out)), 7);
		close(peer);
		fake_io_events++;
		assert_int_equal(receive(n, out, sizeof(out)), -EAGAIN);
	}
}

static void test_nonsense_ends_the_connection(void **state)
{
	struct net *n = opened("stream:%s,listen");
	int peer = peer_connect();
	char out[16];

	(void)state;
	assert_int_equal(write(peer, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	assert_int_equal(receive(n, out, sizeof(out)), -EAGAIN);
	assert_false(n->link);
	assert_non_null(strstr(fake_log, "sends what is no frame; the link is down until the next peer comes"));
	assert_int_equal(read(peer, out, sizeof(out)), 0);
	close(peer);
}

static void test_tcp_between_two(void **state)
{
	struct net *a = NULL, *b = NULL;
	char out[16];

	(void)state;
	assert_int_equal(net_open(&vm, "stream:127.0.0.1:47831,listen", &a), 0);
	assert_int_equal(net_open(&vm, "stream:127.0.0.1:47831", &b), 0);
	fake_io_events++;
	transmit(b, "hello");
	net_commit(b);
	assert_int_equal(receive(a, out, sizeof(out)), 5);
	transmit(a, "you");
	net_commit(a);
	assert_int_equal(receive(b, out, sizeof(out)), 3);
}

static void expect_refusal(const char *text, int error, const char *why)
{
	struct net *n = NULL;

	fake_clear_text();
	assert_int_equal(net_open(&vm, text, &n), error);
	assert_null(n);
	if (strstr(fake_log, why) == NULL)
		fail_msg("no '%s' in: %s", why, fake_log);
}

static void test_what_cannot_be_opened_is_explained(void **state)
{
	(void)state;
	expect_refusal("stream:", -EINVAL, "write stream:PATH[,listen]");
	expect_refusal("stream:/tmp/x,hear", -EINVAL, "write stream:PATH[,listen]");
	expect_refusal("stream:/tmp/x,listen,more", -EINVAL, "write stream:PATH[,listen]");
	expect_refusal("stream:/tmp/no-such-folder/x", -ENOENT, "start the program that listens there first");
	expect_refusal("stream:/tmp/no-such-folder/x,listen", -ENOENT, "no such folder");
	expect_refusal("stream:127.0.0.1:1", -ECONNREFUSED, "nobody listens there");
	snprintf(spec, sizeof(spec), "stream:%s,listen", path);
	opened("stream:%s,listen");
	expect_refusal(spec, -EADDRINUSE, "another process listens there");
}

static void test_a_left_over_socket_is_taken_over(void **state)
{
	(void)state;
	close(peer_listen());
	assert_int_equal(access(path, F_OK), 0);
	assert_false(opened("stream:%s,listen")->link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_frames_come_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_frames_of_any_size_go_round_the_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lengths_that_no_frame_has, setup, teardown),
		cmocka_unit_test_setup_teardown(test_frames_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_peer_that_takes_nothing_fills_the_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_listener_takes_one_peer_after_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_ends_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tcp_between_two, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_opened_is_explained, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_left_over_socket_is_taken_over, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
