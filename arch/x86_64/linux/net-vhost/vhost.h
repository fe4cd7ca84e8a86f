/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings of a TAP network worked on by the kernel (linux/vhost.h). The kernel reads and writes guest memory by itself,
 * is woken by an eventfd for each ring, and tells of used buffers by one for both.
 */
#ifndef LINUX_NET_VHOST_H
#define LINUX_NET_VHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/linux/net-tap/tap.h"

/** State for one network; made at the first use, then kept. */
struct vhost {
	struct tap *tap;
	long error;            /**< the kernel's that its making ended with; 0: it works */
	const char *what;      /**< that failed */
	int device;            /**< /dev/vhost-net while the kernel has the rings, else -1 */
	int call;              /**< eventfd: buffers were used */
	int kick[NET_RINGS];   /**< eventfds: there are buffers */
	void *used[NET_RINGS]; /**< used areas of the rings */
	uint32_t called;       /**< 1: ATTN_IO was raised for `call`, and nobody has looked */
	uint64_t *written;     /**< the kernel's log of guest pages it has written, a bit each; NULL: none is kept */
};

/* setup.c */

/**
 * Gives a network its state, `t->vhost`, with eventfds and thread. Returns 0, or a negative kernel error with *what that
 * failed: then it is not tried again, as nothing gives back what a thread was to have.
 */
long vhost_prepare(struct tap *t, const char **what);

/**
 * Hands both rings to the kernel by an open `v->device`. Returns 0, or a negative kernel error with *what that failed and
 * `next` of the rings where the kernel has left them; the caller closes the device then.
 */
long vhost_hand_over(struct vhost *v, uint64_t features, struct net_ring rings[NET_RINGS], const char **what);

/** Ends the kernel's work on a ring. Returns the index of the next available buffer. */
uint16_t vhost_stop_ring(const struct vhost *v, unsigned n);

/*
 * calls.c: the kernel, as far as it is used here, so that tests can put a model in its place. Results are the kernel's:
 * negative ones are its errors (syscall.h). Calls that a signal interrupts are made again.
 */

/** Opens /dev/vhost-net. Returns its descriptor. */
long vhost_open(void);

/** ioctl() of a vhost device, VHOST_*. */
long vhost_ioctl(int device, unsigned long request, const void *argument);

/** Makes an eventfd; with `waits`, reading it blocks. Returns its descriptor. */
long vhost_event(bool waits);

/** Blocks until an eventfd is raised, and lowers it. Returns 0. */
long vhost_event_wait(int event);

/** Raises an eventfd, without blocking. */
void vhost_event_raise(int event);

/** Closes any descriptor. */
void vhost_close(int fd);

/** Switches the signal at each frame that arrives at a TAP interface (host_io_watch()) on or off. Returns 0. */
long vhost_tap_signals(int tap, bool on);

#endif
