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
	ATTN_DEBUG = 1u << 4,   /**< the debugger has something to say, or the guest reached what it waits for */
	ATTN_IO = 1u << 5,      /**< a disk or network has something for its front end (io.h) */
	ATTN_STOP = 1u << 6, /**< another CPU waits for this one to leave guest code (smp.h), or to look at its vCPUs */
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

/**
 * Memory for the RAM of a guest: as from plat_pages_alloc(), but it may hold anything, as the RAM of a computer that is
 * switched on. Clearing it takes a large part of a start, and guests do not count on it.
 */
void *plat_ram_alloc(size_t bytes, size_t align);

/** Bytes that plat_pages_alloc() can still give in total, for messages. */
uint64_t plat_pages_free(void);

/** Memory for code made at run time, seen twice: what is stored through one view runs through the other. */
struct plat_code {
	uint8_t *write;         /**< readable and writable, never executable */
	const uint8_t *execute; /**< the same bytes, readable and executable, never writable */
	size_t size;            /**< bytes in each view: what was asked for, rounded up to whole pages */
};

/**
 * Zeroed memory for code, page aligned (2 MiB aligned and in large pages, where the host has them, from 2 MiB on), with
 * no access right before the first and after the last byte of `write`. Owned by the caller until the end of the run:
 * there is no free. Not for use by several CPUs at once.
 *
 * All of `execute` lies below 2 GiB, as do the code and the data of the image itself. So any place in it reaches any
 * other, and all of the image, by a 32-bit displacement, relative or absolute, and is named by 32 bits of which the
 * highest is 0. Every address of `write` is reached by an absolute 32-bit displacement, which x86 sign-extends.
 *
 * Code runs in the host's own mode and may be interrupted after any instruction: the stack pointer is always that of
 * the stack it was entered on, with nothing kept below it (no red zone), and a multiple of 16 at calls of C functions;
 * segment bases stay as they are. Nothing beyond SSE may be used before the host was asked for it (CPUID, XCR0).
 *
 * On x86 no cache needs a flush: instruction fetch follows stores of its own CPU, whatever address they used, and code
 * that is stored before it is first reached simply runs. Only instructions already fetched when they are replaced may
 * run once more as they were, until the next serializing instruction or interrupt return (Intel SDM vol. 3A, 8.1.3 and
 * 11.6): where that may not be, let changed code be reached through a pointer or a flag that changes with it.
 *
 * Returns 0, -ENOMEM if there is not so much memory in reach (nothing is logged: a smaller piece may do), or -ENOSYS,
 * with a line in the log, if the host allows no code made at run time. *out is set only with 0.
 */
int plat_code_alloc(size_t bytes, struct plat_code *out);

/** Monotonic host time in nanoseconds since some fixed point; never goes back. Cheap: no trap where avoidable. */
uint64_t plat_time_ns(void);

/** How the CPU's own counter tells plat_time_ns(), for guests that read it themselves. */
struct plat_time_scale {
	uint64_t zero;        /**< count at which plat_time_ns() is 0 */
	uint64_t ns_per_tick; /**< nanoseconds per count, 32.32 bits fixed point */
};

/**
 * Says how to compute the time from the counter that code on this CPU reads without a trap (x86: TSC):
 * plat_time_ns() == (counter - zero) * ns_per_tick >> 32, exactly and on all CPUs, for the whole run. Returns false, and
 * does not set *out, if the host has no such counter or computes its time from another one.
 */
bool plat_time_scale(struct plat_time_scale *out);

/** That counter now; 0 on a host that has none. */
uint64_t plat_counter(void);

/** Wall-clock time in nanoseconds since 1970-01-01 UTC, or 0 if the host cannot tell. */
uint64_t plat_wallclock_ns(void);

/**
 * Fills a buffer with numbers that nobody can foresee, fit for keys. Does not wait. Returns 0, or -ENODEV if the host
 * has no source of them.
 */
int plat_entropy(void *buf, size_t size);

/**
 * Makes `attention` the word of the calling CPU, in place of the one before: its deadline raises ATTN_TIMER
 * there, and console input raises ATTN_CONSOLE if this is the first CPU, that of husk_main().
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

/*
 * Several CPUs. Only the feature `smp` calls these; a host keeps them apart from the rest, so that images without it
 * have nothing of them.
 */

/** CPUs that can run vCPUs, at least 1: those of the computer, or as many as there may be vCPUs where they are threads. */
unsigned plat_cpus(void);

/** Number of the calling CPU, below plat_cpus(): 0 is that of husk_main(). Cheap. Not for threads that are no CPUs. */
unsigned plat_cpu(void);

/**
 * Starts CPU `n`, 1 to plat_cpus() - 1, once: it calls fn(argument), which does not return, on a stack of at least 64 KiB,
 * ready for plat_cpu_bind(). Returns 0, or a negative errno after logging one line.
 */
int plat_cpu_start(unsigned n, void (*fn)(void *argument), void *argument);

/** Waits while *word is `expected`; may return early. For waits that end soon: it may use the CPU meanwhile. */
void plat_word_wait(const uint32_t *word, uint32_t expected);

/** Wakes all who are in plat_word_wait() for this word, after it was changed. */
void plat_word_wake(uint32_t *word);

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
 * A stream of bytes to one peer at a time outside of husk, such as a debugger. An image in which nobody opens one
 * carries no code for it. One is supported now.
 */
struct plat_stream;

/**
 * Opens the stream. Host `linux`: listens at TCP port `port` of the loopback address (0: a free one that the kernel
 * chooses). Host `pc`: the second serial port, COM2, at 115200 baud; `port` is ignored. From then on `bits` are raised
 * in *attention whenever a peer comes, leaves or has sent something. Returns NULL after logging one line if there is
 * no such port.
 */
struct plat_stream *plat_stream_open(unsigned port, uint32_t *attention, uint32_t bits);

/** Where a peer finds the stream, for messages: "127.0.0.1:1234" or "COM2". */
const char *plat_stream_name(const struct plat_stream *s);

/** Takes up to `size` bytes that have arrived, without waiting; returns how many, 0 if none. Takes notice of peers. */
size_t plat_stream_read(struct plat_stream *s, void *buf, size_t size);

/** Writes all of it, waiting for a slow peer; dropped if there is no peer, or if it takes nothing for seconds. */
void plat_stream_write(struct plat_stream *s, const void *buf, size_t size);

/** True while there is a peer. A serial line always has one, as far as it can tell. */
bool plat_stream_connected(const struct plat_stream *s);

/**
 * Ends the run: restores the terminal (`linux`) or powers off (`pc`: ACPI S5 for
 * status 0, QEMU's isa-debug-exit otherwise, HLT forever where neither exists).
 */
_Noreturn void plat_exit(enum husk_exit status);

#endif
