/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/fuzz/virtio_guest.c tests/unit/virtio_driver.c tests/unit/fake_platform.c features/virtio/device.c */
/* sources: features/virtio/queue.c features/virtio-mmio/virtio_mmio.c features/virtio-rng/virtio_rng.c */
/* sources: core/memory.c core/io.c core/log.c core/timer.c */
/* The entropy device, with a source that fails at times. */
#include <errno.h>
#include <string.h>

#include "features/virtio-rng/virtio_rng.h"
#include "tests/fuzz/virtio_guest.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/virtio_driver.h"

#define RATE 4096u

static struct virtio_rng rng;

struct virtio_device *fuzz_make(void)
{
	memset(&rng, 0, sizeof(rng));
	fuzz_check(virtio_rng_init(&rng, &driver_vm.memory, &driver_vcpu, RATE) == 0);
	return &rng.virtio;
}

void fuzz_event(struct fuzz_input *in)
{
	fake_entropy_error = fuzz_byte(in) % 2 != 0 ? -ENODEV : 0;
}

/** Never more than the rate allows: one second's worth at once, and then as time goes on. */
void fuzz_poll(void)
{
	fuzz_check(rng.left <= RATE);
	fuzz_check(rng.bytes <= RATE + timer_ns_to_ticks(fake_now, RATE));
}

void fuzz_after_reset(void)
{
	fuzz_check(!rng.refill.armed);
}
