/* SPDX-License-Identifier: BSD-2-Clause */
/* See fake_vhost.h. */
#include "tests/unit/fake_vhost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/linux/host.h"
#include "arch/x86_64/linux/syscall.h"

#define DEVICE  20
#define EVENTS  8
#define HEADER  12u
#define EINVALS (-LINUX_EINVAL)

struct kernel kernel;

static struct {
	bool open, waits;
	uint64_t count;
} events[EVENTS]; /* descriptors from 0 on */
static bool device_open;
static struct {
	void (*fn)(void *);
	void *argument;
} threads[4];

static void forget_device(void)
{
	kernel.owned = false;
	kernel.features = 0;
	kernel.nr_regions = 0;
	kernel.log = NULL;
	for (unsigned n = 0; n < 2; n++)
		kernel.rings[n] = (struct kernel_ring){ .kick = -1, .call = -1, .backend = -1 };
}

void kernel_reset(void)
{
	memset(&kernel, 0, sizeof(kernel));
	memset(events, 0, sizeof(events));
	device_open = false;
	forget_device();
	kernel.signals = true;
	kernel.fail = "";
	kernel.error = 71;
	kernel.known = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX |
		       1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << 15 /* VIRTIO_NET_F_MRG_RXBUF */ |
		       1ull << VHOST_F_LOG_ALL | 1ull << VHOST_NET_F_VIRTIO_NET_HDR;
}

/* Writes a call down. Returns 0, or the error that it is to end with. */
static long note(const char *name, int ring, const char *rest)
{
	char text[32];

	if (ring >= 0)
		snprintf(text, sizeof(text), "%s%d%s", name, ring, rest);
	else
		snprintf(text, sizeof(text), "%s", name);
	if (strlen(kernel.calls) + strlen(text) + 2 > sizeof(kernel.calls))
		abort();
	strcat(strcat(kernel.calls, text), " ");
	return strcmp(kernel.fail, text) == 0 ? -kernel.error : 0;
}

/* Files and threads. */

long vhost_open(void)
{
	long error = note("OPEN", -1, "");

	if (error != 0)
		return error;
	if (device_open)
		abort();
	device_open = true;
	forget_device();
	return DEVICE;
}

long vhost_event(bool waits)
{
	char name[16];

	snprintf(name, sizeof(name), "EVENT%u", ++kernel.made);
	if (strcmp(kernel.fail, name) == 0)
		return -kernel.error;
	for (int fd = 0; fd < EVENTS; fd++) {
		if (!events[fd].open) {
			events[fd].open = true;
			events[fd].waits = waits;
			events[fd].count = 0;
			return fd;
		}
	}
	abort();
}

static bool is_event(int fd)
{
	return fd >= 0 && fd < EVENTS && events[fd].open;
}

/* Where a thread would wait, it ends, to be started again by the next kernel_run_threads(). */
long vhost_event_wait(int event)
{
	if (!is_event(event) || !events[event].waits)
		abort();
	if (events[event].count == 0)
		return -LINUX_EAGAIN;
	events[event].count = 0;
	return 0;
}

void vhost_event_raise(int event)
{
	if (!is_event(event))
		abort();
	events[event].count++;
}

uint64_t kernel_event(int fd)
{
	return is_event(fd) ? events[fd].count : 0;
}

void vhost_close(int fd)
{
	if (fd == DEVICE && device_open) {
		note("CLOSE", -1, "");
		device_open = false;
		forget_device();
	} else if (is_event(fd)) {
		events[fd].open = false;
	} else {
		abort();
	}
}

int kernel_open_files(void)
{
	int n = device_open;

	for (int fd = 0; fd < EVENTS; fd++)
		n += events[fd].open;
	return n;
}

long vhost_tap_signals(int tap, bool on)
{
	long error = note(on ? "SIGNALS_ON" : "SIGNALS_OFF", -1, "");

	if (tap != KERNEL_TAP)
		abort();
	if (error == 0)
		kernel.signals = on;
	return error;
}

long host_thread_start(const char *what, void (*fn)(void *), void *argument)
{
	(void)what;
	if (strcmp(kernel.fail, "THREAD") == 0)
		return -kernel.error;
	if (kernel.threads == sizeof(threads) / sizeof(threads[0]))
		abort();
	threads[kernel.threads].fn = fn;
	threads[kernel.threads].argument = argument;
	return ++kernel.threads;
}

void kernel_run_threads(void)
{
	for (unsigned i = 0; i < kernel.threads; i++)
		threads[i].fn(threads[i].argument);
}

/* Setting up. */

static long set_features(uint64_t features)
{
	if ((features & ~kernel.known) != 0)
		return -LINUX_EOPNOTSUPP;
	kernel.features = features;
	return 0;
}

