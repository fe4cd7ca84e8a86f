/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Features attach themselves: one descriptor each, collected by the linker and
 * walked by the core level by level. Nothing else in the tree lists them.
 */
#ifndef HUSK_FEATURE_H
#define HUSK_FEATURE_H

struct vm;

/** Order in which features are attached to a VM; ties are in link order (sorted paths). */
enum feature_level {
	FEATURE_HOST,    /**< what the image runs on */
	FEATURE_CPU,     /**< parts of the guest CPU: FPU, vendor instructions */
	FEATURE_TIMER,   /**< timer model; provides is a struct timer_model */
	FEATURE_ENGINE,  /**< executes guest code; provides is a struct engine */
	FEATURE_MACHINE, /**< the board; provides is a struct machine */
	FEATURE_DEVICE,  /**< devices that a machine wires up */
	FEATURE_TOOL,    /**< monitor, diagnosis, tracing, debugging */
	FEATURE_LEVELS
};

/** What a feature says about itself. Constant for the life of the image. */
struct feature {
	const char *name;         /**< folder name under features/ (or host-pc, host-linux) */
	const char *purpose;      /**< one line for people, no full stop */
	enum feature_level level; /**< its place in the walk */
	const void *provides;     /**< implementation of the level's contract, or NULL */
	/**
	 * Called once for every VM, after the machine built it and before the guest starts.
	 * Returns 0 or a negative errno, which ends the run. NULL if there is nothing to do.
	 */
	int (*attach)(struct vm *vm);
	/**
	 * Puts the state that the feature keeps for the guest back to power-on. Called before each start of the guest, the
	 * first included, when its timers are off and before the machine loads it. NULL if there is nothing to do.
	 */
	void (*reset)(struct vm *vm);
};

/**
 * Defines the feature descriptor `id` and adds it to the image, used as
 * `HUSK_FEATURE(timer_on_demand) = { .name = "timer-on-demand", ... };`
 */
#define HUSK_FEATURE(id)                                                                 \
	static const struct feature feature_##id;                                        \
	static const struct feature *const feature_entry_##id                            \
		__attribute__((used, retain, section("husk_features"))) = &feature_##id; \
	static const struct feature feature_##id

/** Calls fn for every linked feature in the order of levels. Stops at the first non-zero and returns it. */
int feature_walk(int (*fn)(const struct feature *f, void *ctx), void *ctx);

/** First implementation provided at `level`, or NULL if the image has none. */
const void *feature_provider(enum feature_level level);

/** Attaches every feature to vm. Returns 0 or the first negative errno, after logging which feature failed. */
int feature_attach_all(struct vm *vm);

/** Resets what features keep for the guest of vm. */
void feature_reset_all(struct vm *vm);

#endif
