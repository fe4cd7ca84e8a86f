/* SPDX-License-Identifier: BSD-2-Clause */
/* Handing rings to the kernel, in the order that linux/vhost.h wants. */
#include "arch/x86_64/linux/net-vhost/vhost.h"

#include <linux/vhost.h>

#include <husk/vm.h>

#include "arch/x86_64/linux/host.h"
#include "arch/x86_64/linux/syscall.h"

#define LOG_ALL ((uint64_t)1 << VHOST_F_LOG_ALL)

_Static_assert(VHOST_PAGE_SIZE == GUEST_PAGE_SIZE, "a bit of the kernel's log is a page of the guest");

/* The thread of a network. The kernel's eventfd has no SIGIO, so somebody has to wait for it. */
static void wait_for_calls(void *argument)
{
	struct vhost *v = argument;

	while (vhost_event_wait(v->call) == 0) {
		if (__atomic_exchange_n(&v->called, 1, __ATOMIC_SEQ_CST) == 0)
			io_kick(v->tap->vm);
	}
}

/* Memory for the kernel's log of its writes, if somebody wants to hear of them (memory_announce_write()). */
static bool make_log(struct vhost *v, const struct memory *m)
{
	const struct ram_region *last = &m->ram[m->nr_ram - 1];
	uint64_t pages = (last->gpa + last->size) >> GUEST_PAGE_SHIFT;

	if (m->code_written == NULL)
		return true;
	v->written = plat_pages_alloc((size_t)((pages + 63) / 64) * sizeof(v->written[0]), 0);
	return v->written != NULL;
}

static long make_events(struct vhost *v)
{
	int *const events[] = { &v->call, &v->kick[NET_RING_RECEIVE], &v->kick[NET_RING_TRANSMIT] };

	for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		long fd = vhost_event(i == 0);

		if (fd < 0) {
			while (i-- > 0)
				vhost_close(*events[i]);
			return fd;
		}
		*events[i] = (int)fd;
	}
	return 0;
}

static long make(struct vhost *v)
{
	long error;

	v->what = "memory";
	if (!make_log(v, &v->tap->vm->memory))
		return -LINUX_ENOMEM;
	v->what = "an eventfd";
	error = make_events(v);
	if (error < 0)
		return error;
	v->what = "a thread";
	error = host_thread_start(v->tap->net.name, wait_for_calls, v);
	if (error >= 0)
		return 0;
	vhost_close(v->call);
	for (unsigned i = 0; i < NET_RINGS; i++)
		vhost_close(v->kick[i]);
	return error;
}

long vhost_prepare(struct tap *t, const char **what)
{
	struct vhost *v = t->vhost;

	*what = "memory";
	if (v == NULL) {
		v = t->vhost = plat_pages_alloc(sizeof(*v), 0);
		if (v == NULL)
			return -LINUX_ENOMEM;
		v->tap = t;
		v->device = -1;
		v->error = make(v);
	}
	*what = v->what;
	return v->error;
}

/* Both sides have to agree on all of the features, and on the log if there is one. */
static long agree(const struct vhost *v, uint64_t features, const char **what)
{
	uint64_t known = 0;
	long error;

	features |= v->written != NULL ? LOG_ALL : 0;
	*what = "VHOST_GET_FEATURES";
	error = vhost_ioctl(v->device, VHOST_GET_FEATURES, &known);
	if (error < 0)
		return error;
	*what = "the features that the driver uses";
	if ((features & ~known) != 0)
		return -LINUX_EOPNOTSUPP;
	*what = "VHOST_SET_FEATURES";
	return vhost_ioctl(v->device, VHOST_SET_FEATURES, &features);
}

