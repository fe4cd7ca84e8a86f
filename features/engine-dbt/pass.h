/* SPDX-License-Identifier: BSD-2-Clause */
/* Passes over the IR of a block, between front end and back end. Features add them; order does not matter. */
#ifndef DBT_PASS_H
#define DBT_PASS_H

#include <stddef.h>

#include "features/engine-dbt/ir.h"

/** A pass. */
struct dbt_pass {
	const char *name;
	size_t work_bytes; /**< of memory it needs while it runs, at most 64 KiB */
	/** Changes the block in place; `work` holds anything before and after. */
	void (*run)(struct ir_block *ir, void *work);
};

/** Adds a pass to the image, used as `DBT_PASS(groups) = { ... };` */
#define DBT_PASS(id)                                                                                                   \
	static const struct dbt_pass dbt_pass_##id;                                                                    \
	static const struct dbt_pass *const dbt_pass_entry_##id __attribute__((used, retain, section("dbt_passes"))) = \
		&dbt_pass_##id;                                                                                        \
	static const struct dbt_pass dbt_pass_##id

/** Runs all passes of the image; `work` has as many bytes as the greediest of them needs. */
void dbt_run_passes(struct ir_block *ir, void *work);

/** Bytes of `work`. */
size_t dbt_passes_work_bytes(void);

#endif
