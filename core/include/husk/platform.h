/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a host gives to the core. Each host (arch/x86_64/pc, arch/x86_64/linux)
 * defines these symbols; the image links exactly one of them.
 *
 * Waking a CPU is done through its "attention word": bits set by interrupts,
 * signals or other CPUs, read by the engine at every branch. The host knows
 * these words and nothing else about vCPUs.
 */
#ifndef HUSK_PLATFORM_H
#define HUSK_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bits of an attention word. */
enum attention {
	ATTN_TIMER = 1u << 0,   /**< the deadline of this CPU passed */
	ATTN_CONSOLE = 1u << 1, /**< console input may be waiting */
	ATTN_IRQ = 1u << 2,     /**< a guest interrupt line or mask changed */
	ATTN_REQUEST = 1u << 3, /**< the VM was asked to stop, reset or report */
};

/** Exit status of the whole run; on host `linux` the process's, on `pc` see plat_exit(). */
enum husk_exit {
	HUSK_EXIT_OK = 0,      /**< the guest powered off, or the user quit */
	HUSK_EXIT_HOST = 1,    /**< the host lacks something: memory, a terminal, a CPU feature */
	HUSK_EXIT_PAYLOAD = 2, /**< the embedded guest cannot be loaded */
	HUSK_EXIT_GUEST = 3,   /**< the guest crashed and the diagnosis ended the run */
};

/** Short name of the host for messages: "pc" or "linux". */
extern const char plat_name[];

/**
 * Zeroed memory, readable and writable, aligned to `align` (a power of two, at
 * least 4096 is honoured). Owned by the caller until the end of the run: guests
 * live as long as the image, so there is no free.
 * Returns NULL if the host has not enough memory.
 */
void *plat_pages_alloc(size_t bytes, size_t align);

/** Bytes that plat_pages_alloc() can still give in total, for messages. */
uint64_t plat_pages_free(void);

/** Monotonic host time in nanoseconds since some fixed point; never goes back. Cheap: no trap where avoidable. */
uint64_t plat_time_ns(void);

/** Wall-clock time in nanoseconds since 1970-01-01 UTC, or 0 if the host cannot tell. */
uint64_t plat_wallclock_ns(void);

/**
 * Makes `attention` the word of the calling CPU: its deadline raises ATTN_TIMER
 * there, and console input raises ATTN_CONSOLE if this is the first CPU to bind.
 */
void plat_cpu_bind(uint32_t *attention);

/**
 * Arms the one deadline of the calling CPU, in plat_time_ns() time; replaces the
 * one before; UINT64_MAX disarms. A deadline in the past fires at once. It may be
 * lost before plat_cpu_bind(); the run loop arms it again.
 */
void plat_deadline_set(uint64_t deadline_ns);

/**
 * Idles the calling CPU while *attention is 0; returns at once if it is not. May return early. A bit set between the
 * caller's last look and this call is never slept through.
 */
void plat_wait(const uint32_t *attention);

/** Sets bits in a CPU's attention word and wakes it if it is in plat_wait(). Safe from any context. */
void plat_kick(uint32_t *attention, uint32_t bits);

/**
 * Takes up to `size` bytes of console input without waiting; returns how many, 0 if none. The console may leave input
 * for later, when no port has room; it then comes back by itself, so that input still waiting need not raise
 * ATTN_CONSOLE again and must not end plat_wait() over and over; neither must the end of input.
 */
size_t plat_console_read(void *buf, size_t size);

/** True once console input has ended for good (end of file on host `linux`). */
bool plat_console_eof(void);

/** Writes guest output to the console, all of it, in order. */
void plat_console_write(const void *buf, size_t size);

/**
 * Writes the hypervisor's own messages: standard error on `linux`, the console on `pc`. Lines end with \n; the host
 * makes it \r\n where the terminal needs that (raw mode, serial line) and leaves it alone in files and pipes.
 */
void plat_log_write(const void *buf, size_t size);

/** Command line given to the image by its loader (shell or boot loader), words separated by one blank; "" if none. */
const char *plat_command_line(void);

/**
 * Ends the run: restores the terminal (`linux`) or powers off (`pc`: ACPI S5 for
 * status 0, QEMU's isa-debug-exit otherwise, HLT forever where neither exists).
 */
_Noreturn void plat_exit(enum husk_exit status);

#endif
