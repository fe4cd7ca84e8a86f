/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/main.c core/option.c core/feature.c core/log.c tests/unit/fake_platform.c */
/* The command line, what the image says about itself, and the status of the run. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/option.h>
#include <husk/vm.h>

#include "tests/unit/fake_platform.h"

const struct params husk_params = {
	.version = "0.1",
	.config = "test",
	.ram_bytes = (uint64_t)256 << 20,
	.vcpus = 1,
	.log_level = LOG_INFO,
};
const struct payload husk_payload = { .recipe = "nothing" };

HUSK_FEATURE(tool) = { .name = "tool", .purpose = "looks at things", .level = FEATURE_TOOL };
HUSK_FEATURE(host) = { .name = "host-fake", .purpose = "runs nothing", .level = FEATURE_HOST };

#define BANNER   "husk 0.1 (test): host fake, guest nothing with 1 vCPU and 256 MiB\n"
#define FEATURES "husk: features host-fake tool\n"

static struct vm vm;
static unsigned runs;
static int create_result;

int vm_create(const struct params *params, const struct payload *payload, struct vm **out)
{
	assert_ptr_equal(params, &husk_params);
	assert_ptr_equal(payload, &husk_payload);
	if (create_result == 0)
		*out = &vm;
	return create_result;
}

enum husk_exit vm_run(struct vm *started)
{
	assert_ptr_equal(started, &vm);
	runs++;
	return HUSK_EXIT_GUEST;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_guest_output(true);
	runs = 0;
	create_result = 0;
	return 0;
}

static enum husk_exit run(const char *command_line)
{
	fake_clear_text();
	fake_command_line = command_line;
	return husk_main();
}

static void expect_run(const char *command_line)
{
	unsigned before = runs;

	assert_int_equal(run(command_line), HUSK_EXIT_GUEST);
	assert_int_equal(runs, before + 1);
}

static void test_the_image_introduces_itself_and_runs(void **state)
{
	(void)state;
	expect_run("");
	assert_string_equal(fake_log, BANNER FEATURES);
}

static void test_no_vm_is_a_failure_of_the_host(void **state)
{
	(void)state;
	create_result = -ENOMEM;
	assert_int_equal(run(""), HUSK_EXIT_HOST);
	assert_string_equal(fake_log, BANNER FEATURES);
	assert_int_equal(runs, 0);
}

static void test_the_level_is_set(void **state)
{
	(void)state;
	expect_run("log=debug");
	assert_true(log_enabled(LOG_DEBUG));
	expect_run("--log=error");
	assert_false(log_enabled(LOG_WARN));
	assert_string_equal(fake_log, "");
	expect_run("");
	assert_true(log_enabled(LOG_INFO));
	assert_false(log_enabled(LOG_DEBUG));
}

static void expect_text(const char *command_line, const char *text)
{
	unsigned before = runs;

	assert_int_equal(run(command_line), HUSK_EXIT_OK);
	assert_non_null(strstr(fake_log, text));
	assert_int_equal(runs, before);
}

static void test_options_print_and_end(void **state)
{
	(void)state;
	expect_text("help", "usage:");
	expect_text("--help", "log=LEVEL");
	expect_text("log=error help", "usage:");
	expect_text("version", "husk 0.1 (test)\n");
	expect_text("--version", "husk 0.1 (test)\n");
	expect_text("features", "host-fake        runs nothing\ntool             looks at things\n");
	expect_text("--features", "tool ");
}

static void test_the_name_of_the_image_is_no_option(void **state)
{
	(void)state;
	expect_run("/boot/husk");
	expect_run("./husk log=warn");
	assert_false(log_enabled(LOG_INFO));
	expect_run("husk");
	expect_run("husk.d/x=y/husk.elf");
	expect_run("pc_octeon.elf");
	expect_run("  /boot/image\t log=info ");
	expect_text("/boot/husk help", "usage:");
}

static void expect_error(const char *command_line, const char *line)
{
	assert_int_equal(run(command_line), HUSK_EXIT_HOST);
	assert_string_equal(fake_log, line);
	assert_int_equal(runs, 0);
}

static void test_values_of_options_are_kept(void **state)
{
	char value[] = "file:a.img";
	const char *kept;

	(void)state;
	kept = option_keep(value);
	value[0] = '-';
	assert_string_equal(kept, "file:a.img");
	assert_null(option_keep(""));
	fake_pages_left = 0;
	assert_null(option_keep("x"));
}

static void test_unknown_options_are_refused(void **state)
{
	(void)state;
	expect_error("quiet", "husk: error: option 'quiet' is unknown; 'help' lists the options\n");
	expect_error("--", "husk: error: option '--' is unknown; 'help' lists the options\n");
	expect_error("--help=1", "husk: error: option '--help=1' is unknown; 'help' lists the options\n");
	expect_error("/boot/husk /x", "husk: error: option '/x' is unknown; 'help' lists the options\n");
	expect_error("disk=file:/a/b.img",
		     "husk: error: option 'disk=file:/a/b.img' is unknown; 'help' lists the options\n");
	expect_error("help bad", "husk: error: option 'bad' is unknown; 'help' lists the options\n");
	expect_error("log=loud", "husk: error: option 'log=loud' names no level: error, warn, info or debug; "
				 "'help' lists the options\n");
	expect_error("log=", "husk: error: option 'log=' names no level: error, warn, info or debug; "
			     "'help' lists the options\n");
}

static void test_a_huge_word_is_refused(void **state)
{
	char line[4096];

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	assert_int_equal(run(line), HUSK_EXIT_HOST);
	assert_non_null(
		strstr(fake_log, "option 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' is the beginning of one that is too long"));
	memset(line, ' ', sizeof(line) - 1);
	expect_run(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_the_image_introduces_itself_and_runs, setup),
		cmocka_unit_test_setup(test_no_vm_is_a_failure_of_the_host, setup),
		cmocka_unit_test_setup(test_the_level_is_set, setup),
		cmocka_unit_test_setup(test_options_print_and_end, setup),
		cmocka_unit_test_setup(test_the_name_of_the_image_is_no_option, setup),
		cmocka_unit_test_setup(test_values_of_options_are_kept, setup),
		cmocka_unit_test_setup(test_unknown_options_are_refused, setup),
		cmocka_unit_test_setup(test_a_huge_word_is_refused, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