static long set_memory(const struct vhost_memory *m)
{
	if (m->padding != 0 || m->nregions == 0 || m->nregions > MEMORY_MAX_RAM)
		return EINVALS;
	kernel.nr_regions = m->nregions;
	memcpy(kernel.regions, m->regions, m->nregions * sizeof(m->regions[0]));
	return 0;
}

/* True if a part of this process is memory of the guest. */
static bool is_guest(uint64_t hva, uint64_t size)
{
	for (unsigned i = 0; i < kernel.nr_regions; i++) {
		const struct vhost_memory_region *r = &kernel.regions[i];

		if (hva - r->userspace_addr < r->memory_size && size <= r->memory_size - (hva - r->userspace_addr))
			return true;
	}
	return false;
}

static long set_address(struct kernel_ring *r, const struct vhost_vring_addr *a)
{
	if (a->flags != 0)
		return -LINUX_EOPNOTSUPP;
	if (a->avail_user_addr % 2 != 0 || a->used_user_addr % 4 != 0 || a->desc_user_addr % 16 != 0)
		return EINVALS;
	r->address = *a;
	return 0;
}

static long set_backend(struct kernel_ring *r, int fd)
{
	const struct vhost_vring_addr *a = &r->address;

	if (fd == -1) {
		r->backend = -1;
		return 0;
	}
	if (fd != KERNEL_TAP)
		return EINVALS;
	if (!is_guest(a->desc_user_addr, r->num * sizeof(struct vring_desc)) ||
	    !is_guest(a->avail_user_addr, 4 + 2 * r->num) || !is_guest(a->used_user_addr, 4 + 8 * r->num) ||
	    r->num == 0 || !is_event(r->kick) || !is_event(r->call) ||
	    ((kernel.features >> VHOST_F_LOG_ALL & 1) != 0 && kernel.log == NULL))
		return -LINUX_EFAULT;
	r->backend = fd;
	if (kernel.arrives_early && r == &kernel.rings[0] && !kernel_receive("early", 5))
		abort();
	return 0;
}

static long set_number(struct kernel_ring *r, unsigned *field, unsigned value, unsigned limit)
{
	if (r->backend != -1)
		return -LINUX_EBUSY;
	if (value > limit)
		return EINVALS;
	*field = value;
	return 0;
}

static long set_event(struct kernel_ring *r, int *field, int fd, bool waits)
{
	(void)r;
	if (!is_event(fd) || events[fd].waits != waits)
		return EINVALS;
	*field = fd;
	return 0;
}

/* Calls about a ring: all of them begin with its number. */
static long ring_call(unsigned long request, const void *argument)
{
	const struct vhost_vring_state *s = argument;
	const struct vhost_vring_file *f = argument;
	unsigned n = s->index;
	struct kernel_ring *r = &kernel.rings[n];
	static const struct {
		unsigned long request;
		const char *name;
	} names[] = {
		{ VHOST_SET_VRING_NUM, "NUM" },       { VHOST_SET_VRING_BASE, "BASE" },
		{ VHOST_SET_VRING_ADDR, "ADDR" },     { VHOST_SET_VRING_KICK, "KICK" },
		{ VHOST_SET_VRING_CALL, "CALL" },     { VHOST_GET_VRING_BASE, "GET" },
		{ VHOST_NET_SET_BACKEND, "BACKEND" },
	};
	const char *name = NULL;
	long error;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].request == request)
			name = names[i].name;
	}
	if (name == NULL || n > 1)
		abort();
	error = note(name, (int)n, request == VHOST_NET_SET_BACKEND && f->fd == -1 ? "=-1" : "");
	if (error != 0)
		return error;
	switch (request) {
	case VHOST_SET_VRING_NUM: return set_number(r, &r->num, s->num, 0xffff);
	case VHOST_SET_VRING_BASE: return set_number(r, &r->base, s->num, 0xffff);
	case VHOST_SET_VRING_ADDR: return set_address(r, argument);
	case VHOST_SET_VRING_KICK: return set_event(r, &r->kick, f->fd, false);
	case VHOST_SET_VRING_CALL: return set_event(r, &r->call, f->fd, true);
	case VHOST_NET_SET_BACKEND: return set_backend(r, f->fd);
	default: ((struct vhost_vring_state *)(uintptr_t)argument)->num = r->base; return 0;
	}
}

