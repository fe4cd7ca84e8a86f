/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk in a file. Requests are tried at once where that cannot block; the others go
 * through a queue to threads, which are started when there is work for them.
 */
#ifndef LINUX_BLOCK_FILE_H
#define LINUX_BLOCK_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/block.h>

#include "arch/x86_64/linux/host.h"

#define FILE_WORKERS 4u

/** A thread. */
struct file_worker {
	struct file_disk *disk;
	void *bounce; /**< FILE_BOUNCE bytes of its own */
};

/** Requests in order. */
struct file_queue {
	struct block_request *first, **end; /**< end is NULL before the first use */
};

/** An open disk. */
struct file_disk {
	struct block block;
	struct vm *vm;
	int fd;
	uint32_t alignment;                       /**< of memory, O_DIRECT only; 0 otherwise */
	bool try_first;                           /**< reads that cannot block are worth a try */
	struct file_queue batch;                  /**< submitted, not started: the front end's side */
	unsigned in_flight;                       /**< submitted, done() not called: the front end's side */
	bool complained;                          /**< an error was logged */
	struct file_worker workers[FILE_WORKERS]; /**< the front end starts them */
	unsigned nr_workers;

	struct host_lock lock;   /**< covers the rest */
	struct file_queue todo;  /**< for threads */
	struct file_queue ended; /**< for poll() */
	uint32_t work;           /**< changes when todo grows; futex of idle threads */
	uint32_t ends;           /**< changes when ended grows; futex of drain() */
	bool draining;           /**< drain() may wait */
	unsigned idle;           /**< threads that wait for work */
	long error;              /**< the kernel's for the last request that failed */
};

/** Adds a request at the end. */
void file_queue_add(struct file_queue *q, struct block_request *r);

/** Takes the first request, or NULL. */
struct block_request *file_queue_take(struct file_queue *q);

/* open.c */

/** Opens what a spec names: fd, size and properties of *d. Returns 0 or a negative errno after logging one line. */
int file_open(struct file_disk *d, const char *spec, const char *arguments);

/* worker.c */

/**
 * Reads without blocking what is in the page cache. Returns true if the request has ended; else r->work says how far
 * it got.
 */
bool file_try_read(struct file_disk *d, struct block_request *r);

/** Does a request, however long that takes. `bounce` has FILE_BOUNCE bytes. Returns 0 or a negative kernel error. */
long file_perform(const struct file_disk *d, struct block_request *r, void *bounce);

/** A thread: does what is in the queue, for ever. The argument is the struct file_worker. */
void file_worker(void *argument);

#define FILE_BOUNCE ((size_t)256 << 10)

#endif
