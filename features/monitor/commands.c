/* SPDX-License-Identifier: BSD-2-Clause */
/* From a line to a command, and the commands that control the run. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <husk/log.h>
#include <husk/vm.h>

#include "features/monitor/monitor.h"

extern const struct monitor_command *const __start_husk_monitor[] __attribute__((weak));
extern const struct monitor_command *const __stop_husk_monitor[] __attribute__((weak));

/* Finding and running. */

const struct monitor_command *monitor_find(const char *name)
{
	const struct monitor_command *found = NULL;
	unsigned candidates = 0;

	for (const struct monitor_command *const *c = __start_husk_monitor; c < __stop_husk_monitor; c++) {
		if (strcmp((*c)->name, name) == 0)
			return *c;
		if (strncmp((*c)->name, name, strlen(name)) != 0)
			continue;
		found = *c;
		candidates++;
	}
	if (candidates == 1)
		return found;
	log_text("%s: %s; 'help' lists the commands\n", name, candidates > 1 ? "ambiguous" : "no such command");
	return NULL;
}

/* Cuts a line into words. Returns how many, or -E2BIG. */
static int split(char *line, char **words)
{
	int n = 0;

	for (char *p = line; *p != '\0';) {
		if (*p == ' ') {
			*p++ = '\0';
			continue;
		}
		if (n == MONITOR_WORDS)
			return -E2BIG;
		words[n++] = p;
		while (*p != '\0' && *p != ' ')
			p++;
	}
	return n;
}

/* Commands look at, and change, what belongs to vCPUs. */
static int run_stopped(struct vm *vm, const struct monitor_command *command, int argc, char **argv)
{
	int rc;

	smp_lock(&vm->memory.code_lock);
	smp_stop_others(vm);
	rc = command->run(vm, argc, argv);
	smp_resume_others(vm);
	smp_unlock(&vm->memory.code_lock);
	return rc;
}

void monitor_execute(struct vm *vm, char *line)
{
	char *words[MONITOR_WORDS + 1] = { NULL };
	int n = split(line, words);

	if (n < 0)
		log_text("more than %d words\n", MONITOR_WORDS);
	if (n <= 0)
		return;
	const struct monitor_command *command = monitor_find(words[0]);
	if (command != NULL && run_stopped(vm, command, n, words) == -EINVAL)
		log_text("usage: %s %s\n", command->name, command->usage);
}

static int register_value(struct vm *vm, const char *name, uint64_t *value)
{
	const struct engine *e = vm->engine;

	for (unsigned i = 0; i < e->nr_registers; i++) {
		if (strcmp(e->registers[i].name, name) == 0) {
			*value = e->get_register(vm->vcpus[0], i);
			return 0;
		}
	}
	log_text("no register is called %s; 'info registers' lists them\n", name);
	return -EINVAL;
}

int monitor_number(struct vm *vm, const char *text, uint64_t *value)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	char *end;

	if (text[0] == '$')
		return register_value(vm, text + 1, value);
	errno = 0;
	*value = strtoull(text, &end, hex ? 16 : 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && !(hex && text[2] == '\0'))
		return 0;
	log_text("%s is not a number: write 0x1f, 31 or $register\n", text);
	return -EINVAL;
}

void monitor_print_address(struct vm *vm, uint64_t address)
{
	uint64_t offset = 0;
	const char *symbol = payload_symbol(vm->payload, address, &offset);

	log_text("0x%016" PRIx64, address);
	if (symbol != NULL)
		log_text(" (%s+0x%" PRIx64 ")", symbol, offset);
}

/* Commands. */

/* The command that follows `after` in alphabetical order, or NULL. */
static const struct monitor_command *next_by_name(const char *after)
{
	const struct monitor_command *next = NULL;

	for (const struct monitor_command *const *c = __start_husk_monitor; c < __stop_husk_monitor; c++) {
		if (strcmp((*c)->name, after) > 0 && (next == NULL || strcmp((*c)->name, next->name) < 0))
			next = *c;
	}
	return next;
}

static void print_help(const struct monitor_command *c)
{
	int pad = 24 - (int)(strlen(c->name) + strlen(c->usage));

	log_text("%s %s%*s %s\n", c->name, c->usage, pad > 0 ? pad : 0, "", c->help);
}

static int run_help(struct vm *vm, int argc, char **argv)
{
	(void)vm;
	if (argc > 2)
		return -EINVAL;
	if (argc == 2) {
		const struct monitor_command *c = monitor_find(argv[1]);
		if (c != NULL)
			print_help(c);
		return 0;
	}
	for (const struct monitor_command *c = next_by_name(""); c != NULL; c = next_by_name(c->name))
		print_help(c);
	log_text("Commands can be abbreviated. Ctrl-A c goes back to the guest.\n");
	return 0;
}

static int run_log(struct vm *vm, int argc, char **argv)
{
	(void)vm;
	if (argc != 2)
		return -EINVAL;
	int level = log_parse_level(argv[1]);
	if (level < 0)
		return -EINVAL;
	log_set_level((enum log_level)level);
	return 0;
}

static int request(struct vm *vm, int argc, enum vm_request what)
{
	if (argc != 1)
		return -EINVAL;
	vm_request(vm, what);
	return 0;
}

static int run_reset(struct vm *vm, int argc, char **argv)
{
	(void)argv;
	return request(vm, argc, VM_RESET);
}

static int run_quit(struct vm *vm, int argc, char **argv)
{
	(void)argv;
	return request(vm, argc, VM_QUIT);
}

MONITOR_COMMAND(help) = { "help", "[COMMAND]", "lists the commands", run_help };
MONITOR_COMMAND(log) = { "log", "error|warn|info|debug", "sets what husk itself says from now on", run_log };
MONITOR_COMMAND(reset) = { "reset", "", "starts the guest again from the payload", run_reset };
MONITOR_COMMAND(quit) = { "quit", "", "ends the run", run_quit };
