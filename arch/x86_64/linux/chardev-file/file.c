/* SPDX-License-Identifier: BSD-2-Clause */
/* Consoles whose output is appended to a file. There is no input. */
#include <errno.h>

#include <asm/fcntl.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/linux/chardev/fd_chardev.h"
#include "arch/x86_64/linux/syscall.h"

#define NEW_FILE_MODE 0644

/* No room is left, or the file is a pipe that nobody reads. */
static void gone(struct fd_chardev *c)
{
	c->chardev.connected = false;
	log_error("console '%s': it cannot be written any more; what the guest prints is lost", c->chardev.name);
}

static size_t no_input(struct chardev *chardev, void *buf, size_t size)
{
	(void)chardev;
	(void)buf;
	(void)size;
	return 0;
}

static void poll(struct chardev *chardev)
{
	fd_chardev_flush((struct fd_chardev *)chardev);
}

static const struct chardev_ops ops = { .write = fd_chardev_write, .read = no_input, .poll = poll };

static int explain(const char *spec, const char *path, long error)
{
	switch (-error) {
	case LINUX_ENOENT:
		log_error("console '%s': there is no folder for %s; make it", spec, path[0] != '\0' ? path : "it");
		return -ENOENT;
	case LINUX_EACCES:
	case LINUX_EPERM:
	case LINUX_EROFS:
		log_error("console '%s': no permission to write %s; give it, or name another file", spec, path);
		return -EACCES;
	case LINUX_ENXIO:
		log_error("console '%s': %s is a pipe that nobody reads; start its reader first", spec, path);
		return -ENXIO;
	default: log_error("console '%s': cannot be opened (kernel error %ld)", spec, -error); return -EIO;
	}
}

static int open(struct vm *vm, const char *spec, const char *arguments, struct chardev **out)
{
	struct fd_chardev *c = plat_pages_alloc(sizeof(*c), 0);
	long fd;
	int rc;

	(void)vm;
	if (c == NULL) {
		log_error("console '%s': the host has no memory for it", spec);
		return -ENOMEM;
	}
	rc = fd_chardev_init(c, spec);
	if (rc != 0)
		return rc;
	fd = linux_call3_retry(__NR_open, (long)arguments,
			       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, NEW_FILE_MODE);
	if (fd < 0)
		return explain(spec, arguments, fd);
	c->chardev.ops = &ops;
	c->gone = gone;
	fd_chardev_connect(c, (int)fd);
	*out = &c->chardev;
	return 0;
}

HUSK_CHARDEV_DRIVER(file) = { .scheme = "file", .usage = "PATH", .open = open };

HUSK_FEATURE(chardev_file) = {
	.name = "chardev-file",
	.purpose = "consoles whose output goes to a file",
	.level = FEATURE_DEVICE,
};
