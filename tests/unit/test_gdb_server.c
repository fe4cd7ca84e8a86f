/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/gdb-stub/server.c features/gdb-stub/query.c features/gdb-stub/resume.c features/gdb-stub/state.c */
/* sources: features/gdb-stub/points.c features/gdb-stub/packet.c features/gdb-stub/target.c features/gdb-stub/mips64.c */
/* sources: core/memory.c core/log.c tests/unit/fake_platform.c tests/unit/gdb_fixture.c */
/* Sessions with the GDB server: what a debugger asks, and what a hostile one does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/gdb_fixture.h"

static const char *const unknown_register = "xxxxxxxxxxxxxxxx";

static int start(void **state)
{
	(void)state;
	fixture_start(false, true);
	gdb_peer(&fixture_gdb, true);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fixture_end();
	return 0;
}

/* As the run loop does: what was pending has been handled. */
static enum engine_exit run(void)
{
	fixture_vm.vcpus[0]->attention = 0;
	return gdb_run(&fixture_gdb, fixture_vm.vcpus[0]);
}

static void check(const char *packet, const char *answer)
{
	assert_string_equal(fixture_ask(packet), answer);
}

static void test_greeting(void **state)
{
	(void)state;
	check("qSupported:multiprocess+;swbreak+",
	      "PacketSize=1000;QStartNoAckMode+;qXfer:features:read+;vContSupported+");
	check("vMustReplyEmpty", "");
	check("Unknown", "");
	check("?", "T05thread:1;");
	check("qAttached", "1");
	check("qC", "QC1");
	check("qfThreadInfo", "m1");
	check("qsThreadInfo", "l");
	check("Hg0", "OK");
	check("Hg1", "OK");
	check("Hc-1", "OK");
	check("Hg2", "E22");
	check("Hx1", "E22");
	check("T1", "OK");
	check("T2", "E22");
	check("qThreadExtraInfo,1", "764350552030206f662066697874757265");
	check("", "");
}

static void test_acknowledgement(void **state)
{
	(void)state;
	gdb_input(&fixture_gdb, (const uint8_t *)"$?#3f", 5);
	assert_string_equal(fixture_sent(), "+$T05thread:1;#d7");
	gdb_input(&fixture_gdb, (const uint8_t *)"-", 1);
	assert_string_equal(fixture_sent(), "$T05thread:1;#d7");
	gdb_input(&fixture_gdb, (const uint8_t *)"$?#3e", 5);
	assert_string_equal(fixture_sent(), "-");
	check("QStartNoAckMode", "OK");
	gdb_input(&fixture_gdb, (const uint8_t *)"$?#3f", 5);
	assert_string_equal(fixture_sent(), "$T05thread:1;#d7");
	gdb_input(&fixture_gdb, (const uint8_t *)"$?#3e-", 6);
	assert_string_equal(fixture_sent(), "");
	/* Another debugger on the same serial line. */
	check("qSupported:x", "PacketSize=1000;QStartNoAckMode+;qXfer:features:read+;vContSupported+");
	gdb_input(&fixture_gdb, (const uint8_t *)"$qC#b4", 6);
	assert_string_equal(fixture_sent(), "+$QC1#c5");
}

static void test_description(void **state)
{
	char whole[16384] = "", packet[64];
	size_t size = 0, part = 0;
	const char *answer;

	(void)state;
	do {
		snprintf(packet, sizeof(packet), "qXfer:features:read:target.xml:%zx,%x", size, 333);
		answer = fixture_ask(packet);
		part = strlen(answer) - 1;
		memcpy(whole + size, answer + 1, part + 1);
		size += part;
		assert_true(size < sizeof(whole) - 4096);
	} while (answer[0] == 'm' && part == 333);
	assert_int_equal(answer[0], 'l');
	assert_non_null(strstr(whole, "<feature name=\"org.gnu.gdb.mips.cpu\">"));
	assert_non_null(strstr(whole, "<reg name=\"r31\" bitsize=\"64\" regnum=\"31\" type=\"int\"/>"));
	assert_non_null(strstr(whole, "<reg name=\"status\" bitsize=\"64\" regnum=\"32\""));
	assert_non_null(strstr(whole, "<reg name=\"pc\" bitsize=\"64\" regnum=\"37\""));
	assert_non_null(strstr(whole, "<reg name=\"f31\" bitsize=\"64\" regnum=\"69\" type=\"ieee_double\"/>"));
	assert_non_null(strstr(whole, "<reg name=\"fir\" bitsize=\"64\" regnum=\"71\""));
	assert_string_equal(whole + size - 10, "</target>\n");
	check("qXfer:features:read:target.xml:ffffffffffffffff,ffffffffffffffff", "l");
	check("qXfer:features:read:other.xml:0,100", "E22");
	check("qXfer:features:read:target.xml:0", "E22");
	check("qXfer:features:read:target.xml:0,", "E22");
}

