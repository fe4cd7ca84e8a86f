/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings of TAP networks by the kernel: the front end's side. */
#include <errno.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/x86_64/linux/net-vhost/vhost.h"
#include "arch/x86_64/linux/syscall.h"

/* Says once for each network why the kernel does not do it; the guest may start as often as it likes. */
static int explain(struct tap *t, const char *what, long error)
{
	const char *name = t->net.name;

	if (t->explained)
		return -ENOTSUP;
	t->explained = true;
	if (what != NULL)
		log_warn(
			"network '%s': vhost-net cannot be used (%s: kernel error %ld); husk carries the frames itself",
			name, what, -error);
	else if (error == -LINUX_ENOENT || error == -LINUX_ENODEV || error == -LINUX_ENXIO)
		log_warn(
			"network '%s': there is no /dev/vhost-net (modprobe vhost_net); husk carries the frames itself",
			name);
	else if (error == -LINUX_EACCES || error == -LINUX_EPERM)
		log_warn("network '%s': no permission to open /dev/vhost-net, give it to this user; husk carries the "
			 "frames itself",
			 name);
	else
		log_warn("network '%s': /dev/vhost-net cannot be opened (kernel error %ld); husk carries the frames "
			 "itself",
			 name, -error);
	return -ENOTSUP;
}

/* The TAP interface is husk's own again: what has arrived meanwhile was told to nobody. */
static void resume_tap(struct tap *t)
{
	vhost_tap_signals(t->fd, true);
	t->empty = false;
	io_kick(t->vm);
}

static long begin(struct vhost *v, uint64_t features, struct net_ring rings[NET_RINGS], const char **what)
{
	long error;

	/* One from the time before would keep the thread from telling of the next. */
	__atomic_store_n(&v->called, 0, __ATOMIC_SEQ_CST);
	/* Each frame that the kernel takes would otherwise interrupt the guest's CPU. */
	*what = "fcntl of the interface";
	error = vhost_tap_signals(v->tap->fd, false);
	if (error >= 0)
		error = vhost_hand_over(v, features, rings, what);
	if (error < 0)
		resume_tap(v->tap);
	return error;
}

static int take(struct net *n, uint64_t features, struct net_ring rings[NET_RINGS])
{
	struct tap *t = (struct tap *)n;
	const char *what = NULL;
	long device = vhost_open(), error;

	if (device < 0)
		return explain(t, NULL, device);
	error = vhost_prepare(t, &what);
	if (error >= 0) {
		t->vhost->device = (int)device;
		error = begin(t->vhost, features, rings, &what);
	}
	if (error < 0) {
		vhost_close((int)device);
		return explain(t, what, error);
	}
	return 0;
}

static void kick(struct net *n, enum net_ring_number ring)
{
	vhost_event_raise(((struct tap *)n)->vhost->kick[ring]);
}

/* Tells the engine of those of 64 pages that the kernel has written since it was last asked. */
static void announce_pages(struct vhost *v, uint64_t word)
{
	uint64_t pages = 0;

	if (__atomic_load_n(&v->written[word], __ATOMIC_RELAXED) != 0)
		pages = __atomic_exchange_n(&v->written[word], 0, __ATOMIC_ACQ_REL);
	for (; pages != 0; pages &= pages - 1) {
		uint64_t page = word * 64 + (unsigned)__builtin_ctzll(pages);

		memory_announce_write(&v->tap->vm->memory, page << GUEST_PAGE_SHIFT, GUEST_PAGE_SIZE);
	}
}

/* The same for all of RAM, which may lie far apart. */
static void announce(struct vhost *v)
{
	const struct memory *m = &v->tap->vm->memory;

	for (unsigned i = 0; v->written != NULL && i < m->nr_ram; i++) {
		uint64_t first = m->ram[i].gpa >> GUEST_PAGE_SHIFT;
		uint64_t last = first + (m->ram[i].size >> GUEST_PAGE_SHIFT) - 1;

		for (uint64_t word = first / 64; word <= last / 64; word++)
			announce_pages(v, word);
	}
}

static bool called(struct net *n)
{
	struct vhost *v = ((struct tap *)n)->vhost;

	if (__atomic_exchange_n(&v->called, 0, __ATOMIC_SEQ_CST) == 0)
		return false;
	announce(v);
	return true;
}

static void give_back(struct net *n, struct net_ring rings[NET_RINGS])
{
	struct vhost *v = ((struct tap *)n)->vhost;

	for (unsigned i = 0; i < NET_RINGS; i++)
		rings[i].next = vhost_stop_ring(v, i);
	/* The kernel lets go of the memory and of the eventfds. A device has one owner in its life, so each start opens it. */
	vhost_close(v->device);
	v->device = -1;
	announce(v);
	resume_tap(v->tap);
}

const struct net_ring_ops tap_rings = { .take = take, .kick = kick, .called = called, .give_back = give_back };

HUSK_FEATURE(net_vhost) = {
	.name = "net-vhost",
	.purpose = "frames of TAP interfaces by the host's kernel",
	.level = FEATURE_DEVICE,
};
