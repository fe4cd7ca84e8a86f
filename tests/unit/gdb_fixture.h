/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest for tests of the GDB server: registers in an array, one page of RAM, an engine that counts. */
#ifndef TESTS_GDB_FIXTURE_H
#define TESTS_GDB_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "features/gdb-stub/server.h"

/** RAM of two pages at guest virtual KSEG0 + GPA; nothing else is mapped. */
#define FIXTURE_GPA  0x4000u
#define FIXTURE_SIZE 0x2000u
#define FIXTURE_GVA  (0xffffffff80000000ull + FIXTURE_GPA)

#define FIXTURE_REGISTERS 72u

extern struct vm fixture_vm;
extern struct gdb fixture_gdb;
extern uint64_t fixture_registers[FIXTURE_REGISTERS]; /**< by GDB's numbers */
extern unsigned fixture_steps, fixture_runs;          /**< calls of the engine */
extern bool fixture_held;                             /**< interrupts were held at the last step */
extern bool fixture_ignored;                          /**< watchpoints were ignored at the last step */
extern uint64_t fixture_breakpoint;                   /**< last set in the engine, 0 if removed */
extern uint64_t fixture_watchpoint;                   /**< likewise */
extern unsigned fixture_watched;                      /**< its accesses */
extern enum debug_event fixture_event;                /**< what the next run() or step() reaches */
extern unsigned fixture_quits;                        /**< calls of vm_request() */

/** A new guest and server. Without `hooks` the engine can neither break nor watch. */
void fixture_start(bool big_endian, bool hooks);

/** Frees what it holds. */
void fixture_end(void);

/** Sends a packet with its frame to the server; what it answered is returned, without acknowledgement and frame. */
const char *fixture_ask(const char *packet);

/** As fixture_ask() with bytes. */
const char *fixture_ask_bytes(const void *packet, size_t size);

/** What the server has sent since the last call, as it was. */
const char *fixture_sent(void);

#endif
