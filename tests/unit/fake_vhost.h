/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A model of the kernel's vhost-net (linux/vhost.h) for unit tests, in place of net-vhost/calls.c: it takes calls in the
 * order that the kernel does and no other, and works on rings when it is told to.
 */
#ifndef TESTS_FAKE_VHOST_H
#define TESTS_FAKE_VHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/vhost.h>

#include <husk/memory.h>

#include "arch/x86_64/linux/net-vhost/vhost.h"

#define KERNEL_TAP 77 /**< the only descriptor that is an interface */

/** A ring as the kernel knows it. */
struct kernel_ring {
	unsigned num, base;
	struct vhost_vring_addr address;
	int kick, call, backend; /**< -1: none */
};

/** The model's state. */
struct kernel {
	char calls[1024];   /**< names of the calls so far, a blank behind each */
	const char *fail;   /**< call that fails */
	long error;         /**< with this, 71 after kernel_reset() */
	uint64_t known;     /**< features that it has */
	bool arrives_early; /**< a frame arrives as soon as there is a ring for it */

	bool owned, signals;
	uint64_t features;
	unsigned nr_regions;
	struct vhost_memory_region regions[MEMORY_MAX_RAM];
	uint8_t *log;
	struct kernel_ring rings[2];
	unsigned threads, made; /**< threads and eventfds so far */
	uint8_t sent[2048];     /**< the last frame that was sent, with its header */
	size_t sent_size;
};

extern struct kernel kernel;

/** A kernel without open files. */
void kernel_reset(void);

/** Count of an eventfd. */
uint64_t kernel_event(int fd);

/** Files that are open. */
int kernel_open_files(void);

/** Lets all threads run until they wait. */
void kernel_run_threads(void);

/** Sends what is to be sent, if the kernel was told that there is something. Returns the number of frames. */
unsigned kernel_work(void);

/** A frame arrives. Returns false if there is no buffer for it. */
bool kernel_receive(const void *frame, size_t size);

#endif
