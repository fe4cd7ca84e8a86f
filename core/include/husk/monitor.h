/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of the monitor. Any feature adds its own by a table entry; an image
 * without the monitor drops them all.
 */
#ifndef HUSK_MONITOR_H
#define HUSK_MONITOR_H

struct vm;

/** One command. */
struct monitor_command {
	const char *name;  /**< one word */
	const char *usage; /**< arguments, "" if none */
	const char *help;  /**< one line, no full stop */
	/** Runs it; argv[0] is the name. Prints with log_text(). Returns 0, or -EINVAL to have the usage printed. */
	int (*run)(struct vm *vm, int argc, char **argv);
};

/** Runs one line; it is cut into words in place. Prints what is wrong with it if something is. */
void monitor_execute(struct vm *vm, char *line);

/** Adds a command to the image, used as `MONITOR_COMMAND(peek) = { "peek", ... };` */
#define MONITOR_COMMAND(id)                                                                     \
	static const struct monitor_command monitor_command_##id;                               \
	static const struct monitor_command *const monitor_entry_##id                           \
		__attribute__((used, retain, section("husk_monitor"))) = &monitor_command_##id; \
	static const struct monitor_command monitor_command_##id

#endif
