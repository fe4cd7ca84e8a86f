/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks in files: the front end's side. */
#include "arch/x86_64/linux/block-file/file.h"

#include <errno.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/x86_64/linux/syscall.h"

void file_queue_add(struct file_queue *q, struct block_request *r)
{
	r->next = NULL;
	if (q->end == NULL || q->first == NULL)
		q->end = &q->first;
	*q->end = r;
	q->end = &r->next;
}

struct block_request *file_queue_take(struct file_queue *q)
{
	struct block_request *r = q->first;

	if (r != NULL)
		q->first = r->next;
	return r;
}

static void submit(struct block *b, struct block_request *r)
{
	struct file_disk *d = (struct file_disk *)b;

	r->work = 0;
	r->result = 0;
	d->in_flight++;
	file_queue_add(&d->batch, r);
}

/* Starts threads until there is one for each new request or there are enough. */
static void start_workers(struct file_disk *d, unsigned count)
{
	while (count-- > 0 && d->nr_workers < FILE_WORKERS) {
		struct file_worker *w = &d->workers[d->nr_workers];

		w->disk = d;
		w->bounce = plat_pages_alloc(FILE_BOUNCE, 0);
		if (w->bounce != NULL && host_thread_start(d->block.name, file_worker, w) >= 0)
			d->nr_workers++;
		else if (d->nr_workers != 0)
			return;
		else {
			log_error("disk '%s': no thread can be started for it; no request would ever end",
				  d->block.name);
			plat_exit(HUSK_EXIT_HOST);
		}
	}
}

static void commit(struct block *b)
{
	struct file_disk *d = (struct file_disk *)b;
	struct file_queue slow = { .first = NULL }, quick = { .first = NULL };
	unsigned work = 0, idle;
	struct block_request *r;

	while ((r = file_queue_take(&d->batch)) != NULL) {
		bool ended = r->op == BLOCK_READ && d->try_first && file_try_read(d, r);

		file_queue_add(ended ? &quick : &slow, r);
		work += !ended;
	}
	if (quick.first == NULL && slow.first == NULL)
		return;
	host_lock(&d->lock);
	if (quick.first != NULL)
		io_kick(d->vm);
	while ((r = file_queue_take(&quick)) != NULL)
		file_queue_add(&d->ended, r);
	while ((r = file_queue_take(&slow)) != NULL)
		file_queue_add(&d->todo, r);
	idle = d->idle;
	d->work += work != 0;
	host_unlock(&d->lock);
	if (work != 0 && idle != 0)
		host_futex_wake(&d->work);
	if (work > idle)
		start_workers(d, work - idle);
}

/* Says once what is wrong with the file. */
static void complain(struct file_disk *d)
{
	if (!d->complained)
		log_error("disk '%s': the kernel reports error %ld%s; the guest is told so", d->block.name, -d->error,
			  d->error == -LINUX_ENOSPC ? " (no space left: free some)" : "");
	d->complained = true;
}

static void poll(struct block *b)
{
	struct file_disk *d = (struct file_disk *)b;
	struct file_queue ended;
	struct block_request *r;

	if (d->in_flight == 0)
		return;
	host_lock(&d->lock);
	ended = d->ended;
	d->ended.first = NULL;
	host_unlock(&d->lock);
	while ((r = file_queue_take(&ended)) != NULL) {
		d->in_flight--;
		if (r->result != 0)
			complain(d);
		r->done(r);
	}
}

static void drain(struct block *b)
{
	struct file_disk *d = (struct file_disk *)b;

	commit(b);
	__atomic_store_n(&d->draining, true, __ATOMIC_SEQ_CST);
	for (;;) {
		uint32_t ends = __atomic_load_n(&d->ends, __ATOMIC_SEQ_CST);

		poll(b);
		if (d->in_flight == 0)
			break;
		host_futex_wait(&d->ends, ends);
	}
	__atomic_store_n(&d->draining, false, __ATOMIC_RELAXED);
}

static const struct block_ops ops = { .submit = submit, .commit = commit, .poll = poll, .drain = drain };

static int open(struct vm *vm, const char *spec, const char *arguments, struct block **out)
{
	struct file_disk *d = plat_pages_alloc(sizeof(*d), 0);
	int rc;

	if (d == NULL) {
		log_error("disk '%s': the host has no memory for it", spec);
		return -ENOMEM;
	}
	rc = file_open(d, spec, arguments);
	if (rc != 0)
		return rc;
	d->vm = vm;
	d->block.ops = &ops;
	d->block.name = spec;
	d->block.flush = d->block.discard = d->block.write_zeroes = true;
	d->try_first = d->alignment == 0;
	*out = &d->block;
	return 0;
}

HUSK_BLOCK_DRIVER(file) = {
	.scheme = "file",
	.usage = "PATH[,readonly][,direct]",
	.open = open,
};

HUSK_FEATURE(block_file) = {
	.name = "block-file",
	.purpose = "disks in files and on block devices of the host",
	.level = FEATURE_DEVICE,
};
