/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks in files: doing requests. Nothing here touches the front end's side. */
#include "arch/x86_64/linux/block-file/file.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <linux/falloc.h>
#include <linux/fs.h>

#include <husk/vm.h>

#include "arch/x86_64/linux/syscall.h"

/* Vectors for one system call. Offsets behind that many stay multiples of the disk's granularity with O_DIRECT. */
#define PIECES 64u

/* The vectors from `skip` bytes on, at most PIECES of them. Returns how many. */
static unsigned pieces_from(const struct block_request *r, uint64_t skip, struct io_vector pieces[PIECES])
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->nr_vectors && n < PIECES; i++) {
		const struct io_vector *v = &r->vectors[i];

		if (skip >= v->size) {
			skip -= v->size;
			continue;
		}
		pieces[n++] = (struct io_vector){ (char *)v->base + skip, v->size - (size_t)skip };
		skip = 0;
	}
	return n;
}

/* Moves as much as one system call does, from where the request stands. Returns bytes or a negative kernel error. */
static long move_some(const struct file_disk *d, const struct block_request *r, long flags)
{
	struct io_vector pieces[PIECES];
	unsigned n = pieces_from(r, r->work, pieces);
	uint64_t offset = r->offset + r->work;

	/* The kernel takes the offset as two halves, of which a 64-bit one needs the first only. */
	return linux_call6(r->op == BLOCK_READ ? __NR_preadv2 : __NR_pwritev2, d->fd, (long)pieces, n, (long)offset, 0,
			   flags);
}

bool file_try_read(struct file_disk *d, struct block_request *r)
{
	while (r->work < r->size) {
		long got = move_some(d, r, RWF_NOWAIT);

		/* A file system that cannot tell is not asked again. */
		if (got < 0 && got != -LINUX_EAGAIN && got != -LINUX_EINTR)
			d->try_first = false;
		if (got <= 0)
			return false;
		r->work += (uint64_t)got;
	}
	return true;
}

static bool is_aligned(const struct file_disk *d, const struct block_request *r)
{
	uintptr_t bits = 0;

	for (unsigned i = 0; i < r->nr_vectors; i++)
		bits |= (uintptr_t)r->vectors[i].base | r->vectors[i].size;
	return d->alignment == 0 || (bits & (d->alignment - 1)) == 0;
}

/* As move_some(), through memory that the file likes. */
static long move_bounced(const struct file_disk *d, const struct block_request *r, void *bounce)
{
	uint64_t left = r->size - r->work, offset = r->offset + r->work;
	size_t size = left < FILE_BOUNCE ? (size_t)left : FILE_BOUNCE;
	long got;

	if (r->op == BLOCK_WRITE) {
		io_vectors_read(r->vectors, r->nr_vectors, r->work, bounce, size);
		return linux_call4(__NR_pwrite64, d->fd, (long)bounce, (long)size, (long)offset);
	}
	got = linux_call4(__NR_pread64, d->fd, (long)bounce, (long)size, (long)offset);
	if (got > 0)
		io_vectors_write(r->vectors, r->nr_vectors, r->work, bounce, (size_t)got);
	return got;
}

static long move(const struct file_disk *d, struct block_request *r, void *bounce)
{
	bool aligned = is_aligned(d, r);

	while (r->work < r->size) {
		long got = aligned ? move_some(d, r, 0) : move_bounced(d, r, bounce);

		if (got == -LINUX_EINTR)
			continue;
		if (got < 0)
			return got;
		if (got == 0)
			return -LINUX_EIO; /* somebody has made the file shorter */
		r->work += (uint64_t)got;
	}
	return 0;
}

static long allocate(const struct file_disk *d, const struct block_request *r, long mode)
{
	long error;

	do
		error = linux_call4(__NR_fallocate, d->fd, mode, (long)r->offset, (long)r->size);
	while (error == -LINUX_EINTR);
	return error;
}

static bool is_unsupported(long error)
{
	return error == -LINUX_EOPNOTSUPP || error == -LINUX_ENODEV || error == -LINUX_ENOSYS;
}

static long write_zeroes(const struct file_disk *d, struct block_request *r, void *bounce)
{
	const long hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, zero = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	long error = allocate(d, r, r->may_unmap ? hole : zero);

	if (!is_unsupported(error))
		return error;
	memset(bounce, 0, FILE_BOUNCE);
	while (r->work < r->size) {
		uint64_t left = r->size - r->work;
		long done = linux_call4(__NR_pwrite64, d->fd, (long)bounce,
					(long)(left < FILE_BOUNCE ? left : FILE_BOUNCE), (long)(r->offset + r->work));

		if (done < 0 && done != -LINUX_EINTR)
			return done;
		if (done > 0)
			r->work += (uint64_t)done;
	}
	return 0;
}

static long discard(const struct file_disk *d, const struct block_request *r)
{
	long error = allocate(d, r, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);

	/* It is only advice. */
	return is_unsupported(error) ? 0 : error;
}

long file_perform(const struct file_disk *d, struct block_request *r, void *bounce)
{
	switch (r->op) {
	case BLOCK_READ:
	case BLOCK_WRITE: return move(d, r, bounce);
	case BLOCK_FLUSH: return linux_call3_retry(__NR_fdatasync, d->fd, 0, 0);
	case BLOCK_DISCARD: return discard(d, r);
	case BLOCK_WRITE_ZEROES: return write_zeroes(d, r, bounce);
	}
	return -LINUX_EINVAL;
}

/* Waits for a request. */
static struct block_request *next_request(struct file_disk *d)
{
	struct block_request *r;

	host_lock(&d->lock);
	while ((r = file_queue_take(&d->todo)) == NULL) {
		uint32_t work = __atomic_load_n(&d->work, __ATOMIC_ACQUIRE);

		d->idle++;
		host_unlock(&d->lock);
		host_futex_wait(&d->work, work);
		host_lock(&d->lock);
		d->idle--;
	}
	host_unlock(&d->lock);
	return r;
}

static void end_request(struct file_disk *d, struct block_request *r, long error)
{
	bool first;

	if (error < 0)
		r->result = error == -LINUX_ENOSPC || error == -LINUX_EDQUOT ? -ENOSPC : -EIO;
	host_lock(&d->lock);
	if (error < 0)
		d->error = error;
	first = d->ended.first == NULL;
	file_queue_add(&d->ended, r);
	host_unlock(&d->lock);
	__atomic_fetch_add(&d->ends, 1, __ATOMIC_SEQ_CST);
	/* Whoever found others there has told already, and they are taken all at once. */
	if (first)
		io_kick(d->vm);
	if (__atomic_load_n(&d->draining, __ATOMIC_SEQ_CST))
		host_futex_wake(&d->ends);
}

void file_worker(void *argument)
{
	const struct file_worker *w = argument;

	for (;;) {
		struct block_request *r = next_request(w->disk);

		end_request(w->disk, r, file_perform(w->disk, r, w->bounce));
	}
}
