/* SPDX-License-Identifier: BSD-2-Clause */
/* From the kernel's hand-over to husk_main(), and the way out. */
#include "arch/x86_64/linux/host.h"

#include <linux/auxvec.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/x86_64/linux/syscall.h"
#include "arch/x86_64/linux/terminal.h"

#define MAIN_STACK ((size_t)2 << 20)

const char plat_name[] = "linux";

static const char *command_line = "";

HUSK_FEATURE(host_linux) = {
	.name = "host-linux",
	.purpose = "runs as a process on x86-64 Linux",
	.level = FEATURE_HOST,
};

_Noreturn void host_start(uintptr_t *stack);

/* Value of an entry of the auxiliary vector, or 0. */
static uintptr_t auxiliary(const uintptr_t *vector, uintptr_t type)
{
	for (; vector[0] != AT_NULL; vector += 2)
		if (vector[0] == type)
			return vector[1];
	return 0;
}

/* The words after the program's name with one blank in between; NULL if there is no memory for them. */
static const char *join_words(char **words)
{
	size_t size = 1;
	char *text, *end;

	for (char **w = words; *w != NULL; w++)
		size += strlen(*w) + 1;
	if (size == 1)
		return "";
	text = end = plat_pages_alloc(size, HOST_PAGE);
	if (text == NULL)
		return NULL;
	for (char **w = words; *w != NULL; w++) {
		size_t length = strlen(*w);

		if (length == 0)
			continue;
		if (end != text)
			*end++ = ' ';
		memcpy(end, *w, length);
		end += length;
	}
	return text; /* the memory was zero, so the text is terminated */
}

static _Noreturn void give_up(const char *why)
{
	plat_log_write(why, strlen(why));
	host_exit(HUSK_EXIT_HOST);
}

static void run(void)
{
	plat_exit(husk_main());
}

/* Called by _start. The kernel left argc, argv, NULL, the environment, NULL, and the auxiliary vector (psABI 3.4.1). */
_Noreturn void host_start(uintptr_t *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)&stack[1];
	uintptr_t *vector = &stack[1 + argc + 1];
	char *top;

	while (*vector++ != 0)
		;
	host_time_init((const void *)auxiliary(vector, AT_SYSINFO_EHDR));
	if (host_cpu_init(0) < 0 || host_signals_init() < 0)
		give_up("husk: the kernel refuses a thread pointer, signal handlers or memory for them\n");
	top = host_stack_alloc(MAIN_STACK);
	command_line = argc > 0 ? join_words(argv + 1) : "";
	if (top == NULL || command_line == NULL)
		give_up("husk: no memory to start; raise the limit 'ulimit -v'\n");
	host_fault_guard((uintptr_t)top - MAIN_STACK - HOST_PAGE);
	host_call_on_stack(top, run);
}

const char *plat_command_line(void)
{
	return command_line;
}

_Noreturn void host_exit(int status)
{
	host_signals_block(host_signals_all());
	terminal_close();
	for (;;)
		linux_call3(__NR_exit_group, status, 0, 0);
}

_Noreturn void plat_exit(enum husk_exit status)
{
	host_exit((int)status);
}
