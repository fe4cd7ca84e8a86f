/* SPDX-License-Identifier: BSD-2-Clause */
/* An open TAP interface, for features that have the kernel do more of its work. */
#ifndef LINUX_NET_TAP_H
#define LINUX_NET_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/net.h>

struct vm;
struct vhost;

/** The interface. */
struct tap {
	struct net net; /* first */
	struct vm *vm;
	int fd;
	uint32_t seen;       /**< host_io_events() when there was nothing to read */
	bool empty;          /**< there was nothing to read then */
	bool complained;     /**< a frame of the guest was refused */
	bool explained;      /**< why tap_rings cannot be used was logged */
	struct vhost *vhost; /**< state of tap_rings, which owns it; NULL until that is used */
};

/** What can work on the rings of a struct tap, in an image with a feature for that. */
extern const struct net_ring_ops tap_rings;

#endif