static void test_registers(void **state)
{
	const char *all;

	(void)state;
	all = fixture_ask("g");
	assert_int_equal(strlen(all), FIXTURE_REGISTERS * 16);
	assert_memory_equal(all, "0000665544332211", 16);
	assert_memory_equal(all + 16 * 71, "4700665544332211", 16);
	check("p25", "00400080ffffffff");
	check("p48", "E22");
	check("p", "E22");
	check("pffffffffffffffff", "E22");
	check("p25,", "E22");
	check("P2=0102030405060708", "OK");
	assert_int_equal(fixture_registers[2], 0x0807060504030201);
	check("P2=01020304050607", "E22");
	check("P2=010203040506070809", "E22");
	check("P48=0102030405060708", "E22");
	check("P2:0102030405060708", "E22");
	assert_int_equal(fixture_registers[2], 0x0807060504030201);
}

static void test_all_registers_back(void **state)
{
	char packet[1 + FIXTURE_REGISTERS * 16 + 2] = "G";

	(void)state;
	strcpy(packet + 1, fixture_ask("g"));
	memcpy(packet + 1 + 16 * 4, "efcdab8967452301", 16);
	memcpy(packet + 1 + 16 * 5, unknown_register, 16);
	assert_string_equal(fixture_ask(packet), "OK");
	assert_int_equal(fixture_registers[4], 0x0123456789abcdef);
	assert_int_equal(fixture_registers[5], 0x1122334455660005);
	strcat(packet, "0");
	assert_string_equal(fixture_ask(packet), "E22");
	packet[100] = '\0';
	assert_string_equal(fixture_ask(packet), "E22");
}

static void test_big_endian(void **state)
{
	(void)state;
	fixture_end();
	fixture_start(true, true);
	check("p25", "ffffffff80004000");
	check("P2=0102030405060708", "OK");
	assert_int_equal(fixture_registers[2], 0x0102030405060708);
}

static void test_missing_registers(void **state)
{
	(void)state;
	fixture_gdb.registers.numbers[40] = -1;
	check("p28", unknown_register);
	check("P28=0102030405060708", "OK");
	assert_int_equal(fixture_registers[40], 0x1122334455660028);
}

static void test_memory(void **state)
{
	(void)state;
	check("Mffffffff80004ffe,4:01020304", "OK");
	check("mffffffff80004ffe,4", "01020304");
	check("mffffffff80004ffd,6", "000102030400");
	assert_string_equal(fixture_ask_bytes("Xffffffff80004000,4:\x00#}\xff", 24), "OK");
	check("mffffffff80004000,4", "00237dff");
	check("Xffffffff80004000,0:", "OK");
	check("mffffffff80004000,0", "");
	/* What is there is given up to the end of RAM, and nothing is written beyond. */
	check("mffffffff80005ffe,8", "0000");
	check("Mffffffff80005ffe,3:010203", "E14");
	check("mffffffff80005ffe,2", "0000");
	check("mffffffff80003fff,1", "E14");
	check("m0,4", "E14");
	check("mffffffffffffffff,4", "E14");
	check("Mffffffffffffffff,2:0102", "E14");
	assert_int_equal(strlen(fixture_ask("mffffffff80004000,ffffffffffffffff")), GDB_PACKET_MAX);
}

