/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks: the back ends that hold the bytes, behind one interface for the devices that guests see.
 *
 * Any number of requests may be in flight, and they end in any order. A FLUSH covers the writes that ended before it
 * was submitted: they are on stable storage once it has ended. Who may call what and when: io.h.
 */
#ifndef HUSK_BLOCK_H
#define HUSK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/io.h>

struct vm;
struct block;

#define BLOCK_SECTOR      512u /**< unit of offsets and sizes, as virtio has it; a disk may want multiples of more */
#define BLOCK_SERIAL_SIZE 20u  /**< bytes of a serial number, as virtio has it (1.2, 5.2.6.1) */

/** What to do with a range of a disk. */
enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,        /**< no range */
	BLOCK_DISCARD,      /**< the range is not needed: it may read as anything afterwards */
	BLOCK_WRITE_ZEROES, /**< the range reads as zeroes afterwards */
};

/** One request. The front end's; the back end's between block_submit() and done(). */
struct block_request {
	struct block_request *next; /**< for the owner of the moment */
	enum block_op op;
	bool may_unmap;                  /**< BLOCK_WRITE_ZEROES: the range need not keep its storage */
	uint64_t offset, size;           /**< bytes of the disk; multiples of the disk's `granularity` */
	const struct io_vector *vectors; /**< READ, WRITE: host memory of `size` bytes in all, any alignment */
	unsigned nr_vectors;
	/** Ended: `result` is set. Called by block_poll() and block_drain() only; may submit. */
	void (*done)(struct block_request *r);
	int result;    /**< 0, or -EIO, -ENOSPC, after the back end logged what is wrong, once */
	uint64_t work; /**< the back end's own */
};

/** What a back end does. No call waits for the disk, but drain(). */
struct block_ops {
	/** Takes a request that block_check() has passed; never refuses. It may wait for commit(). */
	void (*submit)(struct block *b, struct block_request *r);
	/** Starts what was submitted: called after a batch. */
	void (*commit)(struct block *b);
	/** Calls done() of every request that has ended; cheap if there is none. */
	void (*poll)(struct block *b);
	/** Waits until all requests have ended and calls their done(): at a reset of the device. */
	void (*drain)(struct block *b);
};

/** An open disk. Embedded in the back end's own state; lives to the end of the run. */
struct block {
	const struct block_ops *ops;
	const char *name;     /**< what it is, for messages and the monitor: the spec it was opened by */
	uint64_t size;        /**< bytes, a multiple of `granularity` */
	uint32_t granularity; /**< bytes: offsets and sizes are multiples; a power of two, 512 to 4096 */
	bool read_only;
	bool flush;        /**< has something to flush; else a write that ended is as stable as it gets */
	bool discard;      /**< BLOCK_DISCARD is of use */
	bool write_zeroes; /**< BLOCK_WRITE_ZEROES is quicker than writing them */
	char serial[BLOCK_SERIAL_SIZE + 1];
};

/**
 * Judges a request that a guest made up. Returns 0, -EROFS (writes to a read-only disk), -EINVAL (outside the disk, not
 * a multiple of the granularity, vectors of another size) or -ENOTSUP (an operation that the disk does not have).
 */
int block_check(const struct block *b, const struct block_request *r);

/** The four operations; see struct block_ops. */
static inline void block_submit(struct block *b, struct block_request *r)
{
	b->ops->submit(b, r);
}

static inline void block_commit(struct block *b)
{
	b->ops->commit(b);
}

static inline void block_poll(struct block *b)
{
	b->ops->poll(b);
}

static inline void block_drain(struct block *b)
{
	b->ops->drain(b);
}

/** A kind of back end. Constant for the life of the image. */
struct block_driver {
	const char *scheme; /**< the spec's first word, such as "file" */
	const char *usage;  /**< what follows it, for messages, such as "PATH[,readonly][,direct]" */
	/**
	 * Opens a disk for `vm`, whose vCPUs exist. `arguments` is what follows "scheme:", "" if nothing. Returns 0 or a
	 * negative errno after logging one line with the reason and the remedy; *out is then not set.
	 */
	int (*open)(struct vm *vm, const char *spec, const char *arguments, struct block **out);
};

/** Adds a kind of back end to the image, used as `HUSK_BLOCK_DRIVER(file) = { .scheme = "file", ... };` */
#define HUSK_BLOCK_DRIVER(id)                                                              \
	static const struct block_driver block_driver_##id;                                \
	static const struct block_driver *const block_driver_entry_##id                    \
		__attribute__((used, retain, section("husk_block"))) = &block_driver_##id; \
	static const struct block_driver block_driver_##id

/**
 * Opens the disk that a spec describes, such as "file:disk.img,readonly", "embedded" or "nvme:0,part=2". The text must
 * live to the end of the run. Returns 0 or a negative errno after logging one line; *out is then not set.
 */
int block_open(struct vm *vm, const char *spec, struct block **out);

#endif
