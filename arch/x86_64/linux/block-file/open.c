/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks in files: opening one, and saying what is in the way. */
#include "arch/x86_64/linux/block-file/file.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <asm/fcntl.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include <husk/log.h>

#include "arch/x86_64/linux/syscall.h"

#define PATH_SIZE 448u
#define PAGE      4096u

/* From the kernel's linux/stat.h, which hides them beside a C library. */
#define TYPE_MASK  0170000u
#define TYPE_FILE  0100000u
#define TYPE_BLOCK 0060000u

/* What a spec says. */
struct wish {
	const char *spec; /* all of it, for messages */
	char path[PATH_SIZE];
	bool read_only, direct;
};

static int parse(const char *arguments, struct wish *w)
{
	const char *at = arguments;
	char word[16];
	int length = io_next_word(&at, w->path, sizeof(w->path));

	if (length <= 0) {
		log_error("disk '%s': %s; write file:PATH[,readonly][,direct]", w->spec,
			  length == -EINVAL ? "the path is too long" : "there is no path");
		return -EINVAL;
	}
	while ((length = io_next_word(&at, word, sizeof(word))) != -ENOENT) {
		if (length > 0 && strcmp(word, "readonly") == 0)
			w->read_only = true;
		else if (length > 0 && strcmp(word, "direct") == 0)
			w->direct = true;
		else {
			log_error("disk '%s': what follows the path is not known; there are ',readonly' and ',direct'",
				  w->spec);
			return -EINVAL;
		}
	}
	return 0;
}

/* Explains the kernel's error in opening the file. */
static int explain(const struct wish *w, long error)
{
	switch (-error) {
	case LINUX_ENOENT:
		log_error("disk '%s': there is no file %s; make one with: truncate -s 4G %s", w->spec, w->path,
			  w->path);
		return -ENOENT;
	case LINUX_EACCES:
	case LINUX_EPERM:
	case LINUX_EROFS:
		log_error("disk '%s': no permission to %s %s; give it%s", w->spec, w->read_only ? "read" : "write",
			  w->path, w->read_only ? "" : ", or add ',readonly'");
		return -EACCES;
	case LINUX_EBUSY:
		log_error("disk '%s': %s is in use, perhaps mounted; unmount it, or add ',readonly'", w->spec, w->path);
		return -EBUSY;
	case LINUX_EINVAL:
		if (w->direct) {
			log_error("disk '%s': the file system of %s has no O_DIRECT; leave out ',direct'", w->spec,
				  w->path);
			return -ENOTSUP;
		}
		break;
	default: break;
	}
	log_error("disk '%s': %s cannot be opened (kernel error %ld)", w->spec, w->path, -error);
	return -EIO;
}

/* Opens the file. Returns its descriptor or a negative errno. */
static int open_path(const struct wish *w)
{
	long flags = O_CLOEXEC | (w->read_only ? O_RDONLY : O_RDWR) | (w->direct ? O_DIRECT : 0);
	struct statx st = { .stx_mode = 0 };
	unsigned type;
	long fd = linux_call6(__NR_statx, AT_FDCWD, (long)w->path, 0, STATX_TYPE, (long)&st, 0);

	type = st.stx_mode & TYPE_MASK;
	if (fd == 0 && type != TYPE_FILE && type != TYPE_BLOCK) {
		log_error("disk '%s': %s is neither a file nor a block device; name one", w->spec, w->path);
		return -EINVAL;
	}
	/* A block device that is mounted or otherwise taken is not opened then. */
	if (type == TYPE_BLOCK && !w->read_only)
		flags |= O_EXCL;
	if (fd == 0)
		fd = linux_call3_retry(__NR_open, (long)w->path, flags, 0);
	return fd < 0 ? explain(w, fd) : (int)fd;
}

/* Keeps other writers out, or, for readers, all writers. Goes with the descriptor. */
static int lock(const struct wish *w, int fd)
{
	struct flock whole = { .l_type = w->read_only ? F_RDLCK : F_WRLCK };
	long error = linux_call3(__NR_fcntl, fd, F_OFD_SETLK, (long)&whole);

	if (error == -LINUX_EAGAIN || error == -LINUX_EACCES) {
		log_error("disk '%s': %s is in use by another process or another disk of this guest; end that first",
			  w->spec, w->path);
		return -EBUSY;
	}
	if (error < 0)
		log_warn("disk '%s': %s cannot be locked (kernel error %ld); see that nobody else writes it", w->spec,
			 w->path, -error);
	return 0;
}

static bool can_read_at(int fd, char *memory, unsigned unit)
{
	return linux_call4(__NR_pread64, fd, (long)(memory + unit), unit, unit) >= 0;
}

/* What O_DIRECT wants offsets, sizes and addresses to be multiples of: the file is asked. 0 if nothing will do. */
static uint32_t probe_alignment(int fd)
{
	static char memory[3 * PAGE];
	char *page = memory + (-(uintptr_t)memory & (PAGE - 1));

	for (unsigned unit = BLOCK_SECTOR; unit <= PAGE; unit *= 2) {
		if (can_read_at(fd, page, unit))
			return unit;
	}
	return 0;
}

static int measure(struct file_disk *d, const struct wish *w)
{
	long size = linux_call3(__NR_lseek, d->fd, 0, 2 /* SEEK_END */);

	d->block.granularity = BLOCK_SECTOR;
	if (w->direct) {
		d->alignment = probe_alignment(d->fd);
		if (d->alignment == 0)
			return explain(w, -LINUX_EINVAL);
		d->block.granularity = d->alignment;
	}
	if (size <= 0 || ((uint64_t)size & (d->block.granularity - 1)) != 0) {
		log_error("disk '%s': %s has a wrong size, %ld bytes; make it a multiple of %u: truncate -s %%%u %s",
			  w->spec, w->path, size, (unsigned)d->block.granularity, (unsigned)d->block.granularity,
			  w->path);
		return -EINVAL;
	}
	d->block.size = (uint64_t)size;
	return 0;
}

int file_open(struct file_disk *d, const char *spec, const char *arguments)
{
	struct wish w = { .spec = spec };
	int rc = parse(arguments, &w);

	if (rc != 0)
		return rc;
	d->fd = open_path(&w);
	if (d->fd < 0)
		return d->fd;
	d->block.read_only = w.read_only;
	rc = lock(&w, d->fd);
	if (rc == 0)
		rc = measure(d, &w);
	if (rc != 0)
		linux_call3(__NR_close, d->fd, 0, 0);
	return rc;
}
