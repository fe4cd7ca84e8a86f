/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks: judging requests, and finding the back end that a spec names. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <husk/block.h>
#include <husk/log.h>

/* Kinds of back ends, collected by the linker. */
extern const struct block_driver *const __start_husk_block[] __attribute__((weak));
extern const struct block_driver *const __stop_husk_block[] __attribute__((weak));

static bool is_supported(const struct block *b, enum block_op op)
{
	switch (op) {
	case BLOCK_READ:
	case BLOCK_WRITE: return true;
	case BLOCK_FLUSH: return b->flush;
	case BLOCK_DISCARD: return b->discard;
	case BLOCK_WRITE_ZEROES: return b->write_zeroes;
	}
	return false;
}

int block_check(const struct block *b, const struct block_request *r)
{
	if (!is_supported(b, r->op))
		return -ENOTSUP;
	if (r->op == BLOCK_FLUSH)
		return 0;
	if (r->op != BLOCK_READ && b->read_only)
		return -EROFS;
	if (r->size > b->size || r->offset > b->size - r->size || ((r->offset | r->size) & (b->granularity - 1)) != 0)
		return -EINVAL;
	if ((r->op == BLOCK_READ || r->op == BLOCK_WRITE) && io_vectors_size(r->vectors, r->nr_vectors) != r->size)
		return -EINVAL;
	return 0;
}

static int no_driver(const char *spec)
{
	log_error("disk '%s': this image has no such back end; select it in `make menuconfig` or use one of these",
		  spec);
	for (const struct block_driver *const *d = __start_husk_block; d < __stop_husk_block; d++)
		log_text("  %s%s%s\n", (*d)->scheme, (*d)->usage[0] != '\0' ? ":" : "", (*d)->usage);
	return -ENODEV;
}

int block_open(struct vm *vm, const char *spec, struct block **out)
{
	size_t length = strcspn(spec, ":");
	int rc;

	for (const struct block_driver *const *d = __start_husk_block; d < __stop_husk_block; d++) {
		if (strlen((*d)->scheme) != length || strncmp(spec, (*d)->scheme, length) != 0)
			continue;
		rc = (*d)->open(vm, spec, spec + length + (spec[length] == ':'), out);
		if (rc == 0)
			log_info("disk '%s': %" PRIu64 " KiB%s", spec, (*out)->size / 1024,
				 (*out)->read_only ? ", read-only" : "");
		return rc;
	}
	return no_driver(spec);
}
