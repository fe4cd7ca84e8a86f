/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Networks on a TAP interface (Documentation/networking/tuntap.rst). With IFF_VNET_HDR
 * each frame has struct net_header before it, as it is, in both directions.
 */
#include "arch/x86_64/linux/net-tap/tap.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <asm/fcntl.h>
#include <asm/ioctl.h>
#include <linux/ioctl.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/x86_64/linux/host.h"
#include "arch/x86_64/linux/syscall.h"

/* From the kernel's linux/if_tun.h and linux/if.h, whose headers want a C library. */
#define TUNSETIFF       _IOW('T', 202, int)
#define TUNSETOFFLOAD   _IOW('T', 208, unsigned int)
#define TUNSETVNETHDRSZ _IOW('T', 216, int)
#define TUNSETVNETLE    _IOW('T', 220, int)
#define IFF_TAP         0x0002
#define IFF_NO_PI       0x1000
#define IFF_VNET_HDR    0x4000
#define TUN_F_CSUM      0x01u
#define TUN_F_TSO4      0x02u
#define TUN_F_TSO6      0x04u
#define TUN_F_TSO_ECN   0x08u
#define NAME_SIZE       16u

/* struct ifreq, as far as TUNSETIFF looks at it. */
struct interface_request {
	char name[NAME_SIZE];
	short flags;
	char rest[22];
};

#define VECTORS 128u

/* NULL in an image where nothing works on rings. */
extern const struct net_ring_ops tap_rings __attribute__((weak));

/* The header and the frame as vectors for one system call. Returns how many. */
static unsigned gather(struct net_header *h, const struct io_vector *v, unsigned nr, struct io_vector out[VECTORS + 1])
{
	if (nr > VECTORS)
		nr = VECTORS;
	out[0] = (struct io_vector){ h, sizeof(*h) };
	memcpy(out + 1, v, nr * sizeof(*v));
	return nr + 1;
}

/* The interface may be deleted under way. */
static int lost(struct tap *t, long error)
{
	if (t->net.link && error == -LINUX_EBADFD) {
		t->net.link = false;
		log_error("network '%s': the interface is gone; the link is down", t->net.name);
		io_kick(t->vm);
	}
	return -EAGAIN;
}

static int refuse(struct tap *t, long error)
{
	if (!t->complained)
		log_warn("network '%s': the kernel refuses a frame of the guest (error %ld): dropped", t->net.name,
			 -error);
	t->complained = true;
	return -EINVAL;
}

static int transmit(struct net *n, const struct net_header *h, const struct io_vector *v, unsigned nr)
{
	struct tap *t = (struct tap *)n;
	struct net_header header = *h;
	struct io_vector vectors[VECTORS + 1];
	long done;

	if (nr > VECTORS)
		return refuse(t, -LINUX_EINVAL);
	header.num_buffers = 0;
	do
		done = linux_call3(__NR_writev, t->fd, (long)vectors, gather(&header, v, nr, vectors));
	while (done == -LINUX_EINTR);
	if (done >= 0 || done == -LINUX_EIO) /* EIO: the interface is down, and so the frame is lost */
		return 0;
	if (done == -LINUX_EAGAIN)
		return -EAGAIN;
	if (done == -LINUX_EBADFD) {
		lost(t, done);
		return 0;
	}
	return refuse(t, done);
}

static void commit(struct net *n)
{
	(void)n;
}

static int receive(struct net *n, struct net_header *h, const struct io_vector *v, unsigned nr)
{
	struct tap *t = (struct tap *)n;
	uint32_t events = host_io_events();
	struct io_vector vectors[VECTORS + 1];
	unsigned count;
	long got;

	if (t->empty && t->seen == events)
		return -EAGAIN;
	count = gather(h, v, nr, vectors);
	do
		got = linux_call3(__NR_readv, t->fd, (long)vectors, count);
	while (got == -LINUX_EINTR);
	t->empty = got == -LINUX_EAGAIN || got == -LINUX_EBADFD;
	t->seen = events;
	if (t->empty)
		return lost(t, got);
	/* A frame that does not fit is taken and dropped: the kernel says so, or gives its real size. */
	if (got < (long)sizeof(*h) || (uint64_t)got > io_vectors_size(vectors, count))
		return -EMSGSIZE;
	return (int)(got - (long)sizeof(*h));
}