static long set_memory(const struct vhost *v, const char **what)
{
	const struct memory *m = &v->tap->vm->memory;
	union {
		struct vhost_memory head; /* its regions follow it */
		uint8_t room[sizeof(struct vhost_memory) + MEMORY_MAX_RAM * sizeof(struct vhost_memory_region)];
	} table = { .room = { 0 } };
	const uint64_t log = (uintptr_t)v->written;
	long error;

	table.head.nregions = m->nr_ram;
	for (unsigned i = 0; i < m->nr_ram; i++)
		table.head.regions[i] = (struct vhost_memory_region){ .guest_phys_addr = m->ram[i].gpa,
								      .memory_size = m->ram[i].size,
								      .userspace_addr = (uintptr_t)m->ram[i].hva };
	*what = "VHOST_SET_MEM_TABLE";
	error = vhost_ioctl(v->device, VHOST_SET_MEM_TABLE, &table);
	if (error < 0 || v->written == NULL)
		return error;
	*what = "VHOST_SET_LOG_BASE";
	return vhost_ioctl(v->device, VHOST_SET_LOG_BASE, &log);
}

static long set_ring(const struct vhost *v, unsigned n, const struct net_ring *r, const char **what)
{
	const struct vhost_vring_state size = { n, r->size }, base = { n, r->next };
	const struct vhost_vring_addr address = { .index = n,
						  .desc_user_addr = (uintptr_t)r->descriptors,
						  .avail_user_addr = (uintptr_t)r->avail,
						  .used_user_addr = (uintptr_t)r->used };
	const struct vhost_vring_file kick = { n, v->kick[n] }, call = { n, v->call };
	const struct {
		const char *name;
		unsigned long request;
		const void *argument;
	} steps[] = {
		{ "VHOST_SET_VRING_NUM", VHOST_SET_VRING_NUM, &size },
		{ "VHOST_SET_VRING_BASE", VHOST_SET_VRING_BASE, &base },
		{ "VHOST_SET_VRING_ADDR", VHOST_SET_VRING_ADDR, &address },
		{ "VHOST_SET_VRING_KICK", VHOST_SET_VRING_KICK, &kick },
		{ "VHOST_SET_VRING_CALL", VHOST_SET_VRING_CALL, &call },
	};
	long error = 0;

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]) && error >= 0; i++) {
		*what = steps[i].name;
		error = vhost_ioctl(v->device, steps[i].request, steps[i].argument);
	}
	return error;
}

static long set_backend(const struct vhost *v, unsigned n, int fd)
{
	const struct vhost_vring_file backend = { n, fd };

	return vhost_ioctl(v->device, VHOST_NET_SET_BACKEND, &backend);
}

uint16_t vhost_stop_ring(const struct vhost *v, unsigned n)
{
	struct vhost_vring_state base = { .index = n };
	const struct vring_used *used = v->used[n];

	set_backend(v, n, VHOST_FILE_UNBIND);
	if (vhost_ioctl(v->device, VHOST_GET_VRING_BASE, &base) >= 0)
		return (uint16_t)base.num;
	/* The same as long as the guest leaves it alone, who else only harms itself. */
	return __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
}

/* From here on the kernel works on them, and on all or none. */
static long start_rings(struct vhost *v, struct net_ring rings[NET_RINGS], const char **what)
{
	*what = "VHOST_NET_SET_BACKEND";
	for (unsigned n = 0; n < NET_RINGS; n++) {
		long error = set_backend(v, n, v->tap->fd);

		v->used[n] = rings[n].used;
		if (error >= 0)
			continue;
		while (n-- > 0)
			rings[n].next = vhost_stop_ring(v, n);
		return error;
	}
	return 0;
}

long vhost_hand_over(struct vhost *v, uint64_t features, struct net_ring rings[NET_RINGS], const char **what)
{
	long error;

	*what = "VHOST_SET_OWNER";
	error = vhost_ioctl(v->device, VHOST_SET_OWNER, NULL);
	if (error >= 0)
		error = agree(v, features, what);
	if (error >= 0)
		error = set_memory(v, what);
	for (unsigned n = 0; n < NET_RINGS && error >= 0; n++)
		error = set_ring(v, n, &rings[n], what);
	return error < 0 ? error : start_rings(v, rings, what);
}
