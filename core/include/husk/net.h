/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Networks: the back ends that carry Ethernet frames, behind one interface for the devices that guests see.
 * Who may call what and when: io.h.
 */
#ifndef HUSK_NET_H
#define HUSK_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/io.h>

struct vm;
struct net;

#define NET_FRAME_MAX 1518u  /**< bytes of a frame without offload, with a VLAN tag, without FCS */
#define NET_LARGE_MAX 65550u /**< bytes of a frame that is to be segmented */

/**
 * What is still to be done with a frame: struct virtio_net_hdr_v1 (virtio 1.2, 5.1.6) as it is, so that it passes
 * unchanged between guest, TAP and real card. Little-endian. All zeroes: an ordinary, complete frame.
 */
struct net_header {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
	uint16_t num_buffers; /**< the front end's; 1 on transmission or 0, any value on receipt */
};

/** Kinds of offload. */
enum net_offload {
	NET_CHECKSUM =
		1u << 0,    /**< frames whose checksum is to be completed (sent), or need not be checked (received) */
	NET_TSO4 = 1u << 1, /**< TCP segments over IPv4 larger than the MTU */
	NET_TSO6 = 1u << 2, /**< the same over IPv6 */
	NET_ECN = 1u << 3,  /**< such segments with ECN bits */
};

/** What a back end does. No call waits for the network. */
struct net_ops {
	/**
	 * Sends a frame: takes all of it before it returns. The header asks for nothing beyond `transmit_offload`, which
	 * the front end sees to. Returns 0; -EAGAIN if there is no room: ATTN_IO is raised when there is, and until then
	 * the front end keeps the frame; -EINVAL if the frame is no frame, which is then dropped.
	 */
	int (*transmit)(struct net *n, const struct net_header *h, const struct io_vector *v, unsigned nr);
	/** Sends on its way what is held back for the sake of a batch: called after the last of several. */
	void (*commit)(struct net *n);
	/**
	 * Takes one frame that has arrived into nr vectors. Returns its size in bytes with *h set; -EAGAIN if there is
	 * none: ATTN_IO is raised when there is; -EMSGSIZE if it was too large, and dropped. Cheap if there is none.
	 * What is not taken waits in the host, which drops what is too much: that is the back pressure.
	 */
	int (*receive)(struct net *n, struct net_header *h, const struct io_vector *v, unsigned nr);
	/**
	 * Sets what received frames may ask for, a subset of receive_offload: when the driver in the guest has agreed, and
	 * to 0 at a reset. Frames that wait may be lost.
	 */
	void (*accept_offload)(struct net *n, uint32_t offload);
};

/** The rings of a card: frames to the guest, and from it. */
enum net_ring_number { NET_RING_RECEIVE, NET_RING_TRANSMIT, NET_RINGS };

/** A split virtqueue of the guest's driver (virtio 1.2, 2.7): host addresses of its areas, all of them in guest RAM. */
struct net_ring {
	const void *descriptors, *avail;
	void *used;
	uint16_t size; /**< buffers, a power of two */
	uint16_t next; /**< index of the next available buffer; all before it are used */
};

/**
 * What a back end does that can work on the driver's rings by itself, without the front end. While it has them, none of
 * net_ops but accept_offload() is called.
 */
struct net_ring_ops {
	/**
	 * Takes both rings, under these features (virtio 1.2, bits of 5.1.3 and 6) as agreed with the driver. Returns 0:
	 * the front end then kicks both, as they may have been filled before. Or a negative errno if it cannot, of which it
	 * has logged the first: the front end goes on by net_ops, from where `next` of each ring is then.
	 */
	int (*take)(struct net *n, uint64_t features, struct net_ring rings[NET_RINGS]);
	/** The driver has notified the device of buffers in a ring. */
	void (*kick)(struct net *n, enum net_ring_number ring);
	/** True once after buffers were used of which the driver wants to hear: ATTN_IO is raised then. */
	bool (*called)(struct net *n);
	/**
	 * Ends all work on the rings and sets `next` of each. What the driver has not been told of what was used is the
	 * front end's to tell. ATTN_IO is raised.
	 */
	void (*give_back)(struct net *n, struct net_ring rings[NET_RINGS]);
};

/** An open network. Embedded in the back end's own state; lives to the end of the run. */
struct net {
	const struct net_ops *ops;
	const struct net_ring_ops *rings; /**< NULL: the back end knows nothing of rings */
	const char *name;                 /**< what it is, for messages and the monitor: the spec it was opened by */
	uint32_t transmit_offload;        /**< enum net_offload: what frames from the guest may ask for */
	uint32_t receive_offload;         /**< enum net_offload: what accept_offload() takes */
	bool link;                        /**< it is up; ATTN_IO is raised when that changes */
	bool has_mac;
	uint8_t mac[6]; /**< if has_mac: the only address that the network sends frames to */
};

/** The four operations; see struct net_ops. */
static inline int net_transmit(struct net *n, const struct net_header *h, const struct io_vector *v, unsigned nr)
{
	return n->ops->transmit(n, h, v, nr);
}

static inline void net_commit(struct net *n)
{
	n->ops->commit(n);
}

static inline int net_receive(struct net *n, struct net_header *h, const struct io_vector *v, unsigned nr)
{
	return n->ops->receive(n, h, v, nr);
}

static inline void net_accept_offload(struct net *n, uint32_t offload)
{
	n->ops->accept_offload(n, offload);
}

/** A kind of back end. Constant for the life of the image. */
struct net_driver {
	const char *scheme; /**< the spec's first word, such as "tap" */
	const char *usage;  /**< what follows it, for messages, such as "INTERFACE" */
	/** As open() of struct block_driver. */
	int (*open)(struct vm *vm, const char *spec, const char *arguments, struct net **out);
};

/** Adds a kind of back end to the image, used as `HUSK_NET_DRIVER(tap) = { .scheme = "tap", ... };` */
#define HUSK_NET_DRIVER(id)                                                            \
	static const struct net_driver net_driver_##id;                                \
	static const struct net_driver *const net_driver_entry_##id                    \
		__attribute__((used, retain, section("husk_net"))) = &net_driver_##id; \
	static const struct net_driver net_driver_##id

/** Opens the network that a spec describes, such as "tap:tap0" or "stream:/run/passt.sock". As block_open(). */
int net_open(struct vm *vm, const char *spec, struct net **out);

#endif