static void accept_offload(struct net *n, uint32_t offload)
{
	const struct tap *t = (const struct tap *)n;
	unsigned long flags = 0;

	if ((offload & NET_CHECKSUM) != 0)
		flags = TUN_F_CSUM | ((offload & NET_TSO4) != 0 ? TUN_F_TSO4 : 0) |
			((offload & NET_TSO6) != 0 ? TUN_F_TSO6 : 0);
	/* The kernel takes ECN with segments only. */
	if ((flags & (TUN_F_TSO4 | TUN_F_TSO6)) != 0 && (offload & NET_ECN) != 0)
		flags |= TUN_F_TSO_ECN;
	linux_call3(__NR_ioctl, t->fd, TUNSETOFFLOAD, (long)flags);
}

static const struct net_ops ops = {
	.transmit = transmit, .commit = commit, .receive = receive, .accept_offload = accept_offload
};

static int explain(const char *spec, const char *name, long error)
{
	switch (-error) {
	case LINUX_ENOENT:
	case LINUX_ENODEV:
	case LINUX_ENXIO:
		log_error("network '%s': this system has no TAP; load the kernel's module tun (modprobe tun)", spec);
		return -ENODEV;
	case LINUX_EACCES:
		log_error("network '%s': no permission to open /dev/net/tun; give it to this user", spec);
		return -EACCES;
	case LINUX_EPERM:
		log_error("network '%s': no permission for the interface %s; have it made for this user: ip tuntap add "
			  "dev "
			  "%s mode tap user NAME",
			  spec, name, name);
		return -EACCES;
	case LINUX_EBUSY:
		log_error("network '%s': the interface %s is in use by another process; end that first", spec, name);
		return -EBUSY;
	case LINUX_EINVAL:
		log_error("network '%s': %s is no TAP interface without multiple queues; name another", spec, name);
		return -EINVAL;
	default:
		log_error("network '%s': the interface %s cannot be used (kernel error %ld)", spec, name, -error);
		return -EIO;
	}
}

/* Connects the file to the interface. Returns 0 or a negative kernel error. */
static long attach(int fd, const char *name)
{
	struct interface_request request = { .flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	const int header = sizeof(struct net_header), yes = 1;
	long error;

	strcpy(request.name, name);
	error = linux_call3(__NR_ioctl, fd, TUNSETIFF, (long)&request);
	if (error >= 0)
		error = linux_call3(__NR_ioctl, fd, TUNSETVNETHDRSZ, (long)&header);
	if (error >= 0)
		error = linux_call3(__NR_ioctl, fd, TUNSETVNETLE, (long)&yes);
	if (error >= 0)
		error = linux_call3(__NR_ioctl, fd, TUNSETOFFLOAD, 0);
	return error < 0 ? error : host_io_watch(fd);
}

static int open(struct vm *vm, const char *spec, const char *arguments, struct net **out)
{
	struct tap *t;
	long fd, error;

	if (arguments[0] == '\0' || strlen(arguments) >= NAME_SIZE || strchr(arguments, '/') != NULL) {
		log_error("network '%s': write tap:NAME, with the name of a TAP interface", spec);
		return -EINVAL;
	}
	fd = linux_call3_retry(__NR_open, (long)"/dev/net/tun", O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return explain(spec, arguments, fd);
	error = attach((int)fd, arguments);
	t = error == 0 ? plat_pages_alloc(sizeof(*t), 0) : NULL;
	if (t == NULL) {
		linux_call3(__NR_close, fd, 0, 0);
		return explain(spec, arguments, error != 0 ? error : -LINUX_ENOMEM);
	}
	t->fd = (int)fd;
	t->vm = vm;
	t->net = (struct net){ .ops = &ops,
			       .rings = &tap_rings,
			       .name = spec,
			       .transmit_offload = NET_CHECKSUM | NET_TSO4 | NET_TSO6 | NET_ECN,
			       .receive_offload = NET_CHECKSUM | NET_TSO4 | NET_TSO6 | NET_ECN,
			       .link = true };
	*out = &t->net;
	return 0;
}

HUSK_NET_DRIVER(tap) = { .scheme = "tap", .usage = "NAME", .open = open };

HUSK_FEATURE(net_tap) = {
	.name = "net-tap",
	.purpose = "networks on a TAP interface of the host",
	.level = FEATURE_DEVICE,
};
