/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of features on the command line of the image, beside those of the core. */
#ifndef HUSK_OPTION_H
#define HUSK_OPTION_H

/** One option. Constant for the life of the image. */
struct option {
	const char *name;  /**< without the leading --; ends in = if a value has to follow, such as "gdb-port=" */
	const char *value; /**< name of the value for the help text, "" if there is none */
	const char *help;  /**< one line, no full stop */
	/**
	 * The option was given; value is what follows the =, "" if there is none; it does not last, see option_keep().
	 * Called before the VM is made.
	 * Returns 0, or -EINVAL if the value is wrong, which ends the run.
	 */
	int (*given)(const char *value);
};

/** Adds an option to the image, used as `HUSK_OPTION(gdb) = { "gdb", ... };` */
#define HUSK_OPTION(id)                                                                                              \
	static const struct option option_##id;                                                                      \
	static const struct option *const option_entry_##id __attribute__((used, retain, section("husk_options"))) = \
		&option_##id;                                                                                        \
	static const struct option option_##id

/** A copy of the value of an option that lasts to the end of the run; NULL if it is empty or there is no memory. */
const char *option_keep(const char *value);

#endif
