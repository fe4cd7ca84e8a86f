/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input and output that goes on while the guest runs: what disks (block.h) and networks (net.h) share.
 *
 * A back end (a file, a TAP interface, an NVMe disk) works by itself, in a thread, by interrupts. When something has
 * come to an end or has arrived it does one thing: it raises ATTN_IO at the boot vCPU. The run loop, outside guest
 * code, then polls every client, which is a front end (a virtio device); that asks its own back end. So nothing of a
 * front end ever runs in a thread or an interrupt of the host, and an idle guest costs nothing.
 *
 * The lock rule: the calls of one back end never overlap. They are its front end's, and the front end's own lock, if
 * its VM has several vCPUs, covers them, in poll() too. A back end has locks only against its own threads and
 * interrupts, and calls nobody while it holds one.
 */
#ifndef HUSK_IO_H
#define HUSK_IO_H

#include <stddef.h>
#include <stdint.h>

struct vm;

/** A piece of host memory; a struct iovec of Linux. Guest RAM is in reach of the host's devices as it is. */
struct io_vector {
	void *base;
	size_t size; /**< bytes */
};

/** A front end, as far as the run loop needs to know it. Owned by it, outlives the VM. */
struct io_client {
	struct io_client *next;               /**< the list's */
	void (*poll)(struct io_client *self); /**< something may have happened; on the boot vCPU's own CPU */
};

/** Has `client` polled from now on. Clients are polled in the order in which they came. */
void io_attach(struct vm *vm, struct io_client *client);

/** Polls all clients. The run loop calls it for ATTN_IO. */
void io_poll(struct vm *vm);

/** Raises ATTN_IO. Safe from any thread, CPU and interrupt. */
void io_kick(struct vm *vm);

/**
 * Splits "word,word" in place of a longer text: copies the word at *at, up to the next comma, and moves *at behind
 * that. Returns its length, or -EINVAL if it does not fit in `size` bytes, or -ENOENT at the end of the text.
 */
int io_next_word(const char **at, char *word, size_t size);

/** Bytes in all of nr vectors. */
uint64_t io_vectors_size(const struct io_vector *v, unsigned nr);

/** Copies up to `size` bytes from (to) the vectors, beginning `skip` bytes into them; returns how many there were. */
size_t io_vectors_read(const struct io_vector *v, unsigned nr, uint64_t skip, void *buf, size_t size);
size_t io_vectors_write(const struct io_vector *v, unsigned nr, uint64_t skip, const void *buf, size_t size);

#endif
