/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: features/gdb-stub/packet.c */
/* Packets of the GDB remote protocol, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "features/gdb-stub/packet.h"

static struct gdb_receiver receiver;
static struct gdb_packet packet;
static uint8_t frame[GDB_FRAME_MAX];

static int start(void **state)
{
	(void)state;
	memset(&receiver, 0, sizeof(receiver));
	memset(&packet, 0, sizeof(packet));
	return 0;
}

/* Gives bytes to the receiver; all but the last complete nothing. */
static enum gdb_event receive(const char *bytes)
{
	while (bytes[1] != '\0')
		assert_int_equal(gdb_receive(&receiver, (uint8_t)*bytes++), GDB_NOTHING);
	return gdb_receive(&receiver, (uint8_t)*bytes);
}

static void test_receives(void **state)
{
	(void)state;
	assert_int_equal(receive("$#00"), GDB_PACKET);
	assert_int_equal(receiver.length, 0);
	assert_int_equal(receive("+$OK#9a"), GDB_PACKET);
	assert_string_equal(receiver.data, "OK");
	assert_int_equal(receive("noise$OK#9A"), GDB_PACKET);
	/* The end of one was lost. */
	assert_int_equal(receive("$lost$OK#9a"), GDB_PACKET);
	assert_string_equal(receiver.data, "OK");
}

static void test_refuses_wrong_sums(void **state)
{
	static const char *const wrong[] = { "$OK#9b", "$OK#a9", "$OK#x9", "$OK#9x", "$OK#  ", "$OL#9a", "$O}#ad" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(receive(wrong[i]), GDB_BROKEN);
	assert_int_equal(receive("$OK#9a"), GDB_PACKET);
}

static void test_escapes(void **state)
{
	(void)state;
	gdb_put_text(&packet, "a#b$c}d*e");
	size_t size = gdb_frame(&packet, frame);
	assert_int_equal(size, 1 + 9 + 4 + 3);
	assert_memory_equal(frame,
			    "$a}\x03"
			    "b}\x04"
			    "c}]d}\ne#",
			    15);
	for (size_t i = 0; i + 1 < size; i++)
		assert_int_equal(gdb_receive(&receiver, frame[i]), GDB_NOTHING);
	assert_int_equal(gdb_receive(&receiver, frame[size - 1]), GDB_PACKET);
	assert_string_equal(receiver.data, "a#b$c}d*e");
}

static void test_interrupt_and_resend(void **state)
{
	(void)state;
	assert_int_equal(gdb_receive(&receiver, 3), GDB_INTERRUPT);
	assert_int_equal(gdb_receive(&receiver, '-'), GDB_RESEND);
	/* Inside a packet they are data. */
	assert_int_equal(receive("$\x03-#30"), GDB_PACKET);
	assert_string_equal(receiver.data, "\x03-");
}

static void test_longest(void **state)
{
	uint8_t sum = (uint8_t)('A' * GDB_PACKET_MAX);
	char end[4] = { '#', "0123456789abcdef"[sum >> 4], "0123456789abcdef"[sum & 15], '\0' };

	(void)state;
	gdb_receive(&receiver, '$');
	for (unsigned i = 0; i < GDB_PACKET_MAX; i++)
		gdb_receive(&receiver, 'A');
	assert_int_equal(receive(end), GDB_PACKET);
	assert_int_equal(receiver.length, GDB_PACKET_MAX);
	gdb_receive(&receiver, '$');
	for (unsigned i = 0; i < GDB_PACKET_MAX + 256; i++)
		gdb_receive(&receiver, 'A');
	assert_int_equal(receive(end), GDB_BROKEN);
}

static void test_output_is_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < GDB_PACKET_MAX; i++)
		gdb_put_bytes(&packet, "#", 1);
	assert_int_equal(packet.length, GDB_PACKET_MAX);
	assert_true(packet.overflow);
	memset(packet.data, '#', sizeof(packet.data));
	assert_int_equal(gdb_frame(&packet, frame), GDB_FRAME_MAX);
}

static void check_number(const char *text, bool good, uint64_t value)
{
	struct gdb_scan s = { (const uint8_t *)text, (const uint8_t *)text + strlen(text) };
	uint64_t n = 0;

	assert_int_equal(gdb_scan_number(&s, &n), good);
	if (good)
		assert_int_equal(n, value);
}

static void test_scans(void **state)
{
	struct gdb_scan s = { (const uint8_t *)"0aFfx", (const uint8_t *)"0aFfx" + 0 };
	uint8_t bytes[2];

	(void)state;
	check_number("0", true, 0);
	check_number("1f,", true, 0x1f);
	check_number("ffffffffFFFFFFFF", true, UINT64_MAX);
	check_number("10000000000000000", false, 0);
	check_number("00000000000000001", false, 0);
	check_number("", false, 0);
	check_number("-1", false, 0);
	check_number("g", false, 0);
	assert_false(gdb_scan_bytes(&s, bytes, 1));
	s = (struct gdb_scan){ (const uint8_t *)"0aFfx", NULL };
	s.end = s.at + 5;
	assert_true(gdb_scan_bytes(&s, bytes, 2));
	assert_memory_equal(bytes, "\x0a\xff", 2);
	assert_false(gdb_scan_bytes(&s, bytes, 1));
	assert_false(gdb_scan_text(&s, "xx"));
	assert_true(gdb_scan_text(&s, "x"));
	assert_int_equal(gdb_scan_left(&s), 0);
}

static void test_puts_numbers(void **state)
{
	(void)state;
	gdb_put_number(&packet, 0);
	gdb_put_text(&packet, ",");
	gdb_put_number(&packet, UINT64_MAX);
	gdb_put_text(&packet, ",");
	gdb_put_number(&packet, 0x1234);
	assert_memory_equal(packet.data, "0,ffffffffffffffff,1234", packet.length);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_receives, start), cmocka_unit_test_setup(test_refuses_wrong_sums, start),
		cmocka_unit_test_setup(test_escapes, start),  cmocka_unit_test_setup(test_interrupt_and_resend, start),
		cmocka_unit_test_setup(test_longest, start),  cmocka_unit_test_setup(test_output_is_bounded, start),
		cmocka_unit_test_setup(test_scans, start),    cmocka_unit_test_setup(test_puts_numbers, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
