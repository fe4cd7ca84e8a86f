/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/log.c tests/unit/fake_platform.c */
/* Messages: prefixes, levels, fresh lines, and text that is too long. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>

#include "tests/unit/fake_platform.h"

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_DEBUG);
	log_guest_output(true);
	return 0;
}

static void test_each_level_has_its_prefix(void **state)
{
	(void)state;
	log_error("a %d", 1);
	log_warn("b %s", "two");
	log_info("c");
	log_debug("d %#x", 0xabcu);
	assert_string_equal(fake_log, "husk: error: a 1\nhusk: warning: b two\nhusk: c\nhusk: debug: d 0xabc\n");
}

static void test_only_enabled_levels_are_printed(void **state)
{
	(void)state;
	log_set_level(LOG_WARN);
	assert_true(log_enabled(LOG_ERROR));
	assert_true(log_enabled(LOG_WARN));
	assert_false(log_enabled(LOG_INFO));
	log_info("no");
	log_debug("no");
	log_warn("yes");
	log_set_level(LOG_ERROR);
	log_warn("no");
	log_error("yes");
	assert_string_equal(fake_log, "husk: warning: yes\nhusk: error: yes\n");
}

static void test_levels_have_names(void **state)
{
	(void)state;
	assert_int_equal(log_parse_level("error"), LOG_ERROR);
	assert_int_equal(log_parse_level("warn"), LOG_WARN);
	assert_int_equal(log_parse_level("info"), LOG_INFO);
	assert_int_equal(log_parse_level("debug"), LOG_DEBUG);
	assert_int_equal(log_parse_level(""), -EINVAL);
	assert_int_equal(log_parse_level("debu"), -EINVAL);
	assert_int_equal(log_parse_level("debugs"), -EINVAL);
	assert_int_equal(log_parse_level("INFO"), -EINVAL);
}

static void test_text_has_neither_prefix_nor_level(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR);
	log_text("one ");
	log_text("line %d\n", 1);
	log_text("%s", "");
	assert_string_equal(fake_log, "one line 1\n");
}

static void test_messages_start_on_a_fresh_line(void **state)
{
	(void)state;
	log_guest_output(false);
	log_info("after guest");
	log_info("after message");
	log_text("part");
	log_info("after text");
	log_guest_output(false);
	log_text("text after guest ");
	log_text("goes on\n");
	log_guest_output(true);
	log_text("end\n");
	assert_string_equal(fake_log, "\nhusk: after guest\nhusk: after message\npart\nhusk: after text\n"
				      "\ntext after guest goes on\nend\n");
}

static void fill(char *text, size_t size)
{
	memset(text, 'x', size);
	text[size] = '\0';
}

static void test_the_longest_line_is_whole(void **state)
{
	char text[LOG_LINE_MAX + 1];

	(void)state;
	fill(text, LOG_LINE_MAX);
	log_warn("%s", text);
	assert_int_equal(fake_log_size, strlen("husk: warning: ") + LOG_LINE_MAX + 1);
	assert_string_equal(fake_log + fake_log_size - 2, "x\n");
}

static void test_longer_text_is_cut_and_marked(void **state)
{
	char text[5000];

	(void)state;
	fill(text, sizeof(text) - 1);
	log_guest_output(false);
	log_warn("%s", text);
	assert_int_equal(fake_log_size, strlen("\nhusk: warning: ") + LOG_LINE_MAX + strlen("...\n"));
	assert_string_equal(fake_log + fake_log_size - 5, "x...\n");

	fake_clear_text();
	log_text("%s\n", text);
	assert_string_equal(fake_log + fake_log_size - 5, "x...\n");
	fake_clear_text();
	log_text("%s", text);
	assert_int_equal(fake_log_size, LOG_LINE_MAX + strlen("..."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_each_level_has_its_prefix, setup),
		cmocka_unit_test_setup(test_only_enabled_levels_are_printed, setup),
		cmocka_unit_test_setup(test_levels_have_names, setup),
		cmocka_unit_test_setup(test_text_has_neither_prefix_nor_level, setup),
		cmocka_unit_test_setup(test_messages_start_on_a_fresh_line, setup),
		cmocka_unit_test_setup(test_the_longest_line_is_whole, setup),
		cmocka_unit_test_setup(test_longer_text_is_cut_and_marked, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
