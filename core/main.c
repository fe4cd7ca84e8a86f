/* SPDX-License-Identifier: BSD-2-Clause */
/* From the command line to the end of the run. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/option.h>
#include <husk/vm.h>

#define MIB      ((uint64_t)1 << 20)
#define WORD_MAX 512u
/* What is shown of longer ones. */
#define WORD_SHOWN 32u

/** What the command line asked for instead of a run. */
enum action { ACTION_RUN, ACTION_HELP, ACTION_FEATURES, ACTION_VERSION, ACTION_FAIL };

static void print_version(void)
{
	log_text("husk %s (%s)\n", husk_params.version, husk_params.config);
}

/* Options of features, collected by the linker. */
extern const struct option *const __start_husk_options[] __attribute__((weak));
extern const struct option *const __stop_husk_options[] __attribute__((weak));

static void print_feature_options(void)
{
	for (const struct option *const *o = __start_husk_options; o < __stop_husk_options; o++) {
		int pad = 12 - (int)(strlen((*o)->name) + strlen((*o)->value));

		log_text("  %s%s%*s %s\n", (*o)->name, (*o)->value, pad > 0 ? pad : 0, "", (*o)->help);
	}
}

static void print_help(void)
{
	print_version();
	log_text("usage: [OPTION]...\n"
		 "  help         print this and end\n"
		 "  version      print the version and the configuration and end\n"
		 "  features     print what is linked into this image and end\n"
		 "  log=LEVEL    print messages of level error, warn, info or debug, and above\n");
	print_feature_options();
	log_text("Options may be written with -- before them. Ctrl-A h in the run lists the keys.\n"
		 "exit status: %d guest powered off or user quit, %d host, %d payload, %d guest crash\n",
		 HUSK_EXIT_OK, HUSK_EXIT_HOST, HUSK_EXIT_PAYLOAD, HUSK_EXIT_GUEST);
}

static int print_feature(const struct feature *f, void *ctx)
{
	(void)ctx;
	log_text("%-16s %s\n", f->name, f->purpose);
	return 0;
}

/** A line of words under construction. */
struct words {
	char text[LOG_LINE_MAX];
	size_t used;
};

static int add_name(const struct feature *f, void *ctx)
{
	struct words *w = ctx;
	int n = snprintf(w->text + w->used, sizeof(w->text) - w->used, " %s", f->name);

	/* What does not fit is left out; the option `features` prints all. */
	if (n > 0 && (size_t)n < sizeof(w->text) - w->used)
		w->used += (size_t)n;
	else
		w->text[w->used] = '\0';
	return 0;
}

/** Printed before anything can fail, so that a report of a failure names the image. */
static void print_banner(void)
{
	const struct params *p = &husk_params;
	struct words w = { .used = 0 };

	if (log_enabled(LOG_INFO))
		log_text("husk %s (%s): host %s, guest %s with %" PRIu32 " vCPU%s and %" PRIu64 " MiB\n", p->version,
			 p->config, plat_name, husk_payload.recipe, p->vcpus, p->vcpus == 1 ? "" : "s",
			 p->ram_bytes / MIB);
	feature_walk(add_name, &w);
	log_info("features%s", w.text);
}

/* Command line. */

static enum action bad_option(const char *word, const char *why)
{
	log_error("option '%s' %s; 'help' lists the options", word, why);
	return ACTION_FAIL;
}

static enum action set_level(const char *word, const char *name)
{
	int level = log_parse_level(name);

	if (level < 0)
		return bad_option(word, "names no level: error, warn, info or debug");
	log_set_level((enum log_level)level);
	return ACTION_RUN;
}

/** True if `option` is o, with its value where it takes one. */
static bool is_option(const struct option *o, const char *option)
{
	size_t length = strlen(o->name);

	return strncmp(option, o->name, length) == 0 && (o->name[length - 1] == '=' || option[length] == '\0');
}

static enum action parse_feature_option(const char *word, const char *option)
{
	for (const struct option *const *o = __start_husk_options; o < __stop_husk_options; o++) {
		if (!is_option(*o, option))
			continue;
		if ((*o)->given(option + strlen((*o)->name)) != 0)
			return bad_option(word, "has a wrong value");
		return ACTION_RUN;
	}
	return bad_option(word, "is unknown");
}

static enum action parse_option(const char *word)
{
	static const struct {
		const char *name;
		enum action action;
	} actions[] = {
		{ "help", ACTION_HELP },
		{ "features", ACTION_FEATURES },
		{ "version", ACTION_VERSION },
	};
	const char *option = strncmp(word, "--", 2) == 0 ? word + 2 : word;

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(option, actions[i].name) == 0)
			return actions[i].action;
	}
	if (strncmp(option, "log=", 4) == 0)
		return set_level(word, option + 4);
	return parse_feature_option(word, option);
}

/** Copies the next word and returns what follows it, or NULL at the end. Sets *fits, false if it had to be cut. */
static const char *next_word(const char *line, char word[static WORD_MAX], bool *fits)
{
	size_t length, kept;

	line += strspn(line, " \t");
	if (*line == '\0')
		return NULL;
	length = strcspn(line, " \t");
	*fits = length < WORD_MAX;
	kept = *fits ? length : WORD_MAX - 1;
	memcpy(word, line, kept);
	word[kept] = '\0';
	return line + length;
}

/**
 * Some loaders pass the name of the image as first word, others do not. No option's name has a slash or a dot, and
 * image names and paths do, or are the bare name of the program.
 */
static bool is_image_name(const char *word)
{
	size_t length = strcspn(word, "=");

	return strcspn(word, "/.") < length || strncmp(word, "husk", 4) == 0;
}

static enum action parse_command_line(const char *line)
{
	char word[WORD_MAX];
	enum action action = ACTION_RUN;
	bool first = true, fits;

	while (action != ACTION_FAIL && (line = next_word(line, word, &fits)) != NULL) {
		if (!fits) {
			word[WORD_SHOWN] = '\0';
			return bad_option(word, "is the beginning of one that is too long");
		}
		if (!first || !is_image_name(word)) {
			enum action a = parse_option(word);

			action = a != ACTION_RUN ? a : action;
		}
		first = false;
	}
	return action;
}

/* Run. */

static enum husk_exit run(void)
{
	struct vm *vm;

	print_banner();
	if (vm_create(&husk_params, &husk_payload, &vm) != 0)
		return HUSK_EXIT_HOST;
	return vm_run(vm);
}

static enum log_level configured_level(void)
{
	return husk_params.log_level <= LOG_DEBUG ? (enum log_level)husk_params.log_level : LOG_DEBUG;
}

enum husk_exit husk_main(void)
{
	log_set_level(configured_level());
	switch (parse_command_line(plat_command_line())) {
	case ACTION_RUN: return run();
	case ACTION_HELP: print_help(); return HUSK_EXIT_OK;
	case ACTION_VERSION: print_version(); return HUSK_EXIT_OK;
	case ACTION_FEATURES: feature_walk(print_feature, NULL); return HUSK_EXIT_OK;
	case ACTION_FAIL: break;
	}
	return HUSK_EXIT_HOST;
}