static void test_malformed_memory(void **state)
{
	static const char *const wrong[] = {
		"m",
		"mffffffff80004000",
		"mffffffff80004000,",
		"mffffffff80004000,4,",
		"mfffffffff80004000,4",
		"Mffffffff80004000,4:010203",
		"Mffffffff80004000,4:0102030405",
		"Mffffffff80004000,4:0102030g",
		"Mffffffff80004000,8000000000000001:0102",
		"Xffffffff80004000,4:abc",
		"Xffffffff80004000,ffffffffffffffff:abc",
		"X",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		check(wrong[i], "E22");
}

static void test_step_and_continue(void **state)
{
	(void)state;
	assert_int_equal(run(), ENGINE_ATTENTION);
	assert_int_equal(fixture_steps + fixture_runs, 0);
	assert_true(fixture_vm.stopped);
	check("s", "");
	assert_false(fixture_vm.stopped);
	run();
	assert_string_equal(fixture_sent(), "$T05thread:1;#d7");
	assert_int_equal(fixture_steps, 1);
	assert_true(fixture_held);
	assert_int_equal(fixture_registers[37], FIXTURE_GVA + 4);
	check("c", "");
	assert_int_equal(run(), ENGINE_IDLE);
	assert_int_equal(fixture_runs, 1);
	assert_string_equal(fixture_sent(), "");
	gdb_input(&fixture_gdb, (const uint8_t *)"\x03", 1);
	assert_string_equal(fixture_sent(), "$T02thread:1;#d4");
	check("sffffffff80004100", "");
	run();
	assert_int_equal(fixture_registers[37], FIXTURE_GVA + 0x104);
	fixture_sent();
	check("S05", "");
	run();
	assert_string_equal(fixture_sent(), "$T05thread:1;#d7");
	check("C05;ffffffff80004000", "");
	run();
	assert_int_equal(fixture_registers[37], FIXTURE_GVA + 4);
}

static void test_malformed_resumption(void **state)
{
	static const char *const wrong[] = { "cx",        "s0x",         "C",
					     "C5x",       "S;",          "c10000000000000000",
					     "C5;g",      "vCont;",      "vCont;x",
					     "vCont;s:2", "vCont;s:1;x", "vCont;C" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		check(wrong[i], "E22");
		assert_true(fixture_vm.stopped);
	}
}

static void test_vcont(void **state)
{
	(void)state;
	check("vCont?", "vCont;c;C;s;S");
	check("vCont;s:1;c", "");
	run();
	assert_string_equal(fixture_sent(), "$T05thread:1;#d7");
	check("vCont;c:-1", "");
	run();
	assert_int_equal(fixture_runs, 1);
	/* A packet while it runs: another debugger on the line. */
	check("?", "T05thread:1;");
	assert_true(fixture_vm.stopped);
}

static void test_breakpoints(void **state)
{
	(void)state;
	check("Z0,ffffffff80004010,4", "OK");
	assert_int_equal(fixture_breakpoint, FIXTURE_GVA + 0x10);
	check("Z0,ffffffff80004010,4", "OK");
	check("Z1,ffffffff80004010,4", "OK");
	check("z0,ffffffff80004010,4", "OK");
	assert_int_equal(fixture_breakpoint, FIXTURE_GVA + 0x10); /* the other is still there */
	check("z1,ffffffff80004010,4", "OK");
	assert_int_equal(fixture_breakpoint, 0);
	check("z1,ffffffff80004010,4", "OK");
	check("Z0,bad,4", "E28");
	check("Z5,ffffffff80004010,4", "E22");
	check("Z0,ffffffff80004010", "E22");
	check("Z0", "E22");
	check("Z2,ffffffff80004010,0", "E22");
	check("Z2,ffffffffffffffff,2", "E22");
	check("Z0,ffffffff80004010,4;X1,22", "E22");
	check("c", "");
	fixture_event = DEBUG_BREAKPOINT;
	run();
	assert_string_equal(fixture_sent(), "$T05thread:1;#d7");
}

static void test_too_many_points(void **state)
{
	char packet[32];

	(void)state;
	for (unsigned i = 0; i < GDB_MAX_POINTS; i++) {
		snprintf(packet, sizeof(packet), "Z0,%x,4", i * 4);
		check(packet, "OK");
	}
	check("Z0,10000,4", "E28");
	check("D", "OK");
	assert_int_equal(fixture_gdb.nr_points, 0);
	assert_int_equal(fixture_breakpoint, 0);
}

static void test_watchpoints(void **state)
{
	(void)state;
	check("Z2,ffffffff80004010,4", "OK");
	assert_int_equal(fixture_watched, DEBUG_WRITE);
	check("c", "");
	run();
	fixture_event = DEBUG_WATCHPOINT;
	run();
	assert_string_equal(fixture_sent(), "$T05thread:1;watch:ffffffff80004011;#21");
	check("?", "T05thread:1;watch:ffffffff80004011;");
	/* The access is done when the guest goes on. */
	check("s", "");
	run();
	assert_true(fixture_ignored);
	assert_string_equal(fixture_sent(), "$T05thread:1;#d7");
	check("s", "");
	run();
	assert_false(fixture_ignored);
	fixture_sent();
	check("z2,ffffffff80004010,4", "OK");
	check("Z3,ffffffff80004010,4", "OK");
	assert_int_equal(fixture_watched, DEBUG_READ);
	check("z3,ffffffff80004010,4", "OK");
	check("Z4,ffffffff80004010,8", "OK");
	assert_int_equal(fixture_watched, DEBUG_READ | DEBUG_WRITE);
}

static void test_engine_without_hooks(void **state)
{
	(void)state;
	fixture_end();
	fixture_start(false, false);
	check("Z2,ffffffff80004010,4", "");
	check("Z0,ffffffff80004010,4", "OK");
	check("c", "");
	run();
	assert_int_equal(fixture_registers[37], FIXTURE_GVA + 0x10);
	assert_int_equal(fixture_runs, 0);
	assert_string_equal(fixture_sent(), "$T05thread:1;#d7");
	check("c", "");
	run(); /* beyond it, until the guest idles */
	assert_true(fixture_registers[37] > FIXTURE_GVA + 0x10);
	assert_string_equal(fixture_sent(), "");
}

static void test_end_of_session(void **state)
{
	(void)state;
	check("Z0,ffffffff80004010,4", "OK");
	gdb_peer(&fixture_gdb, false);
	assert_false(fixture_vm.stopped);
	assert_int_equal(fixture_breakpoint, 0);
	run();
	assert_int_equal(fixture_runs, 1);
	gdb_peer(&fixture_gdb, true);
	assert_true(fixture_vm.stopped);
	check("vKill;1", "OK");
	assert_int_equal(fixture_quits, 1);
	gdb_input(&fixture_gdb, (const uint8_t *)"$k#6b", 5);
	assert_int_equal(fixture_quits, 2);
}

static void test_monitor(void **state)
{
	(void)state;
	gdb_input(&fixture_gdb, (const uint8_t *)"$qRcmd,6869#00", 14);
	assert_string_equal(fixture_sent(), "+$O796f7520736169642068690a#a3$OK#9a");
	check("qRcmd,6", "E22");
	check("qRcmd,xx", "E22");
}

/* Packets made of what packets are made of. */
static void test_hostile(void **state)
{
	static const char *const pieces[] = { "m",           "M",
					      "X",           "G",
					      "P",           "p",
					      "Z",           "z",
					      "vCont;",      "qXfer:features:read:",
					      "target.xml:", ",",
					      ":",           ";",
					      "=",           "ffffffff80004000",
					      "0",           "1",
					      "-1",          "ffffffffffffffff",
					      "8",           "qRcmd,",
					      "H",           "g",
					      "c",           "s",
					      "D",           "T",
					      "?",           "zz" };
	char packet[256];

	(void)state;
	srand(1);
	for (unsigned n = 0; n < 20000; n++) {
		packet[0] = '\0';
		for (int i = rand() % 8; i >= 0; i--)
			strcat(packet, pieces[(size_t)rand() % (sizeof(pieces) / sizeof(pieces[0]))]);
		fixture_ask(packet);
		run();
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(test_greeting),
		TEST(test_acknowledgement),
		TEST(test_description),
		TEST(test_registers),
		TEST(test_all_registers_back),
		TEST(test_big_endian),
		TEST(test_missing_registers),
		TEST(test_memory),
		TEST(test_malformed_memory),
		TEST(test_step_and_continue),
		TEST(test_malformed_resumption),
		TEST(test_vcont),
		TEST(test_breakpoints),
		TEST(test_too_many_points),
		TEST(test_watchpoints),
		TEST(test_engine_without_hooks),
		TEST(test_end_of_session),
		TEST(test_monitor),
		TEST(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
