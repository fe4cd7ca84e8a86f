/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server's side of a debugging session: commands of the debugger in, replies and stops
 * of the guest out. Works on the contracts vm.h and engine.h; where bytes come from and go
 * to is the business of its owner. The debugger is not trusted: every number is checked.
 */
#ifndef GDB_SERVER_H
#define GDB_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/vm.h>

#include "features/gdb-stub/packet.h"
#include "features/gdb-stub/target.h"

#define GDB_MAX_POINTS 64u

/** Signals that stops are reported as (GDB's own numbers). */
enum gdb_signal { GDB_SIGNAL_NONE = 0, GDB_SIGNAL_INT = 2, GDB_SIGNAL_TRAP = 5 };

/** Kinds of points: the digit behind Z and z. */
enum gdb_point_kind { GDB_SOFTWARE, GDB_HARDWARE, GDB_WATCH_WRITE, GDB_WATCH_READ, GDB_WATCH_ACCESS, GDB_POINT_KINDS };

/** A breakpoint or watchpoint. */
struct gdb_point {
	enum gdb_point_kind kind;
	uint64_t gva, size;
};

/** A server. Made by gdb_init(). */
struct gdb {
	struct vm *vm;
	/** Sends bytes to the debugger. */
	void (*send)(struct gdb *g, const void *data, size_t size);
	struct gdb_registers registers;

	bool stopped;             /**< the guest stands still */
	bool waiting;             /**< the debugger waits to hear of a stop */
	bool step;                /**< stop after one instruction */
	bool resuming;            /**< the next instruction is executed whatever stands at it */
	bool no_ack;              /**< packets are not acknowledged */
	unsigned vcpu;            /**< that registers and memory are of */
	enum gdb_signal signal;   /**< why it stopped */
	bool at_watchpoint;       /**< it was a watchpoint */
	enum gdb_point_kind kind; /**< of the watchpoint */
	uint64_t address;         /**< first watched address of the access */

	struct gdb_point points[GDB_MAX_POINTS];
	unsigned nr_points;

	struct gdb_receiver in;
	struct gdb_packet out;
	size_t frame_size; /**< of the last packet sent, for a repetition */
	uint8_t frame[GDB_FRAME_MAX];
};

/** Prepares a server for a VM; zeroed memory. The guest runs. */
void gdb_init(struct gdb *g, struct vm *vm, const struct gdb_target *target, bool big_endian);

/** Takes bytes from the debugger and does what they ask for. */
void gdb_input(struct gdb *g, const uint8_t *data, size_t size);

/** A debugger came, or left: the guest is stopped for it, or goes on without its points. */
void gdb_peer(struct gdb *g, bool present);

/** Stops the guest and says so, if the debugger waits for it. */
void gdb_stop(struct gdb *g, enum gdb_signal signal);

/**
 * In place of engine.run(): runs the vCPU as the debugger wants it, and stops it where it wants that. Does nothing
 * while the guest is stopped.
 */
enum engine_exit gdb_run(struct gdb *g, struct vcpu *v);

/* Inside the server. */

/** Sends what is in g->out as a packet. */
void gdb_send_packet(struct gdb *g);

/** Replies E and two digits. The numbers are free; these are those of Linux. */
#define GDB_EPERM  "E01"
#define GDB_EFAULT "E14"
#define GDB_EINVAL "E22"
#define GDB_ENOSPC "E28"

/** Adds OK. */
void gdb_put_ok(struct gdb *g);

/** Adds the reply to ?: why the guest stopped. */
void gdb_put_stop(struct gdb *g);

/** The vCPU that commands are about. */
struct vcpu *gdb_vcpu(const struct gdb *g);

/** Takes a thread: a number from 1, 0 for any, or -1 for all, which are set as vCPU 0. Returns false for others. */
bool gdb_scan_thread(const struct gdb *g, struct gdb_scan *s, unsigned *vcpu);

/** Commands that begin with q, Q and v; the letter is taken. Return false if the command is unknown. */
bool gdb_query(struct gdb *g, struct gdb_scan *s);
bool gdb_set(struct gdb *g, struct gdb_scan *s);

/** c, C, s and S, and vCont; the letter or word is taken. Reply only if they fail. */
void gdb_resume(struct gdb *g, struct gdb_scan *s, bool step, bool has_signal);
void gdb_resume_by_thread(struct gdb *g, struct gdb_scan *s);

/** The guest goes on; the debugger may be there or not. */
void gdb_go(struct gdb *g, bool step);

/** g, G, p, P, m, M and X; the letter is taken. */
void gdb_read_registers(struct gdb *g);
void gdb_write_registers(struct gdb *g, struct gdb_scan *s);
void gdb_read_register(struct gdb *g, struct gdb_scan *s);
void gdb_write_register(struct gdb *g, struct gdb_scan *s);
void gdb_read_memory(struct gdb *g, struct gdb_scan *s);
void gdb_write_memory(struct gdb *g, struct gdb_scan *s, bool binary);

/** Z and z; the letter is taken. */
void gdb_point(struct gdb *g, struct gdb_scan *s, bool on);

/** Removes all points. */
void gdb_forget_points(struct gdb *g);

/** True if the engine does not watch for breakpoints itself, and there are some. */
bool gdb_has_to_compare(const struct gdb *g);

/** True if a breakpoint is at gva. */
bool gdb_is_breakpoint(const struct gdb *g, uint64_t gva);

/** The watchpoint that an access to `address` hits, or NULL. */
const struct gdb_point *gdb_watchpoint_at(const struct gdb *g, uint64_t address);

#endif