static long device_call(unsigned long request, const void *argument)
{
	long error;

	switch (request) {
	case VHOST_GET_FEATURES:
		error = note("GET_FEATURES", -1, "");
		*(uint64_t *)(uintptr_t)argument = kernel.known;
		return error;
	case VHOST_SET_FEATURES:
		error = note("SET_FEATURES", -1, "");
		return error != 0 ? error : set_features(*(const uint64_t *)argument);
	case VHOST_SET_MEM_TABLE:
		error = note("SET_MEM_TABLE", -1, "");
		return error != 0 ? error : set_memory(argument);
	case VHOST_SET_LOG_BASE:
		error = note("SET_LOG_BASE", -1, "");
		kernel.log = (uint8_t *)(uintptr_t) * (const uint64_t *)argument;
		return error;
	default: return ring_call(request, argument);
	}
}

long vhost_ioctl(int device, unsigned long request, const void *argument)
{
	long error;

	if (device != DEVICE || !device_open)
		abort();
	if (request == VHOST_SET_OWNER) {
		error = note("SET_OWNER", -1, "");
		if (error == 0 && kernel.owned)
			error = -LINUX_EBUSY;
		kernel.owned = true;
		return error;
	}
	return kernel.owned ? device_call(request, argument) : -LINUX_EPERM;
}

/* Working on rings. */

static void *host_of(uint64_t gpa, uint64_t size)
{
	for (unsigned i = 0; i < kernel.nr_regions; i++) {
		const struct vhost_memory_region *r = &kernel.regions[i];

		if (gpa - r->guest_phys_addr < r->memory_size && size <= r->memory_size - (gpa - r->guest_phys_addr))
			return (void *)(uintptr_t)(r->userspace_addr + (gpa - r->guest_phys_addr));
	}
	abort();
}

static struct vring areas(const struct kernel_ring *r)
{
	return (struct vring){ .num = r->num,
			       .desc = (void *)(uintptr_t)r->address.desc_user_addr,
			       .avail = (void *)(uintptr_t)r->address.avail_user_addr,
			       .used = (void *)(uintptr_t)r->address.used_user_addr };
}

static bool has_buffer(const struct kernel_ring *r)
{
	return r->backend != -1 && areas(r).avail->idx != (uint16_t)r->base;
}

/* The next buffer, of one piece as all in these tests. */
static struct vring_desc next_buffer(const struct kernel_ring *r, uint16_t *head)
{
	struct vring v = areas(r);

	*head = v.avail->ring[r->base % v.num];
	return v.desc[*head];
}

static void use(struct kernel_ring *r, uint16_t head, uint32_t written)
{
	struct vring v = areas(r);
	uint16_t old = v.used->idx;
	bool wanted;

	v.used->ring[old % v.num] = (struct vring_used_elem){ .id = head, .len = written };
	v.used->idx = (uint16_t)(old + 1);
	r->base = (uint16_t)(r->base + 1);
	if ((kernel.features >> VIRTIO_RING_F_EVENT_IDX & 1) != 0)
		wanted = vring_need_event(v.avail->ring[v.num], v.used->idx, old);
	else
		wanted = (v.avail->flags & VRING_AVAIL_F_NO_INTERRUPT) == 0;
	if (wanted)
		events[r->call].count++;
}

unsigned kernel_work(void)
{
	struct kernel_ring *r = &kernel.rings[1];
	unsigned n = 0;
	uint16_t head;

	if (!is_event(r->kick) || events[r->kick].count == 0)
		return 0;
	events[r->kick].count = 0;
	for (; has_buffer(r); n++) {
		struct vring_desc d = next_buffer(r, &head);

		if ((d.flags & VRING_DESC_F_WRITE) != 0 || d.len > sizeof(kernel.sent))
			abort();
		kernel.sent_size = d.len;
		memcpy(kernel.sent, host_of(d.addr, d.len), d.len);
		use(r, head, 0);
	}
	return n;
}

bool kernel_receive(const void *frame, size_t size)
{
	struct kernel_ring *r = &kernel.rings[0];
	uint16_t head;
	struct vring_desc d;
	uint8_t *to;

	if (!has_buffer(r))
		return false;
	d = next_buffer(r, &head);
	if ((d.flags & VRING_DESC_F_WRITE) == 0 || d.len < HEADER + size)
		abort();
	to = host_of(d.addr, HEADER + size);
	memset(to, 0, HEADER);
	to[10] = 1; /* num_buffers */
	memcpy(to + HEADER, frame, size);
	if ((kernel.features >> VHOST_F_LOG_ALL & 1) != 0) {
		for (uint64_t p = d.addr / VHOST_PAGE_SIZE; p <= (d.addr + HEADER + size - 1) / VHOST_PAGE_SIZE; p++)
			kernel.log[p / 8] |= (uint8_t)(1u << p % 8);
	}
	use(r, head, (uint32_t)(HEADER + size));
	return true;
}
