/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that does anything to a virtio device, for the fuzzers of the devices. An input is a list of steps, each a
 * letter and its arguments: registers of any width, rings, buffers, resets, time, and events of the device's own.
 */
#ifndef TESTS_VIRTIO_GUEST_H
#define TESTS_VIRTIO_GUEST_H

#include <stddef.h>
#include <stdint.h>

#include "features/virtio/virtio.h"

/** What is left of the input. */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

/** The next byte of the input, 0 behind its end; the next two, low byte first. */
uint8_t fuzz_byte(struct fuzz_input *in);
uint16_t fuzz_word(struct fuzz_input *in);

/** Ends the fuzzer with a crash if a condition does not hold. */
void fuzz_check(bool condition);

/** Ends it if vectors reach beyond guest memory. */
void fuzz_check_vectors(const struct io_vector *v, unsigned nr);

/* A target defines: */

/** A new device, prepared for driver_vm.memory. */
struct virtio_device *fuzz_make(void);

/** Something happens on the host's side. */
void fuzz_event(struct fuzz_input *in);

/** The run loop comes by. */
void fuzz_poll(void);

/** The device has been reset: checks that nothing is left over. */
void fuzz_after_reset(void);

#endif
