/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk over the descriptors that features left in the section husk_features. */
#include <stddef.h>

#include <husk/feature.h>
#include <husk/log.h>

/* Set by the linker around the section; weak, because a test may link no feature at all. */
extern const struct feature *const __start_husk_features[] __attribute__((weak));
extern const struct feature *const __stop_husk_features[] __attribute__((weak));

int feature_walk(int (*fn)(const struct feature *f, void *ctx), void *ctx)
{
	for (unsigned level = 0; level < FEATURE_LEVELS; level++) {
		for (const struct feature *const *f = __start_husk_features; f < __stop_husk_features; f++) {
			if ((unsigned)(*f)->level != level)
				continue;
			int rc = fn(*f, ctx);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

/** What feature_provider() looks for, and what it found. */
struct search {
	enum feature_level level;
	const void *found;
};

static int take_provider(const struct feature *f, void *ctx)
{
	struct search *s = ctx;

	if (f->level != s->level || f->provides == NULL)
		return 0;
	s->found = f->provides;
	return 1;
}

const void *feature_provider(enum feature_level level)
{
	struct search s = { .level = level };

	feature_walk(take_provider, &s);
	return s.found;
}

static int attach(const struct feature *f, void *vm)
{
	int rc = f->attach != NULL ? f->attach(vm) : 0;

	if (rc != 0)
		log_error("feature %s cannot start (error %d)", f->name, rc);
	return rc;
}

int feature_attach_all(struct vm *vm)
{
	return feature_walk(attach, vm);
}

static int reset(const struct feature *f, void *vm)
{
	if (f->reset != NULL)
		f->reset(vm);
	return 0;
}

void feature_reset_all(struct vm *vm)
{
	feature_walk(reset, vm);
}
