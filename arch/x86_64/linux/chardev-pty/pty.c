/* SPDX-License-Identifier: BSD-2-Clause */
/* Consoles on a pseudo-terminal of their own (pty(7)), for terminal programs. Programs may come and go. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/termbits.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/linux/chardev/fd_chardev.h"
#include "arch/x86_64/linux/host.h"
#include "arch/x86_64/linux/syscall.h"

#define MULTIPLEXER "/dev/ptmx"

/* True while a program has the terminal open: otherwise the master end hangs up. */
static bool is_open(const struct fd_chardev *p)
{
	struct pollfd fd = { .fd = p->fd, .events = 0 };

	return linux_call3_retry(__NR_poll, (long)&fd, 1, 0) >= 0 && (fd.revents & POLLHUP) == 0;
}

static void gone(struct fd_chardev *c)
{
	c->chardev.connected = false;
}

/*
 * Nothing tells of a program that opens the terminal, so it is looked at when there is output or input. What a program
 * has written before it closed the terminal can be read still.
 */
static void look(struct fd_chardev *p)
{
	bool open = is_open(p);

	if (open && !p->chardev.connected)
		fd_chardev_connect(p, p->fd);
	p->chardev.connected = open;
}

static void poll(struct chardev *chardev)
{
	look((struct fd_chardev *)chardev);
	fd_chardev_flush((struct fd_chardev *)chardev);
}

static void write(struct chardev *chardev, const void *data, size_t size)
{
	look((struct fd_chardev *)chardev);
	fd_chardev_write(chardev, data, size);
}

static const struct chardev_ops ops = { .write = write, .read = fd_chardev_read, .poll = poll };

/* Every byte as it comes: what the guest prints is not changed, and what is typed not echoed, before a program has it. */
static long make_raw(int fd)
{
	struct termios t;
	long error = linux_call3(__NR_ioctl, fd, TCGETS, (long)&t);

	if (error < 0)
		return error;
	t.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	t.c_oflag &= ~(tcflag_t)OPOST;
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	return linux_call3(__NR_ioctl, fd, TCSETS, (long)&t);
}

/* A master end hangs up when the terminal is closed, not before it was opened: here it is both. */
static long open_once(int master)
{
	long fd = linux_call3(__NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? fd : linux_call3(__NR_close, fd, 0, 0);
}

/* Opens a new terminal. Returns the descriptor of its master end, or a negative kernel error; *number names it. */
static long open_master(int *number)
{
	const int unlocked = 0;
	long fd = linux_call3_retry(__NR_open, (long)MULTIPLEXER, O_RDWR | O_NOCTTY | O_CLOEXEC, 0), error;

	if (fd < 0)
		return fd;
	error = linux_call3(__NR_ioctl, fd, TIOCSPTLCK, (long)&unlocked);
	if (error >= 0)
		error = linux_call3(__NR_ioctl, fd, TIOCGPTN, (long)number);
	if (error >= 0)
		error = make_raw((int)fd);
	if (error >= 0)
		error = open_once((int)fd);
	if (error >= 0)
		error = host_io_watch((int)fd);
	if (error >= 0)
		return fd;
	linux_call3(__NR_close, fd, 0, 0);
	return error;
}

/* Makes the link that the user wants, in place of that of an earlier run. Returns 0 or -EIO after logging. */
static int make_link(const char *spec, const char *path, const char *terminal)
{
	char old[16];
	long error;

	if (path[0] == '\0')
		return 0;
	if (linux_call3(__NR_readlink, (long)path, (long)old, sizeof(old)) > 0)
		linux_call3(__NR_unlink, (long)path, 0, 0);
	error = linux_call3(__NR_symlink, (long)terminal, (long)path, 0);
	if (error >= 0)
		return 0;
	log_error("console '%s': the link %s cannot be made (kernel error %ld); name a path that is free", spec, path,
		  -error);
	return -EIO;
}

static int open(struct vm *vm, const char *spec, const char *arguments, struct chardev **out)
{
	struct fd_chardev *p = plat_pages_alloc(sizeof(*p), 0);
	char terminal[24];
	int number, rc;
	long fd;

	(void)vm;
	if (p == NULL) {
		log_error("console '%s': the host has no memory for it", spec);
		return -ENOMEM;
	}
	rc = fd_chardev_init(p, spec);
	if (rc != 0)
		return rc;
	fd = open_master(&number);
	if (fd < 0) {
		log_error("console '%s': the system gives no pseudo-terminal (kernel error %ld); see that there is %s",
			  spec, -fd, MULTIPLEXER);
		return -ENODEV;
	}
	snprintf(terminal, sizeof(terminal), "/dev/pts/%d", number);
	rc = make_link(spec, arguments, terminal);
	if (rc != 0) {
		linux_call3(__NR_close, fd, 0, 0);
		return rc;
	}
	log_info("console '%s': it is %s", spec, terminal);
	p->fd = (int)fd;
	p->chardev.ops = &ops;
	p->gone = gone;
	*out = &p->chardev;
	return 0;
}

HUSK_CHARDEV_DRIVER(pty) = { .scheme = "pty", .usage = "[PATH of a link to it]", .open = open };

HUSK_FEATURE(chardev_pty) = {
	.name = "chardev-pty",
	.purpose = "consoles on a pseudo-terminal",
	.level = FEATURE_DEVICE,
};
