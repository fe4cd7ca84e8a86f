/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests see of fake_threads.c. */
#ifndef TESTS_FAKE_THREADS_H
#define TESTS_FAKE_THREADS_H

#include <stdint.h>

/** What host_io_events() returns; tests change it when something has happened to a watched file. */
extern uint32_t fake_io_events;

#endif
